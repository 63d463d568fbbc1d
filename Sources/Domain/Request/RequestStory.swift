/// A fact with its place and time in the log.
public struct Placed<Fact: Sendable & Hashable>: Sendable, Hashable {
  /// Place in the log, from 1.
  public var position: UInt64
  /// The author's clock.
  public var time: UnixNanoseconds
  /// The fact itself.
  public var fact: Fact

  /// Made of its parts.
  public init(position: UInt64, time: UnixNanoseconds, fact: Fact) {
    self.position = position
    self.time = time
    self.fact = fact
  }
}

/// One request's life as the log tells it.
public struct RequestStory: Sendable, Hashable {
  /// Whose story it is.
  public let id: RequestID
  /// That it went under way.
  public private(set) var dispatched: Placed<RequestEvent.Dispatched>?
  /// How it went.
  public private(set) var finished: Placed<RequestEvent.Finished>?
  /// That it was found without end at recovery.
  public private(set) var interrupted: Placed<RequestEvent.Interrupted>?
  /// That its withheld end could not be sent.
  public private(set) var deliveryFailed: Placed<RequestEvent.DeliveryFailed>?
  /// Events that contradict "each at most once"; 0 in a sound log.
  ///
  /// The first of a kind is kept.
  public private(set) var surplus: UInt64

  /// Made of its parts.
  public init(id: RequestID) {
    self.id = id
    surplus = 0
  }

  /// How far the request got.
  public enum Outcome: Sendable, Hashable {
    /// No event of this request was seen.
    case unknown
    case inFlight
    case ended(Ending)
    /// Recorded as completed, and then its end could not be sent.
    case deliveryFailed
    case interrupted
  }

  /// How far the request got, by the facts taken in so far.
  public var outcome: Outcome {
    if deliveryFailed != nil {
      .deliveryFailed
    } else if let finished {
      .ended(finished.fact.ending)
    } else if interrupted != nil {
      .interrupted
    } else if dispatched != nil {
      .inFlight
    } else {
      .unknown
    }
  }

  /// Takes in the next event of the log; those of other requests change nothing.
  public mutating func apply(_ recorded: Recorded) {
    guard case .event(.request(let event)) = recorded.content else { return }
    switch event {
    case .dispatched(let fact):
      if fact.id == id { surplus += Self.keep(fact, recorded, &dispatched) }
    case .finished(let fact):
      if fact.id == id { surplus += Self.keep(fact, recorded, &finished) }
    case .interrupted(let fact):
      if fact.id == id { surplus += Self.keep(fact, recorded, &interrupted) }
    case .deliveryFailed(let fact):
      if fact.id == id { surplus += Self.keep(fact, recorded, &deliveryFailed) }
    case .deniedSummary: break
    }
  }

  /// Keeps the first; returns 1 for any further one.
  private static func keep<Fact>(
    _ fact: Fact, _ recorded: Recorded, _ place: inout Placed<Fact>?
  ) -> UInt64 {
    guard place == nil else { return 1 }
    place = Placed(position: recorded.position, time: recorded.time, fact: fact)
    return 0
  }
}
