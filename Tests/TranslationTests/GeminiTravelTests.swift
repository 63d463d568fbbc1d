import Domain
import Surface
import Testing

@testable import Translation

/// A Gemini answer goes out in each client's protocol and comes back as history: Gemini must find its signatures
/// where it put them, or it refuses the next turn.
@Suite("Gemini: signatures there and back")
struct GeminiTravelTests {
  private let answer = #"""
    {"candidates":[{"content":{"role":"model","parts":[{"text":"Hm","thought":true},
      {"text":"Looking.","thoughtSignature":"dGV4dC8r"},
      {"functionCall":{"id":"c1","name":"f","args":{"n":1.50}},"thoughtSignature":"Y2FsbC8r"},
      {"functionCall":{"id":"c2","name":"g","args":{}}}]},"finishReason":"STOP"}],
     "modelVersion":"gemini-3-flash","responseId":"r1"}
    """#

  /// What Gemini is sent of its own turn, and of the results.
  private func contents(_ conversation: Conversation) throws -> [JSONValue] {
    let contents = try GeminiProvider.write(conversation)["contents"]?.array ?? []
    #expect(contents.map { $0["role"] } == ["user", "model", "user"])
    return contents
  }

  private func check(_ conversation: Conversation) throws {
    let contents = try contents(conversation)
    let parts = (contents[1]["parts"]?.array ?? []).filter { $0["thought"]?.bool != true }
    let texts = parts.filter { $0["text"] != nil }
    #expect(texts.compactMap { $0["text"]?.string }.joined() == "Looking.")
    #expect(texts.compactMap { $0["thoughtSignature"]?.string } == ["dGV4dC8r"])
    #expect(
      parts.filter { $0["functionCall"] != nil } == [
        [
          "functionCall": ["id": "c1", "name": "f", "args": ["n": .number("1.50")]],
          "thoughtSignature": "Y2FsbC8r",
        ], ["functionCall": ["id": "c2", "name": "g", "args": [:]]],
      ])
    #expect(
      contents[2]["parts"] == [
        ["functionResponse": ["id": "c1", "name": "f", "response": ["output": "one"]]],
        ["functionResponse": ["id": "c2", "name": "g", "response": ["output": "two"]]],
      ])
  }

  private var read: Answer {
    get throws { try GeminiProvider.read(try GeminiTest.json(answer)) }
  }

  @Test("through chat")
  func chat() throws {
    let written = ChatClient.write(try read, for: GeminiTest.facts)
    let message = try #require(written["choices"]?[0]?["message"])
    let body: JSONValue = [
      "model": "m",
      "messages": [
        ["role": "user", "content": "go"], message,
        ["role": "tool", "tool_call_id": "c1", "content": "one"],
        ["role": "tool", "tool_call_id": "c2", "content": "two"],
      ],
    ]
    try check(try ChatClient.read(body, model: "gemini-3-flash", isStream: false))
  }

  @Test("through Messages")
  func messages() throws {
    // A text's signature is for those who asked for thoughts.
    var facts = GeminiTest.facts
    facts.request = ["thinking": ["type": "adaptive"]]
    let written = MessagesClient.write(try read, for: facts)
    let content = try #require(written["content"])
    let body: JSONValue = [
      "model": "m", "max_tokens": 9,
      "messages": [
        ["role": "user", "content": "go"], ["role": "assistant", "content": content],
        [
          "role": "user",
          "content": [
            ["type": "tool_result", "tool_use_id": "c1", "content": "one"],
            ["type": "tool_result", "tool_use_id": "c2", "content": "two"],
          ],
        ],
      ],
    ]
    try check(try MessagesClient.read(body, model: "gemini-3-flash", isStream: false))
  }

  @Test("through Responses")
  func responses() throws {
    let written = ResponsesClient.write(try read, for: GeminiTest.facts)
    let output = try #require(written["output"]?.array)
    let body: JSONValue = [
      "model": "m", "store": false,
      "input": .array(
        [["role": "user", "content": "go"]] + output + [
          ["type": "function_call_output", "call_id": "c1", "output": "one"],
          ["type": "function_call_output", "call_id": "c2", "output": "two"],
        ]),
    ]
    try check(try ResponsesClient.read(body, model: "gemini-3-flash", isStream: false))
  }

  @Test("thoughts of another maker are not sent to Gemini with their signature")
  func foreignThoughts() throws {
    let body: JSONValue = [
      "model": "m", "max_tokens": 9,
      "messages": [
        ["role": "user", "content": "go"],
        [
          "role": "assistant",
          "content": [
            ["type": "thinking", "thinking": "Hm", "signature": "RXIrLzhBPT0="],
            ["type": "redacted_thinking", "data": "ZGFyaw=="],
            ["type": "tool_use", "id": "c1", "name": "f", "input": [:]],
          ],
        ],
        [
          "role": "user",
          "content": [["type": "tool_result", "tool_use_id": "c1", "content": "one"]],
        ],
      ],
    ]
    let conversation = try MessagesClient.read(body, model: "gemini-3-flash", isStream: false)
    #expect(
      try contents(conversation)[1]["parts"] == [
        ["text": "Hm", "thought": true],
        [
          "functionCall": ["id": "c1", "name": "f", "args": [:]],
          "thoughtSignature": "skip_thought_signature_validator",
        ],
      ])
  }

  /// The model's turn as a Gemini client sends it back, with a result of its call `c1`.
  private func history(_ contents: [JSONValue], model: String) throws -> Conversation {
    let result: JSONValue = [
      "functionResponse": ["id": "c1", "name": "f", "response": ["output": "one"]]
    ]
    let body: JSONValue = [
      "contents": .array(
        [["role": "user", "parts": [["text": "go"]]]] + contents + [
          ["role": "user", "parts": [result]]
        ])
    ]
    return try GeminiClient.read(body, model: model, isStream: false)
  }

  @Test("Anthropic's thoughts through a Gemini client, whole and streamed")
  func anthropic() throws {
    let content: JSONValue = [
      ["type": "thinking", "thinking": "Hmm", "signature": "RXIrLzhBPT0="],
      ["type": "redacted_thinking", "data": "ZGFyaysv"], ["type": "text", "text": "Looking."],
      ["type": "tool_use", "id": "c1", "name": "f", "input": ["n": .number("1.50")]],
    ]
    let answer = try MessagesProvider.read([
      "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": content,
      "stop_reason": "tool_use", "stop_sequence": nil,
      "usage": ["input_tokens": 1, "output_tokens": 2],
    ])
    let whole = GeminiClient.write(answer, for: GeminiTest.facts)
    let streamed = try GeminiTest.frames(
      Array(
        GeminiTest.stream([
          .began(id: "msg_1", model: "claude", created: nil), .opened(0, .thinking),
          .piece(0, .text("H")), .piece(0, .text("mm")), .piece(0, .signature("RXIrLzhBPT0=")),
          .closed(0), .opened(1, .redactedThinking("ZGFyaysv")), .closed(1), .opened(2, .text),
          .piece(2, .text("Look")), .piece(2, .text("ing.")), .closed(2),
          .opened(3, .toolCall(id: "c1", name: "f", signature: nil)),
          .piece(3, .arguments(#"{"n":"#)), .piece(3, .arguments("1.50}")), .closed(3),
          .stopped(.toolCalls), .ended,
        ]).utf8))
    for frames in [[whole], streamed] {
      let contents = frames.compactMap { $0["candidates"]?[0]?["content"] }
      let request = try MessagesProvider.write(try history(contents, model: "claude-sonnet-4-5"))
      #expect(request["messages"]?[1]?["content"] == content)
    }
  }

  @Test("OpenAI's encrypted thoughts through a Gemini client")
  func openAI() throws {
    let answer = try ResponsesProvider.read([
      "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "o",
      "output": [
        ["id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "ZGFyaysv"],
        [
          "id": "fc_1", "type": "function_call", "status": "completed", "call_id": "c1",
          "name": "f", "arguments": "{}",
        ],
      ],
    ])
    let content = try #require(
      GeminiClient.write(answer, for: GeminiTest.facts)["candidates"]?[0]?["content"])
    let request = try ResponsesProvider.write(try history([content], model: "o"))
    let reasoning = request["input"]?.array?.filter { $0["type"] == "reasoning" }
    #expect(reasoning?.map { $0["encrypted_content"] } == ["ZGFyaysv"])
  }
}
