/// The form of requests and answers at one side of the gateway.
public enum Dialect: UInt8, Sendable, Hashable, CaseIterable {
  /// OpenAI's chat completions.
  case chat
  /// OpenAI's older completions.
  case completions
  case embeddings
  /// OpenAI's Responses.
  case responses
  /// Anthropic's Messages.
  case messages
  /// Anthropic's counting of a message's tokens.
  case countTokens
  /// Gemini's `generateContent`, whole or as a stream.
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
  /// What a provider of this protocol is asked in for a client that speaks `client`: the same wherever there is
  /// one, so that bytes pass as they are; nil: nothing that the provider understands means the same.
  public func dialect(for client: Dialect) -> Dialect? {
    switch (self, client) {
    case (.openai, .chat), (.openai, .completions), (.openai, .embeddings), (.openai, .responses),
      (.anthropic, .messages), (.anthropic, .countTokens), (.gemini, .gemini):
      client
    case (.openai, .messages), (.openai, .gemini), (.openai, .inference): .chat
    case (.anthropic, .chat), (.anthropic, .responses), (.anthropic, .gemini),
      (.anthropic, .inference):
      .messages
    case (.gemini, .chat), (.gemini, .responses), (.gemini, .messages), (.gemini, .inference):
      .gemini
    case (.openai, .countTokens), (.anthropic, .completions), (.anthropic, .embeddings),
      (.gemini, .completions), (.gemini, .embeddings), (.gemini, .countTokens):
      nil
    }
  }
}
