import Domain
import Support
import Surface
import Testing

/// An answer and what must be read of it.
struct Answer: Sendable, CustomTestStringConvertible {
  let body: String
  let expected: UsageScan
  var testDescription: String { body }

  init(
    _ body: String, _ usage: TokenUsage? = nil, isObject: Bool = true, isNull: Bool = false,
    hasError: Bool = false, isLast: Bool = false, isAnswer: Bool? = nil
  ) {
    self.body = body
    self.expected = UsageScan(
      isObject: isObject, usage: usage, usageIsNull: isNull, hasError: hasError,
      choicesAreEmpty: isLast,
      isAnswer: isAnswer ?? (isObject && body.contains("\"choices\"")))
  }
}

private let answers: [Answer] = [
  .init(
    #"{"id":"x","choices":[{"index":0}],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}"#,
    TokenUsage(input: 9, output: 3)),
  .init(
    #"{"usage":{"prompt_tokens":9,"prompt_tokens_details":{"audio_tokens":1,"cached_tokens":4},"completion_tokens":7,"completion_tokens_details":{"reasoning_tokens":5}}}"#,
    TokenUsage(input: 9, output: 7, cached: 4, reasoning: 5)),
  .init(
    #"{"object":"response","usage":{"input_tokens":8,"input_tokens_details":{"cached_tokens":2},"output_tokens":6,"output_tokens_details":{"reasoning_tokens":1}}}"#,
    TokenUsage(input: 8, output: 6, cached: 2, reasoning: 1)),
  .init(
    #"{"usage":{"input_tokens":1,"prompt_tokens":2,"output_tokens":3}}"#,
    TokenUsage(input: 2, output: 3)),
  .init(
    #"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
    TokenUsage(input: 1, output: 2), isLast: true),
  .init(#"{"choices": [ ] ,"usage":null}"#, isNull: true, isLast: true),
  .init(#"{"choices":[{"delta":{"content":"hi"}}],"usage":null}"#, isNull: true),
  .init(#"{"choices":[{"delta":{"content":"\"usage\":{\"prompt_tokens\":5}"}}]}"#),
  .init(#"{"choices":[{"usage":{"prompt_tokens":5}}],"choices2":[]}"#),
  .init(#"{"x":{"usage":{"prompt_tokens":5},"error":1,"choices":[]}}"#, isAnswer: false),
  .init(#"{"usage":{"x":{"prompt_tokens":5}}}"#, TokenUsage()),
  .init(#"{"usage":{}}"#, TokenUsage()),
  .init(#"{"usage":{"prompt_tokens_details":{"prompt_tokens":5}}}"#, TokenUsage()),
  .init(#"{"usage":[]}"#),
  .init(#"{"usage":7}"#),
  .init(#"{"us\u0061ge":{"prompt_tokens":5}}"#, TokenUsage(input: 5)),
  .init(#"{"usage":{"prompt_tokens":18446744073709551615}}"#, TokenUsage()),
  .init(#"{"usage":{"prompt_tokens":4294967296}}"#, TokenUsage(input: 4_294_967_296)),
  .init(#"{"usage":{"prompt_tokens":18446744073709551616}}"#, TokenUsage()),
  .init(#"{"usage":{"prompt_tokens":99999999999999999999999}}"#, TokenUsage()),
  .init(#"{"usage":{"prompt_tokens":1.0,"completion_tokens":1e3}}"#, TokenUsage()),
  .init(#"{"usage":{"prompt_tokens":-1,"completion_tokens":"3"}}"#, TokenUsage()),
  .init(#"{"usage":{"prompt_tokens":null,"prompt_tokens_details":null}}"#, TokenUsage()),
  .init(#"{"usage":{"prompt_tokens":-0,"completion_tokens":0}}"#, TokenUsage(output: 0)),
  .init(#"{"usage":{"prompt_tokens":1},"usage":{"completion_tokens":2}}"#, TokenUsage(output: 2)),
  .init(#"{"usage":{"prompt_tokens":1},"usage":null}"#, isNull: true),
  .init(#"{"error":{"message":"m","type":"t","param":null,"code":null}}"#, hasError: true),
  .init(#"{"error":"text"}"#, hasError: true),
  .init(#"{"error":null,"choices":[{}]}"#),
  .init(#"{"usage":{"prompt_tokens":1}"#, isObject: false),
  .init(#"{"usage":{"prompt_tokens":01}}"#, isObject: false),
  .init(#"{"usage":{"prompt_tokens":1}} x"#, isObject: false),
  .init(#"[{"usage":{"prompt_tokens":1}}]"#, isObject: false),
  .init("", isObject: false),
  .init("[DONE]", isObject: false),
]

/// A frame's data and whether it may hold a usage object.
struct Look: Sendable, CustomTestStringConvertible {
  let data: String
  let mayHold: Bool
  var testDescription: String { data }
}

private let looks: [Look] = [
  .init(data: #"{"usage":{"prompt_tokens":1}}"#, mayHold: true),
  .init(data: #"{"usage" : {}}"#, mayHold: true),
  .init(data: "{\"usage\"\n:\t{", mayHold: true),
  .init(data: #"{"a":1,"usage":null,"usage":{}}"#, mayHold: true),
  .init(data: #"{"usage":null}"#, mayHold: false),
  .init(data: #"{"content":"usage: {"}"#, mayHold: false),
  .init(data: #"{"content":"\"usage\":{"}"#, mayHold: false),
  .init(data: #"{"usages":{}}"#, mayHold: false),
  .init(data: #""u"u"us"usage"usage":{"#, mayHold: true),
  .init(data: #""usage":"#, mayHold: false),
  .init(data: #""usage""#, mayHold: false),
  .init(data: #""usag"#, mayHold: false),
  .init(data: "", mayHold: false),
]

@Suite("Usage of an answer")
struct UsageScanTests {
  @Test("the top level's usage is read, and nothing that looks like it", arguments: answers)
  func reads(_ answer: Answer) {
    let found = withBytes(Array(answer.body.utf8)) { UsageScan.scan($0) }
    #expect(found == answer.expected)
  }

  @Test("the cheap look has no false negative where the scan finds usage", arguments: answers)
  func looksAhead(_ answer: Answer) {
    let bytes = Array(answer.body.utf8)
    guard answer.expected.usage != nil, !answer.body.contains("\\u0061") else { return }
    #expect(withBytes(bytes) { UsageScan.mayHoldUsage($0) })
  }

  @Test("the cheap look finds the name before an object only", arguments: looks)
  func cheapLook(_ look: Look) {
    for shift in 0..<18 {
      let padding = String(repeating: " ", count: shift)
      let before = Array((padding + look.data).utf8)
      #expect(withBytes(before) { UsageScan.mayHoldUsage($0) } == look.mayHold, "shift \(shift)")
      let both = Array((padding + look.data + padding).utf8)
      #expect(withBytes(both) { UsageScan.mayHoldUsage($0) } == look.mayHold, "shift \(shift)")
    }
  }

  @Test("the cheap look for errors finds the name only")
  func errorLook() {
    let bytes = { (text: String) in Array(text.utf8) }
    #expect(withBytes(bytes(#"{"error":{"message":"m"}}"#)) { UsageScan.mayHoldError($0) })
    #expect(!withBytes(bytes(#"{"content":"an error: x"}"#)) { UsageScan.mayHoldError($0) })
    #expect(!withBytes(bytes(#"{"errors":1,"a":"error"}"#)) { UsageScan.mayHoldError($0) })
  }

  @Test("the cheap look is as good as a plain search", arguments: UInt64(0)..<30)
  func againstPlainSearch(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let parts = ["\"usage\"", "\"us", "age\"", ":", "{", " ", "u", "\"", "x", "error"]
    for _ in 0..<100 {
      var data = ""
      for _ in 0..<random.int(0...25) { data += parts[random.int(0...parts.count - 1)] }
      var isThere = false
      for start in data.indices where data[start...].hasPrefix("\"usage\"") {
        var rest = data[start...].dropFirst(7).drop { $0 == " " }
        guard rest.popFirst() == ":" else { continue }
        if rest.drop(while: { $0 == " " }).first == "{" { isThere = true }
      }
      let found = withBytes(Array(data.utf8)) { UsageScan.mayHoldUsage($0) }
      #expect(found == isThere, "seed \(seed): \(data)")
    }
  }
}
