import Surface

/// Reads the content of messages: Anthropic's blocks.
struct MessagesBlockReader {
  /// Names of the tools called so far, by the call's id.
  private var names: [String: String] = [:]

  /// A text, or an array of blocks.
  mutating func read(_ content: JSONValue, _ path: String) throws(TranslationFault) -> [Part] {
    if let text = content.string { return [Part(.text(text), field: path)] }
    guard let blocks = content.array else {
      throw TranslationFault(.malformed, path, "\(path) is neither a string nor an array.")
    }
    var parts: [Part] = []
    /// What the next part gets back.
    var signature: String?
    for (index, block) in blocks.enumerated() {
      var part = try read(block: Fields(block, "\(path)[\(index)]"), isInResult: false)
      switch MessagesSignature(part) {
      case nil:
        if let found = signature { part.signature = found }
        signature = nil
        parts.append(part)
      case .call(let text)?:
        signature = text
        if part.content != .thinking("") {
          part.signature = nil
          parts.append(part)
        }
      case .text(let text)?:
        if !parts.isEmpty { parts[parts.count - 1].signature = text }
      }
    }
    return parts
  }

  private mutating func read(
    block: Fields, isInResult: Bool
  ) throws(TranslationFault) -> Part {
    var fields = block
    let type = try fields.requiredText("type")
    var part: Part
    switch type {
    case "text":
      part = Part(.text(try fields.requiredText("text")), field: fields.path)
      // Quotations of documents and of what only Anthropic's servers found.
      if let citations = try fields.array("citations"), !citations.isEmpty {
        throw fields.notCarried("citations")
      }
    case "image": part = Part(.image(try source(&fields)), field: fields.path)
    case "document": part = Part(.document(try document(&fields)), field: fields.path)
    case "thinking" where !isInResult:
      part = Part(.thinking(try fields.requiredText("thinking")), field: fields.path)
      // Empty: this gateway's own, where the model that thought signs nothing.
      if let signature = try fields.text("signature"), !signature.isEmpty {
        part.signature = signature
      }
    case "redacted_thinking" where !isInResult:
      part = Part(.redactedThinking(try fields.requiredText("data")), field: fields.path)
    case "tool_use" where !isInResult:
      part = Part(.toolCall(try call(&fields)), field: fields.path)
    case "tool_result" where !isInResult:
      part = Part(.toolResult(try result(&fields)), field: fields.path)
    case "container_upload": throw .stateBound(fields.place("file_id"))
    // Calls and results of tools that Anthropic's servers run, and search results.
    default: throw fields.notCarried("type")
    }
    if let mark = fields.take("cache_control") {
      part.cache = try CacheMark(mark, fields.place("cache_control"))
    }
    try fields.finish()
    return part
  }

  // MARK: Media

  private func source(_ block: inout Fields) throws(TranslationFault) -> Media {
    guard var fields = try block.object("source") else { throw block.missing("source") }
    let media: Media
    switch try fields.requiredText("type") {
    case "base64":
      media = Media(
        .data(try fields.requiredText("data")), mediaType: try fields.requiredText("media_type"))
    case "url": media = Media(.url(try fields.requiredText("url")))
    case "file": media = Media(.file(try fields.requiredText("file_id")))
    case "text":
      media = Media(
        .text(try fields.requiredText("data")), mediaType: try fields.text("media_type"))
    case "content":
      // As blocks it says where citations may begin and end.
      guard let text = fields.take("content")?.string else { throw fields.notCarried("content") }
      media = Media(.text(text), mediaType: "text/plain")
    default: throw fields.notCarried("type")
    }
    try fields.finish()
    return media
  }

  private func document(_ block: inout Fields) throws(TranslationFault) -> Media {
    var media = try source(&block)
    media.name = try block.text("title")
    if var citations = try block.object("citations") {
      if try citations.bool("enabled") == true { throw citations.notCarried("enabled") }
      try citations.finish()
    }
    return media
  }

  // MARK: Tools

  private mutating func call(_ block: inout Fields) throws(TranslationFault) -> ToolCall {
    let id = try block.requiredText("id")
    let name = try block.requiredText("name")
    guard let input = block.take("input") else { throw block.missing("input") }
    guard input.members != nil else { throw block.malformed("input", "an object") }
    if var caller = try block.object("caller") {
      // Called by code that runs at Anthropic.
      if try caller.text("type") != "direct" { throw caller.notCarried("type") }
      try caller.finish()
    }
    names[id] = name
    return ToolCall(id: id, name: name, arguments: String(decoding: input.bytes, as: UTF8.self))
  }

  private mutating func result(_ block: inout Fields) throws(TranslationFault) -> ToolResult {
    let id = try block.requiredText("tool_use_id")
    var result = ToolResult(callID: id, name: names[id], parts: [])
    result.isError = try block.bool("is_error") ?? false
    switch block.take("content") {
    case nil: break
    case .string(let text)?: result.parts = [Part(.text(text), field: block.place("content"))]
    case .array(let elements)?:
      for (index, element) in elements.enumerated() {
        let fields = try Fields(element, "\(block.place("content"))[\(index)]")
        result.parts.append(try read(block: fields, isInResult: true))
      }
    case _?: throw block.malformed("content", "a string or an array")
    }
    return result
  }
}
