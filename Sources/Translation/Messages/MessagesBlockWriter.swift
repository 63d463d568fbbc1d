import Domain
import Surface

/// Writes turns and their parts as Anthropic's messages and blocks.
enum MessagesBlockWriter {
  /// The field `system`; nil: nothing was said.
  static func system(_ parts: [Part]) throws(TranslationFault) -> JSONValue? {
    var blocks: [JSONValue] = []
    for part in parts {
      guard case .text(let text) = part.content else { throw .notCarried(part.field) }
      // Anthropic refuses texts without a character.
      if !text.isEmpty { blocks.append(block("text", [.init("text", .string(text))], part.cache)) }
    }
    if blocks.count == 1, parts.allSatisfy({ $0.cache == nil }) { return blocks[0]["text"] }
    if blocks.isEmpty { return nil }
    return .array(blocks)
  }

  /// The field `messages`: roles alternate, results stand before all else in a turn of the user.
  static func messages(_ turns: [Turn]) throws(TranslationFault) -> JSONValue {
    var messages: [(role: Turn.Role, results: [JSONValue], blocks: [JSONValue])] = []
    for turn in turns {
      if messages.last?.role != turn.role { messages.append((turn.role, [], [])) }
      for part in turn.parts {
        guard let block = try block(part, in: turn.role) else { continue }
        if case .toolResult = part.content {
          messages[messages.count - 1].results.append(block)
        } else {
          messages[messages.count - 1].blocks.append(block)
        }
      }
      // A turn that says nothing is none: its neighbours are one turn.
      if let last = messages.last, last.results.isEmpty, last.blocks.isEmpty {
        messages.removeLast()
      }
    }
    return .array(
      messages.map { message in
        [
          "role": name(message.role),
          "content": .array(message.results + message.blocks),
        ]
      })
  }

  private static func name(_ role: Turn.Role) -> JSONValue {
    switch role {
    case .user: "user"
    case .assistant: "assistant"
    case .system: "system"
    }
  }

  /// nil: harmlessly left out.
  private static func block(
    _ part: Part, in role: Turn.Role
  ) throws(TranslationFault) -> JSONValue? {
    if role == .system {
      guard case .text = part.content else { throw .notCarried(part.field) }
    }
    switch part.content {
    // What the model said for not answering is what it said.
    case .text(let text), .refusal(let text):
      if text.isEmpty { return nil }
      return block("text", [.init("text", .string(text))], part.cache)
    case .image(let media):
      return block("image", [.init("source", try imageSource(media, part.field))], part.cache)
    case .document(let media):
      var members = [JSONValue.Member("source", try documentSource(media, part.field))]
      if let name = media.name { members.append(.init("title", .string(name))) }
      return block("document", members, part.cache)
    case .audio: throw .notCarried(part.field)
    case .thinking(let text):
      guard role == .assistant else { throw .notCarried(part.field) }
      // Anthropic takes only thoughts that it signed; a model goes on without those of another.
      guard let signature = part.signature, !signature.isEmpty,
        MessagesSignature.isAnthropic(signature)
      else { return nil }
      return block(
        "thinking", [.init("thinking", .string(text)), .init("signature", .string(signature))], nil)
    case .redactedThinking(let data):
      guard role == .assistant else { throw .notCarried(part.field) }
      guard MessagesSignature.isAnthropic(data) else { return nil }
      return block("redacted_thinking", [.init("data", .string(data))], nil)
    case .toolCall(let call):
      guard role == .assistant else { throw .notCarried(part.field) }
      return block(
        "tool_use",
        [
          .init("id", .string(toolID(call.id))), .init("name", .string(call.name)),
          .init("input", toolInput(call.arguments)),
        ], part.cache)
    case .toolResult(let result):
      guard role == .user else { throw .notCarried(part.field) }
      return try toolResult(result, part.cache)
    }
  }

  private static func toolResult(
    _ result: ToolResult, _ cache: CacheMark?
  ) throws(TranslationFault) -> JSONValue {
    var members = [JSONValue.Member("tool_use_id", .string(toolID(result.callID)))]
    if result.parts.count == 1, result.parts[0].cache == nil,
      case .text(let text) = result.parts[0].content
    {
      members.append(.init("content", .string(text)))
    } else {
      var blocks: [JSONValue] = []
      for part in result.parts {
        switch part.content {
        case .text, .image, .document:
          if let block = try block(part, in: .user) { blocks.append(block) }
        case .audio, .thinking, .redactedThinking, .toolCall, .toolResult, .refusal:
          throw .notCarried(part.field)
        }
      }
      if !blocks.isEmpty { members.append(.init("content", .array(blocks))) }
    }
    if result.isError { members.append(.init("is_error", true)) }
    return block("tool_result", members, cache)
  }

  // MARK: Media

  /// `detail` is left out: Anthropic looks at every image as closely as it can.
  private static func imageSource(
    _ media: Media, _ field: String
  ) throws(TranslationFault) -> JSONValue {
    switch media.origin {
    case .data(let data):
      guard let type = media.mediaType else { throw .notCarried(field) }
      return ["type": "base64", "media_type": .string(type), "data": .string(data)]
    case .url(let url): return ["type": "url", "url": .string(url)]
    case .file: throw .stateBound(field)
    case .text: throw .notCarried(field)
    }
  }

  private static func documentSource(
    _ media: Media, _ field: String
  ) throws(TranslationFault) -> JSONValue {
    switch media.origin {
    case .data(let data):
      if media.mediaType == "application/pdf" {
        return ["type": "base64", "media_type": "application/pdf", "data": .string(data)]
      }
      // Texts go as texts; Anthropic reads no other bytes.
      guard media.mediaType?.hasPrefix("text/") == true, let bytes = parseBase64(data),
        let text = String(validating: bytes, as: UTF8.self)
      else { throw .notCarried(field) }
      return ["type": "text", "media_type": "text/plain", "data": .string(text)]
    case .text(let text):
      return ["type": "text", "media_type": "text/plain", "data": .string(text)]
    case .url(let url): return ["type": "url", "url": .string(url)]
    case .file: throw .stateBound(field)
    }
  }

  // MARK: Tools

  /// Arguments as Anthropic wants them: an object.
  ///
  /// A model may have written none, or half of one: such a text goes under the name that Anthropic proposes for it.
  static func toolInput(_ arguments: String) -> JSONValue {
    if arguments.isEmpty { return [:] }
    if let value = try? JSONValue.parse(Array(arguments.utf8)), value.members != nil {
      return value
    }
    return ["INVALID_JSON": .string(arguments)]
  }

  /// Anthropic's ids have letters, digits, `_` and `-`; others become `_` and their code, so that a call and its
  /// result still have one.
  private static func toolID(_ id: String) -> String {
    let isFit = { (byte: UInt8) in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
        true
      default: false
      }
    }
    if id.utf8.allSatisfy(isFit) { return id }
    var fit = ""
    for byte in id.utf8 {
      if isFit(byte) {
        fit.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        fit += "_" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
    }
    return fit
  }

  private static func block(
    _ type: String, _ members: [JSONValue.Member], _ cache: CacheMark?
  ) -> JSONValue {
    .object([.init("type", .string(type))] + members + (cache.map { [$0.member] } ?? []))
  }
}

extension CacheMark {
  /// Anthropic's `cache_control`.
  var member: JSONValue.Member {
    var members: [JSONValue.Member] = [.init("type", "ephemeral")]
    if let lifetime { members.append(.init("ttl", .string(lifetime))) }
    return .init("cache_control", .object(members))
  }
}
