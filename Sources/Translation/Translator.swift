public import Domain
public import Surface

/// A client of one protocol in front of a provider of another: the only place that knows which sides these are.
public struct Translator: Sendable, Hashable {
  /// The protocols that can say what the others say.
  private enum Side: Sendable, Hashable {
    case chat
    case messages
    case responses
    case gemini

    init?(_ dialect: Dialect) {
      switch dialect {
      case .chat: self = .chat
      case .messages: self = .messages
      case .responses: self = .responses
      case .gemini: self = .gemini
      case .completions, .embeddings, .countTokens, .inference: return nil
      }
    }
  }

  private enum Client: Sendable, Hashable {
    case chat
    case messages
    case responses
    case gemini
    /// No provider speaks it.
    case inference

    init?(_ dialect: Dialect) {
      switch dialect {
      case .chat: self = .chat
      case .messages: self = .messages
      case .responses: self = .responses
      case .gemini: self = .gemini
      case .inference: self = .inference
      case .completions, .embeddings, .countTokens: return nil
      }
    }
  }

  private let client: Client
  private let provider: Side

  /// nil: one of them says what the other has no words for.
  public init?(client: Dialect, provider: Dialect) {
    guard let client = Client(client), let provider = Side(provider) else { return nil }
    self.client = client
    self.provider = provider
  }

  // MARK: Requests

  /// What the client asks for, of no model yet: the same for every provider.
  public func read(_ body: JSONValue, isStream: Bool) throws(TranslationFault) -> Conversation {
    switch client {
    case .chat: try ChatClient.read(body, model: "", isStream: isStream)
    case .messages: try MessagesClient.read(body, model: "", isStream: isStream)
    case .responses: try ResponsesClient.read(body, model: "", isStream: isStream)
    case .gemini: try GeminiClient.read(body, model: "", isStream: isStream)
    case .inference: try InferenceClient.read(body, model: "", isStream: isStream)
    }
  }

  /// The request's body as the provider takes it.
  public func write(_ conversation: Conversation) throws(TranslationFault) -> JSONValue {
    switch provider {
    case .chat: try ChatProvider.write(conversation)
    case .messages: try MessagesProvider.write(conversation)
    case .responses: try ResponsesProvider.write(conversation)
    case .gemini: try GeminiProvider.write(conversation)
    }
  }

  /// What of a request its answer depends upon: all that need be kept until then, without the conversation.
  public func echoed(of body: JSONValue) -> JSONValue {
    switch client {
    case .chat, .gemini: return .object([])
    case .inference:
      return .object((body.members ?? []).filter { $0.name == "request_id" })
    case .messages:
      return .object(
        (body.members ?? []).filter { $0.name == "thinking" || $0.name == "tool_choice" })
    case .responses: return .object((body.members ?? []).filter { $0.name != "input" })
    }
  }

  // MARK: Answers

  /// The provider's whole answer as the client reads it, and what it cost.
  public func answer(
    _ bytes: [UInt8], for facts: AnswerFacts
  ) throws(AnswerFault) -> (bytes: [UInt8], usage: TokenUsage) {
    var halves = false
    let value = try answerTree(bytes, halves: &halves)
    guard value.members != nil, !halves else { throw .malformed }
    if let fault = fault(value) { throw fault }
    let answer: Answer
    do throws(TranslationFault) {
      switch provider {
      case .chat: answer = try ChatProvider.read(value)
      case .messages: answer = try MessagesProvider.read(value)
      case .responses: answer = try ResponsesProvider.read(value)
      case .gemini: answer = try GeminiProvider.read(value)
      }
    } catch {
      throw AnswerFault(error)
    }
    let written =
      switch client {
      case .chat: ChatClient.write(answer, for: facts)
      case .messages: MessagesClient.write(answer, for: facts)
      case .responses: ResponsesClient.write(answer, for: facts)
      case .gemini: GeminiClient.write(answer, for: facts)
      case .inference: InferenceClient.write(answer, for: facts)
      }
    return (written.bytes, answer.usage)
  }

  /// What is no answer in spite of its form; nil: it may be one.
  private func fault(_ value: JSONValue) -> AnswerFault? {
    if let error = value["error"], !error.isNull { return .reported }
    switch provider {
    case .chat: return value["choices"]?.array?.isEmpty == false ? nil : .empty
    case .messages: return value["content"] == nil ? .empty : nil
    case .responses:
      let status = value["status"]?.string
      if status == "failed" || status == "cancelled" { return .reported }
      return value["output"] == nil ? .empty : nil
    case .gemini:
      let candidate = value["candidates"]?[0]
      if GeminiFinish.isBroken(candidate?["finishReason"]?.string ?? "") { return .broken }
      return candidate == nil && value["promptFeedback"]?["blockReason"] == nil ? .empty : nil
    }
  }

  /// A streamed answer; `isArray`: a Gemini client wants one JSON array instead of events.
  public func stream(for facts: AnswerFacts, isArray: Bool = false) -> StreamTranslation {
    let reader: any StreamReader =
      switch provider {
      case .chat: ChatStreamReader()
      case .messages: MessagesStreamReader()
      case .responses: ResponsesStreamReader()
      case .gemini: GeminiStreamReader()
      }
    let writer: any StreamWriter =
      switch client {
      // Nobody streams to clients of the API Router.
      case .chat, .inference: ChatStreamWriter(for: facts)
      case .messages: MessagesStreamWriter(for: facts)
      case .responses: ResponsesStreamWriter(for: facts)
      case .gemini: GeminiStreamWriter(for: facts, as: isArray ? .array : .events)
      }
    return StreamTranslation(reader, writer)
  }
}

/// What a provider sent, as far as it is JSON (else `malformed`) of no more values than are read (else `tooLarge`).
///
/// `halves`: set where halves of characters stand in its texts, which `HalfCharacters` puts together.
func answerTree(_ bytes: [UInt8], halves: inout Bool) throws(AnswerFault) -> JSONValue {
  // A value is two bytes at least: most are not counted.
  guard
    bytes.count / 2 <= answerValuesMax
      || bytes.withUnsafeBytes(JSONValidator.valueCount) <= answerValuesMax
  else { throw .tooLarge }
  if let value = try? JSONValue.parse(bytes) { return value }
  guard let value = try? JSONValue.parse(bytes, marksHalves: true) else { throw .malformed }
  halves = true
  return value
}

/// Answers are texts; what has more values than this would hold up its loop for some tenths of a second.
private let answerValuesMax = 500_000

/// Why what a provider sent under a good status is no answer.
public enum AnswerFault: Error, Sendable, Hashable {
  /// It breaks its protocol.
  case malformed
  /// The model, not its account, made something that is no answer.
  case broken
  /// It is good, and the client's protocol cannot hold it.
  case notCarried
  /// What has to be kept of it is beyond our bounds.
  case tooLarge
  /// There is nothing in it.
  case empty
  /// It says of itself that it is an error.
  case reported

  init(_ fault: TranslationFault) {
    switch fault.kind {
    case .malformed: self = .malformed
    case .notCarried, .stateBound: self = .notCarried
    }
  }
}
