import Domain
import Surface

/// Tokens as Anthropic counts them: the input without what was read from and written to the cache.
struct MessagesUsage: Sendable, Hashable {
  private(set) var input: UInt64?
  private(set) var cacheRead: UInt64?
  private(set) var cacheCreation: UInt64?
  private(set) var output: UInt64?
  private(set) var thinking: UInt64?

  init() {}

  /// Tokens as the middle counts them.
  init(_ usage: TokenUsage) {
    cacheRead = usage.cached
    cacheCreation = usage.cacheCreation
    if let total = usage.input {
      let cached = (usage.cached ?? 0) + (usage.cacheCreation ?? 0)
      // A provider whose parts exceed their sum has counted something twice.
      input = total > cached ? total - cached : 0
    }
    output = usage.output
    thinking = usage.reasoning
  }

  /// Takes what a report says; what it leaves out stays as it was, because each report is a total.
  mutating func take(_ report: JSONValue) {
    input = Self.count(report["input_tokens"]) ?? input
    cacheRead = Self.count(report["cache_read_input_tokens"]) ?? cacheRead
    cacheCreation = Self.count(report["cache_creation_input_tokens"]) ?? cacheCreation
    output = Self.count(report["output_tokens"]) ?? output
    thinking = Self.count(report["output_tokens_details"]?["thinking_tokens"]) ?? thinking
  }

  /// More tokens than this no request has.
  private static func count(_ value: JSONValue?) -> UInt64? {
    guard let count = value?.uint, count <= 1 << 32 else { return nil }
    return count
  }

  /// As the middle counts them.
  var tokens: TokenUsage {
    TokenUsage(
      input: input.map { $0 + (cacheRead ?? 0) + (cacheCreation ?? 0) }, output: output,
      cached: cacheRead, reasoning: thinking, cacheCreation: cacheCreation)
  }

  /// The object `usage`; SDKs demand input and output, else null is what was not reported.
  var object: JSONValue {
    var members: [JSONValue.Member] = [
      .init("input_tokens", JSONValue(input ?? 0)),
      .init("cache_creation_input_tokens", cacheCreation.map { JSONValue($0) } ?? .null),
      .init("cache_read_input_tokens", cacheRead.map { JSONValue($0) } ?? .null),
      .init("output_tokens", JSONValue(output ?? 0)),
    ]
    if let thinking {
      members.append(.init("output_tokens_details", ["thinking_tokens": JSONValue(thinking)]))
    }
    return .object(members)
  }
}
