/// Reads segments forward and builds the index: for the writer's recovery and for readers alike.
///
/// Damage never stops a reader: it becomes a gap. An error while reading is thrown, since it says
/// nothing about where the log ends.
struct LogLoader {
  /// Bytes of the last segment behind its last whole block.
  struct Tail: Hashable {
    var segment: String
    var offset: UInt64
    var bytes: UInt64
    var rule: String
    /// The position the tail would have begun with.
    var first: UInt64
    /// A header of ours further on.
    var follower: BlockHeader?
    /// The highest `durableUpTo` of all headers of ours further on.
    var witness: UInt64 = 0
    /// The highest position that a header of ours further on speaks of.
    var claimed: UInt64 = 0
    /// The segment's own header is unusable; nothing of it was read.
    var isWholeSegment = false
  }

  /// Headers of ours behind damage.
  private struct Followers {
    var first: BlockHeader?
    var witness: UInt64 = 0
    var claimed: UInt64 = 0
  }

  enum Purpose { case writing, reading }

  private struct Current {
    var name: String
    var path: String
    var window: WindowedFile
    var header: SegmentHeader
    var seed: UInt32
    var offset: UInt64
    /// The last whole block, to compute the chain value behind it when it is asked for.
    var lastBlock: (offset: UInt64, header: BlockHeader)?
    /// Behind its blocks stands its index.
    var isSealed: Bool
  }

  /// The files of one segment.
  private struct Found {
    var first: UInt64
    var kinds: Set<SegmentName.Kind> = []
  }

  private let disk: any Disk
  private let directory: String
  private let index: LogIndex
  private let purpose: Purpose
  /// Also those of segments whose index is on disk.
  private let readsAllBlocks: Bool
  var accepted: AcceptedLosses { index.accepted }

  private(set) var storeID: UInt128?
  /// The position that the next event has.
  private(set) var next: UInt64 = 1
  /// Chain value before `next`; nil while it was not computed.
  private(set) var chain: Digest? = .zero
  private(set) var epoch: UInt64 = 0
  /// The highest `durableUpTo` of the blocks read, and of those in segments that cannot be read.
  private(set) var witness: UInt64 = 0
  /// The highest position that headers in segments that cannot be read speak of.
  private(set) var claimed: UInt64 = 0
  private(set) var tail: Tail?
  private(set) var events: UInt64 = 0
  private(set) var segments = 0
  /// Chain values behind the blocks of the last segment that were hashed, for comparison with witnesses.
  private(set) var chainAt: [UInt64: Digest] = [:]
  /// A position whose chain value is to be kept in `chainAt`, if it is met.
  var watched: UInt64 = 0
  /// Behind this position only blocks of at least this epoch were ever written.
  var floor: (position: UInt64, epoch: UInt64) = (0, 0)

  private var current: Current?
  /// The first position that the last segment's name gives.
  private var lastFirst: UInt64?
  private var lastOrdinal: UInt64?
  /// Damage whose end is not known before the next segment's header is read.
  private(set) var openGap: LogGap?
  /// It is in a sealed file, and so perhaps only in the index behind the blocks.
  private var isOpenGapSealed = false
  private var content = BlockContent()
  private var names = NameCache()

  init(
    disk: any Disk, directory: String, index: LogIndex, purpose: Purpose, storeID: UInt128?,
    readsAllBlocks: Bool = false
  ) {
    self.readsAllBlocks = readsAllBlocks
    self.disk = disk
    self.directory = directory
    self.index = index
    self.purpose = purpose
    self.storeID = storeID
  }

  /// File name, header and end of the segment that appends go to; nil if it cannot take any.
  var openSegment: (name: String, header: SegmentHeader, end: UInt64)? {
    current.flatMap { $0.isSealed ? nil : ($0.name, $0.header, $0.offset) }
  }

  /// The number of the segment after the last one.
  var nextOrdinal: UInt64 { lastOrdinal.map { $0 + 1 } ?? 0 }

  /// Reads everything that appeared since the last call.
  mutating func advance() throws(StoreError) {
    var found: [UInt64: Found] = [:]
    for name in try disk.list(directory + "/seg") {
      guard let (first, kind) = SegmentName.parse(name),
        lastFirst.map({ first > $0 }) ?? true
      else { continue }
      found[first, default: Found(first: first)].kinds.insert(kind)
    }
    // An index without its segment says nothing.
    let segments = found.values.filter { $0.kinds != [.index] }.sorted { $0.first < $1.first }
    tail = nil
    try scan(isLast: segments.isEmpty)
    for (number, segment) in segments.enumerated() {
      let isLast = number == segments.count - 1
      try openMissed(before: segment.first)
      try openAsFound(segment, isLast: isLast)
      try scan(isLast: isLast)
    }
  }

  /// Looks again at one segment of a log that was loaded before.
  ///
  /// - Returns: an index that holds this segment only.
  static func reload(
    disk: any Disk, directory: String, header: SegmentHeader, last: UInt64,
    accepted: AcceptedLosses, ignoringIndex: Bool
  ) throws(StoreError) -> LogIndex {
    let index = LogIndex(disk: disk, directory: directory, accepted: accepted)
    var loader = LogLoader(
      disk: disk, directory: directory, index: index, purpose: .reading, storeID: header.storeID,
      readsAllBlocks: ignoringIndex)
    loader.next = header.first
    loader.chain = header.chainBefore
    var found = Found(first: header.first)
    try loader.look(&found)
    try loader.openAsFound(found, isLast: false)
    try loader.scan(isLast: false)
    // Where no event is missing, the damage was in the index behind the blocks.
    if var gap = loader.openGap, gap.first.rawValue <= last {
      gap.last = Position(last)
      loader.note(gap, thenChain: nil)
    }
    return index
  }

  // MARK: Segments

  /// Opens the segments that should stand before the one of `first` and were not listed: a directory that
  /// changes while it is read may show neither the old name of a segment nor the new one.
  private mutating func openMissed(before first: UInt64) throws(StoreError) {
    while next < first, openGap == nil, lastFirst.map({ $0 < next }) ?? true {
      var missed = Found(first: next)
      try look(&missed)
      if missed.kinds.subtracting([.index]).isEmpty { return }
      try openAsFound(missed, isLast: false)
      try scan(isLast: false)
    }
  }

  private func look(_ found: inout Found) throws(StoreError) {
    found.kinds = []
    for kind in SegmentName.Kind.allCases
    where try disk.status(path(found.first, kind)) != nil { found.kinds.insert(kind) }
  }

  /// Opens a segment; looks again for files that are gone, since the sealer replaces and removes some.
  private mutating func openAsFound(
    _ found: Found, isLast: Bool
  ) throws(StoreError) {
    var found = found
    for _ in 0..<Limits.looksForFile {
      do throws(StoreError) {
        return try open(found, isLast: isLast)
      } catch {
        guard error.errno == Limits.noSuchFile else { throw error }
        try look(&found)
        if found.kinds.isEmpty { throw error }
      }
    }
    try open(found, isLast: isLast)
  }

  private mutating func open(_ found: Found, isLast: Bool) throws(StoreError) {
    // The chain value behind the finished segment must be the one its successor begins with.
    try computeChain()
    current = nil
    tail = nil
    var kind: SegmentName.Kind = found.kinds.contains(.sealed) ? .sealed : .raw
    var file = try disk.open(path(found.first, kind), .read)
    var tables: (index: IndexFile, file: any DiskFile)?
    if kind == .sealed {
      tables = try indexFile(file, found.first, .sealed).map { ($0, file) }
      if found.kinds.contains(.raw) {
        let original = try disk.open(path(found.first, .raw), .read)
        if try !isSealed(tables, insteadOf: original, found.first) {
          (kind, file, tables) = (.raw, original, nil)
        }
      }
    } else if !isLast, found.kinds.contains(.index) {
      // The last segment grows, and its end is judged: it is always read.
      let sidecar = try disk.open(path(found.first, .index), .read)
      tables = try indexFile(sidecar, found.first, .index).map { ($0, sidecar) }
    }
    if readsAllBlocks { tables = nil }
    let name = SegmentName.of(found.first, kind)
    let path = path(found.first, kind)
    // Beside an index nothing is read but the header.
    let window =
      tables == nil ? WindowedFile(file) : WindowedFile(file, step: SegmentHeader.maxBytes)
    let size = try window.size()
    let head = try window.bytes(at: 0, count: SegmentHeader.maxBytes)
    let parsed: Result<SegmentHeader, SegmentHeader.Fault>
    do throws(SegmentHeader.Fault) { parsed = .success(try SegmentHeader(head)) } catch {
      parsed = .failure(error)
    }
    let header: SegmentHeader
    switch parsed {
    case .success(let whole): header = whole
    case .failure(.unknownFormat(let what)):
      throw StoreError(
        .notAStore,
        "at offset 8: segment.format: \(what), unknown to this build; use the build that wrote it",
        path: path)
    case .failure(.damaged(let rule)):
      try unusable(
        name, found.first, rule, size: size, window: window, isLast: isLast && kind == .raw)
      return
    }
    if let storeID, header.storeID != storeID {
      refuse(path, "segment.store-id", "the segment belongs to another store", found.first)
      return
    }
    storeID = header.storeID
    guard found.first == header.first, header.first > 0 else {
      refuse(path, "segment.name", "name and header give different first positions", found.first)
      return
    }
    if header.first < next {
      refuse(path, "segment.overlap", "the segment repeats positions", found.first)
      return
    }
    if let ordinal = lastOrdinal, header.ordinal <= ordinal {
      refuse(path, "segment.ordinal", "the segment's number is not higher", found.first)
      return
    }
    if isOpenGapSealed, header.first == next {
      // No event is missing: the damage was in the index behind the blocks.
      openGap = nil
    }
    if var gap = openGap {
      gap.last = Position(header.first - 1)
      gap.maxTime = header.created
      note(gap, thenChain: header.chainBefore)
      openGap = nil
      chain = nil
    } else if header.first > next {
      addGap(
        path: path, offset: 0, first: next, last: header.first - 1, rule: "segment.missing",
        message: "positions are missing before this segment", maxTime: header.created,
        thenChain: header.chainBefore)
      chain = nil
    } else if let chain, chain != header.chainBefore {
      // Every event is readable, but this segment does not continue the one before.
      addGap(
        path: path, offset: 64, first: next, last: next - 1, rule: "segment.chain",
        message: "the segment does not continue the chain of the one before")
    } else if header.epoch < epoch {
      addGap(
        path: path, offset: 96, first: next, last: next - 1, rule: "segment.epoch",
        message: "the segment is of an older epoch than the one before")
    }
    segments += 1
    isOpenGapSealed = false
    lastFirst = found.first
    lastOrdinal = header.ordinal
    next = header.first
    chain = header.chainBefore
    epoch = max(epoch, header.epoch)
    if let (tables, file) = tables, try enter(header, path, tables, file, size: size) { return }
    index.begin(segment: header, path: path, isSealed: kind == .sealed)
    current = Current(
      name: name, path: path, window: tables == nil ? window : WindowedFile(file), header: header,
      seed: checksumSeed(header.storeID), offset: UInt64(header.encodedBytes),
      isSealed: kind == .sealed)
  }

  /// Whether a sealed file counts while its original is there too: not if its footer is damaged, and not if
  /// its blocks are and those of the original, which somebody may have restored, are whole.
  private func isSealed(
    _ tables: (index: IndexFile, file: any DiskFile)?, insteadOf original: any DiskFile,
    _ first: UInt64
  ) throws(StoreError) -> Bool {
    guard let (footer, file) = tables else { return false }
    let (sealedPath, rawPath) = (path(first, .sealed), path(first, .raw))
    if try isWhole(file, sealedPath, end: footer.index.endOfBlocks, footer.index) { return true }
    guard try isWhole(original, rawPath, end: try original.size(), footer.index) else {
      return true
    }
    index.add(
      fault: LogIndex.fault(path: sealedPath, first: first, RuleBroken(footer.rule(.blocks))))
    return false
  }

  /// Whether the blocks of a finished segment can all be read and end as `index` says.
  private func isWhole(
    _ file: any DiskFile, _ path: String, end: UInt64, _ index: SegmentIndex
  ) throws(StoreError) -> Bool {
    let head = RawBuffer(capacity: SegmentHeader.maxBytes)
    head.count = try file.read(into: head.storage, at: 0)
    guard let header = try? SegmentHeader(head.bytes) else { return false }
    do throws(StoreError) {
      var scan = try SegmentScan(file, path: path, header: header, end: end)
      var builder = SegmentIndexBuilder(header: header)
      while let (block, offset) = try scan.nextBlock() {
        guard builder.add(block, offset: offset) else { return false }
      }
      return builder.next == index.last + 1 && builder.chain == index.chainAfter
    } catch {
      guard error.code == .damaged else { throw error }
      return false
    }
  }

  private func path(_ first: UInt64, _ kind: SegmentName.Kind) -> String {
    directory + "/seg/" + SegmentName.of(first, kind)
  }

  /// The index in `file`; nil, and noted, if it is damaged.
  private func indexFile(
    _ file: any DiskFile, _ first: UInt64, _ kind: SegmentName.Kind
  ) throws(StoreError) -> IndexFile? {
    let path = path(first, kind)
    switch try IndexFile.read(file, path: path, isFooter: kind == .sealed) {
    case .success(let tables): return tables
    case .failure(let rule):
      index.add(fault: LogIndex.fault(path: path, first: first, rule))
      return nil
    }
  }

  /// Takes a finished segment from its index, without reading its blocks; false if the index does not fit.
  private mutating func enter(
    _ header: SegmentHeader, _ path: String, _ tables: IndexFile, _ file: any DiskFile,
    size: UInt64
  ) throws(StoreError) -> Bool {
    var rule = tables.misfit(header)
    if !tables.isFooter, tables.index.endOfBlocks != size {
      // The blocks are what counts; whatever is wrong with them shows when they are read.
      rule = rule ?? RuleBroken("index.length")
    }
    if rule == nil {
      switch try tables.section(.streams, file) {
      case .failure(let broken): rule = broken
      case .success(let bytes):
        let isEntered = bytes.withUnsafeBytes { bytes in
          IndexSection.Streams(bytes).map {
            index.enter(segment: header, path: path, tables, streams: $0)
          } ?? false
        }
        if !isEntered { rule = RuleBroken(tables.rule(.streams)) }
      }
    }
    if let rule {
      index.add(fault: LogIndex.fault(path: tables.path, first: header.first, rule))
      return false
    }
    events += tables.index.count
    next = tables.index.last + 1
    chain = tables.index.chainAfter
    epoch = max(epoch, tables.index.epoch)
    if tables.index.last == watched { chainAt[watched] = tables.index.chainAfter }
    return true
  }

  /// A segment whose header is damaged: its events cannot be read, since the dictionary is lost.
  private mutating func unusable(
    _ name: String, _ first: UInt64, _ rule: String, size: UInt64, window: WindowedFile,
    isLast: Bool
  ) throws(StoreError) {
    lastFirst = first
    let seed = storeID.map(checksumSeed) ?? 0
    let further = try followers(window, from: 0, size: size, seed: seed)
    if isLast {
      tail = Tail(
        segment: name, offset: 0, bytes: size, rule: rule, first: next, follower: further.first,
        witness: further.witness, claimed: further.claimed, isWholeSegment: true)
      // A reader looks again at the next refresh.
      lastFirst = first == 0 ? nil : first - 1
      return
    }
    segments += 1
    witness = max(witness, further.witness)
    claimed = max(claimed, further.claimed)
    if openGap == nil {
      openGap = gap(
        path: directory + "/seg/" + name, offset: 0, first: next, rule: rule,
        message: "the segment's header is damaged; its events cannot be read")
    }
    chain = nil
  }

  /// A segment that is whole but has no place in this log.
  private mutating func refuse(
    _ path: String, _ rule: String, _ message: String, _ first: UInt64
  ) {
    lastFirst = first
    segments += 1
    addGap(path: path, offset: 0, first: next, last: next - 1, rule: rule, message: message)
  }

  /// Computes the chain value before `next` from the last block, if it is not known.
  mutating func computeChain() throws(StoreError) {
    guard chain == nil, openGap == nil || isOpenGapSealed, let current,
      let last = current.lastBlock,
      last.header.last + 1 == next
    else { return }
    let bytes = try current.window.bytes(at: last.offset, count: last.header.extent)
    guard
      case .success(let block) = DecodedBlock.decode(
        last.header, bytes, dictionary: current.header.dictionary)
    else { return }
    chain = block.chain(through: last.header.last)
  }

  // MARK: Blocks

  private mutating func scan(isLast mayGrow: Bool) throws(StoreError) {
    guard var segment = current else { return }
    defer { current = segment }
    let isLast = mayGrow && !segment.isSealed
    segment.window.invalidate()
    let size = try segment.window.size()
    var bad: LogGap?
    var lookedAgainAt: UInt64?
    while segment.offset < size {
      if try isIndex(segment) { break }
      let rule: String
      switch try examine(&segment, afterDamage: bad != nil, isLast: isLast) {
      case .success(let header):
        if var gap = bad {
          gap.last = Position(header.first - 1)
          gap.maxTime = header.isWitness ? nil : header.minTime
          note(gap, thenChain: header.chainBefore)
          bad = nil
        }
        accept(header, &segment)
        continue
      case .failure(let broken): rule = broken.rule
      }
      let offset = segment.offset
      // What the writer wrote ahead is not written yet.
      if isLast, bad == nil,
        try ink(segment.window, from: offset, size: size) == offset
      {
        break
      }
      // What was accepted is passed over; of anything else the writer judges before it reads on.
      if isLast, purpose == .writing, !accepted.concerns(next) {
        tail = try tail(segment, at: offset, size: size, rule: rule)
        return
      }
      if bad == nil {
        bad = gap(
          path: segment.path, offset: offset, first: next, rule: rule,
          message: "a block breaks the format")
      }
      guard
        let found = try follower(segment.window, from: offset + 8, size: size, seed: segment.seed)
      else { break }
      // A read beside a writer may have passed here before it wrote, and further on after: what was written
      // later is seen, so that all before it is there to be read now, if it ever was.
      if isLast, purpose == .reading, lookedAgainAt != offset, bad?.offset == offset {
        lookedAgainAt = offset
        bad = nil
        segment.window.invalidate()
        continue
      }
      segment.offset = found.offset
    }
    guard let bad else { return }
    if isLast {
      // Read again from its beginning at the next refresh: it may be an append in progress.
      segment.offset = bad.offset
      tail = try tail(segment, at: bad.offset, size: size, rule: bad.rule)
    } else {
      openGap = bad
      isOpenGapSealed = segment.isSealed
      if !segment.isSealed { chain = nil }
    }
  }

  private func tail(
    _ segment: Current, at offset: UInt64, size: UInt64, rule: String
  ) throws(StoreError) -> Tail {
    let further = try followers(segment.window, from: offset + 8, size: size, seed: segment.seed)
    let end = try ink(segment.window, from: offset, size: size)
    return Tail(
      segment: segment.name, offset: offset, bytes: end - offset, rule: rule, first: next,
      follower: further.first, witness: further.witness, claimed: further.claimed)
  }

  /// Behind the last byte from `start` on that is not zero; `start` if there is none.
  private func ink(
    _ window: WindowedFile, from start: UInt64, size: UInt64
  ) throws(StoreError) -> UInt64 {
    var (at, end) = (start, start)
    while at < size {
      let bytes = try window.bytes(at: at, count: Int(min(size - at, 64 << 10)))
      if bytes.isEmpty { break }
      if let last = bytes.lastIndex(where: { $0 != 0 }) { end = at + UInt64(last) + 1 }
      at += UInt64(bytes.count)
    }
    return end
  }

  /// Here the blocks of a sealed segment end and its index begins.
  private func isIndex(_ segment: Current) throws(StoreError) -> Bool {
    guard segment.isSealed else { return false }
    return try segment.window.bytes(at: segment.offset, count: SegmentIndex.magic.count)
      .elementsEqual(SegmentIndex.magic)
  }

  /// Checks the block at the segment's offset and collects its content.
  private mutating func examine(
    _ segment: inout Current, afterDamage: Bool, isLast: Bool
  ) throws(StoreError) -> Result<BlockHeader, RuleBroken> {
    let head = try segment.window.bytes(at: segment.offset, count: BlockHeader.bytes)
    let header: BlockHeader
    switch parse(head, segment.seed) {
    case .success(let whole): header = whole
    case .failure(.damaged(let rule)): return .failure(RuleBroken(rule))
    case .failure(.unknownFlags(let flags)):
      throw StoreError(
        .notAStore,
        "at offset \(segment.offset): block.flags: \(flags) is unknown to this build; use the build that "
          + "wrote it", path: segment.path)
    }
    guard header.epoch >= leastEpoch(header) else {
      return .failure(RuleBroken("block.epoch"))
    }
    guard afterDamage ? header.first >= next : header.first == next else {
      return .failure(RuleBroken("block.position"))
    }
    if !afterDamage, let chain, chain != header.chainBefore {
      return .failure(RuleBroken("block.chain"))
    }
    let bytes = try segment.window.bytes(at: segment.offset, count: header.extent)
    let block: DecodedBlock
    switch DecodedBlock.decode(header, bytes, dictionary: segment.header.dictionary) {
    case .success(let whole): block = whole
    case .failure(let broken): return .failure(broken)
    }
    // What a manifest witnesses was hashed by its writer, and is by `verify`; opening hashes from there on.
    let isHashed = isLast && header.last >= watched
    return collect(block, isHashed: isHashed)
      ? .success(header) : .failure(RuleBroken("block.record"))
  }

  /// What stood on the disk before a file grew over it may be a whole block of ours, in its right place;
  /// only its epoch tells that its life is over.
  private func leastEpoch(_ header: BlockHeader) -> UInt64 {
    header.last > floor.position ? max(epoch, floor.epoch) : epoch
  }

  private func parse(
    _ bytes: UnsafeRawBufferPointer, _ seed: UInt32
  ) -> Result<BlockHeader, BlockHeader.Fault> {
    do throws(BlockHeader.Fault) { return .success(try BlockHeader(bytes, seed: seed)) } catch {
      return .failure(error)
    }
  }

  private mutating func collect(_ block: DecodedBlock, isHashed: Bool) -> Bool {
    content.removeAll()
    var chain: Digest? = isHashed || block.header.isWitness ? block.header.chainBefore : nil
    let watched = self.watched
    let isWhole = block.forEachRecord { index, view, bytes in
      content.add(
        id: view.id, stream: names.text(bytes.slice(view.stream)), revision: view.revision)
      view.forEachKey(bytes) { content.add(keyHash: PostingTable.hash(bytes.slice($0))) }
      if let before = chain {
        chain = before.chained(view.leaf(bytes))
        let position = block.header.first + UInt64(index)
        if position == watched { chainAt[position] = chain }
      }
      return true
    }
    if isWhole { chainAfter = chain }
    return isWhole
  }

  /// Chain value behind the block examined last; nil if it was not hashed.
  private var chainAfter: Digest?

  private mutating func accept(_ header: BlockHeader, _ segment: inout Current) {
    let end = segment.offset + UInt64(header.extent)
    if header.isWitness {
      index.extend(to: end)
    } else {
      index.publish(header, offset: segment.offset, content)
    }
    segment.lastBlock = (segment.offset, header)
    segment.offset = end
    events += UInt64(header.count)
    witness = max(witness, header.durableUpTo)
    epoch = header.epoch
    next = header.last + 1
    chain = chainAfter
  }

  // MARK: Behind damage

  /// The next header of ours at or behind `from` that may continue the log.
  private func follower(
    _ window: WindowedFile, from: UInt64, size: UInt64, seed: UInt32
  ) throws(StoreError) -> (offset: UInt64, header: BlockHeader)? {
    var offset = (from + 7) & ~7
    while offset + UInt64(BlockHeader.bytes) <= size {
      let bytes = try window.bytes(at: offset, count: 64 << 10)
      var at = 0
      while at + BlockHeader.bytes <= bytes.count {
        if bytes.u32(at) == BlockHeader.magic,
          case .success(let header) = parse(bytes.slice(at..<bytes.count), seed),
          header.first >= next, header.epoch >= leastEpoch(header)
        {
          return (offset + UInt64(at), header)
        }
        at += 8
      }
      if at == 0 { break }
      offset += UInt64(at)
    }
    return nil
  }

  /// The first such header, and the highest claims of all of them.
  private func followers(
    _ window: WindowedFile, from: UInt64, size: UInt64, seed: UInt32
  ) throws(StoreError) -> Followers {
    var all = Followers()
    var from = from
    while let found = try follower(window, from: from, size: size, seed: seed) {
      if all.first == nil { all.first = found.header }
      all.witness = max(all.witness, found.header.durableUpTo)
      all.claimed = max(all.claimed, found.header.last)
      from = found.offset + 8
    }
    return all
  }

  private func gap(
    path: String, offset: UInt64, first: UInt64, rule: String, message: String
  ) -> LogGap {
    LogGap(
      path: path, offset: offset, first: Position(first), last: nil, minTime: index.latestTime,
      maxTime: nil, rule: rule, message: message, isUnprovenTail: false)
  }

  private mutating func addGap(
    path: String, offset: UInt64, first: UInt64, last: UInt64, rule: String, message: String,
    maxTime: Int64? = nil, thenChain: Digest? = nil
  ) {
    var gap = gap(path: path, offset: offset, first: first, rule: rule, message: message)
    gap.last = Position(last)
    gap.maxTime = maxTime
    note(gap, thenChain: thenChain)
  }

  /// Adds a range that cannot be read; `thenChain` is the chain value with which the log goes on.
  private mutating func note(_ gap: LogGap, thenChain: Digest?) {
    let gap = accepted.marked(gap)
    let loss = accepted.covering(gap)
    index.add(gap: gap)
    // What was accepted is the loss, not whatever may stand behind it one day.
    guard let loss, loss.last == gap.last, let pinned = loss.chain, let thenChain,
      pinned != thenChain
    else { return }
    var other = gap
    (other.first, other.last) = (loss.last.next, loss.last)
    (other.rule, other.isAccepted) = ("accepted.chain", false)
    other.message = "the log does not go on as when the loss before it was accepted"
    index.add(gap: accepted.marked(other))
  }
}
