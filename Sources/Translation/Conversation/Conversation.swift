public import Surface

/// A request for the next turn of a conversation, in no protocol's words.
///
/// What a reader takes out of its protocol, a writer must put into the other or refuse: every switch over these
/// types is exhaustive, so that nothing can be forgotten. Text, numbers and schemas keep the form in which the
/// client wrote them.
public struct Conversation: Sendable, Hashable {
  /// The model asked for, as the upstream names it.
  public var model: String
  /// The answer is wanted piece by piece.
  public var isStream: Bool
  /// What the operator of the application says before all turns, in order.
  public var system: [Part]
  /// Who said what, oldest first; consecutive turns of one role are merged where a protocol demands it.
  public var turns: [Turn]
  /// What the model may call.
  public var tools: [Tool]
  /// All else that was asked for, in the order of the client's fields.
  public var settings: [Setting]

  /// A request for `model` without anything else.
  public init(model: String, isStream: Bool = false) {
    self.model = model
    self.isStream = isStream
    system = []
    turns = []
    tools = []
    settings = []
  }
}

/// One side's contribution.
public struct Turn: Sendable, Hashable {
  /// Who speaks.
  public enum Role: Sendable, Hashable {
    /// The client; results of tools are its parts too.
    case user
    /// The model.
    case assistant
    /// The operator of the application: texts, of which protocols differ in where they may stand.
    case system
  }

  /// Who speaks.
  public var role: Role
  /// What is said, in order.
  public var parts: [Part]
  /// Where the client wrote it: `messages[2]`.
  public var field: String

  /// A turn.
  public init(_ role: Role, _ parts: [Part], field: String) {
    self.role = role
    self.parts = parts
    self.field = field
  }
}

/// Something that the model may call.
public struct Tool: Sendable, Hashable {
  /// What the model calls it.
  public var name: String
  /// What it is for.
  public var description: String?
  /// The JSON schema of its arguments as the client wrote it; nil: it takes none.
  public var schema: JSONValue?
  /// Arguments must match the schema.
  public var isStrict: Bool?
  /// Where the provider may end what it keeps for the next request.
  public var cache: CacheMark?
  /// Where the client wrote it: `tools[0]`.
  public var field: String

  /// A tool.
  public init(
    name: String, description: String? = nil, schema: JSONValue? = nil, isStrict: Bool? = nil,
    cache: CacheMark? = nil, field: String
  ) {
    self.name = name
    self.description = description
    self.schema = schema
    self.isStrict = isStrict
    self.cache = cache
    self.field = field
  }
}

/// Up to here the provider may keep the prompt for the next request (Anthropic's `cache_control`).
///
/// A hint about cost: where a protocol has no such mark, its providers cache by themselves.
public struct CacheMark: Sendable, Hashable {
  /// As the client wrote it, `5m` or `1h`; nil: the provider's default.
  public var lifetime: String?

  /// A mark.
  public init(lifetime: String? = nil) { self.lifetime = lifetime }
}
