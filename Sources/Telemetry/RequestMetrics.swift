public import Domain

/// The counters that follow from the log's events: folding the same events gives the same counters.
///
/// Bounded whatever names events have: see `Bounds`.
public struct RequestMetrics: Sendable {
  /// How many values a label has of its own, and how many series a family; the rest is told as `other`.
  public enum Bounds {
    /// Organisations.
    public static let organisations = 200
    /// Accounts.
    public static let accounts = 1000
    /// Models, by the providers' own names.
    public static let models = 1000
    /// Error codes, rules of cooldowns and kinds of resources: words of the gateway's, each kind of them.
    public static let words = 100
    /// Series of a family of counters.
    public static let series = 4000
    /// Series of a family of histograms.
    public static let histograms = 500
  }

  /// The last event taken in.
  public private(set) var position: UInt64
  /// Outcomes taken in.
  public private(set) var outcomes: UInt64 = 0

  private(set) var organisations = LabelValues(limit: Bounds.organisations)
  private(set) var accounts = LabelValues(limit: Bounds.accounts)
  private(set) var models = LabelValues(limit: Bounds.models)
  private(set) var codes = LabelValues(limit: Bounds.words)
  private(set) var rules = LabelValues(limit: Bounds.words)
  private(set) var resources = LabelValues(limit: Bounds.words)
  /// Numbers of `provider/model`, and which own name each has.
  private var resolved = LabelValues(limit: Bounds.models)
  private var ownModels: [Int32] = []

  /// Requests that differ in nothing that is counted, since the last `settle`: under load most are alike.
  private var shapes: [Shape: ShapeTotals] = [:]
  private var outline = RequestOutline()

  // By what they are exposed under.
  private(set) var calls: Cells<Call, UInt64>
  private(set) var callTimes: Cells<Target, Histogram>
  private(set) var callFirstBytes: Cells<Int32, Histogram>
  private(set) var failedOver: Cells<Call, UInt64>
  private(set) var cuts: Cells<Int32, UInt64>
  private(set) var ends: Cells<End, UInt64>
  private(set) var errors: Cells<Fault, UInt64>
  private(set) var times: Cells<Kind, Histogram>
  private(set) var firstBytes: Cells<Kind, Histogram>
  private(set) var decisionTimes = Histogram(.short)
  private(set) var routed: Cells<Routed, UInt64>
  private(set) var decisions: [Decision: UInt64] = [:]
  private(set) var tokens: Cells<Target, Tokens>
  private(set) var organisationEnds: Cells<OrganisationEnd, UInt64>
  private(set) var organisationCosts: Cells<Int32, UInt64>
  private(set) var denials: Cells<Denial, UInt64>
  private(set) var limitDenials: Cells<LimitDenial, UInt64>
  private(set) var cooldowns: Cells<Cooldown, UInt64>
  private(set) var tests: Cells<Test, UInt64>
  private(set) var refreshes: Cells<Refresh, UInt64>
  private(set) var changes: Cells<Change, UInt64>
  private(set) var summarised: UInt64 = 0
  private(set) var interrupted: UInt64 = 0
  private(set) var undelivered: UInt64 = 0
  private(set) var lost: UInt64 = 0

  /// Counts what comes behind a position of the log.
  public init(after position: UInt64) {
    self.position = position
    let series = Bounds.series
    let (account, model) = (accounts.other, models.other)
    calls = Cells(
      limit: series, beyond: Call(account: account, model: model, status: 0, errorClass: 0), zero: 0
    )
    failedOver = Cells(
      limit: series, beyond: Call(account: account, model: model, status: 0, errorClass: 0), zero: 0
    )
    callTimes = Cells(
      limit: Bounds.histograms, beyond: Target(account: account, model: model),
      zero: Histogram(.long))
    callFirstBytes = Cells(limit: Bounds.histograms, beyond: account, zero: Histogram(.long))
    cuts = Cells(limit: series, beyond: account, zero: 0)
    ends = Cells(limit: series, beyond: End(operation: 255, class: 0, ending: 0), zero: 0)
    errors = Cells(limit: series, beyond: Fault(code: codes.other, class: 0), zero: 0)
    times = Cells(
      limit: Bounds.histograms, beyond: Kind(operation: 255, isStream: false),
      zero: Histogram(.long))
    firstBytes = Cells(
      limit: Bounds.histograms, beyond: Kind(operation: 255, isStream: false),
      zero: Histogram(.long))
    routed = Cells(limit: series, beyond: Routed(account: account, isGood: false), zero: 0)
    tokens = Cells(limit: series, beyond: Target(account: account, model: model), zero: Tokens())
    let organisation = organisations.other
    organisationEnds = Cells(
      limit: series, beyond: OrganisationEnd(organisation: organisation, ending: 0), zero: 0)
    organisationCosts = Cells(limit: series, beyond: organisation, zero: 0)
    denials = Cells(
      limit: series, beyond: Denial(code: codes.other, organisation: organisation), zero: 0)
    limitDenials = Cells(
      limit: series, beyond: LimitDenial(kind: .org, organisation: organisation), zero: 0)
    cooldowns = Cells(
      limit: series, beyond: Cooldown(account: account, rule: rules.other, isOfModel: false),
      zero: 0)
    tests = Cells(limit: series, beyond: Test(account: account, isValid: false), zero: 0)
    refreshes = Cells(limit: series, beyond: Refresh(account: account, end: .failed), zero: 0)
    changes = Cells(limit: series, beyond: Change(resource: resources.other, source: 0), zero: 0)
  }

  // MARK: Keys

  struct Target: Hashable, Sendable {
    var account: Int32
    var model: Int32
  }

  struct Call: Hashable, Sendable {
    var account: Int32
    var model: Int32
    /// 0: no answer came.
    var status: UInt16
    /// 0: none.
    var errorClass: UInt8
  }

  struct End: Hashable, Sendable {
    var operation: UInt8
    /// The status' first digit.
    var `class`: UInt8
    var ending: UInt8
  }

  struct Fault: Hashable, Sendable {
    var code: Int32
    var `class`: UInt8
  }

  struct Kind: Hashable, Sendable {
    var operation: UInt8
    var isStream: Bool
  }

  struct Routed: Hashable, Sendable {
    var account: Int32
    var isGood: Bool
  }

  /// As the API Router names them.
  enum Decision: String, Hashable, Sendable {
    case primary = "PRIMARY"
    case failover = "FAILOVER"
    case override = "OVERRIDE"
  }

  struct Tokens: Hashable, Sendable {
    var input: UInt64 = 0
    var output: UInt64 = 0
    var cached: UInt64 = 0
    var reasoning: UInt64 = 0
    var cacheCreation: UInt64 = 0
    var costMicroUSD: UInt64 = 0

    mutating func add(_ usage: TokenUsage, _ cost: UInt64?) {
      input = input.saturated(adding: usage.input ?? 0)
      output = output.saturated(adding: usage.output ?? 0)
      cached = cached.saturated(adding: usage.cached ?? 0)
      reasoning = reasoning.saturated(adding: usage.reasoning ?? 0)
      cacheCreation = cacheCreation.saturated(adding: usage.cacheCreation ?? 0)
      costMicroUSD = costMicroUSD.saturated(adding: cost ?? 0)
    }

    mutating func add(_ other: Tokens) {
      add(
        TokenUsage(
          input: other.input, output: other.output, cached: other.cached,
          reasoning: other.reasoning, cacheCreation: other.cacheCreation), other.costMicroUSD)
    }
  }

  struct OrganisationEnd: Hashable, Sendable {
    var organisation: Int32
    var ending: UInt8
  }

  struct Denial: Hashable, Sendable {
    var code: Int32
    var organisation: Int32
  }

  /// What kept a request out that a limit kept out.
  struct LimitDenial: Hashable, Sendable {
    enum Kind: String, Hashable, Sendable {
      case org, key
      case budget, reserved
      case dailyQuota = "daily_quota"
      case monthlyQuota = "monthly_quota"
    }
    var kind: Kind
    var organisation: Int32
  }

  struct Cooldown: Hashable, Sendable {
    var account: Int32
    var rule: Int32
    var isOfModel: Bool
  }

  struct Test: Hashable, Sendable {
    var account: Int32
    var isValid: Bool
  }

  struct Refresh: Hashable, Sendable {
    enum End: String, Sendable {
      case refreshed, rejected, failed, lost
    }
    var account: Int32
    var end: End
  }

  struct Change: Hashable, Sendable {
    var resource: Int32
    var source: UInt8
  }

  /// All that a request with its last call is counted under.
  private struct Shape: Hashable {
    var operation: UInt8
    var isStream: Bool
    var ending: UInt8
    var errorClass: UInt8
    var status: UInt16
    /// Of the last call.
    var callStatus: UInt16
    var callClass: UInt8
    var wasSent: Bool
    /// nil: no account was asked.
    var decision: Decision?
    var errorCode: Int32
    var organisation: Int32
    var account: Int32
    var model: Int32

    /// Three words instead of thirteen: what hashes equal and is not is rare.
    func hash(into hasher: inout Hasher) {
      hasher.combine(UInt64(truncatingIfNeeded: account) << 32 | UInt64(UInt32(bitPattern: model)))
      hasher.combine(
        UInt64(truncatingIfNeeded: organisation) << 32 | UInt64(UInt32(bitPattern: errorCode)))
      hasher.combine(
        UInt64(status) << 48 | UInt64(callStatus) << 32 | UInt64(operation) << 24
          | UInt64(ending) << 16 | UInt64(errorClass) << 8 | UInt64(callClass))
    }
  }

  private struct ShapeTotals {
    var count: UInt64 = 0
    var tokens = Tokens()
    var times = Histogram(.long)
    var firstBytes = Histogram(.long)
    var callTimes = Histogram(.long)
    var callFirstBytes = Histogram(.long)
    var decisionTimes = Histogram(.short)

    mutating func take(_ it: RequestOutline) {
      count += 1
      tokens.add(it.usage, it.costMicroUSD)
      guard let last = it.attempts.last else { return }
      let bounds = Metric.Buckets.long.microseconds
      times.record(it.totalMicroseconds, bounds)
      if let time = it.firstByteMicroseconds { firstBytes.record(time, bounds) }
      decisionTimes.record(microseconds: it.queueMicroseconds)
      guard last.wasSent else { return }
      callTimes.record(last.totalMicroseconds, bounds)
      if let time = last.firstByteMicroseconds { callFirstBytes.record(time, bounds) }
    }
  }

  // MARK: Taking in

  /// Takes in the next event of the log; what lies behind `position` already changes nothing.
  ///
  /// - Throws: where what matters cannot be decoded; the event is passed over then.
  public mutating func take(
    position: UInt64, time: UnixNanoseconds, kind: String, bytes: ArraySlice<UInt8>
  ) throws(DecodingFailure) {
    guard position > self.position else { return }
    self.position = position
    if try outline.read(kind: kind, bytes: bytes) {
      bytes.withUnsafeBytes { count(outline, $0) }
    } else {
      try takeOther(position: position, time: time, kind: kind, bytes: bytes)
    }
  }

  /// The same for a finished request that somebody else has read.
  ///
  /// - Parameter bytes: of the record that the outline tells.
  public mutating func take(
    finished outline: RequestOutline, position: UInt64, bytes: ArraySlice<UInt8>
  ) {
    guard position > self.position else { return }
    self.position = position
    bytes.withUnsafeBytes { count(outline, $0) }
  }

  /// Goes on behind a position, whatever stands before it.
  public mutating func skip(to position: UInt64) { self.position = max(self.position, position) }

  private mutating func count(_ it: RequestOutline, _ bytes: UnsafeRawBufferPointer) {
    func text(_ place: Range<Int>) -> UnsafeRawBufferPointer {
      UnsafeRawBufferPointer(rebasing: bytes[place])
    }
    outcomes += 1
    let last = it.attempts.last
    var shape = Shape(
      operation: it.operation.rawValue, isStream: it.isStream, ending: it.ending.rawValue,
      errorClass: it.errorClass?.rawValue ?? 0, status: it.status, callStatus: 0, callClass: 0,
      wasSent: false, decision: nil, errorCode: -1, organisation: -1, account: -1, model: -1)
    if let organisation = it.organisation {
      shape.organisation = organisations.number(of: text(organisation))
    }
    if let code = it.errorCode { shape.errorCode = codes.number(of: text(code)) }
    if let model = it.modelResolved { shape.model = ownModel(text(model)) }
    if let last {
      shape.account = accounts.number(of: text(last.account))
      shape.wasSent = last.wasSent
      shape.callStatus = last.status ?? 0
      shape.callClass = last.errorClass?.rawValue ?? 0
      shape.decision =
        it.attempts.count > 1 ? .failover : last.rule == .owner ? .override : .primary
    }
    shapes[shape, default: ShapeTotals()].take(it)
    if it.attempts.count > 1 { countFailed(it.attempts.dropLast(), text) }
    if it.ending == .denied { countDenial(it, shape, text) }
    if shapes.count >= Bounds.series { settle() }
  }

  /// The calls before the last one.
  private mutating func countFailed(
    _ attempts: ArraySlice<RequestOutline.Attempt>, _ text: (Range<Int>) -> UnsafeRawBufferPointer
  ) {
    for attempt in attempts where attempt.wasSent {
      let target = Target(
        account: accounts.number(of: text(attempt.account)),
        model: attempt.upstreamModel.map { models.number(of: text($0)) } ?? -1)
      let call = Call(
        account: target.account, model: target.model, status: attempt.status ?? 0,
        errorClass: attempt.errorClass?.rawValue ?? 0)
      calls.add(1, to: call)
      failedOver.add(1, to: call)
      callTimes.change(target) { $0.record(microseconds: attempt.totalMicroseconds) }
      if let time = attempt.firstByteMicroseconds {
        callFirstBytes.change(target.account) { $0.record(microseconds: time) }
      }
    }
  }

  private mutating func countDenial(
    _ it: RequestOutline, _ shape: Shape, _ text: (Range<Int>) -> UnsafeRawBufferPointer
  ) {
    denials.add(1, to: Denial(code: shape.errorCode, organisation: shape.organisation))
    guard let code = it.errorCode else { return }
    let kind: LimitDenial.Kind
    switch String(decoding: text(code), as: UTF8.self) {
    case "rate_limit_exceeded":
      let fullest = Self.fullest(it.limits) { $0.isRate }
      kind = fullest?.scope == .key ? .key : .org
    case "budget_exceeded": kind = .budget
    case "budget_reserved": kind = .reserved
    case "quota_exceeded":
      let fullest = Self.fullest(it.limits) { $0 == .tokensPerDay || $0 == .tokensPerMonth }
      kind = fullest?.measure == .tokensPerDay ? .dailyQuota : .monthlyQuota
    case _: return
    }
    limitDenials.add(1, to: LimitDenial(kind: kind, organisation: shape.organisation))
  }

  /// The limit of which the greatest share is used, the first of several; the record does not say which one refused.
  static func fullest(
    _ limits: [LimitReading], _ counts: (LimitReading.Measure) -> Bool
  ) -> LimitReading? {
    var found: LimitReading?
    for reading in limits where counts(reading.measure) {
      guard let best = found else {
        found = reading
        continue
      }
      // used ÷ limit, compared without dividing.
      let share = reading.used.multipliedFullWidth(by: max(1, best.limit))
      let most = best.used.multipliedFullWidth(by: max(1, reading.limit))
      if (share.high, share.low) > (most.high, most.low) { found = reading }
    }
    return found
  }

  /// The provider's own name of `provider/model`.
  private mutating func ownModel(_ bytes: UnsafeRawBufferPointer) -> Int32 {
    let number = resolved.number(of: bytes)
    if number == resolved.other { return models.other }
    if number < ownModels.count { return ownModels[Int(number)] }
    let slash = bytes.firstIndex(of: UInt8(ascii: "/")) ?? -1
    let own = models.number(of: UnsafeRawBufferPointer(rebasing: bytes[(slash + 1)...]))
    ownModels.append(own)
    return own
  }

  private mutating func takeOther(
    position: UInt64, time: UnixNanoseconds, kind: String, bytes: ArraySlice<UInt8>
  ) throws(DecodingFailure) {
    // The most frequent of those that count for nothing.
    if kind.hasPrefix("request.dispatched.") { return }
    let recorded = try Recorded(position: position, time: time, kind: kind, bytes: bytes)
    switch recorded.event {
    case .request(.interrupted): interrupted += 1
    case .request(.deliveryFailed): undelivered += 1
    case .request(.deniedSummary(let fact)):
      summarised = summarised.saturated(adding: fact.count)
    case .request(.finished), .request(.dispatched): break
    case .health(.cooldownStarted(let fact)):
      var isOfModel = false
      if case .model = fact.scope { isOfModel = true }
      let key = Cooldown(
        account: accounts.number(of: fact.account.rawValue), rule: rules.number(of: fact.rule),
        isOfModel: isOfModel)
      cooldowns.add(1, to: key)
    case .health(.tested(let fact)):
      let key = Test(account: accounts.number(of: fact.account.rawValue), isValid: fact.isValid)
      tests.add(1, to: key)
    case .health, .access, .sync, .syncToken: break
    case .credential(.refreshed(let fact)): count(fact.account, .refreshed)
    case .credential(.refreshRejected(let fact)): count(fact.account, .rejected)
    case .credential(.refreshFailed(let fact)):
      count(fact.account, fact.outcomeUnknown ? .lost : .failed)
    case .credential(.markedUncertain(let fact)):
      if fact.reason == .unfinished { count(fact.account, .lost) }
    case .credential(.refreshAttempted), .credential(.staleWriteRefused): break
    case .gateway(.gapClosed(let fact)): lost = lost.saturated(adding: fact.count ?? 0)
    case .gateway: break
    case .provider, .account, .credential, .model, .alias, .combo, .policy, .organisation, .key,
      .settings, .pricing:
      let key = Change(
        resource: resources.number(of: String(kind.prefix { $0 != "." })),
        source: recorded.provenance.source.rawValue)
      changes.add(1, to: key)
    case nil: break
    }
  }

  private mutating func count(_ account: AccountID, _ end: Refresh.End) {
    refreshes.add(1, to: Refresh(account: accounts.number(of: account.rawValue), end: end))
  }

  /// Counts under what they are exposed under, what was taken in by shapes.
  public mutating func settle() {
    for (shape, totals) in shapes { settle(shape, totals) }
    shapes.removeAll(keepingCapacity: true)
  }

  private mutating func settle(_ shape: Shape, _ totals: ShapeTotals) {
    let isGood = shape.ending == Ending.completed.rawValue && shape.status < 400
    ends.add(
      totals.count,
      to: End(
        operation: shape.operation, class: UInt8(shape.status / 100 % 10), ending: shape.ending))
    organisationEnds.add(
      totals.count, to: OrganisationEnd(organisation: shape.organisation, ending: shape.ending))
    if shape.errorCode >= 0 || shape.errorClass > 0 {
      errors.add(totals.count, to: Fault(code: shape.errorCode, class: shape.errorClass))
    }
    if totals.tokens.costMicroUSD > 0 {
      organisationCosts.add(totals.tokens.costMicroUSD, to: shape.organisation)
    }
    guard let decision = shape.decision else { return }
    let target = Target(account: shape.account, model: shape.model)
    let kind = Kind(operation: shape.operation, isStream: shape.isStream)
    if shape.wasSent {
      calls.add(
        totals.count,
        to: Call(
          account: shape.account, model: shape.model, status: shape.callStatus,
          errorClass: shape.callClass))
      callTimes.change(target) { $0.add(totals.callTimes) }
      if totals.callFirstBytes.count > 0 {
        callFirstBytes.change(shape.account) { $0.add(totals.callFirstBytes) }
      }
    }
    if shape.ending == Ending.upstreamCut.rawValue { cuts.add(totals.count, to: shape.account) }
    times.change(kind) { $0.add(totals.times) }
    if totals.firstBytes.count > 0 { firstBytes.change(kind) { $0.add(totals.firstBytes) } }
    decisionTimes.add(totals.decisionTimes)
    routed.add(totals.count, to: Routed(account: shape.account, isGood: isGood))
    decisions[decision, default: 0] += totals.count
    if totals.tokens != Tokens() { tokens.change(target) { $0.add(totals.tokens) } }
  }
}

extension LimitReading.Measure {
  var isRate: Bool {
    switch self {
    case .requestsPerSecond, .requestsPerMinute, .tokensPerMinute, .concurrency: true
    case .moneyPerDay, .moneyPerMonth, .tokensPerDay, .tokensPerMonth: false
    }
  }
}
