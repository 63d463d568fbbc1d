import Testing

@testable import Domain

private let a1 = AccountID("a1")

private func issue(_ number: Int) -> Command { .account(.issueCredential(a1, oauthTerms(number))) }

/// Two or more nodes that all have the first credential.
private func pair(_ count: Int = 2) throws -> SyncPair {
  var pair = SyncPair(count)
  pair.at(0, firstProvider, .account(.add(account("a1"), credential: oauthTerms(1))))
  for node in 1..<count { try pair.sync(0, node) }
  return pair
}

private func lost(_ pair: SyncPair, _ node: Int) -> [SyncEvent.Conflict.Lost?] {
  pair.nodes[node].conflicts.map(\.lost)
}

private func origin(_ author: String, _ generation: UInt64) -> Ancestry.Origin {
  .init(author: EditAuthor(author), generation: generation)
}

@Test("what was made on top of another one is no conflict, whoever made it and whoever tells it")
func successorsAreNoConflict() throws {
  var pair = try pair(3)
  pair.at(1, issue(2))
  try pair.sync(1, 2)
  pair.at(2, issue(3))
  // The home alone refreshes, and here it was moved where it is known.
  pair.at(2, .credential(.moveHome(a1, to: NodeID("n0"), force: true)))
  try pair.sync(2, 0)
  pair.nodes[0].refresh(a1, fingerprint(4), now: pair.now)
  try pair.sync(0, 1)
  try pair.sync(0, 2)
  for node in 0...2 {
    #expect(pair.credential(node)?.fingerprint == fingerprint(4))
    #expect(pair.doubts(node) == 0, "n\(node)")
  }
  #expect(
    pair.credential(1)?.ancestry.made
      == [EditAuthor("n0"): 4, EditAuthor("n1"): 2, EditAuthor("n2"): 3])
}

@Test(
  "a secret that gave way is named once by each node that had one of the two, whoever told first",
  arguments: [(0, 1), (1, 0)])
func namedOnce(first: Int, second: Int) throws {
  var pair = try pair(3)
  pair.at(0, issue(2))
  pair.at(1, issue(12), issue(13))
  try pair.sync(first, second)
  for _ in 0..<3 {
    try pair.sync(first, second)
    try pair.sync(0, 2)
  }
  #expect(lost(pair, 0) == [.init(whose: .ours, origin: origin("n0", 2))])
  #expect(lost(pair, 1) == [.init(whose: .theirs, origin: origin("n0", 2))])
  // It never had either: what it had is what both were made of.
  #expect(lost(pair, 2) == [])
  // The next one is made by somebody who knows of both.
  pair.at(0, issue(3))
  try pair.sync(0, 1)
  #expect(pair.doubts(0) == 1 && pair.doubts(1) == 1)
  for node in pair.nodes {
    #expect(!node.state.sync.peers.values.contains { !$0.credentialConflicts.isEmpty })
  }
}

@Test("who had the secret that gave way elsewhere says so when it is told")
func thirdNodeSays() throws {
  var pair = try pair(3)
  pair.at(0, issue(2))
  try pair.sync(0, 2)
  pair.at(1, issue(12), issue(13))
  try pair.sync(0, 1)
  try pair.sync(1, 2)
  #expect(lost(pair, 2) == [.init(whose: .ours, origin: origin("n0", 2))])
}

@Test("a restored directory's secret is another author's, and does not pass for the one before")
func restoredIsApart() throws {
  for steps in 1...3 {
    var pair = try pair()
    let backup = pair.nodes[0].log.count
    pair.at(0, issue(2), issue(3))
    try pair.sync()
    try pair.nodes[0].restore(backup, as: 7, now: pair.now)
    for step in 0..<steps { pair.at(0, issue(20 + step)) }
    for _ in 0..<2 { try pair.sync() }
    // Fewer, as many and more than were made before.
    let names = [1: 20, 3: 3][steps]
    for node in 0...1 {
      let conflict = try #require(pair.nodes[node].conflicts.first, "\(steps), n\(node)")
      #expect(pair.doubts(node) == 1, "\(steps), n\(node)")
      guard let names else {
        #expect(conflict.lost == nil)
        continue
      }
      let of = conflict.lost?.whose == .ours ? conflict.ours : conflict.theirs
      // Who is told late is told only whose it was.
      #expect(of == fingerprint(names) || of == nil && node == 0, "\(steps), n\(node)")
      #expect(conflict.lost?.origin?.generation == UInt64(names == 20 ? 2 : 3))
    }
  }
}

@Test("a backup that is put back without an edit of its own has lost nothing")
func restoredIsBehind() throws {
  var pair = try pair()
  let backup = pair.nodes[0].log.count
  pair.at(0, issue(2), issue(3))
  try pair.sync()
  try pair.nodes[0].restore(backup, as: 7, now: pair.now)
  try pair.sync()
  #expect(pair.credential(0)?.fingerprint == fingerprint(3))
  #expect(pair.doubts(0) == 0 && pair.doubts(1) == 0)
  pair.at(0, issue(4))
  try pair.sync()
  #expect(pair.credential(1)?.fingerprint == fingerprint(4))
  #expect(pair.doubts(0) == 0 && pair.doubts(1) == 0)
}

@Test("an account that was removed and added again goes on, and its removal is all that is said")
func readdedGoesOn() throws {
  var pair = try pair()
  pair.at(0, issue(2), .account(.remove(a1)))
  pair.at(0, .account(.add(account("a1"), credential: oauthTerms(3))))
  try pair.sync()
  for node in 0...1 { #expect(pair.credential(node)?.fingerprint == fingerprint(3)) }
  pair.at(1, issue(4))
  try pair.sync()
  for node in 0...1 {
    #expect(pair.credential(node)?.fingerprint == fingerprint(4))
    #expect(pair.doubts(node) == 0)
  }
}

@Test(
  "one key that was brought at both nodes is one secret, and what comes after it stands on both")
func broughtTwice() throws {
  var pair = SyncPair()
  for node in 0...1 {
    pair.at(node, firstProvider, .account(.add(account("a1"), credential: .key(fingerprint(1)))))
  }
  for _ in 0..<2 { try pair.sync() }
  pair.at(1, .account(.issueCredential(a1, .key(fingerprint(2)))))
  try pair.sync()
  for node in 0...1 {
    #expect(pair.credential(node)?.fingerprint == fingerprint(2))
    #expect(pair.doubts(node) == 0)
  }
}

/// The document as a build writes it that tells nobody's ancestry.
private func older(_ node: SyncNode, _ now: Int64) throws -> SyncDocument {
  try SyncDocument(decoding: node.document(now: now).encoded(as: .first))
}

@Test("of a node that tells no ancestry the numbers say as much as before, and no more")
func olderDocuments() throws {
  // What was made on top of the other one, and what was made apart with the same number of epochs.
  for (isApart, doubts) in [(false, 0), (true, 1)] {
    var pair = try pair()
    pair.at(1, issue(2))
    if !isApart { try pair.sync() }
    pair.at(0, issue(3), issue(4))
    let document = try older(pair.nodes[1], pair.now)
    #expect(document.credentials.allSatisfy { $0.ancestry.made.isEmpty })
    _ = try pair.nodes[0].take(document, now: pair.now, exchange: 90)
    #expect(pair.doubts(0) == doubts, "\(isApart)")
    let events = pair.nodes[0].log.count
    if !isApart {
      _ = try pair.nodes[0].take(document, now: pair.now, exchange: 91)
      #expect(pair.nodes[0].log.count == events)
    }
  }
}

@Test("what an older build took from a peer is unnamed; what is made on top of it is named again")
func olderLogs() throws {
  var pair = try pair()
  pair.at(0, issue(2))
  // As the older build's log has it: taken, and nothing said of what it stands on.
  var log = pair.nodes[1].log
  let first = try #require(pair.credential(1))
  #expect(first.ancestry.unnamed == 0)
  log.removeAll { if case .credential(.ancestryLearned) = $0.event { true } else { false } }
  var state = ControlState.initial
  for record in log { state.apply(record) }
  let older = try #require(state.accounts[a1]?.credential.ancestry)
  #expect(older == Ancestry(unnamed: first.generation))
  let next = older.succeeded(by: EditAuthor("n1"), as: first.generation + 1)
  #expect(next.made == [EditAuthor("n1"): first.generation + 1])
  // Above that number it says what it does not stand on; below nobody knows.
  let apart = Ancestry(made: [EditAuthor("n0"): first.generation + 1])
  #expect(next.misses(apart) == origin("n0", first.generation + 1))
  #expect(next.misses(Ancestry(made: [EditAuthor("n0"): first.generation])) == nil)
}

@Test("what is made before a log has a name is made by the name that it gets")
func namedLater() {
  var state = ControlState.initial
  for record in recorded([
    .added(provider("p1")), .added(account("a1")), .issued("a1", 1, 1),
    .gateway(.identified(.init(node: NodeID("n7"), incarnation: 1))), .issued("a1", 2, 2),
  ]) { state.apply(record) }
  #expect(state.accounts[a1]?.credential.ancestry == Ancestry(made: [EditAuthor("n7"): 2]))
}

@Test(
  "of more authors than there is room for the first are unnamed, and nothing is claimed of them")
func authorsAreBounded() {
  var ancestry = Ancestry.none
  for number in UInt64(1)...100 {
    ancestry = ancestry.succeeded(by: EditAuthor("n\(number)"), as: number)
  }
  #expect(ancestry.made.count == Ancestry.mostAuthors && ancestry.unnamed == 36)
  #expect(ancestry.misses(Ancestry(made: [EditAuthor("n3"): 3])) == nil)
  #expect(ancestry.misses(Ancestry(made: [EditAuthor("x"): 37])) == origin("x", 37))
}
