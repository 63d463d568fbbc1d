import Glibc

/// `DIR/control.sock` as the system takes it, however long DIR is.
struct ControlSocketAddress {
  static let name = "control.sock"

  /// A system call that failed, and on what.
  struct Failure: Error, CustomStringConvertible {
    var call: String
    var path: String
    var code: Int32

    var description: String { "\(call) \(path): \(String(cString: strerror(code)))" }
  }

  /// A path of at most 107 bytes that leads to the file as long as `body` runs.
  ///
  /// The system takes no longer ones; a directory's descriptor shortens any.
  static func withPath<Result>(
    of file: String, in directory: String, _ body: (String) async throws -> Result
  ) async throws -> Result {
    let path = "\(directory)/\(file)"
    if path.utf8.count < capacity { return try await body(path) }
    let descriptor = Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure(call: "open", path: directory, code: errno) }
    defer { Glibc.close(descriptor) }
    return try await body("/proc/self/fd/\(descriptor)/\(file)")
  }

  /// The path as the structure that `bind` takes.
  static func address(_ path: String) -> sockaddr_un {
    precondition(path.utf8.count < capacity, "shortened by withPath")
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return address
  }

  /// What `sun_path` holds, its closing zero included.
  private static let capacity = MemoryLayout.size(ofValue: sockaddr_un().sun_path)
}
