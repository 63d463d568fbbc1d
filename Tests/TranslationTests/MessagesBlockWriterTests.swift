import Surface
import Testing

@testable import Translation

/// A part of a turn, and the block that it becomes at Anthropic.
struct MessagesBlock: Sendable, CustomTestStringConvertible {
  let part: Part
  let role: Turn.Role
  let block: String
  var testDescription: String { "\(part.content)" }

  init(_ role: Turn.Role, _ part: Part, _ block: String) {
    self.part = part
    self.role = role
    self.block = block
  }
}

private func result(_ parts: [Part], isError: Bool = false) -> Part.Content {
  .toolResult(ToolResult(callID: "c", name: "clock", parts: parts, isError: isError))
}

private let blocks: [MessagesBlock] = [
  .init(.user, Part(.text("\u{2028}a")), "{\"type\":\"text\",\"text\":\"\u{2028}a\"}"),
  .init(
    .user, Part(.text("a"), cache: CacheMark()),
    #"{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}"#),
  // Gemini's signature of a text is nothing to Anthropic.
  .init(.assistant, Part(.text("a"), signature: "g"), #"{"type":"text","text":"a"}"#),
  .init(.assistant, Part(.refusal("no")), #"{"type":"text","text":"no"}"#),
  .init(
    .user, Part(.image(Media(.data("iVBO+/=="), mediaType: "image/png", detail: "low"))),
    #"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBO+/=="}}"#),
  .init(
    .user, Part(.image(Media(.url("https://e.org/a"))), cache: CacheMark(lifetime: "5m")),
    #"{"type":"image","source":{"type":"url","url":"https://e.org/a"},"cache_control":{"type":"ephemeral","ttl":"5m"}}"#
  ),
  .init(
    .user, Part(.document(Media(.data("JVBE"), mediaType: "application/pdf", name: "a.pdf"))),
    #"{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"},"title":"a.pdf"}"#
  ),
  .init(
    .user, Part(.document(Media(.text("t")))),
    #"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"t"}}"#),
  .init(
    .user, Part(.document(Media(.data("YSxiCsOkLDI="), mediaType: "text/csv"))),
    #"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"a,b\nä,2"}}"#),
  .init(
    .user, Part(.document(Media(.url("u")))),
    #"{"type":"document","source":{"type":"url","url":"u"}}"#),
  .init(
    .assistant, Part(.thinking("hm"), signature: "s="),
    #"{"type":"thinking","thinking":"hm","signature":"s="}"#),
  .init(.assistant, Part(.redactedThinking("d")), #"{"type":"redacted_thinking","data":"d"}"#),
  .init(
    .assistant,
    Part(
      .toolCall(ToolCall(id: "call_1", name: "n", arguments: #"{"b": 9007199254740993, "a":1.0}"#)),
      signature: "g"),
    #"{"type":"tool_use","id":"call_1","name":"n","input":{"b":9007199254740993,"a":1.0}}"#),
  .init(
    .assistant, Part(.toolCall(ToolCall(id: "c", name: "n", arguments: ""))),
    #"{"type":"tool_use","id":"c","name":"n","input":{}}"#),
  .init(
    .assistant, Part(.toolCall(ToolCall(id: "c", name: "n", arguments: #"{"a":"#))),
    #"{"type":"tool_use","id":"c","name":"n","input":{"INVALID_JSON":"{\"a\":"}}"#),
  .init(
    .assistant, Part(.toolCall(ToolCall(id: "c", name: "n", arguments: "[1]"))),
    #"{"type":"tool_use","id":"c","name":"n","input":{"INVALID_JSON":"[1]"}}"#),
  .init(
    .assistant, Part(.toolCall(ToolCall(id: "f.x:0", name: "n", arguments: "{}"))),
    #"{"type":"tool_use","id":"f_2ex_3a0","name":"n","input":{}}"#),
  .init(.user, Part(result([])), #"{"type":"tool_result","tool_use_id":"c"}"#),
  .init(
    .user, Part(result([Part(.text(""))], isError: true), cache: CacheMark()),
    #"{"type":"tool_result","tool_use_id":"c","content":"","is_error":true,"cache_control":{"type":"ephemeral"}}"#
  ),
  .init(
    .user,
    Part(
      result([
        Part(.text("a")), Part(.text("")), Part(.image(Media(.data("R0"), mediaType: "image/gif"))),
      ])),
    #"{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"a"},{"type":"image","source":{"type":"base64","media_type":"image/gif","data":"R0"}}]}"#
  ),
  .init(
    .user, Part(.toolResult(ToolResult(callID: "f.x:0", parts: []))),
    #"{"type":"tool_result","tool_use_id":"f_2ex_3a0"}"#),
]

private let refused: [(Turn.Role, Part.Content, TranslationFault.Kind)] = [
  (.user, .audio(Media(.data("x"), mediaType: "audio/wav")), .notCarried),
  (.user, .image(Media(.data("x"))), .notCarried), (.user, .image(Media(.text("x"))), .notCarried),
  (.user, .image(Media(.file("x"))), .stateBound),
  (.user, .document(Media(.file("x"))), .stateBound),
  (.user, .document(Media(.data("x"))), .notCarried),
  (.user, .document(Media(.data("x"), mediaType: "text/csv")), .notCarried),
  (.user, .document(Media(.data("/w=="), mediaType: "text/csv")), .notCarried),
  (.user, .document(Media(.data("UEsD"), mediaType: "application/zip")), .notCarried),
  (.user, .thinking("x"), .notCarried), (.user, .redactedThinking("x"), .notCarried),
  (.user, .toolCall(ToolCall(id: "c", name: "n", arguments: "{}")), .notCarried),
  (.assistant, result([]), .notCarried),
]

@Suite struct MessagesBlockWriterTests {
  private func messages(_ turns: Turn...) throws -> String {
    var conversation = Conversation(model: "claude-opus-5")
    conversation.turns = turns
    return MessagesSupport.text(try MessagesProvider.write(conversation)["messages"] ?? nil)
  }

  private func text(_ role: Turn.Role, _ text: String) -> Turn {
    Turn(role, [Part(.text(text))], field: "m")
  }

  @Test(arguments: blocks)
  func `parts become blocks`(_ row: MessagesBlock) throws {
    let role = row.role == .user ? "user" : "assistant"
    #expect(
      try messages(Turn(row.role, [row.part], field: "m"))
        == #"[{"role":"\#(role)","content":[\#(row.block)]}]"#)
  }

  @Test(arguments: refused)
  func `parts without a block are refused`(
    role: Turn.Role, content: Part.Content, kind: TranslationFault.Kind
  ) {
    let fault = #expect(throws: TranslationFault.self) {
      try messages(Turn(role, [Part(content, field: "m[0]")], field: "m"))
    }
    #expect(fault?.kind == kind)
    #expect(fault?.field == "m[0]")
  }

  @Test(
    arguments: [
      .audio(Media(.data("x"))), .thinking("x"), .redactedThinking("x"), .refusal("x"), result([]),
      .toolCall(ToolCall(id: "c", name: "n", arguments: "")),
    ] as [Part.Content])
  func `results hold text, images and documents only`(_ content: Part.Content) {
    let parts = [Part(content, field: "m[0]")]
    #expect(throws: TranslationFault.notCarried("m[0]")) {
      try messages(Turn(.user, [Part(result(parts))], field: "m"))
    }
  }

  @Test func `turns of one role are one message`() throws {
    #expect(
      try messages(text(.user, "a"), text(.user, "b"), text(.assistant, "c"), text(.assistant, "d"))
        == #"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"assistant","content":[{"type":"text","text":"c"},{"type":"text","text":"d"}]}]"#
    )
  }

  @Test func `results come before all else the user says, directly after the calls`() throws {
    #expect(
      try messages(
        Turn(
          .assistant, [Part(.toolCall(ToolCall(id: "c", name: "n", arguments: "{}")))], field: "m"),
        text(.user, "and"), Turn(.user, [Part(result([Part(.text("12"))]))], field: "m"))
        == #"[{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"n","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"12"},{"type":"text","text":"and"}]}]"#
    )
  }

  @Test func `what says nothing is left out`() throws {
    // Empty texts, and thoughts that Anthropic has not signed, or that another maker hid.
    #expect(
      try messages(
        text(.user, "a"),
        Turn(
          .assistant,
          [
            Part(.thinking("x")), Part(.thinking("x"), signature: "responses:rs_1:gAAA"),
            Part(.redactedThinking("responses:rs_1:gAAA")), Part(.text("")),
          ], field: "m"),
        text(.user, ""), text(.user, "b"))
        == #"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]"#)
  }

  @Test(
    arguments: [
      ([Part(.text("a"))], #""a""#), ([], nil), ([Part(.text(""))], nil),
      (
        [Part(.text("a")), Part(.text("")), Part(.text("b"))],
        #"[{"type":"text","text":"a"},{"type":"text","text":"b"}]"#
      ),
      (
        [Part(.text("a"), cache: CacheMark())],
        #"[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]"#
      ),
    ] as [([Part], String?)])
  func `system prompts are joined in order`(parts: [Part], expected: String?) throws {
    var conversation = Conversation(model: "claude-opus-5")
    conversation.system = parts
    let request = try MessagesProvider.write(conversation)
    #expect(request["system"].map { MessagesSupport.text($0) } == expected)
  }

  @Test func `a system prompt is text`() {
    var conversation = Conversation(model: "claude-opus-5")
    conversation.system = [Part(.image(Media(.url("u"))), field: "s[0]")]
    #expect(throws: TranslationFault.notCarried("s[0]")) {
      try MessagesProvider.write(conversation)
    }
  }
}
