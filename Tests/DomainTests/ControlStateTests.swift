import Domain
import Support
import Testing

private let seeds = UInt64(0)..<60

@Test("state after any prefix plus the tail is the state from zero", arguments: seeds)
func foldsAnywhere(seed: UInt64) {
  let history = randomHistory(seed: seed, steps: 60, kinds: 36)
  #expect(!history.isEmpty)
  let whole = folded(history)
  for cut in 0...history.count {
    let prefix = folded(Array(history[..<cut]))
    #expect(folded(Array(history[cut...]), from: prefix) == whole, "seed \(seed), cut \(cut)")
  }
}

@Test("state from encoded records is the state from the events themselves", arguments: seeds)
func foldsDecoded(seed: UInt64) throws {
  let history = randomHistory(seed: seed, steps: 60, kinds: 36)
  var state = ControlState.initial
  for record in history {
    guard case .event(let event) = record.content else { continue }
    state.apply(
      try Recorded(
        position: record.position, time: record.time, kind: record.kind,
        bytes: encode(event, record.provenance)))
  }
  #expect(state == folded(history), "seed \(seed)")
}

@Test(
  "requests, the gateway's own life and unknown kinds change nothing, wherever they stand",
  arguments: seeds)
func ignoresIrrelevant(seed: UInt64) throws {
  var random = SeededRandom(seed: seed)
  let history = randomHistory(seed: seed, steps: 40, kinds: 36)
  let noise = try ["request.finished.v1", "gateway.started.v1"].map {
    Recorded.Content.event(try #require(WireKind.sample($0)))
  }
  var state = ControlState.initial
  for record in history {
    state.apply(record)
    let before = state
    let content = random.oneIn(3) ? .unknown(bytes: [1]) : noise[random.int(0...1)]
    state.apply(
      Recorded(
        position: record.position + 1_000, time: record.time, kind: "x", provenance: .system,
        content: content))
    #expect(state == before, "seed \(seed)")
  }
}

@Test("expected revisions are those the log counts, and decisions keep the rules", arguments: seeds)
func countsRevisions(seed: UInt64) {
  var random = SeededRandom(seed: seed)
  var state = ControlState.initial
  var counted: [String: UInt64] = [:]
  var position: UInt64 = 0
  for _ in 0..<120 {
    let command = randomCommand(&random)
    guard let proposed = try? decide(command, state) else { continue }
    for one in proposed {
      #expect(one.expectedRevision == counted[one.stream] ?? 0, "seed \(seed)")
      counted[one.stream, default: 0] += 1
      position += 1
      for record in recorded([one.event], from: position) { state.apply(record) }
      #expect(state.revision(ofStream: one.stream) == counted[one.stream], "seed \(seed)")
    }
    expectRules(state, seed)
  }
  // Signing in and out moves no routing view on.
  #expect(state.position <= position)
}

/// What must hold after any sequence of decisions.
private func expectRules(_ state: ControlState, _ seed: UInt64) {
  let prefixes = state.providers.values.map(\.prefix)
  #expect(Set(prefixes).count == prefixes.count, "seed \(seed)")
  for account in state.accounts.values {
    #expect(state.providers[account.provider] != nil, "seed \(seed)")
    #expect((account.credential.fingerprint == nil) == (account.credential.position == nil))
  }
  let names = state.accounts.values.map { "\($0.provider.rawValue)/\($0.name)" }
  #expect(Set(names).count == names.count, "seed \(seed)")
  for alias in state.aliases.values {
    #expect(!prefixes.contains(alias.name), "seed \(seed)")
    #expect(state.aliases[alias.target] == nil, "seed \(seed)")
  }
  let fingerprints = state.keys.values.map(\.fingerprint)
  #expect(Set(fingerprints).count == fingerprints.count, "seed \(seed)")
  for provider in state.providers.values {
    #expect(provider.revision == state.revision(ofStream: "provider/\(provider.id.rawValue)"))
  }
}

@Test("what was decided once is not decided again", arguments: seeds)
func decidesOnce(seed: UInt64) {
  var random = SeededRandom(seed: seed)
  var state = folded(randomHistory(seed: seed &+ 1_000, steps: 30))
  for _ in 0..<60 {
    let command = randomCommand(&random)
    guard let proposed = try? decide(command, state), !proposed.isEmpty else { continue }
    for record in recorded(proposed.map(\.event), from: state.position + 1) { state.apply(record) }
    switch command {
    // Every one of them is a fact of its own.
    case .settings(.setAdminPassword), .access, .sync, .merged, .health(.recordTest): continue
    case _: break
    }
    switch Result(catching: { () throws(Refusal) in try decide(command, state) }) {
    case .success(let again): #expect(again == [], "seed \(seed), \(command)")
    case .failure(let refusal):
      let expected: Set<Refusal.Code> = [
        .alreadyExists, .unknownProvider, .unknownAccount, .unknownAlias, .unknownCombo,
        .unknownPolicy, .unknownOrganisation,
      ]
      #expect(expected.contains(refusal.code), "seed \(seed), \(command)")
    }
  }
}

@Test("a batch decides each command on the outcome of those before it")
func decidesBatches() throws {
  let a1 = account("a1")
  let lists = try decide(
    [
      .provider(.add(provider("p1"))), .account(.add(a1, credential: .key(fingerprint(1)))),
      .account(.change(.init(id: a1.id, priority: 1))),
      .account(.change(.init(id: a1.id, priority: 2))),
      .alias(.set(name: "fast", target: "p1/m1", allowUnresolved: false)),
      .account(.issueCredential(a1.id, .key(fingerprint(2)))),
    ], .initial)
  #expect(lists.map(\.count) == [1, 2, 0, 1, 1, 2])
  #expect(
    lists.joined().map(\.stream) == [
      "provider/p1", "account/a1", "credential/a1", "account/a1", "alias/fast", "credential/a1",
      "account/a1",
    ])
  #expect(lists.joined().map(\.expectedRevision) == [0, 0, 0, 1, 0, 1, 2])
}

@Test("a batch with a refusal decides nothing")
func refusesBatches() {
  #expect(throws: Refusal.self) {
    try decide(
      [.provider(.add(provider("p1"))), .provider(.add(provider("p2", prefix: "p1")))], .initial)
  }
}

@Test(
  "an event of something that is not there changes no more than the count", arguments: WireKind.all)
func toleratesStrays(_ kind: String) throws {
  let sample = try #require(WireKind.sample(kind))
  let state = state([sample, sample])
  // Total: any event on any state, twice over.
  #expect(
    state.position
      == (["request.", "gateway.", "access.", "sync."].contains { kind.hasPrefix($0) } ? 0 : 2))
}
