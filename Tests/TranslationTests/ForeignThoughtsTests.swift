import Domain
import Testing

@testable import Translation

@Suite("Thoughts of another maker's model")
struct ForeignThoughtsTests {
  @Test(
    "are found where they stand, and nothing else is taken for one",
    arguments: [
      (
        Dialect.responses,
        #"{"input":[{"role":"user"},{"type":"reasoning","encrypted_content":"signalbox.thinking:x"}]}"#,
        "input[1].encrypted_content"
      ),
      (
        .responses, #"{"input":[{"encrypted_content": "signalbox.redacted:x"}]}"#,
        "input[0].encrypted_content"
      ),
      (.responses, #"{"input":[{"type":"reasoning","encrypted_content":"gAAA"}]}"#, nil),
      (.responses, #"{"input":"what is \"signalbox.thinking:x\"?"}"#, nil),
      (.responses, #"{"input":[{"role":"user","content":"signalbox.thinking:x"}]}"#, nil),
      (.responses, #"{"input":[{"encrypted_content":"signalbox.thinking:x""#, nil),
      (
        .messages,
        #"{"messages":[{"content":"a"},{"content":[{"type":"thinking","thinking":"t","signature" : ""}]}]}"#,
        "messages[1].content[0].signature"
      ),
      (
        .messages,
        #"{"messages":[{"content":[{"type":"text"},{"type":"thinking","signature":"signalbox.call:x"}]}]}"#,
        "messages[0].content[1].signature"
      ),
      (
        .messages,
        #"{"messages":[{"content":[{"type":"redacted_thinking","data":"signalbox.redacted:x"}]}]}"#,
        "messages[0].content[0].data"
      ),
      (
        .messages,
        #"{"messages":[{"content":[{"type":"thinking","signature":"EqoB"},{"type":"tool_use","input":{"signature":""}}]}]}"#,
        nil
      ),
      (
        .messages,
        #"{"messages":[{"content":[{"type":"tool_result","content":"{\"signature\":\"\"}"}]}]}"#,
        nil
      ),
      (
        .chat,
        #"{"messages":[{"content":[{"type":"thinking","signature":"signalbox.call:x"}]}]}"#, nil
      ),
    ] as [(Dialect, String, String?)])
  func places(client: Dialect, body: String, place: String?) {
    #expect(Array(body.utf8).withUnsafeBytes { ForeignThoughts.place(in: $0, of: client) } == place)
  }
}
