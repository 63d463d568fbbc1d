import Domain
import Support
import Surface
import Testing

@testable import Translation

/// Random streams: any legal order keeps the reader's promise, and what is written is read again.
@Suite struct MessagesStreamPropertyTests {
  private static let seeds: [UInt64] = (0..<200).map { _ in UInt64.random(in: 0...UInt64.max) }

  private func text(_ random: inout SeededRandom) -> String {
    let alphabet: [Character] = ["a", "é", "\n", "\"", "\\", "🚂", "\u{2028}", "{", " ", "\r"]
    return String((0..<random.int(1...6)).map { _ in alphabet[random.int(0...9)] })
  }

  /// Frames as a provider may send them: calls side by side, blocks that are not closed, pings and strangers between,
  /// the end may lack.
  private func frames(_ random: inout SeededRandom) -> [JSONValue] {
    var frames: [JSONValue] = []
    func usage() -> JSONValue {
      [
        "input_tokens": JSONValue(random.int(0...99)),
        "output_tokens": JSONValue(random.int(0...99)),
      ]
    }
    if !random.oneIn(8) {
      frames.append([
        "type": "message_start", "message": ["id": "msg_1", "model": "m", "usage": usage()],
      ])
    }
    var open: [Int] = []
    var forgotten: [Int] = []
    var hasWords = false
    var next = 0
    for _ in 0..<random.int(0...40) {
      switch random.int(0...9) {
      case 0: frames.append(["type": "ping"])
      case 1: frames.append(["type": "message_delta", "delta": [:], "usage": usage()])
      case 2, 3:
        let kinds: [JSONValue] = [
          ["type": "text", "text": .string(random.oneIn(3) ? text(&random) : "")],
          ["type": "thinking", "thinking": "", "signature": ""],
          ["type": "redacted_thinking", "data": "ZA=="],
          ["type": "tool_use", "id": .string("t\(next)"), "name": "n", "input": [:]],
          ["type": "server_tool_use", "id": "s", "name": "web_search", "input": [:]],
        ]
        let kind = random.int(0...4)
        frames.append([
          "type": "content_block_start", "index": JSONValue(next), "content_block": kinds[kind],
        ])
        if kind != 3 || hasWords {
          forgotten += open
          open = []
        }
        hasWords = kind != 3
        open.append(next)
        next += 1
      case 4:
        guard let index = (open + forgotten).randomElement(using: &random) else { continue }
        open.removeAll { $0 == index }
        frames.append(["type": "content_block_stop", "index": JSONValue(index)])
      default:
        guard let index = open.randomElement(using: &random) else { continue }
        let deltas: [JSONValue] = [
          ["type": "text_delta", "text": .string(text(&random))],
          ["type": "thinking_delta", "thinking": .string(text(&random))],
          ["type": "signature_delta", "signature": "c2ln"],
          ["type": "input_json_delta", "partial_json": .string(random.oneIn(3) ? "" : "{")],
          ["type": "citations_delta", "citation": [:]], ["type": "later_delta"],
        ]
        frames.append([
          "type": "content_block_delta", "index": JSONValue(index),
          "delta": deltas[random.int(0...5)],
        ])
      }
    }
    switch random.int(0...4) {
    case 0: break
    case 1: frames.append(["type": "error", "error": ["type": "overloaded_error"]])
    default:
      frames.append([
        "type": "message_delta", "delta": ["stop_reason": "end_turn"], "usage": usage(),
      ])
      if !random.oneIn(4) { frames.append(["type": "message_stop"]) }
    }
    return frames
  }

  @Test(arguments: seeds)
  func `a reader keeps its promise over any frames`(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    var reader = MessagesStreamReader()
    var events: [StreamEvent] = []
    for frame in frames(&random) { events += try reader.take(event: nil, data: frame) }
    events += reader.finish()
    #expect(MessagesSupport.breach(events) == nil, "seed \(seed)")
  }

  /// Events as a reader of any protocol may give them, with parts one after another; `isSideBySide`: calls overlap.
  private func events(_ random: inout SeededRandom, isSideBySide: Bool) -> [StreamEvent] {
    var events: [StreamEvent] = [.began(id: "msg_1", model: "asked", created: nil)]
    var open: [(Int, StreamPart)] = []
    var hasCalls = false
    for part in 0..<random.int(0...8) {
      let kinds: [StreamPart] = [
        .toolCall(id: "t\(part)", name: "n", signature: nil), .text, .thinking,
        .redactedThinking("ZA=="),
      ]
      let kind = kinds[isSideBySide ? 0 : random.int(0...3)]
      if case .toolCall = kind { hasCalls = true }
      events.append(.opened(part, kind))
      open.append((part, kind))
      for _ in 0..<random.int(0...6) {
        guard let (number, kind) = open.randomElement(using: &random) else { break }
        switch kind {
        case .text, .thinking: events.append(.piece(number, .text(text(&random))))
        case .toolCall: events.append(.piece(number, .arguments(text(&random))))
        case .refusal, .redactedThinking: break
        }
      }
      if !isSideBySide || random.oneIn(3) || open.count > 3 {
        let (number, kind) = open.remove(at: random.int(0...open.count - 1))
        if kind == .thinking, random.oneIn(2) { events.append(.piece(number, .signature("c2ln"))) }
        events.append(.closed(number))
      }
    }
    for (number, _) in open { events.append(.closed(number)) }
    let stops: [StopReason] = [
      .length, .toolCalls, .sequence("X"), .refusal, .contextFull, .paused,
      hasCalls ? .toolCalls : .end,
    ]
    events += [
      .stopped(stops[random.int(0...6)]),
      .usage(TokenUsage(input: 90, output: 9, cached: 30, reasoning: 2, cacheCreation: 20)), .ended,
    ]
    return events
  }

  /// What a client has in the end, whatever the pieces and their order.
  private func outcome(_ events: [StreamEvent]) -> [StreamEvent] {
    var kinds: [(StreamPart, text: String, signature: String?)] = []
    var rest: [StreamEvent] = []
    var usage: StreamEvent?
    for event in events {
      switch event {
      case .opened(_, let kind): kinds.append((kind, "", nil))
      case .piece(let part, .text(let text)), .piece(let part, .arguments(let text)):
        kinds[part].text += text
      case .piece(let part, .signature(let text)): kinds[part].signature = text
      case .usage: usage = event
      case .closed: break
      case .began, .stopped, .ended, .failed: rest.append(event)
      }
    }
    for (part, kind) in kinds.enumerated() {
      rest.append(.opened(part, kind.0))
      // A call without arguments is one with an empty object.
      let isCall = if case .toolCall = kind.0 { true } else { false }
      rest.append(.piece(part, .text(isCall && kind.text.isEmpty ? "{}" : kind.text)))
      if let signature = kind.signature { rest.append(.piece(part, .signature(signature))) }
    }
    return rest + (usage.map { [$0] } ?? [])
  }

  @Test(arguments: seeds, [false, true])
  func `what is written is read again`(seed: UInt64, isSideBySide: Bool) throws {
    var random = SeededRandom(seed: seed)
    let events = events(&random, isSideBySide: isSideBySide)
    let again = try MessagesSupport.events(MessagesSupport.written(events))
    #expect(MessagesSupport.breach(again) == nil, "seed \(seed)")
    #expect(outcome(again) == outcome(events), "seed \(seed)")
  }

  /// The order that Anthropic's SDKs demand, over calls side by side.
  @Test(arguments: seeds)
  func `blocks are numbered and never overlap`(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let events = events(&random, isSideBySide: true)
    var open: UInt64?
    var next: UInt64 = 0
    var names: [String] = []
    for frame in try MessagesSupport.frames(MessagesSupport.written(events)) {
      let name = frame.data["type"]?.string ?? ""
      names.append(name)
      let index = frame.data["index"]?.uint
      switch name {
      case "content_block_start":
        #expect(open == nil && index == next, "seed \(seed)")
        open = index
        next += 1
      case "content_block_delta": #expect(open == index && index != nil, "seed \(seed)")
      case "content_block_stop":
        #expect(open == index && index != nil, "seed \(seed)")
        open = nil
      default: #expect(open == nil, "seed \(seed)")
      }
    }
    #expect(names.first == "message_start" && names.count { $0 == "message_start" } == 1)
    #expect(names.suffix(2) == ["message_delta", "message_stop"])
    #expect(names.count { $0 == "message_delta" } == 1)
  }
}
