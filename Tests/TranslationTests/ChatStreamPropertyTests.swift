import Domain
import Support
import Surface
import Testing

@testable import Translation

/// A random stream that a reader may promise, with calls side by side.
private func randomStream(_ random: inout SeededRandom) -> [StreamEvent] {
  var events: [StreamEvent] = [.began(id: "x", model: "m", created: 1)]
  var number = 0
  var hasCalls = false
  var hasRefusal = false
  var isSigned = false
  var last = ""
  for _ in 0..<random.int(0...6) {
    switch random.int(0...4) {
    case 0 where last != "text":
      events += said(number, .text, &random)
      if !isSigned, random.oneIn(3) {
        events.append(.piece(number, .signature("t")))
        isSigned = true
      }
      events.append(.closed(number))
      last = "text"
    case 1:
      events += random.oneIn(5) ? [.opened(number, .thinking)] : said(number, .thinking, &random)
      let isEmpty = events.last == .opened(number, .thinking)
      if isEmpty || random.oneIn(2) { events.append(.piece(number, .signature("s\(number)"))) }
      events.append(.closed(number))
      last = "thinking"
    case 2:
      events += [.opened(number, .redactedThinking("d\(number)")), .closed(number)]
      last = "hidden"
    case 3 where last != "refusal":
      events += said(number, .refusal, &random) + [.closed(number)]
      hasRefusal = true
      last = "refusal"
    default:
      let count = random.int(1...3)
      events += calls(number, count, &random)
      number += count - 1
      hasCalls = true
      last = "call"
    }
    number += 1
    if random.oneIn(4) { events.append(.usage(TokenUsage(input: UInt64(number), output: 2))) }
  }
  let stop: StopReason = hasCalls ? .toolCalls : hasRefusal ? .refusal : .end
  let stops = [stop, .length, .filtered]
  return events + [.stopped(stops[random.int(0...2)]), .ended]
}

private func said(
  _ number: Int, _ part: StreamPart, _ random: inout SeededRandom
) -> [StreamEvent] {
  let words = ["a", "\"ü\"\n", "🚂", "\u{2028}", "data: [DONE]", "\\u0000"]
  return [.opened(number, part)]
    + (0..<random.int(1...3)).map { _ in .piece(number, .text(words[random.int(0...5)])) }
}

/// Some calls whose fragments come in any order among each other.
private func calls(
  _ first: Int, _ count: Int, _ random: inout SeededRandom
) -> [StreamEvent] {
  let texts = ["{}", #"{"a":"}\"{"}"#, #"{"b":[1,{"c":null}]}"#, #" {"ü":"\\"} "#]
  var rest: [[StreamEvent]] = []
  for index in 0..<count {
    let number = first + index
    var events: [StreamEvent] = []
    for character in texts[random.int(0...3)] {
      events.append(.piece(number, .arguments(String(character))))
    }
    rest.append(events + [.closed(number)])
  }
  var events: [StreamEvent] = (0..<count).map {
    .opened(
      first + $0,
      .toolCall(id: "c\(first + $0)", name: "f", signature: random.oneIn(3) ? "g" : nil))
  }
  while rest.contains(where: { !$0.isEmpty }) {
    let index = random.int(0...count - 1)
    if !rest[index].isEmpty { events.append(rest[index].removeFirst()) }
  }
  return events
}

@Suite struct ChatStreamPropertyTests {
  @Test func `what is written is read again`() throws {
    for seed in 1...400 {
      var random = SeededRandom(seed: UInt64(seed))
      let events = randomStream(&random)
      #expect(Chat.breach(events) == nil, "seed \(seed)")
      let again = try Chat.events(Chat.stream(events))
      #expect(Chat.breach(again) == nil, "seed \(seed)")
      #expect(Chat.assembled(again) == Chat.assembled(events), "seed \(seed)")
    }
  }

  @Test(arguments: ["text", "tools", "interleaved", "gemini", "thinking", "signed", "refusal"])
  func `recorded forms come through both sides`(name: String) throws {
    let events = try Chat.events(Chat.fixture(name))
    let again = try Chat.events(Chat.stream(events))
    #expect(Chat.assembled(again) == Chat.assembled(events))
  }

  /// Choices in any order and number: the promise holds, or the stream is refused.
  @Test func `the reader keeps its promise over any chunks`() throws {
    let deltas = [
      #""delta":{"role":"assistant","content":""}"#, #""delta":{"content":"a"}"#,
      #""delta":{"content":"\n"}"#, #""delta":{"reasoning_content":"t"}"#,
      #""delta":{"reasoning_details":[{"type":"reasoning.text","text":"t","index":0}]}"#,
      #""delta":{"reasoning_details":[{"type":"reasoning.text","signature":"s","index":1}]}"#,
      #""delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"d"}]}"#,
      #""delta":{"refusal":"no"}"#,
      #""delta":{"extra_content":{"google":{"thought_signature":"s"}}}"#,
      #""delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":""}}]}"#,
      #""delta":{"tool_calls":[{"index":0,"id":"e","function":{"name":"f","arguments":"{}"}}]}"#,
      #""delta":{"tool_calls":[{"index":1,"id":"d","function":{"name":"g","arguments":"{"}}]}"#,
      #""delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}"#,
      #""delta":{"tool_calls":[{"index":1,"function":{"arguments":"}"}}]}"#,
      #""delta":{"tool_calls":[{"function":{"name":"h"}},{"index":2}]}"#,
      #""delta":{},"finish_reason":"stop""#, #""delta":null"#, #""finish_reason":5"#,
      #""delta":{"tool_calls":7,"content":[5]},"usage":{"prompt_tokens":1}"#,
    ]
    var whole = 0
    for seed in 1...2000 {
      var random = SeededRandom(seed: UInt64(seed))
      let count = random.int(1...12)
      let choices = (0..<count).map { _ in "{\(deltas[random.int(0...deltas.count - 1)])}" }
      do {
        let events = try Chat.events(choices: choices + [#"{"delta":{},"finish_reason":"stop"}"#])
        #expect(Chat.breach(events) == nil, "seed \(seed)")
        #expect(events.last == .ended, "seed \(seed)")
        let again = try Chat.events(Chat.stream(events))
        #expect(Chat.breach(again) == nil, "seed \(seed)")
        whole += 1
      } catch let fault as TranslationFault {
        #expect(fault.kind == .malformed, "seed \(seed)")
      }
    }
    #expect(whole > 1000)
  }
}
