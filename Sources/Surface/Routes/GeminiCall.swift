/// What the path of a Gemini request says: `/v1beta/models/{model}:generateContent`.
public struct GeminiCall: Sendable, Hashable {
  /// Decoded, slashes included; 1…256 bytes.
  public var model: String
  /// `:streamGenerateContent`.
  public var isStream: Bool

  /// A call to a model.
  public init(model: String, isStream: Bool) {
    self.model = model
    self.isStream = isStream
  }

  /// Takes apart a path with its escapes as sent, without query; nil: it is none of this kind.
  public init?(path: some StringProtocol) {
    guard let base = Self.bases.first(where: { path.hasPrefix($0) }) else { return nil }
    // Some clients escape the colon as well.
    guard let rest = percentDecoded(path.dropFirst(base.count).utf8),
      let colon = rest.lastIndex(of: ":")
    else { return nil }
    switch rest[rest.index(after: colon)...] {
    case "generateContent": isStream = false
    case "streamGenerateContent": isStream = true
    case _: return nil
    }
    let model = String(rest[..<colon])
    guard 1...JSONCursor.maximumModelBytes ~= model.utf8.count else { return nil }
    self.model = model
  }

  /// What stands before the model.
  static let bases = ["/v1beta", "/v1", "/api/v1beta", "/api/v1"].map { $0 + "/models/" }
}

/// The text behind percent-escapes; nil for half an escape, a control character, or what is not UTF-8.
public func percentDecoded(_ text: some Sequence<UInt8>) -> String? {
  var bytes: [UInt8] = []
  var rest = text.makeIterator()
  while var byte = rest.next() {
    if byte == UInt8(ascii: "%") {
      guard let high = rest.next().flatMap(hexValue), let low = rest.next().flatMap(hexValue) else {
        return nil
      }
      byte = high << 4 | low
    }
    guard byte >= 0x20, byte != 0x7F else { return nil }
    bytes.append(byte)
  }
  return String(validating: bytes, as: UTF8.self)
}
