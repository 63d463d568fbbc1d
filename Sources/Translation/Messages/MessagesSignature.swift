import Surface

/// How another provider's signature travels through a Messages client.
///
/// Gemini signs calls and texts, for which Anthropic's blocks have no field; a field of our own is dropped by SDKs
/// with strict schemas. But every client sends thoughts back with their signature, because Anthropic demands it.
/// So the signature goes as that of an empty thought before the call, or after the text, with a mark that says
/// whose it is.
enum MessagesSignature: Sendable, Hashable {
  /// Of the call that follows.
  case call(String)
  /// Of the text before.
  case text(String)

  private static let callMark = "signalbox.call:"
  private static let textMark = "signalbox.text:"

  /// nil: the part is no thought that carries another part's signature.
  init?(_ part: Part) {
    guard case .thinking = part.content, let signature = part.signature else { return nil }
    if signature.hasPrefix(Self.callMark) {
      self = .call(String(signature.dropFirst(Self.callMark.count)))
    } else if signature.hasPrefix(Self.textMark) {
      self = .text(String(signature.dropFirst(Self.textMark.count)))
    } else {
      return nil
    }
  }

  /// As the signature of a thought.
  var carried: String {
    switch self {
    case .call(let signature): Self.callMark + signature
    case .text(let signature): Self.textMark + signature
    }
  }

  /// Whether Anthropic may have made this signature or hidden thought.
  ///
  /// Its own are Base64. A colon ends the mark that other makers' travel with; Anthropic would refuse the request.
  static func isAnthropic(_ text: String) -> Bool {
    !text.utf8.prefix(64).contains(UInt8(ascii: ":"))
  }
}

/// Which of these thoughts a client gets, by its request.
///
/// Who asked for thoughts picks blocks by their type. Who did not may take the last block for the text, and after
/// forcing a tool the first one for the call; but in a loop of tools, Gemini's models need theirs back.
struct MessagesCarrier: Sendable, Hashable {
  /// The signatures of texts.
  let hasTexts: Bool
  /// The signatures of calls.
  let hasCalls: Bool

  init(request: JSONValue) {
    let thinking = request["thinking"]?["type"]?.string
    let choice = request["tool_choice"]?["type"]?.string
    hasTexts = thinking == "enabled" || thinking == "adaptive"
    hasCalls = hasTexts || (choice != "tool" && choice != "any")
  }
}
