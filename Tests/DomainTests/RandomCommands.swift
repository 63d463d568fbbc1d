import Domain
import Support

/// Commands over few names, so that collisions, removals and returns are common.
///
/// - Parameter kinds: how many of the kinds of command may come up.
func randomCommand(_ random: inout SeededRandom, kinds: Int = 35) -> Command {
  let provider = ProviderID("p\(random.int(1...4))")
  let account = AccountID("a\(random.int(1...6))")
  let alias = ["fast", "smart", "p1", "m1", "x"][random.int(0...4)]
  let key = KeyID("k\(random.int(1...4))")
  let organisation = OrganisationID(["default", "o1", "o2"][random.int(0...2)])
  let limits = Limits(requestsPerSecond: UInt32(random.int(1...3)))
  let budget = Budget(period: .day, microUSD: UInt64(random.int(1...2)), tokens: nil)
  let policy = PolicyID(
    organisation: random.oneIn(2) ? PolicyID.everyone : organisation,
    model: ["m1", "m2", "big"][random.int(0...2)])
  switch random.int(0...kinds - 1) {
  case 0, 1, 2:
    return .provider(
      .add(
        .init(
          id: provider, name: "n\(random.int(1...2))", dialect: .openai,
          baseURL: "http://h\(random.int(1...2))/v1", prefix: "p\(random.int(1...4))",
          models: randomModels(&random), excludedModels: random.oneIn(4) ? ["m2*"] : [])))
  case 3:
    return .provider(
      .change(
        .init(
          id: provider, name: random.oneIn(2) ? "n\(random.int(1...2))" : nil,
          prefix: random.oneIn(3) ? "p\(random.int(1...4))" : nil,
          models: random.oneIn(2) ? randomModels(&random) : nil)))
  case 4: return .provider(.enable(provider))
  case 5: return .provider(.disable(provider))
  case 6: return .provider(.remove(provider))
  case 7, 8, 9:
    return .account(
      .add(
        .init(
          id: account, provider: provider, name: "n\(random.int(1...4))",
          priority: UInt32(random.int(1...2)), weight: 1),
        credential: random.oneIn(3) ? nil : .key(fingerprint(random.int(1...9)))))
  case 10:
    return .account(
      .change(
        .init(
          id: account, name: random.oneIn(2) ? "n\(random.int(1...4))" : nil,
          priority: UInt32(random.int(0...3)))))
  case 11: return .account(.enable(account))
  case 12: return .account(.disable(account))
  case 13: return .account(.remove(account))
  case 14: return .account(.issueCredential(account, .key(fingerprint(random.int(1...9)))))
  case 15, 16:
    let targets = ["p1/m1", "p2/m2", "p3/big", "m1", "m2", "a/b", "p1/a/b", "nowhere", "fast"]
    return .alias(
      .set(
        name: alias, target: targets[random.int(0...8)], allowUnresolved: random.oneIn(3)))
  case 17: return .alias(.remove(name: alias))
  case 18:
    return .key(
      .create(
        .init(
          id: key, name: key.rawValue, organisation: organisation,
          fingerprint: fingerprint(random.int(1...6)), masked: "…", diagnostics: random.oneIn(2),
          expiresAt: nil)))
  case 19: return .key([.pause(key), .resume(key), .revoke(key)][random.int(0...2)])
  case 20:
    return .settings(
      .change(
        .init(
          requireAPIKey: random.oneIn(2), forceModelPrefix: random.oneIn(3),
          maxBodyBytes: UInt64(random.int(1_000...5_000)))))
  case 21: return .settings(.setAdminPassword)
  case 22:
    return .organisation(
      .create(
        .init(
          id: organisation, name: "o", limits: random.oneIn(2) ? limits : .none,
          budgets: random.oneIn(2) ? [budget] : [])))
  case 23:
    return .organisation(
      .change(
        .init(
          id: organisation, name: random.oneIn(2) ? "n\(random.int(1...2))" : nil,
          limits: random.oneIn(2) ? limits : nil, budgets: random.oneIn(3) ? [] : nil)))
  case 24:
    return .organisation(
      [.pause(organisation), .resume(organisation), .remove(organisation)][random.int(0...2)])
  case 25, 26:
    let models = ["p1/m1", "p2/m2", "p3/big", "m1", "m2", "nowhere", "fast"]
    return .combo(
      .set(
        name: ["smart", "c1", "fast", "p2"][random.int(0...3)],
        models: [models[random.int(0...6)], models[random.int(0...6)]],
        allowUnresolved: random.oneIn(3)))
  case 27: return .combo(.remove(name: random.oneIn(2) ? "smart" : "c1"))
  case 28, 29:
    return .policy(
      .set(
        policy,
        accounts: [
          PolicyAccount(account: account, weight: UInt32(random.int(0...3))),
          PolicyAccount(
            account: AccountID("a\(random.int(1...6))"), weight: UInt32(random.int(0...3))),
        ], failoverThreshold: UInt32(random.int(1...3)), allowUnresolved: random.oneIn(2)))
  case 30: return .policy(.remove(policy))
  case 31:
    let model = ModelID(provider: provider, name: ["m1", "m2", "a/b"][random.int(0...2)])
    return .model(random.oneIn(2) ? .disable(model) : .enable(model))
  case 32:
    return random.oneIn(2)
      ? .account(random.oneIn(2) ? .degrade(account, reason: "r") : .restore(account))
      : .provider(
        .discover(
          .init(id: provider, account: account, models: random.oneIn(2) ? ["m1", "d1"] : ["d2"])))
  case 33:
    let until = UnixNanoseconds(Int64(random.int(0...90)) * 1_000_000_000)
    return [
      Command.health(
        .startCooldown(
          .init(
            account: account, scope: random.oneIn(2) ? .account : .model("m1"), rule: "operator",
            until: until))),
      .health(.endCooldown(account, scope: nil, reason: .byOperator)),
      .health(
        .recordTest(
          .init(
            account: account, model: "m1", isValid: random.oneIn(2), latencyMicroseconds: 9,
            status: 200, errorClass: nil, errorCode: nil),
          began: UInt64(random.int(0...90)))),
      .health(.note(.init(account: account, testStatus: .active, error: .cleared))),
      .account(.setCredentialExpiry(account, random.oneIn(2) ? until : nil)),
    ][random.int(0...4)]
  // Behind the others: with 35 kinds, worlds that were found by their seeds stay what they are.
  case 35:
    let syncToken = SyncTokenID("t\(random.int(1...3))")
    return [
      Command.settings(
        .changeSync(
          .init(
            cloudURL: random.oneIn(2) ? "https://peer.example.com" : "",
            cloudProtocol: random.oneIn(2) ? .nineRouter : nil,
            intervalSeconds: random.oneIn(2) ? 60 : 9))),
      .settings(
        random.oneIn(3) ? .removeCloudToken : .setCloudToken(fingerprint(random.int(1...3)))),
      .syncToken(
        random.oneIn(3)
          ? .revoke(syncToken)
          : syncToken.rawValue == "t3"
            ? .bind(.init(id: SyncTokenID("t1"), node: NodeID("n1"), isProven: false))
            : .issue(.init(id: syncToken, name: "node", fingerprint: fingerprint(9)))),
    ][random.int(0...2)]
  case _:
    return [
      Command.key(
        .changeRights(
          key,
          KeyRights(
            allowedModels: random.oneIn(2) ? ["p1/*", "m2"] : [],
            allowedAccounts: random.oneIn(3) ? [account] : nil,
            expiry: random.oneIn(3) ? .at(second(50)) : nil,
            limits: random.oneIn(3) ? limits : nil, budgets: random.oneIn(3) ? [budget] : nil))),
      .pricing(
        .change(
          .init(
            set: [
              .init(
                id: PriceID(provider: provider, model: "m1"),
                price: Price(input: UInt64(random.int(0...2)), output: 2))
            ], removed: random.oneIn(2) ? [PriceID(provider: provider, model: "m2")] : []))),
      .settings(.setTrustedProxies(random.oneIn(2) ? ["10.0.0.0/8"] : [])),
      .access(.note(.sessionRevoked(.init(session: 7, expiresAt: second(60))))),
      .access(.note(.allSessionsRevoked)),
    ][random.int(0...4)]
  }
}

private func randomModels(_ random: inout SeededRandom) -> [ProviderModel] {
  var models: [ProviderModel] = []
  for name in ["m1", "m2", "a/b", "p2/m1"] where random.oneIn(2) {
    models.append(ProviderModel(name: name, alias: name == "m2" && random.oneIn(2) ? "big" : nil))
  }
  return models
}

/// A history as `steps` random commands make it; refused ones leave no trace.
func randomHistory(seed: UInt64, steps: Int, kinds: Int = 35) -> [Recorded] {
  var random = SeededRandom(seed: seed)
  var state = ControlState.initial
  var history: [Recorded] = []
  for _ in 0..<steps {
    guard let proposed = try? decide(randomCommand(&random, kinds: kinds), state) else {
      continue
    }
    for record in recorded(proposed.map(\.event), from: UInt64(history.count) + 1) {
      state.apply(record)
      history.append(record)
    }
  }
  return history
}
