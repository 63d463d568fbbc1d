/// Reads a file forward through one buffer; for one owner at a time.
final class WindowedFile {
  private let file: any DiskFile
  private let window: RawBuffer
  private var start: UInt64 = 0
  private let step: Int

  init(_ file: any DiskFile, step: Int = 256 << 10) {
    self.file = file
    self.step = step
    window = RawBuffer(capacity: step)
  }

  func size() throws(StoreError) -> UInt64 { try file.size() }

  /// Forgets what was read, since the file may have changed.
  func invalidate() { window.count = 0 }

  /// Up to `count` bytes at `offset`, fewer only at the end of the file; valid until the next call.
  func bytes(at offset: UInt64, count: Int) throws(StoreError) -> UnsafeRawBufferPointer {
    if offset < start || offset + UInt64(count) > start + UInt64(window.count) {
      start = offset
      window.count = 0
      let wanted = max(count, step)
      window.reserve(wanted)
      window.count = try file.read(
        into: UnsafeMutableRawBufferPointer(rebasing: window.storage[..<wanted]), at: offset)
    }
    let from = Int(offset - start)
    return window.bytes.slice(from..<min(from + count, window.count))
  }
}
