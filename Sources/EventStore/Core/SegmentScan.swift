/// Reads the blocks of a finished segment in order and checks everything that docs/file-format.md asks of
/// them; the first damage ends it.
struct SegmentScan {
  let header: SegmentHeader
  private let path: String
  private let window: WindowedFile
  private let seed: UInt32
  private let end: UInt64
  private(set) var offset: UInt64
  private var next: UInt64
  private var epoch: UInt64

  /// Begins behind the segment's header; the blocks end at `end`.
  init(
    _ file: any DiskFile, path: String, header: SegmentHeader, end: UInt64
  ) throws(StoreError) {
    self.path = path
    self.header = header
    self.end = end
    window = WindowedFile(file)
    seed = checksumSeed(header.storeID)
    offset = UInt64(header.encodedBytes)
    next = header.first
    epoch = header.epoch
    let head = try window.bytes(at: 0, count: header.encodedBytes)
    guard (try? SegmentHeader(head)) == header else { throw damaged("segment.changed") }
  }

  /// The next block that has events, and where it begins; nil at the end.
  ///
  /// - Throws: `.damaged` with the rule that is broken; `.io`.
  mutating func nextBlock() throws(StoreError) -> (block: DecodedBlock, offset: UInt64)? {
    while offset < end {
      let header: BlockHeader
      let head = try window.bytes(at: offset, count: BlockHeader.bytes)
      do throws(BlockHeader.Fault) { header = try BlockHeader(head, seed: seed) } catch {
        switch error {
        case .damaged(let rule): throw damaged(rule)
        case .unknownFlags: throw damaged("block.flags")
        }
      }
      guard header.epoch >= epoch else { throw damaged("block.epoch") }
      guard header.first == next else { throw damaged("block.position") }
      guard offset + UInt64(header.extent) <= end else { throw damaged("block.incomplete-body") }
      let bytes = try window.bytes(at: offset, count: header.extent)
      let at = offset
      switch DecodedBlock.decode(header, bytes, dictionary: self.header.dictionary) {
      case .failure(let broken): throw damaged(broken.rule)
      case .success(let block):
        offset += UInt64(header.extent)
        epoch = header.epoch
        next = header.last + 1
        if !header.isWitness { return (block, at) }
      }
    }
    return nil
  }

  func damaged(_ rule: String) -> StoreError {
    StoreError(
      .damaged, "\(rule) at offset \(offset): the segment stays as it is", path: path,
      position: Position(next))
  }
}
