import Testing

@testable import Domain

private let a1 = AccountID("a1")
private let p1 = ProviderID("p1")

/// Node 1 has an account of a provider that node 0 removed: they told each other of it.
private func setAside(_ nodes: Int = 2) throws -> SyncPair {
  var pair = SyncPair(nodes)
  pair.at(0, firstProvider)
  for node in 1..<nodes { try pair.sync(0, node) }
  pair.at(0, .provider(.remove(p1)))
  pair.at(1, .account(.add(account("a1"), credential: oauthTerms(1))))
  if nodes > 2 { try pair.sync(1, 2) }
  for _ in 1...2 { try pair.sync() }
  return pair
}

private func kinds(_ node: SyncNode) -> [String] {
  node.log.map(\.kind).filter { $0.hasPrefix("credential.") }
}

@Test("an account that cannot be here for a while keeps its credential, and both come back")
func keptAndBack() throws {
  var pair = try setAside()
  for node in 0...1 {
    let state = pair.nodes[node].state
    #expect(state.accounts.isEmpty && state.sync.withheld["account/a1"]?.isPresent == true)
    // Nobody else waits for it: nodes that hold the same tell the same.
    #expect(pair.nodes[node].document(now: 0).credentials.isEmpty)
  }
  #expect(pair.nodes[1].state.keepsCredential(of: a1))
  #expect(kinds(pair.nodes[1]) == ["credential.issued.v2"])
  try pair.nodes[1].crash()
  pair.at(0, firstProvider)
  for _ in 1...3 { try pair.sync() }
  for node in 0...1 {
    #expect(pair.credential(node)?.fingerprint == fingerprint(1), "n\(node)")
    #expect(pair.credential(node)?.generation == 1)
    #expect(pair.credential(node)?.home ?? NodeID("n1") == NodeID("n1"))
    #expect(try pair.nodes[node].replayed() == pair.nodes[node].state)
  }
  let told = (0...1).map { pair.nodes[$0].document(now: 0) }
  #expect(told[0].streams == told[1].streams && told[0].credentials == told[1].credentials)
}

@Test("a kept credential is revoked when its account is removed for good")
func keptAndRemoved() throws {
  var pair = try setAside(3)
  #expect(pair.nodes[1].state.keepsCredential(of: a1))
  pair.at(2, .account(.remove(a1)))
  try pair.sync(1, 2)
  #expect(!pair.nodes[1].state.keepsCredential(of: a1))
  #expect(kinds(pair.nodes[1]).last == "credential.revoked.v1")
  #expect(pair.nodes[1].state.sync.withheld.isEmpty)
}

@Test("a kept credential goes to no other provider, and to no account that is made anew")
func keptForTheSameOnly() throws {
  let pair = try setAside()
  let p2 = Command.provider(.add(provider("p2")))
  var elsewhere = account("a1")
  elsewhere.provider = ProviderID("p2")
  let kept = pair.nodes[1].state
  for (commands, isKept) in [
    ([firstProvider, .merged(.account(.add(account("a1"), credential: nil)))], true),
    ([firstProvider, .account(.add(account("a1"), credential: nil))], false),
    ([p2, .merged(.account(.add(elsewhere, credential: nil)))], false),
    ([firstProvider, .account(.add(account("a1"), credential: oauthTerms(2)))], false),
    (
      [
        .account(.remove(a1)), firstProvider,
        .merged(.account(.add(account("a1"), credential: nil))),
      ],
      false
    ),
  ] {
    let lists = try decide(commands, kept)
    let isRevoked = lists.joined().contains { $0.event == .credential(.revoked(a1)) }
    #expect(isRevoked != isKept, "\(commands)")
    let outcome = try kept.after(commands)
    #expect((outcome.accounts[a1]?.credential.fingerprint == fingerprint(1)) == isKept)
    #expect((outcome.accounts[a1]?.credential.generation ?? 0) >= 1)
  }
  #expect(throws: Refusal.self) { try decide([.account(.remove(AccountID("a2")))], kept) }
}

@Test("of a refresh that is under way when its account goes nobody knows how it ends")
func keptInDoubt() throws {
  let attempt = CredentialEvent.RefreshAttempted(
    account: a1, generation: 1, attempt: 1, cause: .proactive)
  let before = state([
    .added(provider("p1")), .added(account("a1")), .issued("a1", 1, 7),
    .credential(.refreshAttempted(attempt)),
  ])
  #expect(before.accounts[a1]?.credential.attempt != nil)
  let outcome = try before.after([.merged(.account(.remove(a1)))])
  #expect(outcome.keepsCredential(of: a1))
  #expect(outcome.removedAccounts[a1]?.credential.standing.name == "uncertain")
  #expect(outcome.removedAccounts[a1]?.credential.attempt == nil)
}

@Test("a conflict stays known with its event until somebody settles it, and survives a restart")
func conflictIsKept() throws {
  var pair = SyncPair(3)
  pair.at(0, firstProvider, setAlias("fast", "p1/m1"))
  for node in 1...2 { try pair.sync(0, node) }
  pair.at(0, setAlias("fast", "p1/x"))
  pair.at(1, setAlias("fast", "p1/y"))
  try pair.sync()
  let place = SyncEvent.Place(stream: "alias/fast", field: "model")
  let conflict = try #require(pair.nodes[0].state.sync.peers["n1"]?.conflicts[place])
  guard case .sync(.reconciled(let it)) = pair.nodes[0].log[Int(conflict.position) - 1].event else {
    Issue.record("no sync.reconciled at \(conflict.position)")
    return
  }
  #expect(it.decisions.contains { $0.isConflict && $0.stream == "alias/fast" })
  // Other edits, other peers, and the same one told again leave it.
  for number in 1...3 {
    pair.at(0, setAlias("other", "p1/\(number)"))
    try pair.sync()
    try pair.sync(1, 2)
    try pair.sync(0, 2)
  }
  #expect(pair.nodes[0].state.sync.peers["n1"]?.conflicts == [place: conflict])
  #expect(try pair.nodes[0].replayed() == pair.nodes[0].state)
  pair.at(2, setAlias("fast", "p1/z"))
  try pair.sync(1, 2)
  try pair.sync()
  for node in pair.nodes {
    #expect(node.state.sync.peers.values.allSatisfy { $0.conflicts.isEmpty }, "\(node.name)")
  }
}

@Test("of what is withheld an event tells what changed, and split events come to the same")
func tellsWhatChanged() throws {
  func told(_ pair: SyncPair, _ exchange: UInt128) throws -> SyncEvent.Reconciled? {
    let document = pair.nodes[0].state.document(
      secretsKey: "j", clock: UnixNanoseconds(pair.now))
    return try pair.nodes[1].state.reconcile(
      document, peer: "n0", life: 1, exchange: exchange, secretsKey: "k",
      now: UnixNanoseconds(pair.now)
    ).event
  }
  var pair = SyncPair()
  for number in 1...40 { pair.at(0, .key(.create(key("k\(number)", number), rights: KeyRights()))) }
  let first = try #require(try told(pair, 1))
  #expect(first.withheld.count == 40)
  let parts = first.split(bytes: 2_000)
  #expect(parts.count > 10)
  for part in parts {
    #expect(encode(.sync(.reconciled(part)), .system).count < 4_000)
  }
  var states: [SyncState] = []
  for events in [[first], parts] {
    var state = pair.nodes[1].state
    for event in events {
      state.apply(.sync(.reconciled(event)), position: 99, time: UnixNanoseconds(pair.now))
    }
    states.append(state.sync)
  }
  #expect(states[0] == states[1])
  for part in parts { _ = pair.nodes[1].command(.sync(.note(.reconciled(part))), now: pair.now) }
  #expect(pair.nodes[1].state.sync.withheld.count == 40)
  #expect(try told(pair, 2) == nil)
  pair.at(0, setAlias("fast", "p1/m1"))
  let second = try #require(try told(pair, 3))
  #expect(second.withheld.isEmpty && second.settled.isEmpty)
  #expect(Set(second.decisions.map(\.stream)) == ["alias/fast"])
}
