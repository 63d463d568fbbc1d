import Foundation

/// Small files that the command line names.
enum FileText {
  /// What cannot be read, and why; never its contents.
  struct Unreadable: Error, CustomStringConvertible {
    var description: String
  }

  /// The file's bytes; `-` is standard input.
  ///
  /// Refuses more than `limit` bytes.
  static func bytes(_ path: String, limit: Int) throws -> [UInt8] {
    let handle: FileHandle
    if path == "-" {
      handle = .standardInput
    } else {
      guard let opened = FileHandle(forReadingAtPath: path) else {
        throw Unreadable(description: "cannot open \(path)")
      }
      handle = opened
    }
    var data = Data()
    while data.count <= limit {
      guard let part = try handle.read(upToCount: limit + 1 - data.count), !part.isEmpty else {
        return [UInt8](data)
      }
      data.append(part)
    }
    throw Unreadable(description: "\(path) is larger than \(limit) bytes")
  }

  /// Whether this is a directory in which nothing is yet.
  static func isEmptyDirectory(_ path: String) -> Bool {
    (try? FileManager.default.contentsOfDirectory(atPath: path).isEmpty) ?? false
  }

  /// The file as UTF-8.
  static func text(_ path: String, limit: Int) throws -> String {
    guard let text = String(validating: try bytes(path, limit: limit), as: UTF8.self) else {
      throw Unreadable(description: "\(path) is not UTF-8")
    }
    return text
  }
}
