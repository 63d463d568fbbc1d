import Domain
import Surface

/// Tokens as Responses counts them: cached, written and reasoning tokens are parts of the sums, as in the middle.
enum ResponsesUsage {
  /// More than this no answer has: such a figure is an error, and sums of it could overflow.
  private static let tokensMax: UInt64 = 1 << 32

  /// Of a `usage` object; nil: there is none.
  static func read(_ value: JSONValue?) -> TokenUsage? {
    guard let value, value.members != nil else { return nil }
    func count(_ value: JSONValue?) -> UInt64? {
      value?.uint.flatMap { $0 <= tokensMax ? $0 : nil }
    }
    return TokenUsage(
      input: count(value["input_tokens"]), output: count(value["output_tokens"]),
      cached: count(value["input_tokens_details"]?["cached_tokens"]),
      reasoning: count(value["output_tokens_details"]?["reasoning_tokens"]),
      cacheCreation: count(value["input_tokens_details"]?["cache_write_tokens"]))
  }

  /// All figures that the SDK demands; null where nothing was reported.
  static func write(_ usage: TokenUsage?) -> JSONValue {
    guard let usage, usage != .notReported else { return .null }
    let input = min(usage.input ?? 0, tokensMax)
    let output = min(usage.output ?? 0, tokensMax)
    return [
      "input_tokens": JSONValue(input),
      "input_tokens_details": [
        "cache_write_tokens": JSONValue(usage.cacheCreation ?? 0),
        "cached_tokens": JSONValue(usage.cached ?? 0),
      ],
      "output_tokens": JSONValue(output),
      "output_tokens_details": ["reasoning_tokens": JSONValue(usage.reasoning ?? 0)],
      "total_tokens": JSONValue(input + output),
    ]
  }
}
