/// One piece of what is said in a turn.
public struct Part: Sendable, Hashable {
  /// What a part may be.
  public enum Content: Sendable, Hashable {
    case text(String)
    case image(Media)
    case audio(Media)
    /// A document, such as a PDF.
    case document(Media)
    /// The model's thoughts, as far as they are shown.
    case thinking(String)
    /// Thoughts that only the provider can read.
    case redactedThinking(String)
    case toolCall(ToolCall)
    case toolResult(ToolResult)
    /// The model's words for not answering.
    case refusal(String)
  }

  /// What it is.
  public var content: Content
  /// What the provider wants back unchanged to recognise its own part: Anthropic's `signature` of thoughts,
  /// Gemini's `thoughtSignature` of any part.
  public var signature: String?
  /// The provider may keep the prompt up to here.
  public var cache: CacheMark?
  /// Where it was written: `messages[2].content[0]`; empty in answers.
  public var field: String

  /// A part.
  public init(
    _ content: Content, signature: String? = nil, cache: CacheMark? = nil, field: String = ""
  ) {
    self.content = content
    self.signature = signature
    self.cache = cache
    self.field = field
  }
}

/// An image, a sound or a document.
public struct Media: Sendable, Hashable {
  /// Where its bytes are.
  public enum Origin: Sendable, Hashable {
    /// In the request, in Base64 as the client wrote it.
    case data(String)
    /// At an address that the provider fetches.
    case url(String)
    /// Stored at the provider: bound to the account that holds it.
    case file(String)
    /// A text instead of bytes (Anthropic's plain-text documents).
    case text(String)
  }

  /// Where its bytes are.
  public var origin: Origin
  /// As `image/png`; nil: the client did not say.
  public var mediaType: String?
  /// How closely to look at an image, as OpenAI names it: `low`, `high`, `auto`.
  public var detail: String?
  /// A document's name.
  public var name: String?

  /// A medium.
  public init(
    _ origin: Origin, mediaType: String? = nil, detail: String? = nil, name: String? = nil
  ) {
    self.origin = origin
    self.mediaType = mediaType
    self.detail = detail
    self.name = name
  }
}

/// The model's wish that the client run a tool.
public struct ToolCall: Sendable, Hashable {
  /// What the result will refer to; the reader makes one where Gemini's older models give none.
  public var id: String
  /// The tool's name.
  public var name: String
  /// The arguments as JSON text; of a model's making, so that it need not be valid.
  public var arguments: String

  /// A call.
  public init(id: String, name: String, arguments: String) {
    self.id = id
    self.name = name
    self.arguments = arguments
  }
}

/// What a tool answered.
public struct ToolResult: Sendable, Hashable {
  /// The call it belongs to.
  public var callID: String
  /// The tool's name, where the protocol says it or an earlier call does.
  public var name: String?
  /// Text and media, in order.
  public var parts: [Part]
  /// The tool failed.
  public var isError: Bool

  /// A result.
  public init(callID: String, name: String? = nil, parts: [Part], isError: Bool = false) {
    self.callID = callID
    self.name = name
    self.parts = parts
    self.isError = isError
  }
}
