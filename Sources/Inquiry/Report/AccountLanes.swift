public import Domain

/// What could be done with accounts, over time.
public struct AccountLanes: Sendable, Hashable {
  /// A state of an account.
  public enum State: String, Sendable, Hashable, CaseIterable {
    case ready
    /// It is not chosen until a time.
    case cooling
    /// The time is over, and nothing has shown yet that it serves again.
    case halfOpen = "half-open"
    /// An operator took it out.
    case out
  }

  /// A state for a while.
  public struct Segment: Sendable, Hashable {
    /// Which.
    public var state: State
    /// Since when.
    public var from: UnixNanoseconds
    /// Until when.
    public var to: UnixNanoseconds
    /// The event that put it into this state; nil: the clock did, or it was so before.
    public var place: String?
    /// Where it ended; nil: the clock did, or the window.
    public var endPlace: String?
  }

  /// One account's.
  public struct Lane: Sendable, Hashable {
    /// `provider/name`.
    public var name: String
    /// In order; ready is not told.
    public var segments: [Segment] = []
    /// Segments that were left out.
    public var omitted: UInt64 = 0
  }

  private struct Open {
    var state: State
    var from: UnixNanoseconds
    var until: UnixNanoseconds?
    /// Whether it is half-open once that is over.
    var needsProof = false
    var place: String?
  }

  private static let lanesMax = 1_000
  private static let segmentsMax = 400
  private let from: UnixNanoseconds
  private var open: [AccountID: Open] = [:]
  /// By account.
  public private(set) var lanes: [AccountID: Lane] = [:]

  /// By what is told of each account.
  public static func == (a: AccountLanes, b: AccountLanes) -> Bool { a.lanes == b.lanes }
  /// By what is told of each account.
  public func hash(into hasher: inout Hasher) { hasher.combine(lanes) }

  init(from: UnixNanoseconds) { self.from = from }

  /// Takes in what stands when looking begins.
  mutating func begin(_ state: ControlState, at time: UnixNanoseconds) {
    for id in state.accounts.keys.sorted() { look(id, state, time, nil) }
  }

  /// Takes in an event of an account or its health.
  mutating func apply(_ event: Event?, _ state: ControlState, _ moment: LogCoverage.Moment) {
    switch event {
    case .health(let it): look(it.account, state, moment.time, moment.place)
    case .account(let it): look(it.id, state, moment.time, moment.place)
    case .provider(let it):
      for account in state.accounts.values.sorted(by: { $0.id < $1.id })
      where account.provider == it.id {
        look(account.id, state, moment.time, moment.place)
      }
    default: break
    }
  }

  /// Ends what is open.
  mutating func end(at time: UnixNanoseconds) {
    for (id, _) in open.sorted(by: { $0.key < $1.key }) { close(id, at: time, nil) }
  }

  private mutating func look(
    _ id: AccountID, _ state: ControlState, _ time: UnixNanoseconds, _ place: String?
  ) {
    guard lanes[id] != nil || lanes.count < Self.lanesMax else { return }
    if lanes[id] == nil { lanes[id] = Lane(name: EventLine.name(id, state)) }
    let account = state.accounts[id]
    let isOut =
      account.map { !$0.isEnabled || $0.degradation != nil }
      ?? true || !(account.flatMap { state.providers[$0.provider]?.isEnabled } ?? true)
    let cooldown = state.health[id]?.cooldown
    let now: (State, UnixNanoseconds?)
    if account == nil {
      now = (.ready, nil)
    } else if isOut {
      now = (.out, nil)
    } else if let cooldown, cooldown.until > time {
      now = (.cooling, cooldown.until)
    } else if let cooldown, cooldown.isHalfOpen(at: time) {
      now = (.halfOpen, nil)
    } else {
      now = (.ready, nil)
    }
    if let was = open[id], was.state == now.0, was.until == now.1 { return }
    if let was = open[id], was.state == .cooling, now.0 == .cooling,
      was.until.map({ $0 >= time }) ?? true
    {
      // Longer, or shorter: still the same time out.
      open[id]?.until = now.1
      open[id]?.needsProof = cooldown?.needsProof ?? false
      return
    }
    close(id, at: time, place)
    guard now.0 != .ready else { return }
    open[id] = Open(
      state: now.0, from: max(time, from), until: now.1,
      needsProof: now.0 == .cooling && cooldown?.needsProof ?? false, place: place)
  }

  private mutating func close(_ id: AccountID, at time: UnixNanoseconds, _ place: String?) {
    guard let was = open.removeValue(forKey: id) else { return }
    if let until = was.until, until < time {
      add(id, Segment(state: was.state, from: was.from, to: until, place: was.place, endPlace: nil))
      if was.needsProof {
        add(id, Segment(state: .halfOpen, from: until, to: time, place: nil, endPlace: place))
      }
    } else {
      add(
        id, Segment(state: was.state, from: was.from, to: time, place: was.place, endPlace: place))
    }
  }

  private mutating func add(_ id: AccountID, _ segment: Segment) {
    let cut = Segment(
      state: segment.state, from: max(segment.from, from), to: segment.to, place: segment.place,
      endPlace: segment.endPlace)
    guard cut.from < cut.to else { return }
    guard (lanes[id]?.segments.count ?? 0) < Self.segmentsMax else {
      lanes[id]?.omitted += 1
      return
    }
    lanes[id]?.segments.append(cut)
  }
}
