/// What goes into a bundle.
public struct BundlePlan: Sendable {
  /// The window: every position of it is in the bundle.
  public var window: ClosedRange<Position>
  /// Positions before the window, ascending, whose events go with it.
  public var earlier: [Position]
  /// Positions of the window of which only the leaf is kept.
  public var withheld: Set<Position> = []
  /// Whether `earlier` has all that was configured before.
  public var isHistoryWhole: Bool
  /// Whether only what `note` says is kept.
  public var isMinimised = false
  /// What the bundle is to show; at most 4,096 bytes.
  public var note = ""
  /// A public part as it is to be shown, which must be one that can be read; nil: as it is.
  public var alter: @Sendable (StoredEvent, PublicRecord) throws(StoreError) -> [UInt8]? = {
    _, _ throws(StoreError) in nil
  }

  /// A plan that keeps the window as it is.
  public init(window: ClosedRange<Position>, earlier: [Position], isHistoryWhole: Bool) {
    self.window = window
    self.earlier = earlier
    self.isHistoryWhole = isHistoryWhole
  }
}

extension LogReader {
  /// Events that a bundle has at most, those included of which it has the leaf only.
  public static var bundleEventsMax: UInt64 { Limits.bundleEvents }

  /// Writes a bundle of this log: the same plan and log give the same bytes.
  ///
  /// It appears whole under its name or not at all, and nothing is overwritten.
  ///
  /// - Throws: `.damaged` with the first position that cannot be read, `.invalidDraft` for a plan that breaks a
  ///   bound or a path where something stands, `.io`, `.full`.
  public func writeBundle(
    _ plan: BundlePlan, to path: String, progress: ((Position) -> Void)? = nil
  ) throws(StoreError) -> BundleFacts {
    settle()
    let machine = PosixDisk()
    guard try machine.status(path) == nil else {
      throw StoreError(
        .invalidDraft, "something stands there already; name another file, or remove it",
        path: path)
    }
    let temporary = path + ".tmp"
    if try machine.status(temporary) != nil { try machine.remove(temporary) }
    let file = try machine.open(temporary, .createNew)
    do throws(StoreError) {
      defer { file.close() }
      let facts = try writeBundle(plan, to: file, progress: progress)
      try file.sync()
      try machine.rename(temporary, path)
      return facts
    } catch {
      try? machine.remove(temporary)
      throw error
    }
  }

  /// The chain before a position: behind the event before it, or as its own block says where that cannot be read.
  private func chain(before first: Position) throws(StoreError) -> Digest {
    do throws(StoreError) {
      return try chainValue(at: Position(first.rawValue - 1))
    } catch {
      guard error.code == .damaged, bundle == nil,
        let header = try blocks.block(holding: first.rawValue)?.header,
        header.first == first.rawValue
      else { throw error }
      return header.chainBefore
    }
  }

  /// Writes a bundle into an empty file.
  package func writeBundle(
    _ plan: BundlePlan, to file: any DiskFile, progress: ((Position) -> Void)? = nil
  ) throws(StoreError) -> BundleFacts {
    let (first, last) = (plan.window.lowerBound, plan.window.upperBound)
    let base = Position(first.rawValue - 1)
    let count = last.rawValue - base.rawValue + UInt64(plan.earlier.count)
    guard first.rawValue > 0, count <= Limits.bundleEvents else {
      throw StoreError(
        .invalidDraft,
        "a bundle holds at most \(Limits.bundleEvents) events, and this one would have \(count): make its window narrower"
      )
    }
    guard plan.note.utf8.count <= Limits.bundleNoteBytes else {
      throw StoreError(.invalidDraft, "a bundle's note has at most \(Limits.bundleNoteBytes) bytes")
    }
    var header = BundleHeader(
      storeID: storeID,
      facts: BundleFacts(
        base: base, first: first, last: last, chainBefore: try chain(before: first),
        chain: try chainValue(at: last), isHistoryWhole: plan.isHistoryWhole,
        isMinimised: plan.isMinimised, note: plan.note))
    // For a few events it would be longer than they are.
    let dictionary = plan.isMinimised ? [] : self.dictionary(at: last)
    var offset = UInt64(header.encodedBytes)
    if let beginning = plan.earlier.first {
      var part = try BundlePartWriter(
        self, file, at: offset, beginning: beginning, dictionary: dictionary, ordinal: 0,
        chain: nil)
      for position in plan.earlier {
        guard position <= base else {
          throw StoreError(
            .invalidDraft, "position \(position) is not before the bundle's window")
        }
        try part.add(position, plan)
        header.facts.earlier += 1
      }
      header.earlier = try part.finish()
      header.facts.altered += part.altered
      offset += header.earlier.bytes
    }
    var part = try BundlePartWriter(
      self, file, at: offset, beginning: base.next, dictionary: dictionary, ordinal: 1,
      chain: header.facts.chainBefore)
    for position in base.rawValue + 1...last.rawValue {
      try part.add(Position(position), plan)
      if position % 4_096 == 0 { progress?(Position(position)) }
    }
    header.window = try part.finish()
    guard part.chain == header.facts.chain else {
      throw StoreError(.damaged, "the log does not give its own chain value", position: last)
    }
    header.facts.altered += part.altered
    header.facts.withheld = part.withheld
    header.facts.events = last.rawValue - base.rawValue - part.withheld
    let bytes = header.encoded()
    try file.writeAll(bytes, at: 0)
    header.facts.digest = bytes.suffix(32).withUnsafeBytes { $0.digest(0) }
    header.facts.bytes = offset + header.window.bytes
    guard header.facts.bytes <= Limits.bundleBytes else {
      throw StoreError(
        .invalidDraft,
        "a bundle has at most \(Limits.bundleBytes) bytes, and this one would have \(header.facts.bytes): make its window narrower"
      )
    }
    return header.facts
  }
}

/// Writes one part of a bundle: a segment's header, then blocks of reduced records.
private struct BundlePartWriter {
  private let log: LogReader
  private let file: any DiskFile
  private let start: UInt64
  private let seed: UInt32
  private let codec: BlockCodec
  private var digest = PartDigest()
  private var written: UInt64 = 0
  private let body = RawBuffer(capacity: 2 * Limits.sealedBlockBytes)
  private let output = RawBuffer(capacity: 4 * Limits.sealedBlockBytes)
  /// The block that is read, and how far.
  private var source: DecodedBlock?
  // The block in the making.
  private var first: UInt64 = 0
  private var count: UInt32 = 0
  private var epoch: UInt64 = 0
  private var minTime = Int64.max
  private var maxTime = Int64.min
  private var chainBefore: Digest
  /// Behind what was added; nil where the events do not follow one another.
  private(set) var chain: Digest?
  private(set) var altered: UInt64 = 0
  private(set) var withheld: UInt64 = 0

  init(
    _ log: LogReader, _ file: any DiskFile, at start: UInt64, beginning: Position,
    dictionary: [UInt8], ordinal: UInt64, chain: Digest?
  ) throws(StoreError) {
    self.log = log
    self.file = file
    self.start = start
    self.chain = chain
    chainBefore = chain ?? .zero
    seed = checksumSeed(log.storeID)
    source = try Self.block(log, beginning.rawValue)
    guard let source else { throw Self.unreadable(beginning.rawValue) }
    codec = BlockCodec(dictionary: dictionary, isHigh: true)
    let header = SegmentHeader(
      storeID: log.storeID, ordinal: ordinal, first: beginning.rawValue,
      created: source.event(at: beginning.rawValue)?.time ?? source.header.minTime,
      epoch: source.header.epoch,
      chainBefore: chainBefore, dictionary: dictionary)
    try write(header.encoded())
  }

  private static func block(
    _ log: LogReader, _ position: UInt64
  ) throws(StoreError) -> DecodedBlock? {
    try log.blocks.block(holding: position)
  }

  private static func unreadable(_ position: UInt64) -> StoreError {
    StoreError(
      .damaged,
      "position \(position) cannot be read; a bundle has no holes: take a window that ends before it or begins "
        + "behind it", position: Position(position))
  }

  private mutating func write(_ bytes: [UInt8]) throws(StoreError) {
    bytes.withUnsafeBytes { digest.add($0) }
    try file.writeAll(bytes, at: start + written)
    written += UInt64(bytes.count)
  }

  /// Adds the event at `position`, which is behind the one before.
  mutating func add(_ position: Position, _ plan: BundlePlan) throws(StoreError) {
    let at = position.rawValue
    if source.map({ !($0.header.first...$0.header.last).contains(at) }) ?? true {
      source = try Self.block(log, at)
    }
    guard let source else { throw Self.unreadable(at) }
    let follows = count > 0 && first + UInt64(count) == at && epoch == source.header.epoch
    if count > 0, !follows { try endBlock() }
    if count == 0 { (first, epoch) = (at, source.header.epoch) }
    let wanted = Int(at - source.header.first)
    try source.body.withUnsafeBufferPointer { (body) throws(StoreError) in
      let bytes = UnsafeRawBufferPointer(body)
      var found: RecordView?
      let isWhole = source.header.forEachRecord(in: bytes, from: wanted, includingWithheld: true) {
        if $0 == wanted { found = $1 }
        return false
      }
      guard isWhole, let view = found else { throw Self.unreadable(at) }
      var names = NameCache()
      let isKept = !view.isWithheld && !plan.withheld.contains(position)
      try add(view, bytes, isKept ? source.event(wanted, view, bytes, &names) : nil, plan)
    }
    count += 1
    if body.count >= Limits.sealedBlockBytes || Int(count) == Limits.eventsPerBlock {
      try endBlock()
    }
  }

  private mutating func add(
    _ view: RecordView, _ bytes: UnsafeRawBufferPointer, _ event: StoredEvent?,
    _ plan: BundlePlan
  ) throws(StoreError) {
    let leaf = view.leaf(bytes)
    chain = chain?.chained(leaf)
    guard let event else {
      withheld += 1
      put(.leaf, leaf, nil, UnsafeRawBufferPointer(start: nil, count: 0))
      return
    }
    minTime = min(minTime, view.time)
    maxTime = max(maxTime, view.time)
    let length = view.sealedBytes
    let publicPart = bytes.slice(view.publicPart)
    if !view.givenLeaf.isEmpty {
      altered += 1
      put(.altered, leaf, length, publicPart)
      return
    }
    let record = PublicRecord(bytes: Array(publicPart), sealedDigest: view.digestOfSealed(bytes))
    if let other = try plan.alter(event, record) {
      altered += 1
      other.withUnsafeBytes { put(.altered, leaf, length, $0) }
    } else if length > 0 {
      put(.sealed, record.sealedDigest, length, publicPart)
    } else {
      put(.whole, nil, nil, publicPart)
    }
  }

  private func put(
    _ form: ReducedRecord.Form, _ digest: Digest?, _ sealedBytes: Int?,
    _ publicPart: UnsafeRawBufferPointer
  ) {
    let length = sealedBytes.map { varintSize(UInt64($0)) } ?? 0
    let size = 1 + (digest == nil ? 0 : 32) + length + publicPart.count
    body.reserve(varintSize(UInt64(size)) + size)
    body.append(varint: UInt64(size))
    body.append(form.rawValue)
    if let digest {
      body.storage.put(digest, body.count)
      body.count += 32
    }
    if let sealedBytes { body.append(varint: UInt64(sealedBytes)) }
    body.append(publicPart)
  }

  private mutating func endBlock() throws(StoreError) {
    output.count = 0
    output.reserve(BlockHeader.bytes + BlockCodec.bound(body.count) + 8)
    let room = UnsafeMutableRawBufferPointer(rebasing: output.storage[BlockHeader.bytes...])
    let packed = codec.compress(body.bytes, into: room)
    if packed == nil { room.copyMemory(from: body.bytes) }
    let stored = packed ?? body.count
    for padding in stored..<aligned8(stored) { room[padding] = 0 }
    let isEmpty = minTime > maxTime
    let block = BlockHeader(
      epoch: epoch, first: first, count: count, rawBytes: UInt32(body.count),
      storedBytes: UInt32(stored),
      bodyChecksum: crc32c(UnsafeRawBufferPointer(room).slice(0..<stored)),
      minTime: isEmpty ? 0 : minTime, maxTime: isEmpty ? 0 : maxTime, chainBefore: chainBefore,
      durableUpTo: first - 1, isCompressed: packed != nil, isReduced: true)
    block.encode(into: output.storage, seed: seed)
    output.count = block.extent
    try write(Array(output.bytes))
    chainBefore = chain ?? .zero
    (body.count, count, minTime, maxTime) = (0, 0, .max, .min)
  }

  /// Writes the rest; what the part is.
  mutating func finish() throws(StoreError) -> BundlePart {
    if count > 0 { try endBlock() }
    return BundlePart(bytes: written, digest: digest.finish())
  }
}
