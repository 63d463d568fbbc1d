import Support
import Testing

@testable import Domain

private let start: Int64 = 1_700_000_000_000_000_000
private let minute: Int64 = 60_000_000_000

/// Two or more nodes that an operator works at, one exchange at a time.
private struct Pair {
  var nodes: [SyncNode]
  var now = start
  private var exchanges: UInt128 = 0

  init(_ count: Int = 2, skew: [Int: Int64] = [:]) {
    nodes = (0..<count).map { SyncNode("n\($0)", skew: skew[$0] ?? 0) }
  }

  mutating func at(_ node: Int, _ commands: Command...) {
    for command in commands {
      now += 1_000_000_000
      #expect(!nodes[node].command(command, now: now).isEmpty, "\(command) did nothing")
    }
  }

  /// What one tells the other is taken in there.
  mutating func tell(_ from: Int, _ to: Int) throws {
    now += 1_000_000_000
    exchanges += 1
    let document = nodes[from].document(now: now)
    _ = try nodes[to].take(document, now: now, exchange: exchanges)
  }

  mutating func sync(_ a: Int = 0, _ b: Int = 1) throws {
    try tell(a, b)
    try tell(b, a)
  }

  func credential(_ node: Int) -> Credential? {
    nodes[node].state.accounts[AccountID("a1")]?.credential
  }

  func conflicts(_ node: Int) -> [SyncEvent.Decision] {
    nodes[node].decisions.filter(\.isConflict)
  }

  func doubts(_ node: Int) -> Int {
    nodes[node].log.count { if case .sync(.conflict) = $0.event { true } else { false } }
  }
}

private func alias(_ name: String, _ target: String) -> Command {
  .alias(.set(name: name, target: target, allowUnresolved: true))
}

private let p1 = Command.provider(.add(provider("p1")))

@Test("of two edits that did not know each other the later one holds, and both nodes say so")
func laterEditHolds() throws {
  var pair = Pair()
  pair.at(0, p1, alias("fast", "p1/m1"))
  try pair.sync()
  pair.at(0, alias("fast", "p1/x"))
  pair.at(1, alias("fast", "p1/y"))
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
  var pair = Pair(skew: [1: -3 * minute])
  pair.at(0, p1, alias("fast", "p1/x"))
  try pair.sync()
  pair.at(1, alias("fast", "p1/y"))
  try pair.sync()
  for node in 0...1 {
    #expect(pair.nodes[node].state.aliases["fast"]?.target == "p1/y")
    #expect(pair.conflicts(node) == [])
  }
}

@Test("what is removed stays removed, and an edit that goes with it is on record")
func removalHolds() throws {
  var pair = Pair()
  pair.at(0, p1, .account(.add(account("a1"), credential: nil)))
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
  var pair = Pair(skew: [1: 60 * minute])
  pair.at(0, p1, alias("fast", "p1/x"))
  pair.at(1, alias("slow", "p1/y"))
  try pair.tell(1, 0)
  #expect(pair.nodes[0].state.aliases["slow"] == nil)
  #expect(pair.nodes[0].state.sync.peers["n1"]?.waiting.map(\.stream) == ["alias/slow"])
  pair.now += 56 * minute
  try pair.tell(1, 0)
  #expect(pair.nodes[0].state.aliases["slow"]?.target == "p1/y")
  #expect(pair.nodes[0].state.sync.peers["n1"]?.waiting == [])
}

@Test(
  "a name that means two things goes to the provider; the alias waits, and comes when it is free")
func aliasYields() throws {
  var pair = Pair()
  pair.at(0, .provider(.add(provider("p1", prefix: "fast"))))
  pair.at(1, alias("fast", "m1"))
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
  var pair = Pair()
  pair.at(0, p1, alias("fast", "p1/x"))
  pair.at(1, alias("slow", "p1/y"))
  try pair.sync()
  var document = pair.nodes[1].document(now: pair.now)
  func taking(_ document: SyncDocument) -> SyncRefusal? {
    do {
      _ = try pair.nodes[0].state.reconcile(
        document, peer: "n1", exchange: 9, secretsKey: "k", now: UnixNanoseconds(pair.now))
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
    time: UnixNanoseconds(pair.now + minute), counter: 0, node: NodeID("n0"))
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
  func secret(_ number: Int) -> CredentialTerms {
    CredentialTerms(
      fingerprint: fingerprint(number), kind: .oauth, canRefresh: true, expiresAt: nil)
  }
  let a1 = AccountID("a1")
  var pair = Pair(3)
  pair.at(0, p1, .account(.add(account("a1"), credential: secret(1))))
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

  pair.at(1, .account(.issueCredential(a1, secret(3))))
  pair.at(2, .account(.issueCredential(a1, secret(4))))
  for _ in 0..<3 { try pair.sync(1, 2) }
  #expect(pair.credential(1)?.fingerprint == fingerprint(3))
  #expect(pair.credential(2)?.fingerprint == fingerprint(4))
  #expect(pair.doubts(1) == 1 && pair.doubts(2) == 1)
  pair.at(1, .account(.issueCredential(a1, secret(5))))
  try pair.sync(1, 2)
  try pair.sync(1, 0)
  for node in 0...2 { #expect(pair.credential(node)?.fingerprint == fingerprint(5)) }
  for node in 1...2 {
    for peer in pair.nodes[node].state.sync.peers.values {
      #expect(peer.credentialConflicts.isEmpty)
    }
  }
}
