/// Writes the records of a segment into larger blocks, packed harder, with the index behind them; for one
/// owner at a time.
struct SegmentPacker {
  private let file: any DiskFile
  private let header: SegmentHeader
  private let seed: UInt32
  private let codec: BlockCodec
  private var builder: SegmentIndexBuilder
  /// Bytes on their way to the file, and where they belong.
  private let output = RawBuffer(capacity: 1 << 20)
  private var written: UInt64 = 0

  // The block in the making.
  private let body = RawBuffer(capacity: 2 * Limits.sealedBlockBytes)
  private var count: UInt32 = 0
  private var epoch: UInt64 = 0
  private var minTime = Int64.max
  private var maxTime = Int64.min
  private var chainBefore: Digest

  init(file: any DiskFile, header: SegmentHeader) {
    self.file = file
    self.header = header
    seed = checksumSeed(header.storeID)
    codec = BlockCodec(dictionary: header.dictionary, isHigh: true)
    builder = SegmentIndexBuilder(header: header)
    chainBefore = header.chainBefore
    let bytes = header.encoded()
    bytes.withUnsafeBytes { output.append($0) }
  }

  var next: UInt64 { builder.next }
  var chain: Digest { builder.chain }

  /// Adds the records of `block`.
  mutating func add(_ block: DecodedBlock) throws(StoreError) {
    // A block is of one epoch.
    if count > 0, block.header.epoch != epoch { try endBlock() }
    epoch = block.header.epoch
    var view = RecordView()
    var at = 0
    while at < block.body.count {
      let start = at
      let isWhole = block.body.withUnsafeBytes { bytes in
        guard view.parse(bytes, at: &at) else { return false }
        body.reserve(at - start)
        body.append(bytes.slice(start..<at))
        builder.add(view, bytes, leaf: view.leaf(bytes))
        return true
      }
      guard isWhole else {
        throw StoreError(
          .damaged, "block.record: the segment stays as it is", position: Position(next))
      }
      count += 1
      minTime = min(minTime, view.time)
      maxTime = max(maxTime, view.time)
      if body.count >= Limits.sealedBlockBytes || Int(count) == Limits.eventsPerBlock {
        try endBlock()
      }
    }
  }

  private mutating func endBlock() throws(StoreError) {
    let first = builder.next - UInt64(count)
    output.reserve(BlockHeader.bytes + BlockCodec.bound(body.count) + 8)
    let start = output.count
    let room = UnsafeMutableRawBufferPointer(
      rebasing: output.storage[(start + BlockHeader.bytes)...])
    let packed = codec.compress(body.bytes, into: room)
    if packed == nil { room.copyMemory(from: body.bytes) }
    let stored = packed ?? body.count
    for padding in stored..<aligned8(stored) { room[padding] = 0 }
    let block = BlockHeader(
      epoch: epoch, first: first, count: count, rawBytes: UInt32(body.count),
      storedBytes: UInt32(stored),
      bodyChecksum: crc32c(UnsafeRawBufferPointer(room).slice(0..<stored)), minTime: minTime,
      maxTime: maxTime, chainBefore: chainBefore, durableUpTo: first - 1,
      isCompressed: packed != nil)
    block.encode(
      into: UnsafeMutableRawBufferPointer(rebasing: output.storage[start...]), seed: seed)
    builder.endBlock(
      offset: written + UInt64(start), extent: block.extent, rawBytes: body.count, epoch: epoch)
    output.count = start + block.extent
    body.count = 0
    count = 0
    minTime = .max
    maxTime = .min
    chainBefore = builder.chain
    if output.count >= 1 << 19 { try writeOut() }
  }

  private mutating func writeOut() throws(StoreError) {
    try file.writeAll(output.bytes, at: written)
    written += UInt64(output.count)
    output.count = 0
  }

  /// Writes the rest and the index; nil if there was no record.
  mutating func finish() throws(StoreError) -> SegmentIndex? {
    if count > 0 { try endBlock() }
    try writeOut()
    guard let (index, bytes) = builder.finish(endOfBlocks: written) else { return nil }
    try file.writeAll(bytes, at: written)
    return index
  }
}
