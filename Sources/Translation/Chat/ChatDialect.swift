/// What the providers that speak chat differ in, told by the model's name: nothing else says it.
struct ChatDialect: Sendable, Hashable {
  /// Whose models.
  enum Family: Sendable, Hashable {
    case openAI
    /// They think in `reasoning_content`, want it back within a turn that calls tools (DeepSeek answers 400
    /// without it), take texts only as strings, and are told by `thinking` not to think.
    case deepSeek
    /// Google's, by its OpenAI-compatible path or another gateway.
    case gemini
    /// Anthropic's, by another gateway.
    case claude
    case other
  }

  /// Whose model it is.
  let family: Family
  /// OpenAI's models before its fifth generation, and those made for chatting, refuse any `reasoning_effort`.
  let thinks: Bool

  init(model: String) {
    var name = model.lowercased()[...]
    if let slash = name.lastIndex(of: "/") { name = name[name.index(after: slash)...] }
    if name.hasPrefix("ft:") { name = name.dropFirst(3) }
    let isNumbered =
      name.first == "o" && name.dropFirst().first.map { ("0"..."9").contains($0) } ?? false
    family =
      if isNumbered || ["chatgpt-", "codex-"].contains(where: { name.hasPrefix($0) })
        || (name.hasPrefix("gpt-") && !name.hasPrefix("gpt-oss"))
      {
        .openAI
      } else if ["deepseek", "kimi", "glm-", "mimo-"].contains(where: { name.hasPrefix($0) }) {
        .deepSeek
      } else if name.hasPrefix("gemini") {
        .gemini
      } else if name.hasPrefix("claude") {
        .claude
      } else {
        .other
      }
    thinks =
      !(["gpt-3", "gpt-4", "chatgpt-"].contains { name.hasPrefix($0) }
      || (name.hasPrefix("gpt-") && name.contains("-chat")))
  }

  /// The templates of many open models refuse a `system` message that is not the first.
  var takesOperatorBetween: Bool { family != .other }

  /// OpenAI's newer models refuse `max_tokens`; many servers of others know nothing else.
  var maxTokens: String { family == .openAI ? "max_completion_tokens" : "max_tokens" }
}
