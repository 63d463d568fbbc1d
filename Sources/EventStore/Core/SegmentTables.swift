/// What is known of a segment that has no index on disk yet, in memory.
struct SegmentTables {
  /// The blocks that hold a stream: position of the block's first event, revision of the stream's first
  /// event in it.
  struct Runs {
    var positions: [UInt64] = []
    var revisions: [UInt64] = []
  }

  var blocks: ContiguousArray<LogIndex.BlockEntry> = []
  private(set) var ids = FingerprintTable()
  private(set) var greatestID: UInt128 = 0
  private(set) var keys = PostingTable()
  /// By the number that the log's index gave the stream.
  private(set) var runs: [Int: Runs] = [:]

  var last: UInt64? { blocks.last?.last }

  mutating func add(_ header: BlockHeader, offset: UInt64, _ content: BlockContent) {
    blocks.append(
      LogIndex.BlockEntry(
        first: header.first, latestTime: max(blocks.last?.latestTime ?? .min, header.maxTime),
        offset: offset, count: header.count, extent: UInt32(header.extent)))
    greatestID = max(greatestID, content.greatestID)
    for (index, hash) in content.idHashes.enumerated() {
      ids.insert(hash: hash, position: header.first + UInt64(index))
    }
    for key in content.keys {
      keys.insert(hash: key.hash, position: header.first + UInt64(key.index))
    }
  }

  /// False only if no event here has this id.
  func mayHold(id: UInt128, hash: UInt64) -> Bool {
    // Ids are minted in the order of time, so that most new ones are greater than all that are here.
    id <= greatestID && ids.mayContain(hash: hash)
  }

  mutating func add(stream: Int, block: UInt64, revision: UInt64) {
    runs[stream, default: Runs()].positions.append(block)
    runs[stream, default: Runs()].revisions.append(revision)
  }

  /// Gives the streams other numbers.
  mutating func renumber(_ number: (Int) -> Int) {
    var renumbered: [Int: Runs] = [:]
    for (stream, runs) in runs { renumbered[number(stream)] = runs }
    runs = renumbered
  }
}
