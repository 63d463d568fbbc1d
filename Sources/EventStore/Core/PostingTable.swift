/// Lookup key → positions.
///
/// A key may be carried by any number of events, also by all of them, at the same cost an event:
/// positions of one key are a chain, newest first.
struct PostingTable {
  private struct Posting {
    var position: UInt64
    /// Index of the next older posting plus 1; 0: none.
    var older: UInt32
  }

  private var heads: [UInt64: UInt32] = [:]
  private var postings: ContiguousArray<Posting> = []

  /// Seeded per process, since keys come from clients.
  static func hash(_ key: UnsafeRawBufferPointer) -> UInt64 {
    var hasher = Hasher()
    hasher.combine(bytes: key)
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }

  mutating func insert(hash: UInt64, position: UInt64) {
    // 2³² − 1 postings are 50 GiB of memory: never reached, but never wrapped either.
    guard postings.count < Int(UInt32.max) else { return }
    let older = heads.updateValue(UInt32(postings.count + 1), forKey: hash) ?? 0
    postings.append(Posting(position: position, older: older))
  }

  /// Positions whose keys may be the one of `hash`, ascending.
  func candidates(hash: UInt64) -> [UInt64] {
    var found: [UInt64] = []
    var at = heads[hash] ?? 0
    while at != 0 {
      let posting = postings[Int(at) - 1]
      found.append(posting.position)
      at = posting.older
    }
    found.reverse()
    return found
  }
}
