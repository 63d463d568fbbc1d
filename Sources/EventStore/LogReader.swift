internal import Glibc
internal import Synchronization

/// A read-only view of a log.
///
/// Works beside a writing process and on a copy, and never changes a byte in the directory. Every
/// method may be called from any thread; reads block the calling thread on the file system.
public final class LogReader: Sendable {
  let disk: any Disk
  let directory: String
  private let index: LogIndex
  private let identity: UInt128
  /// Reads what another process appends; nil beside the writer, which fills the index itself.
  private let follower: Mutex<LogLoader?>
  let isBesideWriter: Bool
  /// What the bundle that this reads says of itself; nil: this reads a log's directory.
  public let bundle: BundleFacts?
  /// What follows the last whole block, as seen at the last refresh.
  private let tail = Mutex<LogLoader.Tail?>(nil)
  private let blocks = RecentCache<BlockKey, DecodedBlock>(bound: Limits.blockCacheBytes)
  /// Waits until everything that was answered is written; set by the store for `queued` appends.
  private let barrier = Mutex<Barrier?>(nil)

  /// A closure that is stored bare in something generic is wrapped anew at each access, so that it grows and
  /// slows down for ever (Swift 6.3.1); within a type of its own it is not.
  private struct Barrier {
    let wait: @Sendable () -> Void
  }

  private struct BlockKey: Hashable {
    var path: String
    var generation: UInt64
    var offset: UInt64
  }

  private enum Bounds {
    static let revisionFaults = 100
  }

  /// Shares the index of the writer in this process.
  package init(disk: any Disk, directory: String, index: LogIndex, storeID: UInt128) {
    self.disk = disk
    self.directory = directory
    self.index = index
    identity = storeID
    follower = Mutex(nil)
    isBesideWriter = true
    bundle = nil
  }

  /// Reads a bundle, of which all blocks are in `index`.
  init(disk: any Disk, path: String, index: LogIndex, storeID: UInt128, bundle: BundleFacts) {
    self.disk = disk
    directory = path
    self.index = index
    identity = storeID
    follower = Mutex(nil)
    isBesideWriter = false
    self.bundle = bundle
  }

  /// Reads by itself.
  package init(disk: any Disk, directory: String) throws(StoreError) {
    self.disk = disk
    self.directory = directory
    guard let status = try disk.status(directory + "/seg"), status.isDirectory else {
      throw StoreError(
        .notAStore, "store.missing: there is no log (no directory seg/) here",
        path: directory)
    }
    let files = StoreFiles(disk: disk, directory: directory)
    let format = try files.format()
    // Also beside a FORMAT: if the two are of different stores, no segment can be told to be ours.
    let manifest = try files.manifest(format?.storeID)
    var known = format?.storeID ?? manifest?.storeID
    if known == nil { known = try files.storeIDOfSegments() }
    let accepted = try known.map { (id) throws(StoreError) in try files.accepted(id) }
    let index = LogIndex(
      disk: disk, directory: directory, accepted: accepted ?? AcceptedLosses())
    self.index = index
    var loader = LogLoader(
      disk: disk, directory: directory, index: index, purpose: .reading, storeID: known)
    if let manifest {
      loader.watched = manifest.synced
      loader.floor = (manifest.synced, manifest.opened)
    }
    try loader.advance()
    guard let storeID = loader.storeID else {
      guard try files.hasLog() else {
        throw StoreError(
          .notAStore,
          "store.missing: making a log was cut short here, and nothing is in it; the next start makes it",
          path: directory)
      }
      throw StoreError(
        .notAStore,
        "store.identity: neither FORMAT nor a manifest nor a segment says which store this is; restore "
          + "one of them from a backup", path: directory)
    }
    identity = storeID
    let found = loader.tail
    follower = Mutex(loader)
    isBesideWriter = false
    bundle = nil
    tail.withLock { $0 = found }
  }

  /// Whether there is a log in `directory`; where making one was cut short before it had a name, there is none.
  ///
  /// - Throws: `.io`, `.permissions`.
  public static func isLog(_ directory: String) throws(StoreError) -> Bool {
    try StoreFiles(disk: PosixDisk(), directory: directory).hasLog()
  }

  /// Opens the log in `directory` and reads it once to build the index.
  ///
  /// Damage is no error here: it comes as `LogGap` from `scan` and `verify`.
  ///
  /// - Throws: `.notAStore`, `.io`.
  public static func open(directory: String) throws(StoreError) -> LogReader {
    try LogReader(disk: PosixDisk(), directory: directory)
  }

  /// Refuses to take the space that appends are about to need, for what can wait.
  ///
  /// - Throws: `.full`.
  package func requireHeadroom() throws(StoreError) {
    try disk.requireHeadroom(directory, beside: 0)
  }

  /// Nanoseconds of a clock that never goes back.
  package func monotonic() -> Int64 { disk.monotonic() }

  func setBarrier(_ wait: (@Sendable () -> Void)?) {
    barrier.withLock { $0 = wait.map { Barrier(wait: $0) } }
  }

  func settle() {
    let barrier = barrier.withLock { $0 }
    barrier?.wait()
  }

  /// The store's identity.
  public var storeID: UInt128 { identity }

  /// What the segment that holds `position` is packed with.
  func dictionary(at position: Position) -> [UInt8] {
    index.segmentList().last { $0.header.first <= position.rawValue }?.header.dictionary ?? []
  }

  /// Where ranges begin that say nothing else: 1, and in a bundle the first position of its window.
  public var first: Position { bundle?.first ?? Position(1) }

  /// The segments, in order.
  public var segments: [SegmentInfo] {
    settle()
    return index.segmentList().map { segment in
      SegmentInfo(
        path: segment.path, ordinal: segment.header.ordinal,
        first: Position(segment.header.first), last: Position(segment.last),
        bytes: segment.isSealed ? segment.end + (segment.index?.bytes ?? 0) : segment.end,
        created: segment.header.created, dictionaryBytes: segment.header.dictionary.count,
        isSealed: segment.isSealed, rawBytes: segment.index?.index.rawBytes)
    }
  }

  /// Reads what the writer appended since the last look.
  ///
  /// A half-written last block is not an error here.
  ///
  /// - Returns: the last readable position.
  @discardableResult
  public func refresh() throws(StoreError) -> Position {
    settle()
    if isBesideWriter { return Position(index.last) }
    let found = try follower.withLock { (loader) throws(StoreError) -> LogLoader.Tail? in
      try loader?.advance()
      return loader?.tail
    }
    tail.withLock { $0 = found }
    return Position(index.last)
  }

  /// The damaged ranges that are known without reading all again, those at the end included.
  ///
  /// - Throws: `.io`.
  public func damage() throws(StoreError) -> [LogGap] {
    settle()
    return (index.gaps + (try endGaps())).sorted { $0.first < $1.first }
  }

  /// The last readable position.
  public var last: Position {
    settle()
    return Position(index.last)
  }

  /// Epoch of the last event.
  public var epoch: Epoch {
    settle()
    return Epoch(index.epoch)
  }

  // MARK: Single events

  /// The event at `position`; nil if there is none or it lies in a damaged range.
  public func event(at position: Position) throws(StoreError) -> StoredEvent? {
    settle()
    return try block(holding: position.rawValue)?.event(at: position.rawValue)
  }

  /// Where the event with this id stands.
  public func position(of id: EventID) throws(StoreError) -> Position? {
    settle()
    return try find(id.rawValue).map { Position($0) }
  }

  /// The position of the event with this id among those published.
  func find(_ id: UInt128) throws(StoreError) -> UInt64? {
    for candidate in try index.candidates(id: id) {
      var found: UInt64?
      try forEachRecord(of: candidate) { position, view, _ in
        if view.id == id { found = position }
        return found == nil
      }
      if let found { return found }
    }
    return nil
  }

  /// The epoch of the event at `position`.
  func epoch(at position: UInt64) throws(StoreError) -> UInt64? {
    try block(holding: position)?.header.epoch
  }

  /// Positions of all events that carry this lookup key, ascending.
  public func positions(forKey key: [UInt8]) throws(StoreError) -> [Position] {
    settle()
    var found: [Position] = []
    for candidate in try index.candidates(key: key) {
      // What was sealed between two candidates may give the same events again.
      let last = found.last?.rawValue ?? 0
      if case .event(let position) = candidate, position <= last { continue }
      try forEachRecord(of: candidate) { position, view, bytes in
        if position > last, view.carries(key, bytes) { found.append(Position(position)) }
        return true
      }
    }
    return found
  }

  /// The newest events that carry each of `keys`, in log order, at most `count` of each.
  ///
  /// Costs the index and the blocks of those events: older ones of the same key are not read.
  public func events(
    forKeys keys: [[UInt8]], newest count: Int
  ) throws(StoreError) -> [[StoredEvent]] {
    settle()
    var found: [[StoredEvent]] = []
    for key in keys {
      var events: [StoredEvent] = []
      for position in try newest(count, ofKey: key).reversed() {
        if let event = try block(holding: position)?.event(at: position) { events.append(event) }
      }
      found.append(events)
    }
    return found
  }

  /// Positions of the newest events that carry a lookup key, descending.
  private func newest(_ count: Int, ofKey key: [UInt8]) throws(StoreError) -> [UInt64] {
    var found: [UInt64] = []
    for candidate in try index.candidates(key: key).reversed() {
      guard found.count < count else { break }
      // As in `positions(forKey:)`: what was sealed meanwhile may give the same events again.
      let first = found.last ?? .max
      if case .event(let position) = candidate, position >= first { continue }
      var here: [UInt64] = []
      try forEachRecord(of: candidate) { position, view, bytes in
        guard position < first else { return false }
        if view.carries(key, bytes) { here.append(position) }
        return true
      }
      found += here.reversed()
    }
    return Array(found.prefix(count))
  }

  /// The first event, in log order, whose time is at least `time`; the position after the last if there is none.
  public func firstPosition(atOrAfter time: Int64) throws(StoreError) -> Position {
    settle()
    var place = try index.place(atOrAfterTime: time)
    while let here = place {
      var found: UInt64?
      var last = here.last
      if let block = try block(holding: here.first) {
        _ = block.forEachRecord { number, view, _ in
          if view.time >= time { found = block.header.first + UInt64(number) }
          return found == nil
        }
        last = block.header.last
      }
      if let found { return Position(found) }
      place = try index.place(atOrAfter: last + 1)
    }
    return Position(index.last).next
  }

  // MARK: Streams

  /// The last revision of `stream`; `.none` if it has no event.
  public func revision(of stream: String) -> Revision {
    settle()
    return Revision(index.revision(of: stream))
  }

  /// Streams whose name begins with `prefix`, sorted by name.
  public func streams(withPrefix prefix: String) -> [(stream: String, revision: Revision)] {
    settle()
    return index.streams(withPrefix: prefix).map { ($0.0, Revision($0.1)) }
      .sorted { $0.stream < $1.stream }
  }

  /// Events of one stream in order, from revision `from` on.
  ///
  /// Events in damaged blocks are missing: compare revisions, or ask `verify`.
  public func events(
    ofStream stream: String, from: Revision
  ) throws(StoreError) -> [StoredEvent] {
    var events: [StoredEvent] = []
    try forwards(ofStream: stream, from: from) {
      events.append($0)
      return true
    }
    return events
  }

  /// Calls `body` with the events of one stream in order, from revision `from` on, until it returns false.
  ///
  /// Costs the index and the blocks that are looked at. Events in damaged blocks are missing, as in
  /// `events(ofStream:from:)`.
  public func forwards(
    ofStream stream: String, from: Revision, _ body: (StoredEvent) -> Bool
  ) throws(StoreError) {
    settle()
    var names = NameCache()
    let name = Array(stream.utf8)
    var at: UInt64 = 1
    for run in try index.runs(ofStream: stream, from: from.rawValue) {
      at = max(at, run.lowerBound)
      while let (block, first) = try nextBlock(&at, through: run.upperBound) {
        var isWanted = true
        _ = block.forEachRecord(from: first) { number, view, bytes in
          if view.revision >= from.rawValue, bytes.slice(view.stream).elementsEqual(name) {
            isWanted = body(block.event(number, view, bytes, &names))
          }
          return isWanted
        }
        guard isWanted else { return }
      }
    }
  }

  /// Calls `body` with a stream's events behind a position, in order, until it returns false.
  ///
  /// Costs the index and the blocks that are looked at. Events in damaged blocks are missing, as in
  /// `events(ofStream:from:)`.
  ///
  /// - Throws: what `body` throws, or `StoreError` (`.io`).
  public func forwards(
    ofStream stream: String, behind position: Position, _ body: (StoredEvent) throws -> Bool
  ) throws {
    settle()
    var names = NameCache()
    let name = Array(stream.utf8)
    let runs = try index.runs(ofStream: stream, from: 1)
    // The block that begins at or before the position may reach beyond it.
    let beginning = runs.lastIndex { $0.lowerBound <= position.rawValue } ?? 0
    var at: UInt64 = 1
    for run in runs[beginning...] {
      at = max(at, run.lowerBound)
      while let (block, first) = try nextBlock(&at, through: run.upperBound) {
        var isWanted = true
        _ = try block.forEachRecord(from: first) { number, view, bytes in
          if block.header.first + UInt64(number) > position.rawValue,
            bytes.slice(view.stream).elementsEqual(name)
          {
            isWanted = try body(block.event(number, view, bytes, &names))
          }
          return isWanted
        }
        guard isWanted else { return }
      }
    }
  }

  // MARK: Ranges

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
    while let (block, first) = try nextBlock(&at, through: last) {
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
        guard let file = try file(place) else { continue }
        open = (place, WindowedFile(file))
      }
      guard let window = open?.window else { return }
      let bytes = try window.bytes(at: place.offset, count: place.extent)
      let found: (header: BlockHeader, body: UnsafeRawBufferPointer)
      do throws(RuleBroken) {
        found.header = try header(place, bytes)
        guard found.header.epoch >= epoch else { throw RuleBroken("block.epoch") }
        found.body = try decoder.body(found.header, bytes, dictionary: place.header.dictionary)
      } catch {
        // Read again if the segment was sealed, or its index found broken, since the block was looked up.
        if try index.place(atOrAfter: at) != place { continue }
        if case .stop = try report(gap(place, error)) { return }
        at = place.last + 1
        continue
      }
      epoch = found.header.epoch
      let wanted = max(at, place.first) - place.first..<min(end, place.last) - place.first + 1
      switch try visit(found.header, found.body, Int(wanted.lowerBound)..<Int(wanted.upperBound)) {
      case .whole: break
      case .broken:
        if case .stop = try report(gap(place, RuleBroken("block.record"))) { return }
      case .stopped: return
      }
      at = place.last + 1
    }
    for gap in gaps {
      if case .stop = try report(gap) { return }
    }
  }

  /// Those of `gaps` that touch a range, in the order of positions.
  private static func gaps(_ gaps: [LogGap], from: Position, through: Position?) -> [LogGap] {
    gaps.filter { gap in
      (gap.last ?? Position(.max)) >= from && gap.first <= (through ?? Position(.max))
    }
    .sorted { $0.first < $1.first }
  }

  /// The chain value at `position` (`.origin`: zero).
  ///
  /// - Throws: `.damaged` if the position cannot be read or does not exist.
  public func chainValue(at position: Position) throws(StoreError) -> Digest {
    settle()
    if position == .origin { return .zero }
    if let bundle {
      if position == bundle.base { return bundle.chainBefore }
      guard position > bundle.base else {
        throw StoreError(
          .damaged, "the bundle has no chain value before position \(bundle.base)",
          path: directory, position: position)
      }
    }
    guard let chain = try block(holding: position.rawValue)?.chain(through: position.rawValue)
    else {
      throw StoreError(
        .damaged, "there is no readable event at \(position)", path: directory, position: position)
    }
    return chain
  }

  /// Reads every byte of the range and checks checksums, epochs, density, revisions and the chain.
  ///
  /// Damage does not throw: it is in the report.
  public func verify(
    from: Position, through: Position?, progress: ((Position) -> Void)?
  ) throws(StoreError) -> VerifyReport {
    settle()
    let endGaps = try endGaps()
    let end = min(through?.rawValue ?? .max, index.last)
    // What a bundle tells of the time before its base stands alone.
    let start = max(1, from.rawValue, (bundle?.base.rawValue ?? 0) + 1)
    let decoder = BlockDecoder()
    var check = Verification(from: start, through: end, faultsMax: Bounds.revisionFaults)
    let known = index.gaps
    check.gaps = Self.gaps(known + endGaps, from: from, through: through)
    var at = start
    while at <= end, let segment = try index.segment(atOrAfter: at),
      let head = segment.places.first, head.first <= end
    {
      guard let file = try file(head) else { continue }
      let window = WindowedFile(file)
      check.segment(head, try window.bytes(at: 0, count: SegmentHeader.maxBytes))
      if segment.index != nil, start <= head.header.first, segment.last <= end {
        check.rebuildIndex(head.header)
      }
      for place in segment.places where place.last >= at && place.first <= end {
        let bytes = try window.bytes(at: place.offset, count: place.extent)
        do throws(RuleBroken) {
          let header = try header(place, bytes)
          check.block(
            header, try decoder.body(header, bytes, dictionary: place.header.dictionary), place)
        } catch {
          check.unreadable(gap(place, error))
        }
        progress?(Position(min(place.last, end)))
      }
      if let tables = segment.index, let last = segment.places.last {
        let blocksEnd = tables.isFooter ? last.offset + UInt64(last.extent) : try file.size()
        let handle = tables.isFooter ? file : try? index.files.open(tables)
        if let built = check.rebuiltIndex(endOfBlocks: blocksEnd), let handle,
          let rule = try tables.difference(from: built, handle)
        {
          try index.distrust(tables, rule)
        }
      }
      at = segment.last + 1
    }
    // What was found while reading, of which only the index knows.
    for gap in Self.gaps(Array(index.gaps[known.count...]), from: from, through: through)
    where !check.gaps.contains(where: { $0.isSame(as: gap) }) { check.gaps.append(gap) }
    check.gaps += index.faults
    check.gaps = check.gaps.map(index.accepted.marked)
    return check.report
  }

  // MARK: Following

  /// Blocks the calling thread until there is something after `position` or the time is over.
  ///
  /// - Returns: the last readable position.
  public func waitForEvents(
    after position: Position, timeoutMilliseconds: Int
  ) throws(StoreError) -> Position {
    // A timeout of centuries is one of decades.
    let timeout = Int64(min(max(0, timeoutMilliseconds), 1 << 40))
    let deadline = disk.monotonic() + timeout * 1_000_000
    let signal = Signal()
    var pause: Int64 = 500_000
    while true {
      let last = try refresh()
      let left = deadline - disk.monotonic()
      if last > position || left <= 0 { return last }
      if isBesideWriter {
        index.notify(after: position.rawValue, signal)
        _ = signal.wait(nanoseconds: left)
        index.forget(signal)
      } else {
        // Another process does not call us; nobody posts this signal.
        _ = signal.wait(nanoseconds: min(left, pause))
        pause = min(pause * 2, 20_000_000)
      }
    }
  }

  // MARK: Blocks

  /// The block that holds `position`; nil if that cannot be read.
  func block(holding position: UInt64) throws(StoreError) -> DecodedBlock? {
    while let place = try index.place(atOrAfter: position), place.first <= position {
      switch try block(place) {
      case .success(let block)?: return block
      case .failure?: return nil
      // Sealed meanwhile, where other blocks begin at other positions.
      case nil: continue
      }
    }
    return nil
  }

  /// Calls `body` with the records in which something may be found, until it returns false.
  private func forEachRecord(
    of candidate: LogIndex.Candidate,
    _ body: (UInt64, RecordView, UnsafeRawBufferPointer) -> Bool
  ) throws(StoreError) {
    var (at, last): (UInt64, UInt64)
    switch candidate {
    case .event(let position): (at, last) = (position, position)
    case .block(let place): (at, last) = (place.first, place.last)
    }
    while let (block, first) = try nextBlock(&at, through: last) {
      var isWanted = true
      _ = block.forEachRecord(from: first) { number, view, bytes in
        let position = block.header.first + UInt64(number)
        isWanted = position <= last && body(position, view, bytes)
        return isWanted
      }
      guard isWanted else { return }
    }
  }

  /// The next readable block that holds a position from `at` through `last`, and which of its records is
  /// the first to count; moves `at` behind it.
  ///
  /// What was one block when it was looked up may be several, cut elsewhere, once the segment is sealed.
  private func nextBlock(
    _ at: inout UInt64, through last: UInt64
  ) throws(StoreError) -> (block: DecodedBlock, first: Int)? {
    while at <= last {
      if let block = try block(holding: at) {
        let first = Int(at - block.header.first)
        at = block.header.last + 1
        return (block, first)
      }
      guard let place = try index.place(atOrAfter: at) else { return nil }
      at = place.first > at ? place.first : place.last + 1
    }
    return nil
  }

  /// The block at `place`; nil if that is not where the index has it any more.
  private func block(
    _ place: LogIndex.Place
  ) throws(StoreError) -> Result<DecodedBlock, RuleBroken>? {
    let key = BlockKey(path: place.path, generation: place.generation, offset: place.offset)
    if let known = blocks.value(key) { return .success(known) }
    guard let file = try file(place) else { return nil }
    let buffer = RawBuffer(capacity: max(1, place.extent))
    buffer.count = try file.read(
      into: UnsafeMutableRawBufferPointer(rebasing: buffer.storage[..<place.extent]),
      at: place.offset)
    switch decode(place, buffer.bytes) {
    case .success(let block):
      blocks.insert(key, block, cost: block.body.count)
      return .success(block)
    case .failure(let broken):
      return try index.place(atOrAfter: place.first) == place ? .failure(broken) : nil
    }
  }

  /// Checks again what the index was built from: it may have changed on the disk since.
  private func header(
    _ place: LogIndex.Place, _ bytes: UnsafeRawBufferPointer
  ) throws(RuleBroken) -> BlockHeader {
    let header: BlockHeader
    do throws(BlockHeader.Fault) {
      header = try BlockHeader(
        bytes, seed: checksumSeed(place.header.storeID), isOfBundle: bundle != nil)
    } catch {
      switch error {
      case .damaged(let rule): throw RuleBroken(rule)
      case .unknownFlags: throw RuleBroken("block.flags")
      }
    }
    guard header.first == place.first, header.last == place.last else {
      throw RuleBroken("block.position")
    }
    return header
  }

  private func decode(
    _ place: LogIndex.Place, _ bytes: UnsafeRawBufferPointer
  ) -> Result<DecodedBlock, RuleBroken> {
    do throws(RuleBroken) {
      return DecodedBlock.decode(
        try header(place, bytes), bytes, dictionary: place.header.dictionary)
    } catch {
      return .failure(error)
    }
  }

  private func gap(_ place: LogIndex.Place, _ broken: RuleBroken) -> LogGap {
    index.accepted.marked(
      LogGap(
        path: place.path, offset: place.offset, first: Position(place.first),
        last: Position(place.last), minTime: time(at: place.first - 1),
        maxTime: time(at: place.last + 1), rule: broken.rule,
        message: "a block breaks the format", isUnprovenTail: false))
  }

  /// The time of an event beside damage; nil if that cannot be read either.
  private func time(at position: UInt64) -> Int64? {
    do throws(StoreError) {
      return try block(holding: position)?.event(at: position)?.time
    } catch {
      return nil
    }
  }

  /// The file of `place`; nil if it is gone and the index knows another place now.
  private func file(_ place: LogIndex.Place) throws(StoreError) -> (any DiskFile)? {
    do throws(StoreError) {
      return try index.files.open(place.path, generation: place.generation)
    } catch {
      guard error.errno == Limits.noSuchFile else { throw error }
      try index.renew(place)
      return nil
    }
  }

  // MARK: The end

  /// What is wrong at the end of the log: bytes that are no block, or less than the manifest witnesses.
  private func endGaps() throws(StoreError) -> [LogGap] {
    // A bundle was checked to its end when it was opened.
    if isBesideWriter || bundle != nil { return [] }
    let manifest = try? StoreFiles(disk: disk, directory: directory).manifest(identity)
    // Asked before the look: a tail that is seen without a writer stays as it is.
    let hasWriter = disk.isLocked(directory + "/LOCK") ?? true
    try refresh()
    var seen = tail.withLock { $0 }
    // An append in progress is over in a moment; a torn one stays as it is.
    var looks = 0
    while hasWriter, let before = seen, looks < 3 {
      _ = Signal().wait(nanoseconds: 5_000_000)
      try refresh()
      seen = tail.withLock { $0 }
      looks = seen == before ? looks + 1 : 0
    }
    let gap = follower.withLock { loader -> LogGap? in
      guard let loader else { return nil }
      let end = EndOfLog(loader, directory: directory, manifest: manifest, time: index.latestTime)
      return end.gap.map { index.accepted.marked($0) }
    }
    return gap.map { [$0] } ?? []
  }
}
