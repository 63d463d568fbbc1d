import Surface

/// Writes a request to a provider that speaks chat.
struct ChatRequestWriter {
  let conversation: Conversation
  let dialect: ChatDialect
  private(set) var members: [JSONValue.Member] = []

  init(_ conversation: Conversation) {
    dialect = ChatDialect(model: conversation.model)
    self.conversation =
      dialect.takesOperatorBetween
      ? conversation.withOperatorBeforeAnswers(needsUser: false) : conversation.withOperatorFirst
  }

  /// Sets a member; a later value replaces an earlier one.
  mutating func set(_ name: String, _ value: JSONValue) {
    if let index = members.firstIndex(where: { $0.name == name }) {
      members[index].value = value
    } else {
      members.append(.init(name, value))
    }
  }

  consuming func write() throws(TranslationFault) -> JSONValue {
    set("model", .string(conversation.model))
    set("messages", .array(try messages()))
    if !conversation.tools.isEmpty { set("tools", .array(conversation.tools.map(tool))) }
    for setting in conversation.settings { try write(setting) }
    if conversation.isStream {
      set("stream", true)
      // Always: without it no usage could be recorded. Whether the client reads it is its stream writer's business.
      set("stream_options", ["include_usage": true])
    }
    return .object(members)
  }

  /// Cache marks are left out: providers of this protocol keep prompts by themselves.
  private func tool(_ tool: Tool) -> JSONValue {
    var function: [JSONValue.Member] = [.init("name", .string(tool.name))]
    if let description = tool.description {
      function.append(.init("description", .string(description)))
    }
    if let schema = tool.schema { function.append(.init("parameters", schema)) }
    if let isStrict = tool.isStrict { function.append(.init("strict", .bool(isStrict))) }
    return ["type": "function", "function": .object(function)]
  }

  // MARK: Messages

  private func messages() throws(TranslationFault) -> [JSONValue] {
    var messages: [JSONValue] = []
    if !conversation.system.isEmpty { messages.append(try system(conversation.system)) }
    // Turns of one role in a row become one message each side: some providers refuse successive ones, and results
    // must follow their calls directly.
    var rest = conversation.turns[...]
    while let role = rest.first?.role {
      let run = rest.prefix { $0.role == role }
      rest = rest[run.endIndex...]
      let parts = run.flatMap(\.parts)
      switch role {
      case .user: messages += try user(parts)
      case .assistant: messages.append(try assistant(parts))
      case .system: messages.append(try system(parts))
      }
    }
    return messages
  }

  /// `system`, not `developer`: OpenAI's models take both for the same, other servers know only this one.
  private func system(_ parts: [Part]) throws(TranslationFault) -> JSONValue {
    var texts: [String] = []
    for part in parts {
      guard case .text(let text) = part.content else {
        throw TranslationFault.notCarried(part.field)
      }
      texts.append(text)
    }
    return ["role": "system", "content": content(texts)]
  }

  /// First the results of tools, then what the user says.
  private func user(_ parts: [Part]) throws(TranslationFault) -> [JSONValue] {
    var messages: [JSONValue] = []
    var shown: [JSONValue] = []
    var content: [JSONValue] = []
    var texts: [String] = []
    for part in parts {
      switch part.content {
      case .toolResult(let result):
        messages.append(try self.result(result))
        // Only a user may show something in this protocol: here, right behind the results.
        shown += try self.shown(result)
      case .text(let text):
        texts.append(text)
        content.append(["type": "text", "text": .string(text)])
      case .image(let media): content.append(try image(media, part.field))
      case .audio(let media): content.append(try audio(media, part.field))
      case .document(let media): content.append(try document(media, part.field))
      case .thinking, .redactedThinking, .toolCall, .refusal:
        throw TranslationFault.notCarried(part.field)
      }
    }
    if shown.isEmpty, content.isEmpty { return messages }
    let isTextOnly = shown.isEmpty && texts.count == content.count
    messages.append([
      "role": "user", "content": isTextOnly ? self.content(texts) : .array(shown + content),
    ])
    return messages
  }

  /// Texts alone: one is a string; more are parts, or one string where strings are all that is understood.
  private func content(_ texts: [String]) -> JSONValue {
    if texts.count == 1 || dialect.family == .deepSeek {
      return .string(texts.joined(separator: "\n\n"))
    }
    return .array(texts.map { ["type": "text", "text": .string($0)] })
  }

  private func result(_ result: ToolResult) throws(TranslationFault) -> JSONValue {
    var texts: [String] = []
    for part in result.parts {
      switch part.content {
      case .text(let text): texts.append(text)
      case .document(let media): if case .text(let text) = media.origin { texts.append(text) }
      case .image, .audio: continue
      case .thinking, .redactedThinking, .toolCall, .toolResult, .refusal:
        throw TranslationFault.notCarried(part.field)
      }
    }
    // That the tool failed has no field; its words say so. Without words this one does.
    if texts.isEmpty { texts = [result.isError ? "error" : ""] }
    return [
      "role": "tool", "tool_call_id": .string(result.callID), "content": content(texts),
    ]
  }

  /// What a tool's result shows beside its words.
  private func shown(_ result: ToolResult) throws(TranslationFault) -> [JSONValue] {
    var content: [JSONValue] = []
    for part in result.parts {
      switch part.content {
      case .image(let media): content.append(try image(media, part.field))
      case .audio(let media): content.append(try audio(media, part.field))
      case .document(let media):
        if case .text = media.origin { continue }
        content.append(try document(media, part.field))
      case .text, .thinking, .redactedThinking, .toolCall, .toolResult, .refusal: continue
      }
    }
    return content
  }

  private func assistant(_ parts: [Part]) throws(TranslationFault) -> JSONValue {
    var texts: [String] = []
    var refusals: [String] = []
    var calls: [JSONValue] = []
    var thoughts: [Part] = []
    var signature: String?
    for part in parts {
      switch part.content {
      case .text(let text):
        texts.append(text)
        signature = signature ?? part.signature
      case .refusal(let text): refusals.append(text)
      case .toolCall(let call): calls.append(self.call(call, part.signature))
      case .thinking, .redactedThinking: thoughts.append(part)
      case .image, .audio, .document, .toolResult:
        throw TranslationFault.notCarried(part.field)
      }
    }
    var message: [JSONValue.Member] = [.init("role", "assistant")]
    let isEmpty = calls.isEmpty && refusals.isEmpty
    message.append(.init("content", !texts.isEmpty ? content(texts) : isEmpty ? "" : nil))
    if !refusals.isEmpty { message.append(.init("refusal", .string(refusals.joined()))) }
    message += self.thoughts(thoughts)
    if !calls.isEmpty { message.append(.init("tool_calls", .array(calls))) }
    if dialect.family == .gemini, let signature { message.append(ChatSignature.member(signature)) }
    return .object(message)
  }

  /// Earlier thoughts go to those who want them back; OpenAI's models never see theirs in this protocol, and
  /// servers of others refuse the field.
  private func thoughts(_ parts: [Part]) -> [JSONValue.Member] {
    switch dialect.family {
    case .deepSeek: ChatThoughts.write(parts).filter { $0.name == "reasoning_content" }
    case .claude:
      ChatThoughts.write(parts.filter { !$0.isOpenAI }).filter { $0.name == "reasoning_details" }
    case .openAI, .gemini, .other: []
    }
  }

  private func call(_ call: ToolCall, _ signature: String?) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("id", .string(call.id)), .init("type", "function"),
      .init(
        "function",
        [
          "name": .string(call.name),
          "arguments": .string(call.arguments.isEmpty ? "{}" : call.arguments),
        ]),
    ]
    // It is Gemini's; others refuse the field.
    if dialect.family == .gemini, let signature { members.append(ChatSignature.member(signature)) }
    return .object(members)
  }
}

extension Part {
  /// Thoughts that only OpenAI can read, by the mark that its other protocol's reader gives them.
  fileprivate var isOpenAI: Bool {
    if case .redactedThinking(let data) = content { return data.hasPrefix("responses:") }
    return signature?.hasPrefix("responses:") ?? false
  }
}
