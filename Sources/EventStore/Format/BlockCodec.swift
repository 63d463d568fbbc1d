internal import CLZ4

/// LZ4 with a segment's dictionary; for one owner at a time.
///
/// `LZ4_attach_dictionary` is not exported by every distribution's library, so a stream with the
/// dictionary loaded is prepared once and copied before each block.
final class BlockCodec {
  private let dictionary: UnsafeMutableRawBufferPointer
  private let prepared: UnsafeMutablePointer<LZ4_stream_t>
  private let working: UnsafeMutablePointer<LZ4_stream_t>

  init(dictionary bytes: [UInt8]) {
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
  }

  /// Room that `compress` may need for `count` bytes.
  static func bound(_ count: Int) -> Int { Int(LZ4_compressBound(Int32(count))) }

  /// Compresses `source` into `room`; nil if that would not make it shorter.
  func compress(
    _ source: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
  ) -> Int? {
    working.update(from: prepared, count: 1)
    let count = LZ4_compress_fast_continue(
      working, source.baseAddress?.assumingMemoryBound(to: CChar.self),
      room.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(source.count),
      Int32(clamping: room.count), 1)
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
