import Surface
import Testing

@testable import Translation

/// A request that cannot be read, or not be carried to any other protocol.
struct MessagesFault: Sendable, CustomTestStringConvertible {
  let body: String
  let kind: TranslationFault.Kind
  let field: String
  var testDescription: String { body }

  init(_ body: String, _ kind: TranslationFault.Kind, _ field: String) {
    self.body = body
    self.kind = kind
    self.field = field
  }

  /// A fault in the first block of a user's message.
  init(block: String, _ kind: TranslationFault.Kind, _ field: String) {
    self.init(
      #""messages":[{"role":"user","content":[\#(block)]}]"#, kind, "messages[0].content[0]" + field
    )
  }

  /// A fault in the first tool.
  init(tool: String, _ kind: TranslationFault.Kind, _ field: String) {
    self.init(#""tools":[\#(tool)]"#, kind, "tools[0]" + field)
  }
}

private let faults: [MessagesFault] = [
  .init(#""temperature":"hot""#, .malformed, "temperature"),
  .init(#""top_k":[]"#, .malformed, "top_k"),
  .init(#""stop_sequences":"x""#, .malformed, "stop_sequences"),
  .init(#""stop_sequences":[1]"#, .malformed, "stop_sequences"),
  .init(#""metadata":"x""#, .malformed, "metadata"),
  .init(#""metadata":{"user_id":7}"#, .malformed, "metadata.user_id"),
  .init(#""service_tier":1"#, .malformed, "service_tier"),
  .init(#""thinking":{"type":"enabled"}"#, .malformed, "thinking.budget_tokens"),
  .init(#""thinking":{"type":"enabled","budget_tokens":-1}"#, .malformed, "thinking.budget_tokens"),
  .init(#""thinking":{"budget_tokens":1}"#, .malformed, "thinking.type"),
  .init(#""thinking":{"type":"between_tools"}"#, .notCarried, "thinking.type"),
  .init(#""thinking":{"type":"adaptive","display":"raw"}"#, .notCarried, "thinking.display"),
  .init(#""output_config":[]"#, .malformed, "output_config"),
  .init(#""output_config":{"effort":3}"#, .malformed, "output_config.effort"),
  .init(#""output_config":{"format":{"type":"yaml"}}"#, .notCarried, "output_config.format.type"),
  .init(
    #""output_config":{"format":{"type":"json_schema"}}"#, .malformed,
    "output_config.format.schema"),
  .init(
    #""output_config":{"format":{"type":"json_schema","schema":1}}"#, .malformed,
    "output_config.format.schema"),
  .init(#""tool_choice":"auto""#, .malformed, "tool_choice"),
  .init(#""tool_choice":{"type":"some"}"#, .malformed, "tool_choice.type"),
  .init(#""tool_choice":{"type":"tool"}"#, .malformed, "tool_choice.name"),
  .init(#""tool_choice":{"type":"auto","x":1}"#, .notCarried, "tool_choice.x"),
  .init(#""cache_control":{"type":"eternal"}"#, .malformed, "cache_control.type"),
  .init(#""system":7"#, .malformed, "system"),
  .init(
    #""system":[{"type":"image","source":{"type":"url","url":"u"}}]"#, .notCarried,
    "system[0].type"),
  .init(#""messages":{}"#, .malformed, "messages"),
  .init(#""messages":[1]"#, .malformed, "messages[0]"),
  .init(#""messages":[{"content":"x"}]"#, .malformed, "messages[0].role"),
  .init(#""messages":[{"role":"tool","content":"x"}]"#, .malformed, "messages[0].role"),
  .init(#""messages":[{"role":"user"}]"#, .malformed, "messages[0].content"),
  .init(#""messages":[{"role":"user","content":7}]"#, .malformed, "messages[0].content"),
  .init(
    #""messages":[{"role":"user","content":"x","effort":"low"}]"#, .notCarried,
    "messages[0].effort"),
  // What an assistant began, only Anthropic's models go on with.
  .init(
    #""messages":[{"role":"user","content":"x"},{"role":"assistant","content":"("}]"#, .notCarried,
    "messages[1]"),
  .init(block: "7", .malformed, ""),
  .init(block: #"{"text":"x"}"#, .malformed, ".type"),
  .init(block: #"{"type":"text"}"#, .malformed, ".text"),
  .init(block: #"{"type":"text","text":"x","later":1}"#, .notCarried, ".later"),
  .init(
    block: #"{"type":"text","text":"x","citations":[{"type":"char_location"}]}"#, .notCarried,
    ".citations"),
  .init(block: #"{"type":"image"}"#, .malformed, ".source"),
  .init(
    block: #"{"type":"image","source":{"type":"base64","data":"x"}}"#, .malformed,
    ".source.media_type"),
  .init(block: #"{"type":"image","source":{"type":"tape"}}"#, .notCarried, ".source.type"),
  .init(
    block:
      #"{"type":"image","source":{"type":"url","url":"u"},"transformations":{"oversized_image":"error"}}"#,
    .notCarried, ".transformations"),
  .init(
    block: #"{"type":"document","source":{"type":"content","content":[]}}"#, .notCarried,
    ".source.content"),
  .init(
    block: #"{"type":"document","context":"c","source":{"type":"url","url":"u"}}"#, .notCarried,
    ".context"),
  .init(
    block:
      #"{"type":"document","citations":{"enabled":true},"source":{"type":"url","url":"u"}}"#,
    .notCarried, ".citations.enabled"),
  .init(block: #"{"type":"search_result","content":[]}"#, .notCarried, ".type"),
  .init(block: #"{"type":"container_upload","file_id":"f"}"#, .stateBound, ".file_id"),
  .init(block: #"{"type":"server_tool_use","id":"s"}"#, .notCarried, ".type"),
  .init(block: #"{"type":"web_search_tool_result"}"#, .notCarried, ".type"),
  .init(block: #"{"type":"tool_use","id":"i","name":"n"}"#, .malformed, ".input"),
  .init(block: #"{"type":"tool_use","id":"i","name":"n","input":"{}"}"#, .malformed, ".input"),
  .init(
    block:
      #"{"type":"tool_use","id":"i","name":"n","input":{},"caller":{"type":"code_execution_20260120","tool_id":"t"}}"#,
    .notCarried, ".caller.type"),
  .init(
    block: #"{"type":"tool_use","id":"i","name":"n","input":{},"toolset_name":"browser"}"#,
    .notCarried, ".toolset_name"),
  .init(block: #"{"type":"tool_result"}"#, .malformed, ".tool_use_id"),
  .init(block: #"{"type":"tool_result","tool_use_id":"i","content":1}"#, .malformed, ".content"),
  .init(
    block: #"{"type":"tool_result","tool_use_id":"i","content":[{"type":"tool_reference"}]}"#,
    .notCarried, ".content[0].type"),
  .init(
    block: #"{"type":"tool_result","tool_use_id":"i","is_error":"no"}"#, .malformed, ".is_error"),
  .init(#""tools":{}"#, .malformed, "tools"),
  .init(tool: #"{"input_schema":{}}"#, .malformed, ".name"),
  .init(tool: #"{"name":"n"}"#, .malformed, ".input_schema"),
  .init(tool: #"{"name":"n","input_schema":[]}"#, .malformed, ".input_schema"),
  .init(tool: #"{"name":"n","input_schema":{},"strict":1}"#, .malformed, ".strict"),
  .init(tool: #"{"type":"web_search_20250305","name":"web_search"}"#, .notCarried, ".type"),
  .init(tool: #"{"type":"bash_20250124","name":"bash"}"#, .notCarried, ".type"),
  .init(
    tool: #"{"name":"n","input_schema":{},"defer_loading":true}"#, .notCarried, ".defer_loading"),
  .init(
    tool: #"{"name":"n","input_schema":{},"allowed_callers":["code_execution_20250825"]}"#,
    .notCarried, ".allowed_callers"),
  .init(
    tool: #"{"name":"n","input_schema":{},"input_examples":[{}]}"#, .notCarried, ".input_examples"),
]

@Suite struct MessagesRequestFaultTests {
  @Test(arguments: faults)
  func `a request's fault names the place as the client wrote it`(_ row: MessagesFault) {
    do {
      let conversation = try MessagesSupport.read(row.body)
      Issue.record("read as \(conversation)")
    } catch let fault as TranslationFault {
      #expect(fault.kind == row.kind)
      #expect(fault.field == row.field)
      #expect(fault.message.contains(row.field))
    } catch {
      Issue.record(error)
    }
  }

  @Test(arguments: [
    (#"{"messages":[]}"#, "max_tokens"), (#"{"max_tokens":1}"#, "messages"),
    (#"{"max_tokens":1.5,"messages":[]}"#, "max_tokens"),
    (#"{"max_tokens":null,"messages":[]}"#, "max_tokens"),
  ])
  func `what Anthropic demands is demanded`(body: String, field: String) throws {
    let body = try MessagesSupport.json(body)
    let fault = #expect(throws: TranslationFault.self) {
      try MessagesClient.read(body, model: "m", isStream: false)
    }
    #expect(fault?.kind == .malformed)
    #expect(fault?.field == field)
  }

  @Test func `no fault repeats a value`() {
    for row in faults {
      let secret = row.body.replacing(#":"x""#, with: #":"s3cret""#)
      guard case .failure(let fault) = Result(catching: { try MessagesSupport.read(secret) }) else {
        continue
      }
      #expect(!"\(fault)".contains("s3cret"))
    }
  }
}
