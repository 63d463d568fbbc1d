/// The parts of a bundle as files that can only be read; no name leads out of the bundle.
struct BundleDisk: Disk {
  private let files: [String: FilePart]
  private let machine = PosixDisk()

  /// - Parameter files: By path.
  init(_ files: [String: FilePart]) { self.files = files }

  private func refused(_ path: String) -> StoreError {
    StoreError(.io, "a bundle can only be read", path: path)
  }

  func status(_ path: String) throws(StoreError) -> FileStatus? {
    files[path].map { FileStatus(isDirectory: false, size: $0.length, permissions: 0o400) }
  }
  func makeDirectory(_ path: String) throws(StoreError) { throw refused(path) }
  func list(_ path: String) throws(StoreError) -> [String] { [] }
  func open(_ path: String, _ mode: OpenMode) throws(StoreError) -> any DiskFile {
    guard mode == .read, let file = files[path] else { throw refused(path) }
    return file
  }
  func rename(_ from: String, _ to: String) throws(StoreError) { throw refused(from) }
  func remove(_ path: String) throws(StoreError) { throw refused(path) }
  func syncDirectory(_ path: String) throws(StoreError) { throw refused(path) }
  func lock(_ path: String) throws(StoreError) -> any DiskLock { throw refused(path) }
  func freeBytes(_ path: String) -> UInt64? { nil }
  func isLocked(_ path: String) -> Bool? { nil }
  func bootID() -> [UInt8] { [] }
  func now() -> Int64 { machine.now() }
  func monotonic() -> Int64 { machine.monotonic() }
  func randomID() -> UInt128 { machine.randomID() }
}

/// A range of a file's bytes as a file.
final class FilePart: DiskFile {
  private let file: any DiskFile
  private let start: UInt64
  let length: UInt64
  private let path: String

  init(_ file: any DiskFile, _ start: UInt64, _ length: UInt64, path: String) {
    self.file = file
    self.start = start
    self.length = length
    self.path = path
  }

  func read(into room: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int {
    guard offset < length else { return 0 }
    let count = min(room.count, Int(length - offset))
    return try file.read(
      into: UnsafeMutableRawBufferPointer(rebasing: room[..<count]), at: start + offset)
  }

  private var refused: StoreError { StoreError(.io, "a bundle can only be read", path: path) }
  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int {
    throw refused
  }
  func isNow(at path: String) {}
  func sync() throws(StoreError) { throw refused }
  func truncate(to size: UInt64) throws(StoreError) { throw refused }
  func allocate(_ size: UInt64) throws(StoreError) { throw refused }
  func size() throws(StoreError) -> UInt64 { length }
  func forgetCache() {}
  /// The bundle's own file stays open for the other part.
  func close() {}
}
