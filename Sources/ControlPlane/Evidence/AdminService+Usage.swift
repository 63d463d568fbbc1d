import Domain
import EventStore
import HTTPTypes
import Surface
import Views

/// `/api/usage/history` and `/v1/metrics/providers`: what was used, and how calls went.
extension AdminService {
  /// Sums over all requests, or over those of a span; with the last ten minutes and what is under way.
  func usageHistory(_ call: AdminCall) async throws -> AdminAnswer {
    let from = try time("since", call).map { $0.rawValue.hours(roundedUp: false) }
    let to = try time("until", call).map { $0.rawValue.hours(roundedUp: true) }
    let (log, views) = (RequestLog(reader: control.store.reader), try self.views)
    let now = edge.now().rawValue
    let minute = now.minutes
    let shown = try await reads.run {
      let reading = try views.upToDate()
      return History(
        usage: try reading.views.usage(from: from, to: to),
        minutes: try reading.views.usage(minutes: minute - 9..<minute + 1),
        inFlight: try reading.views.inFlight(limit: 1000).compactMap {
          try log.dispatched(at: $0.position)
        }, recent: try log.list(.counted, limit: 20, views: reading).entries, reading: reading)
    }
    return .json(.object(historyMembers(shown, lastMinute: minute)))
  }

  private struct History: Sendable {
    var usage: [(series: UsageSeries, totals: UsageTotals)]
    var minutes: [(minute: Int64, totals: UsageTotals)]
    var inFlight: [RequestEvent.Dispatched]
    var recent: [RequestLog.Entry]
    var reading: ViewKeeper.Reading
  }

  private func historyMembers(_ shown: History, lastMinute: Int64) -> [JSONValue.Member] {
    let state = control.state
    let view = RequestView(state: state, detail: .everything)
    var all = UsageTotals()
    var groups = UsageGroups(state)
    for (series, totals) in shown.usage {
      if case .operation = series { all.add(totals) }
      groups.add(series, totals, state)
    }
    let minutes = Dictionary(shown.minutes.map { ($0.minute, $0.totals) }) { $1 }
    let active = Dictionary(grouping: shown.inFlight) { fact in
      ActiveKey(model: fact.modelAsked, account: fact.account)
    }
    let listed = active.sorted { $0.key < $1.key }
    return [
      .init("totalRequests", JSONValue(all.requests)),
      .init("totalPromptTokens", JSONValue(all.inputTokens)),
      .init("totalCompletionTokens", JSONValue(all.outputTokens)),
      .init("totalCost", .usd(all.costMicroUSD)),
      .init("completed", JSONValue(all.completed)), .init("failed", JSONValue(all.failed)),
      .init("denied", JSONValue(all.denied)), .init("hungUp", JSONValue(all.hungUp)),
      .init("interrupted", JSONValue(all.interrupted)),
      .init("undelivered", JSONValue(all.undelivered)),
      .init("deniedBeyondCounting", JSONValue(all.summarised)),
      .init("withTokens", JSONValue(all.reported)), .init("withPrice", JSONValue(all.priced)),
      .init("byProvider", groups.json(groups.providers)),
      .init("byModel", groups.json(groups.models)),
      .init("byAccount", groups.json(groups.accounts)),
      .init("byApiKey", groups.json(groups.keys)),
      .init("byEndpoint", groups.json(groups.endpoints)),
      .init(
        "last10Minutes",
        .array(
          (lastMinute - 9...lastMinute).map { minute in
            .object(Self.sums(minutes[minute] ?? UsageTotals()))
          })),
      .init(
        "pending",
        [
          "byModel": .counts(listed.map { ($0.key.model, $0.value.count) }),
          "byAccount": .counts(
            listed.map { (view.name($0.key.account) ?? "-", $0.value.count) }),
        ]),
      .init(
        "activeRequests",
        .array(
          listed.map { key, requests in
            [
              "model": JSONValue(key.model), "provider": JSONValue(view.provider(key.account)),
              "account": JSONValue(view.name(key.account)), "count": JSONValue(requests.count),
            ]
          })),
      .init(
        "recentRequests",
        .array(
          shown.recent.filter { $0.story.finished != nil }.map { entry in
            let fact = entry.story.finished?.fact
            let account = fact?.attempts.last?.account
            return [
              "requestId": JSONValue(uuidText(entry.story.id.rawValue)),
              "timestamp": JSONValue(entry.receivedAt),
              "model": JSONValue(fact?.modelAsked), "provider": JSONValue(view.provider(account)),
              "promptTokens": JSONValue(fact?.usage.input),
              "completionTokens": JSONValue(fact?.usage.output),
              "status": JSONValue(fact?.status),
            ]
          })),
    ] + Self.asOf(shown.reading)
  }

  /// Through where the views were that answered, and what they did not have yet.
  static func asOf(_ reading: ViewKeeper.Reading) -> [JSONValue.Member] {
    [
      .init("position", JSONValue(reading.position.rawValue)),
      .init("lag", JSONValue(reading.behind)),
    ]
  }

  fileprivate static func sums(_ totals: UsageTotals) -> [JSONValue.Member] {
    [
      .init("requests", JSONValue(totals.requests)),
      .init("promptTokens", JSONValue(totals.inputTokens)),
      .init("completionTokens", JSONValue(totals.outputTokens)),
      .init("cost", .usd(totals.costMicroUSD)),
    ]
  }

  private struct ActiveKey: Hashable, Comparable {
    var model: String
    var account: AccountID?

    static func < (a: Self, b: Self) -> Bool {
      (a.model, a.account?.rawValue ?? "") < (b.model, b.account?.rawValue ?? "")
    }
  }

  // MARK: Providers

  /// Calls to each provider that ended within a span up to now, the running minute included.
  func providerMetrics(_ call: AdminCall) async throws -> AdminAnswer {
    let text = call.query["window"] ?? "10m"
    guard let minutes = Self.minutes(text) else {
      throw APIFault(
        .invalidField, "The parameter window is no number of minutes or hours up to 24h.",
        field: "window", remedy: "Send for example 10m or 1h.",
        details: [.init("value", JSONValue(Refusal.bounded(text)))])
    }
    let views = try self.views
    let minute = edge.now().rawValue.minutes
    let (calls, reading) = try await reads.run {
      let reading = try views.upToDate()
      return (try reading.views.calls(minutes: minute - minutes + 1..<minute + 1), reading)
    }
    let state = control.state
    var providers: [ProviderID: ProviderCalls] = [:]
    for provider in state.providers.keys { providers[provider] = ProviderCalls() }
    for (series, totals) in calls {
      guard let account = state.accounts[series.account] ?? state.removedAccounts[series.account]
      else { continue }
      providers[account.provider, default: ProviderCalls()].add(series, totals)
    }
    var answer = AdminAnswer.json(
      .object(
        providers.sorted { $0.key < $1.key }.map { .init($0.key.rawValue, $0.value.json) }))
    // A map of providers has no room for more; the head has.
    answer.set(.position, String(reading.position.rawValue))
    answer.set(.lag, String(reading.behind))
    return answer
  }

  /// `10m` or `2h`, at most a day; nil: it is neither.
  private static func minutes(_ text: String) -> Int64? {
    let digits = text.dropLast()
    guard let unit = text.last, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let number = Int64(digits), (1...1440).contains(number)
    else { return nil }
    switch unit {
    case "m": return number
    case "h": return number <= 24 ? number * 60 : nil
    case _: return nil
    }
  }

  private struct ProviderCalls {
    private var good: Int64 = 0
    private var failed: Int64 = 0
    private var all = CallTotals()
    private var statuses: [String: Int64] = [:]

    mutating func add(_ series: CallSeries, _ totals: CallTotals) {
      all.add(totals)
      switch series.errorClass {
      case nil: good += totals.count
      // Clients that hung up, or asked for what no provider serves, say nothing of this one.
      case .client, .request: break
      case .account, .model, .provider, .network, .gateway: failed += totals.count
      }
      statuses[series.status.map { String($0) } ?? "none", default: 0] += totals.count
    }

    var json: JSONValue {
      let rate =
        good + failed == 0
        ? JSONValue.null
        : JSONValue(
          millionths: UInt64(good + failed).dividingFullWidth(
            UInt64(good).multipliedFullWidth(by: 1_000_000)
          ).quotient)
      func milliseconds(_ permille: UInt64) -> JSONValue {
        all.latency.quantile(permille: permille).map { JSONValue(millionths: $0 * 1000) } ?? .null
      }
      return [
        "request_count": JSONValue(all.count), "success_count": JSONValue(good),
        "failure_count": JSONValue(failed), "success_rate": rate,
        "total_tokens": JSONValue(all.tokens),
        "cost_usd": .usd(all.costMicroUSD), "latency_p50_ms": milliseconds(500),
        "latency_p95_ms": milliseconds(950),
        "statuses": .object(
          statuses.sorted { $0.key < $1.key }.map { .init($0.key, JSONValue($0.value)) }),
      ]
    }
  }

  // MARK: Parts

  /// The views of requests, which only a gateway that runs keeps.
  var views: ViewKeeper {
    get throws {
      guard let keeper else { throw APIFault(.gatewayNotRunning) }
      return keeper
    }
  }

  /// A time of the query: RFC 3339, or so long ago as in `-15m`; nil if it is not there.
  func time(_ name: String, _ call: AdminCall) throws -> UnixNanoseconds? {
    guard let text = call.query[name] else { return nil }
    if let time = parseRFC3339(text) { return time }
    if text.hasPrefix("-"), let duration = parseDuration(text), duration <= 0 {
      return UnixNanoseconds(edge.now().rawValue + duration)
    }
    throw APIFault(
      .invalidField, "The parameter \(name) is no time.", field: name,
      remedy:
        "Send an RFC 3339 time like 2026-11-20T14:00:00Z (a + as %2B), or -15m for a time ago.",
      details: [.init("value", JSONValue(Refusal.bounded(text)))])
  }
}

extension Int64 {
  fileprivate var minutes: Int64 {
    let minute: Int64 = 60_000_000_000
    return self >= 0 ? self / minute : (self - (minute - 1)) / minute
  }

  fileprivate func hours(roundedUp: Bool) -> Int64 {
    let hour: Int64 = 3_600_000_000_000
    let floor = self >= 0 ? self / hour : (self - (hour - 1)) / hour
    return roundedUp && floor * hour != self ? floor + 1 : floor
  }
}

extension JSONValue {
  /// US dollars from millionths, exact.
  static func usd(_ micro: Int64) -> JSONValue { JSONValue(millionths: UInt64(clamping: micro)) }

  /// A map from names to sums; a name that comes twice is added up.
  fileprivate static func counts(_ counts: [(String, Int)]) -> JSONValue {
    let sums = Dictionary(counts, uniquingKeysWith: +)
    return .object(sums.sorted { $0.key < $1.key }.map { .init($0.key, JSONValue($0.value)) })
  }
}

/// Sums by everything that 9router's page shows them by.
private struct UsageGroups {
  struct Group {
    var totals = UsageTotals()
    var members: [JSONValue.Member]
  }

  var providers: [String: Group] = [:]
  var models: [String: Group] = [:]
  var accounts: [String: Group] = [:]
  var keys: [String: Group] = [:]
  var endpoints: [String: Group] = [:]

  private struct Name: Hashable {
    var provider: ProviderID
    var name: String

    init(_ account: Account) { (provider, name) = (account.provider, account.name) }
  }

  /// How many accounts have, or had, a name.
  private var names: [Name: Int] = [:]

  init(_ state: ControlState) {
    for account in [state.accounts, state.removedAccounts].joined() {
      names[Name(account.value), default: 0] += 1
    }
  }

  mutating func add(_ series: UsageSeries, _ totals: UsageTotals, _ state: ControlState) {
    switch series {
    case .operation(let operation, let resolved):
      let (provider, model) = Self.parts(resolved)
      if let provider, let model {
        Self.add(totals, to: &providers, provider, [])
        Self.add(
          totals, to: &models, "\(model) (\(provider))", Self.members(provider, model))
      }
      guard let operation else { return }
      Self.add(
        totals, to: &endpoints, "\(operation.name)|\(model ?? "-")|\(provider ?? "-")",
        Self.members(provider, model) + [.init("endpoint", JSONValue(operation.name))])
    case .account(let id, let resolved):
      let account = state.accounts[id] ?? state.removedAccounts[id]
      let (told, model) = Self.parts(resolved)
      let provider = told ?? account?.provider.rawValue
      // Who is gone may have left the name to another.
      let isAlone =
        state.accounts[id] != nil || account.map { names[Name($0), default: 0] < 2 } ?? true
      let name = account?.name ?? id.rawValue
      Self.add(
        totals, to: &accounts,
        "\(model ?? "-") (\(provider ?? "-") - \(isAlone ? name : id.rawValue))",
        Self.members(provider, model) + [
          .init("connectionId", JSONValue(id.rawValue)), .init("accountName", JSONValue(name)),
        ])
    case .key(let id, let resolved):
      // What never got as far as a model counts too: denials above all.
      let (provider, model) = Self.parts(resolved)
      Self.add(
        totals, to: &keys, "\(id.rawValue)|\(model ?? "-")|\(provider ?? "-")",
        Self.members(provider, model) + [
          .init("keyId", JSONValue(id.rawValue)), .init("keyName", JSONValue(state.keys[id]?.name)),
          .init("organisation", JSONValue(state.keys[id]?.organisation.rawValue)),
        ])
    }
  }

  private static func members(_ provider: String?, _ model: String?) -> [JSONValue.Member] {
    [.init("rawModel", JSONValue(model)), .init("provider", JSONValue(provider))]
  }

  private static func add(
    _ totals: UsageTotals, to groups: inout [String: Group], _ name: String,
    _ members: [JSONValue.Member]
  ) {
    groups[name, default: Group(members: members)].totals.add(totals)
  }

  /// `provider/model`, where the model may hold slashes of its own.
  private static func parts(_ resolved: String?) -> (String?, String?) {
    guard let resolved, let slash = resolved.firstIndex(of: "/") else { return (nil, resolved) }
    return (String(resolved[..<slash]), String(resolved[resolved.index(after: slash)...]))
  }

  func json(_ groups: [String: Group]) -> JSONValue {
    .object(
      groups.sorted { $0.key < $1.key }.map { name, group in
        .init(
          name,
          .object(
            AdminService.sums(group.totals) + [
              .init("failed", JSONValue(group.totals.failed)),
              .init(
                "lastUsed",
                group.totals.lastAt == .min
                  ? .null : JSONValue(UnixNanoseconds(group.totals.lastAt))),
            ] + group.members))
      })
  }
}
