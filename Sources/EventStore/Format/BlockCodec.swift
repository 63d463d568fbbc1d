internal import CLZ4

/// LZ4 with a segment's dictionary; for one owner at a time.
///
/// `LZ4_attach_dictionary` is not exported by every distribution's library, so a stream with the
/// dictionary loaded is prepared once and copied before each block.
final class BlockCodec {
  private let dictionary: UnsafeMutableRawBufferPointer
  private let dictionaryBytes: Int32
  private let prepared: UnsafeMutablePointer<LZ4_stream_t>
  private let working: UnsafeMutablePointer<LZ4_stream_t>
  /// Of the slow, denser kind; nil for the fast one.
  private let high: UnsafeMutablePointer<LZ4_streamHC_t>?

  /// `isHigh`: packs denser and ten times slower; what comes out is of the same format.
  init(dictionary bytes: [UInt8], isHigh: Bool = false) {
    high = isHigh ? .allocate(capacity: 1) : nil
    if let high { LZ4_initStreamHC(high, MemoryLayout<LZ4_streamHC_t>.size) }
    dictionaryBytes = Int32(bytes.count)
    dictionary = .allocate(byteCount: max(bytes.count, 1), alignment: 16)
    dictionary.copyBytes(from: bytes)
    prepared = .allocate(capacity: 1)
    working = .allocate(capacity: 1)
    LZ4_initStream(prepared, MemoryLayout<LZ4_stream_t>.size)
    if !bytes.isEmpty {
      _ = LZ4_loadDict(
        prepared, dictionary.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(bytes.count))
    }
  }

  deinit {
    dictionary.deallocate()
    prepared.deallocate()
    working.deallocate()
    high?.deallocate()
  }

  /// Beyond it, sealing costs requests more CPU than the bytes are worth: 9 made the files as small to a hundredth.
  private static let highLevel: Int32 = 4

  /// Room that `compress` may need for `count` bytes.
  static func bound(_ count: Int) -> Int { Int(LZ4_compressBound(Int32(count))) }

  /// Compresses `source` into `room`; nil if that would not make it shorter.
  func compress(
    _ source: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
  ) -> Int? {
    if let high { return compress(source, into: room, high) }
    working.update(from: prepared, count: 1)
    let count = LZ4_compress_fast_continue(
      working, source.baseAddress?.assumingMemoryBound(to: CChar.self),
      room.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(source.count),
      Int32(clamping: room.count), 1)
    return count > 0 && Int(count) < source.count ? Int(count) : nil
  }

  private func compress(
    _ source: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer,
    _ stream: UnsafeMutablePointer<LZ4_streamHC_t>
  ) -> Int? {
    LZ4_resetStreamHC_fast(stream, Self.highLevel)
    // Loading the dictionary takes as long as copying a prepared state of 256 KiB.
    _ = LZ4_loadDictHC(
      stream, dictionary.baseAddress?.assumingMemoryBound(to: CChar.self), dictionaryBytes)
    let count = LZ4_compress_HC_continue(
      stream, source.baseAddress?.assumingMemoryBound(to: CChar.self),
      room.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(source.count),
      Int32(clamping: room.count))
    return count > 0 && Int(count) < source.count ? Int(count) : nil
  }

  /// Decompresses `source`, which must fill `room` exactly; false if it does not.
  static func decompress(
    _ source: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer,
    dictionary: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
  ) -> Bool {
    let count = LZ4_decompress_safe_usingDict(
      source.baseAddress?.assumingMemoryBound(to: CChar.self),
      room.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(source.count),
      Int32(room.count), dictionary.baseAddress?.assumingMemoryBound(to: CChar.self),
      Int32(dictionary.count))
    return count == Int32(room.count)
  }
}
