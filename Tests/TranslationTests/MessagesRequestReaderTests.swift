import Surface
import Testing

@testable import Translation

/// A field of a request, and what must be read of it.
struct MessagesSetting: Sendable, CustomTestStringConvertible {
  let body: String
  let settings: [Setting]
  var testDescription: String { body }

  init(_ body: String, _ settings: (Setting.Value, String)...) {
    self.body = body
    self.settings = settings.map { Setting($0.0, field: $0.1) }
  }
}

private let settings: [MessagesSetting] = [
  .init(""),
  .init(#""temperature":0.30"#, (.temperature("0.30"), "temperature")),
  .init(#""top_p":1e-1,"top_k":40"#, (.topP("1e-1"), "top_p"), (.topK("40"), "top_k")),
  .init(#""stop_sequences":["a","\n"]"#, (.stop(["a", "\n"]), "stop_sequences")),
  .init(
    #""metadata":{"user_id":"u","team":"t"}"#, (.user("u"), "metadata.user_id"),
    (.own("t"), "metadata.team")),
  .init(#""service_tier":"auto""#, (.serviceTier("auto"), "service_tier")),
  .init(#""service_tier":"standard_only""#, (.serviceTier("default"), "service_tier")),
  .init(#""speed":"standard""#),
  .init(#""speed":"fast""#, (.own("fast"), "speed")),
  .init(#""inference_geo":"eu""#, (.own("eu"), "inference_geo")),
  .init(#""container":"c_1""#, (.state, "container")),
  .init(#""container":null,"inference_geo":null"#),
  .init(#""diagnostics":{"previous_message_id":null}"#),
  .init(#""later":[1]"#, (.own([1]), "later")),
  .init("\"a\\u0007b\":1", (.own(1), "a\u{FFFD}b")),
  .init(
    #""context_management":{"edits":[{"type":"clear_thinking_20251015"},{"type":"compact_20260112"}]}"#,
    (.own(["type": "compact_20260112"]), "context_management.edits[1]")),
  .init(
    #""thinking":{"type":"disabled"}"#, (.reasoning(Reasoning(amount: .off)), "thinking")),
  .init(
    #""thinking":{"type":"enabled","budget_tokens":2048,"display":"summarized"}"#,
    (.reasoning(Reasoning(amount: .budget(2048), isShown: true)), "thinking")),
  .init(
    #""thinking":{"type":"enabled","budget_tokens":2048}"#,
    (.reasoning(Reasoning(amount: .budget(2048), isShown: true)), "thinking")),
  .init(
    #""thinking":{"type":"enabled","budget_tokens":2048,"display":"omitted"}"#,
    (.reasoning(Reasoning(amount: .budget(2048), isShown: false)), "thinking")),
  .init(
    #""thinking":{"type":"adaptive"}"#, (.reasoning(Reasoning(amount: .adaptive)), "thinking")),
  .init(
    #""thinking":{"type":"adaptive","display":"omitted"}"#,
    (.reasoning(Reasoning(amount: .adaptive, isShown: false)), "thinking")),
  .init(
    #""thinking":{"type":"adaptive","block_binding":"x"}"#, (.own("x"), "thinking.block_binding"),
    (.reasoning(Reasoning(amount: .adaptive)), "thinking")),
  .init(
    #""output_config":{"effort":"max"}"#,
    (.reasoning(Reasoning(amount: .effort("max"))), "output_config.effort")),
  .init(
    #""output_config":{"effort":"low"},"thinking":{"type":"enabled","budget_tokens":9999,"display":"summarized"}"#,
    (.reasoning(Reasoning(amount: .effort("low"), isShown: true)), "thinking")),
  .init(
    #""thinking":{"type":"disabled"},"output_config":{"effort":"high"}"#,
    (.reasoning(Reasoning(amount: .off)), "thinking")),
  .init(
    #""thinking":{"type":"disabled"},"output_config":{"effort":"low"}"#,
    (.own("low"), "output_config.effort"), (.reasoning(Reasoning(amount: .off)), "thinking")),
  .init(
    #""output_config":{"format":{"type":"json_schema","schema":{"type":"object","x":9007199254740993}},"later":1}"#,
    (
      .format(
        .schema(
          name: nil, description: nil,
          schema: ["type": "object", "x": .number("9007199254740993")], isStrict: true)),
      "output_config.format"
    ), (.own(1), "output_config.later")),
  .init(
    #""output_format":{"type":"json_schema","schema":{}}"#,
    (
      .format(.schema(name: nil, description: nil, schema: [:], isStrict: true)), "output_format"
    )),
  .init(#""tool_choice":{"type":"auto"}"#, (.toolChoice(.auto), "tool_choice")),
  .init(#""tool_choice":{"type":"none"}"#, (.toolChoice(.none), "tool_choice")),
  .init(
    #""tool_choice":{"type":"any","disable_parallel_tool_use":true}"#,
    (.toolChoice(.required), "tool_choice"),
    (.parallelToolCalls(false), "tool_choice.disable_parallel_tool_use")),
  .init(
    #""tool_choice":{"type":"tool","name":"clock","disable_parallel_tool_use":false}"#,
    (.toolChoice(.tool("clock")), "tool_choice"),
    (.parallelToolCalls(true), "tool_choice.disable_parallel_tool_use")),
]

@Suite struct MessagesRequestReaderTests {
  @Test(arguments: settings)
  func `settings are read in the client's order`(_ row: MessagesSetting) throws {
    let conversation = try MessagesSupport.read(row.body)
    #expect(
      conversation.settings == [Setting(.maxTokens(64), field: "max_tokens")] + row.settings)
  }

  @Test func `the model and the stream are the gateway's to say`() throws {
    let body = try MessagesSupport.json(
      #"{"max_tokens":0,"messages":[],"model":"alias","stream":false}"#)
    let conversation = try MessagesClient.read(body, model: "m", isStream: true)
    var expected = Conversation(model: "m", isStream: true)
    // A bound of nothing asks for no answer: only Anthropic's caches can be filled that way.
    expected.settings = [Setting(.own(0), field: "max_tokens")]
    #expect(conversation == expected)
  }

  @Test func `texts are read from strings and from blocks`() throws {
    let conversation = try MessagesSupport.read(
      #"""
      "system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":"Be kind."}],
      "messages":[{"role":"user","content":"Hi"},
       {"role":"system","content":"It is late."},
       {"role":"assistant","content":[{"type":"text","text":"Yes?","citations":null}]},
       {"role":"user","content":[{"type":"text","text":"Go","cache_control":{"type":"ephemeral","scope":"x"}},{"type":"text","text":"on"}]}]
      """#)
    #expect(
      conversation.system == [
        Part(.text("Be brief."), cache: CacheMark(lifetime: "1h"), field: "system[0]"),
        Part(.text("Be kind."), field: "system[1]"),
      ])
    #expect(
      conversation.turns == [
        Turn(.user, [Part(.text("Hi"), field: "messages[0].content")], field: "messages[0]"),
        Turn(
          .system, [Part(.text("It is late."), field: "messages[1].content")], field: "messages[1]"),
        Turn(
          .assistant, [Part(.text("Yes?"), field: "messages[2].content[0]")], field: "messages[2]"),
        Turn(
          .user,
          [
            Part(.text("Go"), cache: CacheMark(), field: "messages[3].content[0]"),
            Part(.text("on"), field: "messages[3].content[1]"),
          ], field: "messages[3]"),
      ])
  }

  @Test func `images and documents are read with their origin`() throws {
    let conversation = try MessagesSupport.read(
      #"""
      "messages":[{"role":"user","content":[
        {"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBO+/=="}},
        {"type":"image","source":{"type":"url","url":"https://example.org/a.png"}},
        {"type":"image","source":{"type":"file","file_id":"file_1"}},
        {"type":"document","title":"Rules","citations":{"enabled":false},"source":{"type":"base64","media_type":"application/pdf","data":"JVBE"}},
        {"type":"document","source":{"type":"text","media_type":"text/plain","data":"plain"}},
        {"type":"document","source":{"type":"content","content":"chunk"}}]}]
      """#)
    #expect(
      conversation.turns[0].parts.map(\.content) == [
        .image(Media(.data("iVBO+/=="), mediaType: "image/png")),
        .image(Media(.url("https://example.org/a.png"))), .image(Media(.file("file_1"))),
        .document(Media(.data("JVBE"), mediaType: "application/pdf", name: "Rules")),
        .document(Media(.text("plain"), mediaType: "text/plain")),
        .document(Media(.text("chunk"), mediaType: "text/plain")),
      ])
  }

  @Test func `calls and results are read, results with the tool's name`() throws {
    let conversation = try MessagesSupport.read(
      #"""
      "messages":[{"role":"assistant","content":[
        {"type":"thinking","thinking":"hm","signature":"c2ln"},
        {"type":"redacted_thinking","data":"eHg="},
        {"type":"tool_use","id":"toolu_1","name":"clock","input":{"zone":"UTC", "n":9007199254740993},"caller":{"type":"direct"}}]},
       {"role":"user","content":[
        {"type":"tool_result","tool_use_id":"toolu_1","is_error":true,"content":[{"type":"text","text":"late"},{"type":"image","source":{"type":"base64","media_type":"image/gif","data":"R0lG"}}]},
        {"type":"tool_result","tool_use_id":"toolu_9","content":"12:00"},
        {"type":"tool_result","tool_use_id":"toolu_1"}]}]
      """#)
    #expect(
      conversation.turns[0].parts == [
        Part(.thinking("hm"), signature: "c2ln", field: "messages[0].content[0]"),
        Part(.redactedThinking("eHg="), field: "messages[0].content[1]"),
        Part(
          .toolCall(
            ToolCall(
              id: "toolu_1", name: "clock", arguments: #"{"zone":"UTC","n":9007199254740993}"#)),
          field: "messages[0].content[2]"),
      ])
    #expect(
      conversation.turns[1].parts.map(\.content) == [
        .toolResult(
          ToolResult(
            callID: "toolu_1", name: "clock",
            parts: [
              Part(.text("late"), field: "messages[1].content[0].content[0]"),
              Part(
                .image(Media(.data("R0lG"), mediaType: "image/gif")),
                field: "messages[1].content[0].content[1]"),
            ], isError: true)),
        .toolResult(
          ToolResult(
            callID: "toolu_9",
            parts: [Part(.text("12:00"), field: "messages[1].content[1].content")])),
        .toolResult(ToolResult(callID: "toolu_1", name: "clock", parts: [])),
      ])
  }

  @Test func `tools are read with their schema as written`() throws {
    let conversation = try MessagesSupport.read(
      #"""
      "tools":[{"name":"clock","description":"Tells the time.","input_schema":{"type":"object","properties":{},"x":1.0},
        "strict":true,"cache_control":{"type":"ephemeral"},"eager_input_streaming":true,"defer_loading":false,"allowed_callers":["direct"]},
       {"type":"custom","name":"bell","input_schema":{}}]
      """#)
    #expect(
      conversation.tools == [
        Tool(
          name: "clock", description: "Tells the time.",
          schema: ["type": "object", "properties": [:], "x": .number("1.0")], isStrict: true,
          cache: CacheMark(), field: "tools[0]"),
        Tool(name: "bell", schema: [:], field: "tools[1]"),
      ])
  }

  @Test func `a mark of the whole request stands at its last part`() throws {
    let conversation = try MessagesSupport.read(
      #""cache_control":{"type":"ephemeral"},"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]"#
    )
    #expect(conversation.turns.map { $0.parts[0].cache } == [nil, CacheMark()])
  }

  @Test func `signatures of other providers come back to their parts`() throws {
    let conversation = try MessagesSupport.read(
      #"""
      "messages":[{"role":"assistant","content":[
        {"type":"thinking","thinking":"seen","signature":""},
        {"type":"text","text":"One"},{"type":"thinking","thinking":"","signature":"signalbox.text:T1=="},
        {"type":"thinking","thinking":"","signature":"signalbox.call:C1=="},
        {"type":"tool_use","id":"a","name":"clock","input":{}},
        {"type":"tool_use","id":"b","name":"clock","input":{}}]},{"role":"user","content":"x"}]
      """#)
    let parts = conversation.turns[0].parts
    #expect(parts.map(\.signature) == [nil, "T1==", "C1==", nil])
    #expect(
      parts.map(\.content) == [
        .thinking("seen"), .text("One"),
        .toolCall(ToolCall(id: "a", name: "clock", arguments: "{}")),
        .toolCall(ToolCall(id: "b", name: "clock", arguments: "{}")),
      ])
  }
}
