internal import Synchronization

/// Something that happens once.
final class Latch: Sendable {
  private let flag = Atomic<Bool>(false)

  /// True for the first caller only.
  func set() -> Bool { !flag.exchange(true, ordering: .acquiringAndReleasing) }

  var isSet: Bool { flag.load(ordering: .acquiring) }
}
