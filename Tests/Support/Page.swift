import Glibc

/// A page in `docs/` that a test holds to what it describes.
public struct Page {
  private let path: String

  /// `docs/<name>` of the tree that the calling test stands in, so that it is found wherever tests are run.
  public init(_ name: String, from file: String = #filePath) {
    path = "/" + file.split(separator: "/").dropLast(3).joined(separator: "/") + "/docs/" + name
  }

  /// The whole text, up to 1 MiB; nil: it cannot be opened.
  public func read() -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<count], as: UTF8.self)
  }

  /// Whether all of the text could be written in the old one's place.
  public func write(_ text: String) -> Bool {
    guard let file = fopen(path, "w") else { return false }
    defer { fclose(file) }
    let bytes = Array(text.utf8)
    return fwrite(bytes, 1, bytes.count, file) == bytes.count
  }
}
