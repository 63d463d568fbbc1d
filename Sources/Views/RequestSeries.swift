public import Domain

/// Requests that differ in nothing that one of the sums is told by.
///
/// Each request counts in one series of each kind that it has something of; all of them have a `.operation`.
public enum UsageSeries: Sendable, Hashable {
  /// By what was asked for; nil where the log does not say. The model is `provider/model` as sent upstream.
  case operation(Operation?, model: String?)
  /// By the account that was asked last.
  case account(AccountID, model: String?)
  /// By the API key that was presented.
  case key(KeyID, model: String?)
}

/// Calls to one account that ended alike.
public struct CallSeries: Sendable, Hashable {
  /// Who was asked.
  public var account: AccountID
  /// Upstream's status; nil: no answer came.
  public var status: UInt16?
  /// nil: it went well.
  public var errorClass: ErrorClass?

  /// Made of its parts.
  public init(account: AccountID, status: UInt16?, errorClass: ErrorClass?) {
    self.account = account
    self.status = status
    self.errorClass = errorClass
  }
}

/// How many calls, and what they took.
public struct CallTotals: Sendable, Hashable {
  /// Calls.
  public var count: Int64 = 0
  /// Tokens of the requests that they ended.
  public var inputTokens: Int64 = 0
  /// Tokens of the answers that they brought.
  public var outputTokens: Int64 = 0
  /// In millionths of a US dollar.
  public var costMicroUSD: Int64 = 0
  /// Until their ends.
  public var latency = LatencyHistogram()

  /// None.
  public init() {}

  /// Both kinds of tokens.
  public var tokens: Int64 { inputTokens.adding(outputTokens) }

  /// Takes in what another one has.
  public mutating func add(_ other: CallTotals) {
    count = count.adding(other.count)
    inputTokens = inputTokens.adding(other.inputTokens)
    outputTokens = outputTokens.adding(other.outputTokens)
    costMicroUSD = costMicroUSD.adding(other.costMicroUSD)
    latency.add(other.latency)
  }
}

/// Something that requests are looked for by.
///
/// Where a page of the log has a request with it, the views have a mark; what stands on the page is the log's to say.
public enum RequestMark: Sendable, Hashable {
  case operation(Operation)
  case organisation(OrganisationID)
  case key(KeyID)
  /// Any account that was asked, not only the last one.
  case account(AccountID)
  /// `provider/model` as sent upstream.
  case model(String)
  /// The provider's own name of the model.
  case ownModel(String)
  /// The client's name for a model.
  case asked(String)
  /// One of these.
  case status(ClosedRange<UInt16>)
  case ending(Ending)
  case errorClass(ErrorClass)
  /// It has no end but the finding that it has none.
  case interrupted
  /// It is under way, as far as the tables are.
  case inFlight
  /// Its end could not be sent after all.
  case undelivered
  /// More than one account was asked.
  case failover
}

extension RequestMark {
  /// What a mark is about; kinds below 100 have a name's number as value.
  enum Kind: Int64 {
    case organisation = 1
    case key = 2
    case account = 3
    case model = 4
    case ownModel = 6
    case operation = 100
    case status = 101
    case ending = 102
    case errorClass = 103
    case interrupted = 104
    /// Not kept as marks: `in_flight` has the places.
    case inFlight = 107
    /// The client's name for a model, as a number of twenty bits: whoever has a key can make up names without end.
    case asked = 108
    case failover = 105
    case undelivered = 106

    var hasName: Bool { rawValue < 100 }
  }

  enum Value {
    case name(String)
    case numbers(ClosedRange<Int64>)

    static func number(_ number: Int64) -> Value { .numbers(number...number) }
  }

  /// FNV-1a's low twenty bits.
  ///
  /// That names may share one costs a look at a page where nothing is.
  static func number(ofAsked name: some Sequence<UInt8>) -> Int64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in name { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return Int64((hash ^ hash >> 40) & 0xF_FFFF)
  }

  var parts: (kind: Kind, value: Value) {
    switch self {
    case .organisation(let id): (.organisation, .name(id.rawValue))
    case .key(let id): (.key, .name(id.rawValue))
    case .account(let id): (.account, .name(id.rawValue))
    case .model(let text): (.model, .name(text))
    case .asked(let text): (.asked, .number(Self.number(ofAsked: Array(text.utf8))))
    case .inFlight: (.inFlight, .number(1))
    case .ownModel(let text): (.ownModel, .name(text))
    case .operation(let operation): (.operation, .number(Int64(operation.rawValue)))
    case .status(let range):
      (.status, .numbers(Int64(range.lowerBound)...Int64(range.upperBound)))
    case .ending(let ending): (.ending, .number(Int64(ending.rawValue)))
    case .errorClass(let errorClass): (.errorClass, .number(Int64(errorClass.rawValue)))
    case .interrupted: (.interrupted, .number(1))
    case .failover: (.failover, .number(1))
    case .undelivered: (.undelivered, .number(1))
    }
  }
}
