import FoundationEssentials

/// RFC 4648 §5 without padding, as tokens and challenges are written.
enum Base64URL {
  static func text(_ bytes: some Sequence<UInt8>) -> String {
    String(
      decoding: Data(bytes).base64EncodedData().compactMap { byte -> UInt8? in
        switch byte {
        case UInt8(ascii: "+"): UInt8(ascii: "-")
        case UInt8(ascii: "/"): UInt8(ascii: "_")
        case UInt8(ascii: "="): nil
        case _: byte
        }
      }, as: UTF8.self)
  }

  /// nil: it is not such a text.
  static func bytes(_ text: some StringProtocol) -> [UInt8]? {
    var plain = text.utf8.map { byte in
      switch byte {
      case UInt8(ascii: "-"): UInt8(ascii: "+")
      case UInt8(ascii: "_"): UInt8(ascii: "/")
      case _: byte
      }
    }
    while plain.count % 4 != 0 { plain.append(UInt8(ascii: "=")) }
    return Data(base64Encoded: Data(plain)).map { Array($0) }
  }
}
