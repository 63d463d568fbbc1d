import Domain

/// What a `thoughtSignature` holds.
///
/// Google's are bytes, which its SDKs decode and write again in Base64's other alphabet. The texts of other makers
/// would not survive that, so they travel as bytes under a mark; what comes back without it is Google's own.
enum GeminiSignature: Hashable {
  /// Another maker's signature of a part.
  case foreign(String)
  /// Another maker's thoughts that only it can read.
  case redacted(String)
  /// Google's, in Base64's first alphabet.
  case google(String)

  private static let signed = "signalbox.signature:"
  private static let hidden = "signalbox.redacted:"

  /// What tells a Gemini model not to look for the signature of a call that it did not make.
  ///
  /// Google documents the word for histories that come from other models; since Gemini 3 a call without any is
  /// refused.
  static let unchecked = "skip_thought_signature_validator"

  /// nil: the text only says that there is no signature, in either of Google's words for it.
  init?(_ text: String) {
    if Self.absent.contains(text) { return nil }
    let standard = standardBase64(text)
    guard let bytes = parseBase64(standard), let content = String(validating: bytes, as: UTF8.self)
    else {
      self = .google(standard)
      return
    }
    if content.hasPrefix(Self.signed) {
      self = .foreign(String(content.dropFirst(Self.signed.count)))
    } else if content.hasPrefix(Self.hidden) {
      self = .redacted(String(content.dropFirst(Self.hidden.count)))
    } else if Self.absent.contains(content) {
      return nil
    } else {
      self = .google(standard)
    }
  }

  private static let absent: Set<String> = [unchecked, "context_engineering_is_the_way_to_go"]

  /// The field's text.
  var text: String {
    switch self {
    case .foreign(let text): base64Text((Self.signed + text).utf8)
    case .redacted(let text): base64Text((Self.hidden + text).utf8)
    case .google(let text): text
    }
  }
}

/// Base64 in its first alphabet and padded, as other providers want it; Google's SDKs write the one for URLs.
///
/// What is no Base64 at all stays so: its provider will say.
func standardBase64(_ text: String) -> String {
  let digits = text.utf8
  let isStandard =
    digits.count % 4 == 0
    && !digits.contains { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
  if isStandard { return text }
  var bytes: [UInt8] = []
  bytes.reserveCapacity(digits.count + 3)
  for digit in digits {
    switch digit {
    case UInt8(ascii: "-"): bytes.append(UInt8(ascii: "+"))
    case UInt8(ascii: "_"): bytes.append(UInt8(ascii: "/"))
    case let other: bytes.append(other)
    }
  }
  while bytes.count % 4 != 0 { bytes.append(UInt8(ascii: "=")) }
  return String(decoding: bytes, as: UTF8.self)
}
