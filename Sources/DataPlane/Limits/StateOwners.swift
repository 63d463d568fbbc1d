import Domain
import Synchronization

/// Who has what was stored lately, for all loops; the log knows the rest.
final class StateOwners: Sendable {
  private struct State {
    var owners: [UInt128: StateOwner] = [:]
    /// In the order in which they came, from `first` on.
    var order: [UInt128] = []
    var first = 0
  }

  /// States that are remembered.
  static let countMax = 16_384

  private let state = Mutex(State())

  /// nil: it is not remembered.
  func owner(of stored: StoredState) -> StateOwner? { state.withLock { $0.owners[stored.id] } }

  func note(_ stored: StoredState, _ owner: StateOwner) {
    state.withLock { state in
      if state.owners.updateValue(owner, forKey: stored.id) == nil { state.order.append(stored.id) }
      if state.owners.count > Self.countMax {
        state.owners[state.order[state.first]] = nil
        state.first += 1
      }
      if state.first > Self.countMax {
        state.order.removeFirst(state.first)
        state.first = 0
      }
    }
  }
}
