/// How one upstream call is answered; nil leaves the choice to the layer below.
///
/// Layers, weakest first: the scenario, the model, the account, the account's sequence, the queue.
struct Behaviour: Sendable, Equatable {
  /// Before the response head, in nanoseconds.
  var headLatency: Int64?
  /// Between two chunks of a stream, in nanoseconds.
  var chunkPace: Int64?
  /// Content chunks of a stream, and words of a whole answer.
  var chunks: Int?
  /// Size to which the content is padded, in bytes.
  var bodyBytes: Int?
  var promptTokens: Int?
  var completionTokens: Int?
  var cachedTokens: Int?
  var reasoningTokens: Int?
  var usage: UsageForm?
  /// True: a request with `stream_options` gets 400.
  var rejectsStreamOptions: Bool?
  /// False: the stream ends without `data: [DONE]`.
  var sendsDone: Bool?
  /// Body bytes per write to the socket, whatever frame they belong to.
  var splitBytes: Int?
  /// Between two such writes, in nanoseconds.
  var splitPace: Int64?
  var contentLength: ContentLength?
  var trouble: Trouble?

  /// This behaviour, with what `upper` says about it.
  func overlaid(with upper: Behaviour) -> Behaviour {
    Behaviour(
      headLatency: upper.headLatency ?? headLatency,
      chunkPace: upper.chunkPace ?? chunkPace,
      chunks: upper.chunks ?? chunks,
      bodyBytes: upper.bodyBytes ?? bodyBytes,
      promptTokens: upper.promptTokens ?? promptTokens,
      completionTokens: upper.completionTokens ?? completionTokens,
      cachedTokens: upper.cachedTokens ?? cachedTokens,
      reasoningTokens: upper.reasoningTokens ?? reasoningTokens,
      usage: upper.usage ?? usage,
      rejectsStreamOptions: upper.rejectsStreamOptions ?? rejectsStreamOptions,
      sendsDone: upper.sendsDone ?? sendsDone,
      splitBytes: upper.splitBytes ?? splitBytes,
      splitPace: upper.splitPace ?? splitPace,
      contentLength: upper.contentLength ?? contentLength,
      trouble: upper.trouble ?? trouble)
  }
}

/// What the `content-length` of a whole answer claims.
enum ContentLength: String, Sendable, CaseIterable {
  case exact
  /// Ten bytes fewer than follow.
  case short
  /// Ten bytes more than follow; then the connection is closed.
  case long
}

/// How an answer tells what it cost.
enum UsageForm: String, Sendable, CaseIterable {
  /// In a whole answer, and in a stream's last chunk if the client asked for it.
  case last
  case none
  /// In a stream's last chunk, asked for or not.
  case unasked
  /// The prompt's tokens in the first chunk, the completion's in the last.
  case split
  /// In every chunk, growing.
  case running
  /// In the chunk with the finish reason.
  case withFinish = "with-finish"
  /// As `last`, with `input_tokens` and `output_tokens` as names.
  case inputOutput = "input-output"
}

/// A failure, and how often it strikes.
struct Trouble: Sendable, Equatable {
  var kind: Kind
  /// 0…1; the dice are the scenario's seed and the request's ordinal.
  var probability: Double

  /// What goes wrong.
  enum Kind: Sendable, Equatable {
    /// Nothing: lifts the trouble of a weaker layer.
    case none
    case refusal(Refusal)
    /// `error` is what the faults that tell one say.
    case fault(Fault, atChunk: Int, error: Refusal)
  }
}

/// Ways to misbehave that are not a status.
enum Fault: String, Sendable, CaseIterable {
  /// RST instead of an answer.
  case resetBeforeHead = "reset-before-head"
  /// FIN instead of an answer.
  case closeBeforeHead = "close-before-head"
  /// RST after `at-chunk` chunks (of a whole answer: after half the body).
  case resetMidStream = "reset-mid-stream"
  /// FIN after `at-chunk` chunks, without the end of the message.
  case closeMidStream = "close-mid-stream"
  /// `data: {"error":…}` after `at-chunk` chunks, then the proper end of the message.
  case errorInStream = "error-in-stream"
  /// 200, and the error instead of an answer: a stream's first frame, or the whole body (pages always).
  case errorIn200 = "error-in-200"
  /// 200, the right content type, and no frame.
  case emptyStream = "empty-stream"
  /// The request is read and never answered.
  case neverAnswer = "never-answer"
  /// `at-chunk` chunks, then silence.
  case stallMidStream = "stall-mid-stream"
}

/// A behaviour with every question answered.
struct Act: Sendable, Equatable {
  var headLatency: Int64
  var chunkPace: Int64
  var chunks: Int
  var bodyBytes: Int
  var promptTokens: Int?
  var completionTokens: Int?
  var cachedTokens: Int
  var reasoningTokens: Int
  var usage: UsageForm
  var rejectsStreamOptions: Bool
  var sendsDone: Bool
  var splitBytes: Int
  var splitPace: Int64
  var contentLength: ContentLength
  var trouble: Trouble.Kind

  /// Settles what `behaviour` leaves open; `dice` in 0..<1 decides whether its trouble strikes.
  init(_ behaviour: Behaviour, dice: Double) {
    headLatency = behaviour.headLatency ?? 0
    chunkPace = behaviour.chunkPace ?? 0
    chunks = behaviour.chunks ?? 16
    bodyBytes = behaviour.bodyBytes ?? 0
    promptTokens = behaviour.promptTokens
    completionTokens = behaviour.completionTokens
    cachedTokens = behaviour.cachedTokens ?? 0
    reasoningTokens = behaviour.reasoningTokens ?? 0
    usage = behaviour.usage ?? .last
    rejectsStreamOptions = behaviour.rejectsStreamOptions ?? false
    sendsDone = behaviour.sendsDone ?? true
    splitBytes = behaviour.splitBytes ?? 0
    splitPace = behaviour.splitPace ?? 0
    contentLength = behaviour.contentLength ?? .exact
    trouble =
      if let trouble = behaviour.trouble, dice < trouble.probability { trouble.kind } else { .none }
  }
}
