import Domain
import Testing

@Suite("Dialects")
struct DialectTests {
  @Test("each provider is asked in the client's dialect if it has it, else in what means the same")
  func table() {
    let rows: [(Dialect, openai: Dialect?, anthropic: Dialect?, gemini: Dialect?)] = [
      (.chat, .chat, .messages, .gemini), (.responses, .responses, .messages, .gemini),
      (.messages, .chat, .messages, .gemini), (.gemini, .chat, .messages, .gemini),
      (.inference, .chat, .messages, .gemini), (.completions, .completions, nil, nil),
      (.embeddings, .embeddings, nil, nil), (.countTokens, nil, .countTokens, nil),
    ]
    #expect(Set(rows.map(\.0)) == Set(Dialect.allCases))
    for row in rows {
      #expect(UpstreamProtocol.openai.dialect(for: row.0) == row.openai)
      #expect(UpstreamProtocol.anthropic.dialect(for: row.0) == row.anthropic)
      #expect(UpstreamProtocol.gemini.dialect(for: row.0) == row.gemini)
    }
  }

  @Test("known to all is what every protocol has something for", arguments: Dialect.allCases)
  func knownToAll(_ dialect: Dialect) {
    let all = UpstreamProtocol.allCases.allSatisfy { $0.dialect(for: dialect) != nil }
    #expect(dialect.isKnownToAll == all)
  }

  @Test("the wire numbers of operations stay")
  func numbers() {
    #expect(
      Operation.allCases.map { "\($0.rawValue) \($0.name)" } == [
        "1 chat.completions", "2 models.list", "3 models.get", "4 completions", "5 embeddings",
        "6 responses", "7 messages", "8 messages.count_tokens", "9 generate_content",
        "10 inference", "11 responses.get", "12 responses.input_items", "13 responses.delete",
        "14 responses.cancel", "255 unknown",
      ])
    #expect(
      Operation.allCases.filter { !$0.goesUpstream } == [.listModels, .getModel, .unknown])
    #expect(Operation.allCases.allSatisfy { !($0.isInference && $0.isOfStored) })
  }

  /// A provider of each protocol, with an account each; a combo and a policy over all.
  private static let three: [Event] = [
    .added(provider("o")), .added(speaking(.anthropic, "a")), .added(speaking(.gemini, "g")),
    .added(account("o1", at: "o")), .issued("o1", 1, 1), .added(account("a1", at: "a")),
    .issued("a1", 1, 2), .added(account("g1", at: "g")), .issued("g1", 1, 3),
  ]

  private static func speaking(_ dialect: UpstreamProtocol, _ id: String) -> ProviderEvent.Added {
    var added = provider(id)
    added.dialect = dialect
    return added
  }

  private func facts(_ model: String, _ operation: Operation) -> RequestFacts {
    RequestFacts(model: model, organisation: nil, key: nil, operation: operation)
  }

  private func outcome(
    _ events: [Event], _ model: String, _ operation: Operation
  ) -> Result<RoutingDecision, RoutingRefusal> {
    route(
      RoutingSnapshot(folded(recorded(Self.three + events))), facts(model, operation),
      now: second(1),
      seed: 0, local: .none, tried: [])
  }

  @Test("an account that cannot be asked is passed over before all else")
  func other() throws {
    // given accounts at which nothing corresponds to embeddings, one of them disabled as well
    let events: [Event] = [.account(.disabled(AccountID("g1")))]
    // when embeddings of their models are asked for, then that is why not
    for (model, account) in [("a/m1", "a1"), ("g/m1", "g1")] {
      #expect(
        outcome(events, model, .embeddings)
          == .failure(
            .noAccount(rejected: [.init(account: AccountID(account), reason: .otherProtocol)])))
    }
    // and a chat with the same model is served, or not for another reason
    #expect(try outcome(events, "a/m1", .chatCompletions).get().account == AccountID("a1"))
    #expect(
      outcome(events, "g/m1", .chatCompletions)
        == .failure(.noAccount(rejected: [.init(account: AccountID("g1"), reason: .disabled)])))
  }

  @Test("a disabled provider's accounts say so too")
  func disabled() {
    #expect(
      outcome([.provider(.disabled(ProviderID("a")))], "a/m1", .completions)
        == .failure(
          .noAccount(rejected: [.init(account: AccountID("a1"), reason: .otherProtocol)])))
  }

  @Test("a combo goes on to the first model that can be asked")
  func combo() throws {
    let combo = Event.combo(
      .set(.init(name: "any", models: ["a/m1", "g/m1", "o/m1"], isUnresolved: false)))
    #expect(try outcome([combo], "any", .embeddings).get().account == AccountID("o1"))
    #expect(try outcome([combo], "any", .messages).get().account == AccountID("a1"))
    #expect(try outcome([combo], "any", .countTokens).get().account == AccountID("a1"))
  }

  @Test("what one account has is served by it alone, whatever the strategy")
  func owner() throws {
    let more: [Event] = [
      .added(account("o2", at: "o", priority: 5)), .issued("o2", 1, 7),
      .settings(.changed(.init(fallbackStrategy: .weighted))),
      .account(.changed(.init(id: AccountID("o2"), weight: 0))),
    ]
    let snapshot = RoutingSnapshot(folded(recorded(Self.three + more)))
    var facts = facts("o/m1", .responses)
    facts.owner = AccountID("o2")
    let decision = try route(
      snapshot, facts, now: second(1), seed: 0, local: .none, tried: []
    ).get()
    #expect(decision.account == AccountID("o2") && decision.rule == .owner)
    // when it was tried, nobody else is
    #expect(
      route(
        snapshot, facts, now: second(1), seed: 0, local: .none,
        tried: [Tried(AccountID("o2"), model: nil)])
        == .failure(
          .noAccount(rejected: [
            .init(account: AccountID("o1"), reason: .notOwner),
            .init(account: AccountID("o2"), reason: .alreadyTried),
          ])))
    // when the model is another provider's, nobody is
    facts.model = "a/m1"
    #expect(
      route(snapshot, facts, now: second(1), seed: 0, local: .none, tried: [])
        == .failure(
          .noAccount(rejected: [.init(account: AccountID("a1"), reason: .notOwner)])))
  }

  @Test("what is stored is asked of its owner alone, and of no model")
  func stored() throws {
    let snapshot = RoutingSnapshot(folded(recorded(Self.three)))
    var facts = facts("", .getResponse)
    func decide(_ tried: [Tried] = []) -> Result<RoutingDecision, RoutingRefusal> {
      route(snapshot, facts, now: second(1), seed: 0, local: .none, tried: tried)
    }
    func refusal(_ account: String, _ reason: RejectionReason) -> RoutingRefusal {
      .noAccount(rejected: [.init(account: AccountID(account), reason: reason)])
    }
    #expect(decide() == .failure(.noAccount(rejected: [])))
    facts.owner = AccountID("o1")
    let decision = try decide().get()
    #expect(decision.account == AccountID("o1") && decision.rule == .owner)
    let owner = Tried(AccountID("o1"), model: "")
    #expect(decide([owner]) == .failure(refusal("o1", .alreadyTried)))
    let listed = candidates(
      snapshot, facts, now: second(1), seed: 0, local: .none, tried: [owner])
    #expect(listed.map(\.account) == [AccountID("o1")])
    #expect(listed.map(\.rejection) == [.alreadyTried])
    // Gone, or at a provider that stores nothing.
    for other in ["gone", "a1"] {
      facts.owner = AccountID(other)
      #expect(decide() == .failure(refusal(other, .notOffered)))
    }
  }

  @Test("what cannot be told to one account of a provider is told to none of it, for this model")
  func untold() throws {
    let more: [Event] = [
      .added(account("o2", at: "o", priority: 5)), .issued("o2", 1, 7),
      .combo(.set(.init(name: "all", models: ["o/m1", "a/m1"], isUnresolved: false))),
    ]
    let snapshot = RoutingSnapshot(folded(recorded(Self.three + more)))
    let refused = Attempt(
      snapshot: 1, now: second(1), seed: 0, local: .none, account: AccountID("o1"), rule: .combo,
      status: nil, errorClass: .request, errorCode: "not_carried", connectMicroseconds: nil,
      firstByteMicroseconds: nil, totalMicroseconds: 0, upstreamModel: "m1")
    func decide(_ model: String, _ tried: Tried) -> Result<RoutingDecision, RoutingRefusal> {
      route(
        snapshot, facts(model, .chatCompletions), now: second(1), seed: 0, local: .none,
        tried: [tried])
    }
    #expect(try decide("all", refused.tried).get().account == AccountID("a1"))
    #expect(
      decide("o/m1", refused.tried)
        == .failure(
          .noAccount(rejected: [
            .init(account: AccountID("o1"), reason: .alreadyTried),
            .init(account: AccountID("o2"), reason: .notCarried),
          ])))
    // Another model of the provider may be told, and what a provider refused was told.
    var other = refused
    other.upstreamModel = "m2"
    #expect(try decide("o/m1", other.tried).get().account == AccountID("o1"))
    other = refused
    other.status = 400
    #expect(try decide("o/m1", other.tried).get().account == AccountID("o2"))
  }

  @Test("a policy's turns are among those that can be asked")
  func policy() throws {
    let policy = Event.policy(
      .set(
        .init(
          id: PolicyID(organisation: PolicyID.everyone, model: "m1"),
          accounts: ["o1", "a1", "g1"].map { PolicyAccount(account: AccountID($0), weight: 1) },
          failoverThreshold: 3, isUnresolved: false)))
    let snapshot = RoutingSnapshot(folded(recorded(Self.three + [policy])))
    for seed in 0..<20 as Range<UInt64> {
      let decision = try route(
        snapshot, facts("m1", .completions), now: second(1), seed: seed, local: .none, tried: []
      ).get()
      #expect(decision.account == AccountID("o1"))
    }
  }
}
