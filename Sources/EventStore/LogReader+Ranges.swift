/// Reading in the order of the log.
extension LogReader {
  /// Reads in order, from `from` through `through` (nil: to the end); damaged ranges come as `.gap`.
  ///
  /// The end is the last readable position at the time of the call.
  ///
  /// - Throws: what `body` throws, or `StoreError` (`.io`).
  public func scan(
    from: Position, through: Position?, _ body: (LogEntry) throws -> ScanStep
  ) throws {
    var names = NameCache()
    try forEachBlock(from: from, through: through, gap: { try body(.gap($0)) }) {
      header, bytes, wanted in
      // The events share an array of their block.
      let block = DecodedBlock(header: header, body: Array(bytes))
      var isStopped = false
      let isWhole = try block.forEachRecord(from: wanted.lowerBound) { number, view, bytes in
        guard number < wanted.upperBound else { return false }
        isStopped = try body(.event(block.event(number, view, bytes, &names))) == .stop
        return !isStopped
      }
      return isStopped ? .stopped : isWhole ? .whole : .broken
    }
  }

  /// Calls `body` with the events from `from` through `through`, in order.
  ///
  /// For short ranges near each other: their blocks are kept for the next call, where `scan` reads them anew. Events in
  /// damaged blocks are missing.
  ///
  /// - Throws: what `body` throws, or `StoreError` (`.io`).
  public func events(
    from: Position, through: Position, _ body: (StoredEvent) throws -> Void
  ) throws {
    settle()
    var names = NameCache()
    var at = max(1, from.rawValue)
    let last = min(through.rawValue, index.last)
    while let (block, first) = try blocks.nextBlock(&at, through: last) {
      _ = try block.forEachRecord(from: first) { number, view, bytes in
        guard block.header.first + UInt64(number) <= last else { return false }
        try body(block.event(number, view, bytes, &names))
        return true
      }
    }
  }

  /// Reads in order like `scan`, without copying: each event is lent to `event` for one call.
  ///
  /// - Parameter gap: called with each damaged range, where it lies between the events.
  /// - Throws: what `gap` and `event` throw, or `StoreError` (`.io`).
  public func scanViews(
    from: Position, through: Position?, gap: (LogGap) throws -> ScanStep,
    event: (borrowing EventView) throws -> ScanStep
  ) throws {
    try forEachBlock(from: from, through: through, gap: gap) { header, bytes, wanted in
      var view = EventView(bytes, epoch: Epoch(header.epoch))
      var at = 0
      for number in 0..<Int(header.count) {
        guard number < wanted.upperBound else { return .whole }
        let isParsed =
          header.isReduced
          ? view.record.parseReduced(bytes, at: &at) : view.record.parse(bytes, at: &at)
        guard isParsed else { return .broken }
        guard number >= wanted.lowerBound, !view.record.isWithheld else { continue }
        view.position = Position(header.first + UInt64(number))
        if case .stop = try event(view) { return .stopped }
      }
      return at == bytes.count ? .whole : .broken
    }
  }

  /// What came of a block's records.
  private enum Visit {
    case whole, broken, stopped
  }

  /// Reads, checks and decompresses the blocks of a range in order, and calls `block` with header, body
  /// and the numbers of those records that lie in the range.
  private func forEachBlock(
    from: Position, through: Position?, gap report: (LogGap) throws -> ScanStep,
    block visit: (BlockHeader, UnsafeRawBufferPointer, Range<Int>) throws -> Visit
  ) throws {
    settle()
    let endGaps = try endGaps()
    let end = min(through?.rawValue ?? .max, index.last)
    var known = index.gaps
    var gaps = Self.gaps(known + endGaps, from: from, through: through)[...]
    let decoder = BlockDecoder()
    var open: (place: LogIndex.Place, window: WindowedFile)?
    var at = max(1, from.rawValue)
    var epoch: UInt64 = 0
    while at <= end {
      let next = try index.place(atOrAfter: at)
      // Reading itself may show that more is damaged: when an index is broken its segment is read anew.
      let all = index.gaps
      if all.count > known.count {
        let more = Self.gaps(
          Array(all[known.count...]), from: Position(at), through: through)
        gaps = (gaps + more).sorted { $0.first < $1.first }[...]
        known = all
      }
      guard let place = next, place.first <= end else { break }
      while let gap = gaps.first, gap.first.rawValue <= place.first {
        gaps.removeFirst()
        if case .stop = try report(gap) { return }
      }
      if open?.place.path != place.path || open?.place.generation != place.generation {
        guard let file = try blocks.file(place) else { continue }
        open = (place, WindowedFile(file))
      }
      guard let window = open?.window else { return }
      let bytes = try window.bytes(at: place.offset, count: place.extent)
      let found: (header: BlockHeader, body: UnsafeRawBufferPointer)
      do throws(RuleBroken) {
        found.header = try blocks.header(place, bytes)
        guard found.header.epoch >= epoch else { throw RuleBroken("block.epoch") }
        found.body = try decoder.body(found.header, bytes, dictionary: place.header.dictionary)
      } catch {
        // Read again if the segment was sealed, or its index found broken, since the block was looked up.
        if try index.place(atOrAfter: at) != place { continue }
        if case .stop = try report(blocks.gap(place, error)) { return }
        at = place.last + 1
        continue
      }
      epoch = found.header.epoch
      let wanted = max(at, place.first) - place.first..<min(end, place.last) - place.first + 1
      switch try visit(found.header, found.body, Int(wanted.lowerBound)..<Int(wanted.upperBound)) {
      case .whole: break
      case .broken:
        if case .stop = try report(blocks.gap(place, RuleBroken("block.record"))) { return }
      case .stopped: return
      }
      at = place.last + 1
    }
    for gap in gaps {
      if case .stop = try report(gap) { return }
    }
  }

  /// Those of `gaps` that touch a range, in the order of positions.
  static func gaps(_ gaps: [LogGap], from: Position, through: Position?) -> [LogGap] {
    gaps.filter { gap in
      (gap.last ?? Position(.max)) >= from && gap.first <= (through ?? Position(.max))
    }
    .sorted { $0.first < $1.first }
  }
}
