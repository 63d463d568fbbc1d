import Domain
import EventStore

/// Finds a request's events by the gateway's id or the client's own.
enum RequestLookup {
  /// Positions of every event that carries this id, ascending.
  static func positions(of id: String, in log: LogReader) throws(InquiryFault) -> [Position] {
    var found: Set<Position> = []
    if let gateway = parseUUID(id) {
      let key = RequestID(gateway).lookupKey
      found.formUnion(
        try reading { () throws(StoreError) in try log.positions(forKey: key) })
    }
    let key = lookupKey(clientRequestID: id)
    found.formUnion(try reading { () throws(StoreError) in try log.positions(forKey: key) })
    return found.sorted()
  }
}
