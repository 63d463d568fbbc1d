internal import Glibc
internal import Synchronization

/// The real machine; the only file of the log that makes file-system calls.
package struct PosixDisk: Disk {
  package init() {}

  package func status(_ path: String) throws(StoreError) -> FileStatus? {
    var info = stat()
    if stat(path, &info) != 0 {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      throw failure("stat", path)
    }
    return FileStatus(
      isDirectory: info.st_mode & S_IFMT == S_IFDIR, size: UInt64(max(info.st_size, 0)),
      permissions: UInt32(info.st_mode & 0o777))
  }

  package func makeDirectory(_ path: String) throws(StoreError) {
    if mkdir(path, 0o700) != 0 { throw failure("mkdir", path) }
  }

  package func list(_ path: String) throws(StoreError) -> [String] {
    guard let directory = opendir(path) else { throw failure("opendir", path) }
    defer { closedir(directory) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(directory) else {
        if errno != 0 { throw failure("readdir", path) }
        return names
      }
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
  }

  package func open(_ path: String, _ mode: OpenMode) throws(StoreError) -> any DiskFile {
    let flags =
      switch mode {
      case .read: O_RDONLY
      case .readWrite: O_RDWR
      case .createNew: O_RDWR | O_CREAT | O_EXCL
      }
    let descriptor = retrying { Glibc.open(path, flags | O_CLOEXEC, 0o600) }
    if descriptor < 0 { throw failure("open", path) }
    return PosixFile(descriptor: descriptor, path: path)
  }

  package func rename(_ from: String, _ to: String) throws(StoreError) {
    if Glibc.rename(from, to) != 0 { throw failure("rename", from) }
  }

  package func remove(_ path: String) throws(StoreError) {
    if unlink(path) != 0 { throw failure("unlink", path) }
  }

  package func syncDirectory(_ path: String) throws(StoreError) {
    let descriptor = retrying { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    if descriptor < 0 { throw failure("open", path) }
    defer { _ = Glibc.close(descriptor) }
    if fsync(descriptor) != 0 { throw failure("fsync", path) }
  }

  package func lock(_ path: String) throws(StoreError) -> any DiskLock {
    let file = retrying { Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600) }
    if file < 0 { throw failure("open", path) }
    do throws(StoreError) {
      // Of the open file rather than of the process, so that it holds within a process too.
      var whole = wholeFile(F_WRLCK)
      if patiently({ fcntl(file, ofdSetLock, &whole) }) != 0 { throw lockFailure(file, path) }
      let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
      let directory = retrying { Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
      if directory < 0 { throw failure("open", folder) }
      if patiently({ flock(directory, LOCK_EX | LOCK_NB) }) != 0 {
        let error = lockFailure(file, folder)
        _ = Glibc.close(directory)
        throw error
      }
      let lock = PosixLock(file: file, directory: directory)
      lock.describe("opening since \(utcText(now()))")
      return lock
    } catch {
      _ = Glibc.close(file)
      throw error
    }
  }

  private func lockFailure(_ file: Int32, _ path: String) -> StoreError {
    let reason = errno
    guard reason == EWOULDBLOCK || reason == EACCES else {
      return StoreError(
        .io,
        "store.lock: locking failed: \(String(cString: strerror(reason))); keep the log on a file system "
          + "of this machine, where locks work", path: path, errno: reason)
    }
    var text = [UInt8](repeating: 0, count: 256)
    let count = max(0, pread(file, &text, text.count, 0))
    let holder = String(decoding: text.prefix(count).prefix { $0 != 10 }, as: UTF8.self)
    return StoreError(
      .locked,
      "store.lock: another process has this log open for writing"
        + (holder.isEmpty ? " (the file LOCK was deleted since)" : " (\(holder))")
        + "; stop it, or leave the log to it: replay reads beside it", path: path)
  }

  package func isLocked(_ path: String) -> Bool? {
    let file = retrying { Glibc.open(path, O_RDONLY | O_CLOEXEC) }
    if file < 0 { return nil }
    defer { _ = Glibc.close(file) }
    var whole = wholeFile(F_RDLCK)
    guard retrying({ fcntl(file, ofdGetLock, &whole) }) == 0 else { return nil }
    return whole.l_type != Int16(F_UNLCK)
  }

  package func bootID() -> [UInt8] {
    let descriptor = retrying {
      Glibc.open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
    }
    if descriptor < 0 { return [] }
    defer { _ = Glibc.close(descriptor) }
    var text = [UInt8](repeating: 0, count: 64)
    let count = Glibc.read(descriptor, &text, text.count)
    return Array(text.prefix(max(0, count)).prefix { $0 > 0x20 })
  }

  package func now() -> Int64 { nanoseconds(CLOCK_REALTIME) }

  package func monotonic() -> Int64 { nanoseconds(CLOCK_MONOTONIC) }

  private func nanoseconds(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  package func freeBytes(_ path: String) -> UInt64? {
    var space = statvfs()
    guard statvfs(path, &space) == 0 else { return nil }
    return UInt64(space.f_bavail).multipliedReportingOverflow(by: UInt64(space.f_frsize))
      .partialValue
  }

  package func randomID() -> UInt128 { .random(in: 1 ... .max) }
}

/// Asks for a lock for up to 200 ms before it counts as held.
///
/// A child process has all descriptors of its parent until it becomes another program, and a lock ends with the
/// last of them: a log that was just closed, or whose process just died, may be locked a moment longer.
private func patiently(_ call: () -> Int32) -> Int32 {
  for _ in 0..<40 {
    if retrying(call) == 0 { return 0 }
    guard errno == EWOULDBLOCK || errno == EACCES else { return -1 }
    usleep(5_000)
  }
  return retrying(call)
}

/// Repeats a call that a signal cut short.
private func retrying(_ call: () -> Int32) -> Int32 {
  while true {
    let result = call()
    if result >= 0 || errno != EINTR { return result }
  }
}

/// F_OFD_GETLK and F_OFD_SETLK, which Glibc's module leaves out: the same numbers on every Linux.
private let ofdGetLock: Int32 = 36
private let ofdSetLock: Int32 = 37

/// A lock of this kind on a whole file, however long it becomes.
private func wholeFile(_ kind: Int32) -> Glibc.flock {
  Glibc.flock(l_type: Int16(kind), l_whence: Int16(SEEK_SET), l_start: 0, l_len: 0, l_pid: 0)
}

/// What to do about an error of the system, where a person can do something.
private func remedy(_ reason: Int32) -> String? {
  switch reason {
  case EACCES, EPERM: "run this as the user who owns the log's directory"
  case EROFS:
    "the file system is mounted read-only: look into why, mount it writable; replay reads it as it is"
  case EIO:
    "the device fails: look at the kernel's messages (dmesg), and copy what can be read elsewhere"
  case ENOSPC: "make room on the file system"
  case EDQUOT: "make room, or raise the quota of this user"
  case EFBIG: "raise the limit on the size of files (ulimit -f, LimitFSIZE)"
  case EMFILE, ENFILE: "raise the limit on open files (ulimit -n, LimitNOFILE)"
  default: nil
  }
}

private func failure(_ operation: String, _ path: String) -> StoreError {
  let reason = errno
  // Without a descriptor nothing was done either, and one may be free in a moment.
  let isFull = [ENOSPC, EDQUOT, EFBIG, EMFILE, ENFILE].contains(reason)
  return StoreError(
    isFull ? .full : .io,
    "\(operation) failed: \(String(cString: strerror(reason)))"
      + (remedy(reason).map { "; \($0)" } ?? ""), path: path, errno: reason)
}

private final class PosixFile: DiskFile {
  private let descriptor: Int32
  private let name: Mutex<String>
  private let isClosed = Latch()

  init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    name = Mutex(path)
  }

  private var path: String { name.withLock { $0 } }

  func isNow(at path: String) { name.withLock { $0 = path } }

  deinit { close() }

  func close() {
    // Exactly once: the number may already name another file.
    if isClosed.set() { _ = Glibc.close(descriptor) }
  }

  func read(
    into room: UnsafeMutableRawBufferPointer, at offset: UInt64
  ) throws(StoreError) -> Int {
    var done = 0
    while done < room.count {
      let count = pread(
        descriptor, room.baseAddress.map { $0 + done }, room.count - done,
        off_t(offset) + off_t(done))
      if count < 0 {
        if errno == EINTR { continue }
        throw failure("read", path)
      }
      if count == 0 { break }
      done += count
    }
    return done
  }

  func write(
    _ bytes: UnsafeRawBufferPointer, at offset: UInt64
  ) throws(StoreError) -> Int {
    while true {
      let count = pwrite(descriptor, bytes.baseAddress, bytes.count, off_t(offset))
      if count > 0 { return count }
      if count < 0 && errno == EINTR { continue }
      if count == 0 { errno = EIO }
      throw failure("write", path)
    }
  }

  func sync() throws(StoreError) {
    // Not repeated after EINTR or any error: the kernel marks pages clean even if they were lost.
    if fdatasync(descriptor) != 0 { throw failure("fdatasync", path) }
  }

  func truncate(to size: UInt64) throws(StoreError) {
    if ftruncate(descriptor, off_t(size)) != 0 { throw failure("ftruncate", path) }
  }

  func allocate(_ size: UInt64) throws(StoreError) {
    // Answers with the number itself, and leaves errno alone.
    var reason = EINTR
    while reason == EINTR { reason = posix_fallocate(descriptor, 0, off_t(size)) }
    if reason != 0 {
      errno = reason
      throw failure("fallocate", path)
    }
  }

  func size() throws(StoreError) -> UInt64 {
    var info = stat()
    if fstat(descriptor, &info) != 0 { throw failure("fstat", path) }
    return UInt64(max(info.st_size, 0))
  }

  func forgetCache() { _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) }
}

private final class PosixLock: DiskLock {
  private let file: Int32
  private let directory: Int32
  private let isReleased = Latch()

  init(file: Int32, directory: Int32) {
    self.file = file
    self.directory = directory
  }

  deinit { release() }

  func describe(_ text: String) {
    // For people only: a failure here changes nothing.
    let bytes = Array("process \(getpid()), \(text)\n".utf8)
    _ = ftruncate(file, 0)
    _ = pwrite(file, bytes, bytes.count, 0)
  }

  func release() {
    guard isReleased.set() else { return }
    _ = Glibc.close(file)
    _ = Glibc.close(directory)
  }
}
