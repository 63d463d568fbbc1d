/// Which blocks have which hash, for a segment's index; for one owner at a time.
///
/// A segment has half a million of them or more, so they are kept narrow and in parts, each of which is
/// sorted, packed and let go by itself: nothing is ever there twice.
struct IndexEntries {
  struct Entry {
    private var high: UInt32
    private var low: UInt32
    /// A block, or with the first bit set the number of a list of blocks.
    fileprivate var place: UInt32

    fileprivate init(_ hash: UInt64, place: UInt32) {
      high = UInt32(truncatingIfNeeded: hash >> 32)
      low = UInt32(truncatingIfNeeded: hash)
      self.place = place
    }

    var hash: UInt64 { UInt64(high) << 32 | UInt64(low) }
    var isList: Bool { place & Self.listBit != 0 }
    var value: UInt32 { place & ~Self.listBit }

    /// A segment of the greatest size has fewer blocks than this.
    fileprivate static let listBit: UInt32 = 1 << 31

    fileprivate static func < (a: Entry, b: Entry) -> Bool {
      a.hash != b.hash ? a.hash < b.hash : a.place < b.place
    }
  }

  /// By the first bits of the hash, so that they follow one another in its order.
  private var parts = [[Entry]](repeating: [], count: 256)
  /// The lists one behind the other, and where each begins.
  private var listed: [UInt8] = []
  private var starts: [UInt32] = []

  /// What `pack` left: entries, and different hashes.
  private(set) var count = 0
  private(set) var hashes = 0
  var lists: Int { starts.count }

  mutating func append(_ hash: UInt64, block: UInt32) {
    let part = Int(hash >> 56)
    if parts[part].count == parts[part].capacity {
      // By a quarter: to double would keep as much again for nothing.
      parts[part].reserveCapacity(parts[part].count + parts[part].count / 4 + 16)
    }
    parts[part].append(Entry(hash, place: block))
  }

  /// Brings them into order, each block of a hash once; those that many blocks have become lists.
  mutating func pack() {
    for part in parts.indices {
      // Taken out and put back: nobody else holds it while it changes.
      var entries = parts[part]
      parts[part] = []
      pack(&entries)
      count += entries.count
      parts[part] = entries
    }
  }

  private mutating func pack(_ entries: inout [Entry]) {
    entries.sort(by: <)
    var (at, kept) = (0, 0)
    while at < entries.count {
      let hash = entries[at].hash
      let first = kept
      while at < entries.count, entries[at].hash == hash {
        if kept == first || entries[kept - 1].place != entries[at].place {
          entries[kept] = entries[at]
          kept += 1
        }
        at += 1
      }
      hashes += 1
      if kept - first > SegmentIndex.entriesPerHash {
        let number = UInt32(starts.count)
        appendList(entries[first..<kept])
        entries[first] = Entry(hash, place: number | Entry.listBit)
        kept = first + 1
      }
    }
    entries.removeSubrange(kept...)
  }

  private mutating func appendList(_ entries: ArraySlice<Entry>) {
    starts.append(UInt32(listed.count))
    listed.append(varint: UInt64(entries.count))
    var before: UInt32 = 0
    for entry in entries {
      listed.append(varint: UInt64(entry.value - before))
      before = entry.value
    }
  }

  /// Calls `body` with each entry in the order of the hashes, and lets them go.
  mutating func drain(_ body: (Entry) -> Void) {
    for part in parts.indices {
      for entry in parts[part] { body(entry) }
      parts[part] = []
    }
  }

  var listBytes: Int { 4 + 4 * starts.count + listed.count }

  func appendLists(to bytes: inout [UInt8]) {
    let offset = UInt32(4 + 4 * starts.count)
    bytes.append(u32: UInt32(starts.count))
    for start in starts { bytes.append(u32: offset + start) }
    bytes += listed
  }
}
