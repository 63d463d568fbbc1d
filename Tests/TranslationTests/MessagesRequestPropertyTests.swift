import Domain
import Support
import Surface
import Testing

@testable import Translation

/// Random conversations: what is written for Anthropic reads back as the same.
@Suite struct MessagesRequestPropertyTests {
  private static let seeds: [UInt64] = (0..<200).map { _ in UInt64.random(in: 0...UInt64.max) }

  private func text(_ random: inout SeededRandom) -> String {
    let alphabet: [Character] = ["a", "é", "\n", "\"", "\\", "🚂", "\u{2028}", "\0", " ", "\u{7F}"]
    return String((0..<random.int(1...8)).map { _ in alphabet[random.int(0...9)] })
  }

  private func media(_ random: inout SeededRandom) -> Part {
    switch random.int(0...4) {
    case 0: Part(.image(Media(.data("iVBO+/=="), mediaType: "image/png")))
    case 1: Part(.image(Media(.url("https://example.org/?a=1&b=\(random.int(0...9))"))))
    case 2:
      Part(.document(Media(.data("JVBE"), mediaType: "application/pdf", name: text(&random))))
    case 3: Part(.document(Media(.text(text(&random)), mediaType: "text/plain")))
    default: Part(.document(Media(.url("https://example.org/a.pdf"))))
    }
  }

  private func marked(_ part: Part, _ random: inout SeededRandom) -> Part {
    var part = part
    if random.oneIn(5) { part.cache = CacheMark(lifetime: random.oneIn(2) ? "1h" : nil) }
    return part
  }

  private func conversation(_ random: inout SeededRandom) -> Conversation {
    var conversation = Conversation(model: "claude-opus-5", isStream: random.oneIn(2))
    for _ in 0..<random.int(0...3) {
      conversation.system.append(marked(Part(.text(text(&random))), &random))
    }
    var called = 0
    for round in 0..<random.int(0...4) {
      var user: [Part] = []
      for call in (called - (round > 0 ? 1 : 0))..<called where round > 0 {
        var parts = [Part(.text(text(&random)))]
        if random.oneIn(2) { parts.append(media(&random)) }
        let result = ToolResult(
          callID: "t\(call)", name: "n", parts: parts, isError: random.oneIn(3))
        user.append(marked(Part(.toolResult(result)), &random))
      }
      user.append(marked(Part(.text(text(&random))), &random))
      if random.oneIn(2) { user.append(marked(media(&random), &random)) }
      conversation.turns.append(Turn(.user, user, field: ""))
      var answer: [Part] = []
      if random.oneIn(2) { answer.append(Part(.thinking(text(&random)), signature: "c2ln")) }
      if random.oneIn(4) { answer.append(Part(.redactedThinking("ZGF0YQ=="))) }
      if random.oneIn(2) { answer.append(marked(Part(.text(text(&random))), &random)) }
      let arguments = #"{"b":\#(UInt64.random(in: 0...UInt64.max, using: &random)),"a":[1.0,null]}"#
      answer.append(
        Part(.toolCall(ToolCall(id: "t\(called)", name: "n", arguments: arguments))))
      called += 1
      conversation.turns.append(Turn(.assistant, answer, field: ""))
    }
    conversation.turns.append(Turn(.user, [Part(.text("go"))], field: ""))
    for number in 0..<random.int(0...3) {
      conversation.tools.append(
        Tool(
          name: "n\(number)", description: random.oneIn(2) ? text(&random) : nil,
          schema: ["type": "object", "x": .number("1.50")],
          isStrict: random.oneIn(2) ? true : nil, cache: random.oneIn(3) ? CacheMark() : nil,
          field: ""))
    }
    conversation.settings = settings(&random, hasTools: !conversation.tools.isEmpty)
    return conversation
  }

  /// In the order in which they are written.
  private func settings(_ random: inout SeededRandom, hasTools: Bool) -> [Setting] {
    var values: [Setting.Value] = [.maxTokens(UInt64(random.int(1...1_000_000)))]
    if hasTools, random.oneIn(2) {
      values.append(.toolChoice([.auto, .required, .tool("n0")][random.int(0...2)]))
      if random.oneIn(2) { values.append(.parallelToolCalls(false)) }
    }
    if random.oneIn(3) { values.append(.temperature("0.70")) }
    if random.oneIn(3) { values.append(.topP("1e-2")) }
    if random.oneIn(3) { values.append(.topK("40")) }
    if random.oneIn(3) { values.append(.stop([text(&random)])) }
    if random.oneIn(3) { values.append(.user(text(&random))) }
    if random.oneIn(3) { values.append(.serviceTier(random.oneIn(2) ? "auto" : "default")) }
    if random.oneIn(3) {
      values.append(
        .format(.schema(name: nil, description: nil, schema: ["type": "object"], isStrict: true)))
    }
    if random.oneIn(3) {
      let amounts: [Reasoning.Amount] = [.off, .adaptive, .effort("low"), .effort("max")]
      values.append(.reasoning(Reasoning(amount: amounts[random.int(0...3)])))
    }
    return values.map { Setting($0, field: "") }
  }

  private func bare(_ part: Part) -> Part {
    var part = part
    part.field = ""
    if case .toolResult(var result) = part.content {
      result.parts = result.parts.map(bare)
      part.content = .toolResult(result)
    }
    return part
  }

  private func bare(_ conversation: Conversation) -> Conversation {
    var conversation = conversation
    conversation.system = conversation.system.map(bare)
    conversation.turns = conversation.turns.map { Turn($0.role, $0.parts.map(bare), field: "") }
    conversation.tools = conversation.tools.map { tool in
      var tool = tool
      tool.field = ""
      return tool
    }
    conversation.settings = conversation.settings.map { Setting($0.value, field: "") }
    return conversation
  }

  @Test(arguments: seeds)
  func `what is written for Anthropic reads back as the same`(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let conversation = conversation(&random)
    let bytes = try MessagesProvider.write(conversation).bytes
    let body = try JSONValue.parse(bytes)
    #expect(body["stream"]?.bool ?? false == conversation.isStream)
    let again = try MessagesClient.read(
      body, model: conversation.model, isStream: conversation.isStream)
    #expect(bare(again) == bare(conversation), "seed \(seed)")
  }

  /// Parts of an answer, as a client sends them back in the next request.
  @Test(arguments: seeds)
  func `a client gives back what an answer signed`(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    var parts: [Part] = []
    for number in 0..<random.int(1...6) {
      let signature = random.oneIn(2) ? "R2VtaW5p" : nil
      switch random.int(0...3) {
      case 0: parts.append(Part(.thinking(text(&random)), signature: signature))
      case 1: parts.append(Part(.redactedThinking("ZGF0YQ==")))
      case 2: parts.append(Part(.text(text(&random)), signature: signature))
      default:
        parts.append(
          Part(
            .toolCall(ToolCall(id: "t\(number)", name: "n", arguments: "{}")), signature: signature)
        )
      }
    }
    let answer = Answer(id: "", model: "", parts: parts, stop: .toolCalls, usage: .notReported)
    var events: [StreamEvent] = [.began(id: "", model: "", created: nil)]
    for (number, part) in parts.enumerated() {
      switch part.content {
      case .thinking(let text):
        events += [.opened(number, .thinking), .piece(number, .text(text))]
        if let signature = part.signature { events.append(.piece(number, .signature(signature))) }
      case .redactedThinking(let data): events.append(.opened(number, .redactedThinking(data)))
      case .text(let text):
        events += [.opened(number, .text), .piece(number, .text(text))]
        if let signature = part.signature { events.append(.piece(number, .signature(signature))) }
      case .toolCall(let call):
        events.append(
          .opened(number, .toolCall(id: call.id, name: call.name, signature: part.signature)))
      case .image, .audio, .document, .toolResult, .refusal: break
      }
      events.append(.closed(number))
    }
    let whole = MessagesClient.write(answer, for: MessagesSupport.facts())["content"]
    let streamed = try content(MessagesSupport.written(events + [.stopped(.end), .ended]))
    #expect(whole == streamed, "seed \(seed)")
    let body: JSONValue = [
      "max_tokens": 1,
      "messages": [
        ["role": "assistant", "content": whole ?? .null], ["role": "user", "content": "x"],
      ],
    ]
    let again = try MessagesClient.read(body, model: "m", isStream: false)
    #expect(again.turns[0].parts.map(bare) == parts, "seed \(seed)")
  }

  /// The blocks that an SDK puts together from a stream.
  private func content(_ bytes: [UInt8]) throws -> JSONValue {
    var blocks: [JSONValue] = []
    for frame in try MessagesSupport.frames(bytes) {
      switch frame.data["type"]?.string {
      case "content_block_start": blocks.append(frame.data["content_block"] ?? .null)
      case "content_block_delta":
        guard let delta = frame.data["delta"], case .object(var members)? = blocks.last,
          let name = ["text", "thinking", "signature"].first(where: { delta[$0] != nil }),
          let place = members.firstIndex(where: { $0.name == name })
        else { continue }
        members[place].value = .string(
          (members[place].value.string ?? "") + (delta[name]?.string ?? ""))
        blocks[blocks.count - 1] = .object(members)
      default: continue
      }
    }
    return .array(blocks)
  }
}
