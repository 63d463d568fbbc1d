import Domain
import Surface

extension ResponsesRequestWriter {
  /// The items of one turn, in its parts' order.
  mutating func turn(_ turn: Turn) throws(TranslationFault) {
    var content: [JSONValue] = []
    for part in turn.parts {
      switch try item(part, turn.role) {
      case .item(let item):
        message(&content, turn.role)
        items.append(item)
      case .content(let value): content.append(value)
      case .nothing: break
      }
    }
    message(&content, turn.role)
  }

  /// What a part becomes.
  private enum Place {
    /// An item of its own.
    case item(JSONValue)
    /// A part of the message around it.
    case content(JSONValue)
    /// Left out.
    case nothing
  }

  private mutating func message(_ content: inout [JSONValue], _ role: Turn.Role) {
    guard !content.isEmpty else { return }
    let name: JSONValue =
      switch role {
      case .user: "user"
      case .assistant: "assistant"
      case .system: "developer"
      }
    items.append(["type": "message", "role": name, "content": .array(content)])
    content = []
  }

  /// What `part` becomes in a turn of `role`.
  ///
  /// Cache marks are left out: they are hints about cost, and the provider caches by itself. So are signatures of
  /// texts and calls, which only Gemini gives and wants back.
  private mutating func item(_ part: Part, _ role: Turn.Role) throws(TranslationFault) -> Place {
    switch (part.content, role) {
    case (.text(let text), .user), (.text(let text), .system):
      .content(["type": "input_text", "text": .string(text)])
    case (.text(let text), .assistant): .content(["type": "output_text", "text": .string(text)])
    case (.image(let media), .user): .content(try Self.image(media, part.field))
    case (.document(let media), .user): .content(try Self.file(media, part.field))
    case (.audio, .user): throw .notCarried(part.field)
    case (.refusal(let text), .assistant):
      .content(["type": "refusal", "refusal": .string(text)])
    case (.thinking(let text), .assistant): thoughts(part.signature, text)
    case (.redactedThinking(let data), .assistant): thoughts(data, "")
    case (.toolCall(let call), .assistant):
      .item([
        "type": "function_call", "call_id": .string(call.id), "name": .string(call.name),
        "arguments": .string(call.arguments),
      ])
    case (.toolResult(let result), .user): .item(try Self.result(result))
    case (.image, .assistant), (.document, .assistant), (.audio, .assistant),
      (.toolResult, .assistant), (.refusal, .user), (.thinking, .user), (.redactedThinking, .user),
      (.toolCall, .user), (.image, .system), (.document, .system), (.audio, .system),
      (.refusal, .system), (.thinking, .system), (.redactedThinking, .system),
      (.toolCall, .system), (.toolResult, .system):
      throw .notCarried(part.field)
    }
  }

  /// Only OpenAI's own thoughts: others it could not check, and refuses an item that it neither made nor keeps.
  private mutating func thoughts(_ signature: String?, _ text: String) -> Place {
    guard let signature = signature.flatMap(ReasoningSignature.init) else { return .nothing }
    reasons = true
    return .item([
      "type": "reasoning", "id": .string(signature.id),
      "summary": text.isEmpty ? [] : [["type": "summary_text", "text": .string(text)]],
      "encrypted_content": .string(signature.encrypted),
    ])
  }

  private static func result(_ result: ToolResult) throws(TranslationFault) -> JSONValue {
    var output: [JSONValue] = []
    for part in result.parts {
      switch part.content {
      case .text(let text): output.append(["type": "input_text", "text": .string(text)])
      case .image(let media): output.append(try image(media, part.field))
      case .document(let media): output.append(try file(media, part.field))
      case .audio, .thinking, .redactedThinking, .toolCall, .toolResult, .refusal:
        throw .notCarried(part.field)
      }
    }
    var members: [JSONValue.Member] = [
      .init("type", "function_call_output"), .init("call_id", .string(result.callID)),
    ]
    // One text as a string, which every provider of the protocol takes.
    if result.parts.isEmpty {
      members.append(.init("output", ""))
    } else if result.parts.count == 1, case .text(let text) = result.parts[0].content {
      members.append(.init("output", .string(text)))
    } else {
      members.append(.init("output", .array(output)))
    }
    // The nearest that an item can say of a tool's failure; what went wrong stands in its text.
    if result.isError { members.append(.init("status", "incomplete")) }
    return .object(members)
  }

  private static func image(
    _ media: Media, _ field: String
  ) throws(TranslationFault) -> JSONValue {
    let url: String
    switch media.origin {
    case .data(let base64):
      guard let mediaType = media.mediaType else { throw .notCarried(field) }
      url = DataURL(mediaType: mediaType, base64: base64).text
    case .url(let text): url = text
    case .file: throw .stateBound(field)
    case .text: throw .notCarried(field)
    }
    return [
      "type": "input_image", "image_url": .string(url), "detail": .string(media.detail ?? "auto"),
    ]
  }

  private static func file(_ media: Media, _ field: String) throws(TranslationFault) -> JSONValue {
    var members: [JSONValue.Member] = [.init("type", "input_file")]
    switch media.origin {
    case .data(let base64):
      let mediaType = media.mediaType ?? "application/pdf"
      let data = DataURL(mediaType: mediaType, base64: base64).text
      // OpenAI wants a name beside data.
      members.append(.init("filename", .string(media.name ?? defaultName(mediaType))))
      members.append(.init("file_data", .string(data)))
    case .text(let text):
      let mediaType = media.mediaType ?? "text/plain"
      let data = DataURL(mediaType: mediaType, base64: base64Text(text.utf8)).text
      members.append(.init("filename", .string(media.name ?? defaultName(mediaType))))
      members.append(.init("file_data", .string(data)))
    // Beside an address no name may stand.
    case .url(let url): members.append(.init("file_url", .string(url)))
    case .file: throw .stateBound(field)
    }
    if let detail = media.detail { members.append(.init("detail", .string(detail))) }
    return .object(members)
  }

  private static func defaultName(_ mediaType: String) -> String {
    switch mediaType {
    case "application/pdf": "document.pdf"
    case "text/markdown": "document.md"
    case "text/csv": "document.csv"
    case "text/html": "document.html"
    case "application/json": "document.json"
    default: "document.txt"
    }
  }
}
