import Domain
import Surface
import Testing

@testable import Translation

@Suite("Gemini: whole answers and errors")
struct GeminiAnswerTests {
  @Test("a provider's answer")
  func read() throws {
    let answer = try GeminiProvider.read(
      try GeminiTest.json(
        #"""
        {"candidates":[{"index":1,"content":{"parts":[{"text":"other"}]}},
          {"content":{"role":"model","parts":[{"text":"Hm","thought":true},{"text":""},
          {"text":"Hi","thoughtSignature":"c2ln"},
          {"functionCall":{"name":"f","args":{"n":12345678901234567890}},"thoughtSignature":"Y2FsbA=="},
          {"functionCall":{"id":"x","name":"g","args":null}}]},"finishReason":"STOP","index":0}],
         "usageMetadata":{"promptTokenCount":10,"cachedContentTokenCount":4,"candidatesTokenCount":5,
          "thoughtsTokenCount":6,"toolUsePromptTokenCount":1,"totalTokenCount":22},
         "modelVersion":"gemini-3-pro","responseId":"r_1"}
        """#))
    #expect(
      answer
        == Answer(
          id: "r_1", model: "gemini-3-pro",
          parts: [
            Part(.thinking("Hm")), Part(.text("Hi"), signature: "c2ln"),
            Part(
              .toolCall(
                ToolCall(id: "call_r1_1", name: "f", arguments: #"{"n":12345678901234567890}"#)),
              signature: "Y2FsbA=="),
            Part(.toolCall(ToolCall(id: "x", name: "g", arguments: "{}"))),
          ], stop: .toolCalls,
          usage: TokenUsage(input: 11, output: 11, cached: 4, reasoning: 6)))
  }

  @Test(
    "reasons to stop",
    arguments: [
      ("STOP", .end), ("MAX_TOKENS", .length), ("SAFETY", .filtered), ("RECITATION", .filtered),
      ("SPII", .filtered), ("LANGUAGE", .filtered), ("OTHER", .end), ("CONTINUATION", .paused),
      ("NEVER_SEEN", .end), ("FINISH_REASON_UNSPECIFIED", .end),
    ] as [(String, StopReason)])
  func reasons(reason: String, expected: StopReason) throws {
    let answer = try GeminiProvider.read(
      ["candidates": [["finishReason": .string(reason)]]])
    #expect(answer.stop == expected)
    #expect(answer.parts.isEmpty)
  }

  @Test("a blocked prompt is a filtered answer")
  func blocked() throws {
    let answer = try GeminiProvider.read([
      "promptFeedback": ["blockReason": "OTHER"],
      "usageMetadata": ["promptTokenCount": 3, "totalTokenCount": 3],
    ])
    #expect(answer.stop == .filtered)
    #expect(answer.usage == TokenUsage(input: 3, output: 0))
  }

  @Test("what is no answer")
  func faults() {
    let answers: [JSONValue] = [
      [], [:], ["candidates": []], ["candidates": 5], ["error": ["code": 500]],
      ["candidates": [["finishReason": "MALFORMED_FUNCTION_CALL"]]],
      ["candidates": [["content": ["parts": [["functionCall": [:]]]]]]],
    ]
    for answer in answers {
      #expect(throws: TranslationFault.self, "\(answer)") { try GeminiProvider.read(answer) }
    }
  }

  @Test(
    "parts that no other protocol has",
    arguments: [
      "inlineData", "fileData", "executableCode", "codeExecutionResult", "toolCall",
    ])
  func strangeParts(name: String) {
    let part = JSONValue.object([.init(name, [:])])
    let answer: JSONValue = ["candidates": [["content": ["parts": [["text": "a"], part]]]]]
    let field = "candidates[0].content.parts[1].\(name)"
    do throws(TranslationFault) {
      _ = try GeminiProvider.read(answer)
      Issue.record("read")
    } catch {
      #expect(error.kind == .notCarried)
      #expect(error.field == field)
    }
  }

  @Test("a client's answer")
  func write() {
    let answer = Answer(
      id: "r", model: "theirs", created: 5,
      parts: [
        Part(.thinking("Hm"), signature: "s+g"), Part(.redactedThinking("dark")),
        Part(.text("Hi")), Part(.refusal("no")),
        Part(.toolCall(ToolCall(id: "t", name: "f", arguments: #"{"n":1.0}"#))),
      ], stop: .toolCalls,
      usage: TokenUsage(input: 10, output: 7, cached: 4, reasoning: 3, cacheCreation: 2))
    #expect(
      GeminiClient.write(answer, for: GeminiTest.facts) == [
        "candidates": [
          [
            "content": [
              "parts": [
                [
                  "text": "Hm", "thought": true,
                  "thoughtSignature": .string(GeminiSignature.foreign("s+g").text),
                ],
                [
                  "text": "", "thought": true,
                  "thoughtSignature": .string(GeminiSignature.redacted("dark").text),
                ], ["text": "Hi"], ["text": "no"],
                ["functionCall": ["id": "t", "name": "f", "args": ["n": .number("1.0")]]],
              ], "role": "model",
            ], "finishReason": "STOP", "index": 0,
          ]
        ],
        "usageMetadata": [
          "promptTokenCount": 10, "cachedContentTokenCount": 4, "candidatesTokenCount": 4,
          "thoughtsTokenCount": 3, "totalTokenCount": 17,
        ], "modelVersion": "asked", "responseId": "r",
      ])
  }

  @Test("an answer without parts still has one; a call that is no JSON is malformed")
  func emptyAnswers() {
    var answer = Answer(id: "", model: "", parts: [], stop: .filtered, usage: .notReported)
    #expect(
      GeminiClient.write(answer, for: GeminiTest.facts) == [
        "candidates": [
          [
            "content": ["parts": [["text": ""]], "role": "model"], "finishReason": "SAFETY",
            "index": 0,
          ]
        ], "modelVersion": "asked", "responseId": "minted",
      ])
    answer.parts = [Part(.toolCall(ToolCall(id: "t", name: "f", arguments: "{")))]
    let written = GeminiClient.write(answer, for: GeminiTest.facts)
    #expect(written["candidates"]?[0]?["finishReason"] == "MALFORMED_FUNCTION_CALL")
    #expect(written["candidates"]?[0]?["content"]?["parts"] == [["text": ""]])
  }

  @Test("usage, both ways")
  func usage() {
    let rows: [(JSONValue, TokenUsage)] = [
      ([:], .notReported),
      (["promptTokenCount": 3, "totalTokenCount": 9], TokenUsage(input: 3, output: 6)),
      (
        ["promptTokenCount": 3, "thoughtsTokenCount": 4],
        TokenUsage(input: 3, output: 4, reasoning: 4)
      ),
      (["prompt_token_count": 3, "candidates_token_count": 1], TokenUsage(input: 3, output: 1)),
      (["promptTokenCount": "3"], .notReported),
      (["promptTokenCount": 4_294_967_297], .notReported),
    ]
    for (google, expected) in rows { #expect(TokenUsage(google: google) == expected) }
    for usage in [
      TokenUsage(input: 3, output: 9, cached: 2, reasoning: 4), TokenUsage(input: 3, output: 0),
    ] {
      #expect(usage.google.map(TokenUsage.init(google:)) == usage)
    }
    #expect(TokenUsage.notReported.google == nil)
    // More thoughts than output: a provider's error must not become a huge number.
    #expect(
      TokenUsage(output: 1, reasoning: 5).google == [
        "candidatesTokenCount": 0, "thoughtsTokenCount": 5, "totalTokenCount": 1,
      ])
  }

  @Test("another maker's signatures come back through Google's SDKs as they were")
  func signatures() throws {
    let thinking = Part(.thinking("Hm"), signature: "Er+/8A==")
    let hidden = Part(.redactedThinking("dk+/"))
    let call = Part(
      .toolCall(ToolCall(id: "t", name: "f", arguments: "{}")), signature: "raw words")
    let answer = Answer(
      id: "r", model: "", parts: [thinking, hidden, call], stop: .toolCalls, usage: .notReported)
    var content = GeminiClient.write(answer, for: GeminiTest.facts)["candidates"]?[0]?["content"]
    // The SDK decodes the bytes and writes them in the alphabet for URLs.
    guard case .array(let parts)? = content?["parts"] else {
      Issue.record("no parts")
      return
    }
    let sent = parts.map { part -> JSONValue in
      guard case .object(let members) = part else { return part }
      return .object(
        members.map {
          $0.name == "thoughtSignature"
            ? .init("thought_signature", .string(urlAlphabet($0.value.string ?? ""))) : $0
        })
    }
    content = ["role": "model", "parts": .array(sent)]
    let read = try GeminiClient.read(
      ["contents": [content ?? .null]], model: "m", isStream: false)
    let withoutFields = read.turns[0].parts.map {
      var part = $0
      part.field = ""
      return part
    }
    #expect(withoutFields == [thinking, hidden, call])
  }

  @Test("thoughts that a stream has cut are one with their signature")
  func cutThoughts() throws {
    let read = try GeminiClient.read(
      [
        "contents": [
          ["role": "model", "parts": [["text": "H", "thought": true]]],
          ["role": "model", "parts": [["text": "m", "thought": true]]],
          [
            "role": "model",
            "parts": [
              [
                "text": "", "thought": true,
                "thoughtSignature": .string(GeminiSignature.foreign("sig").text),
              ]
            ],
          ], ["role": "model", "parts": [["text": "a"]]],
          ["role": "model", "parts": [["text": "b"], ["text": ""]]],
          ["role": "model", "parts": [["functionCall": ["id": "1", "name": "f"]], ["text": ""]]],
          ["role": "model", "parts": [["text": "", "thoughtSignature": "c2ln"]]],
          // Google's own signature of thoughts is of no use elsewhere.
          ["role": "user", "parts": [["text": "x", "thought": true, "thoughtSignature": "c2ln"]]],
        ]
      ], model: "m", isStream: false)
    #expect(
      read.turns.map(\.parts) == [
        [
          Part(.thinking("Hm"), signature: "sig", field: "contents[0].parts[0]"),
          Part(.text("ab"), field: "contents[3].parts[0]"),
          Part(
            .toolCall(ToolCall(id: "1", name: "f", arguments: "{}")),
            field: "contents[5].parts[0]"),
        ], [Part(.thinking("x"), field: "contents[7].parts[0]")],
      ])
  }

  @Test("errors in Google's form")
  func errors() throws {
    let body = try JSONValue.parse(
      googleErrorBody(
        code: .invalidField, message: "topK is not a number.", requestID: "q1", field: "topK",
        details: [.init("account", "a"), .init("limit", 5)]))
    #expect(
      body == [
        "error": [
          "code": 400, "message": "topK is not a number.", "status": "INVALID_ARGUMENT",
          "details": [
            [
              "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "INVALID_FIELD",
              "domain": "signalbox", "metadata": ["account": "a", "limit": "5"],
            ],
            ["@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "q1"],
            [
              "@type": "type.googleapis.com/google.rpc.BadRequest",
              "fieldViolations": [["field": "topK", "description": "topK is not a number."]],
            ],
          ],
        ]
      ])
    for code in ErrorCode.allCases {
      let error = try JSONValue.parse(googleErrorBody(code: code, requestID: "q"))["error"]
      #expect(error?["code"]?.int == Int64(code.status))
      #expect(error?["message"]?.string == code.summary)
      #expect(error?["status"]?.string == googleStatus(ofHTTP: code.status))
      #expect(error?["details"]?.array?.count == 2)
    }
    for (status, name) in [
      (400, "INVALID_ARGUMENT"), (401, "UNAUTHENTICATED"), (403, "PERMISSION_DENIED"),
      (404, "NOT_FOUND"), (409, "ABORTED"), (413, "INVALID_ARGUMENT"),
      (429, "RESOURCE_EXHAUSTED"), (500, "INTERNAL"), (501, "UNIMPLEMENTED"),
      (502, "UNAVAILABLE"), (503, "UNAVAILABLE"), (504, "DEADLINE_EXCEEDED"),
    ] {
      #expect(googleStatus(ofHTTP: status) == name)
    }
  }

  private func urlAlphabet(_ text: String) -> String {
    String(text.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 })
  }
}
