import Domain
import Surface

/// The `response` that a client gets: its own request repeated, and the answer.
struct ResponsesObject {
  /// As `resp_…`.
  private(set) var id: String
  private var created: Int64
  private let model: String
  /// What the request asked for, or the protocol's defaults where it was silent: the SDKs demand most of it.
  private let echo: [JSONValue.Member]

  init(_ facts: AnswerFacts) {
    id = facts.id.hasPrefix("resp_") ? facts.id : "resp_" + facts.id
    created = facts.now
    model = facts.model
    echo = Self.echo(of: facts.request)
  }

  /// What the provider said of the answer; an id only if it is of the form that clients of Responses know.
  mutating func adopt(id: String, created: Int64?) {
    if id.hasPrefix("resp_") { self.id = id }
    if let created { self.created = created }
  }

  /// `end` nil: under way, or failed where there is an `error`.
  func json(
    output: [JSONValue], end: ResponsesEnd?, usage: TokenUsage? = nil, error: JSONValue? = nil
  ) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("id", .string(id)), .init("object", "response"),
      .init("created_at", JSONValue(created)),
      .init("status", .string(error == nil ? end?.status ?? "in_progress" : "failed")),
      .init("background", false), .init("completed_at", .null), .init("error", error ?? .null),
      .init("incomplete_details", end?.reason.map { ["reason": .string($0)] } ?? .null),
      .init("model", .string(model)), .init("output", .array(output)),
      .init("previous_response_id", .null),
      // Whatever the request says: nothing of a translated answer is kept at OpenAI.
      .init("store", false), .init("usage", ResponsesUsage.write(usage)),
    ]
    members += echo
    return .object(members)
  }

  private static func echo(of request: JSONValue) -> [JSONValue.Member] {
    func asked(_ name: String) -> JSONValue? {
      guard let value = request[name], !value.isNull else { return nil }
      return value
    }
    // `auto` is a wish; an answer names the tier that served it.
    let tier = asked("service_tier").map { $0 == "auto" ? "default" : $0 }
    return [
      .init("frequency_penalty", asked("frequency_penalty") ?? 0),
      .init("instructions", asked("instructions") ?? .null),
      .init("max_output_tokens", asked("max_output_tokens") ?? .null),
      .init("max_tool_calls", asked("max_tool_calls") ?? .null),
      .init("metadata", asked("metadata") ?? [:]),
      .init("parallel_tool_calls", asked("parallel_tool_calls") ?? true),
      .init("presence_penalty", asked("presence_penalty") ?? 0),
      .init("prompt_cache_key", asked("prompt_cache_key") ?? .null),
      .init(
        "reasoning", asked("reasoning").filled(with: [("effort", .null), ("summary", .null)])),
      .init("safety_identifier", asked("safety_identifier") ?? .null),
      .init("service_tier", tier ?? "default"), .init("temperature", asked("temperature") ?? 1),
      .init("text", asked("text").filled(with: [("format", ["type": "text"])])),
      .init("tool_choice", asked("tool_choice") ?? "auto"),
      .init("tools", .array((asked("tools")?.array ?? []).map(tool))),
      .init("top_logprobs", asked("top_logprobs") ?? 0), .init("top_p", asked("top_p") ?? 1),
      .init("truncation", asked("truncation") ?? "disabled"), .init("user", asked("user") ?? .null),
    ]
  }

  private static func tool(_ tool: JSONValue) -> JSONValue {
    Optional(tool).filled(with: [("description", .null), ("parameters", .null), ("strict", .null)])
  }
}

extension JSONValue? {
  /// The object with those members that it lacks.
  fileprivate func filled(with defaults: [(name: String, value: JSONValue)]) -> JSONValue {
    let members = self?.members ?? []
    return .object(
      members
        + defaults.filter { name, _ in !members.contains { $0.name == name } }
        .map { JSONValue.Member($0.name, $0.value) })
  }
}
