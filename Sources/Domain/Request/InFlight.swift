/// Requests that were dispatched and whose end is not in the log yet.
public struct InFlight: Sendable, Hashable {
  /// By the gateway's id.
  public private(set) var open: [RequestID: Open]

  /// A request under way.
  public struct Open: Sendable, Hashable {
    /// That it went under way.
    public var dispatched: RequestEvent.Dispatched
    /// Position of the `dispatched` event.
    public var position: UInt64

    /// Made of its parts.
    public init(dispatched: RequestEvent.Dispatched, position: UInt64) {
      self.dispatched = dispatched
      self.position = position
    }
  }

  /// Made of its parts.
  public init() { open = [:] }

  /// In the order of the log.
  public var inOrder: [Open] { open.values.sorted { $0.position < $1.position } }

  /// Takes in the next event of the log; only requests' events matter.
  public mutating func apply(_ recorded: Recorded) {
    guard case .event(.request(let event)) = recorded.content else { return }
    switch event {
    case .dispatched(let fact): begin(Open(dispatched: fact, position: recorded.position))
    case .finished(let fact): end(fact.id)
    case .interrupted(let fact): end(fact.id)
    case .deliveryFailed, .deniedSummary: break
    }
  }

  /// The first one counts: a second would not make the request any younger.
  mutating func begin(_ request: Open) {
    if open[request.dispatched.id] == nil { open[request.dispatched.id] = request }
  }

  /// Takes in a request's end, by its id alone.
  public mutating func end(_ id: RequestID) {
    // Most requests end before a sweep finds them under way.
    if !open.isEmpty { open[id] = nil }
  }
}
