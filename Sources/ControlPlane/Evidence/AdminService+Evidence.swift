import Domain
import EventStore
import HTTPTypes
import Inquiry
import Logging
import NIOCore
import Surface
import Views

/// `/v1/audit/requests/{id}` and `/api/usage/logs`: what the log says of requests.
extension AdminService {
  /// The newest request of this id, with the ids of the others; a foreign organisation's is not there.
  func auditRequest(_ call: AdminCall) async throws -> AdminAnswer {
    let id = try call.parameter("id")
    let log = RequestLog(reader: control.store.reader)
    var detail = RequestView.Detail.everything
    var organisation: OrganisationID?
    if case .key(let key) = call.caller {
      organisation = key.organisation
      if !key.diagnostics { detail = .withoutAccounts }
    }
    let (entries, hasMore) = try await reads.run { [organisation] in
      try log.find(id, of: organisation)
    }
    guard let newest = entries.first else { throw APIFault(.notFound) }
    let view = RequestView(state: control.state, detail: detail)
    var members = view.members(newest)
    members.append(JSONValue.Member("occurrences", JSONValue(entries.count)))
    members.append(JSONValue.Member("hasMore", JSONValue(hasMore)))
    members.append(
      JSONValue.Member(
        "others",
        .array(
          entries.dropFirst().prefix(100).map { other in
            [
              "requestId": JSONValue(uuidText(other.story.id.rawValue)),
              "receivedAt": JSONValue(other.receivedAt),
            ]
          })))
    if try call.query.bool("proof") == true {
      guard detail == .everything else {
        throw APIFault(
          .invalidField, "A proof shows which account served, and this key may not see that.",
          field: "proof",
          remedy: "Have `diagnostics` switched on for the key, or ask an administrator.")
      }
      members.append(JSONValue.Member("proof", JSONValue(try await proof(of: newest.story.id))))
    }
    return .json(.object(members))
  }

  /// The document that shows a request's events to be in the log, unchanged.
  ///
  /// What no checkpoint covers yet is signed first: once for what is durable by now, and the checkpoint makes what
  /// came before it so.
  private func proof(of id: RequestID) async throws -> String {
    let log = control.store.reader
    let target = "request:\(uuidText(id.rawValue))"
    for _ in 1...2 {
      let proof: Proof? = try await reads.run {
        do throws(InquiryFault) {
          return try Replay.prove(log, target, all: true)
        } catch {
          guard error.code == .notCovered else { throw error }
          return nil
        }
      }
      if let proof { return proof.text }
      do { _ = try await signer?.sign() } catch {
        logger.error(
          "a proof was asked for and no checkpoint could be signed", metadata: ["cause": "\(error)"]
        )
        throw APIFault(
          .logUnreadable, "Nothing signed vouches for this request, and nothing can be signed now.",
          remedy: "The gateway's log says why.")
      }
    }
    return try await reads.run { try Replay.prove(log, target, all: true).text }
  }

  /// The newest requests first; `limit` 1…1000, `format=text` for lines as 9router writes them.
  ///
  /// `complete` false: the look-back ended at `scannedTo` before `limit` requests were found; `next` goes on there.
  /// With `format=text` they are header fields.
  func usageLogs(_ call: AdminCall) async throws -> AdminAnswer {
    let format = try call.query.choice("format", of: ["json", "text"]) ?? "json"
    let (list, next) = try await list(try requestFilter(call), call, standard: 200)
    let view = RequestView(state: control.state, detail: .everything)
    if format == "text" {
      // A list of lines has no room for more; the head has.
      var answer = AdminAnswer.json(.array(list.entries.map { JSONValue(view.line($0)) }))
      answer.set(.complete, String(list.isComplete))
      answer.set(.scannedTo, list.scannedTo ?? "")
      if let next { answer.set(.next, next) }
      return answer
    }
    return .json(
      .object(
        [
          .init("logs", .array(list.entries.map { view.row($0) })),
          .init("complete", JSONValue(list.isComplete)),
          .init("scannedTo", JSONValue(list.scannedTo)),
        ] + Page.members(next: next)))
  }

  /// Where attempts went, by which rule, and what was refused for a limit; the newest requests first.
  ///
  /// A request's decisions stand together, the last first, so that a page may be longer than `limit`.
  func routingDecisions(_ call: AdminCall) async throws -> AdminAnswer {
    var filter = try requestFilter(call)
    let type = try call.query.choice("decision_type", of: RoutingDecisionRow.types)
    if type == "FAILOVER" { filter.isFailover = true }
    // Nothing else is refused for a limit; another outcome that is asked for has none of them.
    if type == "RATE_LIMIT", filter.outcome == nil { filter.outcome = .ended(.denied) }
    let (list, next) = try await list(filter, call, standard: 100)
    let view = RequestView(state: control.state, detail: .everything)
    let rows = list.entries.flatMap { entry in
      RoutingDecisionRow.rows(entry).filter { row in
        (type == nil || row.type == type)
          && filter.accounts.map { wanted in
            row.attempt.map { wanted.contains($0.account) } ?? false
          }
            ?? true
      }
    }
    return .json(
      .object(
        [
          .init("decisions", .array(rows.map { $0.json(view) })),
          .init("count", JSONValue(rows.count)), .init("complete", JSONValue(list.isComplete)),
          .init("scannedTo", JSONValue(list.scannedTo)),
        ] + Page.members(next: next)))
  }

  /// One page of requests, and the cursor of the next one.
  private func list(
    _ filter: RequestFilter, _ call: AdminCall, standard: Int
  ) async throws -> (list: RequestLog.List, next: String?) {
    let limit = try call.query.int("limit", in: 1...1000) ?? standard
    let page = try Page(call.query)
    let before: UInt64? =
      switch page.after?.parts.first {
      case .number(let position)?: UInt64(clamping: position)
      case .text?, nil: nil
      }
    let (log, marks) = (RequestLog(reader: control.store.reader), filter.marks)
    let keeper = keeper
    let list = try await reads.run {
      // Without marks every page counts, and without a keeper too: it only takes longer.
      if !marks.isEmpty, let reading = try? keeper?.upToDate() {
        do {
          return try log.list(filter, marks: marks, before: before, limit: limit, views: reading)
        } catch is ViewFault {}
      }
      return try log.list(filter, before: before, limit: limit)
    }
    return (list, list.next.map { Page.Key(.number(Int64(clamping: $0))).cursor })
  }

  /// Which requests the query asks for.
  func requestFilter(_ call: AdminCall) throws -> RequestFilter {
    let (query, state) = (call.query, control.state)
    var filter = RequestFilter()
    if let text = try Self.one(of: ["account", "backend_id"], query) {
      filter.accounts = [try Self.everKnown(account: text, state)]
    }
    if let text = try query.text("provider") {
      let provider = ProviderID(text)
      let ofProvider = [state.accounts, state.removedAccounts].flatMap { $0.values }
        .filter { $0.provider == provider }.map(\.id)
      guard !ofProvider.isEmpty || state.providers[provider] != nil else {
        throw APIFault(.unknownProvider, field: "provider")
      }
      filter.accounts = filter.accounts.map { $0.intersection(ofProvider) } ?? Set(ofProvider)
    }
    filter.model = try query.text("model")
    if let text = try query.text("key") { filter.key = try Self.everKnown(key: text, state) }
    filter.organisation =
      try Self.one(of: ["organisation", "organization", "organization_id"], query).map {
        OrganisationID($0)
      }
    if let text = query["status"] {
      do {
        filter.status = try WindowFilter.StatusRange(text).range
      } catch {
        throw APIFault(
          .invalidField, "The parameter status is no status.", field: "status",
          remedy: "Send a status like 404, or a class like 4xx.",
          details: [.init("value", JSONValue(Refusal.bounded(text)))])
      }
    }
    if let name = query["outcome"] { filter.outcome = RequestView.outcomes[name] }
    if let name = query["errorClass"] {
      filter.errorClass = ErrorClass.allCases.first { $0.name == name }
    }
    filter.since = try time("since", call)
    filter.until = try time("until", call)
    return filter
  }

  /// The parameter of which these are the names; two of them that differ are refused.
  private static func one(of names: [String], _ query: Query) throws -> String? {
    let given = try names.compactMap { name in try query.text(name).map { (name, $0) } }
    if let other = given.first(where: { $0.1 != given[0].1 }) {
      throw APIFault(
        .invalidField, "The parameters \(given[0].0) and \(other.0) mean the same and differ.",
        field: other.0, remedy: "Send one of them.",
        details: [.init("value", JSONValue(Refusal.bounded(other.1)))])
    }
    return given.first?.1
  }

  /// An account by id, or by name where only one ever had it; also one that was removed.
  private static func everKnown(account text: String, _ state: ControlState) throws -> AccountID {
    if state.removedAccounts[AccountID(text)] != nil { return AccountID(text) }
    do {
      return try account(text, state).id
    } catch let fault as APIFault where fault.code == .unknownAccount && fault.details.isEmpty {
      let named = state.removedAccounts.values.filter { $0.name == text }
      guard named.count == 1 else { throw fault }
      return named[0].id
    }
  }

  /// A key by id, or by name where only one has it.
  private static func everKnown(key text: String, _ state: ControlState) throws -> KeyID {
    if state.keys[KeyID(text)] != nil { return KeyID(text) }
    let named = state.keys.values.filter { $0.name == text }.sorted { $0.id < $1.id }
    guard named.count == 1 else {
      guard named.count > 1 else { throw APIFault(.unknownKey, field: "key") }
      throw APIFault(
        .unknownKey, "Several keys have this name.", field: "key", remedy: "Use one of the ids.",
        details: [
          .init("candidates", .array(named.prefix(100).map { JSONValue($0.id.rawValue) }))
        ])
    }
    return named[0].id
  }
}

/// One choice of an account, or a refusal before any.
private struct RoutingDecisionRow {
  static let types = ["PRIMARY", "FAILOVER", "OVERRIDE", "RATE_LIMIT", "NONE"]

  var entry: RequestLog.Entry
  var fact: RequestEvent.Finished
  /// nil: none was made.
  var attempt: Attempt?
  var number: Int

  /// The last first.
  static func rows(_ entry: RequestLog.Entry) -> [RoutingDecisionRow] {
    guard let fact = entry.story.finished?.fact else { return [] }
    if fact.attempts.isEmpty {
      return [RoutingDecisionRow(entry: entry, fact: fact, attempt: nil, number: 0)]
    }
    return fact.attempts.enumerated().reversed().map { number, attempt in
      RoutingDecisionRow(entry: entry, fact: fact, attempt: attempt, number: number + 1)
    }
  }

  /// As the API Router names it.
  var type: String {
    guard let attempt else {
      let isLimit =
        ["rate_limit_exceeded", "budget_exceeded", "quota_exceeded", "budget_reserved"]
        .contains(fact.errorCode)
      return isLimit ? "RATE_LIMIT" : "NONE"
    }
    if number > 1 { return "FAILOVER" }
    return attempt.rule == .owner ? "OVERRIDE" : "PRIMARY"
  }

  func json(_ view: RequestView) -> JSONValue {
    [
      "decision_id": JSONValue("\(uuidText(entry.story.id.rawValue))-\(number)"),
      "request_id": JSONValue(fact.clientRequestID ?? uuidText(entry.story.id.rawValue)),
      "requestId": JSONValue(uuidText(entry.story.id.rawValue)),
      "organization_id": JSONValue(fact.organisation?.rawValue),
      "model": JSONValue(fact.modelAsked), "model_resolved": JSONValue(fact.modelResolved),
      "backend_id": JSONValue(attempt?.account.rawValue),
      "backend": JSONValue(view.name(attempt?.account)),
      "provider": JSONValue(view.provider(attempt?.account)), "decision_type": JSONValue(type),
      "reason": JSONValue(attempt?.rule.name ?? fact.errorCode),
      "attempt_number": JSONValue(number), "policy_version": JSONValue(attempt?.snapshot),
      "timestamp": JSONValue(attempt?.now ?? fact.receivedAt),
      "status": JSONValue(attempt?.status), "error_class": JSONValue(attempt?.errorClass?.name),
      "error_code": JSONValue(attempt?.errorCode),
      "position": JSONValue(entry.place(entry.story.finished?.position ?? 0)),
    ]
  }
}
