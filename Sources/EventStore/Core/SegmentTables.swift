/// What is known of a segment that has no index on disk yet, in memory.
struct SegmentTables {
  /// The blocks that hold a stream: position of the block's first event, revision of the stream's first
  /// event in it.
  struct Runs {
    var positions: [UInt64] = []
    var revisions: [UInt64] = []
  }

  var blocks: ContiguousArray<LogIndex.BlockEntry> = []
  /// The least and the greatest time in each block.
  private(set) var times: ContiguousArray<ClosedRange<Int64>> = []
  /// How many events stand before each block: the number of its first one.
  private var eventsBefore: ContiguousArray<UInt32> = []
  private var events: UInt32 = 0
  private var ids = FingerprintTable()
  private(set) var greatestID: UInt128 = 0
  private var keys = PostingTable()
  /// By the number that the log's index gave the stream.
  private(set) var runs: [Int: Runs] = [:]

  var last: UInt64? { blocks.last?.last }

  mutating func add(_ header: BlockHeader, offset: UInt64, _ content: BlockContent) {
    blocks.append(
      LogIndex.BlockEntry(
        first: header.first, latestTime: max(blocks.last?.latestTime ?? .min, header.maxTime),
        offset: offset, count: header.count, extent: UInt32(header.extent)))
    times.append(min(header.minTime, header.maxTime)...header.maxTime)
    greatestID = max(greatestID, content.greatestID)
    eventsBefore.append(events)
    for (index, hash) in content.idHashes.enumerated() {
      ids.insert(hash: hash, number: events + UInt32(index))
    }
    for key in content.keys { keys.insert(hash: key.hash, event: events + UInt32(key.index)) }
    events += header.count
  }

  /// Positions of the events that may have the id of `hash`.
  func positions(idHash hash: UInt64) -> [UInt64] { ids.candidates(hash: hash).map(position) }

  /// Positions of the events that may carry the key of `hash`, ascending.
  func positions(keyHash hash: UInt64) -> [UInt64] { keys.candidates(hash: hash).map(position) }

  /// Blocks follow one another without a hole, but for damage between them.
  private func position(ofEvent number: UInt32) -> UInt64 {
    let block = firstIndex(blocks.count) { eventsBefore[$0] > number } - 1
    return blocks[block].first + UInt64(number - eventsBefore[block])
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
