import Glibc

/// Writes to the process's streams, unbuffered: what was written is out, whatever ends us next.
enum Terminal {
  /// Has help written for 40 columns where the terminal has fewer: ArgumentParser 1.8 traps below about 26.
  static func widenHelp() {
    var size = winsize()
    let given = getenv("COLUMNS").flatMap { Int(String(cString: $0)) }
    let columns =
      given ?? (ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 ? Int(size.ws_col) : 0)
    if columns > 0, columns < 40 { setenv("COLUMNS", "40", 1) }
  }

  /// Writes to standard output; a reader that went away is no error.
  static func output(_ text: String) {
    if !write(text, to: STDOUT_FILENO), errno != EPIPE {
      error("replay: standard output: \(String(cString: strerror(errno)))\n")
      exit(2)
    }
  }

  /// Writes to standard output; false if nobody reads it any more.
  static func put(_ text: String) -> Bool {
    if write(text, to: STDOUT_FILENO) { return true }
    if errno != EPIPE {
      error("replay: standard output: \(String(cString: strerror(errno)))\n")
      exit(2)
    }
    return false
  }

  /// Whether somebody may still read standard output.
  static var isRead: Bool {
    var output = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
    return poll(&output, 1, 0) <= 0 || output.revents & Int16(POLLERR | POLLNVAL) == 0
  }

  /// Writes to standard error; what cannot be written is dropped.
  static func error(_ text: String) { _ = write(text, to: STDERR_FILENO) }

  /// Writes all of a text; false, with `errno`, if that fails.
  static func write(_ text: String, to descriptor: Int32) -> Bool {
    var text = text
    return text.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)
      while !rest.isEmpty {
        let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
        if count < 0 {
          if errno == EINTR { continue }
          return false
        }
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
      }
      return true
    }
  }
}
