import Testing

@testable import Translation

/// Something that must be refused, and how.
private struct Refusal: Sendable, CustomTestStringConvertible {
  let json: String
  let kind: TranslationFault.Kind
  let field: String
  var testDescription: String { json }

  init(_ kind: TranslationFault.Kind, _ field: String, _ json: String) {
    self.json = json
    self.kind = kind
    self.field = field
  }
}

private let refusals: [Refusal] = [
  .init(.malformed, "", "[]"),
  .init(.malformed, "input", "{}"),
  .init(.malformed, "input", #"{"input":7}"#),
  .init(.malformed, "instructions", #"{"input":"a","instructions":["x"]}"#),
  .init(.malformed, "max_output_tokens", #"{"input":"a","max_output_tokens":-1}"#),
  .init(.malformed, "temperature", #"{"input":"a","temperature":"hot"}"#),
  .init(.malformed, "tool_choice", #"{"input":"a","tool_choice":"any"}"#),
  .init(
    .malformed, "tool_choice.mode",
    #"{"input":"a","tool_choice":{"type":"allowed_tools","mode":"x","tools":[]}}"#),
  .init(
    .notCarried, "tool_choice.type", #"{"input":"a","tool_choice":{"type":"web_search_preview"}}"#),
  .init(
    .notCarried, "tool_choice.tools[0].type",
    #"{"input":"a","tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"mcp"}]}}"#),
  .init(
    .notCarried, "tools[1].type",
    #"{"input":"a","tools":[{"type":"function","name":"f"},{"type":"web_search"}]}"#),
  .init(.notCarried, "tools[0].type", #"{"input":"a","tools":[{"type":"custom","name":"f"}]}"#),
  .init(
    .notCarried, "tools[0].async",
    #"{"input":"a","tools":[{"type":"function","name":"f","async":true}]}"#),
  .init(
    .notCarried, "tools[0].defer_loading",
    #"{"input":"a","tools":[{"type":"function","name":"f","defer_loading":true}]}"#),
  .init(
    .notCarried, "tools[0].allowed_callers",
    #"{"input":"a","tools":[{"type":"function","name":"f","allowed_callers":["programmatic"]}]}"#),
  .init(
    .notCarried, "tools[0].output_schema",
    #"{"input":"a","tools":[{"type":"function","name":"f","output_schema":{}}]}"#),
  .init(
    .malformed, "tools[0].name",
    #"{"input":"a","tools":[{"type":"function","function":{"name":"f"}}]}"#),
  .init(
    .malformed, "tools[0].parameters",
    #"{"input":"a","tools":[{"type":"function","name":"f","parameters":"x"}]}"#),
  .init(.malformed, "include[0]", #"{"input":"a","include":[1]}"#),
  .init(.malformed, "metadata", #"{"input":"a","metadata":"x"}"#),
  .init(.notCarried, "text.format.type", #"{"input":"a","text":{"format":{"type":"grammar"}}}"#),
  .init(
    .malformed, "text.format.schema",
    #"{"input":"a","text":{"format":{"type":"json_schema","name":"n"}}}"#),
  .init(.malformed, "input[0].role", #"{"input":[{"content":"x"}]}"#),
  .init(.malformed, "input[0].role", #"{"input":[{"role":"tool","content":"x"}]}"#),
  .init(.malformed, "input[0].content", #"{"input":[{"role":"user"}]}"#),
  .init(.malformed, "input[0].content", #"{"input":[{"role":"user","content":{}}]}"#),
  .init(.notCarried, "input[0].weight", #"{"input":[{"role":"user","content":"x","weight":1}]}"#),
  .init(.malformed, "input[0].content[0].type", #"{"input":[{"role":"user","content":[{}]}]}"#),
  .init(
    .malformed, "input[0].content[0].text",
    #"{"input":[{"role":"user","content":[{"type":"input_text"}]}]}"#),
  .init(
    .notCarried, "input[0].content[0].type",
    #"{"input":[{"role":"user","content":[{"type":"input_video"}]}]}"#),
  .init(
    .malformed, "input[0].content[0].image_url",
    #"{"input":[{"role":"user","content":[{"type":"input_image"}]}]}"#),
  .init(
    .malformed, "input[0].content[0].image_url",
    #"{"input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png,raw"}]}]}"#
  ),
  .init(
    .malformed, "input[0].content[0].file_data",
    #"{"input":[{"role":"user","content":[{"type":"input_file","file_data":"data:text/plain,raw"}]}]}"#
  ),
  .init(
    .malformed, "input[0].content[0].input_audio",
    #"{"input":[{"role":"user","content":[{"type":"input_audio"}]}]}"#),
  .init(
    .malformed, "input[0].call_id",
    #"{"input":[{"type":"function_call","name":"f","arguments":"{}"}]}"#),
  .init(
    .malformed, "input[0].arguments",
    #"{"input":[{"type":"function_call","call_id":"c","name":"f","arguments":{}}]}"#),
  .init(
    .notCarried, "input[0].namespace",
    #"{"input":[{"type":"function_call","call_id":"c","name":"f","arguments":"{}","namespace":"n"}]}"#
  ),
  .init(
    .notCarried, "input[0].async",
    #"{"input":[{"type":"function_call","call_id":"c","name":"f","arguments":"{}","async":true}]}"#),
  .init(
    .notCarried, "input[0].caller.type",
    #"{"input":[{"type":"function_call","call_id":"c","name":"f","arguments":"{}","caller":{"type":"program","caller_id":"p"}}]}"#
  ),
  .init(
    .malformed, "input[0].output", #"{"input":[{"type":"function_call_output","call_id":"c"}]}"#),
  .init(.stateBound, "input[0].id", #"{"input":[{"type":"item_reference","id":"msg_1"}]}"#),
  .init(.stateBound, "input[0].id", #"{"input":[{"id":"msg_1"}]}"#),
  .init(.stateBound, "input[0].id", #"{"input":[{"type":"reasoning","id":"rs_1","summary":[]}]}"#),
  .init(
    .stateBound, "input[0].encrypted_content",
    #"{"input":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAAAB"}]}"#),
  .init(
    .stateBound, "input[0].encrypted_content",
    #"{"input":[{"type":"compaction","encrypted_content":"gAAAAB"}]}"#),
  .init(.notCarried, "input[0].type", #"{"input":[{"type":"web_search_call","id":"ws_1"}]}"#),
  .init(
    .notCarried, "input[0].type",
    #"{"input":[{"type":"custom_tool_call","call_id":"c","name":"f","input":"x"}]}"#),
  .init(
    .notCarried, "input[0].summary[0].type",
    #"{"input":[{"type":"reasoning","summary":[{"type":"x","text":"t"}]}]}"#),
  .init(.stateBound, "previous_response_id", #"{"previous_response_id":"resp_1"}"#),
  .init(.notCarried, "frob", #"{"input":"a","frob":1}"#),
  .init(.notCarried, "reasoning.mode", #"{"input":"a","reasoning":{"mode":"pro"}}"#),
]

@Suite struct ResponsesRequestFaultTests {
  /// Refused by the reader, or through a setting by every writer: here by that of Responses itself.
  @Test("what cannot be carried is named", arguments: refusals)
  fileprivate func whatCannotBeCarriedIs(refusal: Refusal) throws {
    let fault = try Responses.fault(refusal.json, by: ResponsesProvider.write)
    #expect(fault?.kind == refusal.kind)
    #expect(fault?.field == refusal.field)
    #expect(fault?.message.contains("gAAAAB") == false)
  }
}
