import Domain
import Support
import Testing

private let seeds = UInt64(0)..<40

/// What commands can make of an image: keys neither come back nor stop being revoked.
private func reachable(
  _ subject: Subject, from: ControlState, wanted: ControlState
) -> Image? {
  guard case .key(let id) = subject else { return wanted.image(of: subject) }
  guard let before = from.image(of: subject) else { return nil }
  let revoked = Image.Value.text("revoked")
  if before["status"] == revoked { return before }
  guard let after = wanted.image(of: subject) else {
    guard before["status"] == .text("active") else { return before }
    let paused = try? from.after([.key(.pause(id))])
    return paused?.image(of: subject)
  }
  return after
}

private func settable(_ image: Image?) -> [Image.Field]? {
  image?.fields.filter(\.isSettable)
}

private func all(_ a: ControlState, _ b: ControlState) -> [Subject] {
  a.subjects + b.subjects.filter { !a.subjects.contains($0) }
}

/// Whether `commands` from `before` give what is wanted, and one batch of the deciders takes them.
private func expectReached(
  _ before: ControlState, _ wanted: ControlState, _ seed: UInt64
) throws {
  let reversal = before.reversal(toward: wanted)
  _ = try decide(reversal.commands, before)
  let after = try before.after(reversal.commands)
  var reached = 0
  for subject in all(before, wanted) {
    let expected = reachable(subject, from: before, wanted: wanted)
    let isNamed = reversal.caveats.contains { $0.stream == subject.stream }
    let isReached = settable(after.image(of: subject)) == settable(expected)
    reached += isReached ? 1 : 0
    #expect(isReached || isNamed, "seed \(seed), \(subject.stream) is other, and nobody says so")
    // A revoked key is as good as none.
    let isGone = wanted.image(of: subject) == nil && expected?["status"] == .text("revoked")
    if !isGone, settable(expected) != settable(wanted.image(of: subject)) {
      #expect(isNamed, "seed \(seed), \(subject.stream) cannot be so, and nobody says so")
    }
  }
  #expect(reached * 10 >= all(before, wanted).count * 8, "seed \(seed): only \(reached)")
  #expect(after.reversal(toward: wanted).commands == [], "seed \(seed): not done at once")
}

@Test("any configuration is reached from any other by the commands given", arguments: seeds)
func reachesAnything(seed: UInt64) throws {
  try expectReached(
    folded(randomHistory(seed: seed, steps: 120)),
    folded(randomHistory(seed: seed &+ 5_000, steps: 120)), seed)
}

@Test("the way back leads to every moment, and the way forth to the end again", arguments: seeds)
func goesBackAndForth(seed: UInt64) throws {
  let history = randomHistory(seed: seed, steps: 60)
  let end = folded(history)
  for cut in stride(from: 0, through: history.count, by: 7) {
    let then = folded(Array(history[..<cut]))
    try expectReached(end, then, seed)
    let back = try end.after(end.reversal(toward: then).commands)
    try expectReached(back, end, seed)
  }
}

@Test("only what is asked for changes", arguments: seeds)
func changesNothingElse(seed: UInt64) throws {
  var random = SeededRandom(seed: seed)
  let before = folded(randomHistory(seed: seed, steps: 100))
  let wanted = folded(randomHistory(seed: seed &+ 9_000, steps: 100))
  var accepted = 0
  for subject in all(before, wanted) where random.oneIn(2) {
    let reversal = before.reversal(toward: [(subject, wanted.image(of: subject))])
    #expect(reversal.commands.allSatisfy { $0.stream == subject.stream }, "seed \(seed)")
    // Alone it may be against the rules: a provider with accounts, a name that is taken.
    guard let after = try? before.after(reversal.commands) else { continue }
    accepted += 1
    for other in all(before, wanted) where other != subject {
      // What is said of a provider's models goes with the provider.
      if case .model(let model) = other, subject == .provider(model.provider) { continue }
      #expect(after.image(of: other) == before.image(of: other), "seed \(seed)")
    }
    #expect(after.settings.adminPasswordPosition == before.settings.adminPasswordPosition)
    for (id, key) in before.keys {
      #expect(after.keys[id]?.fingerprint == key.fingerprint, "seed \(seed)")
    }
    for (id, account) in before.accounts where after.accounts[id]?.provider == account.provider {
      #expect(
        after.accounts[id]?.credential.fingerprint == account.credential.fingerprint, "seed \(seed)"
      )
    }
  }
  #expect(accepted > 0, "seed \(seed)")
}

@Test("providers that exchanged their prefixes exchange them again")
func swapsNames() throws {
  let then = state([.added(provider("p1", prefix: "x")), .added(provider("p2", prefix: "y"))])
  let now = state([.added(provider("p1", prefix: "y")), .added(provider("p2", prefix: "x"))])
  let commands = now.reversal(toward: then).commands
  let after = try now.after(commands)
  #expect(after.providers.mapValues(\.prefix) == then.providers.mapValues(\.prefix))
  #expect(commands.count == 3, "one of them takes a name in between")
}

@Test("accounts that exchanged their names exchange them again")
func swapsAccountNames() throws {
  let p1 = Event.added(provider("p1"))
  let then = state([p1, .added(account("a", name: "n1")), .added(account("b", name: "n2"))])
  let now = state([p1, .added(account("a", name: "n2")), .added(account("b", name: "n1"))])
  let after = try now.after(now.reversal(toward: then).commands)
  #expect(after.accounts.mapValues(\.name) == then.accounts.mapValues(\.name))
}

@Test("an account comes back without its credential, and the answer says so")
func comesBackWithoutCredential() throws {
  let then = state([
    .added(provider("p1")), .added(account("a1", priority: 7)), .issued("a1", 1, 1),
    .account(.disabled(AccountID("a1"))),
  ])
  let now = try then.after([.account(.remove(AccountID("a1")))])
  let reversal = now.reversal(toward: then)
  let after = try now.after(reversal.commands)
  let account = try #require(after.accounts[AccountID("a1")])
  #expect(account.priority == 7)
  #expect(!account.isEnabled)
  #expect(account.credential.fingerprint == nil)
  #expect(account.credential.generation == 1, "generations only grow")
  #expect(reversal.caveats.map(\.stream) == ["account/a1"])
  #expect(reversal.caveats[0].message.contains("without a credential"))
}

@Test("an alias goes back to a missing model only where that is allowed, or was so then")
func revertsUnresolvedAliases() throws {
  let now = state([.added(provider("p1")), .aliased("fast", "p1/m1")])
  let gone = state([.added(provider("p1")), .aliased("fast", "p1/gone")])
  let marked = state([.added(provider("p1")), .aliased("fast", "p1/gone", isUnresolved: true)])
  let fast = Subject.alias("fast")
  let refused = now.reversal(toward: [(fast, gone.image(of: fast))])
  #expect(throws: Refusal.self) { try now.after(refused.commands) }
  for (image, isAllowed) in [(gone.image(of: fast), true), (marked.image(of: fast), false)] {
    let allowed = now.reversal(toward: [(fast, image)], allowUnresolved: isAllowed)
    let after = try now.after(allowed.commands)
    #expect(after.aliases["fast"]?.target == "p1/gone")
    #expect(after.aliases["fast"]?.isUnresolved == true)
  }
}

@Test("images hold no secret and every setting is found under the name of the answers")
func imagesName() throws {
  let state = state([
    .added(provider("p1", excluded: ["x*"])), .added(account("a1")), .issued("a1", 1, 3),
    .aliased("fast", "p1/m1"), .created(key("k1")),
  ])
  let fields = Dictionary(
    uniqueKeysWithValues: state.subjects.map {
      ($0.stream, state.image(of: $0)?.fields.map(\.name) ?? [])
    })
  #expect(
    fields["provider/p1"] == [
      "name", "protocol", "baseUrl", "prefix", "models", "excludedModels", "isActive",
      "healthCheckSeconds", "oauth", "discoveredModels",
    ])
  #expect(
    fields["account/a1"] == ["provider", "name", "priority", "weight", "isActive", "degraded"])
  #expect(fields["alias/fast"] == ["model", "isUnresolved"])
  #expect(
    fields["key/k1"] == [
      "name", "organisation", "maskedKey", "fingerprint", "diagnostics", "expiresAt",
      "allowedModels", "allowedAccounts", "limits", "budgets", "status",
    ])
  #expect(
    fields["settings"] == [
      "fallbackStrategy", "requireApiKey", "forceModelPrefix", "maxBodyBytes", "trustedProxies",
      "stickyRoundRobinLimit", "maxAttempts", "requestTimeoutSeconds", "cloudUrl",
      "cloudProtocol", "machineId", "syncSecrets", "syncIntervalSeconds", "cloudToken",
    ])
  let credential = try #require(state.image(ofStream: "credential/a1"))
  #expect(credential["credentialGeneration"] == .number(1))
  #expect(credential["fingerprint"] == .text(fingerprint(3).short))
  #expect(credential["fingerprint"].text?.utf8.count == 12)
  #expect(state.image(ofStream: "request") == nil)
  #expect(state.image(ofStream: "alias/none") == nil)
  for subject in state.subjects { #expect(Subject(stream: subject.stream) == subject) }
}

// MARK: One stream alone

@Test(
  "a stream's own events tell the resource, who set what, and from where to begin", arguments: seeds
)
func foldsOneStream(seed: UInt64) throws {
  let history = randomHistory(seed: seed, steps: 120)
  let end = folded(history)
  let streams = Set(history.compactMap(\.event?.stream))
  for stream in streams {
    guard let subject = Subject(stream: stream) else {
      #expect(stream == accessStream)
      continue
    }
    // What is known of these goes with their account or provider, of which their own stream knows nothing.
    let isApart: Bool
    switch subject {
    case .model, .health: isApart = true
    case _: isApart = false
    }
    let own = history.filter { $0.event?.stream == stream }
    var fold = StreamFold(subject)
    var last: [String: UInt64] = [:]
    var before = fold.image
    for record in own {
      let differences = fold.apply(record)
      #expect(differences == Image.difference(before, fold.image), "seed \(seed), \(stream)")
      if before == nil || fold.image == nil { last = [:] }
      if before == nil {
        for field in fold.image?.fields ?? [] { last[field.name] = record.position }
      }
      if fold.image != nil { for one in differences { last[one.field] = record.position } }
      before = fold.image
    }
    if !isApart { #expect(fold.image == end.image(of: subject), "seed \(seed), \(stream)") }
    #expect(fold.writers.mapValues(\.position) == last, "seed \(seed), \(stream)")
    let whole = own.lastIndex { $0.event?.isWhole ?? false } ?? 0
    var short = StreamFold(subject)
    for record in own[whole...] { short.apply(record) }
    #expect(short.image == fold.image, "seed \(seed), \(stream)")
  }
}
