/// What opening for writing found and did.
public struct RecoveryReport: Sendable {
  /// The store's identity, minted when the directory was made.
  public var storeID: UInt128
  /// The epoch of this opening: greater than every one before.
  public var epoch: Epoch
  /// The last event in the log; `.origin` if there is none.
  public var last: Position
  /// The directory held no store before.
  public var createdStore: Bool
  /// The last writer closed the store; true for a new store.
  public var previousStopWasClean: Bool
  /// The machine was started anew since the last writer opened the store; false for a new store.
  public var bootChanged: Bool
  /// Bytes set aside behind the last whole block, nil if there were none.
  public var truncated: TruncatedTail?
  /// Events read while opening.
  public var eventsScanned: UInt64
  /// Segments in the directory.
  public var segments: Int
  /// How long opening took.
  public var microseconds: Int64

  /// Bytes behind the last whole block which nobody was told are durable.
  public struct TruncatedTail: Sendable, Hashable {
    /// File name of the segment.
    public var segment: String
    /// Where the tail began.
    public var offset: UInt64
    /// Its length.
    public var bytes: UInt64
    /// The check that failed there, for example `block.body-crc`.
    public var rule: String
    /// The copy of the bytes; a report with the ending `.json` lies beside it.
    public var quarantinePath: String
    /// The position the tail would have begun with.
    public var firstPosition: Position

    /// Takes the parts as they are.
    public init(
      segment: String, offset: UInt64, bytes: UInt64, rule: String, quarantinePath: String,
      firstPosition: Position
    ) {
      self.segment = segment
      self.offset = offset
      self.bytes = bytes
      self.rule = rule
      self.quarantinePath = quarantinePath
      self.firstPosition = firstPosition
    }
  }

  /// Takes the parts as they are.
  public init(
    storeID: UInt128, epoch: Epoch, last: Position, createdStore: Bool, previousStopWasClean: Bool,
    bootChanged: Bool, truncated: TruncatedTail?, eventsScanned: UInt64, segments: Int,
    microseconds: Int64
  ) {
    self.storeID = storeID
    self.epoch = epoch
    self.last = last
    self.createdStore = createdStore
    self.previousStopWasClean = previousStopWasClean
    self.bootChanged = bootChanged
    self.truncated = truncated
    self.eventsScanned = eventsScanned
    self.segments = segments
    self.microseconds = microseconds
  }
}
