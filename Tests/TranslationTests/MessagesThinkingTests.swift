import Surface
import Testing

@testable import Translation

/// A wish for thoughts at one model, and what becomes of it; nil: refused.
struct MessagesWish: Sendable, CustomTestStringConvertible {
  let model: String
  let amount: Reasoning.Amount?
  let isShown: Bool?
  let maxTokens: UInt64?
  let fields: String?
  var testDescription: String {
    "\(model) \(amount.map { "\($0)" } ?? "-") \(isShown.map { "\($0)" } ?? "-") \(maxTokens ?? 0)"
  }

  init(
    _ model: String, _ amount: Reasoning.Amount?, shown isShown: Bool? = nil,
    max maxTokens: UInt64? = nil, _ fields: String?
  ) {
    self.model = model
    self.amount = amount
    self.isShown = isShown
    self.maxTokens = maxTokens
    self.fields = fields
  }
}

private let budget = "claude-haiku-4-5"
private let either = "claude-opus-4-6"
private let adaptive = "claude-opus-5-5"

private let wishes: [MessagesWish] = [
  .init(budget, nil, shown: true, #""max_tokens":64000"#),
  .init(budget, .off, #""max_tokens":64000"#),
  .init(budget, .budget(0), #""max_tokens":64000"#),
  .init(budget, .effort("none"), #""max_tokens":64000"#),
  .init(
    budget, .adaptive,
    #""max_tokens":64000,"thinking":{"type":"enabled","budget_tokens":24576}"#),
  .init(
    budget, .effort("minimal"),
    #""max_tokens":64000,"thinking":{"type":"enabled","budget_tokens":1024}"#),
  .init(
    budget, .effort("medium"), shown: true,
    #""max_tokens":64000,"thinking":{"type":"enabled","budget_tokens":8192}"#),
  .init(
    budget, .effort("high"), shown: false,
    #""max_tokens":64000,"thinking":{"type":"enabled","budget_tokens":24576,"display":"omitted"}"#),
  .init(budget, .effort("huge"), nil),
  .init(
    budget, .budget(5000), max: 9096,
    #""max_tokens":9096,"thinking":{"type":"enabled","budget_tokens":5000}"#),
  .init(
    budget, .budget(5001), max: 9096,
    #""max_tokens":9096,"thinking":{"type":"enabled","budget_tokens":5000}"#),
  .init(
    budget, .effort("high"), max: 2048,
    #""max_tokens":2048,"thinking":{"type":"enabled","budget_tokens":1024}"#),
  .init(budget, .effort("high"), max: 2046, nil), .init(budget, .budget(1023), nil),
  // Models of others at an interface like Anthropic's.
  .init("other", nil, #""max_tokens":4096"#),
  .init(
    "other", .effort("low"),
    #""max_tokens":5120,"thinking":{"type":"enabled","budget_tokens":1024}"#),
  .init(
    "other", .effort("low"), max: 4096,
    #""max_tokens":4096,"thinking":{"type":"enabled","budget_tokens":1024}"#),
  .init(
    "claude-opus-4-1", .effort("max"),
    #""max_tokens":32000,"thinking":{"type":"enabled","budget_tokens":27904}"#),
  .init(either, nil, #""max_tokens":128000"#),
  .init(either, nil, shown: true, #""max_tokens":128000,"thinking":{"type":"adaptive"}"#),
  .init(either, .off, #""max_tokens":128000,"thinking":{"type":"disabled"}"#),
  .init(
    either, .adaptive, shown: false,
    #""max_tokens":128000,"thinking":{"type":"adaptive","display":"omitted"}"#),
  .init(
    either, .effort("xhigh"),
    #""max_tokens":128000,"thinking":{"type":"adaptive"},"output_config":{"effort":"max"}"#),
  .init(
    either, .budget(2000),
    #""max_tokens":128000,"thinking":{"type":"enabled","budget_tokens":2000}"#),
  .init(adaptive, nil, shown: false, #""max_tokens":128000"#),
  .init(
    adaptive, nil, shown: true,
    #""max_tokens":128000,"thinking":{"type":"adaptive","display":"summarized"}"#),
  .init(adaptive, .off, #""max_tokens":128000,"thinking":{"type":"disabled"}"#),
  .init(adaptive, .effort("none"), #""max_tokens":128000,"thinking":{"type":"disabled"}"#),
  .init(adaptive, .adaptive, max: 10, #""max_tokens":10,"thinking":{"type":"adaptive"}"#),
  .init(
    adaptive, .effort("minimal"),
    #""max_tokens":128000,"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}"#),
  .init(
    adaptive, .effort("xhigh"),
    #""max_tokens":128000,"thinking":{"type":"adaptive"},"output_config":{"effort":"xhigh"}"#),
  .init(
    adaptive, .budget(8192), shown: true,
    #""max_tokens":128000,"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"medium"}"#
  ),
]

@Suite struct MessagesThinkingTests {
  @Test(arguments: wishes)
  func `thoughts are asked for in the model's form`(_ wish: MessagesWish) throws {
    var conversation = Conversation(model: wish.model)
    if let maxTokens = wish.maxTokens {
      conversation.settings.append(Setting(.maxTokens(maxTokens), field: "m"))
    }
    conversation.settings.append(
      Setting(.reasoning(Reasoning(amount: wish.amount, isShown: wish.isShown)), field: "r"))
    guard let fields = wish.fields else {
      let fault = #expect(throws: TranslationFault.self) {
        try MessagesProvider.write(conversation)
      }
      #expect(fault?.kind == .notCarried)
      #expect(fault?.field == "r")
      return
    }
    #expect(
      MessagesSupport.text(try MessagesProvider.write(conversation)).replacing(
        #","messages":[]"#, with: "") == #"{"model":"\#(wish.model)",\#(fields)}"#)
  }

  @Test(
    arguments: [
      ("claude-opus-5-5", .adaptive, 128_000), ("claude-opus-5", .adaptive, 128_000),
      ("claude-fable-5-1", .adaptive, 128_000), ("claude-mythos-5", .adaptive, 128_000),
      ("claude-sonnet-5", .adaptive, 128_000), ("claude-haiku-5-5", .adaptive, 128_000),
      ("claude-opus-4-8", .adaptive, 128_000), ("claude-opus-4-7[1m]", .adaptive, 128_000),
      ("anthropic/claude-opus-4.7", .adaptive, 128_000),
      ("claude-opus-4-6", .either, 128_000), ("claude-sonnet-4-6", .either, 128_000),
      ("claude-opus-4-5-20251101", .budget, 64_000), ("claude-sonnet-4-5", .budget, 64_000),
      ("claude-haiku-4-5-20251001", .budget, 64_000),
      ("claude-opus-4-1-20250805", .budget, 32_000), ("claude-opus-4@20250514", .budget, 32_000),
      ("anthropic.claude-opus-4-20250514-v1:0", .budget, 32_000),
      ("us.anthropic.claude-sonnet-4-20250514-v1:0", .budget, 64_000),
      ("claude-3-7-sonnet-latest", .budget, 64_000), ("claude-3-5-sonnet-20241022", .budget, 8192),
      ("claude-3-5-haiku-latest", .budget, 8192), ("claude-3-haiku-20240307", .budget, 4096),
      ("claude-3-opus-20240229", .budget, 4096), ("claude-2.1", .budget, 4096),
      ("claude-instant-1.2", .budget, 4096), ("claude-quartz-6", .adaptive, 64_000),
      ("claude-opus-latest", .adaptive, 64_000), ("claude-mythos-preview", .adaptive, 64_000),
      ("deepseek-chat", .budget, 4096), ("", .budget, 4096), ("CLAUDE-OPUS-5", .adaptive, 128_000),
    ] as [(String, ClaudeModel.Thinking, UInt64)])
  func `a model's family says what it takes`(
    name: String, thinking: ClaudeModel.Thinking, maxTokens: UInt64
  ) {
    let model = ClaudeModel(name)
    #expect(model.thinking == thinking)
    #expect(model.maxTokens == maxTokens)
  }
}
