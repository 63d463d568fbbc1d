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
  /// What Responses have stored is shown.
  case getResponse = 11
  /// What a stored response was asked.
  case listInputItems = 12
  case removeResponse = 13
  /// A response that is made in the background is given up.
  case cancelResponse = 14
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
    case .getResponse: "responses.get"
    case .listInputItems: "responses.input_items"
    case .removeResponse: "responses.delete"
    case .cancelResponse: "responses.cancel"
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
    case .listModels, .getModel, .unknown, .getResponse, .listInputItems, .removeResponse,
      .cancelResponse:
      nil
    }
  }

  /// Whether a model answers it.
  public var isInference: Bool { dialect != nil }

  /// Whether it is about what one account has stored, and so is for that account alone; no model works for it.
  public var isOfStored: Bool {
    switch self {
    case .getResponse, .listInputItems, .removeResponse, .cancelResponse: true
    case _: false
    }
  }

  /// Whether a provider answers it: it needs a key where keys are required, is routed, and counts for overload.
  public var goesUpstream: Bool { isInference || isOfStored }
}
