/// The running state of a full check: pure, fed block by block.
struct Verification {
  private struct Seen {
    var revision: UInt64
    /// How many damaged ranges had been met: behind another one a jump is no fault.
    var gapsBefore: Int
  }

  private let from: UInt64
  private let through: UInt64
  private let faultsMax: Int
  var gaps: [LogGap] = []
  private var unreadableGaps = 0
  private var events: UInt64 = 0
  private var blocks: UInt64 = 0
  private var bytes: UInt64 = 0
  /// Computed from the events; nil behind damage, until the next block gives the value before it.
  private var chain: Digest?
  private var lastChain = Digest.zero
  private var next: UInt64 = 0
  private var epoch: UInt64 = 0
  private var streams: [String: Seen] = [:]
  private var faults: [String] = []
  private var faultCount = 0
  private var names = NameCache()
  /// The index of the present segment, built anew; nil if it has none or not all of it is looked at.
  private var rebuilt: SegmentIndexBuilder?

  init(from: UInt64, through: UInt64, faultsMax: Int) {
    self.from = from
    self.through = through
    self.faultsMax = faultsMax
    if from == 1 { (chain, next) = (.zero, 1) }
  }

  /// A segment is entered at the block of `place`; `head` is what stands at its beginning now.
  mutating func segment(_ place: LogIndex.Place, _ head: UnsafeRawBufferPointer) {
    let rule: String?
    do throws(SegmentHeader.Fault) {
      let header = try SegmentHeader(head)
      rule =
        header != place.header
        ? "segment.changed"
        : header.first == next && chain.map { $0 != header.chainBefore } == true
          ? "segment.chain" : header.epoch < epoch ? "segment.epoch" : nil
    } catch {
      switch error {
      case .damaged(let broken): rule = broken
      case .unknownFormat: rule = "segment.changed"
      }
    }
    if let rule {
      add(place, 0, place.header.first, rule, "the segment's header breaks the format")
    }
  }

  /// Its index is to be compared at its end; only if all of it is in the range.
  mutating func rebuildIndex(_ header: SegmentHeader) {
    rebuilt = SegmentIndexBuilder(header: header)
  }

  /// The index that follows from the segment's events; nil if they were not all readable.
  mutating func rebuiltIndex(endOfBlocks: UInt64) -> (index: SegmentIndex, bytes: [UInt8])? {
    defer { rebuilt = nil }
    return rebuilt?.finish(endOfBlocks: endOfBlocks)
  }

  mutating func unreadable(_ gap: LogGap) {
    rebuilt = nil
    gaps.append(gap)
    unreadableGaps += 1
    chain = nil
  }

  mutating func block(
    _ header: BlockHeader, _ body: UnsafeRawBufferPointer, _ place: LogIndex.Place
  ) {
    if next != 0, header.first != next {
      // The index lists the hole as a gap.
      unreadableGaps += 1
      chain = nil
    }
    if let chain, chain != header.chainBefore {
      add(
        place, place.offset, place.first, "block.chain", "the block does not continue the chain")
    }
    if header.epoch < epoch {
      add(place, place.offset, place.first, "block.epoch", "the block is of an older epoch")
    }
    epoch = max(epoch, header.epoch)
    var running = header.chainBefore
    var counted: UInt64 = 0
    var atEnd: Digest?
    let isWhole = header.forEachRecord(in: body, includingWithheld: true) { number, view in
      let leaf = view.leaf(body)
      running = running.chained(leaf)
      rebuilt?.add(view, body, leaf: leaf)
      let position = header.first + UInt64(number)
      if position >= from, position <= through {
        counted += 1
        atEnd = running
        // Which revision a withheld event has is not known.
        guard !view.isWithheld else {
          unreadableGaps += 1
          return true
        }
        revision(names.text(body.slice(view.stream)), view.revision, position)
      }
      return true
    }
    guard isWhole else {
      unreadable(
        LogGap(
          path: place.path, offset: place.offset, first: Position(place.first),
          last: Position(place.last), minTime: header.minTime, maxTime: header.maxTime,
          rule: "block.record", message: "a record breaks the format", isUnprovenTail: false))
      return
    }
    rebuilt?.endBlock(
      offset: place.offset, extent: header.extent, rawBytes: body.count,
      epoch: header.epoch)
    events += counted
    blocks += 1
    bytes += UInt64(header.extent)
    chain = running
    if let atEnd { lastChain = atEnd }
    next = header.last + 1
  }

  private mutating func revision(_ stream: String, _ revision: UInt64, _ position: UInt64) {
    defer { streams[stream] = Seen(revision: revision, gapsBefore: unreadableGaps) }
    let expected: UInt64
    if let seen = streams[stream] {
      if seen.gapsBefore != unreadableGaps, revision > seen.revision { return }
      expected = seen.revision + 1
    } else {
      // The window may begin, or damage may lie, behind the stream's first event.
      if from > 1 || unreadableGaps > 0 { return }
      expected = 1
    }
    guard revision != expected else { return }
    faultCount += 1
    if faults.count < faultsMax {
      faults.append(
        "stream \(stream): revision \(revision) at position \(position), expected \(expected)")
    }
  }

  /// Notes damage that costs no position.
  private mutating func add(
    _ place: LogIndex.Place, _ offset: UInt64, _ first: UInt64, _ rule: String, _ message: String
  ) {
    // The index may have it already, and know that it was accepted.
    let isKnown = gaps.contains {
      $0.path == place.path && $0.rule == rule && $0.first == Position(first) && $0.isEmpty
    }
    if isKnown { return }
    gaps.append(
      LogGap(
        path: place.path, offset: offset, first: Position(first), last: Position(first - 1),
        minTime: nil, maxTime: nil, rule: rule, message: message, isUnprovenTail: false))
  }

  var report: VerifyReport {
    var sentences = faults
    if faultCount > faults.count { sentences.append("and \(faultCount - faults.count) more") }
    return VerifyReport(
      first: Position(from), last: Position(through), events: events, blocks: blocks, bytes: bytes,
      chain: lastChain, gaps: gaps.sorted { $0.first < $1.first }, revisionFaults: sentences)
  }
}
