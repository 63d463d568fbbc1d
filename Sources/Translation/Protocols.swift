public import Domain
public import Surface

/// The side that a client sees: reads its requests, writes its answers.
protocol ClientSide {
  /// What the client asks for; `model`: as the upstream names it. The body is a valid JSON object.
  static func read(_ body: JSONValue, model: String, isStream: Bool) throws(TranslationFault)
    -> Conversation
  /// The whole answer as the client's SDK expects it.
  static func write(_ answer: Answer, for facts: AnswerFacts) -> JSONValue
}

/// The side that a provider sees: writes requests, reads answers.
protocol ProviderSide {
  /// The request's body; refuses what it has no place for.
  static func write(_ conversation: Conversation) throws(TranslationFault) -> JSONValue
  /// What the provider answered with a status of 2xx.
  static func read(_ answer: JSONValue) throws(TranslationFault) -> Answer
}

/// Turns a provider's frames into events; over any chunk borders, because frames have none.
protocol StreamReader {
  init()
  /// Takes the data of one frame. `event`: its name, where the protocol names frames.
  mutating func take(event: String?, data: JSONValue) throws(TranslationFault) -> [StreamEvent]
  /// The stream is over: what is still owed. Nothing if it broke off.
  mutating func finish() -> [StreamEvent]
}

/// Turns events into the frames that a client's SDK expects, in the order and number it demands.
protocol StreamWriter {
  init(for facts: AnswerFacts)
  /// Appends the frames that `event` leads to.
  mutating func write(_ event: StreamEvent, into bytes: inout [UInt8])
  /// What it must keep went beyond its bound: nothing but a failure can follow.
  var isFull: Bool { get }
}

extension StreamWriter {
  var isFull: Bool { false }
}

/// What an answer needs to know of its request.
public struct AnswerFacts: Sendable, Hashable {
  /// The model as the client asked for it: what it reads in the answer.
  public var model: String
  /// Used where the provider gives no id, or none of the form that the client's protocol wants; unique.
  public var id: String
  /// Unix seconds, where the provider gives no time.
  public var now: Int64
  /// The client asked for the usage in the stream; only chat leaves the choice.
  public var includesUsage: Bool
  /// The request, of which some protocols repeat parts in the answer (Responses).
  public var request: JSONValue
  /// From the request's head to the answer's end, where that is known.
  public var milliseconds: UInt64?
  /// What the model's tokens cost, where that is known.
  public var price: Price?
  /// The trace that the request is part of, 32 hexadecimal digits; nil: the client does not read of it.
  public var trace: String?
  /// The request's own span there, 16 hexadecimal digits; nil likewise.
  public var span: String?

  /// The facts of one request.
  public init(model: String, id: String, now: Int64, includesUsage: Bool, request: JSONValue) {
    self.model = model
    self.id = id
    self.now = now
    self.includesUsage = includesUsage
    self.request = request
  }
}
