import EventStore
import Glibc
import Support

/// A run of the executable `torture`, which lies beside the tests.
func torture(_ arguments: [String]) throws -> ChildProcess {
  // The tests are a library or executable in the build's directory; its helper may stand elsewhere.
  let candidates = CommandLine.arguments + [ChildProcess.ownExecutable]
  let executable = candidates.compactMap { name -> String? in
    guard let slash = name.lastIndex(of: "/") else { return nil }
    let sibling = name[..<slash] + "/torture"
    return access(String(sibling), X_OK) == 0 ? String(sibling) : nil
  }.first
  guard let executable else {
    throw StoreError(
      .io, "torture was not built beside the tests", path: ChildProcess.ownExecutable)
  }
  return try ChildProcess(executable, arguments)
}
