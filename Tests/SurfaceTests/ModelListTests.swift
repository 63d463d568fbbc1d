import Domain
import Surface
import Testing

@Suite("An upstream's list of models")
struct ModelListTests {
  private func parse(_ text: String, as dialect: Dialect = .chat) throws -> ModelList {
    try ModelList.parse(Array(text.utf8), as: dialect)
  }

  @Test("of Gemini's is read without the prefix and without what generates no content")
  func gemini() throws {
    let text = #"""
      {"models":[{"name":"models/gemini-b","supportedGenerationMethods":["generateContent"]},
      {"name":"gemini-a"},{"name":"models/embed","supportedGenerationMethods":["embedContent"]}],
      "nextPageToken":""}
      """#
    #expect(
      try parse(text, as: .gemini) == ModelList(names: ["gemini-a", "gemini-b"], skipped: 1))
    #expect(throws: ModelList.Fault.notAList) { try parse(text, as: .messages) }
    #expect(throws: ModelList.Fault.isError) {
      try parse(#"{"error":{"code":403}}"#, as: .gemini)
    }
  }

  @Test("is sorted, holds no name twice, and passes over what it does not know")
  func names() throws {
    let list = try parse(
      #"""
      {"object":"list","data":[{"id":"zeta","created":1},{"id":"org/alpha"},{"id":"zeta"},
      {"id":"Beta","object":"model","more":{"a":[1]}}],"has_more":false}
      """#)
    #expect(list == ModelList(names: ["Beta", "org/alpha", "zeta"]))
  }

  @Test("leaves out and counts what cannot be a model's name")
  func impossible() throws {
    let long = String(repeating: "x", count: 192)
    let list = try parse(
      #"{"data":[{"id":"good"},{"id":"\#(long)"},{"id":""},{"id":"with space"},{"id":"/a"},"#
        + #"{"id":"line\nbreak"},{"id":7},{"name":"x"},"text",null]}"#)
    #expect(list == ModelList(names: ["good"], skipped: 9))
  }

  @Test("keeps the first 2,000 names")
  func bounded() throws {
    let entries = (0..<2_500).map { #"{"id":"m\#(10_000 + $0)"}"# }.joined(separator: ",")
    let list = try parse(#"{"data":[\#(entries)]}"#)
    #expect(list.names.count == ProviderModel.maximumCount)
    #expect(list.names.first == "m10000")
    #expect(list.names.last == "m11999")
    #expect(list.skipped == 500)
  }

  @Test(
    "that is none is told apart from an error and from an empty one",
    arguments: [
      ("", ModelList.Fault.notAList), ("<html></html>", .notAList), ("[]", .notAList),
      (#"{"data":{}}"#, .notAList), (#"{"data":[{"id":"a"}]"#, .notAList),
      (#"{"data":[],"data":[{"id":"a"}]}"#, .notAList), (#"{"error":null}"#, .notAList),
      (#"{"error":{"message":"no"}}"#, .isError), (#"{"data":[]}"#, .isEmpty),
      (#"{"data":[{"id":""}]}"#, .isEmpty),
    ])
  func faults(_ text: String, _ fault: ModelList.Fault) {
    #expect(throws: fault) { try parse(text) }
  }
}
