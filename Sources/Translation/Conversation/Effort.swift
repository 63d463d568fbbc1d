extension Reasoning.Amount {
  /// What Google's own OpenAI-compatible path makes of each `reasoning_effort` for models that count tokens.
  ///
  /// It is the only public table between the two. The last two names are younger than it and get what its largest models
  /// allow.
  private static let budgets: [(effort: String, tokens: UInt64)] = [
    ("minimal", 1024), ("low", 1024), ("medium", 8192), ("high", 24_576), ("xhigh", 32_768),
    ("max", 32_768),
  ]

  /// The wish in tokens, for a protocol that has budgets; 0: no thoughts.
  ///
  /// Nil: the model decides, or an effort that the table does not know.
  var tokens: UInt64? {
    switch self {
    case .off: 0
    case .adaptive: nil
    case .effort(let name): Self.budgets.first { $0.effort == name }?.tokens
    case .budget(let tokens): tokens
    }
  }

  /// The wish as an effort, for a protocol that has no budgets; nil: the model decides.
  ///
  /// Of a budget the least effort that reaches it, at most `high`; never `minimal`, which few models know.
  var effort: String? {
    switch self {
    case .off, .budget(0): "none"
    case .adaptive: nil
    case .effort(let name): name
    case .budget(let tokens):
      ["low", "medium"].first { name in
        Self.budgets.contains { $0.effort == name && $0.tokens >= tokens }
      } ?? "high"
    }
  }
}
