import ConfigFile
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

  /// What is wrong with a configuration file, and which one.
  struct Faulty: Error, CustomStringConvertible {
    var path: String
    var fault: ConfigFault
    var description: String { "\(FileText.name(path)): \(fault)" }
  }

  /// How messages call a file.
  static func name(_ path: String) -> String { path == "-" ? "standard input" : path }

  /// The configuration file, read and checked.
  static func configuration(_ path: String) throws -> ConfigurationPlan {
    let text = try text(path, limit: ConfigurationFile.bytesMax)
    do {
      return try ConfigurationFile.parse(text, environment: Environment.all)
    } catch {
      throw Faulty(path: path, fault: error)
    }
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
