public import Surface

/// One thing that a request asks for besides the conversation itself.
public struct Setting: Sendable, Hashable {
  /// What is asked for.
  public var value: Value
  /// Where the client wrote it: `generationConfig.topK`.
  public var field: String

  /// A setting.
  public init(_ value: Value, field: String) {
    self.value = value
    self.field = field
  }

  /// What may be asked for; numbers are kept as they were written.
  public enum Value: Sendable, Hashable {
    /// Tokens that the answer may have at most, thoughts included where the provider counts them.
    case maxTokens(UInt64)
    case temperature(String)
    case topP(String)
    case topK(String)
    case presencePenalty(String)
    case frequencyPenalty(String)
    case seed(String)
    /// Texts at which the answer ends.
    case stop([String])
    /// How many answers; one is what every protocol does by itself.
    case answers(UInt64)
    case toolChoice(ToolChoice)
    /// Several tools may be called in one turn.
    case parallelToolCalls(Bool)
    case format(OutputFormat)
    case reasoning(Reasoning)
    /// How much to say, as OpenAI names it: `low`, `medium`, `high`.
    case verbosity(String)
    /// Whom the application serves, for the provider's watch over abuse.
    case user(String)
    /// Names and values that the provider only keeps.
    case metadata(JSONValue)
    /// The provider keeps the answer for later requests.
    case store(Bool)
    case serviceTier(String)
    /// Requests with the same key share a cache.
    case cacheKey(String)
    /// The stream's last piece tells the usage; the client's side of it is the stream writer's business.
    case includeUsage(Bool)
    case logProbabilities(Bool)
    case topLogProbabilities(UInt64)
    /// A field of its own protocol that no other has, or that only its own account understands.
    case own(JSONValue)
    /// It refers to what only the account holding it has.
    case state
  }
}

/// Which tools the model may or must call.
public enum ToolChoice: Sendable, Hashable {
  case auto
  case none
  /// Any of them, but one.
  case required
  /// This one.
  case tool(String)
  /// Of these; `isRequired`: one of them must be called.
  case among([String], isRequired: Bool)
}

/// What the answer's text must be.
public enum OutputFormat: Sendable, Hashable {
  case text
  /// Any JSON object.
  case json
  /// JSON by a schema.
  case schema(name: String?, description: String?, schema: JSONValue, isStrict: Bool?)
}

/// How much to think before the answer, and whether to show it.
public struct Reasoning: Sendable, Hashable {
  /// How much.
  public enum Amount: Sendable, Hashable {
    /// Not at all.
    case off
    /// As much as the model finds right.
    case adaptive
    /// As the protocols name it: `minimal`, `low`, `medium`, `high`, `xhigh`, `max`.
    case effort(String)
    /// At most so many tokens.
    case budget(UInt64)
  }

  /// How much; nil: the model's default.
  public var amount: Amount?
  /// Whether the thoughts, or a summary of them, are wanted in the answer; nil: the provider's default.
  public var isShown: Bool?

  /// A wish.
  public init(amount: Amount? = nil, isShown: Bool? = nil) {
    self.amount = amount
    self.isShown = isShown
  }
}
