import Domain

/// Edits of everything that decisions depend on, one after the other, as nobody would make them.
///
/// What the rules refuse is no edit.
struct Unrest {
  let providers: [String]
  let models: [(String, String)]

  /// The next edit.
  func command(_ dice: inout Dice, time: Int64) -> Command {
    let provider = dice.one(of: providers)
    let account = account(&dice, of: provider)
    switch dice.below(17) {
    case 0, 1:
      return .alias(.set(name: alias(&dice), target: target(&dice), allowUnresolved: true))
    case 2: return .alias(.remove(name: "team-\(dice.below(24))"))
    case 3:
      let models = (0...dice.below(3)).map { _ in target(&dice) }
      return .combo(.set(name: "best", models: models, allowUnresolved: true))
    case 4, 5:
      let (provider, model) = dice.one(of: models)
      let accounts = (1...6).filter { _ in dice.below(2) == 0 }.map {
        PolicyAccount(
          account: AccountID("\(provider).account-\($0)"), weight: UInt32(dice.below(100)))
      }
      return .policy(
        .set(
          PolicyID(organisation: OrganisationID("team-\(dice.below(24))"), model: model),
          accounts: accounts, failoverThreshold: UInt32(1 + dice.below(4)), allowUnresolved: true))
    case 6:
      let model = dice.one(of: models).1
      return .policy(
        .remove(PolicyID(organisation: OrganisationID("team-\(dice.below(24))"), model: model)))
    case 7:
      return .account(
        .change(
          .init(
            id: account, priority: UInt32(1 + dice.below(6)), weight: UInt32(1 + dice.below(100)))))
    case 8: return .account(dice.below(8) == 0 ? .disable(account) : .enable(account))
    case 9:
      return .account(
        dice.below(8) == 0 ? .degrade(account, reason: "slow") : .restore(account))
    case 10:
      let id = ProviderID(provider)
      return .provider(dice.below(12) == 0 ? .disable(id) : .enable(id))
    case 11:
      let excluded = dice.below(2) == 0 ? ["*-pro"] : []
      return .provider(.change(.init(id: ProviderID(provider), excludedModels: excluded)))
    case 12, 13:
      let model = models.first { $0.0 == provider }?.1 ?? "none"
      return .health(
        .startCooldown(
          .init(
            account: account, scope: dice.below(2) == 0 ? .account : .model(model),
            rule: "rate_limited",
            until: UnixNanoseconds(time + Int64(1 + dice.below(20)) * 100_000_000),
            status: 429, errorCode: nil)))
    case 14: return .health(.endCooldown(account, scope: nil, reason: .passedTest))
    case 15:
      return .settings(
        .change(
          .init(
            fallbackStrategy: dice.one(of: Strategy.allCases),
            forceModelPrefix: dice.below(8) == 0)))
    case _:
      return .account(
        .setCredentialExpiry(
          account,
          dice.below(8) == 0 ? UnixNanoseconds(time + Int64(dice.below(20)) * 100_000_000) : nil))
    }
  }

  private func account(_ dice: inout Dice, of provider: String) -> AccountID {
    AccountID("\(provider).account-\(1 + dice.below(6))")
  }

  private func alias(_ dice: inout Dice) -> String {
    switch dice.below(4) {
    case 0: "fast"
    case 1: "smart"
    case _: "team-\(dice.below(24))"
    }
  }

  private func target(_ dice: inout Dice) -> String {
    let (provider, model) = dice.one(of: models)
    return "\(provider)/\(model)"
  }
}

/// Answers as a gateway's live state might, and notes them as a gateway does.
struct NotingSource: LocalSource {
  private(set) var noted = LocalInputs()
  private var dice: Dice
  private let turn: UInt64

  init(turn: UInt64, seed: UInt64) {
    self.turn = turn
    dice = Dice(seed)
  }

  mutating func cursor(of group: String) -> UInt64? {
    noted.cursor = turn
    return turn
  }

  mutating func isProbeFree(_ account: AccountID, model: String) -> Bool {
    // Asked again within a decision it is the same answer.
    if noted.heldProbes.contains(account) { return false }
    guard dice.below(8) == 0 else { return true }
    noted.heldProbes.append(account)
    return false
  }

  mutating func latency(of account: AccountID) -> UInt64 {
    let figure = 10_000 + dice.below(900_000)
    noted.latencies.append(.init(account: account, microseconds: figure))
    return figure
  }
}
