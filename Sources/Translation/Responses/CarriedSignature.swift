/// What a provider of another protocol wants back unchanged, in the form of `encrypted_content`.
///
/// Clients of Responses give reasoning items back whole, whatever SDK they use, but few keep fields that they do
/// not know: so this is the one place where a signature survives. What OpenAI itself encrypted has no such mark.
enum CarriedSignature: Hashable {
  /// Of the thoughts whose text stands in the item.
  case thinking(String)
  /// Thoughts that only their provider can read.
  case redacted(String)
  /// Of the call that follows the item (Gemini's).
  case call(String)

  /// nil: not one of ours.
  init?(_ text: String) {
    for (mark, make) in Self.marks where text.utf8.starts(with: mark.utf8) {
      self = make(String(Substring(text.utf8.dropFirst(mark.utf8.count))))
      return
    }
    return nil
  }

  /// As the client gets it.
  var text: String {
    switch self {
    case .thinking(let signature): "signalbox.thinking:" + signature
    case .redacted(let data): "signalbox.redacted:" + data
    case .call(let signature): "signalbox.call:" + signature
    }
  }

  private static let marks: [(String, @Sendable (String) -> CarriedSignature)] = [
    ("signalbox.thinking:", { .thinking($0) }),
    ("signalbox.redacted:", { .redacted($0) }),
    ("signalbox.call:", { .call($0) }),
  ]
}

/// A reasoning item's id and encrypted content in one, as clients of other protocols get it for a signature.
///
/// The mark tells it from another provider's signature, which OpenAI would refuse.
struct ReasoningSignature: Hashable {
  /// As `rs_…`.
  var id: String
  /// What only OpenAI can read.
  var encrypted: String

  init(id: String, encrypted: String) {
    self.id = id
    self.encrypted = encrypted
  }

  /// nil: another provider's.
  init?(_ text: String) {
    let mark = "responses:"
    guard text.utf8.starts(with: mark.utf8) else { return nil }
    let rest = text.utf8.dropFirst(mark.utf8.count)
    guard let colon = rest.firstIndex(of: UInt8(ascii: ":")) else { return nil }
    id = String(Substring(rest[..<colon]))
    encrypted = String(Substring(rest[rest.index(after: colon)...]))
  }

  /// As the client gets it.
  var text: String { "responses:\(id):\(encrypted)" }
}
