import Domain
import Support
import Surface
import Testing

/// A request body that must be refused, and how.
struct RefusedBody: Sendable, CustomTestStringConvertible {
  let body: String
  let kind: JSONFault.Kind
  let field: String?
  let offset: Int
  var testDescription: String { String(body.prefix(60)) }

  init(_ body: String, _ kind: JSONFault.Kind, _ field: String?, at offset: Int) {
    self.body = body
    self.kind = kind
    self.field = field
    self.offset = offset
  }
}

private let refused: [RefusedBody] = [
  .init("", .syntax, nil, at: 0),
  .init("[]", .invalidField, nil, at: 0),
  .init("\"model\"", .invalidField, nil, at: 0),
  .init("{}", .missingField, "model", at: 1),
  .init(#"{"messages":[]}"#, .missingField, "model", at: 14),
  .init(#"{"x":{"model":"a"}}"#, .missingField, "model", at: 18),
  .init(#"{"Model":"a"}"#, .missingField, "model", at: 12),
  .init(#"{"model":1}"#, .invalidField, "model", at: 9),
  .init(#"{"model":null}"#, .invalidField, "model", at: 9),
  .init(#"{"model":["a"]}"#, .invalidField, "model", at: 9),
  .init(#"{"model":{"model":"a"}}"#, .invalidField, "model", at: 9),
  .init(#"{"model":""}"#, .invalidField, "model", at: 9),
  .init(#"{"model":"\ud800"}"#, .invalidField, "model", at: 9),
  .init(#"{"model":"\#(String(repeating: "a", count: 257))"}"#, .invalidField, "model", at: 9),
  .init(#"{"model":"a","model":"a"}"#, .duplicateField, "model", at: 13),
  .init(#"{"model":"a","model":"b"}"#, .duplicateField, "model", at: 13),
  .init(#"{"model":"a","mod\u0065l":"b"}"#, .duplicateField, "model", at: 13),
  .init(#"{"\u006D\u006F\u0064\u0065\u006c":"a","model":"b"}"#, .duplicateField, "model", at: 38),
  .init(#"{"mod\u0065l":"a","m\u006fdel":"b"}"#, .duplicateField, "model", at: 18),
  .init(#"{"model":"a","messages":[],"messages":[]}"#, .duplicateField, "messages", at: 27),
  .init(#"{"model":"a","stream":true,"stream":false}"#, .duplicateField, "stream", at: 27),
  .init(
    #"{"model":"a","stream_options":{},"stream_options":{}}"#, .duplicateField, "stream_options",
    at: 33),
  .init(#"{"secret":1,"model":"a","secret":2}"#, .duplicateField, nil, at: 24),
  .init(#"{"\ud800":1,"model":"a","\uD800":2}"#, .duplicateField, nil, at: 24),
  .init(#"{"model":"a","stream":1}"#, .invalidField, "stream", at: 22),
  .init(#"{"model":"a","stream":"true"}"#, .invalidField, "stream", at: 22),
  .init(#"{"model":"a","stream":[]}"#, .invalidField, "stream", at: 22),
  .init(#"{"model":"a","stream_options":true}"#, .invalidField, "stream_options", at: 30),
  .init(#"{"model":"a","stream_options":[]}"#, .invalidField, "stream_options", at: 30),
  .init(
    #"{"model":"a","stream_options":{"include_usage":1}}"#, .invalidField,
    "stream_options.include_usage", at: 47),
  .init(
    #"{"model":"a","stream_options":{"include_usage":true,"include_usag\u0065":false}}"#,
    .duplicateField, "stream_options.include_usage", at: 52),
  .init(#"{"model":"a"} {"model":"b"}"#, .syntax, nil, at: 14),
  .init(#"{"model":"a",}"#, .syntax, nil, at: 13),
  .init(#"{"model":"a" "x":1}"#, .syntax, nil, at: 13),
  .init("\u{FEFF}{\"model\":\"a\"}", .syntax, nil, at: 0),
  .init(
    #"{"model":"a","x":"# + String(repeating: "[", count: 128) + "]", .syntax, nil, at: 17 + 127),
  .init(#"{"model":"a",""# + String(repeating: "k", count: 257) + #"":1}"#, .syntax, nil, at: 13),
]

@Suite("Scan of a chat request")
struct RequestScanTests {
  @Test("a bad body is refused by kind, field and place", arguments: refused)
  func refuses(_ example: RefusedBody) {
    let fault = scan(example.body).failure
    #expect(fault?.kind == example.kind)
    #expect(fault?.field == example.field)
    #expect(fault?.offset == example.offset)
  }

  @Test("a fault repeats no byte of the body", arguments: refused)
  func tellsNothing(_ example: RefusedBody) {
    #expect(scan(example.body).failure?.message.contains("secret") == false)
  }

  @Test("the top level is noted with its ranges")
  func notes() throws {
    let body =
      #" { "messages" : [{"model":"no","stream":true}], "model" : "mock\/g\u0070t","stream":true, "stream_options":{"x":1,"include_usage": false } } "#
    let bytes = Array(body.utf8)
    let found = try scan(bytes).get()
    #expect(found.model == "mock/gpt")
    #expect(text(bytes[found.modelRange]) == #""mock\/g\u0070t""#)
    #expect(found.stream)
    #expect(found.includeUsage == false)
    #expect(found.streamOptionsRange.map { text(bytes[$0]) } == #"{"x":1,"include_usage": false }"#)
    #expect(text(bytes[..<found.insertionPoint]) == " {")
  }

  @Test("absent and null options are not the same as given ones")
  func absence() throws {
    let plain = try scan(#"{"model":"a"}"#).get()
    #expect(!plain.stream && plain.includeUsage == nil && plain.streamOptions == .absent)
    let null = try scan(#"{"model":"a","stream":null,"stream_options":null}"#).get()
    #expect(!null.stream && null.streamOptions == .null(44..<48))
    let empty = try scan(#"{"model":"a","stream":false,"stream_options":{ }}"#).get()
    #expect(empty.streamOptions == .object(45..<48, isEmpty: true, includeUsage: nil))
  }

  @Test("what bounds an answer is read as the provider may read it, and never as less")
  func bounds() throws {
    let rows: [(String, UInt64?)] = [
      ("1", 1), ("4096", 4096), ("18446744073709551615", .max), ("18446744073709551616", .max),
      ("1e30", .max), ("1e3", 1000), ("2.5", 3), ("2.0", 2), ("0.1", 1), ("1e-9", 1),
      ("1e999", .max),
      (#""100""#, 100), (#"" 1_000 ""#, 1000), (#""\u0031\u0030""#, 10), (#""1e2""#, 100),
      ("0", nil), ("0.0", nil), ("-1", nil), ("-1e30", nil), ("null", nil), ("true", nil),
      (#""""#, nil), (#""many""#, nil), (#""nan""#, nil), ("[1]", nil), (#"{"a":1}"#, nil),
    ]
    for (text, bound) in rows {
      for name in ["max_tokens", "max_completion_tokens", "n"] {
        let found = try scan(#"{"model":"a","\#(name)":\#(text)}"#).get()
        #expect((name == "n" ? found.answers : found.maxTokens) == bound, "\(name): \(text)")
      }
    }
    let both = try scan(#"{"model":"a","max_tokens":"7","max_completion_tokens":5}"#).get()
    #expect(both.maxTokens == 7)
  }

  @Test("each dialect's own fields bound its answers, and name its session")
  func dialects() throws {
    let rows: [(Dialect, String, max: UInt64?, answers: UInt64?, session: String?)] = [
      (.completions, #""max_tokens":9,"n":2,"best_of":3"#, 9, 3, nil),
      (.embeddings, #""input":["a"],"max_tokens":9"#, 0, nil, nil),
      (.responses, #""max_output_tokens":7,"n":4,"prompt_cache_key":"s""#, 7, nil, #""s""#),
      (
        .messages, #""max_tokens":5,"metadata":{"a":[{}],"user_id":"u","b":1}"#, 5, nil, #""u""#
      ),
      (.messages, #""metadata":["user_id"]"#, nil, nil, nil),
      (.messages, #""metadata":{"user_id":null}"#, nil, nil, nil),
      (.chat, #""metadata":{"user_id":"u"}"#, nil, nil, nil),
      (.countTokens, #""system":"x""#, 0, nil, nil),
      (.inference, #""payload":"x","parameters":{"top_p":1,"max_tokens":3}"#, 3, nil, nil),
      (.inference, #""payload":"x","parameters":null,"max_tokens":"4""#, 4, nil, nil),
    ]
    for row in rows {
      let body = Array(#"{"model":"a",\#(row.1)}"#.utf8)
      let found = try withBytes(body) { try RequestScan.scan($0, as: row.0).get() }
      #expect(found.maxTokens == row.max, "\(row.1)")
      #expect(found.answers == row.answers, "\(row.1)")
      #expect(found.session.map { text(body[$0]) } == row.session, "\(row.1)")
    }
  }

  @Test("what a Responses request refers to is found, what tells most first")
  func references() throws {
    let thought =
      #"{"type":"reasoning","id":"rs_1","encrypted_content":"e","summary":[{"id":"no"}]}"#
    let rows: [(String, [String])] = [
      (#""previous_response_id":"r\u0031""#, ["previous_response_id r1"]),
      (#""previous_response_id":null"#, []), (#""previous_response_id":7"#, []),
      (#""conversation":"c1""#, ["conversation c1"]),
      (#""conversation":{"x":1,"id":"c1"}"#, ["conversation c1"]),
      (#""conversation":{"id":[]}"#, []),
      (#""input":[]"#, []), (#""input":"rs_1""#, []),
      (#""input":[1,[{"id":"x"}],\#(thought), {"role":"user"} ]"#, ["input rs_1"]),
      (#""input":[{"type":"reasoning","id":"rs_1","encrypted_content":null}]"#, ["input rs_1"]),
      (#""input":[{"type":"reasoning","id":"rs_1","summary":[]}]"#, ["input rs_1"]),
      (#""input":[{"type":"reasoning","id":"rs_1","content":[]}]"#, ["input rs_1"]),
      // Its words are all there.
      (#""input":[{"type":"reasoning","id":"rs_1","content":[{"text":"hm"}]}]"#, []),
      (
        #""input":[{"type":"reasoning","content":[{"text":"hm"}],"id":"a","encrypted_content":"e"}]"#,
        ["input a"]
      ),
      (#""input":[{"type":"message","id":"rs_1","encrypted_content":"e"}]"#, []),
      (#""input":[{"type":"message","id":"m1","content":[]}]"#, []),
      (#""input":[{"id":"m1","role":"user","content":"a"}]"#, []),
      (#""input":[{"id":"m1","role":"user","content":[{"type":"x"}]}]"#, []),
      (
        #""input":[{"type":"item_reference","id":"a"},{"id":"b"},{"type":null,"id":"c"},{"id":7}]"#,
        ["input c", "input b", "input a"]
      ),
      (#""input":[{"type":"compaction","id":"cmp","encrypted_content":"e"}]"#, ["input cmp"]),
      // What another maker's model thought, in our own envelope.
      (
        #""input":[{"type":"reasoning","id":"rs_1","encrypted_content":"signalbox.thinking:x"}]"#,
        []
      ),
      (
        #""input":[\#(thought),{"type":"reasoning","id":"b","encrypted_content":"signal\u0062ox.call:"}]"#,
        ["input rs_1"]
      ),
      (
        #""input":[\#(thought)],"conversation":"c","previous_response_id":"r1""#,
        ["previous_response_id r1", "conversation c", "input rs_1"]
      ),
    ]
    for (fields, wanted) in rows {
      #expect(try named(.responses, fields) == wanted, "\(fields)")
    }
    #expect(try named(.chat, #""previous_response_id":"r1","input":[{"id":"a"}]"#) == [])
    let many = (1...40).map { #"{"id":"i\#($0)"}"# }.joined(separator: ",")
    let found = try named(.responses, #""input":[\#(many)]"#)
    #expect(found == (25...40).reversed().map { "input i\($0)" })
  }

  @Test("files are found where a protocol has them, the last one first, each once")
  func files() throws {
    let part = { (id: String) in #"{"type":"input_file","file_id":"\#(id)"}"# }
    let rows: [(Dialect, String, [String])] = [
      (
        .responses,
        #""input":[{"role":"user","content":[\#(part("a")),{"file_id":"b","type":"input_image"}]},{"type":"function_call_output","call_id":"c","output":[\#(part("a"))]}]"#,
        ["input a", "input b"]
      ),
      (
        .responses,
        #""previous_response_id":"r","input":[{"id":"i"},{"content":[\#(part("a"))]}]"#,
        ["previous_response_id r", "input i", "input a"]
      ),
      (.responses, #""metadata":{"type":"input_file","file_id":"a"}"#, []),
      (.responses, #""input":[{"type":"input_text","file_id":"a"}]"#, []),
      (
        .chat,
        #""messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"a","filename":"x"}},{"type":"text","text":"\"file_id\":\"no\""}]}]"#,
        ["messages a"]
      ),
      (.chat, #""messages":[{"content":[{"type":"file","file":{"file_data":"x"}}]}]"#, []),
      (.chat, #""messages":[{"content":[{"file_id":"a"}]}],"tools":{"file":{"file_id":"b"}}"#, []),
      (
        .messages,
        #""messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"a"}},{"type":"tool_use","input":{"type":"file","file_id":"no"}},{"type":"tool_result","content":[{"type":"image","source":{"type":"file","file_id":"b"}}]}]}]"#,
        ["messages b", "messages a"]
      ),
      (.embeddings, #""input":[{"type":"input_file","file_id":"a"}]"#, []),
    ]
    for (dialect, fields, wanted) in rows {
      #expect(try named(dialect, fields) == wanted, "\(dialect): \(fields)")
    }
  }

  /// Field and id of what a request refers to.
  private func named(_ dialect: Dialect, _ fields: String) throws -> [String] {
    let body = Array(#"{"model":"a",\#(fields)}"#.utf8)
    return try withBytes(body) { bytes in
      try RequestScan.scan(bytes, as: dialect).get().references.map {
        "\($0.field) \(StoredIDs.text(bytes, $0.id) ?? "?")"
      }
    }
  }

  @Test("a broken input is told as such")
  func brokenInput() {
    for broken in [#"[1,]"#, "[", "[1 2]", #"[{"id":}]"#, "[}"] {
      let body = Array(#"{"model":"a","input":\#(broken)}"#.utf8)
      let fault = withBytes(body) { RequestScan.scan($0, as: .responses) }.failure
      #expect(fault?.kind == .syntax, "\(broken)")
    }
  }

  @Test("what an answer stores is told: itself, its last thought, and its last other items")
  func storedIDs() {
    let items = (1...9).map { #"{"id":"m\#($0)","type":"message"}"# }
    let rows: [(String, [String])] = [
      (#"{"id":"r1","output":[{"id":"m1","type":"message"}]}"#, ["r1", "m1"]),
      (#"{"metadata":{"id":"no"},"id":"r1"}"#, ["r1"]),
      (
        #"{"type":"response.completed","response":{"output":[{"type":"reasoning","id":"a","encrypted_content":"x"},{"id":"b","type":"reasoning"},{"id":"c","type":"function_call"},{"type":"x"}],"id":"r1"}}"#,
        ["r1", "b", "c", "a"]
      ),
      (
        #"{"id":"r1","output":[{"id":"t","type":"reasoning"},\#(items.joined(separator: ","))]}"#,
        ["r1", "t", "m9", "m8", "m7"]
      ),
      (#"{"id":7}"#, []), (#"{"id":""}"#, []), ("[]", []), ("", []), (#"{"id":"r1""#, []),
    ]
    for (text, ids) in rows {
      #expect(withBytes(Array(text.utf8)) { StoredIDs.ids(in: $0) } == ids, "\(text)")
    }
  }

  @Test("a usage option is looked for only where the dialect has one", arguments: Dialect.allCases)
  func usageOption(_ dialect: Dialect) throws {
    let body = Array(#"{"model":"a","stream":true,"stream_options":{"include_usage":1}}"#.utf8)
    let found = withBytes(body) { RequestScan.scan($0, as: dialect) }
    if dialect == .chat || dialect == .completions {
      #expect(found.failure?.field == "stream_options.include_usage")
    } else {
      #expect(try found.get().streamOptions == .absent)
    }
  }

  @Test("a Gemini request's model and stream are the path's, and its body goes on as it is")
  func gemini() throws {
    let body = Array(
      #"{"contents":[],"stream":7,"model":5,"generationConfig":{"stopSequences":["x"],"maxOutputTokens":12,"candidateCount":2}}"#
        .utf8)
    let call = try #require(GeminiCall(path: "/v1beta/models/g/x%20y:streamGenerateContent"))
    #expect(call == GeminiCall(model: "g/x y", isStream: true))
    try withBytes(body) { bytes in
      let found = try RequestScan.scan(bytes, as: .gemini, call: call).get()
      #expect(found.model == "g/x y" && found.stream && found.modelRange.isEmpty)
      #expect(found.maxTokens == 12 && found.answers == 2)
      #expect(found.rewritten(bytes, model: "other", includeUsage: false) == body)
    }
    let old = Array(#"{"generation_config":{"max_output_tokens":"3"},"contents":[]}"#.utf8)
    let found = try withBytes(old) { try RequestScan.scan($0, as: .gemini, call: call).get() }
    #expect(found.maxTokens == 3)
    let twice = Array(#"{"contents":[],"contents":[]}"#.utf8)
    let fault = withBytes(twice) { RequestScan.scan($0, as: .gemini, call: call) }.failure
    #expect(fault?.kind == .duplicateField && fault?.field == "contents")
  }

  @Test("what is no path of a Gemini call is none")
  func geminiPaths() {
    #expect(GeminiCall(path: "/v1/models/a:generateContent")?.isStream == false)
    // Some clients escape every colon.
    let escaped = GeminiCall(path: "/v1beta/models/x%2Fy%3Az%3astreamGenerateContent")
    #expect(escaped == GeminiCall(model: "x/y:z", isStream: true))
    #expect(ErrorShape(path: "/v1/models/x%3AgenerateContent") == .google)
    for path in [
      "/v1beta/models/a", "/v1beta/models/:generateContent", "/v1beta/models/a:countTokens",
      "/v1beta/models/a:generateContent/", "/v2/models/a:generateContent",
      "/v1beta/models/a%zz:generateContent", "/v1beta/models/a%00:generateContent",
      "/v1beta/models/\(String(repeating: "a", count: 257)):generateContent",
      "/v1beta/models/a%FF:generateContent",
    ] {
      #expect(GeminiCall(path: path) == nil, "\(path)")
    }
  }

  @Test("a model may have 1 to 256 bytes after unescaping")
  func modelLengths() throws {
    let longest = String(repeating: "\\u0061", count: 256)
    #expect(try scan(#"{"model":"\#(longest)"}"#).get().model.utf8.count == 256)
    #expect(scan(#"{"model":"\#(longest)b"}"#).failure?.field == "model")
    #expect(try scan(#"{"model":"\ud83d\ude00ö"}"#).get().model == "😀ö")
  }

  @Test("1,024 members pass and one more does not; a repeat is found behind any of them")
  func manyMembers() {
    func body(_ count: Int, _ extra: String = "") -> String {
      #"{"model":"a""# + (1..<count).map { ",\"k\($0)\":\($0)" }.joined() + extra + "}"
    }
    #expect(throws: Never.self) { try scan(body(1024)).get() }
    #expect(scan(body(1025)).failure?.kind == .syntax)
    for repeated in ["k1", "k63", "k64", "k65", "k999", "model"] {
      let fault = scan(body(1000, #","\#(repeated)":0"#)).failure
      #expect(fault?.kind == .duplicateField)
      #expect(fault?.field == (repeated == "model" ? "model" : nil))
    }
  }

  @Test("every name that a fault may tell is told when it repeats")
  func knownNames() {
    for name in ["tools", "temperature", "max_tokens", "user", "n", "response_format"] {
      let fault = scan(#"{"model":"a","\#(name)":1,"\#(name)":2}"#).failure
      #expect(fault?.field == name)
    }
  }

  @Test("generated requests are scanned as they were made", arguments: UInt64(0)..<150)
  func generated(_ seed: UInt64) {
    var generator = JSONGenerator(seed: seed)
    for _ in 0..<5 {
      let body = generator.chatRequest()
      #expect(throws: Never.self, "seed \(seed): \(body)") { try scan(body).get() }
    }
  }

  @Test(
    "a changed byte never traps, and never passes as anything but JSON", arguments: UInt64(0)..<60)
  func mutated(_ seed: UInt64) {
    var generator = JSONGenerator(seed: seed)
    let body = Array(generator.chatRequest().utf8)
    for _ in 0..<60 {
      var mutant = body
      mutant[generator.random.int(0...body.count - 1)] = UInt8.random(
        in: 0...255, using: &generator.random)
      if case .success(let found) = scan(mutant) {
        #expect(ReferenceJSON.isValid(mutant), "seed \(seed)")
        #expect(mutant[found.modelRange.lowerBound] == UInt8(ascii: "\""), "seed \(seed)")
      }
    }
  }
}
