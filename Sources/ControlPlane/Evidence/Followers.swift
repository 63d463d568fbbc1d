import EventStore
import Synchronization

/// Who follows the log at present: a bounded number, whose reads go one by one on a thread of their own.
final class Followers: Sendable {
  /// One more is refused.
  static let limit = 32

  let reads = Sideline(label: "signalbox.followers", limit: 2 * Followers.limit)
  private let count = Mutex(0)

  /// A place among them, free again when nobody holds it any more; nil: all are taken.
  func join() -> Place? {
    count.withLock { count in
      guard count < Self.limit else { return nil }
      count += 1
      return Place(self)
    }
  }

  final class Place: Sendable {
    private let followers: Followers

    fileprivate init(_ followers: Followers) { self.followers = followers }

    deinit { followers.count.withLock { $0 -= 1 } }
  }
}
