import Surface

/// Puts a request of Responses together.
struct ResponsesRequestWriter {
  /// The body's fields.
  private(set) var members: [JSONValue.Member] = []
  /// The input's items.
  var items: [JSONValue] = []
  /// Fields of `text`, which two settings fill.
  var text: [JSONValue.Member] = []
  /// The client decided where the answer is kept.
  var saysStore = false
  /// The client asked for thoughts, or sent some of OpenAI's back.
  var reasons = false

  mutating func add(_ name: String, _ value: JSONValue) { members.append(.init(name, value)) }

  /// The one place that all providers of the protocol know; in order, a blank line between.
  mutating func system(_ parts: [Part]) throws(TranslationFault) {
    guard !parts.isEmpty else { return }
    var texts: [String] = []
    for part in parts {
      // A cache mark is a hint about cost; the provider caches by itself.
      guard case .text(let text) = part.content else { throw .notCarried(part.field) }
      texts.append(text)
    }
    add("instructions", .string(texts.joined(separator: "\n\n")))
  }

  mutating func tools(_ tools: [Tool]) {
    guard !tools.isEmpty else { return }
    add("tools", .array(tools.map(Self.tool)))
  }

  private static func tool(_ tool: Tool) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("type", "function"), .init("name", .string(tool.name)),
    ]
    if let description = tool.description {
      members.append(.init("description", .string(description)))
    }
    let schema = tool.schema ?? ["type": "object", "properties": [:]]
    members.append(.init("parameters", schema))
    // Absent means strict here and only here, and a strict schema has rules of its own.
    members.append(.init("strict", .bool(tool.isStrict ?? false)))
    return .object(members)
  }

  /// What no setting says.
  mutating func finish(_ conversation: Conversation) {
    if !text.isEmpty { add("text", .object(text)) }
    // Absent means that OpenAI keeps the answer for 30 days: of the other protocols none does.
    if !saysStore { add("store", false) }
    // Without it the thoughts of an answer that is not stored could not be sent back; models that do not think refuse it.
    if reasons || Self.reasons(conversation.model) {
      add("include", ["reasoning.encrypted_content"])
    }
    if conversation.isStream { add("stream", true) }
  }

  /// OpenAI's names of models that think: `o1`, `o3-mini`, `gpt-5`, `gpt-5.1-codex`, but not `gpt-5-chat-latest`.
  static func reasons(_ model: String) -> Bool {
    let name = model.split(separator: "/").last?.lowercased() ?? ""
    if name.hasPrefix("gpt-") {
      let version = name.dropFirst(4).prefix { $0.isASCII && $0.isNumber }
      return (Int(version) ?? 0) >= 5 && !name.contains("-chat")
    }
    guard name.hasPrefix("o") else { return false }
    return name.dropFirst().first.map { $0.isASCII && $0.isNumber } ?? false
  }
}
