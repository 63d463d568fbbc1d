import Domain
import EventStore

/// A gateway's life whose recorded decisions are the router's own: what `replay verify` makes again.
///
/// Five providers with six accounts each, ten models under their prefixed, bare and alias names, a combo, a policy,
/// 200 keys. Each strategy holds for a twentieth of the log at a time; every 5,000 requests an operator edits or an
/// account cools. One request in 25 fails over. With `unrest` there is an edit of anything after so many requests, and
/// most requests go through several hands.
///
/// Tests/InquiryTests has this file too.
enum Decisions {
  private static let providers = ["anthropic", "gemini", "local", "openai", "openrouter"]
  private static let models = [
    ("openai", "gpt-4o-mini"), ("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"),
    ("gemini", "gemini-2.5-flash"), ("anthropic", "claude-haiku-4-5"),
    ("openrouter", "deepseek/deepseek-v3.2"), ("openai", "gpt-5-mini"),
    ("gemini", "gemini-2.5-pro"), ("openrouter", "qwen/qwen3-coder"),
    ("local", "llama-3.3-70b-instruct"),
  ]

  /// What was written.
  struct Figures {
    /// Attempts, each of which was decided.
    var decisions: UInt64
    /// Events of the configuration and of accounts' health.
    var edits: UInt64
    /// Requests that nobody was asked for, which leave no decision.
    var refused: UInt64
    var events: UInt64
  }

  /// Appends `count` requests and what goes on beside them to an empty log.
  ///
  /// - Parameters:
  ///   - unrest: 0: none.
  ///   - reached: told how many requests there are, after each batch.
  static func write(
    to store: EventStore, seed: UInt64, count: UInt64, unrest: UInt64,
    reached: (UInt64) -> Void = { _ in }
  ) throws -> Figures {
    var life = Life(seed: seed, isRestless: unrest > 0)
    try life.run(setUp())
    let strategies = Strategy.allCases
    for number in 0..<count {
      if number.isMultiple(of: max(1, count / 20)) {
        let strategy = strategies[Int(number / max(1, count / 20)) % strategies.count]
        try life.run([.settings(.change(.init(fallbackStrategy: strategy)))])
      }
      if unrest > 0 {
        if number % unrest == unrest - 1 { life.upset() }
      } else if number % 5_000 == 4_999 {
        try life.edit(number)
      }
      try life.request(number)
      if life.drafts.count >= 1_000 {
        _ = try store.appendAndWait(AppendBatch(events: life.drafts), durability: .written)
        life.drafts.removeAll(keepingCapacity: true)
        reached(number)
      }
    }
    if !life.drafts.isEmpty {
      _ = try store.appendAndWait(AppendBatch(events: life.drafts), durability: .durable)
    }
    return Figures(
      decisions: life.decisions, edits: life.edits, refused: life.refused, events: life.position)
  }

  private static func setUp() -> [Command] {
    var commands: [Command] = []
    for (place, provider) in providers.enumerated() {
      let id = ProviderID(provider)
      commands.append(
        .provider(
          .add(
            .init(
              id: id, name: provider, dialect: .openai, baseURL: "http://127.0.0.1:9/v1",
              prefix: provider,
              models: models.filter { $0.0 == provider }.map { .init(name: $0.1) },
              excludedModels: []))))
      for number in 1...6 {
        let mark = [UInt8(place), UInt8(number)] + [UInt8](repeating: 7, count: 30)
        commands.append(
          .account(
            .add(
              .init(
                id: AccountID("\(provider).account-\(number)"), provider: id, name: "a\(number)",
                priority: UInt32(number), weight: UInt32(10 * number)),
              credential: .key(Fingerprint(mark)))))
      }
    }
    commands.append(
      .alias(.set(name: "fast", target: "openai/gpt-4o-mini", allowUnresolved: false)))
    commands.append(
      .alias(.set(name: "smart", target: "anthropic/claude-sonnet-4-5", allowUnresolved: false)))
    commands.append(
      .combo(
        .set(
          name: "best", models: ["gemini/gemini-2.5-pro", "openai/gpt-4o"], allowUnresolved: false))
    )
    commands.append(
      .organisation(.create(.init(id: OrganisationID("team-1"), name: "team-1"))))
    commands.append(
      .policy(
        .set(
          PolicyID(organisation: OrganisationID("team-1"), model: "gpt-4o"),
          accounts: [
            .init(account: AccountID("openai.account-1"), weight: 80),
            .init(account: AccountID("openai.account-2"), weight: 20),
          ], failoverThreshold: 3, allowUnresolved: false)))
    return commands
  }

  /// The configuration as it grows, and what is not appended yet.
  private struct Life {
    private var dice: Dice
    private var state = ControlState.initial
    private var view: RoutingSnapshot?
    private let keys: [KeyID]
    var drafts: [EventDraft] = []
    private(set) var position: UInt64 = 0
    private(set) var decisions: UInt64 = 0
    private(set) var edits: UInt64 = 0
    /// Requests that nobody was asked for, which leave no decision.
    private(set) var refused: UInt64 = 0
    private let isRestless: Bool
    private var time: Int64 = 1_795_208_019_000_000_000

    init(seed: UInt64, isRestless: Bool) {
      self.isRestless = isRestless
      var dice = Dice(seed)
      keys = (0..<200).map { _ in KeyID(uuidText(dice.uuid(milliseconds: 1_790_000_000_000))) }
      self.dice = dice
    }

    mutating func run(_ commands: [Command]) throws {
      for command in commands {
        for proposed in try decide(command, state) {
          add(proposed.event)
          edits += 1
        }
      }
      view = nil
    }

    private mutating func add(_ event: Event) {
      position += 1
      state.apply(
        Recorded(
          position: position, time: UnixNanoseconds(time), kind: event.kind, provenance: .system,
          content: .event(event)))
      draft(event)
    }

    private mutating func draft(_ event: Event) {
      drafts.append(
        EventDraft(
          id: EventID(dice.uuid(milliseconds: UInt64(time / 1_000_000))), stream: event.stream,
          kind: event.kind, time: time, lookupKeys: event.lookupKeys,
          payload: encode(event, .system)))
    }

    /// An edit of anything; what is refused changes nothing.
    mutating func upset() {
      let unrest = Unrest(providers: providers, models: models)
      try? run([unrest.command(&dice, time: time)])
    }

    mutating func edit(_ number: UInt64) throws {
      let provider = dice.one(of: providers)
      let account = AccountID("\(provider).account-\(1 + dice.below(6))")
      switch dice.below(3) {
      case 0:
        let (provider, model) = dice.one(of: models)
        try run([
          .alias(
            .set(
              name: "team-\(dice.below(24))", target: "\(provider)/\(model)", allowUnresolved: false
            ))
        ])
      case 1:
        try run([.account(.change(.init(id: account, weight: UInt32(1 + dice.below(100)))))])
      default:
        try run([
          .health(
            .startCooldown(
              .init(
                account: account, scope: .account, rule: "rate_limited",
                until: UnixNanoseconds(time + 30_000_000_000), status: 429, errorCode: nil)))
        ])
      }
    }

    mutating func request(_ number: UInt64) throws {
      time += 2_000_000
      let view = view ?? RoutingSnapshot(state)
      self.view = view
      let (provider, model) = dice.one(of: models)
      let asked =
        switch dice.below(10) {
        case 0...5: "\(provider)/\(model)"
        case 6: model
        case 7: "fast"
        case 8: "smart"
        default: "best"
        }
      let organisation = OrganisationID("team-\(dice.below(24))")
      let key = dice.one(of: keys)
      let session = dice.below(4) == 0 ? dice.next() : nil
      let facts = RequestFacts(
        model: asked, organisation: organisation, key: key, operation: .chatCompletions,
        session: session)
      let errors: [(ErrorClass, UInt16?)] = [(.account, 429), (.provider, 503), (.network, nil)]
      var attempts: [Attempt] = []
      var resolved: String?
      let tries = isRestless ? Int(1 + dice.below(4)) : dice.below(25) == 0 ? 2 : 1
      for index in 0..<tries {
        let clock = UnixNanoseconds(time + Int64(index) * 40_000_000)
        let seed = dice.next()
        let takesTurns =
          state.settings.fallbackStrategy == .roundRobin
          || state.settings.fallbackStrategy == .weighted
        let local: LocalInputs
        let outcome: Result<RoutingDecision, RoutingRefusal>
        if isRestless {
          var source = NotingSource(turn: number, seed: seed)
          outcome = route(
            view, facts, now: clock, seed: seed, local: &source, tried: attempts.map(\.tried))
          local = source.noted
        } else {
          local = takesTurns ? LocalInputs(cursor: number) : .none
          outcome = route(
            view, facts, now: clock, seed: seed, local: local, tried: attempts.map(\.tried))
        }
        guard case .success(let decision) = outcome else { break }
        let isLast = index + 1 == tries
        let (error, status) =
          isRestless ? errors[Int(seed % UInt64(errors.count))] : errors[0]
        attempts.append(
          Attempt(
            snapshot: view.position, now: clock, seed: seed, local: local,
            account: decision.account, rule: decision.rule, status: isLast ? 200 : status,
            errorClass: isLast ? nil : error,
            errorCode: isLast ? nil : status.map { "status_\($0)" } ?? "connect_refused",
            connectMicroseconds: 0, firstByteMicroseconds: 20_000 + dice.below(900_000),
            totalMicroseconds: 900_000 + dice.below(900_000), upstreamModel: decision.upstreamModel)
        )
        resolved = "\(decision.provider.rawValue)/\(decision.upstreamModel)"
      }
      let isServed = attempts.last.map { $0.errorClass == nil } ?? false
      if attempts.isEmpty { refused += 1 } else { attempts[attempts.count - 1].upstreamModel = nil }
      decisions += UInt64(attempts.count)
      position += 1
      draft(
        .request(
          .finished(
            RequestEvent.Finished(
              id: RequestID(dice.uuid(milliseconds: UInt64(time / 1_000_000))),
              clientRequestID: nil, organisation: organisation, key: key,
              remoteAddress: "10.0.0.\(1 + dice.below(200))", operation: .chatCompletions,
              modelAsked: asked, modelResolved: resolved, isStream: true,
              receivedAt: UnixNanoseconds(time), attempts: attempts, status: isServed ? 200 : 503,
              ending: isServed ? .completed : .failed,
              errorCode: isServed ? nil : "no_account_available",
              errorClass: isServed ? nil : .provider,
              usage: TokenUsage(input: 40 + dice.below(4_000), output: 12 + dice.below(900)),
              requestBytes: 400 + dice.below(9_000), responseBytes: 700 + dice.below(9_000),
              queueMicroseconds: 20 + dice.below(90), firstByteMicroseconds: 30_000,
              totalMicroseconds: 900_000 + dice.below(900_000), session: session))))
    }
  }
}
