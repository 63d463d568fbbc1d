internal import Synchronization

/// What stands where: shared by the writer and the readers of its process, or a reader's own.
///
/// The lock is held for lookups and for adding one block, never during input or output.
package final class LogIndex: Sendable {
  struct BlockEntry {
    var first: UInt64
    /// The greatest time in the log up to and with this block: grows along the log, so that a time
    /// is found by bisection.
    var latestTime: Int64
    var offset: UInt32
    var count: UInt32

    var last: UInt64 { first + UInt64(count) - 1 }
  }

  struct Segment {
    var path: String
    var header: SegmentHeader
    var blocks: ContiguousArray<BlockEntry> = []
    /// End of the last whole block.
    var end: UInt64

    var last: UInt64 { blocks.last?.last ?? header.first - 1 }
  }

  /// Where to read a block.
  struct Place: Sendable {
    var path: String
    var header: SegmentHeader
    var offset: UInt64
    /// Bytes until the next block or the end; not more than the block's own length after a gap.
    var extent: Int
    var first: UInt64
    var last: UInt64
  }

  private struct Stream {
    var name: String
    var revision: UInt64
    /// For each block that holds the stream: position and revision of its first event there.
    var positions: [UInt64]
    var revisions: [UInt64]
  }

  private struct State {
    var segments: [Segment] = []
    var gaps: [LogGap] = []
    var last: UInt64 = 0
    var epoch: UInt64 = 0
    var latestTime = Int64.min
    var streams: [Stream] = []
    var slotOf: [String: Int] = [:]
    var ids = FingerprintTable()
    var keys = PostingTable()
    var waiters: [Signal] = []

    mutating func slot(of name: String) -> Int {
      if let slot = slotOf[name] { return slot }
      slotOf[name] = streams.count
      streams.append(Stream(name: name, revision: 0, positions: [], revisions: []))
      return streams.count - 1
    }
  }

  private let state = Mutex(State())

  package init() {}

  // MARK: Growing

  func begin(segment header: SegmentHeader, path: String) {
    state.withLock {
      $0.segments.append(
        Segment(path: path, header: header, end: UInt64(header.encodedBytes)))
    }
  }

  /// Makes a block that stands at `offset` of the last segment visible to readers.
  func publish(_ header: BlockHeader, offset: UInt64, _ content: BlockContent) {
    let waiters = state.withLock { state -> [Signal] in
      state.latestTime = max(state.latestTime, header.maxTime)
      let segment = state.segments.count - 1
      state.segments[segment].blocks.append(
        BlockEntry(
          first: header.first, latestTime: state.latestTime, offset: UInt32(offset),
          count: header.count))
      state.segments[segment].end = offset + UInt64(header.extent)
      for (index, hash) in content.idHashes.enumerated() {
        state.ids.insert(hash: hash, position: header.first + UInt64(index))
      }
      for key in content.keys {
        state.keys.insert(hash: key.hash, position: header.first + UInt64(key.index))
      }
      for touch in content.touches {
        let slot = state.slot(of: touch.stream)
        state.streams[slot].revision = touch.lastRevision
        state.streams[slot].positions.append(header.first + UInt64(touch.firstIndex))
        state.streams[slot].revisions.append(touch.firstRevision)
      }
      state.last = header.last
      state.epoch = header.epoch
      if state.waiters.isEmpty { return [] }
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.post() }
  }

  /// Notes that the last segment is whole through `end`, where a block without events ends.
  func extend(to end: UInt64) {
    state.withLock { $0.segments[$0.segments.count - 1].end = end }
  }

  func add(gap: LogGap) { state.withLock { $0.gaps.append(gap) } }

  // MARK: Asking

  package var last: UInt64 { state.withLock { $0.last } }
  var epoch: UInt64 { state.withLock { $0.epoch } }
  var gaps: [LogGap] { state.withLock { $0.gaps } }
  var latestTime: Int64? { state.withLock { $0.last == 0 ? nil : $0.latestTime } }

  func segmentList() -> [Segment] {
    // Without the blocks: the caller wants a summary.
    state.withLock { state in
      state.segments.map { segment in
        var summary = segment
        summary.blocks = segment.blocks.last.map { [$0] } ?? []
        return summary
      }
    }
  }

  func revision(of stream: String) -> UInt64 {
    state.withLock { state in state.slotOf[stream].map { state.streams[$0].revision } ?? 0 }
  }

  func streams(withPrefix prefix: String) -> [(String, UInt64)] {
    state.withLock { state in
      state.streams.filter { $0.name.hasPrefix(prefix) }.map { ($0.name, $0.revision) }
    }
  }

  /// First positions of the runs of `stream` that may hold revision `from` or a later one.
  func runs(ofStream stream: String, from: UInt64) -> [UInt64] {
    state.withLock { state in
      guard let slot = state.slotOf[stream] else { return [] }
      let entry = state.streams[slot]
      let start = firstIndex(entry.revisions.count) { entry.revisions[$0] > from }
      return Array(entry.positions[max(0, start - 1)...])
    }
  }

  func candidates(idHash: UInt64) -> [UInt64] {
    state.withLock { $0.ids.candidates(hash: idHash) }
  }

  /// Indices of those `events` whose ids may be in the log.
  func suspects(among events: ContiguousArray<PreparedBatch.Event>) -> [Int] {
    state.withLock { state in
      events.indices.filter { state.ids.mayContain(hash: events[$0].idHash) }
    }
  }

  func candidates(keyHash: UInt64) -> [UInt64] {
    state.withLock { $0.keys.candidates(hash: keyHash) }
  }

  /// The block that holds `position`, or the first one after it.
  func place(atOrAfter position: UInt64) -> Place? {
    state.withLock { state in
      var segment = firstIndex(state.segments.count) { state.segments[$0].last >= position }
      while segment < state.segments.count {
        let blocks = state.segments[segment].blocks
        let block = firstIndex(blocks.count) { blocks[$0].last >= position }
        if block < blocks.count { return place(state.segments[segment], block) }
        segment += 1
      }
      return nil
    }
  }

  /// The first block that holds an event at or after `time`.
  func place(atOrAfterTime time: Int64) -> Place? {
    state.withLock { state in
      for segment in state.segments {
        guard let latest = segment.blocks.last?.latestTime, latest >= time else { continue }
        let block = firstIndex(segment.blocks.count) { segment.blocks[$0].latestTime >= time }
        return place(segment, block)
      }
      return nil
    }
  }

  private func place(_ segment: Segment, _ block: Int) -> Place {
    let entry = segment.blocks[block]
    let next =
      block + 1 < segment.blocks.count ? UInt64(segment.blocks[block + 1].offset) : segment.end
    return Place(
      path: segment.path, header: segment.header, offset: UInt64(entry.offset),
      extent: Int(next - UInt64(entry.offset)), first: entry.first, last: entry.last)
  }

  // MARK: Waiting

  /// Posts `signal` when an event after `position` is published, at once if there is one.
  func notify(after position: UInt64, _ signal: Signal) {
    let isThere = state.withLock { state in
      if state.last > position { return true }
      state.waiters.append(signal)
      return false
    }
    if isThere { signal.post() }
  }

  func forget(_ signal: Signal) {
    state.withLock { state in state.waiters.removeAll { $0 === signal } }
  }
}

/// The least index in 0..<count for which `holds`, which must be false, …, false, true, …, true.
private func firstIndex(_ count: Int, _ holds: (Int) -> Bool) -> Int {
  var (low, high) = (0, count)
  while low < high {
    let middle = (low + high) / 2
    if holds(middle) { high = middle } else { low = middle + 1 }
  }
  return low
}
