/// Lookup key → positions.
///
/// A key may be carried by any number of events, also by all of them, at the same cost an event:
/// positions of one key are a chain, newest first. Grows shard by shard, so that no insertion moves more
/// than a 256th of the table.
struct PostingTable {
  private struct Posting {
    var hash: UInt64
    var position: UInt64
    /// Number of the next older posting of the hash; 0: none.
    var older: UInt32
  }

  private struct Shard {
    /// Numbers of the newest postings of the hashes; 0: the slot is empty.
    var slots: [UInt32] = []
    var count = 0
  }

  private var shards = [Shard](repeating: Shard(), count: 256)
  /// The posting with number n is at index n − 1.
  private var postings: ContiguousArray<Posting> = []

  /// Seeded per process, since keys come from clients: nobody can aim at a slot.
  static func hash(_ key: UnsafeRawBufferPointer) -> UInt64 {
    var hasher = Hasher()
    hasher.combine(bytes: key)
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }

  /// Where `hash` stands among `slots`, or the empty slot where it belongs.
  private func slot(_ hash: UInt64, _ slots: [UInt32]) -> Int {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] != 0, postings[Int(slots[slot]) - 1].hash != hash { slot = (slot + 1) & mask }
    return slot
  }

  mutating func insert(hash: UInt64, position: UInt64) {
    // 2³² − 1 postings are 100 GiB of memory: never reached, but never wrapped either.
    guard postings.count < Int(UInt32.max) else { return }
    let shard = Int(hash >> 56)
    if shards[shard].count * 4 >= shards[shard].slots.count * 3 { grow(shard) }
    let slot = slot(hash, shards[shard].slots)
    let older = shards[shard].slots[slot]
    postings.append(Posting(hash: hash, position: position, older: older))
    shards[shard].slots[slot] = UInt32(postings.count)
    if older == 0 { shards[shard].count += 1 }
  }

  private mutating func grow(_ shard: Int) {
    let old = shards[shard].slots
    var slots = [UInt32](repeating: 0, count: max(8, old.count * 2))
    for number in old where number != 0 {
      slots[slot(postings[Int(number) - 1].hash, slots)] = number
    }
    shards[shard].slots = slots
  }

  /// Positions whose keys may be the one of `hash`, ascending.
  func candidates(hash: UInt64) -> [UInt64] {
    let slots = shards[Int(hash >> 56)].slots
    guard !slots.isEmpty else { return [] }
    var found: [UInt64] = []
    var number = slots[slot(hash, slots)]
    while number != 0 {
      let posting = postings[Int(number) - 1]
      found.append(posting.position)
      number = posting.older
    }
    found.reverse()
    return found
  }
}
