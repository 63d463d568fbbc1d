import Domain
public import EventStore

extension GapEvents {
  /// The gateway's own `gap_opened` and `gap_closed`; what is counted is requests.
  ///
  /// Every opening of a gateway's log that lets requests be recorded needs them.
  public static func gateway(edge: Edge = .system) -> GapEvents {
    @Sendable func draft(_ event: GatewayEvent, _ time: Int64) -> EventDraft {
      let event = Event.gateway(event)
      return EventDraft(
        id: EventID(edge.mintID()), stream: event.stream, kind: event.kind, time: time,
        lookupKeys: event.lookupKeys, payload: encode(event, .system))
    }
    return GapEvents(
      opened: { draft(.gapOpened(.init(reason: "full")), $0) },
      closed: { opened, count, time in
        draft(.gapClosed(.init(opened: opened.rawValue, count: count)), time)
      })
  }
}
