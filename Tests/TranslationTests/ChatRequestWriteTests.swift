import Surface
import Testing

@testable import Translation

private func user(_ parts: Part.Content...) -> Turn {
  Turn(.user, parts.map { Part($0, field: "u") }, field: "t")
}

private func assistant(_ parts: Part...) -> Turn { Turn(.assistant, parts, field: "t") }

private func call(_ id: String, _ arguments: String = "{}") -> Part.Content {
  .toolCall(ToolCall(id: id, name: "f", arguments: arguments))
}

private func result(_ id: String, _ texts: String..., isError: Bool = false) -> Part.Content {
  .toolResult(
    ToolResult(callID: id, name: "f", parts: texts.map { Part(.text($0)) }, isError: isError))
}

/// Turns for a model, and the messages that its provider gets.
private struct Writing: Sendable, CustomTestStringConvertible {
  let name: String
  var model = "gpt-5.2"
  var system: [String] = []
  let turns: [Turn]
  let messages: String
  var testDescription: String { name }
}

private let thinking = assistant(
  Part(.thinking("a"), signature: "s1"), Part(.redactedThinking("d")), Part(.text("b")),
  Part(call("c1"), signature: "s2"))
private let toolMessage = #"{"role":"tool","tool_call_id":"c1","content":"r"}"#
private let callMember =
  #""tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]"#

private let writings: [Writing] = [
  Writing(
    name: "texts", system: ["s"],
    turns: [user(.text("a")), assistant(Part(.text("b"))), user(.text("c"), .text("d"))],
    messages: """
      [{"role":"system","content":"s"},{"role":"user","content":"a"},
       {"role":"assistant","content":"b"},
       {"role":"user","content":[{"type":"text","text":"c"},{"type":"text","text":"d"}]}]
      """),
  Writing(
    name: "several words of operators", system: ["a", "b"], turns: [user(.text("c"))],
    messages: """
      [{"role":"system","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
       {"role":"user","content":"c"}]
      """),
  Writing(
    name: "strings only", model: "deepseek-ai/DeepSeek-V4", system: ["a", "b"],
    turns: [user(.text("c"), .text("d")), assistant(Part(.text("e")), Part(.text("f")))],
    messages: """
      [{"role":"system","content":"a\\n\\nb"},{"role":"user","content":"c\\n\\nd"},
       {"role":"assistant","content":"e\\n\\nf"}]
      """),
  Writing(
    name: "turns of one role",
    turns: [
      user(.text("a")), user(.text("b")), assistant(Part(.text("c"))), assistant(Part(call("c1"))),
    ],
    messages: """
      [{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
       {"role":"assistant","content":"c",\(callMember)}]
      """),
  Writing(
    name: "media",
    turns: [
      user(
        .text("see"), .image(Media(.data("iVBO"), mediaType: "image/png", detail: "high")),
        .image(Media(.url("https://example.com/a"))),
        .audio(Media(.data("UklG"), mediaType: "audio/x-wav")),
        .audio(Media(.data("SUQz"), mediaType: "audio/mpeg")),
        .document(Media(.data("JVBE"), mediaType: "application/pdf")),
        .document(Media(.data("YSxi"), mediaType: "text/csv", name: "a.csv")),
        .document(Media(.text("plain"), mediaType: "text/plain", name: "title")))
    ],
    messages: """
      [{"role":"user","content":[{"type":"text","text":"see"},
       {"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO","detail":"high"}},
       {"type":"image_url","image_url":{"url":"https://example.com/a"}},
       {"type":"input_audio","input_audio":{"data":"UklG","format":"wav"}},
       {"type":"input_audio","input_audio":{"data":"SUQz","format":"mp3"}},
       {"type":"file","file":{"filename":"document.pdf",
         "file_data":"data:application/pdf;base64,JVBE"}},
       {"type":"file","file":{"filename":"a.csv","file_data":"data:text/csv;base64,YSxi"}},
       {"type":"text","text":"plain"}]}]
      """),
  Writing(
    name: "results directly behind their calls",
    turns: [
      assistant(Part(call("c1")), Part(call("c2", ""))), user(.text("so")),
      user(result("c1", "r"), result("c2", "x", "y"), .text("and")),
    ],
    messages: """
      [{"role":"assistant","content":null,"tool_calls":[
        {"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}},
        {"id":"c2","type":"function","function":{"name":"f","arguments":"{}"}}]},
       \(toolMessage),
       {"role":"tool","tool_call_id":"c2",
        "content":[{"type":"text","text":"x"},{"type":"text","text":"y"}]},
       {"role":"user","content":[{"type":"text","text":"so"},{"type":"text","text":"and"}]}]
      """),
  Writing(
    name: "results without words",
    turns: [
      user(result("c1"), result("c2", isError: true), result("c3", "no", isError: true))
    ],
    messages: """
      [{"role":"tool","tool_call_id":"c1","content":""},
       {"role":"tool","tool_call_id":"c2","content":"error"},
       {"role":"tool","tool_call_id":"c3","content":"no"}]
      """),
  Writing(
    name: "what a result shows, behind the results",
    turns: [
      user(
        .toolResult(
          ToolResult(
            callID: "c1",
            parts: [Part(.image(Media(.url("https://example.com/a")))), Part(.text("r"))])),
        result("c2", "x"), .text("so"))
    ],
    messages: """
      [\(toolMessage),{"role":"tool","tool_call_id":"c2","content":"x"},
       {"role":"user","content":[
         {"type":"image_url","image_url":{"url":"https://example.com/a"}},
         {"type":"text","text":"so"}]}]
      """),
  Writing(
    name: "what a result shows, behind the results",
    turns: [
      user(.text("and")),
      user(
        .toolResult(
          ToolResult(
            callID: "c1",
            parts: [
              Part(.image(Media(.url("https://example.com/a")))), Part(.text("r")),
              Part(.document(Media(.text("p")))),
            ])),
        result("c2", "x"), .text("so")),
    ],
    messages: """
      [{"role":"tool","tool_call_id":"c1",
        "content":[{"type":"text","text":"r"},{"type":"text","text":"p"}]},
       {"role":"tool","tool_call_id":"c2","content":"x"},
       {"role":"user","content":[
         {"type":"image_url","image_url":{"url":"https://example.com/a"}},
         {"type":"text","text":"and"},{"type":"text","text":"so"}]}]
      """),
  Writing(
    name: "a refusal", turns: [assistant(Part(.refusal("no")))],
    messages: #"[{"role":"assistant","content":null,"refusal":"no"}]"#),
  Writing(
    name: "OpenAI's models get no thoughts", turns: [thinking],
    messages: #"[{"role":"assistant","content":"b",\#(callMember)}]"#),
  Writing(
    name: "unknown models get no thoughts", model: "llama-3", turns: [thinking],
    messages: #"[{"role":"assistant","content":"b",\#(callMember)}]"#),
  Writing(
    name: "thoughts alone", turns: [assistant(Part(.thinking("a")))],
    messages: #"[{"role":"assistant","content":""}]"#),
  Writing(
    name: "DeepSeek's get theirs back", model: "deepseek-chat", turns: [thinking],
    messages: #"[{"role":"assistant","content":"b","reasoning_content":"a",\#(callMember)}]"#),
  Writing(
    name: "Anthropic's behind another gateway get theirs back",
    model: "anthropic/claude-sonnet-4.5", turns: [thinking],
    messages: """
      [{"role":"assistant","content":"b","reasoning_details":[
        {"type":"reasoning.text","text":"a","signature":"s1","index":0},
        {"type":"reasoning.encrypted","data":"d","index":1}],\(callMember)}]
      """),
  Writing(
    name: "Anthropic's get no thoughts of OpenAI's", model: "claude-opus-4-5",
    turns: [
      assistant(
        Part(.thinking("a"), signature: "responses:x"), Part(.redactedThinking("responses:y")),
        Part(.text("b")))
    ],
    messages: #"[{"role":"assistant","content":"b"}]"#),
  Writing(
    name: "Gemini's get their signatures back", model: "google/gemini-3-pro",
    turns: [assistant(Part(.text("b"), signature: "s1"), Part(call("c1"), signature: "s2"))],
    messages: """
      [{"role":"assistant","content":"b","tool_calls":[
        {"id":"c1","type":"function","function":{"name":"f","arguments":"{}"},
         "extra_content":{"google":{"thought_signature":"s2"}}}],
       "extra_content":{"google":{"thought_signature":"s1"}}}]
      """),
]

private let refusedTurns: [(Turn, TranslationFault.Kind)] = [
  (user(.image(Media(.file("f")))), .stateBound),
  (user(.image(Media(.text("t")))), .notCarried),
  (user(.image(Media(.data("AAAA")))), .notCarried),
  (user(.audio(Media(.data("AAAA"), mediaType: "audio/flac"))), .notCarried),
  (user(.audio(Media(.url("https://example.com/a.mp3")))), .notCarried),
  (user(.audio(Media(.file("f")))), .stateBound),
  (user(.document(Media(.url("https://example.com/a.pdf")))), .notCarried),
  (user(.document(Media(.file("f")))), .stateBound),
  (user(.thinking("a")), .notCarried),
  (user(call("c1")), .notCarried),
  (
    user(
      .toolResult(ToolResult(callID: "c", parts: [Part(.image(Media(.file("f"))), field: "u")]))),
    .stateBound
  ),
  (
    user(.toolResult(ToolResult(callID: "c", parts: [Part(.thinking("a"), field: "u")]))),
    .notCarried
  ),
  (assistant(Part(.image(Media(.url("https://a"))), field: "u")), .notCarried),
  (assistant(Part(result("c1"), field: "u")), .notCarried),
]

@Suite struct ChatRequestWriteTests {
  @Test(arguments: writings)
  private func `turns become messages`(_ writing: Writing) throws {
    var conversation = Conversation(model: writing.model)
    conversation.system = writing.system.map { Part(.text($0)) }
    conversation.turns = writing.turns
    let body = try ChatProvider.write(conversation)
    #expect(body["model"] == .string(writing.model))
    #expect(Chat.text(try #require(body["messages"])) == (try Chat.line(writing.messages)))
    #expect(body.members?.count == 2)
  }

  @Test(arguments: refusedTurns)
  func `parts without a place are refused`(turn: Turn, kind: TranslationFault.Kind) throws {
    var conversation = Conversation(model: "gpt-5")
    conversation.turns = [turn]
    let fault = #expect(throws: TranslationFault.self) { try ChatProvider.write(conversation) }
    #expect(fault?.kind == kind)
    #expect(fault?.field == "u")
  }

  @Test func `operators say texts only`() throws {
    var conversation = Conversation(model: "gpt-5")
    conversation.system = [Part(.image(Media(.url("https://a"))), field: "u")]
    let fault = #expect(throws: TranslationFault.self) { try ChatProvider.write(conversation) }
    #expect(fault?.kind == .notCarried)
  }

  @Test func `a request that was read is written as it was`() throws {
    let body = """
      {"model":"gpt-5.2","messages":[{"role":"system","content":"s"},
        {"role":"user","content":[{"type":"text","text":"a"},
          {"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO","detail":"low"}}]},
        {"role":"assistant","content":"b","tool_calls":[
          {"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"c1","content":"r"}],
       "tools":[{"type":"function","function":{"name":"f","parameters":{},"strict":true}}],
       "max_completion_tokens":9007199254740993,"temperature":0.10,"tool_choice":"auto",
       "reasoning_effort":"low","stop":["x"]}
      """
    let conversation = try ChatClient.read(
      Chat.json(body), model: "gpt-5.2", isStream: false)
    #expect(Chat.text(try ChatProvider.write(conversation)) == (try Chat.line(body)))
  }
}
