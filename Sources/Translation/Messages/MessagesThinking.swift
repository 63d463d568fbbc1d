import Surface

/// How much an Anthropic model shall think, in the form that it takes, and the bound that goes with it.
struct MessagesThinking {
  /// The least budget that Anthropic takes.
  private static let leastBudget: UInt64 = 1024
  /// What a budget leaves for the answer itself, or half of the bound where that is less.
  private static let answerTokens: UInt64 = 4096

  /// The field `thinking`; nil: left out.
  private(set) var thinking: JSONValue?
  /// `output_config.effort`; nil: left out.
  private(set) var effort: String?
  /// The field `max_tokens`, thoughts included.
  private(set) var maxTokens: UInt64

  /// `maxTokens`: the client's bound, where it set one.
  init(
    _ wish: (value: Reasoning, field: String)?, model: ClaudeModel, maxTokens: UInt64?
  ) throws(TranslationFault) {
    self.maxTokens = maxTokens ?? model.maxTokens
    guard let (wish, field) = wish else { return }
    switch (model.thinking, wish.amount) {
    case (.budget, nil), (.budget, .off?), (.budget, .budget(0)?), (.budget, .effort("none")?):
      // These models think only when asked to.
      break
    case (.budget, .adaptive?):
      try setBudget(.effort("high"), maxTokens, wish, field)
    case (.budget, let amount?): try setBudget(amount, maxTokens, wish, field)
    case (.either, nil), (.adaptive, nil):
      // To show thoughts, there must be some.
      if wish.isShown == true { think(adaptive: wish, model) }
    case (.either, .off?), (.adaptive, .off?), (.either, .budget(0)?), (.adaptive, .budget(0)?),
      (.either, .effort("none")?), (.adaptive, .effort("none")?):
      thinking = ["type": "disabled"]
    case (.either, .adaptive?), (.adaptive, .adaptive?): think(adaptive: wish, model)
    case (.either, .effort(let name)?), (.adaptive, .effort(let name)?):
      think(adaptive: wish, model)
      effort = Self.effort(name, model)
    case (.either, .budget?): try setBudget(wish.amount, maxTokens, wish, field)
    case (.adaptive, .budget?):
      think(adaptive: wish, model)
      effort = wish.amount?.effort
    }
  }

  private mutating func think(adaptive wish: Reasoning, _ model: ClaudeModel) {
    thinking = .object(
      [.init("type", "adaptive")] + display(wish, isHidden: model.thinking == .adaptive))
  }

  private mutating func setBudget(
    _ amount: Reasoning.Amount?, _ bound: UInt64?, _ wish: Reasoning, _ field: String
  ) throws(TranslationFault) {
    guard let wanted = amount?.tokens else { throw .notCarried(field) }
    // A model of whose bound nothing is known may write its budget and an answer.
    if bound == nil, maxTokens <= Self.answerTokens { maxTokens += wanted }
    // The budget is part of the bound: what remains must hold an answer.
    let budget = min(wanted, maxTokens - min(Self.answerTokens, maxTokens / 2))
    guard budget >= Self.leastBudget else {
      throw TranslationFault(
        .notCarried, field,
        "\(field) leaves no room: this model thinks with 1024 tokens or more, and the answer's bound holds these too."
      )
    }
    thinking = .object(
      [.init("type", "enabled"), .init("budget_tokens", JSONValue(budget))]
        + display(wish, isHidden: false))
  }

  private func display(_ wish: Reasoning, isHidden: Bool) -> [JSONValue.Member] {
    switch wish.isShown {
    case true? where isHidden: [.init("display", "summarized")]
    case false?: [.init("display", "omitted")]
    case true?, nil: []
    }
  }

  /// The names are OpenAI's too; `minimal` is unknown to Anthropic, `xhigh` to its models before 4.7.
  private static func effort(_ name: String, _ model: ClaudeModel) -> String {
    switch name {
    case "minimal": "low"
    case "xhigh" where model.thinking == .either: "max"
    default: name
    }
  }
}
