public import Domain

/// A whole answer, in no protocol's words.
public struct Answer: Sendable, Hashable {
  /// The provider's id for it; empty: it gave none.
  public var id: String
  /// The model that answered, as the provider names it.
  public var model: String
  /// Unix seconds; nil: the protocol does not say.
  public var created: Int64?
  /// What the model said, in order: text, thoughts, calls, a refusal.
  public var parts: [Part]
  /// Why it stopped.
  public var stop: StopReason
  /// As far as reported; `input` includes `cached` and `cacheCreation`, `output` includes `reasoning`.
  public var usage: TokenUsage

  /// An answer.
  public init(
    id: String, model: String, created: Int64? = nil, parts: [Part], stop: StopReason,
    usage: TokenUsage
  ) {
    self.id = id
    self.model = model
    self.created = created
    self.parts = parts
    self.stop = stop
    self.usage = usage
  }
}

/// Why an answer ended.
public enum StopReason: Sendable, Hashable {
  /// The model had said all.
  case end
  /// At one of the client's texts; which one, where the protocol tells.
  case sequence(String?)
  /// The bound of the answer's tokens.
  case length
  /// The model waits for results of tools.
  case toolCalls
  /// The model would not answer (Anthropic's `refusal`).
  case refusal
  /// The provider's filter held the answer back.
  case filtered
  /// The model's window is full.
  case contextFull
  /// The provider paused a long turn; the client may send it back to go on (Anthropic's `pause_turn`).
  case paused
}
