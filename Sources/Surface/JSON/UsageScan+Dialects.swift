public import Domain

extension UsageScan {
  /// Reads a whole answer of `dialect`, or the data of one frame of its stream.
  ///
  /// Of a frame, what stands in its `message` (Messages) or `response` (Responses) counts like the top level. The
  /// figures are the provider's: see `TokenUsage.summed(as:)`.
  public static func scan(
    _ bytes: UnsafeRawBufferPointer, as dialect: Dialect
  ) -> UsageScan {
    switch dialect {
    case .chat, .completions, .inference: return scan(bytes)
    case .embeddings, .responses, .messages, .countTokens, .gemini: break
    }
    guard var cursor = JSONCursor(bytes) else { return nothing }
    do throws(JSONFlaw) {
      return try cursor.answer(as: dialect)
    } catch {
      return nothing
    }
  }

  /// The text of the top-level `type`, as it is written; nil: there is none, or it is no plain string.
  public static func type(in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    guard var cursor = JSONCursor(bytes), let range = try? cursor.typeName() else { return nil }
    return UnsafeRawBufferPointer(rebasing: bytes[range])
  }

  /// The top-level `sequence_number` of an event of Responses; nil: there is none.
  public static func sequenceNumber(in bytes: UnsafeRawBufferPointer) -> UInt64? {
    guard var cursor = JSONCursor(bytes) else { return nil }
    return (try? cursor.sequenceNumber()) ?? nil
  }

  /// Whether a `"stop_reason"` that is a string stands anywhere: a message of Messages said why it ended.
  public static func mayHoldStopReason(_ bytes: UnsafeRawBufferPointer) -> Bool {
    holds(bytes, name: "\"stop_reason\"", before: UInt8(ascii: "\""))
  }

  /// Whether a `"finishReason"` that is a string stands anywhere: Gemini said why it ended.
  public static func mayHoldGeminiFinish(_ bytes: UnsafeRawBufferPointer) -> Bool {
    holds(bytes, name: "\"finishReason\"", before: UInt8(ascii: "\""))
  }

  /// Whether a `"blockReason"` that is a string stands anywhere: Gemini said why it does not answer.
  public static func mayHoldBlockReason(_ bytes: UnsafeRawBufferPointer) -> Bool {
    holds(bytes, name: "\"blockReason\"", before: UInt8(ascii: "\""))
  }

  /// Whether Gemini answers, or says why it does not: a `"candidates"` with something in it, or `"promptFeedback"`.
  public static func mayHoldCandidate(_ bytes: UnsafeRawBufferPointer) -> Bool {
    holds(bytes, name: "\"candidates\"", before: UInt8(ascii: "["), nonEmpty: true)
      || holds(bytes, name: "\"promptFeedback\"", before: UInt8(ascii: "{"))
  }

  /// Whether a `"usageMetadata"` that is an object stands anywhere.
  public static func mayHoldGeminiUsage(_ bytes: UnsafeRawBufferPointer) -> Bool {
    holds(bytes, name: "\"usageMetadata\"", before: UInt8(ascii: "{"))
  }
}

extension TokenUsage {
  /// These figures as the gateway counts them.
  ///
  /// Anthropic's input is what neither came from its cache nor went there; here both are parts of the input.
  public func summed(as dialect: Dialect) -> TokenUsage {
    guard dialect == .messages, let input else { return self }
    var summed = self
    summed.input = input + (cached ?? 0) + (cacheCreation ?? 0)
    return summed
  }
}

extension JSONCursor {
  fileprivate mutating func answer(as dialect: Dialect) throws(JSONFlaw) -> UsageScan {
    try beginDocument()
    var scan = UsageScan(
      isObject: true, usage: nil, usageIsNull: false, hasError: false, choicesAreEmpty: false,
      isAnswer: false)
    guard byte(at) == UInt8(ascii: "{") else { throw JSONFlaw(.notAnObject, at: at) }
    var hasFailed = false
    try members(dialect, depth: 1, &scan, &hasFailed)
    try endDocument()
    if hasFailed {
      scan.isAnswer = false
      scan.hasError = true
    }
    return scan
  }

  /// The members of the document, and those of the object that a frame wraps.
  private mutating func members(
    _ dialect: Dialect, depth: Int, _ scan: inout UsageScan, _ hasFailed: inout Bool
  ) throws(JSONFlaw) {
    var hasMember = try firstMember()
    while hasMember {
      let name = try skipName()
      if isUsage(name, dialect) {
        if current == UInt8(ascii: "{") {
          scan.usage = try usageObject(dialect, depth: depth + 1)
        } else {
          scan.usageIsNull = current == UInt8(ascii: "n")
          try skipValue(within: depth)
        }
      } else if equals(name, "error") {
        if current != UInt8(ascii: "n") { scan.hasError = true }
        try skipValue(within: depth)
      } else if depth == 1, isWrapper(name, dialect), current == UInt8(ascii: "{") {
        try members(dialect, depth: 2, &scan, &hasFailed)
      } else if dialect == .responses, equals(name, "status") {
        let start = at
        try skipValue(within: depth)
        if isText(start..<at, "failed") || isText(start..<at, "cancelled") { hasFailed = true }
      } else {
        let start = at
        let isContent = isContent(name, dialect)
        try skipValue(within: depth)
        if isContent, isSomething(start..<at, dialect, depth) { scan.isAnswer = true }
      }
      hasMember = try nextMember()
    }
  }

  private func isUsage(_ name: JSONToken, _ dialect: Dialect) -> Bool {
    switch dialect {
    case .gemini: equals(name, "usageMetadata") || equals(name, "usage_metadata")
    case .countTokens: false
    case .chat, .completions, .embeddings, .responses, .messages, .inference:
      equals(name, "usage")
    }
  }

  /// In what an event keeps the answer as far as it is made.
  private func isWrapper(_ name: JSONToken, _ dialect: Dialect) -> Bool {
    switch dialect {
    case .messages: equals(name, "message")
    case .responses: equals(name, "response")
    case .chat, .completions, .embeddings, .countTokens, .gemini, .inference: false
    }
  }

  /// What every answer of the dialect has.
  private func isContent(_ name: JSONToken, _ dialect: Dialect) -> Bool {
    switch dialect {
    case .chat, .completions, .inference: equals(name, "choices")
    case .embeddings: equals(name, "data")
    case .responses: equals(name, "output")
    case .messages: equals(name, "content")
    case .countTokens: equals(name, "input_tokens")
    case .gemini: equals(name, "candidates") || equals(name, "promptFeedback")
    }
  }

  /// No candidate and no word of the prompt is no answer; at the end of a stream, neither is an output of nothing.
  private func isSomething(_ range: Range<Int>, _ dialect: Dialect, _ depth: Int) -> Bool {
    switch byte(range.lowerBound) {
    case UInt8(ascii: "n"): return false
    case UInt8(ascii: "["), UInt8(ascii: "{"):
      guard dialect == .gemini || depth > 1 else { return true }
      for index in range.dropFirst().dropLast() where !isSpace(byte(index)) { return true }
      return false
    default: return true
    }
  }

  private func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
  }

  /// Whether the value in `range` is this string, written plainly.
  private func isText(_ range: Range<Int>, _ text: StaticString) -> Bool {
    guard range.count == text.utf8CodeUnitCount + 2, byte(range.lowerBound) == UInt8(ascii: "\"")
    else { return false }
    for index in 0..<text.utf8CodeUnitCount
    where byte(range.lowerBound + 1 + index) != text.utf8Start[index] {
      return false
    }
    return true
  }

  private mutating func usageObject(
    _ dialect: Dialect, depth: Int
  ) throws(JSONFlaw) -> TokenUsage {
    switch dialect {
    case .messages: try messagesUsage(depth)
    case .gemini: try geminiUsage(depth)
    case .chat, .completions, .embeddings, .responses, .countTokens, .inference:
      try usageObject(within: depth)
    }
  }

  private mutating func messagesUsage(_ depth: Int) throws(JSONFlaw) -> TokenUsage {
    var usage = TokenUsage()
    var hasMember = try firstMember()
    while hasMember {
      let name = try skipName()
      if equals(name, "input_tokens") {
        usage.input = try count(within: depth)
      } else if equals(name, "output_tokens") {
        usage.output = try count(within: depth)
      } else if equals(name, "cache_read_input_tokens") {
        usage.cached = try count(within: depth)
      } else if equals(name, "cache_creation_input_tokens") {
        usage.cacheCreation = try count(within: depth)
      } else if equals(name, "output_tokens_details") {
        usage.reasoning = try detail("thinking_tokens", within: depth)
      } else {
        try skipValue(within: depth)
      }
      hasMember = try nextMember()
    }
    return usage
  }

  /// Zeros are left out there, and thoughts stand beside the answer.
  private mutating func geminiUsage(_ depth: Int) throws(JSONFlaw) -> TokenUsage {
    var usage = TokenUsage()
    var (prompt, tools, answer, total): (UInt64?, UInt64?, UInt64?, UInt64?)
    var hasMember = try firstMember()
    while hasMember {
      let name = try skipName()
      if equals(name, "promptTokenCount") || equals(name, "prompt_token_count") {
        prompt = try count(within: depth)
      } else if equals(name, "toolUsePromptTokenCount")
        || equals(name, "tool_use_prompt_token_count")
      {
        tools = try count(within: depth)
      } else if equals(name, "candidatesTokenCount") || equals(name, "candidates_token_count") {
        answer = try count(within: depth)
      } else if equals(name, "thoughtsTokenCount") || equals(name, "thoughts_token_count") {
        usage.reasoning = try count(within: depth)
      } else if equals(name, "totalTokenCount") || equals(name, "total_token_count") {
        total = try count(within: depth)
      } else if equals(name, "cachedContentTokenCount")
        || equals(name, "cached_content_token_count")
      {
        usage.cached = try count(within: depth)
      } else {
        try skipValue(within: depth)
      }
      hasMember = try nextMember()
    }
    if prompt != nil || tools != nil { usage.input = (prompt ?? 0) + (tools ?? 0) }
    if answer != nil || usage.reasoning != nil {
      usage.output = (answer ?? 0) + (usage.reasoning ?? 0)
    } else if let total, let input = usage.input {
      usage.output = total > input ? total - input : 0
    }
    return usage
  }

  /// Where the text of the top level's `type` stands.
  fileprivate mutating func typeName() throws(JSONFlaw) -> Range<Int>? {
    guard try findMember("type"), try expectByte() == UInt8(ascii: "\"") else { return nil }
    let token = try skipString()
    return token.hasEscapes ? nil : token.range.lowerBound + 1..<token.range.upperBound - 1
  }

  fileprivate mutating func sequenceNumber() throws(JSONFlaw) -> UInt64? {
    try findMember("sequence_number") ? try count(within: 1) : nil
  }

  /// Steps to the value of the first member of this name; false: there is none.
  private mutating func findMember(_ wanted: StaticString) throws(JSONFlaw) -> Bool {
    try beginDocument()
    guard byte(at) == UInt8(ascii: "{") else { return false }
    var hasMember = try firstMember()
    while hasMember {
      if equals(try skipName(), wanted) { return true }
      try skipValue(within: 1)
      hasMember = try nextMember()
    }
    return false
  }
}
