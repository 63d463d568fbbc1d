import Glibc
import Inquiry

/// Another program whose standard output is read line by line.
final class OtherBuild {
  private let path: String
  private let process: pid_t
  private let output: UnsafeMutablePointer<FILE>
  private var room: UnsafeMutablePointer<CChar>?
  private var roomBytes = 0
  /// How it ended, or 128 and the signal that ended it; nil: it has not.
  private var status: Int32?

  /// Starts it; what it writes to standard error comes out on ours.
  ///
  /// - Throws: `.usage` if there is no such program.
  init(_ path: String, _ arguments: [String]) throws(InquiryFault) {
    self.path = path
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw Self.fault(path, errno) }
    // The other one gets the writing end as its standard output, and nothing else of it.
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
    var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) }
    words.append(nil)
    defer { for word in words { free(word) } }
    var process: pid_t = 0
    // A path, never a name that is looked up somewhere.
    let why = posix_spawn(&process, path, &actions, nil, words, environ)
    close(ends[1])
    guard why == 0, let output = fdopen(ends[0], "r") else {
      close(ends[0])
      throw Self.fault(path, why == 0 ? errno : why)
    }
    (self.process, self.output) = (process, output)
  }

  private static func fault(_ path: String, _ why: Int32) -> InquiryFault {
    InquiryFault(
      .usage, "--against: \(Shown.text(path)) cannot be started: \(String(cString: strerror(why)))."
    )
  }

  /// The next line without its break; nil: there are no more.
  func line() throws(InquiryFault) -> String? {
    let count = getline(&room, &roomBytes, output)
    guard count > 0, let room else { return nil }
    guard count <= 1 << 20 else {
      throw InquiryFault(.usage, "--against: \(Shown.text(path)) writes lines without end.")
    }
    let bytes = UnsafeRawBufferPointer(start: room, count: count)
    return String(decoding: bytes.last == 0x0A ? bytes.dropLast() : bytes[...], as: UTF8.self)
  }

  /// Closes its output, so that it ends, and waits for that.
  ///
  /// - Returns: its exit code, or 128 and the signal that ended it.
  @discardableResult
  func end() -> Int32 {
    if let status { return status }
    fclose(output)
    var word: Int32 = 0
    while waitpid(process, &word, 0) < 0, errno == EINTR {}
    free(room)
    room = nil
    let code = word & 0x7F == 0 ? word >> 8 & 0xFF : 128 + word & 0x7F
    status = code
    return code
  }

  deinit { end() }
}
