import Testing

@testable import Domain

private func target(_ node: SyncNode, _ alias: String) -> String? {
  node.state.aliases[alias]?.target
}

@Test("what a restored node edited after its backup comes back from a peer that had seen it")
func ownEditsComeBack() throws {
  var pair = SyncPair()
  pair.at(0, firstProvider, setAlias("fast", "p1/m1"))
  try pair.sync()
  let backup = pair.nodes[1].log.count
  pair.at(1, setAlias("fast", "p1/x"), setAlias("slow", "p1/y"))
  try pair.sync()
  pair.at(1, setAlias("unheard", "p1/z"))
  pair.now += 1
  try pair.nodes[1].restore(backup, as: 7, now: pair.now)
  #expect(target(pair.nodes[1], "fast") == "p1/m1")
  // It tells first, of less than before; then it is told.
  try pair.sync(1, 0)
  for node in pair.nodes {
    #expect(target(node, "fast") == "p1/x" && target(node, "slow") == "p1/y")
    #expect(target(node, "unheard") == nil)
  }
  #expect(pair.conflicts(0) == [] && pair.conflicts(1) == [])
  let own = try #require(pair.nodes[1].decisions.last { $0.stream == "alias/slow" })
  #expect(own.version.stamp.author == EditAuthor("n1") && own.winner == .theirs)
  #expect(pair.nodes[1].state.sync.author == EditAuthor(NodeID("n1"), incarnation: 7))
  // And from here it goes on as before.
  pair.at(1, setAlias("slow", "p1/w"))
  try pair.sync()
  for node in pair.nodes { #expect(target(node, "slow") == "p1/w") }
  #expect(pair.conflicts(0) == [] && pair.conflicts(1) == [])
  #expect(pair.nodes[0].state.sync.peers["n1"]?.formerLives == [1])
}

@Test("edits after a restore do not count as built on those that the restored copy never had")
func livesAreConcurrent() throws {
  // With one author for both lives the edit after the restore would be a successor, and the other gone in silence.
  var pair = SyncPair()
  pair.at(0, firstProvider, setAlias("fast", "p1/m1"))
  try pair.sync()
  let backup = pair.nodes[1].log.count
  pair.at(1, setAlias("fast", "p1/before"))
  try pair.sync()
  try pair.nodes[1].restore(backup, as: 7, now: pair.now)
  pair.at(1, setAlias("fast", "p1/after"))
  try pair.sync()
  try pair.sync()
  for (index, node) in pair.nodes.enumerated() {
    #expect(target(node, "fast") == "p1/after")
    #expect(pair.conflicts(index).map(\.rule) == [.concurrent], "n\(index)")
  }
}

@Test("a stamp that is used again in another life is another edit")
func stampsOfLivesDiffer() throws {
  var pair = SyncPair()
  pair.at(1, firstProvider)
  try pair.sync()
  let (backup, moment) = (pair.nodes[1].log.count, pair.now)
  pair.at(1, setAlias("fast", "p1/before"))
  try pair.sync()
  // The clock stands where it stood.
  pair.now = moment
  try pair.nodes[1].restore(backup, as: 7, now: pair.now)
  pair.at(1, setAlias("fast", "p1/after"))
  try pair.sync()
  try pair.sync()
  #expect(target(pair.nodes[0], "fast") == target(pair.nodes[1], "fast"))
  #expect(pair.conflicts(0).map(\.rule) == [.concurrent])
}

@Test("a log that was taken back without a trace is told so, also by what others made of its edits")
func takenBackWithoutATrace() throws {
  for isOverwritten in [false, true] {
    var pair = SyncPair()
    pair.at(0, firstProvider, setAlias("fast", "p1/m1"))
    try pair.sync()
    let before = pair.nodes[1]
    pair.at(1, setAlias("fast", "p1/x"))
    try pair.sync()
    if isOverwritten {
      pair.at(0, setAlias("fast", "p1/y"))
    }
    pair.nodes[1] = before
    let document = pair.nodes[0].document(now: pair.now)
    #expect(throws: SyncRefusal.unknownOwnEdit(stream: "alias/fast")) {
      try pair.nodes[1].take(document, now: pair.now, exchange: 9)
    }
    // What the manual says: begin another life.
    try pair.nodes[1].restore(before.log.count, as: 7, now: pair.now)
    try pair.sync(1, 0)
    for node in pair.nodes {
      #expect(target(node, "fast") == (isOverwritten ? "p1/y" : "p1/x"))
    }
  }
}

@Test("of two directories of one name the one that came last is heard, and that outlives a restart")
func oneDirectoryIsHeard() throws {
  var pair = SyncPair()
  pair.at(1, firstProvider)
  try pair.sync()
  var copy = pair.nodes[1]
  try copy.restore(copy.log.count, as: 7, now: pair.now)
  func told(_ node: SyncNode) throws -> Bool {
    try pair.nodes[0].take(
      node.document(now: pair.now), from: node.incarnation, now: pair.now, exchange: 9)
  }
  #expect(try told(copy))
  try pair.nodes[0].crash()
  #expect(throws: SyncRefusal.copiedNode) { try told(pair.nodes[1]) }
  #expect(try !told(copy))
  // The first one is to go on after all: in another life, which takes the copy's place.
  try pair.nodes[1].restore(pair.nodes[1].log.count, as: 8, now: pair.now)
  #expect(try told(pair.nodes[1]))
  #expect(throws: SyncRefusal.copiedNode) { try told(copy) }
  let peer = try #require(pair.nodes[0].state.sync.peers["n1"])
  #expect(peer.life == 8 && peer.formerLives == [1, 7])
}

@Test("an author is shown as a node and its life")
func authorsAreReadable() {
  let later = EditAuthor(NodeID("node-1"), incarnation: 0xAB)
  #expect(later.rawValue == "node-1~00000000000000ab")
  #expect(later.node == NodeID("node-1") && later.life == "00000000000000ab")
  #expect(EditAuthor("node-1").node == NodeID("node-1") && EditAuthor("node-1").life == nil)
  // A name may have the mark.
  #expect(EditAuthor("a~b").node == NodeID("a~b") && EditAuthor("a~b").life == nil)
}

@Test(
  "what a former life made and a backup does not know stays uncertain when a peer tells it back")
func formerLifeIsDoubted() throws {
  let a1 = AccountID("a1")
  // The backup has an older generation of it, or nothing at all.
  for isKnown in [true, false] {
    var pair = SyncPair()
    pair.at(1, firstProvider)
    if isKnown { pair.at(1, .account(.add(account("a1"), credential: oauthTerms(1)))) }
    try pair.sync()
    let backup = pair.nodes[1].log.count
    if !isKnown { pair.at(1, .account(.add(account("a1"), credential: oauthTerms(1)))) }
    pair.nodes[1].refresh(a1, fingerprint(2), now: pair.now)
    try pair.sync()
    // Nobody was told of this one.
    pair.nodes[1].refresh(a1, fingerprint(3), now: pair.now)
    try pair.nodes[1].restore(backup, as: 7, now: pair.now)
    try pair.sync(1, 0)
    let held = try #require(pair.credential(1))
    #expect(held.fingerprint == fingerprint(2) && held.isHome(of: NodeID("n1")))
    guard case .uncertain(let doubt) = held.standing else {
      Issue.record("presented by itself, it may revoke the family")
      continue
    }
    #expect(doubt.reason == .restored)
    #expect(pair.credential(0)?.standing == .usable)
    // What is issued here since is nobody else's.
    pair.at(1, .account(.issueCredential(a1, oauthTerms(4))))
    try pair.sync()
    #expect(pair.credential(1)?.standing == .usable)
    #expect(pair.credential(0)?.fingerprint == fingerprint(4))
  }
}

@Test("a credential that waits for its account is doubted after a restore like any other")
func keptOneIsDoubted() throws {
  let a1 = AccountID("a1")
  var pair = SyncPair()
  pair.at(0, firstProvider)
  try pair.sync()
  pair.at(0, .provider(.remove(ProviderID("p1"))))
  pair.at(1, .account(.add(account("a1"), credential: oauthTerms(1))))
  try pair.sync()
  #expect(pair.nodes[1].state.keepsCredential(of: a1))
  try pair.nodes[1].restore(pair.nodes[1].log.count, as: 7, now: pair.now)
  pair.at(0, firstProvider)
  for _ in 0..<2 { try pair.sync() }
  let held = try #require(pair.credential(1))
  #expect(held.fingerprint == fingerprint(1))
  guard case .uncertain = held.standing else {
    Issue.record("it is usable though another directory may have used it")
    return
  }
}
