import Testing

@testable import Domain

@Test("of two edits that did not know each other the later one holds, and a conflict says so")
func laterEditHolds() throws {
  var pair = SyncPair()
  pair.at(0, firstProvider, setAlias("fast", "p1/m1"))
  try pair.sync()
  pair.at(0, setAlias("fast", "p1/x"))
  pair.at(1, setAlias("fast", "p1/y"))
  try pair.sync()
  for node in 0...1 {
    #expect(pair.nodes[node].state.aliases["fast"]?.target == "p1/y")
    let conflict = try #require(pair.conflicts(node).first)
    #expect(pair.conflicts(node).count == 1)
    #expect(conflict.rule == .concurrent && conflict.stream == "alias/fast")
    #expect(conflict.winner == (node == 0 ? .theirs : .ours))
  }
}

@Test("an edit made on top of another one holds whatever the clocks say, and is no conflict")
func successorHolds() throws {
  // The second author's clock is three minutes behind.
  var pair = SyncPair(skew: [1: -3 * oneMinute])
  pair.at(0, firstProvider, setAlias("fast", "p1/x"))
  try pair.sync()
  pair.at(1, setAlias("fast", "p1/y"))
  try pair.sync()
  for node in 0...1 {
    #expect(pair.nodes[node].state.aliases["fast"]?.target == "p1/y")
    #expect(pair.conflicts(node) == [])
  }
}

@Test("what is removed stays removed, and an edit that goes with it is on record")
func removalHolds() throws {
  var pair = SyncPair()
  pair.at(0, firstProvider, .account(.add(account("a1"), credential: nil)))
  try pair.sync()
  pair.at(0, .account(.remove(AccountID("a1"))))
  pair.at(1, .account(.change(.init(id: AccountID("a1"), priority: 7))))
  try pair.sync()
  for node in 0...1 {
    #expect(pair.nodes[node].state.accounts.isEmpty)
  }
  // Where it was made.
  #expect(pair.conflicts(1).map(\.rule) == [.removed])
  #expect(pair.conflicts(1).first?.ours == .number(7))
}

@Test("an edit from a clock that is far ahead waits until that time, and that is on record")
func aheadWaits() throws {
  var pair = SyncPair(skew: [1: 60 * oneMinute])
  pair.at(0, firstProvider, setAlias("fast", "p1/x"))
  pair.at(1, setAlias("slow", "p1/y"))
  try pair.tell(1, 0)
  #expect(pair.nodes[0].state.aliases["slow"] == nil)
  #expect(pair.nodes[0].state.sync.peers["n1"]?.waiting.map(\.stream) == ["alias/slow"])
  pair.now += 56 * oneMinute
  try pair.tell(1, 0)
  #expect(pair.nodes[0].state.aliases["slow"]?.target == "p1/y")
  #expect(pair.nodes[0].state.sync.peers["n1"]?.waiting == [])
}

@Test("a resource that is new, with an edit from a clock that is ahead, waits as a whole")
func newOneWaits() throws {
  // With the edit alone left out there would be a value that its author never gave it.
  var pair = SyncPair(3)
  pair.at(1, firstProvider, setAlias("fast", "p1/x"))
  pair.nodes[1].skew = 60 * oneMinute
  pair.at(1, .provider(.change(.init(id: ProviderID("p1"), name: "renamed"))))
  pair.nodes[1].skew = 0
  try pair.tell(1, 0)
  #expect(pair.nodes[0].state.providers.isEmpty)
  #expect(
    pair.nodes[0].state.sync.peers["n1"]?.waiting.map { "\($0.stream).\($0.field)" }
      == ["provider/p1.name"])
  try pair.tell(0, 2)
  #expect(pair.nodes[2].state.providers.isEmpty)
  pair.now += 60 * oneMinute
  try pair.tell(1, 0)
  try pair.tell(0, 2)
  for node in pair.nodes { #expect(node.state.providers[ProviderID("p1")]?.name == "renamed") }
}

@Test("of what is known already only the edit that is ahead waits")
func knownOneGoesOn() throws {
  var pair = SyncPair()
  pair.at(1, firstProvider)
  try pair.sync()
  pair.at(1, .provider(.change(.init(id: ProviderID("p1"), prefix: "there"))))
  pair.nodes[1].skew = 60 * oneMinute
  pair.at(1, .provider(.change(.init(id: ProviderID("p1"), name: "renamed"))))
  pair.nodes[1].skew = 0
  try pair.tell(1, 0)
  let provider = try #require(pair.nodes[0].state.providers[ProviderID("p1")])
  #expect(provider.name == "p1" && provider.prefix == "there")
}

@Test("a document that is taken in part by part comes to the same, its credentials too")
func takenInParts() throws {
  var pair = SyncPair(3)
  pair.at(0, firstProvider)
  for number in 1...5 {
    pair.at(0, .account(.add(account("a\(number)"), credential: oauthTerms(number))))
  }
  pair.at(0, .account(.remove(AccountID("a5"))), setAlias("fast", "p1/m1"))
  let document = pair.nodes[0].document(now: pair.now)
  #expect(document.credentials.count == 5)
  for index in 0..<document.count {
    _ = try pair.nodes[1].take(
      document, part: index..<(index + 1), now: pair.now, exchange: 1)
  }
  _ = try pair.nodes[2].take(document, now: pair.now, exchange: 1)
  let whole = pair.nodes[2].document(now: pair.now)
  let inParts = pair.nodes[1].document(now: pair.now)
  #expect(inParts.streams == whole.streams)
  #expect(inParts.credentials == whole.credentials)
  #expect(pair.nodes[1].state.accounts.count == 4)
  #expect(pair.nodes[1].state.accounts.values.allSatisfy { $0.credential.fingerprint != nil })
}

@Test("what waits is said once, also of a document that is taken in part by part")
func waitsInParts() throws {
  var pair = SyncPair(skew: [1: 60 * oneMinute])
  pair.at(1, firstProvider, setAlias("fast", "p1/x"))
  pair.nodes[1].skew = 0
  pair.at(1, .organisation(.create(.init(id: OrganisationID("acme"), name: "acme"))))
  let document = pair.nodes[1].document(now: pair.now)
  #expect(document.streams.count == 3)
  var waited: [[String]] = []
  for exchange in UInt128(1)...2 {
    for index in document.streams.indices {
      let isNews = try pair.nodes[0].take(
        document, part: index..<(index + 1), now: pair.now, exchange: exchange)
      let waiting = pair.nodes[0].state.sync.peers["n1"]?.waiting.map(\.stream) ?? []
      // The very first part is news for whose it is alone.
      if isNews, exchange > 1 || index > 0 || !waiting.isEmpty { waited.append(waiting) }
    }
  }
  // What was edited after the clock was right again does not wait.
  #expect(waited == [["provider/p1", "alias/fast"]])
}

@Test(
  "a name that means two things goes to the provider; the alias waits, and comes when it is free")
func aliasYields() throws {
  var pair = SyncPair()
  pair.at(0, .provider(.add(provider("p1", prefix: "fast"))))
  pair.at(1, setAlias("fast", "m1"))
  try pair.sync()
  for node in 0...1 {
    let state = pair.nodes[node].state
    #expect(state.aliases["fast"] == nil && state.providers.count == 1)
    #expect(state.sync.withheld["alias/fast"]?.isPresent == true)
  }
  pair.at(0, .provider(.change(.init(id: ProviderID("p1"), prefix: "p1"))))
  try pair.sync()
  try pair.sync()
  for node in 0...1 {
    let state = pair.nodes[node].state
    #expect(state.aliases["fast"]?.target == "m1" && state.sync.withheld.isEmpty)
  }
}

@Test("a peer that tells of less than before, has our name or edits of ours is refused")
func refusesDocuments() throws {
  var pair = SyncPair()
  pair.at(0, firstProvider, setAlias("fast", "p1/x"))
  pair.at(1, setAlias("slow", "p1/y"))
  try pair.sync()
  var document = pair.nodes[1].document(now: pair.now)
  func taking(_ document: SyncDocument) -> SyncRefusal? {
    do {
      _ = try pair.nodes[0].state.reconcile(
        document, peer: "n1", life: 1, exchange: 9, secretsKey: "k", now: UnixNanoseconds(pair.now))
      return nil
    } catch { return error }
  }
  #expect(taking(document) == nil)
  let whole = document
  document.streams.removeLast()
  #expect(taking(document) == .shrunken(told: 2, before: 3))
  document.streams = []
  #expect(taking(document) == .shrunken(told: 0, before: 3))
  document = whole
  document.node = NodeID("n0")
  #expect(taking(document) == .sameNode)
  document = whole
  let ahead = HybridStamp(
    time: UnixNanoseconds(pair.now + oneMinute), counter: 0, author: EditAuthor("n0"))
  document.streams[0].version = FieldVersion(ahead)
  #expect(taking(document) == .unknownOwnEdit(stream: document.streams[0].stream))
  document = whole
  document.streams[2].fields[0].value = .text("other")
  #expect(
    taking(document)
      == .ambiguousEdit(
        stream: document.streams[2].stream, field: document.streams[2].fields[0].name))
}

@Test(
  "the newer credential is taken, with its home; of two new ones nobody chooses but an operator")
func credentialsByGeneration() throws {
  let a1 = AccountID("a1")
  var pair = SyncPair(3)
  pair.at(0, firstProvider, .account(.add(account("a1"), credential: oauthTerms(1))))
  try pair.sync(0, 1)
  try pair.sync(0, 2)
  #expect(pair.credential(1)?.fingerprint == fingerprint(1))
  #expect(pair.credential(1)?.home == NodeID("n0"))
  // Refreshed at home; an older copy that comes late changes nothing.
  let late = pair.nodes[1].document(now: pair.now)
  pair.nodes[0].refresh(a1, fingerprint(2), now: pair.now)
  _ = try pair.nodes[0].take(late, now: pair.now, exchange: 77)
  #expect(pair.credential(0)?.fingerprint == fingerprint(2))
  try pair.sync(0, 1)
  #expect(pair.credential(1)?.generation == 2)
  try pair.sync(0, 2)

  pair.at(1, .account(.issueCredential(a1, oauthTerms(3))))
  pair.at(2, .account(.issueCredential(a1, oauthTerms(4))))
  for _ in 0..<3 { try pair.sync(1, 2) }
  #expect(pair.credential(1)?.fingerprint == fingerprint(3))
  #expect(pair.credential(2)?.fingerprint == fingerprint(4))
  #expect(pair.doubts(1) == 1 && pair.doubts(2) == 1)
  pair.at(1, .account(.issueCredential(a1, oauthTerms(5))))
  try pair.sync(1, 2)
  try pair.sync(1, 0)
  for node in 0...2 { #expect(pair.credential(node)?.fingerprint == fingerprint(5)) }
  for node in 1...2 {
    for peer in pair.nodes[node].state.sync.peers.values {
      #expect(peer.credentialConflicts.isEmpty)
    }
  }
}

@Test("a credential issued where nobody knew how far generations had come is taken everywhere")
func newLifeOutruns() throws {
  let a1 = AccountID("a1")
  // As many epochs behind as issuing anew alone would never make up for.
  for moves in 0...2 {
    var pair = SyncPair()
    pair.at(0, firstProvider, .account(.add(account("a1"), credential: oauthTerms(1))))
    try pair.sync()
    for move in 0..<moves {
      pair.at(0, .credential(.moveHome(a1, to: NodeID("n\(1 - move % 2)"), force: true)))
    }
    for number in 2...5 { pair.at(0, .account(.issueCredential(a1, oauthTerms(number)))) }
    pair.at(0, .account(.remove(a1)))
    pair.at(1, .account(.remove(a1)))
    pair.at(1, .account(.add(account("a1"), credential: oauthTerms(9))))
    for _ in 0..<2 { try pair.sync() }
    for node in 0...1 {
      #expect(pair.credential(node)?.fingerprint == fingerprint(9), "\(moves) moves, n\(node)")
      #expect(pair.credential(node)?.home ?? NodeID("n1") == NodeID("n1"))
    }
    #expect(pair.credential(0)?.version == pair.credential(1)?.version)
    // It has come to rest.
    let events = pair.nodes.map(\.log.count)
    try pair.sync()
    #expect(pair.nodes.map(\.log.count) == events)
  }
}

@Test("of two credentials that were issued apart one holds everywhere, and a conflict says so")
func issuedApart() throws {
  let a1 = AccountID("a1")
  for (here, there) in [(4, 1), (1, 4), (1, 1)] {
    var pair = SyncPair()
    pair.at(0, firstProvider, .account(.add(account("a1"), credential: oauthTerms(1))))
    try pair.sync()
    for number in 0..<here { pair.at(0, .account(.issueCredential(a1, oauthTerms(10 + number)))) }
    for number in 0..<there { pair.at(1, .account(.issueCredential(a1, oauthTerms(20 + number)))) }
    for _ in 0..<2 { try pair.sync() }
    let wins = here > there ? 9 + here : 19 + there
    for node in 0...1 {
      #expect(
        pair.credential(node)?.fingerprint == fingerprint(wins), "\(here), \(there), n\(node)")
      #expect(pair.credential(node)?.generation == UInt64(max(here, there)) + 1)
      #expect(pair.credential(node)?.home ?? NodeID("n\(node)") == NodeID("n1"))
    }
    // Where it was made, and where it was told.
    #expect(pair.doubts(0) == 1 && pair.doubts(1) == 1, "\(here), \(there)")
    for node in pair.nodes {
      let lost = try #require(node.conflicts.first?.lost, "\(here), \(there)")
      let isMaker = (here > there) == (node.name == NodeID("n1"))
      #expect(lost.whose == (isMaker ? .ours : .theirs))
      #expect(
        lost.origin
          == .init(
            author: EditAuthor(here > there ? "n1" : "n0"), generation: UInt64(min(here, there) + 1)
          ))
    }
    let events = pair.nodes.map(\.log.count)
    try pair.sync()
    #expect(pair.nodes.map(\.log.count) == events, "it has come to rest")
  }
}

@Test("one account that was added at two nodes keeps a credential, and what gave way is on record")
func addedApart() throws {
  // One of the two, or both, have brought a credential; the later one may be the one that did not.
  for (here, there) in [(1, 2), (1, nil), (nil, 2)] as [(Int?, Int?)] {
    var pair = SyncPair()
    pair.at(0, firstProvider)
    try pair.sync()
    pair.at(0, .account(.add(account("a1"), credential: here.map(oauthTerms))))
    pair.at(1, .account(.add(account("a1"), credential: there.map(oauthTerms))))
    for _ in 0..<2 { try pair.sync() }
    let (first, second) = (pair.credential(0), pair.credential(1))
    let which = "\(String(describing: here)), \(String(describing: there))"
    #expect(first?.fingerprint != nil, "\(which)")
    if here != nil, there != nil {
      #expect(pair.doubts(0) == 1 && pair.doubts(1) == 1, "\(which)")
      // Of wholly equal numbers none gives way: the next one that is issued settles it.
      #expect(first?.fingerprint == fingerprint(1) && second?.fingerprint == fingerprint(2))
      pair.at(1, .account(.issueCredential(AccountID("a1"), oauthTerms(3))))
      for _ in 0..<2 { try pair.sync() }
      for node in 0...1 { #expect(pair.credential(node)?.fingerprint == fingerprint(3)) }
    } else {
      #expect(first?.fingerprint == second?.fingerprint, "\(which)")
      #expect(pair.doubts(0) == 0 && pair.doubts(1) == 0, "\(which)")
    }
    for node in pair.nodes {
      #expect(
        !node.log.contains { if case .credential(.revoked) = $0.event { true } else { false } },
        "\(which)")
    }
    let events = pair.nodes.map(\.log.count)
    try pair.sync()
    #expect(pair.nodes.map(\.log.count) == events, "it has come to rest")
  }
}

@Test("a home that was moved where the newest generation was not known takes nothing away")
func movedBehind() throws {
  let a1 = AccountID("a1")
  var pair = SyncPair()
  pair.at(0, firstProvider, .account(.add(account("a1"), credential: oauthTerms(1))))
  try pair.sync()
  pair.nodes[0].refresh(a1, fingerprint(2), now: pair.now)
  #expect(throws: Refusal.self) {
    try decide(.credential(.moveHome(a1, to: NodeID("n1"))), pair.nodes[1].state)
  }
  pair.at(1, .credential(.moveHome(a1, to: NodeID("n1"), force: true)))
  for _ in 0..<2 { try pair.sync() }
  for node in 0...1 {
    #expect(pair.credential(node)?.fingerprint == fingerprint(2), "n\(node)")
    #expect(pair.credential(node)?.home ?? NodeID("n\(node)") == NodeID("n1"))
    #expect(pair.credential(node)?.version == .init(homeEpoch: 1, generation: 2))
  }
}

@Test("an end that was set anew for the same tokens is told")
func newEnd() throws {
  let a1 = AccountID("a1")
  var pair = SyncPair()
  pair.at(0, firstProvider, .account(.add(account("a1"), credential: oauthTerms(1))))
  try pair.sync()
  var terms = oauthTerms(1)
  // Also where the two are less than a minute apart.
  for seconds in [Int64(5_400), 5_420, 3_000] {
    terms.expiresAt = UnixNanoseconds(pair.now + seconds * 1_000_000_000)
    pair.at(0, .account(.issueCredential(a1, terms)))
    try pair.sync()
    #expect(pair.credential(1)?.expiresAt == terms.expiresAt)
  }
  pair.at(1, .account(.setCredentialExpiry(a1, UnixNanoseconds(pair.now + 4_200_000_000_000))))
  try pair.sync()
  #expect(pair.credential(0)?.expiresAt == pair.credential(1)?.expiresAt)
  #expect(
    pair.nodes[0].document(now: pair.now).encodedCredentials()
      == pair.nodes[1].document(now: pair.now).encodedCredentials())
}

@Test("an account that came and went before anybody heard of it makes no difference")
func cameAndWent() throws {
  var pair = SyncPair()
  pair.at(0, firstProvider, .account(.add(account("a1"), credential: oauthTerms(1))))
  pair.at(0, .account(.remove(AccountID("a1"))))
  for _ in 0..<2 { try pair.sync() }
  #expect(
    pair.nodes[0].document(now: pair.now).encodedCredentials()
      == pair.nodes[1].document(now: pair.now).encodedCredentials())
}

@Test("a credential that two nodes were made the home of has one home in the end")
func oneHome() throws {
  let a1 = AccountID("a1")
  var pair = SyncPair(3)
  pair.at(0, firstProvider, .account(.add(account("a1"), credential: oauthTerms(1))))
  try pair.sync(0, 1)
  try pair.sync(0, 2)
  pair.at(1, .credential(.moveHome(a1, to: NodeID("n1"), force: true)))
  pair.at(2, .credential(.moveHome(a1, to: NodeID("n2"), force: true)))
  try pair.sync(1, 2)
  try pair.sync(0, 1)
  try pair.sync(0, 2)
  for node in 0...2 {
    #expect(pair.credential(node)?.home == NodeID("n1"), "n\(node)")
    #expect(pair.credential(node)?.version == pair.credential(0)?.version)
    #expect(pair.credential(node)?.fingerprint == fingerprint(1))
  }
}
