import Domain
import Testing

private let p1 = ProviderID("p1")

private func add(_ it: ProviderEvent.Added) -> Command { .provider(.add(it)) }
private func change(_ it: ProviderEvent.Changed) -> Command { .provider(.change(it)) }
private func url(_ url: String) -> Command { add(provider("p1", url: url)) }

@Test(
  "the rules of providers hold",
  arguments: [
    Scenario(
      "a new provider is added", when: add(provider("p1")), then: .events([.added(provider("p1"))])
    ),
    Scenario(
      "adding twice never overwrites", given: [.added(provider("p1"))],
      when: add(provider("p1", url: "http://other/v1")), then: .refused(.alreadyExists, field: "id")
    ),
    Scenario(
      "a removed provider can be added again",
      given: [.added(provider("p1")), .provider(.removed(p1))], when: add(provider("p1")),
      then: .events([.added(provider("p1"))])),
    Scenario(
      "only what differs is changed", given: [.added(provider("p1"))],
      when: change(.init(id: p1, name: "new", baseURL: "http://127.0.0.1:9000/v1", prefix: "p1")),
      then: .events([.provider(.changed(.init(id: p1, name: "new")))])),
    Scenario(
      "a change that changes nothing is no event", given: [.added(provider("p1"))],
      when: change(.init(id: p1, name: "p1", models: [ProviderModel(name: "m1")])), then: .nothing),
    Scenario(
      "an empty list of models is a change", given: [.added(provider("p1"))],
      when: change(.init(id: p1, models: [])),
      then: .events([.provider(.changed(.init(id: p1, models: [])))])),
    Scenario(
      "a missing provider cannot be changed", when: change(.init(id: p1, name: "x")),
      then: .refused(.unknownProvider, field: "id")),
    Scenario(
      "a provider is disabled", given: [.added(provider("p1"))], when: .provider(.disable(p1)),
      then: .events([.provider(.disabled(p1))])),
    Scenario(
      "a provider is enabled already", given: [.added(provider("p1"))],
      when: .provider(.enable(p1)), then: .nothing),
    Scenario(
      "a disabled provider is enabled",
      given: [.added(provider("p1")), .provider(.disabled(p1))], when: .provider(.enable(p1)),
      then: .events([.provider(.enabled(p1))])),
    Scenario(
      "a missing provider cannot be enabled", when: .provider(.enable(p1)),
      then: .refused(.unknownProvider, field: "id")),
    Scenario(
      "a missing provider cannot be disabled", when: .provider(.disable(p1)),
      then: .refused(.unknownProvider, field: "id")),
    Scenario(
      "a provider without accounts is removed", given: [.added(provider("p1"))],
      when: .provider(.remove(p1)), then: .events([.provider(.removed(p1))])),
    Scenario(
      "a provider with accounts stays",
      given: [.added(provider("p1")), .added(account("a1"))], when: .provider(.remove(p1)),
      then: .refused(.providerInUse, field: "id")),
    Scenario(
      "a provider whose accounts are gone is removed",
      given: [
        .added(provider("p1")), .added(account("a1")), .account(.removed(AccountID("a1"))),
      ], when: .provider(.remove(p1)), then: .events([.provider(.removed(p1))])),
    Scenario(
      "a missing provider cannot be removed", when: .provider(.remove(p1)),
      then: .refused(.unknownProvider, field: "id")),

    Scenario(
      "a prefix belongs to one provider", given: [.added(provider("p1"))],
      when: add(provider("p2", prefix: "p1")), then: .refused(.nameCollision, field: "prefix")),
    Scenario(
      "a prefix cannot be changed to another's",
      given: [.added(provider("p1")), .added(provider("p2"))],
      when: change(.init(id: p1, prefix: "p2")), then: .refused(.nameCollision, field: "prefix")),
    Scenario(
      "a prefix is free again once its provider is removed",
      given: [.added(provider("p1")), .provider(.removed(p1))],
      when: add(provider("p2", prefix: "p1")),
      then: .events([.added(provider("p2", prefix: "p1"))])),
    Scenario(
      "a prefix cannot be an alias",
      given: [.added(provider("p1")), .aliased("fast", "p1/m1")],
      when: add(provider("fast")), then: .refused(.nameCollision, field: "prefix")),
    Scenario(
      "a model cannot be an alias", given: [.added(provider("p1")), .aliased("fast", "p1/m1")],
      when: add(provider("p2", models: models("fast"))),
      then: .refused(.nameCollision, field: "models")),
    Scenario(
      "a model's second name cannot be an alias",
      given: [.added(provider("p1")), .aliased("fast", "p1/m1")],
      when: change(.init(id: p1, models: [ProviderModel(name: "m1", alias: "fast")])),
      then: .refused(.nameCollision, field: "models")),
    Scenario(
      "an excluded model may be called like an alias",
      given: [.added(provider("p1")), .aliased("fast", "p1/m1")],
      when: add(provider("p2", models: models("fast"), excluded: ["fa*"])),
      then: .events([.added(provider("p2", models: models("fast"), excluded: ["fa*"]))])),
    Scenario(
      "an excluded model called like an alias cannot come back",
      given: [
        .added(provider("p1")), .added(provider("p2", models: models("fast"), excluded: ["fa*"])),
        .aliased("fast", "p1/m1"),
      ],
      when: change(.init(id: ProviderID("p2"), excludedModels: [])),
      then: .refused(.nameCollision, field: "models")),

    Scenario(
      "an id has no slash", when: add(provider("a/b", prefix: "p")),
      then: .refused(.invalidField, field: "id")),
    Scenario(
      "an id is not empty", when: add(provider("", prefix: "p")),
      then: .refused(.invalidField, field: "id")),
    Scenario(
      "an id has at most 64 bytes", when: add(provider(String(repeating: "a", count: 65))),
      then: .refused(.invalidField, field: "id")),
    Scenario(
      "a prefix has no slash", when: add(provider("p1", prefix: "a/b")),
      then: .refused(.invalidField, field: "prefix")),
    Scenario(
      "a model's name is not empty", when: add(provider("p1", models: models(""))),
      then: .refused(.invalidField, field: "models.name")),
    Scenario(
      "a model's name has no control characters",
      when: add(provider("p1", models: models("a\u{7}"))),
      then: .refused(.invalidField, field: "models.name")),
    Scenario(
      "a model's name has no invisible characters",
      when: add(provider("p1", models: models("a\u{202E}b"))),
      then: .refused(.invalidField, field: "models.name")),
    Scenario(
      "a provider's models differ", when: add(provider("p1", models: models("m1", "m1"))),
      then: .refused(.invalidField, field: "models")),
    Scenario(
      "a second name differs from the first names",
      when: add(
        provider("p1", models: [ProviderModel(name: "m1"), ProviderModel(name: "m2", alias: "m1")])),
      then: .refused(.invalidField, field: "models")),
    Scenario(
      "a model's name may hold slashes", when: add(provider("p1", models: models("a/b/c"))),
      then: .events([.added(provider("p1", models: models("a/b/c")))])),
    Scenario(
      "the number of models is bounded",
      when: add(provider("p1", models: (0...2_000).map { ProviderModel(name: "m\($0)") })),
      then: .refused(.invalidField, field: "number of models")),

    Scenario(
      "a base URL loses its trailing slashes", when: url("https://h.example:8443/v1//"),
      then: .events([.added(provider("p1", url: "https://h.example:8443/v1"))])),
    Scenario(
      "a base URL may be an IPv6 address", when: url("http://[::1]:9000/v1"),
      then: .events([.added(provider("p1", url: "http://[::1]:9000/v1"))])),
    Scenario(
      "the same base URL with a slash is no change", given: [.added(provider("p1"))],
      when: change(.init(id: p1, baseURL: "http://127.0.0.1:9000/v1/")), then: .nothing),
  ])
func decidesProviders(_ scenario: Scenario) { scenario.check() }

@Test(
  "a base URL that is not plain http or https with a host is refused, and never echoed",
  arguments: [
    "", "ftp://h/v1", "h.example/v1", "http://", "http:///v1", "http://user:pw@h/v1",
    "http://h/v1?key=secret", "http://h/v1#x", "http://h:0/v1", "http://h:65536/v1",
    "http://h:/v1", "http://h:8x/v1", "http://[::1/v1", "http://[x]/v1", "http://[::1]x/v1",
    "http://h/a/../b", "http://h/ v1", "http://hé/v1", "http://h\\v1", "HTTP://h/v1",
    "http://h/\u{1}", "http://" + String(repeating: "h", count: 600),
    "http://169.254.169.254/latest", "http://169.254.1.1:80", "http://2852039166/",
    "http://0xA9FEA9FE",
    "http://0251.0376.0251.0376/v1", "http://169.16689662", "http://169.254.169.254./v1",
    "http://0.0.0.0:8080/v1", "http://0/v1", "http://[::]/v1", "http://[fe80::1]/v1",
    "http://[::ffff:169.254.169.254]/v1", "http://[::ffff:a9fe:a9fe]/v1",
    "http://[fd00:ec2::254]/v1",
    "http://[64:ff9b::a9fe:a9fe]/v1", "http://100.100.100.200/v1", "http://168.63.129.16",
  ])
func refusesBaseURL(_ text: String) {
  let refusal = #expect(throws: Refusal.self) { try decide(url(text), .initial) }
  #expect(refusal?.code == .invalidField)
  #expect(refusal?.field == "base_url")
  #expect(refusal?.value == "")
  #expect(refusal?.message.contains("secret") == false)
}

@Test(
  "loopback, private and public hosts are taken",
  arguments: [
    "http://127.0.0.1:9000/v1", "http://localhost", "http://[::1]:9000/v1", "http://10.0.0.1",
    "http://192.168.1.1/v1", "https://api.example.com/v1", "http://169.254.example.com",
    "http://1e100.net",
  ])
func takesBaseURL(_ text: String) throws {
  #expect(try !decide(url(text), .initial).isEmpty)
}

@Test("a provider in use names its accounts, at most ten of them")
func namesAccounts() {
  let accounts = (10..<22).map { Event.added(account("a\($0)")) }
  let refusal = #expect(throws: Refusal.self) {
    try decide(.provider(.remove(p1)), state([.added(provider("p1"))] + accounts))
  }
  #expect(
    refusal?.message
      == "the provider p1 still has accounts: a10, a11, a12, a13, a14, a15, a16, a17, a18, a19 and 2 more"
  )
}

@Test("a provider that comes back continues its stream's revision")
func continuesRevision() throws {
  let before = state([
    .added(provider("p1")), .provider(.disabled(p1)), .provider(.removed(p1)),
  ])
  #expect(before.providers[p1] == nil)
  let proposed = try decide(add(provider("p1")), before)
  #expect(proposed.map(\.expectedRevision) == [3])
  let after = folded(recorded(proposed.map(\.event), from: 4), from: before)
  #expect(after.providers[p1]?.revision == 4)
  #expect(after.providers[p1]?.isEnabled == true)
  #expect(after.providers[p1]?.createdAt == second(4))
}

@Test("a wildcard matches any run, and nothing else")
func matchesWildcards() {
  let rows: [(pattern: String, name: String, isMatch: Bool)] = [
    ("*", "m1", true), ("m*", "m1", true), ("*1", "m1", true), ("*-preview", "m-preview", true),
    ("*-preview", "m-preview-2", false), ("a*b*c", "axxbyyc", true), ("a*b*c", "axxc", false),
    ("a**c", "ac", true), ("m1", "m1", true), ("m1", "m10", false), ("m?", "m1", false),
    ("*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
  ]
  for row in rows {
    let offered = state([.added(provider("p1", models: models(row.name), excluded: [row.pattern]))])
    #expect(
      RoutingSnapshot(offered).models().isEmpty == row.isMatch, "\(row.pattern) on \(row.name)")
  }
}
