import Surface
import Testing

@testable import Translation

/// A setting and the fields that it becomes; `store` and `stream` are left away.
private struct Written: Sendable, CustomTestStringConvertible {
  let value: Setting.Value
  let json: String
  var testDescription: String { "\(value)" }

  init(_ value: Setting.Value, _ json: String) {
    self.value = value
    self.json = json
  }
}

private let schema: JSONValue = ["type": "object"]

private let written: [Written] = [
  .init(.maxTokens(9), #"{"max_output_tokens":9}"#),
  .init(.temperature("0.10"), #"{"temperature":0.10}"#),
  .init(.topP("1"), #"{"top_p":1}"#),
  .init(.toolChoice(.auto), #"{"tool_choice":"auto"}"#),
  .init(.toolChoice(.none), #"{"tool_choice":"none"}"#),
  .init(.toolChoice(.required), #"{"tool_choice":"required"}"#),
  .init(.toolChoice(.tool("f")), #"{"tool_choice":{"type":"function","name":"f"}}"#),
  .init(
    .toolChoice(.among(["f"], isRequired: false)),
    #"{"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]}}"#
  ),
  .init(
    .toolChoice(.among(["f"], isRequired: true)),
    #"{"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"}]}}"#
  ),
  .init(.parallelToolCalls(true), #"{"parallel_tool_calls":true}"#),
  .init(.parallelToolCalls(false), #"{"parallel_tool_calls":false}"#),
  .init(.format(.text), #"{"text":{"format":{"type":"text"}}}"#),
  .init(.format(.json), #"{"text":{"format":{"type":"json_object"}}}"#),
  .init(
    .format(.schema(name: nil, description: nil, schema: schema, isStrict: nil)),
    #"{"text":{"format":{"type":"json_schema","name":"response","schema":{"type":"object"}}}}"#),
  .init(
    .format(.schema(name: "n", description: "d", schema: schema, isStrict: true)),
    #"{"text":{"format":{"type":"json_schema","name":"n","description":"d","schema":{"type":"object"},"strict":true}}}"#
  ),
  .init(.reasoning(Reasoning(amount: .off)), #"{"reasoning":{"effort":"none"}}"#),
  .init(
    .reasoning(Reasoning(amount: .adaptive)), #"{"include":["reasoning.encrypted_content"]}"#),
  .init(
    .reasoning(Reasoning(amount: .effort("xhigh"), isShown: true)),
    #"{"reasoning":{"effort":"xhigh","summary":"auto"},"include":["reasoning.encrypted_content"]}"#
  ),
  .init(
    .reasoning(Reasoning(amount: .budget(8000), isShown: false)),
    #"{"reasoning":{"effort":"medium"},"include":["reasoning.encrypted_content"]}"#),
  .init(.verbosity("low"), #"{"text":{"verbosity":"low"}}"#),
  .init(.user("u"), #"{"safety_identifier":"u"}"#),
  .init(.metadata(["a": "b"]), #"{"metadata":{"a":"b"}}"#),
  .init(.serviceTier("priority"), #"{"service_tier":"priority"}"#),
  .init(.cacheKey("k"), #"{"prompt_cache_key":"k"}"#),
  // Left out: they ask for what is so anyway, or for what touches neither the answer nor its price.
  .init(.presencePenalty("0.0"), "{}"), .init(.frequencyPenalty("0"), "{}"), .init(.stop([]), "{}"),
  .init(.answers(1), "{}"), .init(.user(String(repeating: "u", count: 65)), "{}"),
  .init(.metadata(["a": 1]), "{}"),
  .init(.metadata(["a": .string(String(repeating: "b", count: 513))]), "{}"),
  .init(.serviceTier("auto"), "{}"), .init(.includeUsage(true), "{}"),
  .init(.includeUsage(false), "{}"), .init(.logProbabilities(false), "{}"),
  .init(.topLogProbabilities(0), "{}"),
]

private let refused: [Setting.Value] = [
  .topK("4"), .presencePenalty("0.1"), .frequencyPenalty("-1"), .seed("7"), .stop(["x"]),
  .answers(2), .serviceTier("batch"), .logProbabilities(true), .topLogProbabilities(1),
  .own("x"),
]

private func write(_ change: (inout Conversation) -> Void) throws -> JSONValue {
  var conversation = Conversation(model: "m")
  change(&conversation)
  return try ResponsesProvider.write(conversation)
}

/// The items of a conversation of one turn.
private func items(_ role: Turn.Role, _ parts: [Part]) throws -> String {
  let body = try write { $0.turns = [Turn(role, parts, field: "t")] }
  return Responses.text(body["input"] ?? .null)
}

@Suite struct ResponsesRequestWriteTests {
  @Test("each setting becomes its fields", arguments: written)
  fileprivate func eachSettingBecomesItsFields(row: Written) throws {
    let body = try write { $0.settings = [Setting(row.value, field: "s")] }
    let rest = (body.members ?? []).filter { !["model", "input", "store"].contains($0.name) }
    #expect(Responses.text(.object(rest)) == row.json)
    #expect(body["store"] == false)
  }

  @Test("what has no place is refused", arguments: refused)
  func whatHasNoPlaceIs(value: Setting.Value) {
    #expect(throws: TranslationFault.notCarried("s")) {
      try write { $0.settings = [Setting(value, field: "s")] }
    }
  }

  @Test("stored state is refused as such") func storedStateIsRefusedAs() {
    #expect(throws: TranslationFault.stateBound("s")) {
      try write { $0.settings = [Setting(.state, field: "s")] }
    }
  }

  @Test("storing is the client's wish only", arguments: [true, false])
  func storingIsTheClientsWish(isWanted: Bool) throws {
    let body = try write { $0.settings = [Setting(.store(isWanted), field: "s")] }
    #expect(body["store"] == .bool(isWanted))
    #expect(body.members?.filter { $0.name == "store" }.count == 1)
  }

  @Test("a whole request has its fields once and in order") func aWholeRequestHasIts() throws {
    let body = try write {
      $0.model = "gpt-5.1"
      $0.isStream = true
      $0.system = [Part(.text("one"), cache: CacheMark()), Part(.text("two"))]
      $0.turns = [Turn(.user, [Part(.text("hi"))], field: "t")]
      $0.tools = [
        Tool(name: "f", field: "tools[0]"),
        Tool(name: "g", description: "d", schema: schema, isStrict: true, field: "tools[1]"),
      ]
      $0.settings = [
        Setting(.verbosity("low"), field: "v"), Setting(.format(.json), field: "f"),
      ]
    }
    #expect(
      Responses.text(body)
        == #"{"model":"gpt-5.1","instructions":"one\n\ntwo","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]}],"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}},"strict":false},{"type":"function","name":"g","description":"d","parameters":{"type":"object"},"strict":true}],"text":{"verbosity":"low","format":{"type":"json_object"}},"store":false,"include":["reasoning.encrypted_content"],"stream":true}"#
    )
  }

  @Test(
    "encrypted thoughts are asked of models that think",
    arguments: [
      ("gpt-5", true), ("gpt-5.4-mini", true), ("openai/GPT-6", true), ("o1", true),
      ("o3-mini", true), ("o4-mini-deep-research", true), ("gpt-5-chat-latest", false),
      ("gpt-4o", false), ("gpt-4.1", false), ("gpt-oss-120b", false), ("omni", false), ("", false),
      ("chatgpt-4o-latest", false), ("llama-3", false),
    ])
  func encryptedThoughtsAreAskedOf(model: String, reasons: Bool) throws {
    let body = try write { $0.model = model }
    #expect((body["include"] != nil) == reasons)
  }

  @Test("a turn of the model keeps its order") func aTurnOfTheModel() throws {
    let call = ToolCall(id: "c", name: "f", arguments: #"{"a": 1}"#)
    let parts = [
      Part(.thinking("why"), signature: "responses:rs_1:gAAA:B"), Part(.text("a"), signature: "G"),
      Part(.text("b")), Part(.refusal("no")), Part(.redactedThinking("responses:rs_2:gBBB")),
      Part(.toolCall(call), signature: "G"), Part(.text("c")),
    ]
    #expect(
      try items(.assistant, parts)
        == #"[{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"why"}],"encrypted_content":"gAAA:B"},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"},{"type":"output_text","text":"b"},{"type":"refusal","refusal":"no"}]},{"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"gBBB"},{"type":"function_call","call_id":"c","name":"f","arguments":"{\"a\": 1}"},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"c"}]}]"#
    )
  }

  @Test("another provider's thoughts are left out") func anotherProvidersThoughtsAreLeft() throws {
    #expect(
      try items(
        .assistant,
        [
          Part(.thinking("a"), signature: "EqQB"), Part(.thinking("b")),
          Part(.redactedThinking("EmwK")), Part(.text("t")),
        ])
        == #"[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"t"}]}]"#
    )
  }

  @Test("thoughts sent back ask for more of them") func thoughtsSentBackAskFor() throws {
    let body = try write {
      $0.turns = [
        Turn(.assistant, [Part(.redactedThinking("responses:rs_2:gBBB"))], field: "t")
      ]
    }
    #expect(body["include"] == ["reasoning.encrypted_content"])
  }

  @Test("results are items of their own") func resultsAreItemsOfTheir() throws {
    func result(_ parts: [Part], isError: Bool = false) -> Part {
      Part(.toolResult(ToolResult(callID: "c", name: "f", parts: parts, isError: isError)))
    }
    #expect(
      try items(
        .user,
        [
          result([Part(.text("x"))]), result([]), result([Part(.text("bad"))], isError: true),
          result([
            Part(.text("y")), Part(.image(Media(.data("AAAA"), mediaType: "image/png"))),
            Part(.document(Media(.url("https://e.com/a.pdf")))),
          ]), Part(.text("and")),
        ])
        == #"[{"type":"function_call_output","call_id":"c","output":"x"},{"type":"function_call_output","call_id":"c","output":""},{"type":"function_call_output","call_id":"c","output":"bad","status":"incomplete"},{"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"y"},{"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"auto"},{"type":"input_file","file_url":"https://e.com/a.pdf"}]},{"type":"message","role":"user","content":[{"type":"input_text","text":"and"}]}]"#
    )
  }

  @Test(
    "media are written",
    arguments: [
      (
        .image(Media(.url("https://e.com/a.png"), detail: "low")),
        #"{"type":"input_image","image_url":"https://e.com/a.png","detail":"low"}"#
      ),
      (
        .image(Media(.data("AA=="), mediaType: "image/gif")),
        #"{"type":"input_image","image_url":"data:image/gif;base64,AA==","detail":"auto"}"#
      ),
      (
        .document(
          Media(.data("JVBE"), mediaType: "application/pdf", detail: "high", name: "n.pdf")),
        #"{"type":"input_file","filename":"n.pdf","file_data":"data:application/pdf;base64,JVBE","detail":"high"}"#
      ),
      (
        .document(Media(.data("JVBE"))),
        #"{"type":"input_file","filename":"document.pdf","file_data":"data:application/pdf;base64,JVBE"}"#
      ),
      (
        .document(Media(.url("https://e.com/a.pdf"), name: "n")),
        #"{"type":"input_file","file_url":"https://e.com/a.pdf"}"#
      ),
      (
        .document(Media(.text(""))),
        #"{"type":"input_file","filename":"document.txt","file_data":"data:text/plain;base64,"}"#
      ),
      (
        .document(Media(.text("ä"), name: "t.txt")),
        #"{"type":"input_file","filename":"t.txt","file_data":"data:text/plain;base64,w6Q="}"#
      ),
      (
        .document(Media(.text("abcd"), mediaType: "text/csv")),
        #"{"type":"input_file","filename":"document.csv","file_data":"data:text/csv;base64,YWJjZA=="}"#
      ),
      (
        .document(Media(.text("~?>"))),
        #"{"type":"input_file","filename":"document.txt","file_data":"data:text/plain;base64,fj8+"}"#
      ),
    ] as [(Part.Content, String)])
  func mediaAreWritten(content: Part.Content, json: String) throws {
    #expect(
      try items(.user, [Part(content)])
        == #"[{"type":"message","role":"user","content":[\#(json)]}]"#
    )
  }

  @Test(
    "parts without a place are refused",
    arguments: [
      (.user, .audio(Media(.data("AAAA"), mediaType: "audio/wav")), .notCarried("p")),
      (.user, .image(Media(.file("f"))), .stateBound("p")),
      (.user, .image(Media(.data("AA=="))), .notCarried("p")),
      (.user, .image(Media(.text("t"))), .notCarried("p")),
      (.user, .document(Media(.file("f"))), .stateBound("p")),
      (.user, .thinking("t"), .notCarried("p")), (.user, .redactedThinking("t"), .notCarried("p")),
      (.user, .refusal("t"), .notCarried("p")),
      (.user, .toolCall(ToolCall(id: "c", name: "f", arguments: "{}")), .notCarried("p")),
      (
        .user,
        .toolResult(ToolResult(callID: "c", parts: [Part(.audio(Media(.data(""))), field: "r")])),
        .notCarried("r")
      ),
      (
        .user,
        .toolResult(ToolResult(callID: "c", parts: [Part(.image(Media(.file(""))), field: "r")])),
        .stateBound("r")
      ),
      (.assistant, .image(Media(.url("u"))), .notCarried("p")),
      (.assistant, .document(Media(.url("u"))), .notCarried("p")),
      (.assistant, .audio(Media(.url("u"))), .notCarried("p")),
      (.assistant, .toolResult(ToolResult(callID: "c", parts: [])), .notCarried("p")),
    ] as [(Turn.Role, Part.Content, TranslationFault)])
  func partsWithoutAPlaceAre(
    role: Turn.Role, content: Part.Content, fault: TranslationFault
  ) {
    #expect(throws: fault) { try items(role, [Part(content, field: "p")]) }
  }

  @Test("operators' images are refused") func operatorsImagesAreRefused() {
    #expect(throws: TranslationFault.notCarried("p")) {
      try write { $0.system = [Part(.image(Media(.url("u"))), field: "p")] }
    }
  }
}
