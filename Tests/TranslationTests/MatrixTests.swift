import Surface
import Testing

@testable import Translation

/// Every protocol's answers for every protocol's clients, and requests the other way: read again by the protocol in
/// which they were written, they say the same.
@Suite struct MatrixTests {
  @Test("what a provider streams reaches every client", arguments: MatrixCell.all)
  func streams(cell: MatrixCell) throws {
    let streams = try cell.provider.streams()
    #expect(streams.count > 5)
    for (name, bytes) in streams {
      // What is no answer at all ends in an error, which is told below.
      guard let sent = try? cell.provider.events(bytes) else { continue }
      var writer = cell.client.writer(Speech.facts)
      var written: [UInt8] = []
      for event in sent { writer.write(event, into: &written) }
      let got = try cell.client.events(written)
      #expect(wholeAnswer(got).map(Told.init) == wholeAnswer(sent).map(Told.init), "\(name)")
      if case .failed = sent.last {
        guard case .failed = got.last else {
          Issue.record("\(name): the failure is lost")
          continue
        }
      }
    }
  }

  @Test("what a provider answers whole reaches every client", arguments: MatrixCell.all)
  func answers(cell: MatrixCell) throws {
    for (name, bytes) in try cell.provider.streams() {
      guard let events = try? cell.provider.events(bytes), let answer = wholeAnswer(events) else {
        continue
      }
      let written = cell.client.client.write(answer, for: Speech.facts)
      // As it goes over the wire.
      let read = try cell.client.provider.read(try JSONValue.parse(written.bytes))
      #expect(Told(read) == Told(answer), "\(name)")
    }
  }

  @Test("what a client asks reaches every provider", arguments: MatrixCell.all)
  func requests(cell: MatrixCell) throws {
    // The protocol's own writer makes the client's request.
    let asked = try cell.client.client.read(
      try JSONValue.parse(try cell.client.provider.write(conversation).bytes), model: "m",
      isStream: true)
    #expect(plain(asked) == plain(conversation))
    let written = try cell.provider.provider.write(asked)
    let got = try cell.provider.client.read(
      try JSONValue.parse(written.bytes), model: "m", isStream: true)
    #expect(plain(got) == plain(conversation))
  }
}

/// What all four protocols can say.
private let conversation: Conversation = {
  var conversation = Conversation(model: "m", isStream: true)
  conversation.system = [Part(.text("Be brief.\n\"Always\"."))]
  let arguments = [#"{"a":9007199254740993,"b":"é\"\n"}"#, "{}"]
  let calls = arguments.enumerated().map { number, arguments in
    ToolCall(id: "call_\(number)", name: "f\(number)", arguments: arguments)
  }
  let image = Media(.data("iVBORw0KGgo="), mediaType: "image/png")
  conversation.turns = [
    Turn(.user, [Part(.text("What is this?")), Part(.image(image))], field: ""),
    Turn(.assistant, [Part(.text("Let me see."))] + calls.map { Part(.toolCall($0)) }, field: ""),
    Turn(
      .user,
      calls.map { call in
        let parts = [Part(.text("result of \(call.name) 🙂"))]
        return Part(.toolResult(ToolResult(callID: call.id, name: call.name, parts: parts)))
      }, field: ""),
    Turn(.assistant, [Part(.text("A chart."))], field: ""),
    Turn(.user, [Part(.text("And now?"))], field: ""),
  ]
  let schema: JSONValue = [
    "type": "object", "properties": ["a": ["type": "integer", "maximum": 9_007_199_254_740_993]],
    "required": ["a"],
  ]
  conversation.tools = [
    Tool(name: "f0", description: "First.", schema: schema, field: ""),
    Tool(name: "f1", schema: ["type": "object", "properties": [:]], field: ""),
  ]
  conversation.settings = [
    Setting(.maxTokens(2048), field: ""), Setting(.temperature("0.25"), field: ""),
    Setting(.topP("0.9"), field: ""), Setting(.toolChoice(.required), field: ""),
  ]
  return conversation
}()

/// Without what protocols have no word for, or say by themselves.
private func plain(_ conversation: Conversation) -> Conversation {
  var result = Conversation(model: conversation.model, isStream: conversation.isStream)
  result.system = conversation.system.map { plain($0) }
  for turn in conversation.turns {
    let parts = turn.parts.map { plain($0) }
    // Some protocols write results as messages of their own.
    if result.turns.last?.role == turn.role {
      result.turns[result.turns.count - 1].parts += parts
    } else {
      result.turns.append(Turn(turn.role, parts, field: ""))
    }
  }
  result.tools = conversation.tools.map {
    Tool(name: $0.name, description: $0.description, schema: $0.schema, field: "")
  }
  result.settings = conversation.settings.compactMap { setting in
    switch setting.value {
    case .maxTokens, .temperature, .topP, .toolChoice: Setting(setting.value, field: "")
    default: nil
    }
  }.sorted { "\($0)" < "\($1)" }
  return result
}

private func plain(_ part: Part) -> Part {
  switch part.content {
  case .toolCall(var call):
    call.arguments = canonical(call.arguments)
    return Part(.toolCall(call))
  case .toolResult(var result):
    result.parts = result.parts.map { Part($0.content) }
    return Part(.toolResult(result))
  case .image(var media):
    // What OpenAI's protocols demand where nothing was said.
    if media.detail == "auto" { media.detail = nil }
    return Part(.image(media))
  case .text, .audio, .document, .thinking, .redactedThinking, .refusal: return Part(part.content)
  }
}
