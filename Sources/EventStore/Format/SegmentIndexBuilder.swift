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
  private var entries = IndexEntries()
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
    entries.append(hash(view.id), block: block)
    view.forEachKey(bytes) { entries.append(hash(bytes.slice($0)), block: block) }
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
    entries.pack()
    let table = TableShape(entries, blocks: blocks.count)
    let (streamBytes, runBytes) = encodedStreams()
    let blockBytes = encodedBlocks()
    let lengths = [
      blockBytes.count, streamBytes.count, runBytes.count, table.filterBytes, table.directoryBytes,
      table.bucketBytes, entries.listBytes,
    ]
    // The only copy of it: as long as it is, and no longer.
    var bytes = SegmentIndex.magic
    let end = lengths.reduce(SegmentIndex.magic.count, +)
    bytes.reserveCapacity(end + SegmentIndex.trailerBytes)
    bytes += blockBytes
    bytes += streamBytes
    bytes += runBytes
    appendTable(table, to: &bytes)
    entries.appendLists(to: &bytes)
    var at = SegmentIndex.magic.count
    let index = SegmentIndex(
      header: header, last: next - 1, blocks: UInt64(blocks.count), epoch: epoch,
      times: minTime...maxTime, ids: minID...maxID, chainAfter: chain, merkleRoot: merkle.root,
      endOfBlocks: endOfBlocks, rawBytes: rawBytes,
      sections: lengths.map { length in
        defer { at += length }
        return SegmentIndex.Extent(
          bytes: UInt32(length),
          checksum: bytes.withUnsafeBytes { crc32c($0.slice(at..<(at + length))) })
      }, entryBytes: table.entryBytes, valueBits: table.valueBits)
    bytes.append(contentsOf: repeatElement(0, count: SegmentIndex.trailerBytes))
    bytes.withUnsafeMutableBytes {
      index.encodeTrailer(into: UnsafeMutableRawBufferPointer(rebasing: $0[end...]))
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

  /// How wide the entries of the table are, and how many buckets and lines of the filter there are.
  private struct TableShape {
    var entryBytes: Int
    var valueBits: Int
    var remainderBits: Int
    var lines: Int
    var buckets: Int
    var bucketBytes: Int

    init(_ entries: IndexEntries, blocks: Int) {
      let greatest = max(UInt32(blocks - 1), UInt32(max(entries.lists, 1) - 1), 1)
      valueBits = 32 - greatest.leadingZeroBitCount
      entryBytes = (valueBits + 1 + SegmentIndex.remainderBitsMin + 7) / 8
      remainderBits = min(32, 8 * entryBytes - 1 - valueBits)
      lines = max(1, (entries.hashes * SegmentIndex.filterBitsPerHash + 511) / 512)
      buckets = max(
        1, (entries.count + SegmentIndex.bucketEntries - 1) / SegmentIndex.bucketEntries)
      bucketBytes = entries.count * entryBytes + 4 * buckets
    }

    var filterBytes: Int { lines * SegmentIndex.filterLineBytes }
    var directoryBytes: Int { 4 * (buckets + 1) }
  }

  /// Filter, directory and buckets; the entries are gone afterwards.
  private mutating func appendTable(_ shape: TableShape, to bytes: inout [UInt8]) {
    let filter = bytes.count
    let directory = filter + shape.filterBytes
    bytes.append(contentsOf: repeatElement(0, count: shape.filterBytes + shape.directoryBytes))
    let buckets = bytes.count
    var number = 0
    var packed: [UInt64] = []
    func note(_ bytes: inout [UInt8]) {
      bytes.put(u32: UInt32(bytes.count - buckets), at: directory + 4 * number)
    }
    func end(_ bytes: inout [UInt8], from start: Int) {
      packed.sort()
      for value in packed {
        for byte in 0..<shape.entryBytes {
          bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * byte)))
        }
      }
      packed.removeAll(keepingCapacity: true)
      let checksum = bytes.withUnsafeBytes { crc32c($0.slice(start..<$0.count)) }
      bytes.append(u32: checksum)
      number += 1
    }
    var start = buckets
    note(&bytes)
    entries.drain { entry in
      let hash = entry.hash
      let line = filter + SegmentIndex.bucket(hash, of: shape.lines) * SegmentIndex.filterLineBytes
      for probe in 0..<SegmentIndex.filterProbes {
        let bit = SegmentIndex.filterBit(hash, probe)
        bytes[line + bit >> 3] |= 1 << UInt8(bit & 7)
      }
      let bucket = SegmentIndex.bucket(hash, of: shape.buckets)
      while number < bucket {
        end(&bytes, from: start)
        start = bytes.count
        note(&bytes)
      }
      packed.append(
        SegmentIndex.remainder(hash, bits: shape.remainderBits) << UInt64(shape.valueBits + 1)
          | (entry.isList ? 1 << UInt64(shape.valueBits) : 0) | UInt64(entry.value))
    }
    while number < shape.buckets {
      end(&bytes, from: start)
      start = bytes.count
      note(&bytes)
    }
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

  mutating func put(u32 value: UInt32, at offset: Int) {
    for byte in 0..<4 {
      self[offset + byte] = UInt8(truncatingIfNeeded: value >> UInt32(8 * byte))
    }
  }
}
