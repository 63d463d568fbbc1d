public import Domain
import EventStore

/// Which events are asked for; nil fields match everything.
public struct EventFilter: Sendable, Hashable {
  /// A wire kind or its beginning up to a dot: `request`, `alias.set`, `alias.set.v1`.
  public var kind: String?
  /// A stream's name, whole.
  public var stream: String?
  /// Who caused it.
  public var actor: String?
  /// The gateway's or a client's id of a request, or the id of the request that a change came with.
  public var request: String?
  /// Only events of this time or later, by the author's clock.
  public var from: UnixNanoseconds?
  /// Only events before this time.
  public var to: UnixNanoseconds?

  /// Matches everything that is not narrowed.
  public init(
    kind: String? = nil, stream: String? = nil, actor: String? = nil, request: String? = nil,
    from: UnixNanoseconds? = nil, to: UnixNanoseconds? = nil
  ) {
    self.kind = kind.map { $0.hasSuffix(".") ? String($0.dropLast()) : $0 }
    self.stream = stream
    self.actor = actor
    self.request = request
    self.from = from
    self.to = to
  }

  /// The filter made ready to be asked of many events.
  struct Test {
    private let kind: [UInt8]?
    private let stream: [UInt8]?
    private let actor: String?
    private let requestKeys: [[UInt8]]
    private let correlation: UInt128?
    private let from: Int64
    private let to: Int64?

    init(_ filter: EventFilter) {
      kind = filter.kind.map { Array($0.utf8) }
      stream = filter.stream.map { Array($0.utf8) }
      actor = filter.actor
      let id = filter.request.flatMap { parseUUID($0) }
      correlation = id
      requestKeys =
        filter.request.map { text in
          (id.map { [RequestID($0).lookupKey] } ?? []) + [lookupKey(clientRequestID: text)]
        } ?? []
      from = filter.from?.rawValue ?? .min
      to = filter.to?.rawValue
    }

    /// Whether an event that lies in its block is worth a closer look; nothing is decoded.
    func mayAdmit(_ event: borrowing EventView) -> Bool {
      mayAdmit(event.time, event.stream, event.kind)
    }

    func admits(_ event: StoredEvent) -> Bool {
      guard mayAdmit(event.time, Array(event.stream.utf8), Array(event.kind.utf8)) else {
        return false
      }
      if actor == nil, requestKeys.isEmpty { return true }
      let provenance = try? Provenance(ofPayload: event.payload)
      if let actor, !Self.isBy(actor, provenance?.actor) { return false }
      return requestKeys.isEmpty || (correlation != nil && provenance?.correlation == correlation)
        || event.lookupKeys.contains { requestKeys.contains($0) }
    }

    /// A peer is meant with whichever token it came.
    private static func isBy(_ wanted: String, _ actor: String?) -> Bool {
      guard let actor else { return false }
      return actor == wanted || wanted.hasPrefix("peer:") && actor.hasPrefix(wanted + " token:")
    }

    private func mayAdmit(
      _ time: Int64, _ name: some RandomAccessCollection<UInt8>,
      _ text: some RandomAccessCollection<UInt8>
    ) -> Bool {
      guard time >= from, to.map({ time < $0 }) ?? true else { return false }
      if let stream, !name.elementsEqual(stream) { return false }
      guard let kind else { return true }
      return text.starts(with: kind)
        && (text.count == kind.count || text.dropFirst(kind.count).first == UInt8(ascii: "."))
    }
  }
}
