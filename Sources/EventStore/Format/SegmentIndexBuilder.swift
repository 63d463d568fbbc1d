/// Builds a segment's index from its records, fed in order; for one owner at a time.
///
/// Equal events in equal blocks give equal bytes.
struct SegmentIndexBuilder {
  private struct Stream {
    var firstRevision: UInt64
    var lastRevision: UInt64
    /// For each block that holds the stream: its number, and the revision of the stream's first event there.
    var runs: [(block: UInt32, revision: UInt64)]
  }

  private struct Entry {
    var hash: UInt64
    var block: UInt32
  }

  private struct Block {
    var offset: UInt64
    var extent: Int
    var count: UInt32
    var maxTime: Int64
  }

  private let header: SegmentHeader
  private let hash: SipHash
  private var names = NameCache()
  private var blocks: [Block] = []
  private var slotOf: [String: Int] = [:]
  private var streams: [Stream] = []
  private var entries: [Entry] = []
  private var merkle = MerkleTree.Builder()
  private var minTime = Int64.max
  private var maxTime = Int64.min
  private var minID = UInt128.max
  private var maxID: UInt128 = 0
  private var epoch: UInt64 = 0
  private var rawBytes: UInt64 = 0
  private var inBlock: UInt32 = 0

  /// Chain value after the records so far.
  private(set) var chain: Digest
  /// The position of the next record.
  private(set) var next: UInt64

  init(header: SegmentHeader) {
    self.header = header
    hash = SipHash(storeID: header.storeID)
    chain = header.chainBefore
    next = header.first
  }

  /// Adds the next record of the block that `endBlock` will close.
  mutating func add(_ view: RecordView, _ bytes: UnsafeRawBufferPointer, leaf: Digest) {
    merkle.append(leaf)
    chain = chain.chained(leaf)
    let block = UInt32(blocks.count)
    entries.append(Entry(hash: hash(view.id), block: block))
    view.forEachKey(bytes) { entries.append(Entry(hash: hash(bytes.slice($0)), block: block)) }
    minID = min(minID, view.id)
    maxID = max(maxID, view.id)
    minTime = min(minTime, view.time)
    maxTime = max(maxTime, view.time)
    let name = names.text(bytes.slice(view.stream))
    if let slot = slotOf[name] {
      streams[slot].lastRevision = view.revision
      if streams[slot].runs.last?.block != block {
        streams[slot].runs.append((block, view.revision))
      }
    } else {
      slotOf[name] = streams.count
      streams.append(
        Stream(
          firstRevision: view.revision, lastRevision: view.revision,
          runs: [(block, view.revision)]))
    }
    next += 1
    inBlock += 1
  }

  /// Closes the block of the records added since the last call.
  mutating func endBlock(offset: UInt64, extent: Int, rawBytes: Int, epoch: UInt64) {
    blocks.append(Block(offset: offset, extent: extent, count: inBlock, maxTime: maxTime))
    inBlock = 0
    self.epoch = epoch
    self.rawBytes += UInt64(rawBytes)
  }

  // MARK: Encoding

  /// The whole index, and the trailer at its end as a value; nil if there was no record.
  mutating func finish(endOfBlocks: UInt64) -> (index: SegmentIndex, bytes: [UInt8])? {
    guard !blocks.isEmpty, inBlock == 0, next > header.first else { return nil }
    let (streamBytes, runBytes) = encodedStreams()
    let table = encodedTable()
    let sections = [
      encodedBlocks(), streamBytes, runBytes, table.filter, table.directory, table.buckets,
      table.lists,
    ]
    let index = SegmentIndex(
      header: header, last: next - 1, blocks: UInt64(blocks.count), epoch: epoch,
      times: minTime...maxTime, ids: minID...maxID, chainAfter: chain, merkleRoot: merkle.root,
      endOfBlocks: endOfBlocks, rawBytes: rawBytes,
      sections: sections.map { section in
        SegmentIndex.Extent(
          bytes: UInt32(section.count), checksum: section.withUnsafeBytes { crc32c($0) })
      }, entryBytes: table.entryBytes, valueBits: table.valueBits)
    var bytes = SegmentIndex.magic
    bytes.reserveCapacity(Int(index.encodedBytes))
    for section in sections { bytes += section }
    let at = bytes.count
    bytes += [UInt8](repeating: 0, count: SegmentIndex.trailerBytes)
    bytes.withUnsafeMutableBytes {
      index.encodeTrailer(into: UnsafeMutableRawBufferPointer(rebasing: $0[at...]))
    }
    return (index, bytes)
  }

  private func encodedBlocks() -> [UInt8] {
    var bytes: [UInt8] = []
    var end = UInt64(header.encodedBytes)
    var latest = Int64(0)
    for block in blocks {
      // Usually 0: nothing lies between two blocks but a block without events.
      bytes.append(varint: (block.offset - end) / 8)
      bytes.append(varint: UInt64(block.extent / 8))
      bytes.append(varint: UInt64(block.count))
      // From block to block it only grows; the first one may be any number.
      bytes.append(varint: UInt64(bitPattern: block.maxTime &- latest))
      end = block.offset + UInt64(block.extent)
      latest = block.maxTime
    }
    return bytes
  }

  private func encodedStreams() -> (streams: [UInt8], runs: [UInt8]) {
    let names = slotOf.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    var offsets: [UInt8] = []
    offsets.append(u32: UInt32(names.count))
    var entries: [UInt8] = []
    var runs: [UInt8] = []
    let start = 4 + 4 * names.count
    for (name, slot) in names {
      let stream = streams[slot]
      offsets.append(u32: UInt32(start + entries.count))
      entries.append(varint: UInt64(name.utf8.count))
      entries += Array(name.utf8)
      entries.append(varint: stream.firstRevision)
      entries.append(varint: stream.lastRevision &- stream.firstRevision)
      entries.append(varint: UInt64(runs.count))
      runs.append(varint: UInt64(stream.runs.count))
      var (block, revision): (UInt32, UInt64) = (0, stream.firstRevision)
      for run in stream.runs {
        runs.append(varint: UInt64(run.block - block))
        runs.append(varint: run.revision &- revision)
        (block, revision) = (run.block, run.revision)
      }
    }
    return (offsets + entries, runs)
  }

  private struct Table {
    var filter: [UInt8]
    var directory: [UInt8] = []
    var buckets: [UInt8] = []
    var lists: [UInt8] = []
    var entryBytes = 0
    var valueBits = 0
  }

  private mutating func encodedTable() -> Table {
    entries.sort { $0.hash != $1.hash ? $0.hash < $1.hash : $0.block < $1.block }
    // What goes into the buckets: a value, or the number of a list.
    var placed: [(hash: UInt64, value: UInt32, isList: Bool)] = []
    placed.reserveCapacity(entries.count)
    var lists: [[UInt8]] = []
    var hashes = 0
    var at = 0
    while at < entries.count {
      let hash = entries[at].hash
      var group: [UInt32] = []
      while at < entries.count, entries[at].hash == hash {
        if group.last != entries[at].block { group.append(entries[at].block) }
        at += 1
      }
      hashes += 1
      if group.count <= SegmentIndex.entriesPerHash {
        for block in group { placed.append((hash, block, false)) }
      } else {
        placed.append((hash, UInt32(lists.count), true))
        var list: [UInt8] = []
        list.append(varint: UInt64(group.count))
        var before: UInt32 = 0
        for block in group {
          list.append(varint: UInt64(block - before))
          before = block
        }
        lists.append(list)
      }
    }
    entries = []
    let greatest = max(UInt32(blocks.count - 1), UInt32(max(lists.count, 1) - 1), 1)
    let valueBits = 32 - greatest.leadingZeroBitCount
    let entryBytes = (valueBits + 1 + SegmentIndex.remainderBitsMin + 7) / 8
    let remainderBits = min(32, 8 * entryBytes - 1 - valueBits)
    let lines = (hashes * SegmentIndex.filterBitsPerHash + 511) / 512
    var table = Table(
      filter: [UInt8](repeating: 0, count: max(1, lines) * SegmentIndex.filterLineBytes),
      entryBytes: entryBytes, valueBits: valueBits)
    for entry in placed {
      let line =
        SegmentIndex.bucket(entry.hash, of: max(1, lines)) * SegmentIndex.filterLineBytes
      for probe in 0..<SegmentIndex.filterProbes {
        let bit = SegmentIndex.filterBit(entry.hash, probe)
        table.filter[line + bit >> 3] |= 1 << UInt8(bit & 7)
      }
    }
    let count = max(1, (placed.count + SegmentIndex.bucketEntries - 1) / SegmentIndex.bucketEntries)
    var from = 0
    for bucket in 0..<count {
      table.directory.append(u32: UInt32(table.buckets.count))
      let start = table.buckets.count
      var to = from
      while to < placed.count, SegmentIndex.bucket(placed[to].hash, of: count) == bucket { to += 1 }
      let packed = placed[from..<to].map { entry in
        SegmentIndex.remainder(entry.hash, bits: remainderBits) << UInt64(valueBits + 1)
          | (entry.isList ? 1 << UInt64(valueBits) : 0) | UInt64(entry.value)
      }
      for value in packed.sorted() {
        for byte in 0..<entryBytes {
          table.buckets.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * byte)))
        }
      }
      let checksum = table.buckets.withUnsafeBytes { crc32c($0.slice(start..<$0.count)) }
      table.buckets.append(u32: checksum)
      from = to
    }
    table.directory.append(u32: UInt32(table.buckets.count))
    table.lists.append(u32: UInt32(lists.count))
    var offset = 4 + 4 * lists.count
    for list in lists {
      table.lists.append(u32: UInt32(offset))
      offset += list.count
    }
    for list in lists { table.lists += list }
    return table
  }
}

extension [UInt8] {
  mutating func append(varint value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    append(UInt8(truncatingIfNeeded: rest))
  }

  mutating func append(u32 value: UInt32) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}
