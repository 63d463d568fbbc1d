import Surface

/// What differs between Gemini's generations, read off a model's name.
///
/// Names that do not tell, such as `gemini-flash-latest` or a tuned model's, count as the newest.
struct GeminiModel {
  /// As in `gemini-2.5-pro`; nil: the name does not tell.
  private let generation: (major: Int, minor: Int)?
  /// The large models, which always think.
  private let isPro: Bool

  init(_ name: String) {
    let words = name.lowercased().split(whereSeparator: { $0 == "-" || $0 == "/" })
    isPro = words.contains("pro")
    guard let gemini = words.lastIndex(of: "gemini"), words.indices.contains(gemini + 1) else {
      generation = nil
      return
    }
    let numbers = words[gemini + 1].split(separator: ".").map { Int($0) }
    guard let first = numbers.first, let major = first else {
      generation = nil
      return
    }
    generation = (major, numbers.count > 1 ? numbers[1] ?? 0 : 0)
  }

  /// Since Gemini 3: levels of thinking, signatures that must come back, media within results of tools.
  var isThird: Bool { (generation?.major ?? 3) >= 3 }

  /// What `thinkingConfig` says of a wish.
  enum Thinking {
    /// The model does so by itself.
    case unsaid
    case member(String, JSONValue)
  }

  /// How to say how much to think; nil: an effort that has no name here.
  ///
  /// Levels since Gemini 3, tokens before: by the table of Google's own OpenAI-compatible path, within the model's
  /// bounds. Models that cannot stop thinking think as little as they can.
  func thinking(_ amount: Reasoning.Amount) -> Thinking? {
    if isThird {
      switch amount.effort {
      case nil: return .unsaid
      case "none", "minimal": return .member("thinkingLevel", isPro ? "LOW" : "MINIMAL")
      case "low": return .member("thinkingLevel", "LOW")
      case "medium": return .member("thinkingLevel", "MEDIUM")
      // The highest that all models have.
      case "high", "xhigh", "max": return .member("thinkingLevel", "HIGH")
      case _: return nil
      }
    }
    let neverThinks = generation.map { $0 < (2, 5) } ?? false
    switch amount {
    case .off where neverThinks, .effort("none") where neverThinks: return .unsaid
    case .adaptive: return .member("thinkingBudget", -1)
    case .off, .effort("none"), .budget(0): return .member("thinkingBudget", isPro ? 128 : 0)
    case .effort, .budget:
      guard let tokens = amount.tokens else { return nil }
      // A budget is a bound: a lower one keeps it.
      return .member("thinkingBudget", JSONValue(min(tokens, isPro ? 32_768 : 24_576)))
    }
  }
}
