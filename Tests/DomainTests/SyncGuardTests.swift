import Testing

@testable import Domain

private let a1 = AccountID("a1")

extension SyncPair {
  /// What a node tells, with one field otherwise, as an edit of its own a moment later.
  fileprivate func telling(
    _ node: Int, _ stream: String, _ field: String, _ value: Image.Value
  ) -> SyncDocument {
    var document = nodes[node].document(now: now)
    let version = FieldVersion(
      HybridStamp(
        time: UnixNanoseconds(now + 1), counter: 0, author: nodes[node].state.sync.author))
    if !document.streams.contains(where: { $0.stream == stream }) {
      let genesis = FieldVersion(.genesis)
      document.streams.insert(
        .init(stream: stream, isPresent: true, version: genesis, fields: []), at: 0)
    }
    for index in document.streams.indices where document.streams[index].stream == stream {
      document.streams[index].fields.removeAll { $0.name == field }
      document.streams[index].fields.append(.init(name: field, value: value, version: version))
      document.streams[index].fields.sort { $0.name < $1.name }
    }
    return document
  }
}

@Test(
  "where a gateway runs and whom it syncs with is told by nobody",
  arguments: [
    ("cloudUrl", Image.Value.text("https://elsewhere.example.com")),
    ("trustedProxies", .list([.text("0.0.0.0/0")])), ("cloudProtocol", .text("9router")),
    ("machineId", .text("m")), ("syncSecrets", .flag(true)), ("syncIntervalSeconds", .number(5)),
  ])
func ownFieldsAreNotTaken(field: String, value: Image.Value) throws {
  var pair = SyncPair()
  pair.at(1, firstProvider)
  try pair.sync()
  let told = pair.telling(1, "settings", field, value)
  let before = pair.nodes[0].state
  #expect(throws: SyncRefusal.malformed(stream: "settings")) {
    try pair.nodes[0].take(told, now: pair.now, exchange: 9)
  }
  #expect(pair.nodes[0].state == before)
  #expect(throws: DecodingFailure.self) { try SyncDocument(decoding: told.encoded()) }
}

@Test("a value that is impossible here stays out, and takes nothing with it")
func impossibleValueWaits() throws {
  var pair = SyncPair()
  pair.at(0, firstProvider, .account(.add(account("a1"), credential: oauthTerms(1))))
  try pair.sync()
  let before = try #require(pair.nodes[0].state.providers[ProviderID("p1")])
  let told = pair.telling(1, "provider/p1", "baseUrl", .text("ftp://x"))
  _ = try pair.nodes[0].take(told, now: pair.now, exchange: 9)
  let state = pair.nodes[0].state
  #expect(state.providers[ProviderID("p1")]?.baseURL == before.baseURL)
  #expect(state.accounts[a1]?.credential.fingerprint == fingerprint(1))
  let waiting = try #require(state.sync.peers["n1"]?.waiting)
  #expect(waiting.map(\.field) == ["baseUrl"] && waiting.allSatisfy { !$0.reason.isEmpty })
  // And when its author mends it, it comes.
  pair.now += 1_000_000_000
  let mended = pair.telling(1, "provider/p1", "baseUrl", .text("https://mended.example.com"))
  _ = try pair.nodes[0].take(mended, now: pair.now, exchange: 10)
  let now = pair.nodes[0].state
  #expect(now.providers[ProviderID("p1")]?.baseURL == "https://mended.example.com")
  #expect(now.sync.peers["n1"]?.waiting == [])
  #expect(now.accounts[a1]?.credential.fingerprint == fingerprint(1))
}

@Test("nodes hold the same also where an account came and went before they met")
func goneAccountsAreNoDifference() throws {
  var pair = SyncPair()
  pair.at(0, firstProvider, .account(.add(account("a1"), credential: oauthTerms(1))))
  pair.at(0, .account(.remove(a1)))
  try pair.sync()
  let told = pair.nodes.map { $0.document(now: 0) }
  #expect(told[0].encodedIntent() == told[1].encodedIntent())
  #expect(told[0].encodedCredentials() == told[1].encodedCredentials())
}

@Test(
  "numbers beyond what nodes count to end no exchange: that credential alone is left, and that is said"
)
func uncountable() throws {
  for version in [
    Credential.Version(homeEpoch: 0, generation: 1 << 53 + 1),
    .init(homeEpoch: .max, generation: 2), .init(homeEpoch: 0, generation: .max),
  ] {
    var pair = SyncPair()
    pair.at(0, firstProvider, .account(.add(account("a1"), credential: oauthTerms(1))))
    try pair.sync()
    pair.at(
      0, setAlias("fast", "p1/m1"), .account(.issueCredential(AccountID("a1"), oauthTerms(2))))
    var document = pair.nodes[0].document(now: pair.now)
    let index = try #require(document.credentials.firstIndex { $0.account == AccountID("a1") })
    document.credentials[index].version = version
    _ = try pair.nodes[1].take(document, now: pair.now, exchange: 9)
    #expect(pair.nodes[1].state.aliases["fast"]?.target == "p1/m1")
    #expect(pair.credential(1)?.fingerprint == fingerprint(1))
    let waiting = try #require(pair.nodes[1].state.sync.peers["n0"]?.waiting.first)
    #expect(waiting.stream == "credential/a1" && waiting.reason.contains("beyond"))
    // The next one that can be counted is taken, and nothing waits any more.
    try pair.sync()
    #expect(pair.credential(1)?.fingerprint == fingerprint(2))
    #expect(pair.nodes[1].state.sync.peers["n0"]?.waiting == [])
  }
}
