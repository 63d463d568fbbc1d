import Glibc

@testable import EventStore

/// A run of the executable `torture`, which lies beside the tests.
final class Torture {
  private let pid: pid_t
  private let output: Int32

  init(_ arguments: [String]) throws {
    var path = [CChar](repeating: 0, count: 4_096)
    let count = readlink("/proc/self/exe", &path, path.count)
    let own = String(
      decoding: path.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // The tests are a library or executable in the build's directory; its helper may stand elsewhere.
    let candidates = CommandLine.arguments + [own]
    let folder = candidates.compactMap { name -> String? in
      guard let slash = name.lastIndex(of: "/") else { return nil }
      let sibling = name[..<slash] + "/torture"
      return access(String(sibling), X_OK) == 0 ? String(sibling) : nil
    }.first
    guard let executable = folder else {
      throw StoreError(.io, "torture was not built beside the tests", path: own)
    }
    var pipes: [Int32] = [0, 0]
    guard pipe(&pipes) == 0 else { throw StoreError(.io, "pipe", errno: errno) }
    for end in pipes { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_adddup2(&actions, pipes[1], 1)
    defer { posix_spawn_file_actions_destroy(&actions) }
    var words = ([executable] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var child = pid_t()
    let result = posix_spawn(&child, executable, &actions, nil, &words, environ)
    close(pipes[1])
    guard result == 0 else {
      close(pipes[0])
      throw StoreError(.io, "posix_spawn", errno: result)
    }
    pid = child
    output = pipes[0]
  }

  deinit { close(output) }

  /// Reads at least `bytes` bytes of its output, kills it, and gives all of its output.
  func killAfter(bytes: Int) -> [UInt8] {
    var text: [UInt8] = []
    var isKilled = false
    var room = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      let count = read(output, &room, room.count)
      if count <= 0 { break }
      text += room.prefix(count)
      if !isKilled, text.count >= bytes {
        kill(pid, SIGKILL)
        isKilled = true
      }
    }
    _ = wait()
    return text
  }

  /// Its exit status, or minus the signal that ended it.
  func wait() -> Int32 {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    return status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)
  }
}
