/// Requests counted, and what they used.
///
/// Tokens and costs are what providers claim: of one request at most 2⁴⁰ count, so that no sum runs over.
public struct UsageTotals: Sendable, Hashable {
  /// Requests whose end is in the log.
  public var requests: Int64 = 0
  /// Of these: answered whole, with a status below 400.
  public var completed: Int64 = 0
  /// Of these: refused before any call.
  public var denied: Int64 = 0
  /// Of these: given up by the client.
  public var hungUp: Int64 = 0
  /// Of these: cut off by a stop of the gateway that nobody planned.
  public var interrupted: Int64 = 0
  /// Completed requests whose withheld end could not be sent after all.
  public var undelivered: Int64 = 0
  /// Denials that the log has as a number only, beside `requests`.
  public var summarised: Int64 = 0
  /// Requests for which the provider reported tokens.
  public var reported: Int64 = 0
  /// Requests that had a price.
  public var priced: Int64 = 0
  /// Tokens of requests.
  public var inputTokens: Int64 = 0
  /// Tokens of answers.
  public var outputTokens: Int64 = 0
  /// Part of `inputTokens`.
  public var cachedTokens: Int64 = 0
  /// Part of `outputTokens`.
  public var reasoningTokens: Int64 = 0
  /// Part of `inputTokens`.
  public var cacheCreationTokens: Int64 = 0
  /// In millionths of a US dollar, at the prices of their time.
  public var costMicroUSD: Int64 = 0
  /// When the last of them came: nanoseconds since the Unix epoch; the least number: there is none.
  public var lastAt: Int64 = .min

  /// Nothing.
  public init() {}

  /// Requests that ended otherwise than well, and that nobody refused or gave up.
  public var failed: Int64 { requests - completed - denied - hungUp }

  /// Takes in what another one has.
  public mutating func add(_ other: UsageTotals) {
    requests += other.requests
    completed += other.completed
    denied += other.denied
    hungUp += other.hungUp
    interrupted += other.interrupted
    undelivered += other.undelivered
    summarised += other.summarised
    reported += other.reported
    priced += other.priced
    inputTokens += other.inputTokens
    outputTokens += other.outputTokens
    cachedTokens += other.cachedTokens
    reasoningTokens += other.reasoningTokens
    cacheCreationTokens += other.cacheCreationTokens
    costMicroUSD += other.costMicroUSD
    lastAt = max(lastAt, other.lastAt)
  }

  /// In the order of the columns.
  var columns: [Int64] {
    [
      requests, completed, denied, hungUp, interrupted, undelivered, summarised, reported, priced,
      inputTokens, outputTokens, cachedTokens, reasoningTokens, cacheCreationTokens, costMicroUSD,
      lastAt,
    ]
  }

  init(columns: (Int) -> Int64) {
    requests = columns(0)
    completed = columns(1)
    denied = columns(2)
    hungUp = columns(3)
    interrupted = columns(4)
    undelivered = columns(5)
    summarised = columns(6)
    reported = columns(7)
    priced = columns(8)
    inputTokens = columns(9)
    outputTokens = columns(10)
    cachedTokens = columns(11)
    reasoningTokens = columns(12)
    cacheCreationTokens = columns(13)
    costMicroUSD = columns(14)
    lastAt = columns(15)
  }

  /// What counts of a number that somebody else claims.
  static func bounded(_ claimed: UInt64?) -> Int64 { Int64(min(claimed ?? 0, 1 << 40)) }
}
