/// What a client asked for, from the path alone.
public enum Operation: UInt8, Sendable, Hashable, CaseIterable {
  case chatCompletions = 1
  case listModels = 2
  case getModel = 3
  /// OpenAI's older completions.
  case completions = 4
  case embeddings = 5
  /// OpenAI's Responses.
  case responses = 6
  /// Anthropic's Messages.
  case messages = 7
  /// Anthropic's counting of a message's tokens.
  case countTokens = 8
  /// Gemini's `generateContent` and `streamGenerateContent`.
  case generateContent = 9
  /// The API Router's own form.
  case inference = 10
  /// An inference-shaped request that no operation claims.
  case unknown = 255

  /// As shown in the timeline.
  public var name: String {
    switch self {
    case .chatCompletions: "chat.completions"
    case .listModels: "models.list"
    case .getModel: "models.get"
    case .completions: "completions"
    case .embeddings: "embeddings"
    case .responses: "responses"
    case .messages: "messages"
    case .countTokens: "messages.count_tokens"
    case .generateContent: "generate_content"
    case .inference: "inference"
    case .unknown: "unknown"
    }
  }

  /// The form of its requests and answers; nil: it goes to no provider.
  public var dialect: Dialect? {
    switch self {
    case .chatCompletions: .chat
    case .completions: .completions
    case .embeddings: .embeddings
    case .responses: .responses
    case .messages: .messages
    case .countTokens: .countTokens
    case .generateContent: .gemini
    case .inference: .inference
    case .listModels, .getModel, .unknown: nil
    }
  }

  /// Whether a provider answers it: it needs a key where keys are required, is routed, and counts for overload.
  public var isInference: Bool { dialect != nil }
}
