internal import Synchronization

/// A segment's index where it stands in a file: the trailer is in memory, sections are read when they are
/// asked for.
final class IndexFile: Sendable {
  let index: SegmentIndex
  let path: String
  /// The footer of a sealed segment; else a sidecar.
  let isFooter: Bool
  /// Names this object in caches: a path may come to mean another file.
  let number: UInt64
  /// Where the index begins in the file.
  private let base: UInt64

  private static let numbers = Atomic<UInt64>(0)

  private init(index: SegmentIndex, path: String, isFooter: Bool, base: UInt64) {
    self.index = index
    self.path = path
    self.isFooter = isFooter
    self.base = base
    number = Self.numbers.add(1, ordering: .relaxed).newValue
  }

  /// How its rules are named.
  var family: String { Self.family(isFooter) }
  static func family(_ isFooter: Bool) -> String { isFooter ? "footer" : "index" }

  func rule(_ section: SegmentIndex.Section) -> String { "\(family).\(section)" }

  /// Length of the index in its file.
  var bytes: UInt64 { index.encodedBytes }

  /// Reads the trailer.
  ///
  /// - Returns: the index, or the rule that the trailer breaks.
  static func read(
    _ file: any DiskFile, path: String, isFooter: Bool
  ) throws(StoreError) -> Result<IndexFile, RuleBroken> {
    let size = try file.size()
    let family = family(isFooter)
    guard size >= UInt64(SegmentIndex.trailerBytes + SegmentIndex.magic.count) else {
      return .failure(RuleBroken(family + ".incomplete-trailer"))
    }
    let buffer = RawBuffer(capacity: SegmentIndex.trailerBytes)
    buffer.count = try file.read(
      into: buffer.storage, at: size - UInt64(SegmentIndex.trailerBytes))
    do throws(RuleBroken) {
      let index = try SegmentIndex(trailer: buffer.bytes)
      guard index.encodedBytes <= size else { throw RuleBroken("length") }
      let base = size - index.encodedBytes
      guard base == (isFooter ? index.endOfBlocks : 0) else { throw RuleBroken("length") }
      return .success(IndexFile(index: index, path: path, isFooter: isFooter, base: base))
    } catch {
      return .failure(RuleBroken("\(family).\(error.rule)"))
    }
  }

  /// The rule that this index breaks as the one of the segment with `header`; nil if it fits.
  func misfit(_ header: SegmentHeader) -> RuleBroken? {
    guard index.storeID == header.storeID else { return RuleBroken(family + ".store-id") }
    guard index.ordinal == header.ordinal, index.first == header.first else {
      return RuleBroken(family + ".segment")
    }
    guard index.chainBefore == header.chainBefore else { return RuleBroken(family + ".chain") }
    guard index.endOfBlocks > UInt64(header.encodedBytes) else {
      return RuleBroken(family + ".bounds")
    }
    return nil
  }

  /// The bytes of a section, checked.
  func section(
    _ section: SegmentIndex.Section, _ file: any DiskFile
  ) throws(StoreError) -> Result<[UInt8], RuleBroken> {
    let extent = index.extent(of: section)
    let bytes = try read(file, at: index.offset(of: section), count: Int(extent.bytes))
    guard bytes.count == Int(extent.bytes), bytes.withUnsafeBytes({ crc32c($0) }) == extent.checksum
    else { return .failure(RuleBroken(rule(section))) }
    return .success(bytes)
  }

  /// Reads all of it; the first rule that it breaks by itself.
  func flaw(_ file: any DiskFile) throws(StoreError) -> RuleBroken? {
    guard try read(file, at: 0, count: SegmentIndex.magic.count) == SegmentIndex.magic else {
      return RuleBroken(family + ".magic")
    }
    for section in SegmentIndex.Section.allCases {
      if case .failure(let broken) = try self.section(section, file) { return broken }
    }
    return nil
  }

  /// Compares the file with what the segment's events give.
  ///
  /// - Returns: the first rule that it breaks.
  func difference(
    from built: (index: SegmentIndex, bytes: [UInt8]), _ file: any DiskFile
  ) throws(StoreError) -> RuleBroken? {
    // Piece by piece: two of them in memory are enough.
    let window = WindowedFile(file)
    if try holds(built.bytes[...], at: 0, count: bytes, window) { return nil }
    let magic = SegmentIndex.magic
    guard try holds(magic[...], at: 0, count: UInt64(magic.count), window) else {
      return RuleBroken(family + ".magic")
    }
    for section in SegmentIndex.Section.allCases {
      let expected = built.bytes.dropFirst(Int(built.index.offset(of: section)))
        .prefix(Int(built.index.extent(of: section).bytes))
      let isEqual = try holds(
        expected, at: index.offset(of: section), count: UInt64(index.extent(of: section).bytes),
        window)
      if !isEqual { return RuleBroken(rule(section)) }
    }
    return RuleBroken(family + ".trailer")
  }

  /// Whether the `count` bytes at `offset` of the index are `expected`.
  private func holds(
    _ expected: ArraySlice<UInt8>, at offset: UInt64, count: UInt64, _ window: WindowedFile
  ) throws(StoreError) -> Bool {
    guard count == UInt64(expected.count) else { return false }
    var rest = expected
    while !rest.isEmpty {
      let part = rest.prefix(Self.comparedBytes)
      let own = try window.bytes(
        at: base + offset + UInt64(expected.count - rest.count), count: part.count)
      guard part.withUnsafeBytes({ own.isEqual(to: $0) }) else { return false }
      rest = rest.dropFirst(part.count)
    }
    return true
  }

  private static let comparedBytes = 64 << 10

  /// Values of the entries that have `hash`'s remainder in its bucket.
  func entries(
    _ hash: UInt64, directory: UnsafeRawBufferPointer, _ file: any DiskFile
  ) throws(StoreError) -> Result<[(value: UInt32, isList: Bool)], RuleBroken> {
    let broken = RuleBroken(rule(.buckets))
    let bucket = SegmentIndex.bucket(hash, of: index.bucketCount)
    let start = directory.u32(4 * bucket)
    let end = directory.u32(4 * bucket + 4)
    guard start <= end, end <= index.extent(of: .buckets).bytes, end - start >= 4 else {
      return .failure(broken)
    }
    let length = Int(end - start)
    return try withTemporary(length) { (room) throws(StoreError) in
      let count = try file.read(
        into: room, at: base + index.offset(of: .buckets) + UInt64(start))
      let bytes = UnsafeRawBufferPointer(room)
      let width = index.entryBytes
      guard count == length, (length - 4) % width == 0,
        crc32c(bytes.slice(0..<(length - 4))) == bytes.u32(length - 4)
      else { return .failure(broken) }
      let wanted = SegmentIndex.remainder(hash, bits: index.remainderBits)
      let mask = UInt64(1) << UInt64(index.valueBits) - 1
      var found: [(value: UInt32, isList: Bool)] = []
      for at in stride(from: 0, to: length - 4, by: width) {
        var entry: UInt64 = 0
        for byte in 0..<width { entry |= UInt64(bytes[at + byte]) << UInt64(8 * byte) }
        guard entry >> UInt64(index.valueBits + 1) == wanted else { continue }
        found.append(
          (UInt32(entry & mask), entry >> UInt64(index.valueBits) & 1 == 1))
      }
      return .success(found)
    }
  }

  private func withTemporary<T>(
    _ count: Int, _ body: (UnsafeMutableRawBufferPointer) throws(StoreError) -> T
  ) throws(StoreError) -> T {
    let buffer = RawBuffer(capacity: max(1, count))
    return try body(UnsafeMutableRawBufferPointer(rebasing: buffer.storage[..<count]))
  }

  private func read(
    _ file: any DiskFile, at offset: UInt64, count: Int
  ) throws(StoreError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let found = try bytes.withUnsafeMutableBufferPointer { (room) throws(StoreError) in
      try file.read(into: UnsafeMutableRawBufferPointer(room), at: base + offset)
    }
    bytes.removeSubrange(found...)
    return bytes
  }
}

/// The sections of an index in the form in which they are asked.
enum IndexSection {
  /// Where the blocks of a segment are.
  final class Blocks: Sendable {
    let entries: ContiguousArray<LogIndex.BlockEntry>

    /// Nil if `bytes` are not what `index` says they are.
    init?(_ bytes: UnsafeRawBufferPointer, _ index: SegmentIndex, _ header: SegmentHeader) {
      var entries: ContiguousArray<LogIndex.BlockEntry> = []
      // At least one byte for each of the four numbers.
      entries.reserveCapacity(Int(min(index.blocks, UInt64(bytes.count / 4))))
      var at = 0
      var end = UInt64(header.encodedBytes)
      var next = index.first
      var latest = Int64(0)
      for _ in 0..<index.blocks {
        guard let skipped = varint(bytes, &at), let extent = varint(bytes, &at),
          let count = varint(bytes, &at), let later = varint(bytes, &at),
          skipped < Limits.numbers / 8, extent > 0, extent <= UInt64(Limits.blockExtent / 8),
          count > 0, count <= UInt64(Limits.eventsPerBlock)
        else { return nil }
        latest = latest &+ Int64(bitPattern: later)
        let offset = end + skipped * 8
        end = offset + extent * 8
        guard end <= index.endOfBlocks else { return nil }
        entries.append(
          LogIndex.BlockEntry(
            first: next, latestTime: latest, offset: offset, count: UInt32(count),
            extent: UInt32(extent * 8)))
        next += count
      }
      guard at == bytes.count, next == index.last + 1 else { return nil }
      self.entries = entries
    }
  }

  /// The streams of a segment, by name.
  struct Streams {
    let bytes: UnsafeRawBufferPointer
    let count: Int

    struct Entry {
      var name: Range<Int>
      var firstRevision: UInt64
      var lastRevision: UInt64
      /// Where its runs begin in their section.
      var runs: Int
    }

    init?(_ bytes: UnsafeRawBufferPointer) {
      guard bytes.count >= 4, Int(bytes.u32(0)) <= (bytes.count - 4) / 4 else { return nil }
      self.bytes = bytes
      count = Int(bytes.u32(0))
    }

    func entry(_ number: Int) -> Entry? {
      var at = Int(bytes.u32(4 + 4 * number))
      guard let length = varint(bytes, &at), length > 0, length <= UInt64(Limits.streamBytes),
        Int(length) <= bytes.count - at
      else { return nil }
      let name = at..<(at + Int(length))
      at = name.upperBound
      guard let first = varint(bytes, &at), let more = varint(bytes, &at),
        let runs = varint(bytes, &at), max(first, more) < Limits.numbers, runs <= UInt64(UInt32.max)
      else { return nil }
      return Entry(
        name: name, firstRevision: first, lastRevision: first &+ more, runs: Int(runs))
    }

    /// The entry named `name`; nil if there is none.
    ///
    /// - Throws: if the section is not well formed.
    func find(_ name: [UInt8]) throws(RuleBroken) -> Entry? {
      var (low, high) = (0, count)
      while low < high {
        let middle = (low + high) / 2
        guard let entry = entry(middle) else { throw RuleBroken("streams") }
        let here = bytes.slice(entry.name)
        if here.elementsEqual(name) { return entry }
        if here.lexicographicallyPrecedes(name) { low = middle + 1 } else { high = middle }
      }
      return nil
    }
  }

  /// Numbers of the blocks that hold `stream`, from the last one that begins at or before revision `from`.
  static func runs(
    _ bytes: UnsafeRawBufferPointer, _ stream: Streams.Entry, from: UInt64, blocks: Int
  ) -> [Int]? {
    var at = stream.runs
    guard at <= bytes.count, let count = varint(bytes, &at), count <= UInt64(blocks) else {
      return nil
    }
    var found: [Int] = []
    var (block, revision): (UInt64, UInt64) = (0, stream.firstRevision)
    for _ in 0..<count {
      guard let further = varint(bytes, &at), let more = varint(bytes, &at),
        further < UInt64(blocks)
      else { return nil }
      block += further
      revision = revision &+ more
      guard block < UInt64(blocks) else { return nil }
      if revision <= from { found.removeAll(keepingCapacity: true) }
      found.append(Int(block))
    }
    return found
  }

  /// The blocks of list `number`.
  static func list(_ bytes: UnsafeRawBufferPointer, _ number: UInt32, blocks: Int) -> [Int]? {
    guard bytes.count >= 4, number < bytes.u32(0), Int(bytes.u32(0)) <= (bytes.count - 4) / 4 else {
      return nil
    }
    var at = Int(bytes.u32(4 + 4 * Int(number)))
    guard at <= bytes.count, let count = varint(bytes, &at), count <= UInt64(blocks) else {
      return nil
    }
    var found: [Int] = []
    var block: UInt64 = 0
    for _ in 0..<count {
      guard let further = varint(bytes, &at), further < UInt64(blocks) else { return nil }
      block += further
      guard block < UInt64(blocks) else { return nil }
      found.append(Int(block))
    }
    return found
  }

  private static func varint(_ bytes: UnsafeRawBufferPointer, _ at: inout Int) -> UInt64? {
    guard at >= 0 else { return nil }
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while at < bytes.count, shift < 64 {
      let byte = bytes[at]
      at += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    return nil
  }
}
