import Surface
import Testing

@testable import Translation

/// A field of a request and the settings that it becomes.
private struct Field: Sendable, CustomTestStringConvertible {
  let json: String
  let settings: [Setting]
  var testDescription: String { json }

  init(_ json: String, _ settings: Setting...) {
    self.json = json
    self.settings = settings
  }
}

private let fields: [Field] = [
  .init(#""max_output_tokens":512"#, Setting(.maxTokens(512), field: "max_output_tokens")),
  .init(#""temperature":0.70"#, Setting(.temperature("0.70"), field: "temperature")),
  .init(#""top_p":1e-1"#, Setting(.topP("1e-1"), field: "top_p")),
  .init(#""presence_penalty":0.5"#, Setting(.presencePenalty("0.5"), field: "presence_penalty")),
  .init(#""frequency_penalty":-2"#, Setting(.frequencyPenalty("-2"), field: "frequency_penalty")),
  .init(
    #""parallel_tool_calls":false"#,
    Setting(.parallelToolCalls(false), field: "parallel_tool_calls")),
  .init(#""tool_choice":"auto""#, Setting(.toolChoice(.auto), field: "tool_choice")),
  .init(#""tool_choice":"none""#, Setting(.toolChoice(.none), field: "tool_choice")),
  .init(#""tool_choice":"required""#, Setting(.toolChoice(.required), field: "tool_choice")),
  .init(
    #""tool_choice":{"type":"function","name":"f"}"#,
    Setting(.toolChoice(.tool("f")), field: "tool_choice")),
  .init(
    #""tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"},{"type":"function","name":"g"}]}"#,
    Setting(.toolChoice(.among(["f", "g"], isRequired: true)), field: "tool_choice")),
  .init(
    #""reasoning":{"effort":"high","summary":"detailed"}"#,
    Setting(.reasoning(Reasoning(amount: .effort("high"), isShown: true)), field: "reasoning")),
  .init(
    #""reasoning":{"effort":"none","context":"auto","mode":"standard"}"#,
    Setting(.reasoning(Reasoning(amount: .off)), field: "reasoning")),
  .init(
    #""reasoning":{"generate_summary":"auto"}"#,
    Setting(.reasoning(Reasoning(isShown: true)), field: "reasoning")),
  .init(#""reasoning":{"effort":null,"summary":null}"#),
  .init(
    #""reasoning":{"context":"all_turns"}"#,
    Setting(.own("all_turns"), field: "reasoning.context")),
  .init(
    #""text":{"format":{"type":"text"},"verbosity":"low"}"#,
    Setting(.format(.text), field: "text.format"),
    Setting(.verbosity("low"), field: "text.verbosity")),
  .init(
    #""text":{"format":{"type":"json_object"}}"#, Setting(.format(.json), field: "text.format")),
  .init(
    #""text":{"format":{"type":"json_schema","name":"n","schema":{"maximum":9007199254740993},"strict":true,"description":"d"}}"#,
    Setting(
      .format(
        .schema(
          name: "n", description: "d",
          schema: .object([.init("maximum", .number("9007199254740993"))]), isStrict: true)),
      field: "text.format")),
  .init(
    #""include":["reasoning.encrypted_content","file_search_call.results","message.output_text.logprobs"]"#,
    Setting(.logProbabilities(true), field: "include[2]")),
  .init(#""include":["new.thing"]"#, Setting(.own("new.thing"), field: "include[0]")),
  .init(#""top_logprobs":3"#, Setting(.topLogProbabilities(3), field: "top_logprobs")),
  .init(#""top_logprobs":0"#),
  .init(#""user":"u""#, Setting(.user("u"), field: "user")),
  .init(
    #""user":"u","safety_identifier":"s""#, Setting(.user("s"), field: "safety_identifier")),
  .init(#""metadata":{"a":"b"}"#, Setting(.metadata(["a": "b"]), field: "metadata")),
  .init(#""store":false"#, Setting(.store(false), field: "store")),
  .init(#""service_tier":"flex""#, Setting(.serviceTier("flex"), field: "service_tier")),
  .init(#""prompt_cache_key":"k""#, Setting(.cacheKey("k"), field: "prompt_cache_key")),
  .init(#""prompt_cache_retention":"24h","prompt_cache_options":{"mode":"explicit","ttl":"12h"}"#),
  .init(
    #""prompt_cache_options":{"prewarm":true,"comparison_response_id":"resp_1"}"#,
    Setting(.state, field: "prompt_cache_options.comparison_response_id"),
    Setting(.own(true), field: "prompt_cache_options.prewarm")),
  .init(
    #""background":false,"truncation":"disabled","max_tool_calls":3,"stream":true,"model":"x""#),
  .init(#""background":true"#, Setting(.own(true), field: "background")),
  .init(#""truncation":"auto""#, Setting(.own("auto"), field: "truncation")),
  .init(#""stream_options":{"include_obfuscation":false}"#),
  .init(
    #""stream_options":{"new":1}"#, Setting(.own(1), field: "stream_options.new")),
  .init(#""previous_response_id":"resp_1""#, Setting(.state, field: "previous_response_id")),
  .init(#""conversation":{"id":"c"}"#, Setting(.state, field: "conversation")),
  .init(#""prompt":{"id":"p"}"#, Setting(.state, field: "prompt")),
  .init(
    #""moderation":{"model":"x"}"#, Setting(.own(["model": "x"]), field: "moderation")),
  .init(#""frob":null"#),
]

@Suite struct ResponsesRequestReadTests {
  @Test("each field becomes its settings", arguments: fields)
  fileprivate func eachFieldBecomesItsSettings(field: Field) throws {
    let conversation = try Responses.read(#"{"input":"hi",\#(field.json)}"#)
    #expect(conversation.settings == field.settings)
    #expect(
      conversation.turns == [Turn(.user, [Part(.text("hi"), field: "input")], field: "input")])
  }

  @Test("tools keep their schema as written") func toolsKeepTheirSchemaAs() throws {
    let conversation = try Responses.read(
      #"{"input":"a","tools":[{"type":"function","name":"f","description":"d","strict":true,"parameters":{"z":1.0,"a":[]}},{"type":"function","name":"g","parameters":null,"strict":null,"async":false,"allowed_callers":["direct"]}]}"#
    )
    #expect(
      conversation.tools == [
        Tool(
          name: "f", description: "d",
          schema: .object([.init("z", .number("1.0")), .init("a", [])]), isStrict: true,
          field: "tools[0]"), Tool(name: "g", field: "tools[1]"),
      ])
  }

  @Test("operators' words before all turns stand together, instructions first")
  func operatorsWordsStandTogetherInstructions() throws {
    let conversation = try Responses.read(
      #"{"instructions":"one","input":[{"role":"developer","content":"two"},{"role":"user","content":"hi"},{"type":"message","role":"system","content":[{"type":"input_text","text":"three","prompt_cache_breakpoint":{"mode":"explicit","ttl":"12h"}}]}]}"#
    )
    #expect(
      conversation.system == [
        Part(.text("one"), field: "instructions"),
        Part(.text("two"), field: "input[0].content"),
      ])
    #expect(
      conversation.turns.last
        == Turn(
          .system,
          [Part(.text("three"), cache: CacheMark(lifetime: "1h"), field: "input[2].content[0]")],
          field: "input[2]"))
    #expect(conversation.turns.count == 2)
  }

  @Test("items of the model make one turn, results another") func itemsOfTheModelMake() throws {
    let conversation = try Responses.read(
      #"""
      {"input":[
      {"role":"user","content":"go"},
      {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"encrypted_content":"signalbox.thinking:SIG"},
      {"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"signalbox.redacted:RED"},
      {"type":"message","id":"msg_1","role":"assistant","status":"completed","phase":"commentary","content":[{"type":"output_text","text":"t","annotations":[{"type":"x"}],"logprobs":[],"extra_content":{"google":{"thought_signature":"TS"}}},{"type":"refusal","refusal":"no"}]},
      {"type":"reasoning","id":"rs_3","summary":[],"encrypted_content":"signalbox.call:CS"},
      {"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{\"a\": 1}","status":"completed"},
      {"type":"function_call","call_id":"c2","name":"g","arguments":"","caller":{"type":"direct"}},
      {"type":"function_call_output","call_id":"c1","output":"one"},
      {"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"two"},{"type":"input_image","image_url":"data:image/png;base64,AAAA"}]},
      {"role":"user","content":"and"}]}
      """#)
    let f = ToolCall(id: "c1", name: "f", arguments: #"{"a": 1}"#)
    let g = ToolCall(id: "c2", name: "g", arguments: "")
    #expect(
      conversation.turns.map(\.parts) == [
        [Part(.text("go"), field: "input[0].content")],
        [
          Part(.thinking("a\n\nb"), signature: "SIG", field: "input[1]"),
          Part(.redactedThinking("RED"), field: "input[2]"),
          Part(.text("t"), signature: "TS", field: "input[3].content[0]"),
          Part(.refusal("no"), field: "input[3].content[1]"),
          Part(.toolCall(f), signature: "CS", field: "input[5]"),
          Part(.toolCall(g), field: "input[6]"),
        ],
        [
          Part(
            .toolResult(
              ToolResult(
                callID: "c1", name: "f", parts: [Part(.text("one"), field: "input[7].output")])),
            field: "input[7]"),
          Part(
            .toolResult(
              ToolResult(
                callID: "c2", name: "g",
                parts: [
                  Part(.text("two"), field: "input[8].output[0]"),
                  Part(
                    .image(Media(.data("AAAA"), mediaType: "image/png")),
                    field: "input[8].output[1]"),
                ])), field: "input[8]"),
        ], [Part(.text("and"), field: "input[9].content")],
      ])
    #expect(conversation.turns.map(\.role) == [.user, .assistant, .user, .user])
    #expect(conversation.turns.map(\.field) == ["input[0]", "input[1]", "input[7]", "input[9]"])
    #expect(conversation.settings.isEmpty)
  }

  @Test("thoughts without a signature are only words") func thoughtsWithoutASignatureAre() throws {
    let conversation = try Responses.read(
      #"{"input":[{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"s"}],"content":[{"type":"reasoning_text","text":"c"}]},{"type":"reasoning","summary":[]}]}"#
    )
    #expect(conversation.turns.map(\.parts) == [[Part(.thinking("c"), field: "input[0]")]])
    #expect(conversation.settings.isEmpty)
  }

  @Test(
    "media are read",
    arguments: [
      (
        #""type":"input_image","image_url":"https://e.com/a.png","detail":"low""#,
        .image(Media(.url("https://e.com/a.png"), detail: "low"))
      ),
      (
        #""type":"input_image","file_id":"file_1","detail":"auto""#,
        .image(Media(.file("file_1"), detail: "auto"))
      ),
      (
        #""type":"input_image","image_url":"data:image/webp;base64,UklGRg==","detail":"original""#,
        .image(Media(.data("UklGRg=="), mediaType: "image/webp", detail: "original"))
      ),
      (#""type":"input_file","file_id":"file_1""#, .document(Media(.file("file_1")))),
      (
        #""type":"input_file","file_url":"https://e.com/a.PDF?x=1.txt""#,
        .document(Media(.url("https://e.com/a.PDF?x=1.txt"), mediaType: "application/pdf"))
      ),
      (
        #""type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE""#,
        .document(Media(.data("JVBE"), mediaType: "application/pdf", name: "a.pdf"))
      ),
      (
        #""type":"input_file","filename":"a.pdf","file_data":"JVBE""#,
        .document(Media(.data("JVBE"), mediaType: "application/pdf", name: "a.pdf"))
      ),
      (
        #""type":"input_file","filename":"a.bin","file_data":"AAAA""#,
        .document(Media(.data("AAAA"), name: "a.bin"))
      ),
      (
        #""type":"input_audio","input_audio":{"data":"SUQz","format":"mp3"}"#,
        .audio(Media(.data("SUQz"), mediaType: "audio/mpeg"))
      ),
      (
        #""type":"input_audio","input_audio":{"data":"UklG","format":"wav"}"#,
        .audio(Media(.data("UklG"), mediaType: "audio/wav"))
      ),
    ] as [(String, Part.Content)])
  func mediaAreRead(json: String, content: Part.Content) throws {
    let conversation = try Responses.read(
      #"{"input":[{"role":"user","content":[{\#(json)}]}]}"#)
    #expect(
      conversation.turns[0].parts == [Part(content, field: "input[0].content[0]")])
  }
}
