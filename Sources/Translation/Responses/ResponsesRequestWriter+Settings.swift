import Surface

extension ResponsesRequestWriter {
  /// Each is written, refused, or left out where that changes neither the answer nor its price.
  mutating func setting(_ setting: Setting) throws(TranslationFault) {
    let refusal = TranslationFault.notCarried(setting.field)
    switch setting.value {
    case .maxTokens(let count): add("max_output_tokens", JSONValue(count))
    case .temperature(let number): add("temperature", .number(number))
    case .topP(let number): add("top_p", .number(number))
    // There are no such fields; 0 is what their absence means.
    case .presencePenalty(let number), .frequencyPenalty(let number):
      if Double(number) != 0 { throw refusal }
    case .topK, .seed: throw refusal
    case .stop(let texts): if !texts.isEmpty { throw refusal }
    case .answers(let count): if count != 1 { throw refusal }
    case .toolChoice(let choice): add("tool_choice", Self.toolChoice(choice))
    case .parallelToolCalls(let isWanted): add("parallel_tool_calls", .bool(isWanted))
    case .format(let format): text.append(.init("format", Self.format(format)))
    case .reasoning(let wish): reasoning(wish)
    case .verbosity(let word): text.append(.init("verbosity", .string(word)))
    // For the provider's watch over abuse only; longer ones it refuses.
    case .user(let user):
      if user.utf8.count <= 64 { add("safety_identifier", .string(user)) }
    // The provider only keeps it, and only within these bounds.
    case .metadata(let value): if Self.isMetadata(value) { add("metadata", value) }
    case .store(let isWanted):
      add("store", .bool(isWanted))
      saysStore = true
    case .serviceTier(let tier): try serviceTier(tier, refusal)
    case .cacheKey(let key): add("prompt_cache_key", .string(key))
    // Its streams always tell.
    case .includeUsage: break
    // No answer in another protocol's form has a place for them yet.
    case .logProbabilities(let isWanted): if isWanted { throw refusal }
    case .topLogProbabilities(let count): if count != 0 { throw refusal }
    case .own: throw refusal
    case .state: throw .stateBound(setting.field)
    }
  }

  private static func toolChoice(_ choice: ToolChoice) -> JSONValue {
    switch choice {
    case .auto: "auto"
    case .none: "none"
    case .required: "required"
    case .tool(let name): ["type": "function", "name": .string(name)]
    case .among(let names, let isRequired):
      [
        "type": "allowed_tools", "mode": isRequired ? "required" : "auto",
        "tools": .array(names.map { ["type": "function", "name": .string($0)] }),
      ]
    }
  }

  private static func format(_ format: OutputFormat) -> JSONValue {
    switch format {
    case .text: return ["type": "text"]
    case .json: return ["type": "json_object"]
    case .schema(let name, let description, let schema, let isStrict):
      var members: [JSONValue.Member] = [
        .init("type", "json_schema"),
        // The provider wants a name; other protocols have none.
        .init("name", .string(name ?? "response")),
      ]
      if let description { members.append(.init("description", .string(description))) }
      members.append(.init("schema", schema))
      if let isStrict { members.append(.init("strict", .bool(isStrict))) }
      return .object(members)
    }
  }

  private mutating func reasoning(_ wish: Reasoning) {
    var members: [JSONValue.Member] = []
    if let effort = wish.amount?.effort { members.append(.init("effort", .string(effort))) }
    if wish.isShown == true { members.append(.init("summary", "auto")) }
    if !members.isEmpty { add("reasoning", .object(members)) }
    if wish.amount != .off { reasons = true }
  }

  private mutating func serviceTier(
    _ tier: String, _ refusal: TranslationFault
  ) throws(TranslationFault) {
    switch tier {
    case "auto": break  // What absence means.
    case "default", "flex", "scale", "priority", "fast", "ultrafast":
      add("service_tier", .string(tier))
    default: throw refusal
    }
  }

  /// At most 16 texts of at most 512 characters, with names of at most 64.
  private static func isMetadata(_ value: JSONValue) -> Bool {
    guard let members = value.members, members.count <= 16 else { return false }
    return members.allSatisfy { member in
      member.name.count <= 64 && (member.value.string.map { $0.count <= 512 } ?? false)
    }
  }
}
