import FoundationEssentials
import Glibc

/// Small private files: read whole and bounded, written so that a crash leaves the old or the new.
enum KeyFile {
  /// No file of ours in `keys/` is longer.
  static let maximumBytes = 4096

  /// The file's bytes, or nil if there is no such file.
  ///
  /// Refuses a file that others can read or write.
  static func read(_ path: String) throws(VaultError) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { return nil }
      throw VaultError(.io, "cannot open a key file", path: path, errno: errno)
    }
    defer { close(descriptor) }
    guard try permissions(path) & 0o077 == 0 else {
      throw VaultError(
        .permissions, "a key file is open to other users; run: chmod 600 \(path)", path: path)
    }
    var bytes = [UInt8](repeating: 0, count: maximumBytes + 1)
    var count = 0
    while count < bytes.count {
      let start = count
      let got = bytes.withUnsafeMutableBytes { buffer in
        Glibc.read(descriptor, buffer.baseAddress.map { $0 + start }, buffer.count - start)
      }
      if got < 0 {
        if errno == EINTR { continue }
        throw VaultError(.io, "cannot read a key file", path: path, errno: errno)
      }
      if got == 0 { break }
      count += got
    }
    guard count <= maximumBytes else {
      throw VaultError(.damaged, "a key file is longer than \(maximumBytes) bytes", path: path)
    }
    return Array(bytes[..<count])
  }

  /// Writes the file with mode 0600; when this returns it survives a crash, directory entry included.
  static func write(_ bytes: [UInt8], to path: String, directory: String) throws(VaultError) {
    let temporary = "\(path).tmp"
    // What an earlier crash left may be open to others; a link may lead anywhere.
    guard unlink(temporary) == 0 || errno == ENOENT else {
      throw VaultError(.io, "cannot replace a key file", path: temporary, errno: errno)
    }
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw VaultError(.io, "cannot create a key file", path: temporary, errno: errno)
    }
    var isOpen = true
    defer { if isOpen { close(descriptor) } }
    var offset = 0
    while offset < bytes.count {
      let start = offset
      let put = bytes.withUnsafeBytes { buffer in
        Glibc.write(descriptor, buffer.baseAddress.map { $0 + start }, buffer.count - start)
      }
      if put < 0 {
        if errno == EINTR { continue }
        throw VaultError(.io, "cannot write a key file", path: temporary, errno: errno)
      }
      offset += put
    }
    guard fsync(descriptor) == 0 else {
      throw VaultError(.io, "cannot sync a key file", path: temporary, errno: errno)
    }
    isOpen = false
    guard close(descriptor) == 0 else {
      throw VaultError(.io, "cannot close a key file", path: temporary, errno: errno)
    }
    guard rename(temporary, path) == 0 else {
      throw VaultError(.io, "cannot rename a key file", path: path, errno: errno)
    }
    try syncDirectory(directory)
  }

  /// Puts other bytes into the file that is there, which stays the same file; synced when this returns.
  static func overwrite(_ bytes: [UInt8], at path: String) throws(VaultError) {
    let descriptor = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else {
      throw VaultError(.io, "cannot open a key file", path: path, errno: errno)
    }
    defer { close(descriptor) }
    var offset = 0
    while offset < bytes.count {
      let start = offset
      let put = bytes.withUnsafeBytes { buffer in
        Glibc.write(descriptor, buffer.baseAddress.map { $0 + start }, buffer.count - start)
      }
      if put < 0 {
        if errno == EINTR { continue }
        throw VaultError(.io, "cannot write a key file", path: path, errno: errno)
      }
      offset += put
    }
    guard fsync(descriptor) == 0 else {
      throw VaultError(.io, "cannot sync a key file", path: path, errno: errno)
    }
  }

  /// Makes the directory with mode 0700 unless it is there; refuses one that is open to others.
  static func makeDirectory(_ path: String) throws(VaultError) {
    if mkdir(path, 0o700) == 0 {
      // The new entry itself must survive a crash, else a key file in it would not.
      var parent = path
      while parent.hasSuffix("/") { parent.removeLast() }
      if let slash = parent.lastIndex(of: "/") {
        parent = slash == parent.startIndex ? "/" : String(parent[..<slash])
      } else {
        parent = "."
      }
      try syncDirectory(parent)
    } else if errno != EEXIST {
      throw VaultError(.io, "cannot create the key directory", path: path, errno: errno)
    }
    try checkDirectory(path)
  }

  /// Whether the directory is there; refuses one that is open to others.
  @discardableResult
  static func checkDirectory(_ path: String) throws(VaultError) -> Bool {
    var isDirectory = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      return false
    }
    guard isDirectory else {
      throw VaultError(.damaged, "the key directory is not a directory", path: path)
    }
    guard try permissions(path) & 0o077 == 0 else {
      throw VaultError(
        .permissions, "the key directory is open to other users; run: chmod 700 \(path)",
        path: path)
    }
    return true
  }

  /// Names in the directory that end in `suffix`, sorted; empty if there is no directory.
  static func names(in directory: String, suffix: String) throws(VaultError) -> [String] {
    guard let handle = opendir(directory) else {
      if errno == ENOENT { return [] }
      throw VaultError(.io, "cannot list the key directory", path: directory, errno: errno)
    }
    defer { closedir(handle) }
    var names: [String] = []
    while let entry = readdir(handle) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { raw in
        String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name.hasSuffix(suffix) { names.append(name) }
    }
    return names.sorted()
  }

  /// The mode bits.
  ///
  /// By Foundation: beside it `struct stat` belongs to no module that can be imported.
  private static func permissions(_ path: String) throws(VaultError) -> Int {
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    guard let mode = attributes?[.posixPermissions] as? Int else {
      throw VaultError(.io, "cannot examine a key file", path: path)
    }
    return mode
  }

  private static func syncDirectory(_ path: String) throws(VaultError) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw VaultError(.io, "cannot open a directory to sync it", path: path, errno: errno)
    }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else {
      throw VaultError(.io, "cannot sync a directory", path: path, errno: errno)
    }
  }
}
