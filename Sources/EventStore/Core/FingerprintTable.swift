/// Event id → number of the event in its segment, in 8 bytes a slot: 40 bits of a hash and the number.
///
/// Different ids may share a fingerprint, so a hit is only a candidate that must be compared with the
/// record. Grows shard by shard, so that no insertion moves more than a 256th of the table.
struct FingerprintTable {
  private struct Shard {
    var fingerprints: [UInt32]
    /// Numbers plus 1; 0: the slot is empty.
    var numbers: [UInt32]
    var count = 0

    init(capacity: Int) {
      fingerprints = [UInt32](repeating: 0, count: capacity)
      numbers = [UInt32](repeating: 0, count: capacity)
    }

    mutating func insert(_ fingerprint: UInt32, _ number: UInt32) {
      let mask = numbers.count - 1
      var slot = Int(truncatingIfNeeded: fingerprint) & mask
      while numbers[slot] != 0 { slot = (slot + 1) & mask }
      fingerprints[slot] = fingerprint
      numbers[slot] = number
      count += 1
    }

    mutating func growIfFull() {
      guard count * 4 >= numbers.count * 3 else { return }
      var grown = Shard(capacity: max(8, numbers.count * 2))
      for slot in numbers.indices where numbers[slot] != 0 {
        grown.insert(fingerprints[slot], numbers[slot])
      }
      self = grown
    }
  }

  private var shards = [Shard](repeating: Shard(capacity: 0), count: 256)

  static func hash(_ id: UInt128) -> UInt64 {
    // Ids are minted by us; two rounds of multiply and fold spread their time-ordered bits.
    var x = UInt64(truncatingIfNeeded: id) ^ 0x9E37_79B9_7F4A_7C15
    x = (x ^ (x >> 32)) &* 0xD6E8_FEB8_6659_FD93
    x ^= UInt64(truncatingIfNeeded: id >> 64)
    x = (x ^ (x >> 32)) &* 0xD6E8_FEB8_6659_FD93
    return x ^ (x >> 32)
  }

  /// Seeded per process, for ids that others may have made: nobody can aim at a slot.
  static func seededHash(_ id: UInt128) -> UInt64 {
    var hasher = Hasher()
    hasher.combine(id)
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }

  mutating func insert(hash: UInt64, number: UInt32) {
    let shard = Int(hash >> 56)
    shards[shard].growIfFull()
    shards[shard].insert(UInt32(truncatingIfNeeded: hash), number + 1)
  }

  /// Numbers of the events whose ids may be the one of `hash`; nearly always none or one.
  func candidates(hash: UInt64) -> [UInt32] {
    let fingerprint = UInt32(truncatingIfNeeded: hash)
    return shards.withUnsafeBufferPointer { shards in
      let shard = shards[Int(hash >> 56)]
      if shard.count == 0 { return [] }
      let mask = shard.numbers.count - 1
      var slot = Int(truncatingIfNeeded: fingerprint) & mask
      var found: [UInt32] = []
      while shard.numbers[slot] != 0 {
        if shard.fingerprints[slot] == fingerprint { found.append(shard.numbers[slot] - 1) }
        slot = (slot + 1) & mask
      }
      return found
    }
  }

  /// Whether there are such events.
  func mayContain(hash: UInt64) -> Bool {
    let fingerprint = UInt32(truncatingIfNeeded: hash)
    return shards.withUnsafeBufferPointer { shards in
      let mask = shards[Int(hash >> 56)].numbers.count - 1
      if mask < 0 { return false }
      var slot = Int(truncatingIfNeeded: fingerprint) & mask
      while shards[Int(hash >> 56)].numbers[slot] != 0 {
        if shards[Int(hash >> 56)].fingerprints[slot] == fingerprint { return true }
        slot = (slot + 1) & mask
      }
      return false
    }
  }
}
