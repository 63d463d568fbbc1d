/// How another provider's signature travels through a Messages client.
///
/// Gemini signs calls and texts, for which Anthropic's blocks have no field; a field of our own is dropped by SDKs
/// with strict schemas. But every client sends thoughts back with their signature, because Anthropic demands it.
/// So the signature goes as that of an empty thought before the call, or after the text, with a mark that says
/// whose it is. A colon is in no alphabet in which Anthropic or Google write theirs.
enum MessagesSignature: Sendable, Hashable {
  case ofNext(String)
  case ofLast(String)

  private static let nextMark = "next:"
  private static let lastMark = "last:"

  /// nil: the part is no thought that carries another part's signature.
  init?(_ part: Part) {
    guard case .thinking = part.content, let signature = part.signature else { return nil }
    if signature.hasPrefix(Self.nextMark) {
      self = .ofNext(String(signature.dropFirst(Self.nextMark.count)))
    } else if signature.hasPrefix(Self.lastMark) {
      self = .ofLast(String(signature.dropFirst(Self.lastMark.count)))
    } else {
      return nil
    }
  }

  /// As the signature of a thought.
  var text: String {
    switch self {
    case .ofNext(let signature): Self.nextMark + signature
    case .ofLast(let signature): Self.lastMark + signature
    }
  }
}
