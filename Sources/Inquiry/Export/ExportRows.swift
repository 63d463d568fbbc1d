import Domain
import EventStore

extension ExportTable {
  /// The row of a request's end; nil: the event is none.
  static func request(_ entry: Entry, _ state: ControlState) -> [ExportValue]? {
    guard case .request(let event) = entry.event else { return nil }
    switch event {
    case .finished(let it): return moment(entry) + finished(it, state)
    case .interrupted(let it): return moment(entry) + interrupted(it, state)
    case .dispatched, .deliveryFailed, .deniedSummary: return nil
    }
  }

  private static func moment(_ entry: Entry) -> [ExportValue] {
    [
      .number(entry.stored.position.rawValue), .number(entry.stored.epoch.rawValue),
      .text(rfc3339(entry.time)), .number(entry.stored.time),
    ]
  }

  private static func who(
    _ client: String?, _ organisation: OrganisationID?, _ key: KeyID?, _ state: ControlState
  ) -> [ExportValue] {
    [
      .text(client), .text(organisation?.rawValue), .text(key?.rawValue),
      .text(key.flatMap { state.keys[$0]?.name }),
    ]
  }

  private static func finished(
    _ it: RequestEvent.Finished, _ state: ControlState
  ) -> [ExportValue] {
    let account = it.attempts.last?.account
    let provider =
      account.flatMap { state.accounts[$0] ?? state.removedAccounts[$0] }?.provider.rawValue
      ?? it.modelResolved.flatMap { $0.split(separator: "/").first.map(String.init) }
    return [.text(uuidText(it.id.rawValue))]
      + who(it.clientRequestID, it.organisation, it.key, state)
      + [
        .text(it.remoteAddress.isEmpty ? nil : it.remoteAddress), .text(it.operation.name),
        .text(it.modelAsked), .text(it.modelResolved), .text(provider),
        .text(account?.rawValue), .text(account.map { EventLine.name($0, state) }),
        .number(UInt64(it.attempts.count)), .number(it.isStream ? 1 : 0),
        .number(UInt64(it.status)), .text(it.ending.name), .text(it.errorCode),
        .text(it.errorClass?.name), .number(it.usage.input), .number(it.usage.output),
        .number(it.usage.cached), .number(it.usage.reasoning), .number(it.usage.cacheCreation),
        .number(it.priceVersion), .number(it.costMicroUSD), .number(it.requestBytes),
        .number(it.responseBytes), .text(rfc3339(it.receivedAt)), .number(it.queueMicroseconds),
        .number(it.firstByteMicroseconds), .number(it.totalMicroseconds),
      ]
  }

  private static func interrupted(
    _ it: RequestEvent.Interrupted, _ state: ControlState
  ) -> [ExportValue] {
    var row =
      [.text(uuidText(it.id.rawValue))] + who(it.clientRequestID, it.organisation, it.key, state)
    let columns = ExportTable.requests.columns
    // Nobody knows how it ended.
    for column in columns[(4 + row.count)...] {
      switch column.name {
      case "ending": row.append(.text("interrupted"))
      case "received_at": row.append(.text(it.charge.map { rfc3339($0.receivedAt) }))
      default: row.append(.none)
      }
    }
    return row
  }

  /// The rows of a request's upstream calls.
  static func attempts(_ entry: Entry, _ state: ControlState) -> [[ExportValue]] {
    guard case .request(.finished(let it)) = entry.event else { return [] }
    return it.attempts.enumerated().map { index, attempt in
      [
        .number(entry.stored.position.rawValue), .number(UInt64(index + 1)),
        .text(uuidText(it.id.rawValue)), .text(attempt.account.rawValue),
        .text(EventLine.name(attempt.account, state)), .text(attempt.rule.name),
        .number(attempt.snapshot), .text(rfc3339(attempt.now)), .text(attempt.upstreamModel),
        .number(attempt.status.map(UInt64.init)), .text(attempt.errorCode),
        .text(attempt.errorClass?.name), .number(attempt.connectMicroseconds),
        .number(attempt.firstByteMicroseconds), .number(attempt.totalMicroseconds),
      ]
    }
  }

  /// The row of any event.
  ///
  /// - Parameter before: the configuration just before it.
  static func event(_ entry: Entry, before: ControlState) -> [ExportValue] {
    let stored = entry.stored
    let provenance = entry.recorded.flatMap { $0.event == nil ? nil : $0.provenance }
    var request: RequestID?
    if case .request(let event) = entry.event { request = event.requestID }
    return moment(entry) + [
      .text(uuidText(stored.id.rawValue)), .text(stored.stream),
      .number(stored.revision.rawValue), .text(stored.kind), .text(provenance?.actor),
      .text(provenance?.source.name), .text(provenance?.address),
      .text(provenance?.cause.map(uuidText)), .text(provenance?.correlation.map(uuidText)),
      .text(request.map { uuidText($0.rawValue) }), .text(EventLine.text(entry, before: before)),
      .text(entry.event.map { JSONTree.object(EventFields.members($0)).line }),
    ]
  }
}
