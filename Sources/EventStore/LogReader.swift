internal import Glibc
internal import Synchronization

/// A read-only view of a log.
///
/// Works beside a writing process and on a copy, and never changes a byte in the directory. Every
/// method may be called from any thread; reads block the calling thread on the file system.
public final class LogReader: Sendable {
  let disk: any Disk
  /// Where the log is: its directory, or a bundle's file.
  public let directory: String
  let index: LogIndex
  private let identity: UInt128
  /// Reads what another process appends; nil beside the writer, which fills the index itself.
  private let follower: Mutex<LogLoader?>
  let isBesideWriter: Bool
  /// What the bundle that this reads says of itself; nil: this reads a log's directory.
  public let bundle: BundleFacts?
  /// What follows the last whole block, as seen at the last refresh.
  private let tail = Mutex<LogLoader.Tail?>(nil)
  let blocks: BlockReader
  /// Waits until everything that was answered is written; set by the store for `queued` appends.
  private let barrier = Mutex<Barrier?>(nil)

  /// A closure that is stored bare in something generic is wrapped anew at each access, so that it grows and
  /// slows down for ever (Swift 6.3.1); within a type of its own it is not.
  private struct Barrier {
    let wait: @Sendable () -> Void
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
    blocks = BlockReader(index, isOfBundle: false)
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
    blocks = BlockReader(index, isOfBundle: true)
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
    blocks = BlockReader(index, isOfBundle: false)
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

  /// Whether a process may have the log open for writing now; also where that cannot be told.
  public var hasWriter: Bool {
    isBesideWriter || (bundle == nil && disk.isLocked(directory + "/LOCK") ?? true)
  }

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
    return try blocks.block(holding: position.rawValue)?.event(at: position.rawValue)
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
      try blocks.forEachRecord(of: candidate) { position, view, _ in
        if view.id == id { found = position }
        return found == nil
      }
      if let found { return found }
    }
    return nil
  }

  /// The epoch of the event at `position`.
  func epoch(at position: UInt64) throws(StoreError) -> UInt64? {
    try blocks.block(holding: position)?.header.epoch
  }

  /// Positions of all events that carry this lookup key, ascending.
  public func positions(forKey key: [UInt8]) throws(StoreError) -> [Position] {
    settle()
    var found: [Position] = []
    for candidate in try index.candidates(key: key) {
      // What was sealed between two candidates may give the same events again.
      let last = found.last?.rawValue ?? 0
      if case .event(let position) = candidate, position <= last { continue }
      try blocks.forEachRecord(of: candidate) { position, view, bytes in
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
        if let event = try blocks.block(holding: position)?.event(at: position) {
          events.append(event)
        }
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
      try blocks.forEachRecord(of: candidate) { position, view, bytes in
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
      if let block = try blocks.block(holding: here.first) {
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

  // MARK: The end

  /// What is wrong at the end of the log: bytes that are no block, or less than the manifest witnesses.
  func endGaps() throws(StoreError) -> [LogGap] {
    // A bundle was checked to its end when it was opened.
    if isBesideWriter || bundle != nil { return [] }
    let manifest = try? StoreFiles(disk: disk, directory: directory).manifest(identity)
    // Asked before the look: a tail that is seen without a writer stays as it is.
    let hasWriter = self.hasWriter
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
