import Testing

@testable import Domain

private let a1 = AccountID("a1")
private let p1 = ProviderID("p1")

/// What a node tells that has other rules than ours: one field otherwise, edited on top of what it knew.
private func foreign(
  _ pair: SyncPair, _ stream: String, _ field: String, _ value: Image.Value
) throws -> SyncDocument {
  var document = pair.nodes[0].document(now: pair.now)
  document.node = NodeID("x")
  let place = try #require(document.streams.firstIndex { $0.stream == stream })
  let index = try #require(document.streams[place].fields.firstIndex { $0.name == field })
  let version = document.streams[place].fields[index].version
  document.streams[place].fields[index].value = value
  document.streams[place].fields[index].version = version.succeeded(
    by: HybridStamp(time: UnixNanoseconds(pair.now), counter: 1, author: EditAuthor(document.node)))
  return document
}

private func withProvider() throws -> SyncPair {
  var pair = SyncPair()
  pair.at(0, firstProvider, .account(.add(account("a1"), credential: oauthTerms(1))))
  try pair.sync()
  return pair
}

@Test(
  "a value that the rules refuse takes nothing away: what was before it stays, and that is said",
  arguments: [
    ("provider/p1", "baseUrl", Image.Value.text("ftp://x")),
    ("provider/p1", "baseUrl", .none), ("provider/p1", "prefix", .number(7)),
    ("provider/p1", "name", .list([.text("n")])),
    ("account/a1", "priority", .number(0)), ("account/a1", "weight", .text("heavy")),
    ("account/a1", "provider", .flag(true)),
  ])
func refusedStays(_ stream: String, _ field: String, _ value: Image.Value) throws {
  var pair = try withProvider()
  let before = pair.nodes[0].state
  let document = try foreign(pair, stream, field, value)
  for node in 0...1 {
    #expect(try pair.nodes[node].take(document, now: pair.now, exchange: 50))
    let state = pair.nodes[node].state
    #expect(state.providers[p1] == before.providers[p1] || node == 1)
    #expect(state.accounts[a1]?.credential.fingerprint == fingerprint(1))
    #expect(state.sync.withheld.isEmpty)
    let waiting = try #require(state.sync.peers["x"]?.waiting)
    #expect(waiting.map(\.place) == [.init(stream: stream, field: field)])
    #expect(waiting.first?.reason.isEmpty == false)
    // Said once.
    #expect(try !pair.nodes[node].take(document, now: pair.now, exchange: 51))
    #expect(try pair.nodes[node].replayed() == state)
  }
  // Nodes with the same rules go on as if nobody had made that edit.
  try pair.sync()
  #expect(pair.nodes[0].document(now: 0).streams == pair.nodes[1].document(now: 0).streams)
}

@Test("when the other build's node makes it right, that is taken and nothing waits any more")
func refusedIsMendedThere() throws {
  var pair = try withProvider()
  var document = try foreign(pair, "provider/p1", "baseUrl", .text("ftp://x"))
  _ = try pair.nodes[0].take(document, now: pair.now, exchange: 50)
  let place = try #require(document.streams.firstIndex { $0.stream == "provider/p1" })
  let index = try #require(document.streams[place].fields.firstIndex { $0.name == "baseUrl" })
  let version = document.streams[place].fields[index].version
  document.streams[place].fields[index].value = .text("http://mended/v1")
  document.streams[place].fields[index].version = version.succeeded(
    by: HybridStamp(
      time: UnixNanoseconds(pair.now + 1), counter: 0, author: EditAuthor(document.node)))
  _ = try pair.nodes[0].take(document, now: pair.now, exchange: 51)
  let state = pair.nodes[0].state
  #expect(state.providers[p1]?.baseURL == "http://mended/v1")
  #expect(state.sync.peers["x"]?.waiting == [])
  #expect(pair.credential(0)?.fingerprint == fingerprint(1))
}

@Test("what a build does not know of a value or a resource does not keep the rest of it away")
func unknownPartsGoOn() throws {
  var pair = try withProvider()
  var document = try foreign(
    pair, "provider/p1", "models",
    .list([
      .record([.init("name", .text("m7")), .init("alias", .none), .init("colour", .text("red"))])
    ]))
  let place = try #require(document.streams.firstIndex { $0.stream == "provider/p1" })
  let version = FieldVersion(
    HybridStamp(time: UnixNanoseconds(pair.now), counter: 2, author: EditAuthor(document.node)))
  document.streams[place].fields.append(
    .init(name: "zone", value: .text("eu"), version: version))
  _ = try pair.nodes[0].take(document, now: pair.now, exchange: 50)
  let state = pair.nodes[0].state
  #expect(state.providers[p1]?.models.map(\.name) == ["m7"])
  #expect(state.sync.peers["x"]?.waiting == [])
  #expect(state.sync.withheld["provider/p1"]?.fields.map(\.name) == ["models", "zone"])
}

@Test(
  "of every kind of resource a value that no node can hold is known as such, and a usual one is not"
)
func knowsTheImpossible() {
  let policy = PolicyID(organisation: OrganisationID("acme"), model: "big")
  for (subject, field, wrong, right) in [
    (Subject.provider(p1), "baseUrl", Image.Value.text("ftp://x"), Image.Value.text("http://h/v1")),
    (.account(a1), "weight", .number(10_001), .number(3)),
    (.key(KeyID("k1")), "status", .text("asleep"), .text("revoked")),
    (.key(KeyID("k1")), "name", .text(" "), .text("mine")),
    (.key(KeyID("k1")), "expiresAt", .text("soon"), .time(UnixNanoseconds(9))),
    (.alias("fast"), "model", .text(""), .text("p1/m1")),
    (.combo("both"), "models", .list([]), .list([.text("p1/m1")])),
    (.policy(policy), "failoverThreshold", .number(0), .number(2)),
    (.organisation(OrganisationID("acme")), "name", .text(""), .text("Acme")),
    (.organisation(.standard), "name", .text(""), .text("Ours")),
    (.settings, "maxBodyBytes", .number(1), .number(5_000)),
    (.pricing, "p1/m1", .text("cheap"), Price(input: 1, output: 2).imageValue),
    (.model(ModelID(provider: p1, name: "m1")), "isActive", .number(1), .flag(false)),
  ] {
    #expect(subject.impossible([field: wrong], in: [field: wrong])[field] != nil, "\(subject)")
    #expect(subject.impossible([field: right], in: [field: right]) == [:], "\(subject)")
    #expect(subject.impossible(["zone": wrong], in: ["zone": wrong]) == [:], "\(subject)")
  }
}
