public import Domain
import Surface

/// Thoughts that another maker's model had, in a conversation that goes to a provider of the client's own protocol.
///
/// Its bytes would pass as they are, and the provider refuse what it did not sign. So whoever cannot read them is not
/// asked: where it was the gateway that moved the conversation, the client could not have stayed.
public enum ForeignThoughts {
  /// The first place of one; nil: there is none.
  ///
  /// Most bodies are only looked over once; what looks like it is parsed.
  public static func place(in body: UnsafeRawBufferPointer, of client: Dialect) -> String? {
    guard client == .responses || client == .messages, mayHave(body, client),
      let request = try? JSONValue.parse(Array(body))
    else { return nil }
    return client == .responses ? inResponses(request) : inMessages(request)
  }

  private static let mark: StaticString = "\"signalbox."
  private static let signature: StaticString = "\"signature\""

  private static func mayHave(_ body: UnsafeRawBufferPointer, _ client: Dialect) -> Bool {
    var at = body.startIndex
    while let quote = body[at...].firstIndex(of: UInt8(ascii: "\"")) {
      if begins(body, at: quote, with: mark) { return true }
      if client == .messages, begins(body, at: quote, with: signature) {
        // Thoughts that nobody signed come with an empty one.
        let value = body[(quote + signature.utf8CodeUnitCount)...].drop { $0 <= 0x20 || $0 == 0x3A }
        if value.prefix(2).elementsEqual("\"\"".utf8) { return true }
      }
      at = quote + 1
    }
    return false
  }

  private static func begins(
    _ body: UnsafeRawBufferPointer, at: Int, with text: StaticString
  ) -> Bool {
    body.count - at >= text.utf8CodeUnitCount
      && text.withUTF8Buffer { body[at..<at + $0.count].elementsEqual($0) }
  }

  private static func inResponses(_ request: JSONValue) -> String? {
    for (number, item) in (request["input"]?.array ?? []).enumerated()
    where item["encrypted_content"]?.string?.hasPrefix("signalbox.") == true {
      return "input[\(number)].encrypted_content"
    }
    return nil
  }

  private static func inMessages(_ request: JSONValue) -> String? {
    for (number, message) in (request["messages"]?.array ?? []).enumerated() {
      for (index, block) in (message["content"]?.array ?? []).enumerated() {
        let field: String
        switch block["type"]?.string {
        case "thinking": field = "signature"
        case "redacted_thinking": field = "data"
        case _: continue
        }
        if let text = block[field]?.string, text.isEmpty || !MessagesSignature.isAnthropic(text) {
          return "messages[\(number)].content[\(index)].\(field)"
        }
      }
    }
    return nil
  }
}
