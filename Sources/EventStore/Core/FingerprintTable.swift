/// Event id → position, in about 12 bytes a slot: 40 bits of a hash and the position.
///
/// Different ids may share a fingerprint, so a hit is only a candidate that must be compared with the
/// record. Grows shard by shard, so that no insertion moves more than a 256th of the table.
struct FingerprintTable {
  private struct Shard {
    var fingerprints: [UInt32]
    /// 0: the slot is empty.
    var positions: [UInt64]
    var count = 0

    init(capacity: Int) {
      fingerprints = [UInt32](repeating: 0, count: capacity)
      positions = [UInt64](repeating: 0, count: capacity)
    }

    mutating func insert(_ fingerprint: UInt32, _ position: UInt64) {
      let mask = positions.count - 1
      var slot = Int(truncatingIfNeeded: fingerprint) & mask
      while positions[slot] != 0 { slot = (slot + 1) & mask }
      fingerprints[slot] = fingerprint
      positions[slot] = position
      count += 1
    }

    mutating func growIfFull() {
      guard count * 4 >= positions.count * 3 else { return }
      var grown = Shard(capacity: max(8, positions.count * 2))
      for slot in positions.indices where positions[slot] != 0 {
        grown.insert(fingerprints[slot], positions[slot])
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

  mutating func insert(hash: UInt64, position: UInt64) {
    let shard = Int(hash >> 56)
    shards[shard].growIfFull()
    shards[shard].insert(UInt32(truncatingIfNeeded: hash), position)
  }

  /// Positions whose ids may be the one of `hash`; nearly always none or one.
  func candidates(hash: UInt64) -> [UInt64] {
    let fingerprint = UInt32(truncatingIfNeeded: hash)
    return shards.withUnsafeBufferPointer { shards in
      let shard = shards[Int(hash >> 56)]
      if shard.count == 0 { return [] }
      let mask = shard.positions.count - 1
      var slot = Int(truncatingIfNeeded: fingerprint) & mask
      var found: [UInt64] = []
      while shard.positions[slot] != 0 {
        if shard.fingerprints[slot] == fingerprint { found.append(shard.positions[slot]) }
        slot = (slot + 1) & mask
      }
      return found
    }
  }

  /// Whether there are such positions.
  func mayContain(hash: UInt64) -> Bool {
    let fingerprint = UInt32(truncatingIfNeeded: hash)
    return shards.withUnsafeBufferPointer { shards in
      let mask = shards[Int(hash >> 56)].positions.count - 1
      if mask < 0 { return false }
      var slot = Int(truncatingIfNeeded: fingerprint) & mask
      while shards[Int(hash >> 56)].positions[slot] != 0 {
        if shards[Int(hash >> 56)].fingerprints[slot] == fingerprint { return true }
        slot = (slot + 1) & mask
      }
      return false
    }
  }
}
