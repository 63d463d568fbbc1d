import Domain
import Synchronization

/// Who has what was stored lately, for all loops; the log knows the rest.
final class StateOwners: Sendable {
  private struct State {
    var owners: [UInt128: [StateOwner]] = [:]
    /// In the order in which they came, from `first` on.
    var order: [UInt128] = []
    var first = 0
  }

  /// States that are remembered.
  static let countMax = 32_768
  /// Organisations that are remembered of one id: some providers count alike for everybody.
  static let organisationsMax = 4

  private let state = Mutex(State())

  /// Who is remembered, the newest first; each organisation once.
  func owners(of stored: StoredState) -> [StateOwner] {
    state.withLock { $0.owners[stored.id] ?? [] }
  }

  func note(_ stored: StoredState, _ owner: StateOwner) {
    state.withLock { state in
      var owners = state.owners[stored.id] ?? []
      if owners.isEmpty { state.order.append(stored.id) }
      owners.removeAll { $0.organisation == owner.organisation }
      owners.insert(owner, at: 0)
      state.owners[stored.id] = Array(owners.prefix(Self.organisationsMax))
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
