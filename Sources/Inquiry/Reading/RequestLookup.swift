import Domain
import EventStore

/// Finds a request's events by the gateway's id or the client's own.
enum RequestLookup {
  /// Requests of one client id that are looked at; a client may repeat its id without end.
  private static let repeatsMax = 1_000

  /// Positions of every event of the requests that go by this id, ascending.
  ///
  /// Of a client id, the newest 1,000 events that carry it are followed to their requests.
  static func positions(of id: String, in log: LogReader) throws(InquiryFault) -> [Position] {
    var found: Set<Position> = []
    if let gateway = parseUUID(id) {
      found.formUnion(try positions(forKey: RequestID(gateway).lookupKey, in: log))
    }
    let named = try positions(forKey: lookupKey(clientRequestID: id), in: log)
    found.formUnion(named)
    var seen: Set<RequestID> = []
    for position in named.suffix(repeatsMax) {
      let stored = try reading { () throws(StoreError) in try log.event(at: position) }
      guard let stored, case .request(let event) = Entry(stored).event,
        let request = event.requestID, seen.insert(request).inserted
      else { continue }
      // Events that carry only the gateway's id, as `delivery_failed` does.
      found.formUnion(try positions(forKey: request.lookupKey, in: log))
    }
    return found.sorted()
  }

  private static func positions(
    forKey key: [UInt8], in log: LogReader
  ) throws(InquiryFault) -> [Position] {
    try reading { () throws(StoreError) in try log.positions(forKey: key) }
  }
}

extension RequestEvent {
  /// Whose life the fact belongs to; nil for a summary of many.
  var requestID: RequestID? {
    switch self {
    case .dispatched(let it): it.id
    case .finished(let it): it.id
    case .interrupted(let it): it.id
    case .deliveryFailed(let it): it.id
    case .deniedSummary: nil
    }
  }
}
