/// Lookup key → numbers of the events in their segment that carry it.
///
/// A key may be carried by any number of events, also by all of them, at the same cost an event: the
/// postings of one key are a chain, newest first. Different keys may share the 40 bits that are kept of a
/// hash, so that what is found must be compared. Grows shard by shard and page by page, so that no
/// insertion moves more than a 256th of the table.
struct PostingTable {
  private struct Posting {
    var hash: UInt32
    var event: UInt32
    /// Number of the next older posting of the hash; 0: none.
    var older: UInt32
  }

  private struct Shard {
    /// Numbers of the newest postings of the hashes; 0: the slot is empty.
    var slots: [UInt32] = []
    var count = 0
  }

  private var shards = [Shard](repeating: Shard(), count: 256)
  /// The posting with number n is the one of index n − 1; each page but the last is full.
  private var pages: ContiguousArray<ContiguousArray<Posting>> = []
  private var count = 0
  private static let pageBits = 12

  /// Seeded per process, since keys come from clients: nobody can aim at a slot.
  static func hash(_ key: UnsafeRawBufferPointer) -> UInt64 {
    var hasher = Hasher()
    hasher.combine(bytes: key)
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }

  private func posting(_ number: UInt32) -> Posting {
    let index = Int(number) - 1
    return pages[index >> Self.pageBits][index & (1 << Self.pageBits - 1)]
  }

  /// Where `hash` stands among `slots`, or the empty slot where it belongs.
  private func slot(_ hash: UInt32, _ slots: [UInt32]) -> Int {
    let mask = slots.count - 1
    var slot = Int(hash) & mask
    while slots[slot] != 0, posting(slots[slot]).hash != hash { slot = (slot + 1) & mask }
    return slot
  }

  mutating func insert(hash: UInt64, event: UInt32) {
    // 2³² − 1 postings are 50 GiB of memory: never reached, but never wrapped either.
    guard count < Int(UInt32.max) else { return }
    let shard = Int(hash >> 56)
    let kept = UInt32(truncatingIfNeeded: hash)
    if shards[shard].count * 4 >= shards[shard].slots.count * 3 { grow(shard) }
    let slot = slot(kept, shards[shard].slots)
    let older = shards[shard].slots[slot]
    if count & (1 << Self.pageBits - 1) == 0 {
      pages.append([])
      pages[pages.count - 1].reserveCapacity(1 << Self.pageBits)
    }
    pages[pages.count - 1].append(Posting(hash: kept, event: event, older: older))
    count += 1
    shards[shard].slots[slot] = UInt32(count)
    if older == 0 { shards[shard].count += 1 }
  }

  private mutating func grow(_ shard: Int) {
    let old = shards[shard].slots
    var slots = [UInt32](repeating: 0, count: max(8, old.count * 2))
    for number in old where number != 0 {
      slots[slot(posting(number).hash, slots)] = number
    }
    shards[shard].slots = slots
  }

  /// Numbers of the events whose keys may be the one of `hash`, ascending.
  func candidates(hash: UInt64) -> [UInt32] {
    let slots = shards[Int(hash >> 56)].slots
    guard !slots.isEmpty else { return [] }
    var found: [UInt32] = []
    var number = slots[slot(UInt32(truncatingIfNeeded: hash), slots)]
    while number != 0 {
      let posting = posting(number)
      found.append(posting.event)
      number = posting.older
    }
    found.reverse()
    return found
  }
}
