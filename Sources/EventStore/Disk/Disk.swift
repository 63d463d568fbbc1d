/// The machine as the log sees it: files, a lock, a clock.
///
/// Everything the log does to the outside goes through here, so that a simulated disk can stand
/// in. Errors are `StoreError` with `.full` for ENOSPC, EDQUOT and EFBIG, and for EMFILE and ENFILE,
/// `.locked` for a held lock, else `.io`, with path and errno.
package protocol Disk: Sendable {
  /// What stands at `path`; nil if nothing does.
  func status(_ path: String) throws(StoreError) -> FileStatus?
  /// Makes a directory (0700) whose parent exists.
  func makeDirectory(_ path: String) throws(StoreError)
  /// Names in a directory, in no particular order, without "." and "..".
  func list(_ path: String) throws(StoreError) -> [String]
  func open(_ path: String, _ mode: OpenMode) throws(StoreError) -> any DiskFile
  /// Replaces what stands at `to`; durable after `syncDirectory` of the directories concerned.
  func rename(_ from: String, _ to: String) throws(StoreError)
  func remove(_ path: String) throws(StoreError)
  func syncDirectory(_ path: String) throws(StoreError)
  /// Takes the advisory locks on `path` and on the directory that it stands in, making the file if it is
  /// missing; fails at once if one of them is held.
  ///
  /// The file is for people and for `isLocked`, and can be deleted by hand; the directory cannot, while
  /// there is anything in it to protect.
  func lock(_ path: String) throws(StoreError) -> any DiskLock
  /// Bytes that files may still take on the device of `path`; nil if unknown.
  func freeBytes(_ path: String) -> UInt64?
  /// Whether somebody holds the lock on the file `path`, without touching it; nil if that cannot be told.
  func isLocked(_ path: String) -> Bool?
  /// Identity of the machine's present boot, at most 64 bytes; empty if unknown.
  func bootID() -> [UInt8]
  /// Nanoseconds since the Unix epoch.
  func now() -> Int64
  /// Nanoseconds of a clock that never goes back.
  func monotonic() -> Int64
  /// 16 unpredictable bytes.
  func randomID() -> UInt128
}

/// What `Disk.status` tells.
package struct FileStatus: Sendable, Hashable {
  package var isDirectory: Bool
  package var size: UInt64
  /// The nine permission bits.
  package var permissions: UInt32

  package init(isDirectory: Bool, size: UInt64, permissions: UInt32) {
    self.isDirectory = isDirectory
    self.size = size
    self.permissions = permissions
  }
}

package enum OpenMode: Sendable {
  case read
  case readWrite
  /// Makes the file (0600); fails if there is one.
  case createNew
}

/// An open file.
///
/// Concurrent use is fine.
package protocol DiskFile: AnyObject, Sendable {
  /// Reads up to `into.count` bytes; fewer only at the end of the file.
  func read(into: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int
  /// Writes a first part of `bytes`, at least one byte; returns how many.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int
  /// The file was renamed: errors name `path` from now on.
  func isNow(at path: String)
  /// Puts contents and size on stable storage.
  func sync() throws(StoreError)
  func truncate(to size: UInt64) throws(StoreError)
  /// Makes the file at least `size` bytes long, with space on the device for all of them: later writes
  /// within it do not fail for want of space. After an error part of the space may be taken.
  func allocate(_ size: UInt64) throws(StoreError)
  func size() throws(StoreError) -> UInt64
  /// Drops clean cached pages, so that the next read shows what the device holds.
  func forgetCache()
  /// Closes now rather than with the last reference.
  func close()
}

/// A held lock, free again after `release` or with the process.
package protocol DiskLock: AnyObject, Sendable {
  /// Sets the text, one line, that a person finds in the file, behind the holder's process id.
  func describe(_ text: String)
  func release()
}

extension DiskFile {
  /// Writes all of `bytes`, continuing after short writes.
  package func writeAll(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StoreError) {
    var done = 0
    while done < bytes.count {
      done += try write(
        UnsafeRawBufferPointer(rebasing: bytes[done...]), at: offset + UInt64(done))
    }
  }

  /// Writes all of `bytes`.
  package func writeAll(_ bytes: [UInt8], at offset: UInt64) throws(StoreError) {
    try bytes.withUnsafeBufferPointer { (all) throws(StoreError) in
      try writeAll(UnsafeRawBufferPointer(all), at: offset)
    }
  }

  /// The whole file, if it is no longer than `limit`.
  package func readAll(limit: Int) throws(StoreError) -> [UInt8]? {
    let size = try size()
    guard size <= UInt64(limit) else { return nil }
    let buffer = RawBuffer(capacity: max(1, Int(size)))
    buffer.count = try read(
      into: UnsafeMutableRawBufferPointer(rebasing: buffer.storage[..<Int(size)]), at: 0)
    return Array(buffer.bytes)
  }
}

extension Disk {
  /// Puts `bytes` at `directory/name` so that after a crash there is all of it or what was there before.
  package func replaceFile(
    _ directory: String, _ name: String, _ bytes: [UInt8]
  ) throws(StoreError) {
    let final = directory + "/" + name
    let temporary = final + ".tmp"
    if try status(temporary) != nil { try remove(temporary) }
    let file = try open(temporary, .createNew)
    defer { file.close() }
    try file.writeAll(bytes, at: 0)
    try file.sync()
    try rename(temporary, final)
    try syncDirectory(directory)
  }

  /// Refuses to take the space that appends are about to need, for what can wait.
  func requireHeadroom(_ directory: String, beside bytes: UInt64) throws(StoreError) {
    let wanted = bytes + Limits.headroomBytes
    guard let free = freeBytes(directory), free < wanted else { return }
    throw StoreError(
      .full, "this waits until \(wanted) bytes are free; \(free) are", path: directory)
  }
}
