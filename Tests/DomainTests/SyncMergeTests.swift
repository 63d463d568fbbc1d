import Testing

@testable import Domain

private let a1 = AccountID("a1")
private let acme = OrganisationID("acme")

private func stamp(_ node: Int, _ time: Int64) -> HybridStamp {
  HybridStamp(time: UnixNanoseconds(time), counter: 0, author: EditAuthor("n\(node)"))
}

private func key(of organisation: OrganisationID = .standard) -> Command {
  var created = key("k1")
  created.organisation = organisation
  return .key(.create(created, rights: KeyRights()))
}

// MARK: Versions

@Test("of what was seen and beaten the last of each node is kept, and what was seen is not beaten")
func absorbs() {
  let first = FieldVersion(stamp: stamp(0, 10), seen: [stamp(1, 5)], beaten: [stamp(2, 9)])
  #expect(first.absorbing(FieldVersion(stamp(1, 5))).beaten == [stamp(2, 9)])
  #expect(first.absorbing(FieldVersion(stamp(2, 7))).beaten == [stamp(2, 9)])
  #expect(first.absorbing(FieldVersion(stamp(1, 6))).beaten == [stamp(1, 6), stamp(2, 9)])
  let same = FieldVersion(stamp: stamp(0, 10), seen: [stamp(3, 6)], beaten: [])
  #expect(first.absorbing(same).seen == [stamp(1, 5), stamp(3, 6)])
}

@Test("two edits of one moment are ordered by their nodes")
func oneMoment() throws {
  var pair = SyncPair()
  pair.at(0, firstProvider, setAlias("fast", "p1/m1"))
  try pair.sync()
  pair.now += oneMinute
  for node in 0...1 {
    #expect(!pair.nodes[node].command(setAlias("fast", "p1/\(node)"), now: pair.now).isEmpty)
  }
  try pair.sync()
  for node in 0...1 { #expect(pair.nodes[node].state.aliases["fast"]?.target == "p1/1") }
}

@Test("who edits what was decided, or what was built on an edit, has seen that edit")
func remembersPast() throws {
  for isConcurrent in [true, false] {
    var pair = SyncPair(3)
    pair.at(0, firstProvider, setAlias("fast", "p1/m1"))
    try pair.sync(0, 1)
    try pair.sync(0, 2)
    pair.at(0, setAlias("fast", "p1/x"))
    let early = pair.nodes[0].document(now: pair.now)
    if isConcurrent {
      pair.at(1, setAlias("fast", "p1/y"))
      try pair.tell(0, 1)
    } else {
      try pair.tell(0, 1)
      pair.at(1, setAlias("fast", "p1/y"))
    }
    try pair.tell(1, 2)
    pair.at(2, setAlias("fast", "p1/z"))
    _ = try pair.nodes[2].take(early, now: pair.now, exchange: 99)
    #expect(pair.conflicts(2) == [], "concurrent \(isConcurrent)")
    #expect(pair.nodes[2].state.aliases["fast"]?.target == "p1/z")
  }
}

@Test("who removes a resource has seen the edits of its fields: nothing is lost by that")
func removalHasSeen() throws {
  var pair = SyncPair()
  pair.at(0, firstProvider, .account(.add(account("a1"), credential: nil)))
  pair.at(0, .account(.change(.init(id: a1, priority: 7))))
  try pair.sync()
  pair.at(1, .account(.remove(a1)))
  try pair.sync()
  for node in 0...1 {
    #expect(pair.nodes[node].state.accounts.isEmpty && pair.conflicts(node) == [])
  }
}

@Test("edits from before a log had a name carry the name that it gets")
func namedAfterwards() throws {
  let first = state([
    .provider(.added(provider("p1"))),
    .gateway(.identified(.init(node: NodeID("n0"), incarnation: 1))),
  ])
  let told = first.document(secretsKey: "k", clock: UnixNanoseconds(0))
  #expect(told.streams.count == 1)
  for stream in told.streams {
    for version in [stream.version] + stream.fields.map(\.version) {
      #expect(version.stamp.author == EditAuthor("n0"))
    }
  }
}

@Test(
  "of what is always there only what somebody edited is told, and nobody can say that it is gone")
func alwaysThere() throws {
  var pair = SyncPair()
  pair.at(0, firstProvider, .model(.disable(ModelID(provider: ProviderID("p1"), name: "m1"))))
  pair.at(1, .organisation(.change(.init(id: .standard, name: "ours"))))
  let told = pair.nodes[1].document(now: pair.now).streams
  #expect(told.map { $0.fields.map(\.name) } == [["name"]])
  try pair.sync()
  #expect(pair.nodes[0].state.organisations[.standard]?.name == "ours")
  var document = pair.nodes[1].document(now: pair.now)
  let place = try #require(document.streams.firstIndex { $0.stream.hasPrefix("organisation/") })
  document.streams[place].isPresent = false
  document.streams[place].fields = []
  #expect(throws: SyncRefusal.malformed(stream: document.streams[place].stream)) {
    try pair.nodes[0].take(document, now: pair.now, exchange: 9)
  }
}

@Test("a coming and a going that are one edit are two nodes of one name")
func bothThereAndGone() throws {
  var pair = SyncPair()
  pair.at(0, firstProvider, setAlias("fast", "p1/m1"))
  try pair.sync()
  var document = pair.nodes[0].document(now: pair.now)
  let place = try #require(document.streams.firstIndex { $0.stream == "alias/fast" })
  document.streams[place].isPresent = false
  document.streams[place].fields = []
  #expect(throws: SyncRefusal.ambiguousEdit(stream: "alias/fast", field: "")) {
    try pair.nodes[1].take(document, now: pair.now, exchange: 9)
  }
}

// MARK: What cannot stand together

@Test("of two providers with one prefix the first keeps it, and the other is there under another")
func prefixOfTwo() throws {
  var pair = SyncPair()
  pair.at(0, .provider(.add(provider("p9", prefix: "x"))))
  pair.at(1, .provider(.add(provider("p2", prefix: "x"))))
  try pair.sync()
  for node in 0...1 {
    let providers = pair.nodes[node].state.providers
    #expect(providers[ProviderID("p9")]?.prefix == "x")
    #expect(providers[ProviderID("p2")]?.prefix == "x-2")
  }
  // What an operator makes of that holds, and nothing is withheld any more.
  pair.at(0, .provider(.change(.init(id: ProviderID("p2"), prefix: "y"))))
  try pair.sync()
  for node in 0...1 {
    #expect(pair.nodes[node].state.providers[ProviderID("p2")]?.prefix == "y")
    #expect(pair.nodes[node].state.sync.withheld.isEmpty)
  }
}

@Test("of two accounts with one name the first keeps it, and the other is there under another")
func nameOfTwo() throws {
  var pair = SyncPair()
  pair.at(0, firstProvider)
  try pair.sync()
  pair.at(0, .account(.add(account("z", name: "n"), credential: nil)))
  pair.at(1, .account(.add(account("a", name: "n"), credential: nil)))
  try pair.sync()
  for node in 0...1 {
    let names = pair.nodes[node].state.accounts.mapValues(\.name)
    #expect(names == [AccountID("z"): "n", AccountID("a"): "n-2"])
  }
}

@Test("what somebody sets where it was withheld is what all get")
func setWhereWithheld() throws {
  var pair = SyncPair()
  pair.at(0, .provider(.add(provider("p1", prefix: "fast"))))
  pair.at(1, setAlias("fast", "m1"))
  try pair.sync()
  pair.at(0, .provider(.change(.init(id: ProviderID("p1"), prefix: "p1"))))
  pair.at(0, setAlias("fast", "p1/m1"))
  try pair.sync()
  for node in 0...1 {
    #expect(pair.nodes[node].state.aliases["fast"]?.target == "p1/m1")
  }
}

@Test("a key made in an organisation that was removed elsewhere lets nobody in")
func keyOfTheRemoved() throws {
  var pair = SyncPair()
  pair.at(0, .organisation(.create(.init(id: acme, name: "acme"))))
  try pair.sync()
  pair.at(0, .organisation(.remove(acme)))
  pair.at(1, key(of: acme))
  try pair.sync()
  for node in 0...1 {
    #expect(pair.nodes[node].state.keys[KeyID("k1")]?.status == .active)
    #expect(pair.nodes[node].state.organisations[acme]?.isPaused == true, "n\(node)")
  }
}

// MARK: Keys

@Test("a key comes as it is: paused, or revoked for ever")
func keysComeAsTheyAre() throws {
  for status in [Key.Status.paused, .revoked] {
    var pair = SyncPair()
    pair.at(0, key(), .key(status == .paused ? .pause(KeyID("k1")) : .revoke(KeyID("k1"))))
    try pair.sync()
    #expect(pair.nodes[1].state.keys[KeyID("k1")]?.status == status)
  }
}

@Test("a revoked key stays revoked, whatever was made of it later elsewhere, and that is on record")
func revokedHolds() throws {
  var pair = SyncPair()
  pair.at(0, key())
  try pair.sync()
  pair.at(0, .key(.revoke(KeyID("k1"))))
  pair.at(1, .key(.pause(KeyID("k1"))))
  try pair.sync()
  for node in 0...1 {
    #expect(pair.nodes[node].state.keys[KeyID("k1")]?.status == .revoked)
    #expect(pair.nodes[node].state.sync.withheld.isEmpty)
  }
  // Where the later edit was made.
  #expect(pair.conflicts(1).map(\.rule) == [.final])
}

@Test("a key that was made under another master key is not made here, and that is said")
func otherMasterKey() throws {
  var pair = SyncPair()
  pair.at(0, key())
  let document = pair.nodes[0].state.document(
    secretsKey: "j", clock: UnixNanoseconds(pair.now))
  _ = try pair.nodes[1].take(document, now: pair.now, exchange: 1)
  #expect(pair.nodes[1].state.keys.isEmpty)
  #expect(pair.nodes[1].state.sync.withheld["key/k1"]?.reason.contains("master key") == true)
}

// MARK: Lives of a credential

@Test("a credential of an account's older life is not that of the account that came after it")
func olderLife() throws {
  var pair = SyncPair()
  pair.at(0, firstProvider, .account(.add(account("a1"), credential: oauthTerms(1))))
  try pair.sync()
  // Far ahead of what the new one begins with.
  for home in ["n1", "n0", "n1", "n0"] {
    pair.at(0, .credential(.moveHome(a1, to: NodeID(home), force: true)))
  }
  for number in 2...5 { pair.at(0, .account(.issueCredential(a1, oauthTerms(number)))) }
  pair.at(1, .account(.remove(a1)))
  pair.at(1, .account(.add(account("a1"), credential: oauthTerms(9))))
  try pair.tell(0, 1)
  #expect(pair.credential(1)?.fingerprint == fingerprint(9))
  for _ in 0..<2 { try pair.sync() }
  for node in 0...1 { #expect(pair.credential(node)?.fingerprint == fingerprint(9), "n\(node)") }
}

@Test("generations go on where they were elsewhere, though they were never in force here")
func generationsGoOn() throws {
  // Removed there; and removed here, where nothing but the generations is new.
  for node in 0...1 {
    var pair = SyncPair()
    pair.at(0, firstProvider, .account(.add(account("a1"), credential: oauthTerms(1))))
    try pair.sync()
    for number in 2...5 { pair.at(0, .account(.issueCredential(a1, oauthTerms(number)))) }
    pair.at(node, .account(.remove(a1)))
    try pair.tell(1, 0)
    try pair.tell(0, 1)
    pair.at(1, .account(.add(account("a1"), credential: oauthTerms(9))))
    #expect(pair.credential(1)?.generation == 6, "removed at n\(node)")
  }
}

@Test("a new life's credential of the very version that another one had is taken all the same")
func equalVersions() throws {
  var pair = SyncPair()
  pair.at(0, firstProvider, .account(.add(account("a1"), credential: oauthTerms(1))))
  try pair.sync()
  pair.at(0, .account(.issueCredential(a1, oauthTerms(2))))
  pair.at(0, .credential(.moveHome(a1, to: NodeID("n9"))))
  pair.at(1, .account(.remove(a1)))
  pair.at(1, .account(.add(account("a1"), credential: oauthTerms(6))))
  #expect(pair.credential(0)?.version == pair.credential(1)?.version)
  for _ in 0..<3 { try pair.sync() }
  for node in 0...1 { #expect(pair.credential(node)?.fingerprint == fingerprint(6), "n\(node)") }
}

@Test(
  "a floor lifts neither a credential in force nor one that is higher, and a home does not go back")
func floorsAndHomes() throws {
  func note(_ version: Credential.Version) -> Command {
    .sync(
      .note(
        .reconciled(
          .init(
            peer: "n1", exchange: 1, decisions: [], withheld: [], waiting: [],
            floors: [.init(account: a1, version: version)], streams: 0))))
  }
  var pair = SyncPair()
  pair.at(0, firstProvider, .account(.add(account("a1"), credential: oauthTerms(1))))
  pair.at(
    0, .account(.issueCredential(a1, oauthTerms(2))), note(.init(homeEpoch: 0, generation: 7)))
  #expect(pair.credential(0)?.generation == 2)
  pair.at(0, .account(.remove(a1)), note(.init(homeEpoch: 0, generation: 1)))
  pair.at(0, .account(.add(account("a1"), credential: oauthTerms(3))))
  #expect(pair.credential(0)?.generation == 3)

  var moved = pair.nodes[0].state
  for epoch in [UInt64(2), 1] {
    moved.apply(
      .credential(.homeMoved(.init(account: a1, home: NodeID("n\(epoch)"), homeEpoch: epoch))),
      position: 99, time: UnixNanoseconds(0))
  }
  #expect(moved.accounts[a1]?.credential.home == NodeID("n2"))
  #expect(moved.accounts[a1]?.credential.homeEpoch == 2)
}

@Test("an alias and a policy of one name stand together nowhere, and every node keeps the same one")
func aliasOrPolicy() throws {
  let policy = Command.policy(
    .set(
      PolicyID(organisation: PolicyID.everyone, model: "fast"),
      accounts: [PolicyAccount(account: a1, weight: 1)], failoverThreshold: 3,
      allowUnresolved: true))
  for isAliasFirst in [true, false] {
    var pair = SyncPair()
    pair.at(0, firstProvider, .account(.add(account("a1"), credential: nil)))
    try pair.sync()
    let (first, second) =
      isAliasFirst ? (setAlias("fast", "p1/m1"), policy) : (policy, setAlias("fast", "p1/m1"))
    pair.at(0, first)
    // On one node the second is refused, whichever it is.
    #expect(throws: Refusal.self) { try decide([second], pair.nodes[0].state) }
    pair.at(1, second)
    for _ in 1...2 { try pair.sync() }
    for node in pair.nodes {
      #expect((node.state.aliases["fast"] != nil) == isAliasFirst)
      #expect(node.state.policies.isEmpty == isAliasFirst)
      #expect(node.state.sync.withheld.count == 1)
    }
  }
}

@Test(
  "what a node settles for itself is for no peer to say",
  arguments: [
    "cloudUrl", "cloudProtocol", "machineId", "syncSecrets", "syncIntervalSeconds",
    "trustedProxies",
  ])
func ownSettings(field: String) throws {
  var pair = SyncPair()
  pair.at(1, .settings(.change(.init(requireAPIKey: false))))
  var document = pair.nodes[1].document(now: pair.now)
  let index = try #require(document.streams.firstIndex { $0.stream == "settings" })
  #expect(!document.streams[index].fields.contains { $0.name == field })
  let version = document.streams[index].version
  document.streams[index].fields.append(
    .init(name: field, value: .text("http://evil.example"), version: version))
  document.streams[index].fields.sort { $0.name < $1.name }
  #expect(throws: SyncRefusal.malformed(stream: "settings")) {
    _ = try pair.nodes[0].take(document, now: pair.now, exchange: 1)
  }
}
