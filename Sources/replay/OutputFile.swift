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

  private static func fault(_ path: String) -> InquiryFault {
    InquiryFault(.usage, "\(path) cannot be written: \(String(cString: strerror(errno))).")
  }
}
