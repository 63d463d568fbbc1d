/// The ids of a group's events in order, each once, with a table to find them.
///
/// Ids leave it in the reverse order of their coming only: then the last one in a chain of slots is the
/// one to free, and no other has to move.
struct GroupIDs {
  private var ids: ContiguousArray<UInt128> = []
  private var hashes: ContiguousArray<UInt64> = []
  /// Indices plus 1, or 0 where the slot is free; a power of two of them, at most half in use.
  private var slots = ContiguousArray<UInt16>(repeating: 0, count: 128)

  var count: Int { ids.count }

  /// The slot of `id`, or the free one where it would stand.
  private func slot(_ id: UInt128, _ hash: UInt64) -> Int {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] != 0, ids[Int(slots[slot]) - 1] != id { slot = (slot + 1) & mask }
    return slot
  }

  /// The place of `id` in the group; nil if it is not there.
  func index(of id: UInt128, hash: UInt64) -> Int? {
    let number = slots[slot(id, hash)]
    return number == 0 ? nil : Int(number) - 1
  }

  /// Makes room, so that no `insert` of the next `extra` ids moves the table.
  mutating func reserve(_ extra: Int) {
    // A full group, and beside it a batch that is only asked about.
    precondition(ids.count + extra < Int(UInt16.max), "a group's ids have 16-bit numbers")
    var grown = slots.count
    while grown < 2 * (ids.count + extra) { grown *= 2 }
    if grown == slots.count { return }
    slots = ContiguousArray(repeating: 0, count: grown)
    for number in ids.indices { slots[slot(ids[number], hashes[number])] = UInt16(number + 1) }
  }

  /// False if `id` is there already; an earlier `reserve` made room.
  mutating func insert(_ id: UInt128, hash: UInt64) -> Bool {
    let slot = slot(id, hash)
    guard slots[slot] == 0 else { return false }
    ids.append(id)
    hashes.append(hash)
    slots[slot] = UInt16(ids.count)
    return true
  }

  /// Takes the last ids out again until `count` are left.
  mutating func removeLast(to count: Int) {
    while ids.count > count {
      slots[slot(ids[ids.count - 1], hashes[ids.count - 1])] = 0
      ids.removeLast()
      hashes.removeLast()
    }
  }

  mutating func removeAll() {
    ids.removeAll(keepingCapacity: true)
    hashes.removeAll(keepingCapacity: true)
    slots.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
  }
}
