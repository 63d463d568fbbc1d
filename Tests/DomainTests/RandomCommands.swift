import Domain
import Support

/// Commands over few names, so that collisions, removals and returns are common.
func randomCommand(_ random: inout SeededRandom) -> Command {
  let provider = ProviderID("p\(random.int(1...4))")
  let account = AccountID("a\(random.int(1...6))")
  let alias = ["fast", "smart", "p1", "m1", "x"][random.int(0...4)]
  let key = KeyID("k\(random.int(1...4))")
  switch random.int(0...21) {
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
        credential: random.oneIn(3) ? nil : fingerprint(random.int(1...9))))
  case 10:
    return .account(
      .change(
        .init(
          id: account, name: random.oneIn(2) ? "n\(random.int(1...4))" : nil,
          priority: UInt32(random.int(0...3)))))
  case 11: return .account(.enable(account))
  case 12: return .account(.disable(account))
  case 13: return .account(.remove(account))
  case 14: return .account(.issueCredential(account, fingerprint(random.int(1...9))))
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
          id: key, name: key.rawValue, organisation: .standard,
          fingerprint: fingerprint(random.int(1...6)), masked: "…", diagnostics: random.oneIn(2),
          expiresAt: nil)))
  case 19: return .key([.pause(key), .resume(key), .revoke(key)][random.int(0...2)])
  case 20:
    return .settings(
      .change(
        .init(
          requireAPIKey: random.oneIn(2), forceModelPrefix: random.oneIn(3),
          maxBodyBytes: UInt64(random.int(1_000...5_000)))))
  case _: return .settings(.setAdminPassword)
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
func randomHistory(seed: UInt64, steps: Int) -> [Recorded] {
  var random = SeededRandom(seed: seed)
  var state = ControlState.initial
  var history: [Recorded] = []
  for _ in 0..<steps {
    guard let proposed = try? decide(randomCommand(&random), state) else { continue }
    for record in recorded(proposed.map(\.event), from: UInt64(history.count) + 1) {
      state.apply(record)
      history.append(record)
    }
  }
  return history
}
