import Glibc
import Inquiry

/// Files that the command line asks for.
enum OutputFile {
  /// Writes the text, in place of what was there.
  ///
  /// - Throws: `InquiryFault` if that fails; a part may be there then.
  static func write(_ text: String, to path: String) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw fault(path) }
    let isWritten = Terminal.write(text, to: descriptor)
    let isClosed = close(descriptor) == 0
    guard isWritten, isClosed else { throw fault(path) }
  }

  fileprivate static func fault(_ path: String) -> InquiryFault {
    InquiryFault(.usage, "\(path) cannot be written: \(String(cString: strerror(errno))).")
  }
}

/// Text that is written as it comes, to standard output or into a file that was not there.
struct RowStream {
  /// nil: standard output.
  private let path: String?
  private let descriptor: Int32
  private var waiting = ""

  private static let portion = 1 << 16

  /// - Throws: `InquiryFault` if something is there already, or it cannot be made.
  init(path: String?) throws(InquiryFault) {
    self.path = path
    guard let path else {
      descriptor = STDOUT_FILENO
      return
    }
    descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw errno == EEXIST
        ? InquiryFault(.usage, "\(path) exists already; remove it or name another file.")
        : OutputFile.fault(path)
    }
  }

  mutating func write(_ text: String) throws(InquiryFault) {
    waiting += text
    if waiting.utf8.count >= Self.portion { try flush() }
  }

  /// Writes what is left, and closes a file.
  mutating func finish() throws(InquiryFault) {
    try flush()
    if let path, close(descriptor) != 0 { throw OutputFile.fault(path) }
  }

  /// Throws a file away that is not whole.
  func abandon() { if let path { unlink(path) } }

  private mutating func flush() throws(InquiryFault) {
    defer { waiting.removeAll(keepingCapacity: true) }
    guard let path else {
      // A reader that went away has what it wanted.
      if !Terminal.put(waiting) { exit(0) }
      return
    }
    guard Terminal.write(waiting, to: descriptor) else { throw OutputFile.fault(path) }
  }
}
