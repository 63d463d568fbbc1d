public import Domain

/// One step of a streamed answer, in no protocol's words.
///
/// A reader promises: `began` first and once; parts are numbered from 0 in the order of their opening; pieces
/// belong to open parts; every part is closed before `stopped`; `stopped` once, unless `failed`; nothing follows
/// `ended` or `failed`. `usage` may come anywhere after `began`; each one holds all that is known so far.
/// Several parts are open at once only where a provider sends calls of tools side by side.
public enum StreamEvent: Sendable, Hashable {
  /// `created`: Unix seconds; nil: the protocol does not say.
  case began(id: String, model: String, created: Int64?)
  case opened(Int, StreamPart)
  case piece(Int, StreamPiece)
  case closed(Int)
  case usage(TokenUsage)
  case stopped(StopReason)
  /// The provider says that this was all.
  case ended
  /// The provider reports an error instead of going on.
  case failed(StreamFailure)
}

/// What a part will be.
public enum StreamPart: Sendable, Hashable {
  case text
  case thinking
  /// Whole at once.
  case redactedThinking(String)
  /// `signature`: Gemini's, which comes with the call.
  case toolCall(id: String, name: String, signature: String?)
  case refusal
}

/// What is added to a part.
public enum StreamPiece: Sendable, Hashable {
  /// To text, thoughts or a refusal.
  case text(String)
  /// The part's signature, whole.
  case signature(String)
  /// To the JSON text of a call's arguments.
  case arguments(String)
}

/// An error within a stream: the provider's class of it, without its words.
public struct StreamFailure: Sendable, Hashable {
  /// The provider's own name for it: `overloaded_error`, `rate_limit_exceeded`, `UNAVAILABLE`.
  public var type: String

  /// A failure.
  public init(type: String) { self.type = type }
}
