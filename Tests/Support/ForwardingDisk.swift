package import EventStore

/// A disk that does what another one does, but for what a test changes.
package protocol ForwardingDisk: Disk {
  var inner: any Disk { get }
}

extension ForwardingDisk {
  package func status(_ path: String) throws(StoreError) -> FileStatus? { try inner.status(path) }
  package func makeDirectory(_ path: String) throws(StoreError) { try inner.makeDirectory(path) }
  package func list(_ path: String) throws(StoreError) -> [String] { try inner.list(path) }
  package func open(_ path: String, _ mode: OpenMode) throws(StoreError) -> any DiskFile {
    try inner.open(path, mode)
  }
  package func rename(_ from: String, _ to: String) throws(StoreError) {
    try inner.rename(from, to)
  }
  package func remove(_ path: String) throws(StoreError) { try inner.remove(path) }
  package func syncDirectory(_ path: String) throws(StoreError) { try inner.syncDirectory(path) }
  package func lock(_ path: String) throws(StoreError) -> any DiskLock { try inner.lock(path) }
  package func freeBytes(_ path: String) -> UInt64? { inner.freeBytes(path) }
  package func isLocked(_ path: String) -> Bool? { inner.isLocked(path) }
  package func bootID() -> [UInt8] { inner.bootID() }
  package func now() -> Int64 { inner.now() }
  package func monotonic() -> Int64 { inner.monotonic() }
  package func randomID() -> UInt128 { inner.randomID() }
}

/// A file that does what another one does, but for what a test changes.
package protocol ForwardingFile: DiskFile {
  var inner: any DiskFile { get }
}

extension ForwardingFile {
  package func read(
    into: UnsafeMutableRawBufferPointer, at offset: UInt64
  ) throws(StoreError) -> Int {
    try inner.read(into: into, at: offset)
  }
  package func write(
    _ bytes: UnsafeRawBufferPointer, at offset: UInt64
  ) throws(StoreError) -> Int {
    try inner.write(bytes, at: offset)
  }
  package func isNow(at path: String) { inner.isNow(at: path) }
  package func sync() throws(StoreError) { try inner.sync() }
  package func truncate(to size: UInt64) throws(StoreError) { try inner.truncate(to: size) }
  package func allocate(_ size: UInt64) throws(StoreError) { try inner.allocate(size) }
  package func size() throws(StoreError) -> UInt64 { try inner.size() }
  package func forgetCache() { inner.forgetCache() }
  package func close() { inner.close() }
}
