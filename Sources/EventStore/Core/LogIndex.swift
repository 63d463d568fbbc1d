internal import Synchronization

/// What stands where: shared by the writer and the readers of its process, or a reader's own.
///
/// A segment is known from tables in memory until its index is on disk; from then on by its trailer, and
/// sections are read when a question needs them. The lock is never held during input or output.
package final class LogIndex: Sendable {
  struct BlockEntry {
    var first: UInt64
    /// The greatest time in the segment up to and with this block: grows, so that a time is found by
    /// bisection.
    var latestTime: Int64
    var offset: UInt64
    var count: UInt32
    var extent: UInt32

    var last: UInt64 { first + UInt64(count) - 1 }
  }

  struct Segment {
    var path: String
    var header: SegmentHeader
    /// End of the last whole block.
    var end: UInt64
    /// Position of its last event; the one before its first if it has none.
    var last: UInt64
    /// Greatest time in the log before this segment, and with it.
    var earlierTime: Int64
    var latestTime: Int64
    var isSealed: Bool
    /// Nil when there is an index on disk.
    var tables: SegmentTables?
    var index: IndexFile?

    /// Names the file in caches: a path may come to mean another one.
    var generation: UInt64 { isSealed ? index?.number ?? 0 : 0 }
  }

  /// Where to read a block.
  struct Place: Sendable, Equatable {
    var path: String
    var generation: UInt64
    var header: SegmentHeader
    var offset: UInt64
    var extent: Int
    var first: UInt64
    var last: UInt64

    static func == (a: Place, b: Place) -> Bool {
      a.offset == b.offset && a.generation == b.generation && a.path == b.path
        && a.extent == b.extent
    }
  }

  /// Where something may be found: what is there must be compared.
  enum Candidate {
    case event(UInt64)
    case block(Place)
  }

  /// A finished segment, for the sealer.
  struct Closed: Sendable {
    var path: String
    var header: SegmentHeader
    var end: UInt64
    var last: UInt64
    var isSealed: Bool
    var index: IndexFile?
    /// What its successor begins with.
    var next: (first: UInt64, chainBefore: Digest)
  }

  private struct Stream {
    var name: String
    var revision: UInt64
  }

  private struct State {
    var segments: [Segment] = []
    /// Numbers of the segments that have tables in memory.
    var inMemory: [Int] = []
    /// The greatest event id in any segment whose index is on disk.
    var greatestIndexedID: UInt128?
    var gaps: [LogGap] = []
    /// Footers and sidecars that are damaged; costs no event.
    var faults: [LogGap] = []
    var last: UInt64 = 0
    var epoch: UInt64 = 0
    var latestTime = Int64.min
    var streams: [Stream] = []
    var slotOf: [String: Int] = [:]
    var waiters: [Signal] = []
    var closed: Signal?

    mutating func slot(of name: String) -> Int {
      if let slot = slotOf[name] { return slot }
      slotOf[name] = streams.count
      streams.append(Stream(name: name, revision: 0))
      return streams.count - 1
    }

    mutating func noteTables() {
      inMemory = segments.indices.filter { segments[$0].tables != nil }
      greatestIndexedID = segments.lazy.compactMap { $0.index?.index.maxID }.max()
    }

    func number(first: UInt64) -> Int? {
      let number = firstIndex(segments.count) { segments[$0].header.first >= first }
      return number < segments.count && segments[number].header.first == first ? number : nil
    }
  }

  /// Why a question could not be answered from an index on disk.
  private enum Fault: Error {
    case failed(StoreError)
    case broken(IndexFile, RuleBroken)
    case gone(IndexFile)
  }

  private let disk: any Disk
  private let directory: String
  let accepted: AcceptedLosses
  /// Ids are found by a hash that nobody can aim at.
  private let isOfBundle: Bool
  private let state = Mutex(State())
  let files: FileCache
  private let sections = RecentCache<SectionKey, SectionValue>(bound: Limits.indexCacheBytes)
  /// One thread at a time replaces what was found broken or gone.
  private let replacing = Mutex<Void>(())

  private struct SectionKey: Hashable {
    var file: UInt64
    var section: SegmentIndex.Section
  }

  private enum SectionValue {
    case bytes([UInt8])
    case blocks(IndexSection.Blocks)
  }

  /// - Parameter accepted: what is found damaged is marked by it.
  init(
    disk: any Disk, directory: String, accepted: AcceptedLosses, isOfBundle: Bool = false
  ) {
    self.isOfBundle = isOfBundle
    self.disk = disk
    self.directory = directory
    self.accepted = accepted
    files = FileCache(disk: disk)
  }

  // MARK: Growing

  /// Adds a segment whose blocks will be published.
  func begin(segment header: SegmentHeader, path: String, isSealed: Bool = false) {
    let signal = state.withLock { state in
      append(
        Segment(
          path: path, header: header, end: UInt64(header.encodedBytes), last: header.first - 1,
          earlierTime: state.latestTime, latestTime: state.latestTime, isSealed: isSealed,
          tables: SegmentTables()), to: &state)
      return state.closed
    }
    signal?.post()
  }

  /// Adds a segment whose index is on disk; `streams` is that section of it.
  func enter(
    segment header: SegmentHeader, path: String, _ file: IndexFile, streams: IndexSection.Streams
  ) -> Bool {
    state.withLock { state in
      for number in 0..<streams.count {
        guard let entry = streams.entry(number) else { return false }
        let name = String(decoding: streams.bytes.slice(entry.name), as: UTF8.self)
        state.streams[state.slot(of: name)].revision = entry.lastRevision
      }
      append(
        Segment(
          path: path, header: header, end: file.index.endOfBlocks, last: file.index.last,
          earlierTime: state.latestTime, latestTime: max(state.latestTime, file.index.maxTime),
          isSealed: file.isFooter, index: file), to: &state)
      state.latestTime = max(state.latestTime, file.index.maxTime)
      state.last = file.index.last
      state.epoch = file.index.epoch
      return true
    }
  }

  private func append(_ segment: Segment, to state: inout State) {
    var segment = segment
    // Segments share their dictionary: one copy of it for all.
    if let before = state.segments.last?.header, before.dictionary == segment.header.dictionary {
      segment.header.dictionary = before.dictionary
    }
    state.segments.append(segment)
    if segment.tables != nil { state.inMemory.append(state.segments.count - 1) }
    if let greatest = segment.index?.index.maxID {
      state.greatestIndexedID = max(state.greatestIndexedID ?? greatest, greatest)
    }
  }

  /// Makes a block that stands at `offset` of the last segment visible to readers.
  func publish(_ header: BlockHeader, offset: UInt64, _ content: BlockContent) {
    let waiters = state.withLock { state -> [Signal] in
      state.latestTime = max(state.latestTime, header.maxTime)
      let number = state.segments.count - 1
      state.segments[number].tables?.add(header, offset: offset, content)
      for touch in content.touches {
        let slot = state.slot(of: touch.stream)
        state.streams[slot].revision = touch.lastRevision
        state.segments[number].tables?.add(
          stream: slot, block: header.first, revision: touch.firstRevision)
      }
      state.segments[number].end = offset + UInt64(header.extent)
      state.segments[number].last = header.last
      state.segments[number].latestTime = state.latestTime
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
  func add(fault: LogGap) {
    state.withLock { if !$0.faults.contains(fault) { $0.faults.append(fault) } }
  }

  // MARK: Sealing

  /// Posted whenever a segment is begun, and so another one finished.
  func setClosedSignal(_ signal: Signal?) { state.withLock { $0.closed = signal } }

  /// Finished segments that are not sealed, in order; without those in which, or directly behind which,
  /// something is damaged: they stay as they are.
  var unsealed: [Closed] {
    state.withLock { state in
      zip(state.segments, state.segments.dropFirst()).compactMap { segment, next in
        if segment.isSealed, segment.index != nil { return nil }
        let isDamaged = state.gaps.contains { gap in
          gap.first.rawValue <= next.header.first
            && max(gap.first, gap.last ?? gap.first).rawValue >= segment.header.first
        }
        if isDamaged { return nil }
        return Closed(
          path: segment.path, header: segment.header, end: segment.end, last: segment.last,
          isSealed: segment.isSealed, index: segment.index,
          next: (next.header.first, next.header.chainBefore))
      }
    }
  }

  /// From now on the segment that begins at `first` is known by `file`, and its blocks are read at `path`.
  func replace(first: UInt64, by file: IndexFile, path: String) {
    state.withLock { state in
      guard let number = state.number(first: first) else { return }
      state.segments[number].path = path
      state.segments[number].end = file.index.endOfBlocks
      state.segments[number].isSealed = file.isFooter
      state.segments[number].tables = nil
      state.segments[number].index = file
      state.noteTables()
      state.faults.removeAll { $0.first.rawValue == first }
    }
  }

  // MARK: Asking

  package var last: UInt64 { state.withLock { $0.last } }
  var epoch: UInt64 { state.withLock { $0.epoch } }
  var gaps: [LogGap] { state.withLock { $0.gaps } }
  var faults: [LogGap] { state.withLock { $0.faults } }
  var latestTime: Int64? { state.withLock { $0.last == 0 ? nil : $0.latestTime } }

  /// The segments, without their tables.
  func segmentList() -> [Segment] {
    state.withLock { state in
      state.segments.map { segment in
        var summary = segment
        summary.tables = nil
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

  /// Positions of the blocks that may hold revision `from` of `stream` or a later one, in order.
  func runs(
    ofStream stream: String, from: UInt64
  ) throws(StoreError) -> [ClosedRange<UInt64>] {
    let name = Array(stream.utf8)
    return try asking { () throws(Fault) in
      var parts: [[ClosedRange<UInt64>]] = []
      // Backwards, until a segment begins with the revision or an earlier one.
      var number = state.withLock { $0.segments.count }
      while number > 0 {
        number -= 1
        let (memory, first, segment) = state.withLock {
          state -> ([ClosedRange<UInt64>], UInt64?, Segment?) in
          guard let tables = state.segments[number].tables else {
            return ([], nil, state.segments[number])
          }
          guard let runs = state.slotOf[stream].flatMap({ tables.runs[$0] }) else {
            return ([], nil, nil)
          }
          let start = firstIndex(runs.revisions.count) { runs.revisions[$0] > from }
          let ranges = runs.positions[max(0, start - 1)...].map { position in
            let block = firstIndex(tables.blocks.count) { tables.blocks[$0].first >= position }
            return position...tables.blocks[block].last
          }
          return (ranges, runs.revisions.first, nil)
        }
        if let segment, let file = segment.index {
          let handle = try opened(file)
          let bytes = try section(.streams, file, handle)
          let found = try bytes.withUnsafeBufferPointer {
            (bytes) throws(Fault) -> IndexSection.Streams.Entry? in
            guard let streams = IndexSection.Streams(UnsafeRawBufferPointer(bytes)) else {
              throw broken(file, .streams)
            }
            do throws(RuleBroken) { return try streams.find(name) } catch {
              throw broken(file, .streams)
            }
          }
          guard let entry = found, entry.lastRevision >= from else { continue }
          let blocks = try blocks(segment.header, file, handle).entries
          let runBytes = try section(.runs, file, handle)
          guard
            let numbers = runBytes.withUnsafeBytes({
              IndexSection.runs($0, entry, from: from, blocks: blocks.count)
            })
          else { throw broken(file, .runs) }
          parts.append(numbers.map { blocks[$0].first...blocks[$0].last })
          if entry.firstRevision <= from { break }
        } else if let first {
          parts.append(memory)
          if first <= from { break }
        }
      }
      return parts.reversed().flatMap { $0 }
    }
  }

  /// Where the event with this id may be, most likely first.
  func candidates(id: UInt128) throws(StoreError) -> [Candidate] {
    let weakHash = isOfBundle ? FingerprintTable.seededHash(id) : FingerprintTable.hash(id)
    return try asking { () throws(Fault) in
      var found: [Candidate] = []
      let segments = state.withLock { state -> [Segment] in
        for number in state.inMemory.reversed() {
          guard let tables = state.segments[number].tables else { continue }
          for position in tables.positions(idHash: weakHash) { found.append(.event(position)) }
        }
        guard let greatest = state.greatestIndexedID, id <= greatest else { return [] }
        var fitting: [Segment] = []
        for number in state.segments.indices.reversed() {
          // Nothing is copied of the segments that do not fit.
          guard let file = state.segments[number].index, file.index.minID <= id,
            id <= file.index.maxID
          else { continue }
          fitting.append(state.segments[number])
        }
        return fitting
      }
      if segments.isEmpty { return found }
      let hash = SipHash(storeID: segments[0].header.storeID)(id)
      for segment in segments {
        for place in try places(hash, segment) { found.append(.block(place)) }
      }
      return found
    }
  }

  /// Indices of those `events` whose ids may be in the log.
  func suspects(among events: ContiguousArray<PreparedBatch.Event>) -> [Int] {
    state.withLock { state in
      events.indices.filter { number in
        let event = events[number]
        for segment in state.inMemory
        where state.segments[segment].tables?.mayHold(id: event.id, hash: event.idHash) == true {
          return true
        }
        guard let greatest = state.greatestIndexedID, event.id <= greatest else { return false }
        return state.segments.contains { segment in
          segment.index.map { $0.index.minID <= event.id && event.id <= $0.index.maxID } == true
        }
      }
    }
  }

  /// Where events that carry `key` may be, in the order of the log.
  func candidates(key: [UInt8]) throws(StoreError) -> [Candidate] {
    let weakHash = key.withUnsafeBytes { PostingTable.hash($0) }
    return try asking { () throws(Fault) in
      var found: [Candidate] = []
      var hash: UInt64?
      for number in 0..<state.withLock({ $0.segments.count }) {
        let (positions, segment) = state.withLock { state -> ([UInt64], Segment?) in
          if let tables = state.segments[number].tables {
            return (tables.positions(keyHash: weakHash), nil)
          }
          return ([], state.segments[number])
        }
        for position in positions { found.append(.event(position)) }
        guard let segment else { continue }
        let known =
          hash ?? key.withUnsafeBytes { SipHash(storeID: segment.header.storeID)($0) }
        hash = known
        for place in try places(known, segment) { found.append(.block(place)) }
      }
      return found
    }
  }

  /// The block that holds `position`, or the first one after it.
  func place(atOrAfter position: UInt64) throws(StoreError) -> Place? {
    try place(where: { $0.last >= position }, block: { $0.last >= position })
  }

  /// The first block that holds an event at or after `time`.
  func place(atOrAfterTime time: Int64) throws(StoreError) -> Place? {
    try place(where: { $0.latestTime >= time }, block: { $0.latestTime >= time })
  }

  /// The first block for which `isBlock` holds, in the first segment for which `isSegment` does; both hold
  /// for all that follow.
  private func place(
    where isSegment: (Segment) -> Bool, block isBlock: (BlockEntry) -> Bool
  ) throws(StoreError) -> Place? {
    func choose(_ blocks: ContiguousArray<BlockEntry>) -> Int {
      firstIndex(blocks.count) { isBlock(blocks[$0]) }
    }
    return try asking { () throws(Fault) in
      let (place, onDisk) = state.withLock { state -> (Place?, Segment?) in
        let segments = state.segments
        for at in firstIndex(segments.count, { isSegment(segments[$0]) })..<segments.count {
          guard let blocks = segments[at].tables?.blocks else { return (nil, segments[at]) }
          // Damage may have taken the blocks that made the segment fit.
          let number = choose(blocks)
          if number < blocks.count { return (Self.place(segments[at], blocks[number]), nil) }
        }
        return (nil, nil)
      }
      guard let segment = onDisk, let file = segment.index else { return place }
      let blocks = try blocks(segment.header, file, try opened(file)).entries
      let number = choose(blocks)
      guard number < blocks.count else { throw broken(file, .blocks) }
      return Self.place(segment, blocks[number])
    }
  }

  /// The blocks of the segment that holds `position`, or of the first one after it.
  func segment(
    atOrAfter position: UInt64
  ) throws(StoreError) -> (last: UInt64, index: IndexFile?, places: [Place])? {
    try asking { () throws(Fault) in
      let segment = state.withLock { state in state.segments.first { $0.last >= position } }
      guard let segment else { return nil }
      var entries = segment.tables?.blocks ?? []
      if let file = segment.index {
        entries = try blocks(segment.header, file, try opened(file)).entries
      }
      return (segment.last, segment.index, entries.map { Self.place(segment, $0) })
    }
  }

  /// A block that may hold a wanted time, and where to look on if it does not, or there is none.
  typealias TimeStep = (place: Place?, next: UInt64)

  /// The last block at or before `position` that may hold an event at or before `time`; nil: there is nothing there.
  func step(
    atOrBefore position: UInt64, atOrBeforeTime time: Int64
  ) throws(StoreError) -> TimeStep? {
    try asking { () throws(Fault) in
      let (step, onDisk) = state.withLock { state -> (TimeStep?, Segment?) in
        let segment = state.segments.last {
          $0.header.first <= position && $0.last >= $0.header.first
        }
        guard let segment else { return (nil, nil) }
        guard let tables = segment.tables else { return (nil, segment) }
        let end = firstIndex(tables.blocks.count) { tables.blocks[$0].first > position }
        guard let found = (0..<end).last(where: { tables.times[$0].lowerBound <= time }) else {
          return ((nil, segment.header.first - 1), nil)
        }
        let block = tables.blocks[found]
        return ((Self.place(segment, block), block.first - 1), nil)
      }
      guard let segment = onDisk, let file = segment.index else { return step }
      guard file.index.minTime <= time else { return (nil, segment.header.first - 1) }
      let entries = try blocks(segment.header, file, try opened(file)).entries
      let end = firstIndex(entries.count) { entries[$0].first > position }
      guard end > 0 else { return (nil, segment.header.first - 1) }
      return (Self.place(segment, entries[end - 1]), entries[end - 1].first - 1)
    }
  }

  /// The first block at or behind `position` that may hold an event outside of `times`; nil: there is nothing there.
  func step(
    atOrAfter position: UInt64, outside times: ClosedRange<Int64>
  ) throws(StoreError) -> TimeStep? {
    try asking { () throws(Fault) in
      let (step, onDisk) = state.withLock { state -> (TimeStep?, Segment?) in
        guard let segment = state.segments.first(where: { $0.last >= position }) else {
          return (nil, nil)
        }
        guard let tables = segment.tables else { return (nil, segment) }
        let first = firstIndex(tables.blocks.count) { tables.blocks[$0].last >= position }
        let found = (first..<tables.blocks.count).first {
          tables.times[$0].clamped(to: times) != tables.times[$0]
        }
        guard let found else { return ((nil, segment.last + 1), nil) }
        let block = tables.blocks[found]
        return ((Self.place(segment, block), block.last + 1), nil)
      }
      guard let segment = onDisk, let file = segment.index else { return step }
      if times.contains(file.index.minTime), times.contains(file.index.maxTime) {
        return (nil, segment.last + 1)
      }
      let entries = try blocks(segment.header, file, try opened(file)).entries
      let first = firstIndex(entries.count) { entries[$0].last >= position }
      guard first < entries.count else { return (nil, segment.last + 1) }
      return (Self.place(segment, entries[first]), entries[first].last + 1)
    }
  }

  private static func place(_ segment: Segment, _ entry: BlockEntry) -> Place {
    Place(
      path: segment.path, generation: segment.generation, header: segment.header,
      offset: entry.offset, extent: Int(entry.extent), first: entry.first, last: entry.last)
  }

  // MARK: Indexes on disk

  private func broken(_ file: IndexFile, _ section: SegmentIndex.Section) -> Fault {
    .broken(file, RuleBroken(file.rule(section)))
  }

  private func opened(_ file: IndexFile) throws(Fault) -> any DiskFile {
    do throws(StoreError) {
      return try files.open(file)
    } catch {
      throw error.errno == Limits.noSuchFile ? .gone(file) : .failed(error)
    }
  }

  private func section(
    _ section: SegmentIndex.Section, _ file: IndexFile, _ handle: any DiskFile
  ) throws(Fault) -> [UInt8] {
    let key = SectionKey(file: file.number, section: section)
    if case .bytes(let known)? = sections.value(key) { return known }
    let result: Result<[UInt8], RuleBroken>
    do throws(StoreError) { result = try file.section(section, handle) } catch {
      throw .failed(error)
    }
    switch result {
    case .failure(let rule): throw .broken(file, rule)
    case .success(let bytes):
      sections.insert(key, .bytes(bytes), cost: bytes.count)
      return bytes
    }
  }

  private func blocks(
    _ header: SegmentHeader, _ file: IndexFile, _ handle: any DiskFile
  ) throws(Fault) -> IndexSection.Blocks {
    let key = SectionKey(file: file.number, section: .blocks)
    if case .blocks(let known)? = sections.value(key) { return known }
    let result: Result<[UInt8], RuleBroken>
    do throws(StoreError) { result = try file.section(.blocks, handle) } catch {
      throw .failed(error)
    }
    switch result {
    case .failure(let rule): throw .broken(file, rule)
    case .success(let bytes):
      guard
        let blocks = bytes.withUnsafeBytes({ IndexSection.Blocks($0, file.index, header) })
      else { throw broken(file, .blocks) }
      sections.insert(
        key, .blocks(blocks), cost: blocks.entries.count * MemoryLayout<BlockEntry>.stride)
      return blocks
    }
  }

  /// The blocks of a segment on disk that may hold what has `hash`.
  private func places(_ hash: UInt64, _ segment: Segment) throws(Fault) -> [Place] {
    guard let file = segment.index else { return [] }
    let handle = try opened(file)
    let filter = try section(.filter, file, handle)
    guard filter.withUnsafeBytes({ SegmentIndex.mayHold(hash, filter: $0) }) else { return [] }
    let directory = try section(.directory, file, handle)
    let result: Result<[(value: UInt32, isList: Bool)], RuleBroken>
    do throws(StoreError) {
      result = try directory.withUnsafeBufferPointer { (directory) throws(StoreError) in
        try file.entries(hash, directory: UnsafeRawBufferPointer(directory), handle)
      }
    } catch {
      throw .failed(error)
    }
    guard case .success(let entries) = result else { throw broken(file, .buckets) }
    if entries.isEmpty { return [] }
    let blocks = try blocks(segment.header, file, handle).entries
    var places: [Place] = []
    for entry in entries {
      var numbers = [Int(entry.value)]
      if entry.isList {
        let lists = try section(.lists, file, handle)
        guard
          let listed = lists.withUnsafeBytes({
            IndexSection.list($0, entry.value, blocks: blocks.count)
          })
        else { throw broken(file, .lists) }
        numbers = listed
      }
      for number in numbers {
        guard number < blocks.count else { throw broken(file, .buckets) }
        places.append(Self.place(segment, blocks[number]))
      }
    }
    // Two hashes may share what an entry keeps of them.
    return places.count > 1 ? places.sorted { $0.first < $1.first } : places
  }

  // MARK: Replacing

  /// Answers from the indexes on disk; one that is broken or gone is replaced first.
  private func asking<T>(_ body: () throws(Fault) -> T) throws(StoreError) -> T {
    var looks = 0
    while true {
      do throws(Fault) { return try body() } catch {
        switch error {
        case .failed(let error): throw error
        case .broken(let file, let rule):
          try distrust(file, rule)
        case .gone(let file):
          looks += 1
          guard looks <= Limits.looksForFile else {
            throw StoreError(.io, "the file is gone", path: file.path, errno: Limits.noSuchFile)
          }
          try renew(file, ignoringIndex: false)
        }
      }
    }
  }

  /// Notes that an index is damaged; from now on its segment is known from its blocks.
  func distrust(_ file: IndexFile, _ rule: RuleBroken) throws(StoreError) {
    add(fault: Self.fault(path: file.path, first: file.index.first, rule))
    try renew(file, ignoringIndex: true)
  }

  /// Damage of an index: an empty range, since it costs no event.
  static func fault(path: String, first: UInt64, _ rule: RuleBroken) -> LogGap {
    // A name may say 0, which no position is.
    let first = max(1, first)
    return LogGap(
      path: path, offset: 0, first: Position(first), last: Position(first - 1), minTime: nil,
      maxTime: nil, rule: rule.rule,
      message: "the segment's index breaks the format; no event is lost",
      isUnprovenTail: false)
  }

  /// Looks at the directory again for the segment that `file` is the index of.
  private func renew(_ file: IndexFile, ignoringIndex: Bool) throws(StoreError) {
    try renew(ignoringIndex: ignoringIndex, first: file.index.first) { $0.index === file }
  }

  /// Looks at the directory again for the segment of `place`, whose file is gone.
  func renew(_ place: Place) throws(StoreError) {
    try renew(ignoringIndex: false, first: place.header.first) { segment in
      segment.path == place.path && segment.generation == place.generation
    }
  }

  private func renew(
    ignoringIndex: Bool, first: UInt64, isStill: (Segment) -> Bool
  ) throws(StoreError) {
    try replacing.withLock { (_) throws(StoreError) in
      let old = state.withLock { state -> Segment? in
        guard let number = state.number(first: first), isStill(state.segments[number]) else {
          return nil
        }
        var summary = state.segments[number]
        summary.tables = nil
        return summary
      }
      // Somebody else was faster.
      guard let old else { return }
      let found = try LogLoader.reload(
        disk: disk, directory: directory, header: old.header, last: old.last,
        accepted: accepted, ignoringIndex: ignoringIndex)
      state.withLock { state in
        guard let number = state.number(first: first), isStill(state.segments[number]) else {
          return
        }
        found.adopt(into: &state, number)
        // It may be made again.
        state.closed?.post()
      }
    }
  }

  /// Puts the one segment that this index holds into the place of segment `number` of another one.
  private func adopt(into other: inout State, _ number: Int) {
    let (found, names, gaps, faults) = state.withLock { own in
      (own.segments.first, own.streams.map(\.name), own.gaps, own.faults)
    }
    let old = other.segments[number]
    // Not even its header can be read: without blocks, or whoever asks would be sent here for ever.
    var segment =
      found
      ?? Segment(
        path: old.path, header: old.header, end: UInt64(old.header.encodedBytes),
        last: old.header.first - 1, earlierTime: old.earlierTime, latestTime: old.latestTime,
        isSealed: old.isSealed, tables: SegmentTables())
    segment.header = old.header
    segment.earlierTime = old.earlierTime
    segment.latestTime = old.latestTime
    if segment.tables != nil {
      var numbers: [Int] = []
      for name in names { numbers.append(other.slot(of: name)) }
      segment.tables?.renumber { numbers[$0] }
    }
    other.segments[number] = segment
    for gap in gaps where !other.gaps.contains(gap) { other.gaps.append(gap) }
    for fault in faults where !other.faults.contains(fault) { other.faults.append(fault) }
    other.noteTables()
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
func firstIndex(_ count: Int, _ holds: (Int) -> Bool) -> Int {
  var (low, high) = (0, count)
  while low < high {
    let middle = (low + high) / 2
    if holds(middle) { high = middle } else { low = middle + 1 }
  }
  return low
}
