import Domain
import Testing

private let now = UnixNanoseconds(1_795_208_019_000_000_000)
private let mark = IdempotencyMark(key: 7, body: 8)

private func at(_ seconds: Int64) -> UnixNanoseconds {
  UnixNanoseconds(now.rawValue + seconds * 1_000_000_000)
}

private func dispatched(_ id: UInt128, _ seconds: Int64, _ mark: IdempotencyMark = mark) -> Event {
  .request(
    .dispatched(
      .init(
        id: RequestID(id), clientRequestID: nil, organisation: nil, key: nil,
        operation: .chatCompletions, modelAsked: "m", receivedAt: at(seconds), account: nil,
        idempotency: mark)))
}

private func finished(
  _ id: UInt128, _ seconds: Int64, _ ending: Ending, _ mark: IdempotencyMark = mark
) throws -> Event {
  guard case .request(.finished(var fact)) = try #require(WireKind.sample("request.finished.v1"))
  else { throw CancellationError() }
  fact.id = RequestID(id)
  fact.receivedAt = at(seconds)
  fact.ending = ending
  fact.idempotency = mark
  return .request(.finished(fact))
}

@Test("a key stands for the newest request of a day that brought an answer or may have")
func findsIdempotentRequests() throws {
  let rows: [([Event], UInt128?)] = [
    ([], nil),
    // Interrupted: nobody knows.
    ([dispatched(1, -100)], 1),
    // Of this life: not the log's to tell.
    ([dispatched(1, -5)], nil),
    ([dispatched(1, -100), try finished(1, -100, .completed)], 1),
    ([dispatched(1, -5), try finished(1, -5, .completed)], 1),
    ([dispatched(1, -100), try finished(1, -100, .clientHungUp)], 1),
    ([dispatched(1, -100), try finished(1, -100, .failed)], nil),
    ([dispatched(1, -100), try finished(1, -100, .denied)], nil),
    (
      [
        dispatched(1, -100), try finished(1, -100, .failed), dispatched(2, -90),
        try finished(2, -90, .completed),
      ], 2
    ),
    ([try finished(1, -86_399, .completed)], 1),
    ([try finished(1, -86_400, .completed)], nil),
    // Two keys that share a lookup key are told apart.
    ([try finished(1, -100, .completed, IdempotencyMark(key: 9, body: 8))], nil),
  ]
  for (index, row) in rows.enumerated() {
    let events = row.0.enumerated().map { place, event in
      Recorded(
        position: UInt64(place + 1), time: now, kind: event.kind, provenance: .system,
        content: .event(event))
    }
    let found = IdempotentRequest(of: 7, in: events, now: now, start: at(-10))
    #expect(found?.id == row.1.map { RequestID($0) }, "row \(index)")
    #expect(found == nil || found?.body == 8)
  }
}
