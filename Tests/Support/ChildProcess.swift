package import EventStore
package import Glibc
internal import Synchronization

/// Another process, with its standard output on a pipe.
package final class ChildProcess {
  package let pid: pid_t
  private let output: Int32

  /// Starts `executable`, a path, with `arguments`; `errors`: where its standard error goes, nil: to ours.
  package init(
    _ executable: String, _ arguments: [String], errors: String? = nil
  ) throws(StoreError) {
    (pid, output) = try Self.starting.withLock { (_) throws(StoreError) in
      try Self.start(executable, arguments, errors)
    }
  }

  /// Held from the making of a pipe to its marking: another child would hold its end open.
  private static let starting = Mutex<Void>(())

  private static func start(
    _ executable: String, _ arguments: [String], _ errors: String?
  ) throws(StoreError) -> (pid_t, Int32) {
    var pipes: [Int32] = [0, 0]
    guard pipe(&pipes) == 0 else { throw StoreError(.io, "pipe", errno: errno) }
    for end in pipes { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_adddup2(&actions, pipes[1], 1)
    if let errors {
      posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    }
    defer { posix_spawn_file_actions_destroy(&actions) }
    var words = ([executable] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var child = pid_t()
    let result = posix_spawn(&child, executable, &actions, nil, &words, environ)
    close(pipes[1])
    guard result == 0 else {
      close(pipes[0])
      throw StoreError(.io, "posix_spawn", path: executable, errno: result)
    }
    return (child, pipes[0])
  }

  deinit { close(output) }

  /// Reads at least `bytes` bytes of its output, kills it, and gives all of its output.
  package func killAfter(bytes: Int) -> [UInt8] {
    let text = read(killingAfter: bytes)
    _ = wait()
    return text
  }

  /// All of its output, up to its end.
  package func readAll() -> [UInt8] { read(killingAfter: .max) }

  private func read(killingAfter bytes: Int) -> [UInt8] {
    var text: [UInt8] = []
    var isKilled = false
    var room = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      let count = Glibc.read(output, &room, room.count)
      if count < 0, errno == EINTR { continue }
      if count <= 0 { return text }
      text += room.prefix(count)
      if !isKilled, text.count >= bytes {
        kill(pid, SIGKILL)
        isKilled = true
      }
    }
  }

  /// Its exit status, or minus the signal that ended it.
  package func wait() -> Int32 {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    return status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)
  }

  /// The path of the program that runs here; empty if unknown.
  package static var ownExecutable: String {
    var path = [CChar](repeating: 0, count: 4_096)
    let count = readlink("/proc/self/exe", &path, path.count)
    return String(
      decoding: path.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
