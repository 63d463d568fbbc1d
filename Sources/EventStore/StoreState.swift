/// Whether the log takes what it is given.
public enum StoreState: Sendable, Hashable {
  /// It takes everything.
  case working
  /// The disk is full: batches that may be shed are refused and counted, until there is space again.
  case shedding(Shortage)
  /// A write or a sync failed: it takes nothing until it is opened again.
  case poisoned(StoreError)

  /// A time without space.
  public struct Shortage: Sendable, Hashable {
    /// Where the event stands that opened the gap; nil: none is in the log, because nothing was shed
    /// yet, because not even it did fit, or because the store was opened without `gapEvents`.
    public var opened: Position?
    /// What is missing since then, exactly: the sum of `AppendBatch.loss`.
    public var shed: UInt64
    /// The reserve is used up too: other batches are refused as well.
    public var isExhausted: Bool
    /// What the system said.
    public var cause: StoreError

    /// Takes the parts as they are.
    public init(opened: Position?, shed: UInt64, isExhausted: Bool, cause: StoreError) {
      self.opened = opened
      self.shed = shed
      self.isExhausted = isExhausted
      self.cause = cause
    }
  }
}

/// Makes the events with which the log says that others are missing; what stands in them is the
/// opener's affair.
///
/// Called on the writer's thread; each event needs an id of its own.
public struct GapEvents: Sendable {
  /// From here on events of sheddable batches are missing; gets the time, in Unix nanoseconds.
  public var opened: @Sendable (_ time: Int64) -> EventDraft
  /// None is missing any more: where the gap was opened, what is missing (the sum of
  /// `AppendBatch.loss`), the time.
  public var closed: @Sendable (_ opened: Position, _ count: UInt64, _ time: Int64) -> EventDraft

  /// Takes the parts as they are.
  public init(
    opened: @escaping @Sendable (_ time: Int64) -> EventDraft,
    closed: @escaping @Sendable (_ opened: Position, _ count: UInt64, _ time: Int64) -> EventDraft
  ) {
    self.opened = opened
    self.closed = closed
  }
}
