import Surface
import Testing

@testable import Translation

/// Words of the operator between turns: every client's form of them, at every provider.
@Suite("Words of the operator between turns") struct OperatorTests {
  private struct Row: Sendable, CustomTestStringConvertible {
    let client: String
    let body: String
    var testDescription: String { client }

    func read(_ model: String) throws -> Conversation {
      let value = try JSONValue.parse(Array(body.utf8))
      return switch client {
      case "chat": try ChatClient.read(value, model: model, isStream: false)
      case "messages": try MessagesClient.read(value, model: model, isStream: false)
      case _: try ResponsesClient.read(value, model: model, isStream: false)
      }
    }
  }

  /// First words, a question, more words, a call, still more between call and result, the result, and words at the end.
  private static let clients = [
    Row(
      client: "chat",
      body: #"""
        {"model":"x","messages":[{"role":"developer","content":"S1"},{"role":"system","content":"S2"},
         {"role":"user","content":"U1"},{"role":"system","content":"S3"},{"role":"user","content":"U2"},
         {"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},
         {"role":"developer","content":"S4"},{"role":"tool","tool_call_id":"c","content":"R"},
         {"role":"system","content":""},{"role":"developer","content":"S5"}]}
        """#),
    Row(
      client: "messages",
      body: #"""
        {"model":"x","max_tokens":9,"system":[{"type":"text","text":"S1"},{"type":"text","text":"S2"}],"messages":[
         {"role":"user","content":"U1"},{"role":"system","content":"S3"},{"role":"user","content":"U2"},
         {"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{}}]},
         {"role":"system","content":"S4"},
         {"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"R"}]},
         {"role":"system","content":[{"type":"text","text":"S5"}]}]}
        """#),
    Row(
      client: "responses",
      body: #"""
        {"model":"x","instructions":"S1","input":[{"role":"developer","content":"S2"},{"role":"user","content":"U1"},
         {"role":"system","content":"S3"},{"role":"user","content":"U2"},
         {"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"role":"developer","content":"S4"},
         {"type":"function_call_output","call_id":"c","output":"R"},{"role":"developer","content":"S5"}]}
        """#),
  ]

  /// Texts in the order in which the provider reads them, with who says them.
  private static func order(_ body: JSONValue) -> String {
    var found: [String] = []
    func look(_ value: JSONValue, _ role: String) {
      switch value {
      case .string(let text) where text.count == 2 && ["S", "U"].contains(text.prefix(1)):
        found.append("\(role)\(text)")
      case .string("R"): found.append("\(role)R")
      case .string(let text) where text.contains("\n\n"):
        for part in text.split(separator: "\n\n") { found.append("\(role)\(part)") }
      case .array(let values): for value in values { look(value, role) }
      case .object(let members):
        let own = value["role"]?.string.map { "\($0):" } ?? role
        for member in members { look(member.value, own) }
      case _: break
      }
    }
    for name in ["system", "systemInstruction", "instructions"] {
      if let value = body[name] { look(value, "first:") }
    }
    for name in ["messages", "contents", "input"] { if let value = body[name] { look(value, "") } }
    return found.joined(separator: " ")
  }

  @Test("stand right before the model's next words, or at the beginning", arguments: clients)
  private func place(_ row: Row) throws {
    let chat =
      "system:S1 system:S2 user:U1 user:U2 system:S3 tool:R system:S4 system:S5"
    for model in ["gpt-5", "deepseek-chat"] {
      #expect(Self.order(try ChatProvider.write(try row.read(model))) == chat)
    }
    #expect(
      Self.order(try ChatProvider.write(try row.read("qwen3")))
        == "system:S1 system:S2 system:S3 system:S4 system:S5 user:U1 user:U2 tool:R")
    for model in ["claude-opus-5", "claude-opus-4-8", "claude-opus-latest"] {
      #expect(
        Self.order(try MessagesProvider.write(try row.read(model)))
          == "first:S1 first:S2 user:U1 user:U2 system:S3 user:R system:S4 system:S5")
    }
    for model in ["claude-opus-4-7", "claude-haiku-4-5", "qwen3"] {
      #expect(
        Self.order(try MessagesProvider.write(try row.read(model)))
          == "first:S1 first:S2 first:S3 first:S4 first:S5 user:U1 user:U2 user:R")
    }
    #expect(
      Self.order(try GeminiProvider.write(try row.read("gemini-3-flash")))
        == "first:S1 first:S2 first:S3 first:S4 first:S5 user:U1 user:U2 user:R")
    #expect(
      Self.order(try ResponsesProvider.write(try row.read("gpt-5")))
        == "first:S1 first:S2 user:U1 user:U2 developer:S3 R developer:S4 developer:S5")
  }

  @Test("never stand where Anthropic refuses them: behind the model's words, or twice in a row")
  func anthropic() throws {
    var conversation = Conversation(model: "claude-opus-5")
    conversation.turns = [
      Turn(.user, [Part(.text("U1"))], field: ""), Turn(.assistant, [Part(.text("A"))], field: ""),
      Turn(.system, [Part(.text("S1"))], field: ""), Turn(.system, [Part(.text("S2"))], field: ""),
      Turn(.assistant, [Part(.text("B"))], field: ""), Turn(.user, [Part(.text("U2"))], field: ""),
      Turn(.system, [Part(.text("S3"))], field: ""), Turn(.user, [Part(.text("U3"))], field: ""),
      Turn(.system, [Part(.text("S4"))], field: ""),
    ]
    #expect(
      Self.order(try MessagesProvider.write(conversation))
        == "first:S1 first:S2 user:U1 user:U2 user:U3 system:S3 system:S4")
    let messages = try MessagesProvider.write(conversation)["messages"]?.array ?? []
    #expect(
      messages.compactMap { $0["role"]?.string } == ["user", "assistant", "user", "system"])
    conversation.turns = [Turn(.user, [Part(.text("U1"))], field: "")]
    conversation.turns.append(
      Turn(.system, [Part(.image(Media(.url("u"))), field: "s")], field: ""))
    for model in ["claude-opus-5", "claude-opus-4-1"] {
      conversation.model = model
      #expect(throws: TranslationFault.self) { try MessagesProvider.write(conversation) }
    }
  }
}
