/// The form of requests and answers at one side of the gateway.
///
/// A client's follows from its path, a provider's from its protocol and what the client asks for.
public enum Dialect: String, Sendable, Hashable, CaseIterable {
  case chat
  case completions
  case embeddings
  case responses
  case messages
  case countTokens
  case gemini
  /// The API Router's own form, which no provider speaks.
  case inference

  /// Whether there is something in every provider's words that means the same.
  public var isKnownToAll: Bool {
    switch self {
    case .chat, .responses, .messages, .gemini, .inference: true
    case .completions, .embeddings, .countTokens: false
    }
  }
}

extension UpstreamProtocol {
  /// What a provider of this protocol is spoken to in for a client of `dialect`; nil: it has no such operation.
  public func dialect(for client: Dialect) -> Dialect? {
    switch (self, client) {
    case (.openai, .chat), (.openai, .messages), (.openai, .gemini), (.openai, .inference):
      .chat
    case (.openai, .completions): .completions
    case (.openai, .embeddings): .embeddings
    case (.openai, .responses): .responses
    case (.openai, .countTokens): nil
    case (.anthropic, .chat), (.anthropic, .responses), (.anthropic, .gemini),
      (.anthropic, .messages), (.anthropic, .inference):
      .messages
    case (.anthropic, .countTokens): .countTokens
    case (.anthropic, .completions), (.anthropic, .embeddings): nil
    case (.gemini, .chat), (.gemini, .responses), (.gemini, .messages), (.gemini, .gemini),
      (.gemini, .inference):
      .gemini
    case (.gemini, .completions), (.gemini, .embeddings), (.gemini, .countTokens): nil
    }
  }
}
