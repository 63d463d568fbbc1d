import Surface

/// Collects what a request asks for besides its contents.
struct GeminiSettings {
  let model: GeminiModel
  private var generation: [JSONValue.Member] = []
  private var thinking: [JSONValue.Member] = []
  private var calling: [JSONValue.Member] = []
  private var top: [JSONValue.Member] = []

  init(model: GeminiModel) { self.model = model }

  /// The request's members.
  var members: [JSONValue.Member] {
    var generation = generation
    if !thinking.isEmpty { generation.append(.init("thinkingConfig", .object(thinking))) }
    var members: [JSONValue.Member] = []
    if !calling.isEmpty {
      members.append(.init("toolConfig", ["functionCallingConfig": .object(calling)]))
    }
    if !generation.isEmpty { members.append(.init("generationConfig", .object(generation))) }
    return members + top
  }

  /// Sets a member of `generationConfig`; the last word counts.
  mutating func set(_ name: String, _ value: JSONValue) {
    generation.removeAll { $0.name == name }
    generation.append(.init(name, value))
  }

  /// Has Gemini hold calls to their schemas where it may also answer without one; forced calls always are.
  mutating func validateCalls() {
    if calling.isEmpty || calling == Self.mode("AUTO") { calling = Self.mode("VALIDATED") }
  }

  /// Takes one setting, or refuses it.
  mutating func take(_ setting: Setting) throws(TranslationFault) {
    switch setting.value {
    case .maxTokens(let count): set("maxOutputTokens", JSONValue(count))
    case .temperature(let number): set("temperature", .number(number))
    case .topP(let number): set("topP", .number(number))
    case .topK(let number): set("topK", .number(number))
    case .presencePenalty(let number): set("presencePenalty", .number(number))
    case .frequencyPenalty(let number): set("frequencyPenalty", .number(number))
    case .seed(let number): set("seed", .number(number))
    case .stop(let texts): set("stopSequences", .array(texts.map { .string($0) }))
    case .toolChoice(let choice): take(choice)
    case .format(let format): take(format)
    case .reasoning(let reasoning): try take(reasoning, setting.field)
    case .serviceTier(let tier): try take(tier: tier, setting.field)
    // One answer, calls side by side and no probabilities are what Gemini gives unasked; it has nowhere to say
    // otherwise, or the other side nowhere to read it.
    case .answers(1), .parallelToolCalls(true), .logProbabilities(false), .topLogProbabilities(0):
      break
    case .answers, .parallelToolCalls, .logProbabilities, .topLogProbabilities:
      throw .notCarried(setting.field)
    // What models do by themselves.
    case .verbosity("medium"): break
    case .verbosity: throw .notCarried(setting.field)
    // Notes that the provider keeps and no model sees, and hints about caches, which Gemini fills by itself.
    case .user, .metadata, .cacheKey: break
    case .store(false): break
    case .store: throw .notCarried(setting.field)
    // Gemini tells the usage in every stream.
    case .includeUsage: break
    case .own: throw .notCarried(setting.field)
    case .state: throw .stateBound(setting.field)
    }
  }

  private mutating func take(_ choice: ToolChoice) {
    switch choice {
    case .auto: calling = Self.mode("AUTO")
    case .none: calling = Self.mode("NONE")
    case .required: calling = Self.mode("ANY")
    case .tool(let name): calling = Self.mode("ANY", [name])
    case .among(let names, let isRequired):
      calling = Self.mode(isRequired ? "ANY" : "VALIDATED", names)
    }
  }

  private static func mode(_ name: String, _ allowed: [String]? = nil) -> [JSONValue.Member] {
    var members = [JSONValue.Member("mode", .string(name))]
    if let allowed {
      members.append(.init("allowedFunctionNames", .array(allowed.map { .string($0) })))
    }
    return members
  }

  private mutating func take(_ format: OutputFormat) {
    switch format {
    // The default.
    case .text: break
    case .json: set("responseMimeType", "application/json")
    // A name is a label; Gemini always holds the answer to the schema, strict or not.
    case .schema(name: _, let description, let schema, isStrict: _):
      set("responseMimeType", "application/json")
      set("responseJsonSchema", described(schema, description))
    }
  }

  /// The schema with its description, which Gemini reads there.
  private func described(_ schema: JSONValue, _ description: String?) -> JSONValue {
    guard let description, case .object(let members) = schema, schema["description"] == nil else {
      return schema
    }
    return .object(members + [.init("description", .string(description))])
  }

  private mutating func take(_ reasoning: Reasoning, _ field: String) throws(TranslationFault) {
    if let amount = reasoning.amount {
      switch model.thinking(amount) {
      case .member(let name, let value): thinking.append(.init(name, value))
      case .unsaid: break
      case nil: throw .notCarried(field)
      }
    }
    if let isShown = reasoning.isShown {
      thinking.append(.init("includeThoughts", .bool(isShown)))
    }
  }

  private mutating func take(tier: String, _ field: String) throws(TranslationFault) {
    switch tier {
    case "auto": break
    // Anthropic's word for it is the second.
    case "default", "standard_only": top.append(.init("serviceTier", "standard"))
    case "flex", "priority": top.append(.init("serviceTier", .string(tier)))
    case _: throw .notCarried(field)
    }
  }
}
