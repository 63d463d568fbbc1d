import Domain
import Support
import Surface
import Testing

/// A body before and after.
struct Rewrite: Sendable, CustomTestStringConvertible {
  let before: String
  let model: String
  let includeUsage: Bool
  let after: String
  var testDescription: String { before }

  init(_ before: String, _ model: String, usage: Bool, _ after: String) {
    self.before = before
    self.model = model
    self.includeUsage = usage
    self.after = after
  }
}

private let table: [Rewrite] = [
  .init(#"{"model":"a"}"#, "b", usage: false, #"{"model":"b"}"#),
  .init(#"{"model":"a"}"#, "a", usage: false, #"{"model":"a"}"#),
  .init(#"{"model":"\u0061"}"#, "a", usage: false, #"{"model":"\u0061"}"#),
  .init(#"{"model":"a"}"#, "q\"\\\n", usage: false, #"{"model":"q\"\\\n"}"#),
  .init(
    #" { "model" : "a" } "#, "b", usage: true,
    #" {"stream_options":{"include_usage":true}, "model" : "b" } "#),
  .init(
    #"{"stream_options":null,"model":"a"}"#, "b", usage: true,
    #"{"stream_options":{"include_usage":true},"model":"b"}"#),
  .init(
    #"{"stream_options":{},"model":"a"}"#, "b", usage: true,
    #"{"stream_options":{"include_usage":true},"model":"b"}"#),
  .init(
    #"{"model":"a","stream_options": { "x" : 1 }}"#, "b", usage: true,
    #"{"model":"b","stream_options": {"include_usage":true, "x" : 1 }}"#),
  .init(
    #"{"model":"a","stream_options":{"x":1,"include_usage": false}}"#, "b", usage: true,
    #"{"model":"b","stream_options":{"x":1,"include_usage": true}}"#),
  .init(
    #"{"model":"a","stream_options":{"include_usage":true}}"#, "a", usage: true,
    #"{"model":"a","stream_options":{"include_usage":true}}"#),
  .init(
    #"{"model":"a","stream_options":{"include_usage":false}}"#, "b", usage: false,
    #"{"model":"b","stream_options":{"include_usage":false}}"#),
]

@Suite("Rewriting a chat request")
struct RewriteTests {
  @Test("only the model and the usage option change", arguments: table)
  func rewrites(_ example: Rewrite) throws {
    let bytes = Array(example.before.utf8)
    let after = try withBytes(bytes) { buffer in
      try RequestScan.scan(buffer, as: .chat).get().rewritten(
        buffer, model: example.model, includeUsage: example.includeUsage)
    }
    #expect(text(after) == example.after)
  }

  @Test(
    "after a rewrite the request says what was wanted and is otherwise untouched",
    arguments: UInt64(0)..<150)
  func property(_ seed: UInt64) throws {
    var generator = JSONGenerator(seed: seed)
    for _ in 0..<5 {
      let bytes = Array(generator.chatRequest().utf8)
      let model = generator.oneOf(["x", "up/stream-1", "quote\"d", "ü😀", "mock/gpt-4o"])
      let includeUsage = generator.random.oneIn(2)
      let before = try scan(bytes).get()
      let pieces = before.rewrite(
        bodyCount: bytes.count, model: model, includeUsage: includeUsage)
      #expect(pieces.count <= 5, "seed \(seed)")
      let after = withBytes(bytes) {
        before.rewritten($0, model: model, includeUsage: includeUsage)
      }

      let found = try scan(after).get()
      #expect(found.model == model, "seed \(seed)")
      #expect(found.stream == before.stream, "seed \(seed)")
      #expect(found.includeUsage == (includeUsage ? true : before.includeUsage), "seed \(seed)")

      // What the pieces leave out of the original is the model and the option, nothing else.
      var kept: [UInt8] = []
      var end = 0
      for case .original(let range) in pieces {
        #expect(range.lowerBound >= end, "seed \(seed): out of order")
        let gap = text(bytes[end..<range.lowerBound])
        let mayGo = ["", text(bytes[before.modelRange]), "null", "false"]
        #expect(mayGo.contains(gap), "seed \(seed): \(gap)")
        kept += bytes[range]
        end = range.upperBound
      }
      #expect(end == bytes.count, "seed \(seed)")
      let inserted = pieces.reduce(0) { sum, piece in
        if case .inserted(let piece) = piece { sum + piece.count } else { sum }
      }
      #expect(after.count == kept.count + inserted, "seed \(seed)")
    }
  }
}
