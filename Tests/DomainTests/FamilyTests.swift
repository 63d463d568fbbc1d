import Support
import Testing

@testable import Domain

private let one = AccountID("a1")
private let two = AccountID("a2")

private let client = OAuthClient(
  tokenURL: "https://auth.example/token", clientID: "client", isSharedFamily: true,
  spacingSeconds: 20)

/// Nodes that know the client, which is each node's own to say; nothing was exchanged yet.
private func family(_ count: Int = 2) -> SyncPair {
  var pair = SyncPair(count)
  pair.at(0, firstProvider)
  for node in 1..<count { #expect(throws: Never.self) { try pair.sync(0, node) } }
  for node in 0..<count { pair.at(node, .provider(.setOAuth(ProviderID("p1"), client))) }
  return pair
}

private func add(_ id: String, _ number: Int) -> Command {
  .account(.add(account(id), credential: oauthTerms(number)))
}

private func attempt(_ pair: SyncPair, _ node: Int, _ id: AccountID) -> [any Error] {
  let generation = pair.nodes[node].state.accounts[id]?.credential.generation ?? 0
  do {
    _ = try decide(
      .credential(
        .attempt(
          id, generation: generation, cause: .byOperator, at: UnixNanoseconds(pair.now))),
      pair.nodes[node].state)
    return []
  } catch {
    return [error]
  }
}

private func home(_ pair: SyncPair, _ node: Int, _ id: AccountID) -> NodeID? {
  pair.nodes[node].state.accounts[id].map { $0.credential.home ?? pair.nodes[node].name }
}

@Test("what is issued where a sibling's home is known goes to that home")
func issuedToTheHome() throws {
  var pair = family()
  pair.at(0, add("a1", 1))
  try pair.sync()
  pair.at(1, add("a2", 2))
  #expect(home(pair, 1, two) == NodeID("n0"))
  #expect(attempt(pair, 1, two).count == 1)
  try pair.sync()
  #expect(home(pair, 0, two) == NodeID("n0") && attempt(pair, 0, two).isEmpty)
  // Also a credential that this node was the home of, and one that cannot be refreshed stays where it is.
  pair.at(1, .account(.issueCredential(one, oauthTerms(3))))
  #expect(home(pair, 1, one) == NodeID("n0"))
  pair.at(1, add("a3", 4), .account(.issueCredential(AccountID("a3"), .key(fingerprint(5)))))
  #expect(home(pair, 1, AccountID("a3")) == NodeID("n1"))
}

@Test("accounts that each have a family of their own are issued where somebody wants it")
func aloneStays() throws {
  var pair = family()
  var alone = client
  alone.isSharedFamily = false
  pair.at(1, .provider(.setOAuth(ProviderID("p1"), alone)))
  pair.at(0, add("a1", 1))
  try pair.sync()
  pair.at(1, add("a2", 2))
  #expect(home(pair, 1, two) == NodeID("n1"))
  #expect(pair.nodes[1].state.familyMoves() == [])
}

@Test(
  "of two homes that arose apart one gives its credentials away, and refreshes nothing meanwhile")
func oneHomeInTheEnd() throws {
  var pair = family()
  pair.at(0, add("a1", 1))
  pair.at(1, add("a2", 2), add("a3", 3))
  #expect(attempt(pair, 0, one).isEmpty && attempt(pair, 1, two).isEmpty)
  try pair.sync()
  #expect(pair.nodes[0].state.familyMoves() == [])
  #expect(pair.nodes[1].state.familyMoves() == [.moveHome(two, to: NodeID("n0"))])
  #expect(attempt(pair, 0, one).isEmpty)
  #expect(attempt(pair, 1, two).count == 1 && attempt(pair, 1, AccountID("a3")).count == 1)
  pair.at(1, .credential(.moveHome(two, to: NodeID("n0"))))
  #expect(pair.nodes[1].state.familyMoves() == [])
  try pair.sync()
  for node in 0...1 {
    for id in [one, two, AccountID("a3")] { #expect(home(pair, node, id) == NodeID("n0")) }
  }
}

@Test("nothing is given away while it is refreshed")
func notInFlight() throws {
  var pair = family()
  pair.at(0, add("a1", 1))
  pair.at(1, add("a2", 2), add("a3", 3))
  pair.at(
    1,
    .credential(.attempt(two, generation: 1, cause: .byOperator, at: UnixNanoseconds(pair.now))))
  try pair.sync()
  #expect(pair.nodes[1].state.familyMoves() == [])
  let settled = CredentialCommand.Settlement(
    attempt: 1, generation: 1, outcome: .succeeded(fingerprint: fingerprint(9), expiresAt: nil),
    at: UnixNanoseconds(pair.now))
  pair.at(1, .credential(.settle(two, settled)))
  #expect(pair.nodes[1].state.familyMoves().count == 1)
}

@Test("a family moves as a whole, by its home or by force")
func movesTogether() throws {
  for isForced in [false, true] {
    var pair = family()
    pair.at(0, add("a1", 1), add("a2", 2))
    try pair.sync()
    pair.at(
      isForced ? 1 : 0, .credential(.moveHome(two, to: NodeID("n1"), force: isForced)))
    try pair.sync()
    for node in 0...1 {
      for id in [one, two] { #expect(home(pair, node, id) == NodeID("n1"), "\(isForced)") }
      #expect(pair.nodes[node].state.familyMoves() == [])
    }
    #expect(attempt(pair, 1, one).isEmpty && attempt(pair, 0, one).count == 1)
  }
}

@Test("the pause of a family is counted from when a sibling's newer credential came")
func countsWhatCame() throws {
  var pair = family()
  var terms = oauthTerms(1)
  terms.expiresAt = UnixNanoseconds(pair.now + 3_600_000_000_000)
  pair.at(0, .account(.add(account("a1"), credential: terms)))
  pair.at(1, add("a2", 2))
  try pair.tell(1, 0)
  let state = pair.nodes[0].state
  let came = try #require(state.accounts[two]?.credential.attemptedAt)
  #expect(came == UnixNanoseconds(pair.now))
  // Its own falls due within the pause and waits for its end.
  terms.expiresAt = UnixNanoseconds(pair.now + 300_000_000_000)
  pair.at(0, .account(.issueCredential(one, terms)))
  let soon = UnixNanoseconds(came.rawValue + 10_000_000_000)
  let due = pair.nodes[0].state.accounts[one]?.credential.refreshDue(leadSeconds: 300)
  let plan = pair.nodes[0].state.refreshPlan(at: soon)
  #expect(plan.due == [])
  #expect(
    plan.next == max(due ?? soon, UnixNanoseconds(came.rawValue + 20_000_000_000)))
}

@Test(
  "whatever is issued, moved and told, one node refreshes the family in the end",
  arguments: UInt64(0)..<40)
func oneHomeAnyhow(seed: UInt64) throws {
  var random = SeededRandom(seed: seed)
  let count = 2 + Int(seed % 2)
  var pair = family(count)
  let ids = ["a1", "a2", "a3"]
  var number = 10
  func give(_ node: Int) {
    for move in pair.nodes[node].state.familyMoves() {
      #expect(!pair.nodes[node].command(.credential(move), now: pair.now).isEmpty)
    }
  }
  for _ in 0..<60 {
    pair.now += Int64(random.int(1...20)) * 1_000_000_000
    let node = random.int(0...count - 1)
    let id = AccountID(ids[random.int(0...ids.count - 1)])
    number += 1
    switch random.int(0...5) {
    case 0, 1:
      let isThere = pair.nodes[node].state.accounts[id] != nil
      _ = pair.nodes[node].command(
        isThere
          ? .account(.issueCredential(id, oauthTerms(number))) : add(id.rawValue, number),
        now: pair.now)
    case 2:
      let to = NodeID("n\(random.int(0...count - 1))")
      _ = pair.nodes[node].command(
        .credential(.moveHome(id, to: to, force: random.oneIn(3))), now: pair.now)
    case 3:
      if attempt(pair, node, id).isEmpty, pair.nodes[node].state.accounts[id] != nil {
        pair.nodes[node].refresh(id, fingerprint(number), now: pair.now)
      }
    case _:
      let other = random.int(0...count - 1)
      if other != node { try pair.tell(node, other) }
      if random.oneIn(2) { give(other) }
    }
  }
  for _ in 0..<8 {
    for from in 0..<count { for to in 0..<count where to != from { try pair.tell(from, to) } }
    for node in 0..<count { give(node) }
  }
  let homes = Set(
    pair.nodes.indices.flatMap { node in
      pair.nodes[node].state.accounts.values.filter(\.credential.isRefreshedSomewhere)
        .map { $0.credential.home ?? pair.nodes[node].name }
    })
  #expect(homes.count <= 1, "seed \(seed): \(homes)")
  for account in pair.nodes[0].state.accounts.keys {
    let able = (0..<count).filter { node in
      pair.nodes[node].state.accounts[account].map { pair.nodes[node].state.mayRefresh($0) } == true
    }
    #expect(able.count <= 1, "seed \(seed)")
  }
}
