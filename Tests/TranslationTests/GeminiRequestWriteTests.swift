import Domain
import Surface
import Testing

@testable import Translation

/// A setting, and what the request says for it; nil: nothing.
private struct Written: Sendable, CustomTestStringConvertible {
  let value: Setting.Value
  let json: String
  var model = "gemini-3-flash"
  var testDescription: String { "\(value) for \(model)" }

  init(_ value: Setting.Value, _ json: String, _ model: String = "gemini-3-flash") {
    self.value = value
    self.json = json
    self.model = model
  }
}

private func reasoning(_ amount: Reasoning.Amount?, shown: Bool? = nil) -> Setting.Value {
  .reasoning(Reasoning(amount: amount, isShown: shown))
}

private func thinking(_ members: String) -> String {
  #"{"generationConfig":{"thinkingConfig":{\#(members)}}}"#
}

private let written: [Written] = [
  .init(.maxTokens(100), #"{"generationConfig":{"maxOutputTokens":100}}"#),
  .init(.temperature("0.70"), #"{"generationConfig":{"temperature":0.70}}"#),
  .init(.topP("0.9"), #"{"generationConfig":{"topP":0.9}}"#),
  .init(.topK("40"), #"{"generationConfig":{"topK":40}}"#),
  .init(.presencePenalty("1"), #"{"generationConfig":{"presencePenalty":1}}"#),
  .init(.frequencyPenalty("-1"), #"{"generationConfig":{"frequencyPenalty":-1}}"#),
  .init(
    .seed("12345678901234567890"), #"{"generationConfig":{"seed":12345678901234567890}}"#),
  .init(.stop(["a", "b"]), #"{"generationConfig":{"stopSequences":["a","b"]}}"#),
  .init(.toolChoice(.auto), #"{"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}}"#),
  .init(.toolChoice(.none), #"{"toolConfig":{"functionCallingConfig":{"mode":"NONE"}}}"#),
  .init(.toolChoice(.required), #"{"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}}"#),
  .init(
    .toolChoice(.tool("f")),
    #"{"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}}}"#),
  .init(
    .toolChoice(.among(["f", "g"], isRequired: true)),
    #"{"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f","g"]}}}"#),
  .init(
    .toolChoice(.among(["f"], isRequired: false)),
    #"{"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED","allowedFunctionNames":["f"]}}}"#),
  .init(.format(.text), "{}"),
  .init(.format(.json), #"{"generationConfig":{"responseMimeType":"application/json"}}"#),
  .init(
    .format(.schema(name: "n", description: "d", schema: ["type": "object"], isStrict: true)),
    #"{"generationConfig":{"responseMimeType":"application/json","responseJsonSchema":{"type":"object","description":"d"}}}"#
  ),
  .init(
    .format(.schema(name: "n", description: "d", schema: ["description": "e"], isStrict: nil)),
    #"{"generationConfig":{"responseMimeType":"application/json","responseJsonSchema":{"description":"e"}}}"#
  ),
  .init(reasoning(nil, shown: true), thinking(#""includeThoughts":true"#)),
  .init(
    reasoning(.effort("low"), shown: false),
    thinking(#""thinkingLevel":"LOW","includeThoughts":false"#)),
  .init(reasoning(.effort("minimal")), thinking(#""thinkingLevel":"MINIMAL""#)),
  .init(reasoning(.effort("minimal")), thinking(#""thinkingLevel":"LOW""#), "gemini-3.1-pro"),
  .init(reasoning(.effort("medium")), thinking(#""thinkingLevel":"MEDIUM""#)),
  .init(reasoning(.effort("high")), thinking(#""thinkingLevel":"HIGH""#)),
  .init(reasoning(.effort("xhigh")), thinking(#""thinkingLevel":"HIGH""#)),
  .init(reasoning(.effort("max")), thinking(#""thinkingLevel":"HIGH""#)),
  .init(reasoning(.off), thinking(#""thinkingLevel":"MINIMAL""#)),
  .init(reasoning(.off), thinking(#""thinkingLevel":"LOW""#), "models/gemini-3-pro-preview"),
  .init(reasoning(.budget(1024)), thinking(#""thinkingLevel":"LOW""#)),
  .init(reasoning(.budget(8192)), thinking(#""thinkingLevel":"MEDIUM""#)),
  .init(reasoning(.budget(8193)), thinking(#""thinkingLevel":"HIGH""#), "gemini-flash-latest"),
  .init(reasoning(.adaptive), "{}"),
  .init(reasoning(.effort("low")), thinking(#""thinkingBudget":1024"#), "gemini-2.5-flash"),
  .init(reasoning(.effort("medium")), thinking(#""thinkingBudget":8192"#), "gemini-2.5-flash"),
  .init(reasoning(.effort("max")), thinking(#""thinkingBudget":24576"#), "gemini-2.5-flash"),
  .init(reasoning(.effort("max")), thinking(#""thinkingBudget":32768"#), "gemini-2.5-pro"),
  .init(reasoning(.budget(2000)), thinking(#""thinkingBudget":2000"#), "gemini-2.5-pro"),
  .init(reasoning(.budget(99_999)), thinking(#""thinkingBudget":24576"#), "gemini-2.5-flash"),
  .init(reasoning(.off), thinking(#""thinkingBudget":0"#), "gemini-2.5-flash"),
  .init(reasoning(.off), thinking(#""thinkingBudget":128"#), "gemini-2.5-pro"),
  .init(reasoning(.adaptive), thinking(#""thinkingBudget":-1"#), "gemini-2.5-pro"),
  .init(reasoning(.off), "{}", "gemini-2.0-flash"),
  .init(.serviceTier("auto"), "{}"),
  .init(.serviceTier("default"), #"{"serviceTier":"standard"}"#),
  .init(.serviceTier("flex"), #"{"serviceTier":"flex"}"#),
  .init(.serviceTier("priority"), #"{"serviceTier":"priority"}"#),
  // Left out: they change neither the answer nor its form.
  .init(.answers(1), "{}"),
  .init(.parallelToolCalls(true), "{}"),
  .init(.logProbabilities(false), "{}"),
  .init(.topLogProbabilities(0), "{}"),
  .init(.verbosity("medium"), "{}"),
  .init(.user("u"), "{}"),
  .init(.metadata(["a": "b"]), "{}"),
  .init(.store(false), "{}"),
  .init(.cacheKey("k"), "{}"),
  .init(.includeUsage(true), "{}"),
  .init(.includeUsage(false), "{}"),
]

private let refused: [Setting.Value] = [
  .answers(2), .parallelToolCalls(false), .logProbabilities(true), .topLogProbabilities(2),
  .verbosity("low"), .store(true), .serviceTier("scale"), .own(1),
  .reasoning(Reasoning(amount: .effort("enormous"))),
]

private func body(_ members: String) throws -> JSONValue {
  guard case .object(let rest) = try GeminiTest.json(members) else { return .null }
  return .object(
    [.init("contents", [["role": "user", "parts": [["text": "hi"]]]])] + rest)
}

@Suite("Gemini: what a provider is asked for")
struct GeminiRequestWriteTests {
  @Test("settings", arguments: written)
  fileprivate func settings(_ row: Written) throws {
    let request = try GeminiTest.write(model: row.model) {
      $0.settings = [Setting(row.value, field: "x")]
    }
    #expect(request == (try body(row.json)))
  }

  @Test("settings that are refused", arguments: refused)
  func refusals(value: Setting.Value) {
    let fault = GeminiTest.refusal { $0.settings = [Setting(value, field: "a.b")] }
    #expect(fault == .notCarried("a.b"))
  }

  @Test("state belongs to its account")
  func state() {
    #expect(
      GeminiTest.refusal { $0.settings = [Setting(.state, field: "previous")] }
        == .stateBound("previous"))
    #expect(
      GeminiTest.refusal {
        $0.turns[0].parts = [Part(.image(Media(.file("f"), mediaType: "image/png")), field: "p")]
      } == .stateBound("p"))
  }

  @Test("tools; strict ones have their calls validated")
  func tools() throws {
    let tools = [
      Tool(
        name: "f", description: "d", schema: ["type": "object"], isStrict: true,
        cache: CacheMark(), field: "tools[0]"), Tool(name: "g", field: "tools[1]"),
    ]
    let declared: JSONValue = [
      [
        "functionDeclarations": [
          ["name": "f", "description": "d", "parametersJsonSchema": ["type": "object"]],
          ["name": "g"],
        ]
      ]
    ]
    for (choice, mode) in [
      (nil, "VALIDATED"), (.auto, "VALIDATED"), (ToolChoice.none, "NONE"), (.required, "ANY"),
    ] as [(ToolChoice?, String)] {
      let request = try GeminiTest.write {
        $0.tools = tools
        $0.settings = choice.map { [Setting(.toolChoice($0), field: "c")] } ?? []
      }
      #expect(request["tools"] == declared)
      #expect(request["toolConfig"]?["functionCallingConfig"] == ["mode": .string(mode)])
    }
    let lax = try GeminiTest.write { $0.tools = [tools[1]] }
    #expect(lax["toolConfig"] == nil)
  }

  @Test("a conversation: roles alternate, results come first and repeat the name")
  func conversation() throws {
    let request = try GeminiTest.write { conversation in
      conversation.system = [
        Part(.text("A"), cache: CacheMark(), field: "s"), Part(.text(""), field: "s"),
        Part(.text("B"), field: "s"),
      ]
      conversation.turns = [
        Turn(.user, [Part(.text("one"), field: "0")], field: "0"),
        Turn(.user, [Part(.text("two"), field: "1")], field: "1"),
        Turn(
          .assistant,
          [
            Part(.thinking("hm"), signature: "anthropic", field: "2"),
            Part(.redactedThinking("x"), field: "2"), Part(.text(""), field: "2"),
            Part(.text("ok"), signature: "sig", field: "2"),
            Part(
              .toolCall(ToolCall(id: "a", name: "f", arguments: #"{"n":1.50}"#)), field: "2"),
            Part(.toolCall(ToolCall(id: "b", name: "g", arguments: " ")), field: "2"),
          ], field: "2"),
        Turn(
          .user, [Part(.toolResult(ToolResult(callID: "a", parts: [])), field: "3")], field: "3"),
        Turn(
          .user,
          [
            Part(.text("and?"), field: "4"),
            Part(
              .toolResult(
                ToolResult(
                  callID: "b",
                  parts: [
                    Part(.text("x"), field: "4"), Part(.text("y"), field: "4"),
                    Part(.image(Media(.data("AA=="), mediaType: "image/png")), field: "4"),
                  ], isError: true)), field: "4"),
          ], field: "4"),
        Turn(.assistant, [Part(.refusal("no"), field: "5")], field: "5"),
        Turn(
          .assistant,
          [
            Part(
              .toolCall(ToolCall(id: "", name: "h", arguments: "{}")), signature: "real",
              field: "6")
          ], field: "6"),
      ]
    }
    let image: JSONValue = ["inlineData": ["mimeType": "image/png", "data": "AA=="]]
    let expected: JSONValue = [
      "contents": [
        ["role": "user", "parts": [["text": "one"], ["text": "two"]]],
        [
          "role": "model",
          "parts": [
            ["text": "hm", "thought": true], ["text": "ok", "thoughtSignature": "sig"],
            [
              "functionCall": ["id": "a", "name": "f", "args": ["n": .number("1.50")]],
              "thoughtSignature": "skip_thought_signature_validator",
            ], ["functionCall": ["id": "b", "name": "g", "args": [:]]],
          ],
        ],
        [
          "role": "user",
          "parts": [
            ["functionResponse": ["id": "a", "name": "f", "response": ["output": ""]]],
            [
              "functionResponse": [
                "id": "b", "name": "g", "response": ["error": ["x", "y"]], "parts": [image],
              ]
            ], ["text": "and?"],
          ],
        ],
        [
          "role": "model",
          "parts": [
            ["text": "no"],
            ["functionCall": ["name": "h", "args": [:]], "thoughtSignature": "real"],
          ],
        ],
      ],
      "systemInstruction": ["parts": [["text": "A"], ["text": "B"]]],
    ]
    #expect(request == expected)
  }

  @Test("before Gemini 3: no signature is made up, a result's image stands beside it")
  func second() throws {
    let request = try GeminiTest.write(model: "gemini-2.5-pro") {
      $0.turns = [
        Turn(
          .assistant,
          [Part(.toolCall(ToolCall(id: "a", name: "f", arguments: "")), field: "0")], field: "0"),
        Turn(
          .user,
          [
            Part(
              .toolResult(
                ToolResult(
                  callID: "a",
                  parts: [
                    Part(.image(Media(.data("AA=="), mediaType: "image/png")), field: "1")
                  ])), field: "1")
          ], field: "1"),
      ]
    }
    #expect(
      request == [
        "contents": [
          ["role": "model", "parts": [["functionCall": ["id": "a", "name": "f", "args": [:]]]]],
          [
            "role": "user",
            "parts": [
              ["functionResponse": ["id": "a", "name": "f", "response": ["output": ""]]],
              ["inlineData": ["mimeType": "image/png", "data": "AA=="]],
            ],
          ],
        ]
      ])
  }

  @Test("media; a type is guessed from an address, else refused")
  func media() throws {
    let cases: [(Part.Content, String?)] = [
      (
        .image(Media(.url("https://e.com/a.JPG?x=1"))),
        #"{"fileData":{"mimeType":"image/jpeg","fileUri":"https://e.com/a.JPG?x=1"}}"#
      ),
      (
        .image(Media(.url("https://e.com/a"), mediaType: "image/webp")),
        #"{"fileData":{"mimeType":"image/webp","fileUri":"https://e.com/a"}}"#
      ),
      (.image(Media(.url("https://e.com/a"))), nil),
      (.image(Media(.data("AA=="))), nil),
      (
        .audio(Media(.data("AA=="), mediaType: "audio/wav")),
        #"{"inlineData":{"mimeType":"audio/wav","data":"AA=="}}"#
      ),
      (
        .document(Media(.data("AA=="), mediaType: "application/pdf", name: "a.pdf")),
        #"{"inlineData":{"mimeType":"application/pdf","data":"AA=="}}"#
      ),
      (.document(Media(.text("hé"))), #"{"inlineData":{"mimeType":"text/plain","data":"aMOp"}}"#),
      (
        .image(Media(.data("AA=="), mediaType: "image/png", detail: "auto")),
        #"{"inlineData":{"mimeType":"image/png","data":"AA=="}}"#
      ),
      (.image(Media(.data("AA=="), mediaType: "image/png", detail: "original")), nil),
    ]
    for (content, expected) in cases {
      let part = Part(content, field: "messages[0].content[0]")
      guard let expected else {
        #expect(GeminiTest.refusal { $0.turns[0].parts = [part] } == .notCarried(part.field))
        continue
      }
      let request = try GeminiTest.write { $0.turns[0].parts = [part] }
      #expect(request["contents"]?[0]?["parts"]?[0] == (try GeminiTest.json(expected)))
      #expect(request["generationConfig"] == nil)
    }
  }

  @Test("one resolution for all media, or one for each")
  func resolutions() throws {
    func image(_ detail: String?) -> Part {
      Part(.image(Media(.data("AA=="), mediaType: "image/png", detail: detail)), field: "p")
    }
    let common = try GeminiTest.write { $0.turns[0].parts = [image("low"), image("low")] }
    #expect(common["generationConfig"] == ["mediaResolution": "MEDIA_RESOLUTION_LOW"])
    #expect(common["contents"]?[0]?["parts"]?[0]?["mediaResolution"] == nil)
    let mixed = try GeminiTest.write { $0.turns[0].parts = [image("high"), image(nil)] }
    #expect(mixed["generationConfig"] == nil)
    let parts = mixed["contents"]?[0]?["parts"]
    #expect(parts?[0]?["mediaResolution"] == ["level": "MEDIA_RESOLUTION_HIGH"])
    #expect(parts?[1]?["mediaResolution"] == nil)
    #expect(
      GeminiTest.refusal(model: "gemini-2.5-flash") {
        $0.turns[0].parts = [image("high"), image(nil)]
      } == .notCarried("p"))
  }

  @Test("what cannot be said")
  func faults() {
    let call = Part(.toolCall(ToolCall(id: "a", name: "f", arguments: "{")), field: "c")
    let orphan = Part(.toolResult(ToolResult(callID: "z", parts: [])), field: "r")
    let nested = Part(
      .toolResult(ToolResult(callID: "a", name: "f", parts: [Part(.thinking("x"), field: "n")])),
      field: "r")
    for (part, kind, field) in [
      (call, TranslationFault.Kind.malformed, "c"), (orphan, .malformed, "r"),
      (nested, .notCarried, "n"),
    ] {
      let fault = GeminiTest.refusal { $0.turns = [Turn(.user, [part], field: "0")] }
      #expect(fault?.kind == kind)
      #expect(fault?.field == field)
    }
    let image = Part(.image(Media(.data("AA=="), mediaType: "image/png")), field: "s")
    #expect(GeminiTest.refusal { $0.system = [image] } == .notCarried("s"))
  }

  @Test("a system prompt alone is the user's")
  func systemOnly() throws {
    let request = try GeminiTest.write {
      $0.turns = []
      $0.system = [Part(.text("Go"), field: "s")]
    }
    #expect(request == ["contents": [["role": "user", "parts": [["text": "Go"]]]]])
  }
}
