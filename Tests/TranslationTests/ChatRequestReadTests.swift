import Surface
import Testing

@testable import Translation

/// A request of a client, without its model, and what must become of it.
private struct Reading: Sendable, CustomTestStringConvertible {
  let name: String
  let body: String
  var system: [Part] = []
  var turns: [Turn] = []
  var tools: [Tool] = []
  var settings: [Setting] = []
  var testDescription: String { name }
}

private func call(_ id: String, _ name: String, _ arguments: String) -> Part.Content {
  .toolCall(ToolCall(id: id, name: name, arguments: arguments))
}

private let messages: [Reading] = [
  Reading(name: "a text", body: Chat.hello, turns: [Chat.helloTurn]),
  Reading(
    name: "operators' words, also between the turns",
    body: """
      "messages":[{"role":"system","content":"a"},{"role":"user","content":"hi"},
        {"role":"developer","content":[{"type":"text","text":"b"}]},{"role":"system","content":""}]
      """,
    system: [Part(.text("a"), field: "messages[0].content")],
    turns: [
      Turn(.user, [Part(.text("hi"), field: "messages[1].content")], field: "messages[1]"),
      Turn(.system, [Part(.text("b"), field: "messages[2].content[0]")], field: "messages[2]"),
    ]),
  Reading(
    name: "every kind of content",
    body: """
      "messages":[{"role":"user","content":[
        {"type":"text","text":"see","prompt_cache_breakpoint":{"mode":"explicit"}},
        {"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0=","detail":"low"}},
        {"type":"image_url","image_url":{"url":"https://example.com/a.jpg"}},
        {"type":"input_audio","input_audio":{"data":"UklG","format":"wav"}},
        {"type":"input_audio","input_audio":{"data":"SUQz","format":"mp3"}},
        {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"}},
        {"type":"file","file":{"filename":"b.PDF","file_data":"JVBE"}},
        {"type":"file","file":{"filename":"c.csv","file_data":"YSxi"}},
        {"type":"file","file":{"file_id":"file-1"}}]}]
      """,
    turns: [
      Turn(
        .user,
        [
          Part(.text("see"), cache: CacheMark(), field: "messages[0].content[0]"),
          Part(
            .image(Media(.data("iVBORw0="), mediaType: "image/png", detail: "low")),
            field: "messages[0].content[1]"),
          Part(.image(Media(.url("https://example.com/a.jpg"))), field: "messages[0].content[2]"),
          Part(
            .audio(Media(.data("UklG"), mediaType: "audio/wav")), field: "messages[0].content[3]"),
          Part(
            .audio(Media(.data("SUQz"), mediaType: "audio/mp3")), field: "messages[0].content[4]"),
          Part(
            .document(Media(.data("JVBE"), mediaType: "application/pdf", name: "a.pdf")),
            field: "messages[0].content[5]"),
          Part(
            .document(Media(.data("JVBE"), mediaType: "application/pdf", name: "b.PDF")),
            field: "messages[0].content[6]"),
          Part(.document(Media(.data("YSxi"), name: "c.csv")), field: "messages[0].content[7]"),
          Part(.document(Media(.file("file-1"))), field: "messages[0].content[8]"),
        ], field: "messages[0]")
    ]),
  Reading(
    name: "calls and their results",
    body: """
      "messages":[
        {"role":"assistant","content":null,"refusal":null,"annotations":[],"tool_calls":[
          {"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":"{\\"a\\":1}"}},
          {"id":"c2","function":{"name":"g","arguments":"","parsed_arguments":{}},
           "extra_content":{"google":{"thought_signature":"sig"}}}]},
        {"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"x"},
          {"type":"image_url","image_url":{"url":"https://example.com/b"}}]},
        {"role":"tool","tool_call_id":"c9","name":"h","content":"y"}]
      """,
    turns: [
      Turn(
        .assistant,
        [
          Part(call("c1", "f", #"{"a":1}"#), field: "messages[0].tool_calls[0]"),
          Part(call("c2", "g", ""), signature: "sig", field: "messages[0].tool_calls[1]"),
        ], field: "messages[0]"),
      Turn(
        .user,
        [
          Part(
            .toolResult(
              ToolResult(
                callID: "c2", name: "g",
                parts: [
                  Part(.text("x"), field: "messages[1].content[0]"),
                  Part(
                    .image(Media(.url("https://example.com/b"))), field: "messages[1].content[1]"),
                ])), field: "messages[1]")
        ], field: "messages[1]"),
      Turn(
        .user,
        [
          Part(
            .toolResult(
              ToolResult(
                callID: "c9", name: "h",
                parts: [Part(.text("y"), field: "messages[2].content")])), field: "messages[2]")
        ], field: "messages[2]"),
    ]),
  Reading(
    name: "what the SDK sends of an answer that it streamed",
    body: """
      "messages":[{"content":null,"refusal":null,"role":"assistant","annotations":null,
        "audio":null,"function_call":null,"tool_calls":[{"id":"c1","function":{"arguments":"{}",
          "name":"f","parsed_arguments":null},"type":"function","index":0}],"parsed":null,
        "reasoning_content":"a","reasoning_details":[
          {"index":0,"type":"reasoning.text","text":"a","signature":"s"}]}]
      """,
    turns: [
      Turn(
        .assistant,
        [
          Part(.thinking("a"), signature: "s", field: "messages[0].reasoning_details[0]"),
          Part(call("c1", "f", "{}"), field: "messages[0].tool_calls[0]"),
        ], field: "messages[0]")
    ]),
  Reading(
    name: "thoughts as a text",
    body: """
      "messages":[{"role":"assistant","content":"b","reasoning_content":"a","reasoning":"a"}]
      """,
    turns: [
      Turn(
        .assistant,
        [
          Part(.thinking("a"), field: "messages[0].reasoning_content"),
          Part(.text("b"), field: "messages[0].content"),
        ], field: "messages[0]")
    ]),
  Reading(
    name: "thoughts in parts, whole or as a stream's pieces",
    body: """
      "messages":[{"role":"assistant","content":[{"type":"text","text":"b"}],
        "reasoning_content":"not read","reasoning_details":[
          {"type":"reasoning.text","text":"a1","index":0,"id":"x","format":"anthropic-claude-v1"},
          {"type":"reasoning.text","text":"a2","index":0},
          {"type":"reasoning.text","signature":"s1","index":0},
          {"type":"reasoning.encrypted","data":"d","index":1},
          {"type":"reasoning.text","text":"a3","signature":"s2","index":2},
          {"type":"reasoning.encrypted","data":"no","format":"openai-responses-v1","index":3},
          {"type":"reasoning.summary","summary":"a4"},
          {"type":"reasoning.new","what":1}],
        "refusal":"no","extra_content":{"google":{"thought_signature":"s3"}}}]
      """,
    turns: [
      Turn(
        .assistant,
        [
          Part(
            .thinking("a1a2"), signature: "s1", field: "messages[0].reasoning_details[0]"),
          Part(.redactedThinking("d"), field: "messages[0].reasoning_details[3]"),
          Part(.thinking("a3"), signature: "s2", field: "messages[0].reasoning_details[4]"),
          Part(.thinking("a4"), field: "messages[0].reasoning_details[6]"),
          Part(.text("b"), field: "messages[0].content[0]"),
          Part(.refusal("no"), signature: "s3", field: "messages[0].refusal"),
        ], field: "messages[0]")
    ]),
  Reading(
    name: "an answer without anything is no turn",
    body: """
      "messages":[{"role":"user","content":"hi"},{"role":"assistant","content":""}]
      """,
    turns: [Chat.helloTurn]),
  Reading(
    name: "tools",
    body: """
      \(Chat.hello),"tools":[
        {"type":"function","function":{"name":"f","description":"d","strict":true,
          "parameters":{"type":"object","maximum":9007199254740993}}},
        {"type":"function","function":{"name":"g"},"cache_control":{"type":"ephemeral","ttl":"5m"}}]
      """,
    turns: [Chat.helloTurn],
    tools: [
      Tool(
        name: "f", description: "d",
        schema: ["type": "object", "maximum": .number("9007199254740993")], isStrict: true,
        field: "tools[0]"),
      Tool(name: "g", cache: CacheMark(lifetime: "5m"), field: "tools[1]"),
    ]),
]

@Suite struct ChatRequestReadTests {
  @Test(arguments: messages)
  private func `messages and tools are read`(_ reading: Reading) throws {
    let body = try Chat.json("{\"model\":\"asked\",\"stream\":true,\(reading.body)}")
    var expected = Conversation(model: "m", isStream: true)
    expected.system = reading.system
    expected.turns = reading.turns
    expected.tools = reading.tools
    expected.settings = reading.settings
    #expect(try ChatClient.read(body, model: "m", isStream: true) == expected)
  }
}
