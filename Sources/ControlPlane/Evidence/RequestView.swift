import Domain
import Surface

/// Requests as answers show them.
struct RequestView: Sendable {
  /// How much the reader may see.
  enum Detail: Sendable {
    case everything
    /// Which account served, and by which snapshot, is for administrators and keys with diagnostics.
    case withoutAccounts
  }

  let state: ControlState
  let detail: Detail

  /// Everything the log has of a request.
  func members(_ entry: RequestLog.Entry) -> [JSONValue.Member] {
    let story = entry.story
    let finished = story.finished?.fact
    let dispatched = story.dispatched?.fact
    let id = uuidText(story.id.rawValue)
    let clientID =
      finished?.clientRequestID ?? dispatched?.clientRequestID
      ?? story.interrupted?.fact.clientRequestID
    let organisation = entry.organisation.map(\.rawValue)
    let key = (finished?.key ?? dispatched?.key ?? story.interrupted?.fact.key).map(\.rawValue)
    var members: [JSONValue.Member] = [
      JSONValue.Member("request_id", JSONValue(clientID ?? id)),
      JSONValue.Member("requestId", JSONValue(id)),
      JSONValue.Member("clientRequestId", JSONValue(clientID)),
      JSONValue.Member("organisation", JSONValue(organisation)),
      JSONValue.Member("organization_id", JSONValue(organisation)),
      JSONValue.Member("keyId", JSONValue(key)),
      JSONValue.Member("outcome", JSONValue(Self.name(story.outcome))),
      JSONValue.Member(
        "operation", JSONValue((finished?.operation ?? dispatched?.operation)?.name)),
      JSONValue.Member(
        "modelAsked", JSONValue(finished?.modelAsked ?? dispatched?.modelAsked)),
      JSONValue.Member("modelResolved", JSONValue(finished?.modelResolved)),
      JSONValue.Member("receivedAt", JSONValue(entry.receivedAt)),
    ]
    if let finished { members += self.members(finished) }
    if detail == .everything, finished == nil {
      members.append(
        JSONValue.Member("account", JSONValue(dispatched?.account.map(\.rawValue))))
    }
    if let failed = story.deliveryFailed {
      members.append(
        JSONValue.Member("deliveryErrorCode", JSONValue(failed.fact.errorCode)))
    }
    members.append(JSONValue.Member("positions", positions(entry)))
    return members
  }

  /// One row of the list of recent requests.
  func row(_ entry: RequestLog.Entry) -> JSONValue {
    let finished = entry.story.finished?.fact
    let dispatched = entry.story.dispatched?.fact
    let account = finished?.attempts.last?.account ?? dispatched?.account
    return [
      "requestId": JSONValue(uuidText(entry.story.id.rawValue)),
      "timestamp": JSONValue(entry.receivedAt),
      "model": JSONValue(finished?.modelAsked ?? dispatched?.modelAsked),
      "modelResolved": JSONValue(finished?.modelResolved),
      "provider": JSONValue(provider(account)),
      "accountId": JSONValue(account.map(\.rawValue)), "account": JSONValue(name(account)),
      "organisation": JSONValue(entry.organisation.map(\.rawValue)),
      "keyId": JSONValue((finished?.key ?? dispatched?.key).map(\.rawValue)),
      "tokensInput": JSONValue(finished?.usage.input),
      "tokensOutput": JSONValue(finished?.usage.output),
      "status": JSONValue(finished?.status), "outcome": JSONValue(Self.name(entry.story.outcome)),
      "errorCode": JSONValue(finished?.errorCode),
      "totalMicroseconds": JSONValue(finished?.totalMicroseconds),
      "position": JSONValue(entry.place(entry.last)),
    ]
  }

  /// `20-11-2026 20:53:39Z | model | PROVIDER | account | in | out | status`, as 9router writes it,
  /// but in UTC and saying so.
  func line(_ entry: RequestLog.Entry) -> String {
    let finished = entry.story.finished?.fact
    let dispatched = entry.story.dispatched?.fact
    let account = finished?.attempts.last?.account ?? dispatched?.account
    let fields = [
      entry.receivedAt.map { Self.dayFirst($0) } ?? "-",
      finished?.modelAsked ?? dispatched?.modelAsked ?? "-",
      provider(account)?.uppercased() ?? "-", name(account) ?? "-",
      finished?.usage.input.map { String($0) } ?? "-",
      finished?.usage.output.map { String($0) } ?? "-", Self.status(entry.story),
    ]
    return fields.map { Self.oneLine($0) }.joined(separator: " | ")
  }

  // MARK: Parts

  private func members(_ it: RequestEvent.Finished) -> [JSONValue.Member] {
    var members: [JSONValue.Member] = [
      JSONValue.Member("stream", JSONValue(it.isStream)),
      JSONValue.Member("status", JSONValue(it.status)),
      JSONValue.Member("errorCode", JSONValue(it.errorCode)),
      JSONValue.Member("errorClass", JSONValue(it.errorClass?.name)),
      JSONValue.Member(
        "tokens",
        [
          "input": JSONValue(it.usage.input), "output": JSONValue(it.usage.output),
          "cached": JSONValue(it.usage.cached), "reasoning": JSONValue(it.usage.reasoning),
        ]),
      JSONValue.Member("tokens_input", JSONValue(it.usage.input)),
      JSONValue.Member("tokens_output", JSONValue(it.usage.output)),
      JSONValue.Member("costMicroUsd", JSONValue(it.costMicroUSD)),
      JSONValue.Member("traceId", JSONValue(hexText(it.trace?.trace ?? it.id.rawValue))),
      JSONValue.Member("spanId", JSONValue(hexText(it.id.span(0)))),
      JSONValue.Member("requestBytes", JSONValue(it.requestBytes)),
      JSONValue.Member("responseBytes", JSONValue(it.responseBytes)),
      JSONValue.Member(
        "timings",
        [
          "queueMicroseconds": JSONValue(it.queueMicroseconds),
          "firstByteMicroseconds": JSONValue(it.firstByteMicroseconds),
          "totalMicroseconds": JSONValue(it.totalMicroseconds),
        ]),
      JSONValue.Member("latency_ms", JSONValue(it.totalMicroseconds / 1000)),
      JSONValue.Member("retry_count", JSONValue(max(0, it.attempts.count - 1))),
      JSONValue.Member("attempts", .array(it.attempts.map { attempt($0) })),
    ]
    if detail == .everything {
      members.append(JSONValue.Member("remoteAddress", JSONValue(it.remoteAddress)))
      members.append(
        JSONValue.Member("backend_id", JSONValue(it.attempts.last?.account.rawValue)))
    }
    return members
  }

  private func attempt(_ it: Attempt) -> JSONValue {
    var members: [JSONValue.Member] = []
    if detail == .everything {
      members = [
        JSONValue.Member("account", JSONValue(it.account.rawValue)),
        JSONValue.Member("accountName", JSONValue(name(it.account))),
        JSONValue.Member("provider", JSONValue(provider(it.account))),
        JSONValue.Member("rule", JSONValue(it.rule.name)),
        JSONValue.Member("snapshot", JSONValue(it.snapshot)),
        // As text: 64 bits do not survive a reader that takes numbers for doubles.
        JSONValue.Member("seed", JSONValue(String(it.seed))),
      ]
    }
    members += [
      JSONValue.Member("at", JSONValue(it.now)),
      JSONValue.Member("status", JSONValue(it.status)),
      JSONValue.Member("errorClass", JSONValue(it.errorClass?.name)),
      JSONValue.Member("errorCode", JSONValue(it.errorCode)),
      JSONValue.Member("connectMicroseconds", JSONValue(it.connectMicroseconds)),
      JSONValue.Member("firstByteMicroseconds", JSONValue(it.firstByteMicroseconds)),
      JSONValue.Member("totalMicroseconds", JSONValue(it.totalMicroseconds)),
    ]
    return .object(members)
  }

  private func positions(_ entry: RequestLog.Entry) -> JSONValue {
    let story = entry.story
    let places: [(String, UInt64?)] = [
      ("dispatched", story.dispatched?.position), ("finished", story.finished?.position),
      ("interrupted", story.interrupted?.position),
      ("deliveryFailed", story.deliveryFailed?.position),
    ]
    return .object(
      places.compactMap { name, position in
        position.map { JSONValue.Member(name, JSONValue(entry.place($0))) }
      })
  }

  func name(_ account: AccountID?) -> String? {
    account.flatMap { state.accounts[$0] ?? state.removedAccounts[$0] }?.name
  }

  func provider(_ account: AccountID?) -> String? {
    account.flatMap { state.accounts[$0] ?? state.removedAccounts[$0] }?.provider.rawValue
  }

  /// Outcomes by the names that answers show.
  static let outcomes: [String: RequestStory.Outcome] = Dictionary(
    uniqueKeysWithValues: ([.inFlight, .deliveryFailed, .interrupted]
      + Ending.allCases.map { .ended($0) }).map { (name($0), $0) })

  private static func name(_ outcome: RequestStory.Outcome) -> String {
    switch outcome {
    case .unknown: "unknown"
    case .inFlight: "in_flight"
    case .ended(let ending): ending.name
    case .deliveryFailed: "delivery_failed"
    case .interrupted: "interrupted"
    }
  }

  private static func status(_ story: RequestStory) -> String {
    switch story.outcome {
    case .unknown, .inFlight: return "PENDING"
    case .interrupted: return "FAILED interrupted"
    case .deliveryFailed: return "FAILED delivery"
    case .ended(let ending):
      let status = story.finished?.fact.status ?? 0
      return ending == .completed && (200..<300).contains(status)
        ? "\(status) OK" : "FAILED \(status)"
    }
  }

  private static func dayFirst(_ time: UnixNanoseconds) -> String {
    let text = rfc3339(time)
    let date = text.prefix(10).split(separator: "-").reversed().joined(separator: "-")
    return "\(date) \(text.dropFirst(11).prefix(8))Z"
  }

  /// What a client wrote must not look like another field or line.
  private static func oneLine(_ text: String) -> String {
    String(
      String.UnicodeScalarView(
        text.unicodeScalars.map { scalar in
          scalar.value < 0x20 || scalar.value == 0x7F || scalar == "|" ? "?" : scalar
        }))
  }
}
