import Surface
import Testing

@testable import Translation

/// A setting, and the fields that it becomes at Anthropic; nil: it is refused.
struct MessagesWritten: Sendable, CustomTestStringConvertible {
  let value: Setting.Value
  let fields: String
  var testDescription: String { "\(value)" }

  init(_ value: Setting.Value, _ fields: String) {
    self.value = value
    self.fields = fields
  }
}

private let written: [MessagesWritten] = [
  .init(.maxTokens(9), #""max_tokens":9"#),
  .init(.temperature("0.30"), #""max_tokens":64000,"temperature":0.30"#),
  .init(.topP("0.5"), #""max_tokens":64000,"top_p":0.5"#),
  .init(.topK("3"), #""max_tokens":64000,"top_k":3"#),
  .init(.stop(["a", "b"]), #""max_tokens":64000,"stop_sequences":["a","b"]"#),
  .init(.user("u"), #""max_tokens":64000,"metadata":{"user_id":"u"}"#),
  .init(.serviceTier("auto"), #""max_tokens":64000,"service_tier":"auto""#),
  .init(.serviceTier("default"), #""max_tokens":64000,"service_tier":"standard_only""#),
  .init(
    .format(.schema(name: "n", description: "d", schema: ["type": "object"], isStrict: false)),
    #""max_tokens":64000,"output_config":{"format":{"type":"json_schema","schema":{"type":"object","description":"d"}}}"#
  ),
  .init(
    .format(
      .schema(name: nil, description: "d", schema: ["description": "own"], isStrict: nil)),
    #""max_tokens":64000,"output_config":{"format":{"type":"json_schema","schema":{"description":"own"}}}"#
  ),
]

/// What changes neither the answer nor its form nor its price.
private let leftOut: [Setting.Value] = [
  .metadata(["a": "b"]), .store(false), .answers(1), .parallelToolCalls(true),
  .parallelToolCalls(false), .includeUsage(true), .includeUsage(false), .cacheKey("k"),
  .presencePenalty("0"), .presencePenalty("-0.0"), .frequencyPenalty("0e5"),
  .logProbabilities(false), .topLogProbabilities(0), .verbosity("medium"), .format(.text),
  .toolChoice(.auto), .toolChoice(.none),
]

private let refused: [Setting.Value] = [
  .seed("1"), .answers(2), .answers(0), .presencePenalty("0.1"), .frequencyPenalty("-1"),
  .verbosity("low"), .verbosity("high"), .store(true), .serviceTier("flex"),
  .serviceTier("priority"), .logProbabilities(true), .topLogProbabilities(3), .format(.json),
  .own(1), .toolChoice(.required), .toolChoice(.tool("n")),
  .toolChoice(.among(["n"], isRequired: false)),
]

@Suite struct MessagesRequestWriterTests {
  /// The request without its model and messages.
  private func write(_ settings: [Setting], tools: [Tool] = []) throws -> String {
    var conversation = Conversation(model: "claude-haiku-4-5")
    conversation.settings = settings
    conversation.tools = tools
    let request = try MessagesProvider.write(conversation)
    let members = request.members ?? []
    return MessagesSupport.text(
      .object(members.filter { $0.name != "model" && $0.name != "messages" }))
  }

  @Test(arguments: written)
  func `settings become Anthropic's fields, numbers as written`(_ row: MessagesWritten) throws {
    #expect(try write([Setting(row.value, field: "f")]) == "{\(row.fields)}")
  }

  @Test(arguments: leftOut)
  func `what changes nothing is left out`(_ value: Setting.Value) throws {
    #expect(try write([Setting(value, field: "f")]) == #"{"max_tokens":64000}"#)
  }

  @Test(arguments: refused)
  func `what has no place is refused`(_ value: Setting.Value) {
    #expect(throws: TranslationFault.notCarried("f.g")) {
      try write([Setting(value, field: "f.g")])
    }
  }

  @Test func `what only one account has is bound to it`() {
    #expect(throws: TranslationFault.stateBound("f")) { try write([Setting(.state, field: "f")]) }
  }

  @Test(
    arguments: [
      (nil, nil, nil), (.auto, nil, #"{"type":"auto"}"#),
      (ToolChoice.none, nil, #"{"type":"none"}"#),
      (.required, nil, #"{"type":"any"}"#), (.tool("b"), nil, #"{"type":"tool","name":"b"}"#),
      (nil, true, nil), (nil, false, #"{"type":"auto","disable_parallel_tool_use":true}"#),
      (.required, false, #"{"type":"any","disable_parallel_tool_use":true}"#),
      (ToolChoice.none, false, #"{"type":"none"}"#),
    ] as [(ToolChoice?, Bool?, String?)])
  func `tool choices are written`(choice: ToolChoice?, isParallel: Bool?, expected: String?) throws
  {
    var settings: [Setting] = []
    if let choice { settings.append(Setting(.toolChoice(choice), field: "f")) }
    if let isParallel { settings.append(Setting(.parallelToolCalls(isParallel), field: "p")) }
    let tools = #""tools":[{"name":"b","input_schema":{"type":"object","properties":{}}}]"#
    let end = expected.map { #","tool_choice":"# + $0 } ?? ""
    #expect(
      try write(settings, tools: [Tool(name: "b", field: "t")])
        == #"{"max_tokens":64000,\#(tools)\#(end)}"#)
  }

  @Test(arguments: [(false, "auto"), (true, "any")])
  func `a choice among some tools shows no others`(isRequired: Bool, type: String) throws {
    let tools = ["a", "b", "c"].map { Tool(name: $0, schema: ["type": "object"], field: "t") }
    let choice = Setting(.toolChoice(.among(["c", "a", "z"], isRequired: isRequired)), field: "f")
    #expect(
      try write([choice], tools: tools)
        == #"{"max_tokens":64000,"tools":[{"name":"a","input_schema":{"type":"object"}},{"name":"c","input_schema":{"type":"object"}}],"tool_choice":{"type":"\#(type)"}}"#
    )
  }

  @Test func `tools are written with a schema of an object`() throws {
    let tools = [
      Tool(
        name: "a", description: "A.", schema: ["type": "object", "x": .number("1e400")],
        isStrict: true, cache: CacheMark(lifetime: "1h"), field: "t"),
      Tool(name: "b", schema: ["properties": [:]], isStrict: false, field: "t"),
    ]
    #expect(
      try write([], tools: tools)
        == #"{"max_tokens":64000,"tools":[{"name":"a","description":"A.","input_schema":{"type":"object","x":1e400},"strict":true,"cache_control":{"type":"ephemeral","ttl":"1h"}},{"name":"b","input_schema":{"type":"object","properties":{}}}]}"#
    )
  }

  @Test func `a stream is asked for last`() throws {
    var conversation = Conversation(model: "claude-3-haiku-20240307", isStream: true)
    conversation.turns = [Turn(.user, [Part(.text("Hi"))], field: "m")]
    #expect(
      MessagesSupport.text(try MessagesProvider.write(conversation))
        == #"{"model":"claude-3-haiku-20240307","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}],"stream":true}"#
    )
  }
}
