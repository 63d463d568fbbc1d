import Synchronization

/// Requests that one account after the other answered with the same error of its own, for all loops: the last ones.
///
/// A request can break every server that it meets. Repeated, as clients do, it must not put the accounts aside one after
/// the other; an outage shows in other requests as well.
final class BreakingRequests: Sendable {
  /// Requests that are remembered.
  static let rememberedMax = 256

  private struct State {
    var hashes: [Int] = []
    /// Where the next one goes, when there are as many as may be.
    var next = 0
  }

  private let state = Mutex(State())

  func contains(_ hash: Int) -> Bool { state.withLock { $0.hashes.contains(hash) } }

  func insert(_ hash: Int) {
    state.withLock { state in
      if state.hashes.contains(hash) { return }
      guard state.hashes.count == Self.rememberedMax else { return state.hashes.append(hash) }
      state.hashes[state.next] = hash
      state.next = (state.next + 1) % Self.rememberedMax
    }
  }
}
