import ArgumentParser
import Glibc
import Inquiry

/// Files that the command line names beside the log.
enum InputFile {
  /// The file's bytes; `-` is standard input.
  ///
  /// - Throws: `InquiryFault` if it cannot be read or is longer than `limit` bytes.
  static func bytes(_ path: String, limit: Int) throws -> [UInt8] {
    let descriptor = path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw fault(path, String(cString: strerror(errno))) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var room = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = read(descriptor, &room, room.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw fault(path, String(cString: strerror(errno)))
      }
      if count == 0 { break }
      bytes.append(contentsOf: room[..<count])
      guard bytes.count <= limit else { throw fault(path, "it is longer than \(limit) bytes") }
    }
    return bytes
  }

  /// The file's text, as above.
  ///
  /// - Throws: `InquiryFault` also if it is not UTF-8.
  static func text(_ path: String, limit: Int) throws -> String {
    guard let text = String(validating: try bytes(path, limit: limit), as: UTF8.self) else {
      throw fault(path, "it is not UTF-8 text")
    }
    return text
  }

  private static func fault(_ path: String, _ why: String) -> InquiryFault {
    InquiryFault(.usage, "\(path) cannot be read: \(why).")
  }
}

/// Which key checkpoints must be signed with; it must not come from the log.
struct KeyArgument: ExpressibleByArgument {
  var text: String

  init?(argument: String) { text = argument }

  static let help = ArgumentHelp(
    "The gateway's public key, as `signalbox checkpoint --public-key` prints it, or a file with it.",
    discussion: "It must come from outside the log, else it proves nothing.",
    valueName: "hex|file")

  func key() throws -> VerifyingKey {
    if let key = try? VerifyingKey(text) { return key }
    do {
      return try VerifyingKey(InputFile.text(text, limit: 4_096))
    } catch let fault as InquiryFault {
      throw InquiryFault(.usage, "--public-key: \(fault.message)")
    }
  }
}
