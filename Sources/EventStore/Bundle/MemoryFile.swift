internal import Synchronization

/// A file that is nowhere but in memory.
final class MemoryFile: DiskFile {
  private let bytes = Mutex<[UInt8]>([])

  func read(into room: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int {
    bytes.withLock { bytes in
      guard offset < UInt64(bytes.count) else { return 0 }
      let start = Int(offset)
      let count = min(room.count, bytes.count - start)
      room.copyBytes(from: bytes[start..<start + count])
      return count
    }
  }

  func write(_ source: UnsafeRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int {
    bytes.withLock { bytes in
      let end = Int(offset) + source.count
      if end > bytes.count {
        bytes.append(contentsOf: repeatElement(0, count: end - bytes.count))
      }
      bytes.replaceSubrange(Int(offset)..<end, with: source)
    }
    return source.count
  }

  func isNow(at path: String) {}
  func sync() throws(StoreError) {}
  func truncate(to size: UInt64) throws(StoreError) {
    bytes.withLock { bytes in
      let missing = Int(size) - bytes.count
      if missing < 0 { bytes.removeLast(-missing) }
      if missing > 0 { bytes.append(contentsOf: repeatElement(0, count: missing)) }
    }
  }
  func allocate(_ size: UInt64) throws(StoreError) {
    if try self.size() < size { try truncate(to: size) }
  }
  func size() throws(StoreError) -> UInt64 { bytes.withLock { UInt64($0.count) } }
  func forgetCache() {}
  func close() {}
}

extension LogReader {
  /// The bundle that a plan gives, in memory.
  ///
  /// - Throws: as `writeBundle`.
  public func bundled(_ plan: BundlePlan) throws(StoreError) -> LogReader {
    let file = MemoryFile()
    _ = try writeBundle(plan, to: file)
    return try LogReader.open(bundle: file, path: "a bundle in memory")
  }
}
