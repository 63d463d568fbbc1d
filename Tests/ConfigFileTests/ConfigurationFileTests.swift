import ConfigFile
import Domain
import Testing

private let whole = """
  providers:
    - id: mock
      protocol: openai
      base-url: http://127.0.0.1:9000/v1/
      prefix: m
      models: [{name: gpt-4o-mini}, {name: gpt-4o, alias: big}]
      excluded-models: ["*-preview"]
      accounts:
        - {name: a1, api-key: sk-upstream-secret-1, priority: 1, weight: 80}
        - {name: a2, api-key: ${UPSTREAM_KEY_2}, priority: 2, weight: 20}
  keys:
    - {name: default, key: ${CLIENT_KEY}, organisation: acme, diagnostics: true}
  aliases: {fast: m/gpt-4o-mini, text: "$${NOT}-${A}"}
  settings:
    {fallback-strategy: round-robin, sticky-round-robin-limit: 5, max-attempts: 4, request-timeout-seconds: 90,
     force-model-prefix: false, require-api-key: true, max-body-bytes: 1048576,
     cloud-url: "https://b.example", cloud-protocol: 9router, cloud-token: "${CLIENT_KEY}-t", machine-id: m-1,
     sync-secrets: true, sync-interval-seconds: 60}
  """

private let environment = [
  "UPSTREAM_KEY_2": "sk-from-environment", "CLIENT_KEY": "sk-client", "A": "x:[y]", "EMPTY": "",
  "NUMBER": "7",
]

@Suite struct ConfigurationFileTests {
  @Test func `every built part of a file is read`() throws {
    let plan = try ConfigurationFile.parse(whole, environment: environment)
    let provider = try #require(plan.providers.first)
    #expect(plan.providers.count == 1)
    #expect(provider.id == ProviderID("mock"))
    #expect(provider.dialect == .openai)
    #expect(provider.baseURL == "http://127.0.0.1:9000/v1")
    #expect(provider.prefix == "m")
    #expect(
      provider.models
        == [ProviderModel(name: "gpt-4o-mini"), ProviderModel(name: "gpt-4o", alias: "big")])
    #expect(provider.excludedModels == ["*-preview"])
    #expect(provider.accounts.map(\.name) == ["a1", "a2"])
    #expect(provider.accounts.map(\.priority) == [1, 2])
    #expect(provider.accounts.map(\.weight) == [80, 20])
    #expect(
      provider.accounts.map { $0.secret?.revealed }
        == ["sk-upstream-secret-1", "sk-from-environment"])
    #expect(provider.accounts.map(\.line) == [9, 10])
    let key = try #require(plan.keys.first)
    #expect(key.name == "default" && key.organisation == OrganisationID("acme"))
    #expect(key.diagnostics == true && key.secret.revealed == "sk-client")
    #expect(plan.aliases.map(\.name) == ["fast", "text"])
    let settings = try #require(plan.settings)
    #expect(settings.fallbackStrategy == .roundRobin)
    #expect(settings.forceModelPrefix == false && settings.requireAPIKey == true)
    #expect(settings.maxBodyBytes == 1_048_576)
    #expect(settings.stickyRoundRobinLimit == 5 && settings.maxAttempts == 4)
    #expect(settings.requestTimeoutSeconds == 90)
    #expect(
      settings.sync
        == .init(
          cloudURL: "https://b.example", cloudProtocol: .nineRouter, machineID: "m-1",
          syncSecrets: true, intervalSeconds: 60))
    #expect(settings.cloudToken?.revealed == "sk-client-t")
  }

  @Test func `a variable's content never becomes YAML and an escape stays text`() throws {
    let text = "aliases: {a: \"$${NOT}-${V}\"}"
    let plan = try ConfigurationFile.parse(text, environment: ["V": "x,y:[z]"])
    #expect(plan.aliases.first?.target == "${NOT}-x,y:[z]")
  }

  @Test func `fields left out are nil, not defaults`() throws {
    let plan = try ConfigurationFile.parse(
      "providers: [{id: p, protocol: openai, base-url: 'http://h'}]", environment: [:])
    let provider = try #require(plan.providers.first)
    #expect(provider.prefix == nil && provider.models == nil && provider.excludedModels == nil)
    #expect(plan.settings == nil)
  }

  struct Refused: Sendable, CustomTestStringConvertible {
    var yaml: String
    var code: ConfigFault.Code
    var line: Int?
    var path: String
    var says: [String]
    var testDescription: String { String(reflecting: yaml) }

    init(
      _ yaml: String, _ code: ConfigFault.Code, _ line: Int?, _ path: String, _ says: String...
    ) {
      self.yaml = yaml
      self.code = code
      self.line = line
      self.path = path
      self.says = says
    }
  }

  static let base = "providers:\n- id: p\n  protocol: openai\n  base-url: http://h\n"

  static let refused: [Refused] = [
    // Parts of the format that this build does not have.
    .init(base + "  oauth: {}", .missingField, 5, "providers[0].oauth.token-url", "token-url"),
    .init(
      base + "  oauth: {token-url: http://h, client-id: c, kind: claud}", .invalidValue, 5,
      "providers[0].oauth.kind", "`claude`"),
    .init(
      base + "  oauth: {token-url: http://h, client-id: c, refresh-lead: 721h}", .invalidValue, 5,
      "providers[0].oauth.refresh-lead", "`720h`"),
    .init(
      "providers:\n- id: p\n  protocol: cohere", .invalidValue, 3, "providers[0].protocol",
      "`openai`, `anthropic`, `gemini`"),
    .init(
      base + "  accounts:\n  - {name: a, access-token: access-number-1,\n"
        + "     api-key: upstream-number-1}",
      .conflict, 7, "providers[0].accounts[0].api-key", "Keep one"),
    .init(
      base + "  accounts: [{name: a, refresh-token: refresh-number-1}]", .missingField, 5,
      "providers[0].accounts[0].access-token", "signalbox accounts import"),
    .init(
      base + "  accounts: [{name: a, expires-at: 2030-01-01T00:00:00Z}]", .missingField, 5,
      "providers[0].accounts[0].access-token", "`expires-at`"),
    .init(
      base + "  accounts: [{name: a, access-token: access-number-1, expires-at: t}]", .wrongType, 5,
      "providers[0].accounts[0].expires-at", "2026-12-31T00:00:00Z"),
    .init(
      "settings:\n  fallback-strategy: dice", .invalidValue, 2, "settings.fallback-strategy",
      "`dice`", "`round-robin`"),
    .init(
      "settings: {sticky-round-robin-limit: 0}", .invalidValue, 1,
      "settings.sticky-round-robin-limit", "10000"),
    .init("settings: {max-attempts: 65}", .invalidValue, 1, "settings.max-attempts", "64"),
    .init(
      "settings: {record-bodies: true}", .notBuilt, 1, "settings.record-bodies", "record-bodies"),
    .init(
      "settings: {cloud-protocol: gossip}", .invalidValue, 1, "settings.cloud-protocol", "`gossip`",
      "`signalbox` or `9router`"),
    .init(
      "settings: {sync-interval-seconds: 9}", .invalidValue, 1, "settings.sync-interval-seconds",
      "86400"),
    .init("settings: {cloud-token: \"\"}", .invalidValue, 1, "settings.cloud-token", "empty"),
    // Unknown and missing fields.
    .init("provider: []", .unknownField, 1, "", "`provider`", "Did you mean `providers`"),
    .init("settings:\n  requireApiKey: true", .unknownField, 2, "settings", "`require-api-key`"),
    .init(base + "  base_url: x", .unknownField, 5, "providers[0]", "`base-url`"),
    .init(
      "zzz: 1", .unknownField, 1, "",
      "Known: providers, organisations, keys, aliases, combos, policies, pricing, settings, remove."
    ),
    .init("sk-oops-a-secret: 1", .unknownField, 1, "", "not shown"),
    .init("providers:\n- protocol: openai", .missingField, 2, "providers[0].id", "required"),
    .init("providers:\n- id: p", .missingField, 2, "providers[0].protocol", "required"),
    .init("keys: [{name: k}]", .missingField, 1, "keys[0].key", "required"),
    .init(base + "  models: [{alias: x}]", .missingField, 5, "providers[0].models[0].name"),
    .init("keys:", .wrongType, 1, "keys", "list"),
    .init("settings: {require-api-key: }", .missingField, 1, "settings.require-api-key"),
    // Types.
    .init("[]", .wrongType, 1, "", "found a list"),
    .init("providers: {a: b}", .wrongType, 1, "providers", "Expected a list"),
    .init("settings:\n  require-api-key: 'true'", .wrongType, 2, "settings.require-api-key"),
    .init("settings:\n  require-api-key: yes", .wrongType, 2, "settings.require-api-key", "`yes`"),
    .init("settings: {max-body-bytes: 1M}", .wrongType, 1, "settings.max-body-bytes", "`1M`"),
    .init("settings: {max-body-bytes: 0x400}", .wrongType, 1, "settings.max-body-bytes"),
    .init("settings: {max-body-bytes: -5}", .wrongType, 1, "settings.max-body-bytes"),
    .init(
      "settings: {max-body-bytes: 99999999999999999999}", .wrongType, 1, "settings.max-body-bytes"
    ),
    .init("settings: {max-body-bytes: 1}", .invalidValue, 1, "settings.max-body-bytes", "1024"),
    .init(base + "  models: [gpt-4o]", .wrongType, 5, "providers[0].models[0]", "{name: …}"),
    .init(
      base + "  accounts: [{name: a, priority: 0}]", .invalidValue, 5,
      "providers[0].accounts[0].priority", "1 to 1000"),
    .init(
      base + "  accounts: [{name: a, weight: heavy}]", .wrongType, 5,
      "providers[0].accounts[0].weight", "`heavy`"),
    .init("aliases: {a: [b]}", .wrongType, 1, "aliases.a", "found a list"),
    .init("aliases: {[a]: b}", .wrongType, 1, "aliases", "name"),
    // Values.
    .init("providers: [{id: 'a b'}]", .invalidValue, 1, "providers[0].id"),
    .init(
      "providers: [{id: p, protocol: grpc}]", .invalidValue, 1, "providers[0].protocol", "`grpc`"),
    .init("aliases: {a/b: c}", .invalidValue, 1, "aliases", "without `/`"),
    .init("settings: {fallback-strategy: best}", .invalidValue, 1, "settings.fallback-strategy"),
    .init(
      "providers: [{id: p, protocol: openai, base-url: 'ftp://h'}]", .invalidValue, 1,
      "providers[0].base-url", "http://"),
    .init(
      "providers: [{id: p, protocol: openai, base-url: 'http://user:hunter2@h/v1'}]",
      .invalidValue, 1, "providers[0].base-url", "no user or password"),
    .init(
      "providers: [{id: p, protocol: openai, base-url: 'http://h/?k=1'}]", .invalidValue, 1,
      "providers[0].base-url", "query"),
    .init(
      "providers: [{id: p, protocol: openai, base-url: 'http://'}]", .invalidValue, 1,
      "providers[0].base-url", "host"),
    .init("keys: [{name: k, key: 'hunter2 hunter2'}]", .invalidValue, 1, "keys[0].key"),
    .init("keys: [{name: k, key: ''}]", .invalidValue, 1, "keys[0].key", "empty"),
    .init("keys: [{name: k, key: [hunter2]}]", .wrongType, 1, "keys[0].key", "found a list"),
    // Duplicates.
    .init(
      base + "- id: p\n  protocol: openai\n  base-url: http://h", .duplicate, 5, "providers[1].id",
      "line 2"),
    .init(
      base + "- id: q\n  prefix: p\n  protocol: openai\n  base-url: http://h", .duplicate, 6,
      "providers[1].prefix", "line 2"),
    .init(
      base + "  accounts:\n  - name: a\n  - name: a", .duplicate, 7,
      "providers[0].accounts[1].name", "line 6"),
    .init(
      base + "  models: [{name: a}, {name: b, alias: a}]", .duplicate, 5,
      "providers[0].models[1].alias"),
    .init(
      "keys:\n- {name: a, key: hunter2}\n- {name: b, key: hunter2}", .duplicate, 3, "keys[1].key",
      "line 2"),
    .init("keys:\n- {name: a, key: x}\n- {name: a, key: y}", .duplicate, 3, "keys[1].name"),
    .init("aliases:\n  a: b\n  a: c", .duplicate, 2, "", "`a`"),
    .init("keys: []\nkeys: []", .duplicate, 1, "", "`keys`"),
    // Variables.
    .init(
      "keys:\n- name: k\n  key: ${NOPE}", .missingVariable, 3, "keys[0].key", "NOPE", "$${NOPE}"),
    .init("keys: [{name: k, key: ${EMPTY}}]", .invalidValue, 1, "keys[0].key", "empty"),
    .init("settings: {max-body-bytes: ${A}}", .wrongType, 1, "settings.max-body-bytes", "variable"),
    .init("aliases: {${A}: b}", .invalidValue, 1, "aliases", "not in names"),
    .init("aliases:\n  a: x${1}", .invalidValue, 2, "aliases.a", "variable's name"),
    .init("aliases:\n  a: x${", .invalidValue, 2, "aliases.a", "variable's name"),
    // Organisations, limits and budgets.
    .init(
      "organisations: [{id: a}, {id: a}]", .duplicate, 1, "organisations[1].id", "line 1"),
    .init(
      "organisations:\n- id: a\n  limits: {rsp: 1}", .unknownField, 3, "organisations[0].limits",
      "`rps`"),
    .init(
      "organisations: [{id: a, limits: {burst: 5}}]", .invalidValue, 1,
      "organisations[0].limits.burst", "`rps`"),
    .init(
      "organisations: [{id: a, limits: {rps: -1}}]", .wrongType, 1, "organisations[0].limits.rps"),
    .init(
      "organisations: [{id: a, limits: 5}]", .wrongType, 1, "organisations[0].limits",
      "a single value"),
    .init(
      "organisations: [{id: a, budgets: {usd: 5}}]", .wrongType, 1, "organisations[0].budgets",
      "list"),
    .init(
      "organisations: [{id: a, budgets: [{usd: 5}]}]", .missingField, 1,
      "organisations[0].budgets[0].period"),
    .init(
      "organisations: [{id: a, budgets: [{period: week}]}]", .invalidValue, 1,
      "organisations[0].budgets[0].period", "`week`", "`day` or `month`"),
    .init(
      "organisations: [{id: a, budgets: [{period: day}]}]", .missingField, 1,
      "organisations[0].budgets[0]", "`tokens`"),
    .init(
      "keys: [{name: k, key: x-key, budgets: [{period: day, tokens: 1},\n {period: day, usd: 1}]}]",
      .duplicate, 2, "keys[0].budgets[1].period", "line 1"),
    .init(
      "keys: [{name: k, key: x-key, budgets: [{period: day, timezone: Europe/Berlin, usd: 1}]}]",
      .invalidValue, 1, "keys[0].budgets[0].timezone", "`Europe/Berlin`", "`+02:00`"),
    // Keys' rights.
    .init(
      "keys: [{name: k, key: x-key, expires-at: tomorrow}]", .wrongType, 1, "keys[0].expires-at",
      "`tomorrow`", "never"),
    .init(
      "keys: [{name: k, key: x-key, expires-at: 2026-12-31}]", .wrongType, 1,
      "keys[0].expires-at", "zone"),
    .init(
      "keys: [{name: k, key: x-key, allowed-models: gpt-4o}]", .wrongType, 1,
      "keys[0].allowed-models", "list"),
    .init(
      "keys: [{name: k, key: x-key, allowed-models: [a, a]}]", .duplicate, 1,
      "keys[0].allowed-models[1]"),
    .init(
      "keys: [{name: k, key: x-key, allowed-acounts: []}]", .unknownField, 1, "keys[0]",
      "`allowed-accounts`"),
    // Combos and policies.
    .init("combos: {smart: []}", .invalidValue, 1, "combos.smart", "at least one"),
    .init("combos: {smart: a/b}", .wrongType, 1, "combos.smart", "list"),
    .init("combos:\n  smart: [m/a,\n    m/a]", .duplicate, 3, "combos.smart[1]", "line 2"),
    .init("combos: {a/b: [c]}", .invalidValue, 1, "combos", "without `/`"),
    .init("policies: {}", .wrongType, 1, "policies", "list"),
    .init("policies: [{model: m}]", .missingField, 1, "policies[0].organisation"),
    .init("policies: [{organisation: a}]", .missingField, 1, "policies[0].model"),
    .init("policies: [{organisation: *, model: m}]", .syntax, 1, ""),
    .init(
      "policies: [{organisation: a, model: m}]", .missingField, 1, "policies[0].accounts"),
    .init(
      "policies: [{organisation: a, model: m, accounts: [x]}]", .wrongType, 1,
      "policies[0].accounts[0]", "{name: …"),
    .init(
      "policies: [{organisation: a, model: m, accounts: [{name: x, weight: 0}]}]", .invalidValue,
      1, "policies[0].accounts", "above 0"),
    .init(
      "policies:\n- {organisation: a, model: m, accounts: [{name: x}]}\n"
        + "- {organisation: a, model: m, accounts: [{name: y}]}", .duplicate, 3,
      "policies[1].model", "line 2"),
    // Prices.
    .init("pricing: {mock: {m: {input: 1}}}", .missingField, 1, "pricing.mock.m.output"),
    .init("pricing: {mock: {m: 1}}", .wrongType, 1, "pricing.mock.m"),
    .init("pricing: {mock: {/m: {}}}", .invalidValue, 1, "pricing.mock", "slash"),
    .init("pricing: {'a b': {}}", .invalidValue, 1, "pricing"),
    .init(
      "pricing:\n  mock:\n    m: {input: 1000000.000001, output: 1}", .invalidValue, 3,
      "pricing.mock.m.input", "1000000.000001", "0 to 1000000"),
    // Proxies.
    .init(
      "settings: {trusted-proxies: [10.0.0.1/8]}", .invalidValue, 1,
      "settings.trusted-proxies[0]", "`10.0.0.1/8`"),
    .init(
      "settings:\n  trusted-proxies:\n  - 10.0.0.0/8\n  - proxy.internal", .invalidValue, 4,
      "settings.trusted-proxies[1]", "`proxy.internal`"),
    // YAML that is not taken.
    .init("", .syntax, nil, "", "empty"),
    .init("# nothing", .syntax, nil, "", "empty"),
    .init("keys: [", .syntax, 1, "", "not YAML"),
    .init("keys:\n\t- a", .syntax, 2, "", "not YAML"),
    .init("keys: []\n---\nkeys: []", .syntax, 2, "", "document"),
    .init("keys: &k []\naliases: *k", .syntax, 1, "", "anchor"),
    .init("excluded: [*-preview]", .syntax, 1, "", "alias", "quotes"),
    .init("keys: []\n<<: {a: b}", .syntax, 2, "", "merge"),
    .init("keys: !!set []", .syntax, 1, "keys", "tags"),
    .init("aliases: {a: !secret x}", .syntax, 1, "aliases.a", "tags"),
    .init("aliases: {a: \u{E000}}", .syntax, 1, "", "U+E000"),
  ]

  @Test(arguments: refused)
  func `what cannot be taken is refused by line, path and reason`(_ row: Refused) throws {
    let fault = try #require(throws: ConfigFault.self) {
      try ConfigurationFile.parse(row.yaml, environment: environment)
    }
    #expect(fault.code == row.code, "\(fault)")
    #expect(fault.line == row.line, "\(fault)")
    #expect(fault.path == row.path, "\(fault)")
    for words in row.says { #expect(fault.description.contains(words), "\(fault)") }
    #expect(!fault.description.contains("hunter2"))
    #expect(!fault.description.contains("sk-"))
    #expect(!fault.description.unicodeScalars.contains { $0.value < 0x20 })
  }

  @Test(
    arguments: [
      ("1e3", nil), ("1_000", nil), (".5", nil), ("5.", nil), ("+5", nil), ("-5", nil), ("05", nil),
      ("0x10", nil), ("\"1,5\"", nil), ("1.5.1", nil), ("'5'", nil), (".inf", nil), ("five", nil),
      ("0.0000001", nil), ("99999999999999999999", nil), ("18446744073709.551616", nil),
      ("0", 0), ("12", 12_000_000), ("2.5", 2_500_000), ("0.000001", 1), ("10.00", 10_000_000),
      ("0.1", 100_000), ("123456.789012", 123_456_789_012), ("${NUMBER}", 7_000_000),
    ] as [(String, UInt64?)])
  func `an amount is exact in millionths, or refused`(_ text: String, _ amount: UInt64?) throws {
    let yaml = "pricing: {mock: {m: {input: \(text), output: 1}}}"
    if let amount {
      let plan = try ConfigurationFile.parse(yaml, environment: environment)
      #expect(plan.prices.map(\.price.input) == [amount])
    } else {
      let fault = try #require(throws: ConfigFault.self) {
        try ConfigurationFile.parse(yaml, environment: environment)
      }
      #expect(fault.code == .wrongType || fault.code == .syntax, "\(fault)")
    }
  }

  @Test func `a text is what is written, also where it looks like a number`() throws {
    let plan = try ConfigurationFile.parse(
      "combos: {4.10: [007, 1e3, yes]}", environment: [:])
    #expect(plan.combos.map(\.name) == ["4.10"])
    #expect(plan.combos.first?.models == ["007", "1e3", "yes"])
  }

  @Test func `a file of more than a mebibyte is refused unread`() throws {
    let text = "aliases: {}\n" + String(repeating: "#", count: ConfigurationFile.bytesMax)
    let fault = try #require(throws: ConfigFault.self) {
      try ConfigurationFile.parse(text, environment: [:])
    }
    #expect(fault.code == .tooLarge)
  }

  @Test func `deep nesting is a fault, not a crash`() throws {
    let text = "keys: " + String(repeating: "[", count: 200_000)
    let fault = try #require(throws: ConfigFault.self) {
      try ConfigurationFile.parse(text, environment: [:])
    }
    #expect(fault.code == .syntax)
  }

  @Test func `aliases hidden from the reader in a quoted text cannot multiply`() throws {
    var text = "aliases:\n  ? \"a\n    #\": &a0 [x,x,x,x,x,x,x,x,x]\n"
    for level in 1...20 {
      text +=
        "  ? \"a\n    #\(level)\": &a\(level) [*a\(level - 1),*a\(level - 1),*a\(level - 1)]\n"
    }
    let fault = try #require(throws: ConfigFault.self) {
      try ConfigurationFile.parse(text, environment: [:])
    }
    #expect(fault.code == .syntax)
  }

  @Test(arguments: [
    ("a: ${A}\nb: [${B_1}, '${A}']", ["A", "B_1"]), ("${X}", ["X"]), ("a: $${A} ${", []),
    ("# ${COMMENT}", ["COMMENT"]), ("", []), ("a: ${A}${B}", ["A", "B"]),
  ])
  func `the variables that a text names, each once`(text: String, names: [String]) throws {
    #expect(try ConfigurationFile.variables(in: text) == names)
  }

  @Test func `comments may hold stars, ampersands and dollars`() throws {
    let plan = try ConfigurationFile.parse(
      "# R&D *important* ${NOPE}\naliases: {a: b} # see *this* & that\n", environment: [:])
    #expect(plan.aliases.count == 1)
  }

  @Test func `a secret neither prints, dumps nor interpolates`() {
    let secret = SecretText("sk-1234567890-abcdefghij")
    var dumped = ""
    dump(secret, to: &dumped)
    for text in ["\(secret)", String(reflecting: secret), dumped, "\([secret])"] {
      #expect(!text.contains("1234"))
    }
    #expect(secret.masked == "sk-1…ghij")
    #expect(SecretText("short").masked == "****")
  }
}
