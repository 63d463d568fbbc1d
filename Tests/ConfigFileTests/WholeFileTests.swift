import ConfigFile
import Domain
import Testing

/// The sections beside providers, keys, aliases and settings, compared with a log and applied to it.
@Suite struct WholeFileTests {
  typealias Ledger = PlannedChangeTests.Ledger

  static let file = """
    providers:
    - id: mock
      protocol: openai
      base-url: http://127.0.0.1:9000/v1
      models: [{name: gpt-4o-mini}, {name: gpt-4o, alias: big}, {name: old}]
      disabled-models: [old]
      accounts:
      - {name: a1, api-key: sk-upstream-number-1, priority: 1, weight: 80}
      - {name: a2, api-key: sk-upstream-number-2, priority: 2, weight: 20, enabled: false}
    - id: spare
      protocol: openai
      base-url: http://127.0.0.1:9001/v1
      enabled: false
      models: [{name: gpt-4o}]
      accounts:
      - {name: a1, api-key: sk-upstream-number-3}
    organisations:
    - id: acme
      limits: {rps: 100, burst: 200, rpm: 0, tpm: 0, concurrency: 64}
      budgets: [{period: month, timezone: UTC, usd: 500}]
    - {id: small, name: Small Ltd, budgets: [{period: day, timezone: "+02:00", usd: 0.5, tokens: 1000}]}
    keys:
    - name: default
      key: sk-client-number-1
      organisation: acme
      allowed-models: [gpt-4o, "fast*"]
      allowed-accounts: [mock/a1, a2]
      expires-at: 2027-01-01T00:00:00+01:00
      limits: {rpm: 60}
      budgets: [{period: day, tokens: 5}]
    - {name: other, key: sk-client-number-2, organisation: elsewhere}
    aliases: {fast: mock/gpt-4o-mini}
    combos:
      smart: [mock/gpt-4o, mock/gpt-4o-mini]
    policies:
    - {organisation: acme, model: gpt-4o, accounts: [{name: mock/a1, weight: 80}, {name: a2}]}
    - organisation: "*"
      model: gpt-4o-mini
      accounts: [{name: mock/a1}]
      failover-threshold: 5
    pricing:
      mock:
        gpt-4o: {input: 2.5, output: 10, cached: 1.25}
        gpt-4o-mini: {input: 0.15, output: 0.6, reasoning: 0.6, cache-creation: 0.000001}
    settings: {trusted-proxies: [10.0.0.0/8, "::1"]}

    """

  static let rows = [
    "organisation acme: new, limits rps 100, burst 200, concurrency 64, "
      + "budgets 500 USD a month (UTC)",
    "organisation small: new, limits none, budgets 0.5 USD and 1000 tokens a day (+02:00)",
    "provider mock: new, openai at http://127.0.0.1:9000/v1, prefix mock, "
      + "models gpt-4o-mini, gpt-4o as big, old",
    "model mock/old: enabled true → false",
    "provider spare: new, openai at http://127.0.0.1:9001/v1, prefix spare, models gpt-4o",
    "provider spare: enabled true → false",
    "account mock/a1: new, id mock-a1, priority 1, weight 80, credential "
      + PlannedChangeTests.shown("sk-upstream-number-1"),
    "account mock/a2: new, id mock-a2, priority 2, weight 20, credential "
      + PlannedChangeTests.shown("sk-upstream-number-2"),
    "account mock/a2: enabled true → false",
    "account spare/a1: new, id spare-a1, priority 1, weight 1, credential "
      + PlannedChangeTests.shown("sk-upstream-number-3"),
    "organisation elsewhere: new, named by the key other",
    "key default: new, id key-default, ****, organisation acme, diagnostics false, "
      + "allowed-models gpt-4o, fast*, allowed-accounts mock-a1, mock-a2, "
      + "expires-at 2026-12-31T23:00:00.000Z, limits rpm 60, budgets 5 tokens a day (UTC)",
    "key other: new, id key-other, ****, organisation elsewhere, diagnostics false",
    "settings: trusted-proxies none → 10.0.0.0/8, ::1",
    "pricing: mock/gpt-4o none → input 2.5, output 10, cached 1.25; "
      + "mock/gpt-4o-mini none → input 0.15, output 0.6, reasoning 0.6, cache-creation 0.000001",
    "alias fast: new → mock/gpt-4o-mini",
    "combo smart: new → mock/gpt-4o, mock/gpt-4o-mini",
    "policy acme/gpt-4o: new, accounts mock-a1 80, mock-a2 1, failover-threshold 3",
    "policy */gpt-4o-mini: new, accounts mock-a1 1, failover-threshold 5",
  ]

  @Test func `every section becomes rows in an order that the rules take, and the state says so`()
    throws
  {
    var ledger = Ledger()
    let rows = try ledger.apply(Self.file)
    #expect(rows.map(\.text) == Self.rows)
    let state = ledger.state
    #expect(
      state.organisations[OrganisationID("acme")]?.limits
        == Limits(requestsPerSecond: 100, burst: 200, concurrency: 64))
    #expect(
      state.organisations[OrganisationID("small")]?.budgets
        == [Budget(period: .day, timezone: "+02:00", microUSD: 500_000, tokens: 1_000)])
    let key = try #require(state.keys[KeyID("key-default")])
    #expect(key.allowedModels == ["gpt-4o", "fast*"])
    #expect(key.allowedAccounts == [AccountID("mock-a1"), AccountID("mock-a2")])
    #expect(key.expiresAt == parseRFC3339("2026-12-31T23:00:00Z"))
    #expect(key.limits == Limits(requestsPerMinute: 60))
    #expect(state.providers[ProviderID("mock")]?.disabledModels == ["old"])
    #expect(state.providers[ProviderID("spare")]?.isEnabled == false)
    #expect(state.accounts[AccountID("mock-a2")]?.isEnabled == false)
    #expect(state.combos["smart"]?.models == ["mock/gpt-4o", "mock/gpt-4o-mini"])
    let policy = state.policies[
      PolicyID(organisation: OrganisationID("acme"), model: "gpt-4o")]
    #expect(
      policy?.accounts == [
        PolicyAccount(account: AccountID("mock-a1"), weight: 80),
        PolicyAccount(account: AccountID("mock-a2"), weight: 1),
      ])
    #expect(policy?.failoverThreshold == 3)
    #expect(
      state.pricing.prices[PriceID(provider: ProviderID("mock"), model: "gpt-4o")]
        == Price(input: 2_500_000, output: 10_000_000, cached: 1_250_000))
    #expect(state.settings.trustedProxies == ["10.0.0.0/8", "::1"])
  }

  @Test func `the same file again is no event, and leaves nothing unmentioned`() throws {
    var ledger = Ledger()
    _ = try ledger.apply(Self.file)
    let position = ledger.position
    let again = try ledger.apply(Self.file)
    #expect(again.allSatisfy { $0.kind == .unchanged && $0.command == nil })
    #expect(ledger.position == position)
    let plan = try ConfigurationFile.parse(Self.file, environment: [:])
    #expect(plan.unmanaged(in: ledger.state).isEmpty)
  }

  @Test func `what an empty file does not mention is named and left alone`() throws {
    var ledger = Ledger()
    _ = try ledger.apply(Self.file)
    let plan = try ConfigurationFile.parse("{}", environment: [:])
    #expect(try plan.changes(against: ledger.state) { PlannedChangeTests.fingerprint($0) }.isEmpty)
    let texts = plan.unmanaged(in: ledger.state).map(\.text)
    for name in [
      "organisation acme", "organisation small", "organisation elsewhere", "combo smart",
      "policy */gpt-4o-mini", "policy acme/gpt-4o", "price of mock/gpt-4o",
    ] {
      #expect(texts.contains("\(name) is not in the file"), "\(texts)")
    }
  }

  static let edits: [(from: String, to: String, rows: [String])] = [
    (
      "rps: 100", "rps: 50",
      [
        "organisation acme: limits rps 100, burst 200, concurrency 64 → "
          + "rps 50, burst 200, concurrency 64"
      ]
    ),
    (
      "usd: 500}]", "usd: 500.01}]",
      [
        "organisation acme: budgets 500 USD a month (UTC) → 500.01 USD a month (UTC)"
      ]
    ),
    (
      "budgets: [{period: month, timezone: UTC, usd: 500}]", "budgets: []",
      [
        "organisation acme: budgets 500 USD a month (UTC) → none"
      ]
    ),
    ("name: Small Ltd", "name: Small GmbH", ["organisation small: name Small Ltd → Small GmbH"]),
    (
      "disabled-models: [old]",
      "disabled-models: [big-one, gpt-4o-mini]".replacing("big-one, ", with: ""),
      [
        "model mock/gpt-4o-mini: enabled true → false", "model mock/old: enabled false → true",
      ]
    ),
    (
      "weight: 20, enabled: false", "weight: 21, enabled: true",
      [
        "account mock/a2: weight 20 → 21", "account mock/a2: enabled false → true",
      ]
    ),
    ("  enabled: false\n", "  enabled: true\n", ["provider spare: enabled false → true"]),
    ("rpm: 60", "rpm: 61", ["key default: limits rpm 60 → rpm 61"]),
    (
      "expires-at: 2027-01-01T00:00:00+01:00", "expires-at: never",
      [
        "key default: expires-at 2026-12-31T23:00:00.000Z → never"
      ]
    ),
    ("[mock/a1, a2]", "[]", ["key default: allowed-accounts mock-a1, mock-a2 → all"]),
    (
      "organisation: acme\n  allowed-models: [gpt-4o, \"fast*\"]",
      "organisation: acme\n  diagnostics: true\n  allowed-models: []",
      [
        "key default: diagnostics false → true", "key default: allowed-models gpt-4o, fast* → all",
      ]
    ),
    (
      "[mock/gpt-4o, mock/gpt-4o-mini]", "[mock/gpt-4o-mini, mock/big]",
      [
        "combo smart: models mock/gpt-4o, mock/gpt-4o-mini → mock/gpt-4o-mini, mock/big"
      ]
    ),
    (
      "weight: 80}, {name: a2}", "weight: 81}, {name: mock/a2}",
      [
        "policy acme/gpt-4o: accounts mock-a1 80, mock-a2 1 → mock-a1 81, mock-a2 1"
      ]
    ),
    (
      "failover-threshold: 5", "failover-threshold: 6",
      [
        "policy */gpt-4o-mini: failover-threshold 5 → 6"
      ]
    ),
    ("  failover-threshold: 5\n", "", []),
    (
      "cached: 1.25", "cached: 1.26",
      [
        "pricing: mock/gpt-4o input 2.5, output 10, cached 1.25 → input 2.5, output 10, cached 1.26"
      ]
    ),
    ("[10.0.0.0/8, \"::1\"]", "[]", ["settings: trusted-proxies 10.0.0.0/8, ::1 → none"]),
  ]

  @Test(arguments: edits)
  func `an edit becomes exactly its changes, once`(
    _ edit: (from: String, to: String, rows: [String])
  ) throws {
    var ledger = Ledger()
    _ = try ledger.apply(Self.file)
    let edited = Self.file.replacing(edit.from, with: edit.to, maxReplacements: 1)
    #expect(edited != Self.file)
    let rows = try ledger.apply(edited)
    #expect(rows.filter { $0.kind != .unchanged }.map(\.text) == edit.rows)
    #expect(try ledger.plan(edited).allSatisfy { $0.kind == .unchanged })
  }

  static let faults:
    [(from: String, to: String, code: ConfigFault.Code, path: String, says: [String])] = [
      (
        "{name: a2}]}", "{name: a1}]}", .invalidValue, "policies[0].accounts[1].name",
        ["Several providers", "`mock/a1` or `spare/a1`"]
      ),
      (
        "{name: a2}]}", "{name: a3}]}", .unknownName, "policies[0].accounts[1].name",
        ["no account `a3`", "`a1`"]
      ),
      (
        "{name: a2}]}", "{name: mock/b2}]}", .unknownName, "policies[0].accounts[1].name",
        ["`mock/a2`"]
      ),
      (
        "{name: a2}]}", "{name: nowhere/a1}]}", .unknownName, "policies[0].accounts[1].name",
        ["`nowhere/a1`"]
      ),
      (
        "{name: mock/a1, weight: 80}, {name: a2}", "{name: a2}, {name: mock/a2}", .duplicate,
        "policies[0].accounts[1].name", ["line"]
      ),
      ("[mock/a1, a2]", "[a1]", .invalidValue, "keys[0].allowed-accounts[0]", ["`spare/a1`"]),
      ("[mock/a1, a2]", "[b1]", .unknownName, "keys[0].allowed-accounts[0]", ["`a1`"]),
      ("  mock:\n    gpt-4o:", "  mok:\n    gpt-4o:", .unknownName, "pricing.mok", ["`mock`"]),
      (
        "organisation: acme, model", "organisation: acmee, model", .refused, "policies[0]",
        ["unknown_organisation", "`acmee`"]
      ),
      ("model: gpt-4o,", "model: gpt-5,", .refused, "policies[0]", ["does not offer gpt-5"]),
      (
        "[mock/gpt-4o, mock", "[mock/gpt-4p, mock", .refused, "combos.smart",
        ["`mock/gpt-4p`", "mock/gpt-4o"]
      ),
      ("[mock/gpt-4o, mock", "[fast, mock", .refused, "combos.smart", ["cannot hold an alias"]),
      ("smart:", "gpt-4o-mini:", .refused, "combos.gpt-4o-mini", ["name_collision"]),
      ("fast: mock/gpt-4o-mini", "fast: mock/gpt-9", .refused, "aliases.fast", ["`mock/gpt-9`"]),
      ("fast: mock/gpt-4o-mini", "fast: mock/old", .refused, "aliases.fast", ["`mock/old`"]),
      (
        "disabled-models: [old]", "disabled-models: [older]", .refused, "providers[0]",
        ["offers no such model"]
      ),
    ]

  @Test(arguments: faults)
  func `a name that nothing has is a fault at its line, and nothing is done`(
    _ row: (from: String, to: String, code: ConfigFault.Code, path: String, says: [String])
  ) throws {
    let text = Self.file.replacing(row.from, with: row.to, maxReplacements: 1)
    #expect(text != Self.file)
    // The line that was edited, or the one that begins the thing it belongs to.
    let line = zip(text.split(separator: "\n"), Self.file.split(separator: "\n"))
      .enumerated().first { $0.element.0 != $0.element.1 }.map { $0.offset + 1 }
    let fault = try #require(throws: ConfigFault.self) {
      let plan = try ConfigurationFile.parse(text, environment: [:])
      let rows = try plan.changes(against: .initial) { PlannedChangeTests.fingerprint($0) }
      try ConfigurationPlan.check(rows, against: .initial)
    }
    #expect(fault.code == row.code, "\(fault)")
    #expect(fault.path == row.path, "\(fault)")
    let edited = try #require(line)
    let at = try #require(fault.line)
    #expect(
      row.path == "providers[0]" ? at <= edited : at == edited || at == edited + 1, "\(fault)")
    for words in row.says { #expect(fault.description.contains(words), "\(fault)") }
    #expect(!fault.description.contains("unresolved"))
  }

  @Test func `prices of more models than one row holds are still one plan`() throws {
    var ledger = Ledger()
    let provider = "providers: [{id: p, protocol: openai, base-url: 'http://h'}]\n"
    let many = (0..<1_201).map { "    m\($0): {input: 1, output: 2}\n" }.joined()
    let rows = try ledger.apply(provider + "pricing:\n  p:\n" + many)
    #expect(rows.filter { $0.path == "pricing" }.count == 3)
    #expect(ledger.state.pricing.prices.count == 1_201)
    #expect(ledger.state.pricing.revision == 3)
  }
}
