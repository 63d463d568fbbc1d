import Domain
import Surface

/// Chat's `usage` object, both ways.
enum ChatUsage {
  /// More tokens than this no request has: such a figure is an error.
  private static let tokensMax: UInt64 = 1 << 32

  /// nil: no such object.
  static func read(_ value: JSONValue?) -> TokenUsage? {
    guard let value, value.members != nil else { return nil }
    let prompt = value["prompt_tokens_details"]
    var usage = TokenUsage(
      input: count(value["prompt_tokens"]), output: count(value["completion_tokens"]),
      // The second is DeepSeek's word for it.
      cached: count(prompt?["cached_tokens"]) ?? count(value["prompt_cache_hit_tokens"]),
      reasoning: count(value["completion_tokens_details"]?["reasoning_tokens"]),
      // The second is what gateways before Anthropic call it.
      cacheCreation: count(prompt?["cache_write_tokens"])
        ?? count(value["cache_creation_input_tokens"]))
    // xAI counts thoughts beside the answer; only its total shows it.
    if let input = usage.input, let output = usage.output, let reasoning = usage.reasoning,
      reasoning > 0, count(value["total_tokens"]) == input + output + reasoning
    {
      usage.output = output + reasoning
    }
    return usage
  }

  private static func count(_ value: JSONValue?) -> UInt64? {
    value?.uint.flatMap { $0 <= tokensMax ? $0 : nil }
  }

  /// nil: nothing was reported.
  ///
  /// The three figures that the SDK demands are 0 where only others are known.
  static func write(_ usage: TokenUsage) -> JSONValue? {
    if usage == .notReported { return nil }
    let input = usage.input ?? 0
    let output = usage.output ?? 0
    var members: [JSONValue.Member] = [
      .init("prompt_tokens", JSONValue(input)), .init("completion_tokens", JSONValue(output)),
      .init("total_tokens", JSONValue(input + output)),
    ]
    var prompt: [JSONValue.Member] = []
    if let cached = usage.cached { prompt.append(.init("cached_tokens", JSONValue(cached))) }
    if let written = usage.cacheCreation {
      prompt.append(.init("cache_write_tokens", JSONValue(written)))
    }
    if !prompt.isEmpty { members.append(.init("prompt_tokens_details", .object(prompt))) }
    if let reasoning = usage.reasoning {
      members.append(
        .init("completion_tokens_details", ["reasoning_tokens": JSONValue(reasoning)]))
    }
    return .object(members)
  }
}
