import Domain
import Testing

@Suite("Sign-ins that wait")
struct SignInDeskTests {
  private let mine = SignInCaller(
    session: "s1", provider: ProviderID("claude"), flow: .authorizationCode)

  private func begun(
    session: String = "s1", flow: OAuthProvider.Flow = .authorizationCode, until: UInt64 = 600
  ) -> SignInBegun {
    SignInBegun(
      provider: ProviderID("claude"), flow: flow, session: session, expiresAt: second(until),
      account: nil)
  }

  private func desk() throws -> SignInDesk<String> {
    var desk = SignInDesk<String>()
    try desk.begin(begun(), handle: "h1", held: "verifier", at: second(0))
    return desk
  }

  /// Who comes with what and when, and what is said to it.
  struct Visit: Sendable {
    var handle = "h1"
    var session = "s1"
    var provider = "claude"
    var flow = OAuthProvider.Flow.authorizationCode
    var at: UInt64 = 1
    var refusal: SignInRefusal?
  }

  @Test(arguments: [
    Visit(), Visit(at: 599), Visit(at: 600, refusal: .expired), Visit(at: 9_999, refusal: .expired),
    Visit(handle: "h2", refusal: .unknown), Visit(handle: "", refusal: .unknown),
    Visit(session: "s2", refusal: .otherSession),
    Visit(provider: "codex", refusal: .otherProvider),
    Visit(flow: .deviceCode, refusal: .otherProvider),
    // To another session nothing is said of what it is, nor of whether it is over.
    Visit(session: "s2", provider: "codex", at: 9_999, refusal: .otherSession),
  ])
  func onlyWhoBeganItEndsIt(_ visit: Visit) throws {
    var desk = try desk()
    let caller = SignInCaller(
      session: visit.session, provider: ProviderID(visit.provider), flow: visit.flow)
    let taken = Result { () throws(SignInRefusal) in
      try desk.take(visit.handle, by: caller, at: second(visit.at)).held
    }
    #expect(taken == visit.refusal.map { .failure($0) } ?? .success("verifier"))
    // A refused visit spoils nothing for the one that it belongs to.
    if visit.refusal != nil {
      #expect(try desk.take("h1", by: mine, at: second(1)).held == "verifier")
    }
  }

  @Test func anEndedOneIsEndedForGood() throws {
    var desk = try desk()
    #expect(desk.open == 1)
    _ = try desk.take("h1", by: mine, at: second(1))
    #expect(desk.open == 0)
    #expect(throws: SignInRefusal.used) { try desk.take("h1", by: mine, at: second(2)) }
    // Its time over, nothing of it is kept.
    try desk.begin(begun(until: 1_300), handle: "h2", held: "v", at: second(700))
    #expect(throws: SignInRefusal.unknown) { try desk.take("h1", by: mine, at: second(701)) }
  }

  @Test func thereIsRoomForSoManyAndNoMore() throws {
    var desk = SignInDesk<String>()
    for number in 0..<SignInDesk<String>.mostOfOne {
      try desk.begin(begun(), handle: "a\(number)", held: "v", at: second(0))
    }
    #expect(throws: SignInRefusal.tooMany) {
      try desk.begin(begun(), handle: "a", held: "v", at: second(0))
    }
    for number in SignInDesk<String>.mostOfOne..<SignInDesk<String>.most {
      try desk.begin(begun(session: "s\(number)"), handle: "b\(number)", held: "v", at: second(0))
    }
    #expect(throws: SignInRefusal.tooMany) {
      try desk.begin(begun(session: "new"), handle: "c", held: "v", at: second(599))
    }
    // Those whose time is over make room.
    try desk.begin(begun(session: "new", until: 1_200), handle: "c", held: "v", at: second(600))
    #expect(desk.open == 1)
  }

  @Test func aProviderIsPolledOneCallAtATimeAndNotTooOften() throws {
    var desk = SignInDesk<String>()
    try desk.begin(
      begun(flow: .deviceCode), handle: "d", held: "code", intervalSeconds: 5, at: second(0))
    let caller = SignInCaller(session: "s1", provider: ProviderID("claude"), flow: .deviceCode)
    func poll(_ at: UInt64) throws -> String? {
      try desk.poll("d", by: caller, at: second(at))?.held
    }
    #expect(try poll(4) == nil)
    #expect(try poll(5) == "code")
    #expect(try poll(6) == nil, "one is under way")
    desk.wait("d", slower: false, at: second(7))
    #expect(try poll(11) == nil)
    #expect(try poll(12) == "code")
    desk.wait("d", slower: true, at: second(12))
    #expect(try poll(21) == nil, "ten seconds from now on")
    #expect(try poll(22) == "code")
    desk.end("d")
    #expect(throws: SignInRefusal.used) { _ = try poll(40) }
  }
}

@Suite("Whose a sign-in is")
struct SignedInTests {
  private let anna = SignedInIdentity(subject: "u1", workspace: "w1", email: "a@b.test")
  private let provider1 = ProviderID("p1")

  private func owner(
    _ identity: SignedInIdentity, known: [AccountID: SignedInIdentity] = [:],
    wanted: String? = nil, fresh: String = "new",
    given: [Event] = [.added(provider("p1")), .added(account("a1")), .added(account("a2"))]
  ) -> Result<SignedInAccount, Refusal> {
    Result { () throws(Refusal) in
      try state(given).account(
        of: identity, at: provider1, known: known, wanted: wanted.map { AccountID($0) },
        fresh: AccountID(fresh), fallback: "Claude")
    }
  }

  @Test func theSameSubjectInTheSameWorkspaceIsTheSameAccount() {
    let known = [AccountID("a2"): anna, AccountID("a1"): SignedInIdentity(subject: "u2")]
    #expect(owner(anna, known: known) == .success(.known(AccountID("a2"))))
    var moved = anna
    moved.email = "other@b.test"
    #expect(owner(moved, known: known) == .success(.known(AccountID("a2"))), "mail may change")
  }

  @Test func theSameMailInAnotherWorkspaceIsAnotherAccount() {
    var other = anna
    other.workspace = "w2"
    #expect(
      owner(other, known: [AccountID("a2"): anna])
        == .success(.new(AccountID("new"), name: "a@b.test")))
    var nobody = SignedInIdentity(email: "a@b.test")
    #expect(
      owner(nobody, known: [AccountID("a2"): nobody])
        == .success(.new(AccountID("new"), name: "a@b.test")), "mail alone is nobody")
    nobody.email = nil
    #expect(owner(nobody) == .success(.new(AccountID("new"), name: "Claude")))
  }

  @Test func namesAreToldApart() {
    let taken: [Event] = [.added(provider("p1")), .added(account("a1", name: "a@b.test"))]
    #expect(
      owner(anna, given: taken) == .success(.new(AccountID("new"), name: "a@b.test (w1)")))
    #expect(
      owner(SignedInIdentity(subject: "u", email: "a@b.test"), given: taken)
        == .success(.new(AccountID("new"), name: "a@b.test 2")))
    let long = String(repeating: "x", count: 200) + "\u{7}\n é"
    guard case .success(.new(_, let name)) = owner(SignedInIdentity(subject: long)) else {
      Issue.record("refused")
      return
    }
    #expect(name == String(repeating: "x", count: 64))
  }

  @Test func anAccountThatIsAskedForIsKeptUnlessItIsSomebodyElses() {
    #expect(owner(anna, wanted: "a1") == .success(.known(AccountID("a1"))), "nobody knows whose")
    #expect(
      owner(anna, known: [AccountID("a1"): anna], wanted: "a1")
        == .success(.known(AccountID("a1"))))
    var other = anna
    other.workspace = "w2"
    guard
      case .failure(let refusal) = owner(
        anna, known: [AccountID("a1"): other], wanted: "a1"),
      case .failure(let unknown) = owner(anna, wanted: "none")
    else {
      Issue.record("not refused")
      return
    }
    #expect(refusal.code == .signedInAsAnother)
    #expect(unknown.code == .unknownAccount)
  }

  @Test func anAccountWhoseCredentialIsGoneIsFoundByItsID() {
    #expect(owner(anna, fresh: "a1") == .success(.known(AccountID("a1"))))
  }
}

@Suite("The table of OAuth providers")
struct OAuthProviderTests {
  @Test(arguments: OAuthProvider.all.map(\.kind))
  func everyRowIsWhole(_ kind: String) throws {
    let row = OAuthProvider[kind]
    #expect(row.kind == kind && OAuthProvider.all.count { $0.kind == kind } == 1)
    #expect(row.flows.contains(.imported))
    if let client = row.client {
      #expect(client.kind == row.kind)
      // Taken by the same rules as an operator's own.
      let given: [Event] = [.added(provider("p1"))]
      let made = try decide(.provider(.setOAuth(ProviderID("p1"), client)), state(given))
      #expect(
        made.map(\.event) == [.provider(.oauthSet(.init(id: ProviderID("p1"), client: client)))])
      #expect(client.secret == nil, "no secrets of others in the program")
      if row.flows.contains(.authorizationCode) { #expect(client.authorizeURL != nil) }
      if row.flows.contains(.deviceCode) { #expect(client.deviceURL != nil) }
      if row.identity.place == .userInfo { #expect(client.userInfoURL != nil) }
    } else {
      #expect(row.flows == [.imported] || row.kind == "generic")
    }
    if let service = row.service {
      let added = ProviderEvent.Added(
        id: ProviderID("p1"), name: row.title, dialect: service.dialect,
        baseURL: service.baseURL, prefix: row.kind, models: [], excludedModels: [])
      #expect(try decide(.provider(.add(added)), state([])).count == 1)
    }
  }

  @Test func fieldsAreNamedAsTheServiceNamesThem() {
    #expect(OAuthProvider.Words.camel.name("refresh_token") == "refreshToken")
    #expect(OAuthProvider.Words.camel.name("code") == "code")
    #expect(OAuthProvider.Words.snake.name("refresh_token") == "refresh_token")
  }

  @Test(arguments: [
    ("codex", Credential.Kind.oauth, false), ("codex", .token, false), ("codex", .apiKey, true),
    ("cursor", .token, false), ("claude", .oauth, true), ("generic", .oauth, true),
    ("my-own", .token, true),
  ])
  func whoseProtocolIsNotSpokenIsNotRoutedTo(
    _ kind: String, _ credential: Credential.Kind, _ isSpoken: Bool
  ) {
    let client = OAuthClient(kind: kind, tokenURL: "https://a.test/token", clientID: "c")
    let configured = state([
      .added(provider("p1")),
      .provider(.oauthSet(.init(id: ProviderID("p1"), client: client))), .added(account("a1")),
      .credential(
        .issued(
          .init(
            account: AccountID("a1"), generation: 1, fingerprint: fingerprint(1),
            kind: credential))),
    ])
    let obstacle = RoutingSnapshot(configured).accounts.first?.obstacle
    #expect(obstacle == (isSpoken ? nil : .otherProtocol))
  }
}
