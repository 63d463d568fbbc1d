public import Domain

/// What would have sent a request to another account than the one that it went to, or anywhere at all.
///
/// Found by carrying out commands on the configuration of then and letting `route` decide again, never by
/// reasoning about its rules: each step lifts what `route` itself named last.
public struct OtherChoice: Sendable, Hashable {
  /// One thing that would have had to be otherwise.
  public enum Step: Sendable, Hashable {
    /// A command, as the administration takes it: `PUT /api/providers/mock-a1 {"priority": 1}`.
    case command(String)
    /// Its turn came so many requests of the group later.
    case later(UInt64)
  }

  /// Who would have been asked.
  public var account: AccountID
  /// `provider/name`.
  public var name: String
  /// In order; empty: nothing that this knows of would have sent it there.
  public var steps: [Step]
  /// What stands against it that no command lifts, in words; nil: the steps suffice.
  public var barrier: String?
}

extension OtherChoice {
  /// What a decision was made from.
  struct Inputs {
    var facts: RequestFacts
    var now: UnixNanoseconds
    var seed: UInt64
    var local: LocalInputs
    var tried: [Tried]
  }

  /// More steps than these are no explanation any more.
  private static let stepsMax = 6
  /// Turns that are looked ahead: more than a policy's weights are worth mentioning.
  private static let turnsMax: UInt64 = 1_000

  /// Looks for the steps that make `route` choose an account.
  static func find(
    _ account: AccountID, _ state: ControlState, _ inputs: Inputs
  ) -> OtherChoice {
    var choice = OtherChoice(
      account: account, name: EventLine.name(account, state), steps: [], barrier: nil)
    var state = state
    var seen: Set<[String]> = []
    while choice.steps.count <= stepsMax {
      let snapshot = RoutingSnapshot(state)
      guard let rejection = rejection(of: account, snapshot, inputs) else {
        choice.barrier = "it is no candidate any more"
        break
      }
      guard let rejection else { return choice }
      if case .notDrawn = rejection, let turns = turns(until: account, snapshot, inputs) {
        choice.steps.append(.later(turns))
        return choice
      }
      guard let (command, text) = lift(rejection, of: account, state, inputs.facts),
        seen.insert([rejection.name, text]).inserted,
        let after = try? state.after([command]), after != state
      else {
        choice.barrier = barrier(rejection, state)
        break
      }
      state = after
      choice.steps.append(.command(text))
    }
    if choice.barrier == nil { choice.barrier = "more than \(stepsMax) things stand against it" }
    choice.steps = []
    return choice
  }

  /// nil: it is no candidate; a candidate without a rejection is the one chosen.
  private static func rejection(
    of account: AccountID, _ snapshot: RoutingSnapshot, _ inputs: Inputs
  ) -> RejectionReason?? {
    let all = candidates(
      snapshot, inputs.facts, now: inputs.now, seed: inputs.seed, local: inputs.local,
      tried: inputs.tried
    ).filter { $0.account == account }
    guard let first = all.first else { return nil }
    return .some(all.contains { $0.rejection == nil } ? nil : first.rejection)
  }

  /// How many requests of the group later it is the account's turn; nil: turns do not decide.
  private static func turns(
    until account: AccountID, _ snapshot: RoutingSnapshot, _ inputs: Inputs
  ) -> UInt64? {
    guard let cursor = inputs.local.cursor else { return nil }
    var local = inputs.local
    for later in 1...turnsMax {
      local.cursor = cursor &+ later
      let outcome = route(
        snapshot, inputs.facts, now: inputs.now, seed: inputs.seed, local: local,
        tried: inputs.tried)
      if (try? outcome.get())?.account == account { return later }
    }
    return nil
  }

  /// The command that lifts a rejection, and how the administration takes it; nil: none does.
  private static func lift(
    _ rejection: RejectionReason, of id: AccountID, _ state: ControlState, _ facts: RequestFacts
  ) -> (Command, String)? {
    guard let account = state.accounts[id] else { return nil }
    func change(_ id: AccountID, _ body: String) -> String {
      "PUT /api/providers/\(id.rawValue) \(body)"
    }
    switch rejection {
    case .disabled: return (.account(.enable(id)), change(id, "{\"isActive\": true}"))
    case .providerDisabled:
      let provider = account.provider
      return (
        .provider(.enable(provider)),
        "PUT /api/provider-nodes/\(provider.rawValue) {\"isActive\": true}"
      )
    case .degraded:
      return (.account(.restore(id)), "POST /v1/admin/routing/backends/\(id.rawValue)/healthy")
    case .cooling, .modelCooling, .probing:
      return (
        .health(.endCooldown(id, scope: nil, reason: .byOperator)),
        "POST /api/providers/\(id.rawValue)/cooldown/end"
      )
    case .notAllowed:
      return admission(of: id, state, facts)
    case .noWeight:
      if account.weight == 0, state.settings.fallbackStrategy == .weighted {
        return (.account(.change(.init(id: id, weight: 1))), change(id, "{\"weight\": 1}"))
      }
      return weight(of: id, state, facts)
    case .lowerPriority(let better):
      guard let other = state.accounts[better] else { return nil }
      if other.priority > 1 {
        let priority = other.priority - 1
        return (
          .account(.change(.init(id: id, priority: priority))),
          change(id, "{\"priority\": \(priority)}")
        )
      }
      let priority = account.priority + 1
      return (
        .account(.change(.init(id: better, priority: priority))),
        change(better, "{\"priority\": \(priority)}")
      )
    case .laterInCombo:
      guard let combo = state.combos[state.aliases[facts.model]?.target ?? facts.model],
        let provider = state.providers[account.provider],
        let first = combo.models.firstIndex(where: { $0.hasPrefix(provider.prefix + "/") }),
        first > 0
      else { return nil }
      var models = combo.models
      models.insert(models.remove(at: first), at: 0)
      let list = models.map { JSONTree.text($0).rendered }.joined(separator: ", ")
        .replacing("\n", with: "")
      return (
        .combo(.set(name: combo.name, models: models, allowUnresolved: true)),
        "PUT /api/combos/\(combo.name) {\"models\": [\(list)]}"
      )
    case .noCredential, .credentialExpired, .notOffered, .alreadyTried, .notCarried, .notDrawn,
      .otherProtocol, .notOwner:
      return nil
    }
  }

  /// Lets the key have the account, or else the model, and nothing more.
  private static func admission(
    of id: AccountID, _ state: ControlState, _ facts: RequestFacts
  ) -> (Command, String)? {
    guard let key = facts.key.flatMap({ state.keys[$0] }) else { return nil }
    var (rights, field, names) = (KeyRights(), "allowedModels", key.allowedModels + [facts.model])
    if !key.allowedAccounts.isEmpty, !key.allowedAccounts.contains(id) {
      rights.allowedAccounts = key.allowedAccounts + [id]
      (field, names) = ("allowedAccounts", (key.allowedAccounts + [id]).map(\.rawValue))
    } else {
      guard !key.allowedModels.isEmpty else { return nil }
      rights.allowedModels = names
    }
    let list = names.map { JSONTree.text($0).rendered.replacing("\n", with: "") }
    return (
      .key(.changeRights(key.id, rights)),
      "PUT /api/keys/\(key.id.rawValue) {\"\(field)\": [\(list.joined(separator: ", "))]}"
    )
  }

  /// Gives the account a share of the policy under which it has none.
  private static func weight(
    of id: AccountID, _ state: ControlState, _ facts: RequestFacts
  ) -> (Command, String)? {
    let organisations = [facts.organisation, PolicyID.everyone].compactMap(\.self)
    let policies = organisations.flatMap { organisation in
      state.policies.values.filter { $0.id.organisation == organisation }
        .sorted { $0.id.model < $1.id.model }
    }
    guard
      let policy = policies.first(where: { policy in
        policy.accounts.contains { $0.account == id && $0.weight == 0 }
      })
    else { return nil }
    var accounts = policy.accounts
    for index in accounts.indices where accounts[index].account == id { accounts[index].weight = 1 }
    return (
      .policy(
        .set(
          policy.id, accounts: accounts, failoverThreshold: policy.failoverThreshold,
          allowUnresolved: true)),
      "POST /v1/admin/routing/policies for \(policy.id.organisation.rawValue)/\(policy.id.model): "
        + "\(id.rawValue) with weight 1"
    )
  }

  private static func barrier(_ rejection: RejectionReason, _ state: ControlState) -> String {
    switch rejection {
    case .noCredential: "it has no credential"
    case .credentialExpired(let end): "its credential expired at \(rfc3339(end))"
    case .notDrawn(let chosen):
      "the decision's dice, session or latencies chose \(EventLine.name(chosen, state))"
    case _: RemadeDecision.reason(rejection, state)
    }
  }
}

extension OtherChoice.Step {
  var text: String {
    switch self {
    case .command(let text): Shown.text(text)
    case .later(let turns):
      turns == 1 ? "its turn was the next one" : "its turn was \(turns) requests later"
    }
  }

  var json: JSONTree {
    switch self {
    case .command(let text): .object([.init("command", .text(text))])
    case .later(let turns): .object([.init("requestsLater", .count(turns))])
    }
  }
}

extension OtherChoice {
  /// For people.
  var text: String {
    barrier.map { "not by a command: \($0)" } ?? steps.map(\.text).joined(separator: "; then ")
  }

  /// For machines.
  var json: JSONTree {
    .object([
      .init("account", .text(account.rawValue)), .init("name", .text(name)),
      .init("steps", .array(steps.map(\.json))), .init("barrier", .text(barrier)),
    ])
  }
}
