internal import Synchronization

/// Keeps what was used last, up to a bound of its total cost.
final class RecentCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private struct Entry {
    var value: Value
    var cost: Int
    var usedAt: UInt64
  }

  private struct State {
    var entries: [Key: Entry] = [:]
    var cost = 0
    var clock: UInt64 = 0
  }

  private let bound: Int
  private let state = Mutex(State())

  init(bound: Int) { self.bound = bound }

  func value(_ key: Key) -> Value? {
    state.withLock { state in
      guard let slot = state.entries.index(forKey: key) else { return nil }
      state.clock += 1
      state.entries.values[slot].usedAt = state.clock
      return state.entries.values[slot].value
    }
  }

  func insert(_ key: Key, _ value: Value, cost: Int) {
    state.withLock { state in
      state.clock += 1
      let entry = Entry(value: value, cost: cost, usedAt: state.clock)
      state.cost += cost - (state.entries.updateValue(entry, forKey: key)?.cost ?? 0)
      guard state.cost > bound else { return }
      // An eighth more than needed, so that not every insertion looks through all of them.
      for (old, entry) in state.entries.sorted(by: { $0.value.usedAt < $1.value.usedAt })
      where old != key && state.cost > bound - bound / 8 {
        state.cost -= entry.cost
        state.entries[old] = nil
      }
    }
  }

  func removeAll(where isGone: (Key) -> Bool) {
    state.withLock { state in
      for (key, entry) in state.entries where isGone(key) {
        state.cost -= entry.cost
        state.entries[key] = nil
      }
    }
  }
}
