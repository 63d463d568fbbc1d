import Synchronization

/// Where the newest routing view hangs for all loops to see.
///
/// A publication is visible to every request whose head is read after `publish` returned. Readers
/// compare one atomic per request and take the lock only when it moved.
public final class SnapshotBoard: Sendable {
  private let current: Mutex<PublishedRouting>
  private let generation = Atomic<UInt64>(1)

  /// A board with its first view; there is never none.
  public init(_ first: PublishedRouting) { current = Mutex(first) }

  /// Replaces the view.
  public func publish(_ routing: PublishedRouting) {
    current.withLock {
      $0 = routing
      generation.wrappingAdd(1, ordering: .releasing)
    }
  }

  /// The newest view.
  public var newest: PublishedRouting { current.withLock { $0 } }

  /// The newest view if it is another than that of generation `seen`.
  func newest(after seen: UInt64) -> (generation: UInt64, routing: PublishedRouting)? {
    guard generation.load(ordering: .acquiring) != seen else { return nil }
    return current.withLock { (generation.load(ordering: .relaxed), $0) }
  }
}
