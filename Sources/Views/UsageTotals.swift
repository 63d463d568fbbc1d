public import Domain

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

  /// Whether requests of this kind count at all.
  ///
  /// Lists of models, which the gateway answers by itself and clients poll,
  /// use nothing; the log has them, and lists show them.
  public static func counts(_ operation: Operation) -> Bool {
    operation != .listModels && operation != .getModel
  }

  /// Requests that ended otherwise than well, and that nobody refused or gave up.
  public var failed: Int64 { requests - completed - denied - hungUp }

  /// Takes in what another one has.
  public mutating func add(_ other: UsageTotals) {
    requests = requests.adding(other.requests)
    completed = completed.adding(other.completed)
    denied = denied.adding(other.denied)
    hungUp = hungUp.adding(other.hungUp)
    interrupted = interrupted.adding(other.interrupted)
    undelivered = undelivered.adding(other.undelivered)
    summarised = summarised.adding(other.summarised)
    reported = reported.adding(other.reported)
    priced = priced.adding(other.priced)
    inputTokens = inputTokens.adding(other.inputTokens)
    outputTokens = outputTokens.adding(other.outputTokens)
    cachedTokens = cachedTokens.adding(other.cachedTokens)
    reasoningTokens = reasoningTokens.adding(other.reasoningTokens)
    cacheCreationTokens = cacheCreationTokens.adding(other.cacheCreationTokens)
    costMicroUSD = costMicroUSD.adding(other.costMicroUSD)
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

  init(columns: (Int) throws -> Int64) rethrows {
    requests = try columns(0)
    completed = try columns(1)
    denied = try columns(2)
    hungUp = try columns(3)
    interrupted = try columns(4)
    undelivered = try columns(5)
    summarised = try columns(6)
    reported = try columns(7)
    priced = try columns(8)
    inputTokens = try columns(9)
    outputTokens = try columns(10)
    cachedTokens = try columns(11)
    reasoningTokens = try columns(12)
    cacheCreationTokens = try columns(13)
    costMicroUSD = try columns(14)
    lastAt = try columns(15)
  }

  /// What counts of a number that somebody else claims.
  static func bounded(_ claimed: UInt64?) -> Int64 { Int64(min(claimed ?? 0, 1 << 40)) }
}
