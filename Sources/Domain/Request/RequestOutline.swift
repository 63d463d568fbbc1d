/// What sums over requests and decisions made again need of a finished one, read without making anything: texts are
/// places in the record.
///
/// Most of a log is this; decoding it whole takes several times as long.
public struct RequestOutline: Sendable {
  /// The request, by the id that the gateway minted.
  public internal(set) var id = RequestID(0)
  /// When the head had arrived.
  public internal(set) var receivedAt = UnixNanoseconds(0)
  /// The tenant it belongs to.
  public internal(set) var organisation: Range<Int>?
  /// The API key that was presented, if any.
  public internal(set) var key: Range<Int>?
  /// What was asked for.
  public internal(set) var operation = Operation.unknown
  /// The client's `model`, as written.
  public internal(set) var modelAsked = 0..<0
  /// `provider/model` as sent upstream.
  public internal(set) var modelResolved: Range<Int>?
  /// What the client got.
  public internal(set) var status: UInt16 = 0
  /// How it ended, as the client saw it.
  public internal(set) var ending = Ending.completed
  /// The error catalogue's code; nil on success.
  public internal(set) var errorCode: Range<Int>?
  /// Whose fault a failure was; nil on success.
  public internal(set) var errorClass: ErrorClass?
  /// Whether the answer was asked for as a stream.
  public internal(set) var isStream = false
  /// Tokens as the provider reported them.
  public internal(set) var usage = TokenUsage.notReported
  /// In millionths of a US dollar; nil: no price known.
  public internal(set) var costMicroUSD: UInt64?
  /// From the head's last byte to the first attempt.
  public internal(set) var queueMicroseconds: UInt64 = 0
  /// From the head's last byte to the first byte sent to the client.
  public internal(set) var firstByteMicroseconds: UInt64?
  /// Microseconds until the end.
  public internal(set) var totalMicroseconds: UInt64 = 0
  /// The upstream calls, in order.
  public internal(set) var attempts: [Attempt] = []
  /// The limits that held, and what was used of each when the request came.
  public internal(set) var limits: [LimitReading] = []
  /// The trace that it is part of.
  public internal(set) var trace: TraceContext?
  /// A hash of the session that the client named; nil: none.
  public internal(set) var session: UInt64?

  /// One upstream call.
  public struct Attempt: Sendable {
    /// Position of the routing view that it was decided on.
    public var snapshot: UInt64
    /// The decision's clock.
    public var now: UnixNanoseconds
    /// The decision's dice.
    public var seed: UInt64
    /// What the decision asked beside the view, and was told.
    public var local: LocalInputs
    /// The account concerned.
    public var account: Range<Int>
    /// The rule that chose the account.
    public var rule: ChoiceRule
    /// The provider's own model name; nil: that of `modelResolved`, or not recorded.
    public var upstreamModel: Range<Int>?
    /// Upstream's status; nil if no answer came.
    public var status: UInt16?
    /// nil: the attempt succeeded.
    public var errorClass: ErrorClass?
    /// Whether there was a connection to send it over.
    public var wasConnected: Bool
    /// Microseconds until the answer's first byte; nil if none came.
    public var firstByteMicroseconds: UInt64?
    /// Microseconds until the end.
    public var totalMicroseconds: UInt64

    /// Whether anything was sent: an account may be passed over because the request cannot be told in its protocol.
    public var wasSent: Bool { status != nil || wasConnected || errorClass != .request }
  }

  /// To be filled by `read`, again and again.
  public init() {}

  /// Reads a record's payload; places are counted from its first byte.
  ///
  /// - Parameter isChecked: whether it must throw wherever decoding the record whole would; else texts that are none
  ///   and versions that are too high pass.
  /// - Returns: false if it is no record of a finished request that this build knows; nothing is to be read then.
  /// - Throws: where the record is none; what was read is of no use then.
  public mutating func read(
    kind: String, bytes: ArraySlice<UInt8>, isChecked: Bool = false
  ) throws(DecodingFailure) -> Bool {
    let known: WireKind
    switch kind {
    case WireKind.requestFinished.rawValue: known = .requestFinished
    case WireKind.requestFinishedV2.rawValue: known = .requestFinishedV2
    case WireKind.requestFinishedV3.rawValue: known = .requestFinishedV3
    case _: return false
    }
    var reader = RecordReader(bytes, kind: kind)
    _ = try Provenance(from: &reader)
    try read(&reader, as: known, isChecked: isChecked)
    try reader.end()
    return true
  }
}
