extension LogReader {
  /// Opens what stands at `path` for reading: a log's directory, or a bundle.
  ///
  /// - Throws: as `open(directory:)` and `open(bundle:)`.
  public static func open(path: String) throws(StoreError) -> LogReader {
    guard let status = try PosixDisk().status(path), !status.isDirectory else {
      return try open(directory: path)
    }
    return try open(bundle: path)
  }

  /// Opens a bundle as a log, and checks every byte of it.
  ///
  /// Nothing in it is trusted: whoever sent it may have made it up. Memory is bounded by `Limits`, and what
  /// breaks the format in any way is refused as a whole.
  ///
  /// - Throws: `.notAStore` for what is no bundle of a known format, `.damaged` for one that breaks it, `.io`.
  public static func open(bundle path: String) throws(StoreError) -> LogReader {
    try open(bundle: try PosixDisk().open(path, .read), path: path)
  }

  /// Opens the bundle in `file`; `path` is for messages.
  package static func open(
    bundle file: any DiskFile, path: String
  ) throws(StoreError) -> LogReader {
    let size = try file.size()
    let head = RawBuffer(capacity: BundleHeader.maxBytes)
    head.count = try file.read(into: head.storage, at: 0)
    let header: BundleHeader
    do throws(RuleBroken) { header = try BundleHeader(head.bytes, fileBytes: size) } catch {
      throw BundleLoader.fault(error.rule, path)
    }
    let start = UInt64(header.encodedBytes)
    let parts = [
      (path + "/earlier", FilePart(file, start, header.earlier.bytes, path: path)),
      (
        path + "/window",
        FilePart(file, start + header.earlier.bytes, header.window.bytes, path: path)
      ),
    ]
    let disk = BundleDisk(Dictionary(uniqueKeysWithValues: parts))
    let index = LogIndex(disk: disk, directory: path, accepted: AcceptedLosses(), isOfBundle: true)
    var loader = BundleLoader(header, path: path, index: index)
    if header.earlier.bytes > 0 {
      try loader.load(parts[0].1, parts[0].0, header.earlier, isEarlier: true)
    }
    try loader.load(parts[1].1, parts[1].0, header.window, isEarlier: false)
    try loader.finish()
    return LogReader(
      disk: disk, path: path, index: index, storeID: header.storeID, bundle: header.facts)
  }
}

/// Reads the parts of a bundle into an index; the first thing that is wrong ends it.
struct BundleLoader {
  private let header: BundleHeader
  private let path: String
  private let index: LogIndex
  private var next: UInt64 = 1
  private var epoch: UInt64 = 0
  private var chain: Digest?
  private var rawBytes: UInt64 = 0
  private var found: (events: UInt64, withheld: UInt64, altered: UInt64, earlier: UInt64)
  /// As everywhere in the log, no two events have one id.
  private var ids: Set<UInt128> = []
  private var content = BlockContent()
  private var names = NameCache()

  init(_ header: BundleHeader, path: String, index: LogIndex) {
    self.header = header
    self.path = path
    self.index = index
    found = (0, 0, 0, 0)
  }

  static func fault(_ rule: String, _ path: String, at offset: UInt64? = nil) -> StoreError {
    switch rule {
    case "bundle.magic": StoreError(.notAStore, "\(rule): this is no bundle", path: path)
    case "bundle.format", "block.flags":
      StoreError(
        .notAStore,
        "\(rule): the bundle's format is another than this build's; use the build that made it",
        path: path)
    default:
      StoreError(
        .damaged,
        "\(offset.map { "at offset \($0) of its part: " } ?? "")\(rule): the bundle was damaged or changed "
          + "since it was made; ask for it again", path: path)
    }
  }

  /// Reads one part: a segment's header, and blocks to its end.
  mutating func load(
    _ file: FilePart, _ path: String, _ part: BundlePart, isEarlier: Bool
  ) throws(StoreError) {
    try checkDigest(of: file, part)
    let window = WindowedFile(file)
    let segment: SegmentHeader
    do throws(SegmentHeader.Fault) {
      segment = try SegmentHeader(try head(of: window))
    } catch {
      switch error {
      case .damaged(let rule): throw Self.fault(rule, self.path)
      case .unknownFormat: throw Self.fault("bundle.format", self.path)
      }
    }
    let facts = header.facts
    guard segment.storeID == header.storeID, segment.ordinal == (isEarlier ? 0 : 1),
      segment.chainBefore == (isEarlier ? .zero : facts.chainBefore),
      isEarlier || segment.first == facts.base.rawValue + 1, segment.first > 0
    else { throw Self.fault("bundle.segment", self.path) }
    (next, chain) = (segment.first, isEarlier ? nil : segment.chainBefore)
    index.begin(segment: segment, path: path)
    let seed = checksumSeed(segment.storeID)
    var offset = UInt64(segment.encodedBytes)
    while offset < part.bytes {
      let block: DecodedBlock
      do throws(RuleBroken) {
        block = try decode(
          try read(window, offset, part.bytes, seed), window, at: offset, segment, isEarlier)
      } catch {
        throw Self.fault(error.rule, self.path, at: offset)
      }
      index.publish(block.header, offset: offset, content)
      offset += UInt64(block.header.extent)
    }
    guard offset == part.bytes, next == (isEarlier ? next : facts.last.rawValue + 1) else {
      throw Self.fault("bundle.length", self.path)
    }
  }

  private func head(of window: WindowedFile) throws(SegmentHeader.Fault) -> UnsafeRawBufferPointer {
    guard let bytes = try? window.bytes(at: 0, count: SegmentHeader.maxBytes) else {
      throw .damaged("segment.incomplete-header")
    }
    return bytes
  }

  private func read(
    _ window: WindowedFile, _ offset: UInt64, _ end: UInt64, _ seed: UInt32
  ) throws(RuleBroken) -> BlockHeader {
    guard let head = try? window.bytes(at: offset, count: BlockHeader.bytes) else {
      throw RuleBroken("block.incomplete-header")
    }
    let header: BlockHeader
    do throws(BlockHeader.Fault) {
      header = try BlockHeader(head, seed: seed, isOfBundle: true)
    } catch {
      switch error {
      case .damaged(let rule): throw RuleBroken(rule)
      case .unknownFlags: throw RuleBroken("block.flags")
      }
    }
    guard UInt64(header.extent) <= end - offset else { throw RuleBroken("block.incomplete-body") }
    return header
  }

  /// Checks a block in its place and collects its content.
  private mutating func decode(
    _ header: BlockHeader, _ window: WindowedFile, at offset: UInt64, _ segment: SegmentHeader,
    _ isEarlier: Bool
  ) throws(RuleBroken) -> DecodedBlock {
    guard !header.isWitness, header.durableUpTo == header.first - 1,
      header.chainBefore == (isEarlier ? .zero : chain)
    else { throw RuleBroken("block.chain") }
    guard header.epoch >= epoch, header.epoch >= segment.epoch else {
      throw RuleBroken("block.epoch")
    }
    guard isEarlier ? header.first >= next : header.first == next,
      header.last <= (isEarlier ? self.header.facts.base : self.header.facts.last).rawValue
    else { throw RuleBroken("block.position") }
    rawBytes += UInt64(header.rawBytes)
    guard rawBytes <= Limits.bundleRawBytes else { throw RuleBroken("bundle.bounds") }
    guard let bytes = try? window.bytes(at: offset, count: header.extent) else {
      throw RuleBroken("block.incomplete-body")
    }
    let block: DecodedBlock
    switch DecodedBlock.decode(header, bytes, dictionary: segment.dictionary) {
    case .success(let whole): block = whole
    case .failure(let broken): throw broken
    }
    try collect(block, isEarlier)
    (next, epoch) = (header.last + 1, header.epoch)
    return block
  }

  private mutating func collect(_ block: DecodedBlock, _ isEarlier: Bool) throws(RuleBroken) {
    content.removeAll()
    var running = block.header.chainBefore
    var isNew = true
    let isWhole = block.forEachRecord(includingWithheld: true) { number, view, bytes in
      running = running.chained(view.leaf(bytes))
      if view.isWithheld {
        guard !isEarlier else { return false }
        found.withheld += 1
        let position = block.header.first + UInt64(number)
        content.skip(hash: position &* 0x9E37_79B9_7F4A_7C15)
        return true
      }
      if isEarlier { found.earlier += 1 } else { found.events += 1 }
      if !view.givenLeaf.isEmpty { found.altered += 1 }
      isNew = ids.insert(view.id).inserted
      content.add(
        id: view.id, hash: FingerprintTable.seededHash(view.id),
        stream: names.text(bytes.slice(view.stream)), revision: view.revision)
      view.forEachKey(bytes) { content.add(keyHash: PostingTable.hash(bytes.slice($0))) }
      return isNew
    }
    guard isNew else { throw RuleBroken("bundle.repeated-id") }
    guard isWhole, content.count == Int(block.header.count) else {
      throw RuleBroken("block.record")
    }
    chain = isEarlier ? nil : running
  }

  private func checkDigest(of file: FilePart, _ part: BundlePart) throws(StoreError) {
    var digest = PartDigest()
    let room = RawBuffer(capacity: Limits.bundlePieceBytes)
    var offset: UInt64 = 0
    while offset < part.bytes {
      let count = try file.read(into: room.storage, at: offset)
      guard count > 0 else { break }
      digest.add(UnsafeRawBufferPointer(rebasing: room.storage[..<count]))
      offset += UInt64(count)
    }
    guard offset == part.bytes, digest.finish() == part.digest else {
      throw Self.fault("bundle.digest", path)
    }
  }

  /// Holds what was found against what the header says.
  consuming func finish() throws(StoreError) {
    let facts = header.facts
    guard chain == facts.chain else { throw Self.fault("bundle.chain", path) }
    guard
      found == (facts.events, facts.withheld, facts.altered, facts.earlier)
    else { throw Self.fault("bundle.counts", path) }
  }
}
