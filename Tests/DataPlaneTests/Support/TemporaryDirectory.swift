import Glibc

/// A directory of one test.
struct TemporaryDirectory: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/signalbox-dataplane-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Gateway.Failure(text: "mkdtemp") }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  func remove() { Self.remove(path) }

  private static func remove(_ path: String) {
    if let directory = opendir(path) {
      while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
          String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != ".", name != ".." { remove("\(path)/\(name)") }
      }
      closedir(directory)
    }
    _ = Glibc.remove(path)
  }
}

/// The first 64 KiB of a file.
func contents(of path: String) throws -> [UInt8] {
  guard let file = fopen(path, "r") else { throw Gateway.Failure(text: "no \(path)") }
  defer { fclose(file) }
  return [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
    count = fread(buffer.baseAddress, 1, buffer.count, file)
  }
}
