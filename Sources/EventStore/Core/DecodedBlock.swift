internal import Synchronization

/// A block, checked and decompressed.
final class DecodedBlock: Sendable {
  let header: BlockHeader
  let body: [UInt8]
  /// Where every `stride`-th record begins, as far as anybody asked: single events are looked up without parsing all
  /// records before them again.
  private let places = Mutex<[Int]>([0])
  private static let stride = 16

  init(header: BlockHeader, body: [UInt8]) {
    self.header = header
    self.body = body
  }

  /// Checks and decompresses the block whose header was read from the beginning of `bytes`.
  ///
  /// - Returns: the block, or the rule that it breaks.
  static func decode(
    _ header: BlockHeader, _ bytes: UnsafeRawBufferPointer, dictionary: [UInt8]
  ) -> Result<DecodedBlock, RuleBroken> {
    let stored: UnsafeRawBufferPointer
    do throws(RuleBroken) { stored = try header.storedBody(bytes) } catch { return .failure(error) }
    guard header.isCompressed else {
      return .success(DecodedBlock(header: header, body: Array(stored)))
    }
    var isWhole = false
    let body = [UInt8](unsafeUninitializedCapacity: Int(header.rawBytes)) { room, count in
      let raw = UnsafeMutableRawBufferPointer(
        start: room.baseAddress, count: Int(header.rawBytes))
      isWhole = dictionary.withUnsafeBytes {
        BlockCodec.decompress(stored, into: raw, dictionary: $0)
      }
      count = isWhole ? raw.count : 0
    }
    guard isWhole else { return .failure(RuleBroken("block.decompress")) }
    return .success(DecodedBlock(header: header, body: body))
  }

  /// Calls `body` with each record from index `from` on, until it returns false.
  ///
  /// - Parameter includingWithheld: Also with those of which a bundle has the leaf only.
  /// - Returns: false if the records break the format or are not as many as the header says.
  func forEachRecord(
    from: Int = 0, includingWithheld: Bool = false,
    _ body: (Int, RecordView, UnsafeRawBufferPointer) throws -> Bool
  ) rethrows -> Bool {
    try self.body.withUnsafeBytes { bytes in
      try header.forEachRecord(
        in: bytes, from: from, beginning: place(before: from, bytes),
        includingWithheld: includingWithheld
      ) { try body($0, $1, bytes) }
    }
  }

  /// A record at or before `index` and where it begins; an earlier one if what follows it breaks the format.
  private func place(before index: Int, _ bytes: UnsafeRawBufferPointer) -> (index: Int, at: Int) {
    guard index >= Self.stride else { return (0, 0) }
    return places.withLock { places in
      var view = RecordView()
      while places.count <= index / Self.stride {
        var at = places[places.count - 1]
        for _ in 0..<Self.stride where !header.parse(&view, bytes, at: &at) {
          return ((places.count - 1) * Self.stride, places[places.count - 1])
        }
        places.append(at)
      }
      return (index / Self.stride * Self.stride, places[index / Self.stride])
    }
  }

  /// The chain value after the events through `position`; nil if the records break the format.
  func chain(through position: UInt64) -> Digest? {
    var chain = header.chainBefore
    let isWhole = forEachRecord(includingWithheld: true) { index, view, bytes in
      guard header.first + UInt64(index) <= position else { return false }
      chain = chain.chained(view.leaf(bytes))
      return true
    }
    return isWhole ? chain : nil
  }

  /// The event of record `index`.
  func event(
    _ index: Int, _ view: RecordView, _ bytes: UnsafeRawBufferPointer, _ names: inout NameCache
  ) -> StoredEvent {
    var keys: [[UInt8]] = []
    view.forEachKey(bytes) { keys.append(Array(bytes.slice($0))) }
    return StoredEvent(
      epoch: Epoch(header.epoch), position: Position(header.first + UInt64(index)),
      id: EventID(view.id), stream: names.text(bytes.slice(view.stream)),
      revision: Revision(view.revision), kind: names.text(bytes.slice(view.kind)), time: view.time,
      lookupKeys: keys, payload: body[view.payload], sealed: body[view.sealed],
      sealedBytes: view.sealedBytes)
  }

  /// The event at `position`, which the block holds; nil if the records break the format.
  func event(at position: UInt64) -> StoredEvent? {
    var names = NameCache()
    var found: StoredEvent?
    let wanted = Int(position - header.first)
    let isWhole = forEachRecord(from: wanted) { index, view, bytes in
      if index == wanted { found = event(index, view, bytes, &names) }
      return false
    }
    return isWhole ? found : nil
  }
}

extension BlockHeader {
  /// Parses the record at `at`, which moves behind it; false if it breaks the format.
  func parse(_ view: inout RecordView, _ body: UnsafeRawBufferPointer, at: inout Int) -> Bool {
    isReduced ? view.parseReduced(body, at: &at) : view.parse(body, at: &at)
  }

  /// Calls `each` with every record of `body` from index `from` on, until it returns false.
  ///
  /// - Parameter beginning: A record at or before that one and where it begins, as parsing found it.
  /// - Returns: false if the records break the format or are not as many as the header says.
  func forEachRecord(
    in body: UnsafeRawBufferPointer, from: Int = 0, beginning: (index: Int, at: Int) = (0, 0),
    includingWithheld: Bool = false, _ each: (Int, RecordView) throws -> Bool
  ) rethrows -> Bool {
    var view = RecordView()
    var at = beginning.at
    for index in min(beginning.index, Int(count))..<Int(count) {
      guard parse(&view, body, at: &at) else { return false }
      if index < from || (view.isWithheld && !includingWithheld) { continue }
      if try !each(index, view) { return true }
    }
    return at == body.count
  }
}

/// A check of docs/file-format.md that bytes do not pass, by its name there.
struct RuleBroken: Error, Hashable {
  var rule: String
  init(_ rule: String) { self.rule = rule }
}

/// Streams and kinds repeat: each is made into a String once for as long as it stays in its slot.
struct NameCache {
  private var slots = [String?](repeating: nil, count: 64)

  mutating func text(_ bytes: UnsafeRawBufferPointer) -> String {
    let length = bytes.count
    // Names differ most at their ends.
    let mix =
      length >= 8
      ? Int(truncatingIfNeeded: (bytes.u64(length - 8) &* 0x9E37_79B9_7F4A_7C15) >> 58)
      : (Int(bytes[length - 1]) &+ length) & 63
    if var known = slots[mix], known.utf8.count == length,
      known.withUTF8({ UnsafeRawBufferPointer($0).elementsEqual(bytes) })
    {
      return known
    }
    let text = String(decoding: bytes, as: UTF8.self)
    slots[mix] = text
    return text
  }
}
