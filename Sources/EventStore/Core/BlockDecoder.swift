/// Checks and decompresses one block after the other into the same memory; for one owner at a time.
final class BlockDecoder {
  /// The dictionary and behind it the body: so LZ4 takes them for one piece, which is its fastest way.
  private let room = RawBuffer(capacity: 256 << 10)
  private var dictionary: [UInt8] = []

  /// The body of the block whose header was read from the beginning of `bytes`; valid until the next
  /// call, and as long as `bytes` is.
  ///
  /// - Throws: the rule that the block breaks.
  func body(
    _ header: BlockHeader, _ bytes: UnsafeRawBufferPointer, dictionary: [UInt8]
  ) throws(RuleBroken) -> UnsafeRawBufferPointer {
    let stored = try header.storedBody(bytes)
    guard header.isCompressed else { return stored }
    if self.dictionary != dictionary {
      self.dictionary = dictionary
      room.count = 0
      room.reserve(dictionary.count)
      dictionary.withUnsafeBytes { room.append($0) }
    }
    room.reserve(Int(header.rawBytes))
    let raw = UnsafeMutableRawBufferPointer(
      rebasing: room.storage[room.count..<(room.count + Int(header.rawBytes))])
    guard BlockCodec.decompress(stored, into: raw, dictionary: room.bytes) else {
      throw RuleBroken("block.decompress")
    }
    return UnsafeRawBufferPointer(raw)
  }
}

extension BlockHeader {
  /// The body as it is stored, checked; `bytes` begins with the header.
  ///
  /// - Throws: the rule that the block breaks.
  func storedBody(
    _ bytes: UnsafeRawBufferPointer
  ) throws(RuleBroken) -> UnsafeRawBufferPointer {
    let end = Self.bytes + Int(storedBytes)
    guard bytes.count >= end else { throw RuleBroken("block.incomplete-body") }
    let stored = bytes.slice(Self.bytes..<end)
    guard crc32c(stored) == bodyChecksum else { throw RuleBroken("block.body-crc") }
    guard bytes.count >= extent else { throw RuleBroken("block.incomplete-padding") }
    guard bytes.slice(end..<extent).allSatisfy({ $0 == 0 }) else {
      throw RuleBroken("block.padding")
    }
    return stored
  }
}
