import Domain
import Testing

private let id = RequestID(1)

private func dispatched(_ id: RequestID) -> Event {
  .request(
    .dispatched(
      .init(
        id: id, clientRequestID: nil, organisation: nil, key: nil, operation: .chatCompletions,
        modelAsked: "m1", receivedAt: second(1), account: nil)))
}

private func finished(_ id: RequestID, _ ending: Ending) -> Event {
  .request(
    .finished(
      .init(
        id: id, clientRequestID: nil, organisation: nil, key: nil, remoteAddress: "",
        operation: .chatCompletions, modelAsked: "m1", modelResolved: nil, isStream: false,
        receivedAt: second(1), attempts: [], status: 200, ending: ending, errorCode: nil,
        errorClass: nil, usage: .notReported, requestBytes: 0, responseBytes: 0,
        queueMicroseconds: 0, firstByteMicroseconds: nil, totalMicroseconds: 1)))
}

private func interrupted(_ id: RequestID, at position: UInt64) -> Event {
  .request(
    .interrupted(
      .init(id: id, clientRequestID: nil, organisation: nil, key: nil, dispatchedAt: position)))
}

private func deliveryFailed(_ id: RequestID) -> Event {
  .request(.deliveryFailed(.init(id: id, errorCode: "client_hung_up")))
}

private func story(_ events: [Event]) -> RequestStory {
  var story = RequestStory(id: id)
  for record in recorded(events) { story.apply(record) }
  return story
}

@Test("a story ends as the log says")
func tellsOutcome() {
  let rows: [([Event], RequestStory.Outcome)] = [
    ([], .unknown),
    ([dispatched(RequestID(2)), finished(RequestID(2), .completed)], .unknown),
    ([dispatched(id)], .inFlight),
    ([dispatched(id), finished(id, .completed)], .ended(.completed)),
    ([finished(id, .denied)], .ended(.denied)),
    ([dispatched(id), interrupted(id, at: 1)], .interrupted),
    ([finished(id, .completed), deliveryFailed(id)], .deliveryFailed),
    ([dispatched(id), deliveryFailed(RequestID(2))], .inFlight),
  ]
  for (events, outcome) in rows {
    #expect(story(events).outcome == outcome)
    #expect(story(events).surplus == 0)
  }
}

@Test("a story keeps the first of each kind with its place, and counts the rest")
func keepsFirst() {
  let story = story([
    dispatched(id), .settings(.adminPasswordSet), finished(id, .completed), finished(id, .failed),
    dispatched(id),
  ])
  #expect(story.dispatched?.position == 1)
  #expect(story.finished?.position == 3)
  #expect(story.finished?.time == second(3))
  #expect(story.finished?.fact.ending == .completed)
  #expect(story.surplus == 2)
}

@Test("in flight is what was dispatched and has no end")
func findsOpenRequests() {
  var inFlight = InFlight()
  let events = [
    dispatched(RequestID(1)), dispatched(RequestID(2)), dispatched(RequestID(3)),
    finished(RequestID(1), .completed), interrupted(RequestID(3), at: 3),
    finished(RequestID(4), .denied), dispatched(RequestID(5)), dispatched(RequestID(2)),
    deliveryFailed(RequestID(5)), .settings(.adminPasswordSet),
  ]
  for record in recorded(events) { inFlight.apply(record) }
  #expect(Set(inFlight.open.keys) == [RequestID(2), RequestID(5)])
  #expect(inFlight.inOrder.map(\.position) == [2, 7])
  #expect(inFlight.open[RequestID(2)]?.dispatched.id == RequestID(2))
}
