/// What must be known of a model where Messages has two forms for one wish.
///
/// Whatever a model may refuse (sampling, forced tools, thoughts switched off) is written as asked for, and the
/// provider's answer goes back to the client.
struct ClaudeModel: Sendable, Hashable {
  /// The forms in which a model takes the amount of thought.
  enum Thinking: Sendable, Hashable {
    /// `enabled` with `budget_tokens` only.
    case budget
    /// That, or `adaptive` with an effort.
    case either
    /// `adaptive` with an effort only; thoughts are not shown unless asked for.
    case adaptive
  }

  /// How to ask it to think.
  let thinking: Thinking
  /// Tokens to allow where the client sets no bound, which Anthropic demands.
  ///
  /// What the model can write at most, as Anthropic's overview of models says; 4,096, the least of all of them, for
  /// models that are not Anthropic's.
  let maxTokens: UInt64
  /// Takes messages of the role `system` right behind the user's (from Opus 4.8 on); others refuse the request.
  let takesSystemTurns: Bool

  /// The model of that name at a provider: `claude-opus-4-5-20251101`, `anthropic.claude-3-5-haiku-…-v1:0`,
  /// `claude-sonnet-4@20250514`.
  init(_ name: String) {
    guard let (family, version) = Self.parse(name) else {
      self.init(.budget, 4096, false)
      return
    }
    let major = version / 100
    let takesSystemTurns =
      switch family {
      case "opus": version >= 408
      case "sonnet": version >= 500
      case "haiku": version >= 505
      case "instant": false
      // Younger than these, or the newest of its kind.
      case _: true
      }
    switch family {
    case "opus" where version >= 407, "sonnet" where version >= 500, "haiku" where version >= 505,
      "fable", "mythos":
      self.init(.adaptive, 128_000, takesSystemTurns)
    case "opus" where version == 406, "sonnet" where version == 406:
      self.init(.either, 128_000, takesSystemTurns)
    case "opus" where version >= 405: self.init(.budget, 64_000, takesSystemTurns)
    case "opus" where major == 4: self.init(.budget, 32_000, takesSystemTurns)
    case "sonnet", "haiku":
      if version >= 307 {
        self.init(.budget, 64_000, takesSystemTurns)
      } else {
        self.init(.budget, version == 305 ? 8192 : 4096, takesSystemTurns)
      }
    case "opus", "instant": self.init(.budget, 4096, takesSystemTurns)
    // Younger than this list, or the newest of its kind.
    default: self.init(.adaptive, 64_000, takesSystemTurns)
    }
  }

  private init(_ thinking: Thinking, _ maxTokens: UInt64, _ takesSystemTurns: Bool) {
    self.thinking = thinking
    self.maxTokens = maxTokens
    self.takesSystemTurns = takesSystemTurns
  }

  /// Family and version, 4.5 as 405; nil: not one of Anthropic's models.
  private static func parse(_ name: String) -> (family: Substring, version: Int)? {
    let words = name.lowercased().split { !$0.isASCII || !($0.isLetter || $0.isNumber) }
    guard let start = words.firstIndex(of: "claude") else { return nil }
    var family: Substring?
    var numbers: [Int] = []
    for word in words[(start + 1)...] {
      if let number = Int(word) {
        // Eight digits are a date, behind which nothing is a version.
        if number >= 100 { break }
        numbers.append(number)
      } else if family == nil, word.allSatisfy(\.isLetter) {
        family = word
      }
    }
    let version = (numbers.first ?? 0) * 100 + (numbers.dropFirst().first ?? 0)
    // `claude-2.1` and `claude-v2` have no family, `claude-opus-latest` no version.
    return numbers.isEmpty ? ("", 0) : (family ?? "instant", version)
  }
}
