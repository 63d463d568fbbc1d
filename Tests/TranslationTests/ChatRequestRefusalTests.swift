import Surface
import Testing

@testable import Translation

/// Requests that are refused, with what and where.
private let refused: [(String, TranslationFault.Kind, String)] = [
  (#""stream":true"#, .malformed, "messages"),
  (#""messages":{}"#, .malformed, "messages"),
  (#""messages":["hi"]"#, .malformed, "messages[0]"),
  (#""messages":[{"content":"hi"}]"#, .malformed, "messages[0].role"),
  (#""messages":[{"role":"owner","content":"hi"}]"#, .malformed, "messages[0].role"),
  (#""messages":[{"role":"function","content":"hi"}]"#, .notCarried, "messages[0].role"),
  (#""messages":[{"role":"user"}]"#, .malformed, "messages[0].content"),
  (#""messages":[{"role":"user","content":5}]"#, .malformed, "messages[0].content"),
  (#""messages":[{"role":"user","content":"","name":"n"}]"#, .notCarried, "messages[0].name"),
  (
    #""messages":[{"role":"user","content":[{"type":"video_url"}]}]"#, .malformed,
    "messages[0].content[0].type"
  ),
  (
    #""messages":[{"role":"user","content":[{"type":"text","text":"","secret":1}]}]"#, .notCarried,
    "messages[0].content[0].secret"
  ),
  (
    #""messages":[{"role":"user","content":[{"type":"image_url"}]}]"#, .malformed,
    "messages[0].content[0].image_url"
  ),
  (
    #"""
    "messages":[{"role":"user","content":[
      {"type":"image_url","image_url":{"url":"data:image/png,no"}}]}]
    """#, .malformed, "messages[0].content[0].image_url.url"
  ),
  (
    #"""
    "messages":[{"role":"user","content":[
      {"type":"input_audio","input_audio":{"data":"","format":"x"}}]}]
    """#, .malformed, "messages[0].content[0].input_audio.format"
  ),
  (
    #""messages":[{"role":"user","content":[{"type":"file","file":{"filename":"a"}}]}]"#,
    .malformed, "messages[0].content[0].file.file_data"
  ),
  (
    #"""
    "messages":[{"role":"system","content":[
      {"type":"image_url","image_url":{"url":"https://example.com"}}]}]
    """#, .malformed, "messages[0].content[0]"
  ),
  (
    #""messages":[{"role":"assistant","audio":{"id":"a"}}]"#, .stateBound, "messages[0].audio"
  ),
  (
    #""messages":[{"role":"assistant","function_call":{"name":"f"}}]"#, .notCarried,
    "messages[0].function_call"
  ),
  (
    #""messages":[{"role":"assistant","tool_calls":[{"type":"custom","id":"a"}]}]"#, .notCarried,
    "messages[0].tool_calls[0].custom"
  ),
  (
    #""messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]}]"#, .malformed,
    "messages[0].tool_calls[0].id"
  ),
  (
    #""messages":[{"role":"assistant","reasoning_details":[{"text":"a"}]}]"#, .malformed,
    "messages[0].reasoning_details[0].type"
  ),
  (#""messages":[{"role":"tool","content":"a"}]"#, .malformed, "messages[0].tool_call_id"),
  (#"\#(Chat.hello),"tools":{}"#, .malformed, "tools"),
  (#"\#(Chat.hello),"tools":[{"type":"custom","custom":{}}]"#, .notCarried, "tools[0].custom"),
  (#"\#(Chat.hello),"tools":[{"type":"web_search"}]"#, .malformed, "tools[0].type"),
  (#"\#(Chat.hello),"tools":[{"type":"function"}]"#, .malformed, "tools[0].function"),
  (
    #"\#(Chat.hello),"tools":[{"type":"function","function":{"name":5}}]"#, .malformed,
    "tools[0].function.name"
  ),
  (#"\#(Chat.hello),"temperature":"hot""#, .malformed, "temperature"),
  (#"\#(Chat.hello),"max_tokens":-1"#, .malformed, "max_tokens"),
  (#"\#(Chat.hello),"stop":[1]"#, .malformed, "stop"),
  (#"\#(Chat.hello),"stop":{}"#, .malformed, "stop"),
  (#"\#(Chat.hello),"store":"yes""#, .malformed, "store"),
  (#"\#(Chat.hello),"stream_options":[]"#, .malformed, "stream_options"),
  (#"\#(Chat.hello),"tool_choice":"some""#, .malformed, "tool_choice"),
  (#"\#(Chat.hello),"tool_choice":{"type":"custom"}"#, .notCarried, "tool_choice.custom"),
  (#"\#(Chat.hello),"tool_choice":{"type":"function"}"#, .malformed, "tool_choice.function"),
  (
    #"\#(Chat.hello),"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"all","tools":[]}}"#,
    .malformed, "tool_choice.allowed_tools.mode"
  ),
  (
    #"""
    \#(Chat.hello),"tool_choice":{"type":"allowed_tools",
      "allowed_tools":{"mode":"auto","tools":[{"type":"mcp"}]}}
    """#, .notCarried, "tool_choice.allowed_tools.tools[0].type"
  ),
  (#"\#(Chat.hello),"response_format":{"type":"xml"}"#, .malformed, "response_format.type"),
  (
    #"\#(Chat.hello),"response_format":{"type":"json_schema"}"#, .malformed,
    "response_format.json_schema"
  ),
  (
    #"\#(Chat.hello),"response_format":{"type":"json_schema","json_schema":{"name":"n"}}"#,
    .malformed,
    "response_format.json_schema.schema"
  ),
  (#"\#(Chat.hello),"response_format":{"type":"grammar"}"#, .notCarried, "response_format.type"),
]

@Suite struct ChatRequestRefusalTests {
  @Test(arguments: refused)
  func `what cannot be read is refused by its place`(
    body: String, kind: TranslationFault.Kind, field: String
  ) throws {
    let body = try Chat.json("{\(body)}")
    let fault = #expect(throws: TranslationFault.self) {
      try ChatClient.read(body, model: "m", isStream: false)
    }
    #expect(fault?.kind == kind)
    #expect(fault?.field == field)
  }
}
