import Domain

@testable import Translation

private func begun(_ id: String, _ model: String = "gpt-5.1") -> StreamEvent {
  .began(id: id, model: model, created: 1_741_476_542)
}

private func toolCall(_ part: Int, _ id: String, _ name: String) -> StreamEvent {
  .opened(part, .toolCall(id: id, name: name, signature: nil))
}

/// A recorded-like stream and what is read of it.
let responsesRecorded: [(name: String, events: [StreamEvent])] = [
  (
    "text",
    [
      begun("resp_a1", "gpt-4o-2024-08-06"), .opened(0, .text), .piece(0, .text("Sal")),
      .piece(0, .text("ut, ")), .piece(0, .text("le monde: ")), .piece(0, .text("é\n\"x\"")),
      .closed(0),
      .usage(TokenUsage(input: 13, output: 9, cached: 0, reasoning: 0, cacheCreation: 0)),
      .stopped(.end), .ended,
    ]
  ),
  (
    "reasoning-cached",
    [
      begun("resp_a2"), .opened(0, .thinking), .piece(0, .text("**Look")),
      .piece(0, .text("ing**")), .piece(0, .text("\n\nThen ")), .piece(0, .text("this.")),
      .piece(0, .signature("responses:rs_a2_0:gAAAAABfull:1")), .closed(0), .opened(1, .text),
      .piece(1, .text("42")), .closed(1),
      .usage(
        TokenUsage(input: 2000, output: 300, cached: 1536, reasoning: 256, cacheCreation: 128)),
      .stopped(.end), .ended,
    ]
  ),
  (
    "parallel-tools",
    [
      begun("resp_a3"), .opened(0, .redactedThinking("responses:rs_a3_0:gAAAAABonly")),
      .closed(0), .opened(1, .text), .piece(1, .text("I look.")), .closed(1),
      toolCall(2, "call_x", "weather"), .piece(2, .arguments(#"{"city""#)),
      .piece(2, .arguments(#":"Ulm"}"#)), .closed(2), toolCall(3, "call_y", "time"),
      .piece(3, .arguments("{}")), .closed(3),
      .usage(TokenUsage(input: 50, output: 40, cached: 0, reasoning: 16, cacheCreation: 0)),
      .stopped(.toolCalls), .ended,
    ]
  ),
  (
    "interleaved-tools",
    [
      begun("resp_a4"), toolCall(0, "call_x", "a"), toolCall(1, "call_y", "b"),
      .piece(0, .arguments(#"{"p":"#)), .piece(1, .arguments(#"{"q":"#)),
      .piece(0, .arguments("1}")), .piece(1, .arguments("2}")), .closed(0), .closed(1),
      .usage(TokenUsage(input: 5, output: 4, cached: 0, reasoning: 0, cacheCreation: 0)),
      .stopped(.toolCalls), .ended,
    ]
  ),
  (
    "refusal",
    [
      begun("resp_a5"), .opened(0, .refusal), .piece(0, .text("I can")), .piece(0, .text("not.")),
      .closed(0),
      .usage(TokenUsage(input: 7, output: 3, cached: 0, reasoning: 0, cacheCreation: 0)),
      .stopped(.refusal), .ended,
    ]
  ),
  (
    "length",
    [
      begun("resp_a6"), .opened(0, .text), .piece(0, .text("Once upon")), .closed(0),
      .usage(TokenUsage(input: 7, output: 16, cached: 0, reasoning: 0, cacheCreation: 0)),
      .stopped(.length), .ended,
    ]
  ),
  (
    "error",
    [
      begun("resp_a7"), .opened(0, .text), .piece(0, .text("Par")), .closed(0),
      .failed(StreamFailure(type: "server_error")),
    ]
  ),
  ("cut", [begun("resp_a8"), .opened(0, .text), .piece(0, .text("Half a sen"))]),
  (
    "open-model",
    [
      begun("resp_a9", "local"), .opened(0, .thinking), .piece(0, .text("hm")), .closed(0),
      .opened(1, .text), .piece(1, .text("ok")), .closed(1), .stopped(.end), .ended,
    ]
  ),
]
