internal import Synchronization

/// Keeps what was used last, up to a bound of its total cost.
///
/// In two generations, so that neither use nor insertion looks through all: what is used comes into the young one, and when
/// that is half the bound it becomes the old one, whose values nobody has asked for since are dropped.
final class RecentCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private struct Entry {
    var value: Value
    var cost: Int
  }

  private struct State {
    var young: [Key: Entry] = [:]
    /// Of the young ones.
    var cost = 0
    var old: [Key: Entry] = [:]

    mutating func put(_ key: Key, _ entry: Entry, bound: Int) {
      if let before = young.removeValue(forKey: key) { cost -= before.cost }
      if cost + entry.cost > bound / 2, !young.isEmpty {
        old = young
        young = [:]
        cost = 0
      }
      old[key] = nil
      young[key] = entry
      cost += entry.cost
    }
  }

  private let bound: Int
  private let state = Mutex(State())

  /// - Parameter bound: of the cost of all values; a single one that costs more than half of it may stand above it.
  init(bound: Int) { self.bound = bound }

  func value(_ key: Key) -> Value? {
    state.withLock { state in
      if let entry = state.young[key] { return entry.value }
      guard let entry = state.old[key] else { return nil }
      state.put(key, entry, bound: bound)
      return entry.value
    }
  }

  func insert(_ key: Key, _ value: Value, cost: Int) {
    state.withLock { $0.put(key, Entry(value: value, cost: cost), bound: bound) }
  }

  func removeAll(where isGone: (Key) -> Bool) {
    state.withLock { state in
      for (key, entry) in state.young where isGone(key) {
        state.cost -= entry.cost
        state.young[key] = nil
      }
      for key in state.old.keys where isGone(key) { state.old[key] = nil }
    }
  }
}
