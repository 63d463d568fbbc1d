import Surface

extension ResponsesRequestReader {
  /// All fields but the conversation and the tools.
  mutating func settings(_ fields: inout Fields) throws(TranslationFault) {
    add(try fields.count("max_output_tokens").map { .maxTokens($0) }, "max_output_tokens")
    add(try fields.number("temperature").map { .temperature($0) }, "temperature")
    add(try fields.number("top_p").map { .topP($0) }, "top_p")
    // Not OpenAI's, but in the open specification of the protocol.
    add(try fields.number("presence_penalty").map { .presencePenalty($0) }, "presence_penalty")
    add(try fields.number("frequency_penalty").map { .frequencyPenalty($0) }, "frequency_penalty")
    add(
      try fields.bool("parallel_tool_calls").map { .parallelToolCalls($0) }, "parallel_tool_calls")
    if let choice = fields.take("tool_choice") { try toolChoice(choice) }
    if var reasoning = try fields.object("reasoning") { try self.reasoning(&reasoning) }
    if var text = try fields.object("text") { try self.text(&text) }
    try include(&fields)
    try identity(&fields)
    try defaults(&fields)
    try caching(&fields)
    own(&fields)
  }

  private mutating func toolChoice(_ value: JSONValue) throws(TranslationFault) {
    let field = "tool_choice"
    switch value {
    case .string("auto"): return add(.toolChoice(.auto), field)
    case .string("none"): return add(.toolChoice(.none), field)
    case .string("required"): return add(.toolChoice(.required), field)
    case .string:
      throw TranslationFault(
        .malformed, field, "\(field) is not auto, none, required or an object.")
    default: break
    }
    var choice = try Fields(value, field)
    switch try choice.requiredText("type") {
    case "function":
      add(.toolChoice(.tool(try choice.requiredText("name"))), field)
    case "allowed_tools":
      let mode = try choice.requiredText("mode")
      guard mode == "auto" || mode == "required" else {
        throw choice.malformed("mode", "auto or required")
      }
      guard let tools = try choice.array("tools") else { throw choice.missing("tools") }
      var names: [String] = []
      for (index, tool) in tools.enumerated() {
        var tool = try Fields(tool, "tool_choice.tools[\(index)]")
        guard try tool.requiredText("type") == "function" else { throw tool.notCarried("type") }
        names.append(try tool.requiredText("name"))
        try tool.finish()
      }
      add(.toolChoice(.among(names, isRequired: mode == "required")), field)
    default: throw choice.notCarried("type")
    }
    try choice.finish()
  }

  private mutating func reasoning(_ fields: inout Fields) throws(TranslationFault) {
    var wish = Reasoning()
    if let effort = try fields.text("effort") {
      wish.amount = effort == "none" ? .off : .effort(effort)
    }
    // How long the summary shall be is the provider's choice elsewhere.
    let summary = try fields.text("summary")
    if try fields.text("generate_summary") ?? summary != nil { wish.isShown = true }
    if wish != Reasoning() { add(.reasoning(wish), "reasoning") }
    for (name, byDefault) in [("context", "auto"), ("mode", "standard")] {
      if let value = try fields.text(name), value != byDefault {
        add(.own(.string(value)), fields.place(name))
      }
    }
    own(&fields)
  }

  private mutating func text(_ fields: inout Fields) throws(TranslationFault) {
    if var format = try fields.object("format") {
      switch try format.requiredText("type") {
      case "text": add(.format(.text), "text.format")
      case "json_object": add(.format(.json), "text.format")
      case "json_schema":
        let name = try format.requiredText("name")
        guard let schema = format.take("schema") else { throw format.missing("schema") }
        guard schema.members != nil else { throw format.malformed("schema", "an object") }
        let description = try format.text("description")
        let isStrict = try format.bool("strict")
        add(
          .format(
            .schema(name: name, description: description, schema: schema, isStrict: isStrict)),
          "text.format")
      default: throw format.notCarried("type")
      }
      try format.finish()
    }
    add(try fields.text("verbosity").map { .verbosity($0) }, "text.verbosity")
    own(&fields)
  }

  private mutating func include(_ fields: inout Fields) throws(TranslationFault) {
    for (index, value) in (try fields.array("include") ?? []).enumerated() {
      let field = "include[\(index)]"
      guard let name = value.string else {
        throw TranslationFault(.malformed, field, "\(field) is not a string.")
      }
      switch name {
      // What a provider wants back is always in the answer.
      case "reasoning.encrypted_content": break
      // More about server-side tools, which are refused themselves, or about items read later.
      case "file_search_call.results", "web_search_call.results", "web_search_call.action.sources",
        "message.input_image.image_url", "computer_call_output.output.image_url",
        "code_interpreter_call.outputs":
        break
      case "message.output_text.logprobs": add(.logProbabilities(true), field)
      default: add(.own(value), field)
      }
    }
    if let count = try fields.count("top_logprobs"), count > 0 {
      add(.topLogProbabilities(count), "top_logprobs")
    }
  }

  private mutating func identity(_ fields: inout Fields) throws(TranslationFault) {
    // One setting of the two: both name the same person, `user` is the older.
    let user = try fields.text("user")
    if let identifier = try fields.text("safety_identifier") {
      add(.user(identifier), "safety_identifier")
    } else {
      add(user.map { .user($0) }, "user")
    }
    if let metadata = fields.take("metadata") {
      guard metadata.members != nil else { throw fields.malformed("metadata", "an object") }
      add(.metadata(metadata), "metadata")
    }
    add(try fields.bool("store").map { .store($0) }, "store")
    add(try fields.text("service_tier").map { .serviceTier($0) }, "service_tier")
  }

  /// Fields that are as good as absent while they have their default.
  private mutating func defaults(_ fields: inout Fields) throws(TranslationFault) {
    // Both are the caller's own arguments.
    _ = fields.take("model")
    _ = fields.take("stream")
    if try fields.bool("background") == true { add(.own(true), "background") }
    if let truncation = try fields.text("truncation"), truncation != "disabled" {
      add(.own(.string(truncation)), "truncation")
    }
    // Bounds calls of server-side tools only, and those are refused.
    _ = try fields.count("max_tool_calls")
    if var options = try fields.object("stream_options") {
      // Padding against those who count bytes on the way; the answer is the same.
      _ = try options.bool("include_obfuscation")
      own(&options)
    }
  }

  private mutating func caching(_ fields: inout Fields) throws(TranslationFault) {
    add(try fields.text("prompt_cache_key").map { .cacheKey($0) }, "prompt_cache_key")
    // How long a prefix is kept: it changes the price at most.
    _ = try fields.text("prompt_cache_retention")
    if var options = try fields.object("prompt_cache_options") {
      _ = try options.text("mode")
      _ = try options.text("ttl")
      if options.take("comparison_response_id") != nil {
        add(.state, "prompt_cache_options.comparison_response_id")
      }
      // With it no answer is wanted.
      if try options.bool("prewarm") == true { add(.own(true), "prompt_cache_options.prewarm") }
      own(&options)
    }
  }
}
