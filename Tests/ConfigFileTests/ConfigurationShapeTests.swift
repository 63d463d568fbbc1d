import ConfigFile
import Domain
import Foundation
import Testing

/// The manual's tables against the reader: names, bounds and defaults.
@Suite struct ConfigurationShapeTests {
  /// Where a field can stand: what is before it, the fields that must stand beside it, what is behind.
  struct Place: Sendable {
    var head: String
    var own: [(name: String, value: String)]
    var tail: String

    init(_ head: String, _ own: [(String, String)], _ tail: String) {
      self.head = head
      self.own = own
      self.tail = tail
    }

    /// A file with the field; nil: without it.
    func file(_ name: String, _ value: String?) -> String {
      let fields = own.filter { $0.name != name } + (value.map { [(name, $0)] } ?? [])
      let isDocument = head.isEmpty
      return head + fields.map { "\($0): \($1)" }.joined(separator: isDocument ? "\n" : ", ")
        + tail
    }
  }

  static let places: [String: Place] = [
    "": Place("", [("providers", servers)], "\n"),
    "providers[]": Place("providers: [{", server, "}]"),
    "providers[].models[]": Place(
      "providers: [{id: p, protocol: openai, base-url: 'http://h', models: [{", [("name", "m")],
      "}]}]"),
    "providers[].health-check": Place(
      "providers: [{id: p, protocol: openai, base-url: 'http://h', health-check: {",
      [("interval", "30s")], "}}]"),
    "providers[].oauth": Place(
      "providers: [{id: p, protocol: openai, base-url: 'http://h', oauth: {",
      [("token-url", "'http://127.0.0.1/t'"), ("client-id", "c")], "}}]"),
    "providers[].accounts[]": Place(
      "providers: [{id: p, protocol: openai, base-url: 'http://h', accounts: [{", [("name", "a")],
      "}]}]"),
    "organisations[]": Place("organisations: [{", [("id", "o")], "}]"),
    "organisations[].limits, keys[].limits": Place(
      "organisations: [{id: o, limits: {", [("rps", "7")], "}}]"),
    "organisations[].budgets[], keys[].budgets[]": Place(
      "organisations: [{id: o, budgets: [{", [("period", "day"), ("tokens", "7"), ("usd", "7")],
      "}]}]"),
    "keys[]": Place(
      "providers: \(servers)\nkeys: [{", [("name", "k"), ("key", "sk-client-number-1")], "}]"),
    "policies[]": Place(
      "providers: \(servers)\npolicies: [{",
      [("organisation", "\"*\""), ("model", "m"), ("accounts", "[{name: a}]")], "}]"),
    "policies[].accounts[]": Place(
      "providers: \(servers)\npolicies: [{organisation: \"*\", model: m, accounts: [{name: b}, {",
      [("name", "a")], "}]}]"),
    "pricing.<provider>.<model>": Place(
      "providers: \(servers)\npricing: {p: {m: {", [("input", "1"), ("output", "2")], "}}}"),
    "settings": Place("settings: {", [], "}"),
  ]

  static let server = [("id", "p"), ("protocol", "openai"), ("base-url", "'http://h'")]
  static let servers =
    "[{id: p, protocol: openai, base-url: 'http://h', models: [{name: m}], "
    + "accounts: [{name: a}, {name: b}]}]"

  /// A value that differs from the default and from what the place has.
  static let values: [String: String] = [
    "protocol": "openai", "base-url": "http://other", "prefix": "x", "enabled": "false",
    "models": "[{name: n}]", "excluded-models": "[n]", "disabled-models": "[n]", "alias": "n",
    "health-check": "{interval: 5s}", "interval": "24h",
    "api-key": "sk-upstream-number-1", "id": "q", "name": "other", "period": "month",
    "timezone": "\"+02:00\"", "usd": "5", "tokens": "8", "organisation": "q",
    "diagnostics": "true", "allowed-models": "[m]", "allowed-accounts": "[a]",
    "expires-at": "2027-01-01T00:00:00Z", "limits": "{rpm: 5}",
    "budgets": "[{period: day, usd: 1}]", "model": "n", "key": "sk-client-number-2",
    "input": "3", "output": "3", "cached": "3", "reasoning": "3", "cache-creation": "3",
    "force-model-prefix": "true", "require-api-key": "false", "fallback-strategy": "fill-first",
    "trusted-proxies": "[10.0.0.0/8]", "organisations": "[{id: o}]",
    "keys": "[{name: k, key: sk-client-number-1}]", "aliases": "{x: p/m}",
    "combos": "{x: [p/m]}", "policies": "[{organisation: o, model: m, accounts: [{name: a}]}]",
    "pricing": "{p: {m: {input: 1, output: 2}}}", "settings": "{force-model-prefix: true}",
    "oauth": "{token-url: 'https://h/t', client-id: c}", "kind": "claude",
    "token-url": "'https://h/x'", "authorize-url": "'https://h/a'", "device-url": "'https://h/d'",
    "revoke-url": "'https://h/r'", "user-info-url": "'https://h/u'", "client-id": "d",
    "client-secret": "corp-client-number-1", "scopes": "[s]", "encoding": "json",
    "refresh-lead": "1m", "family": "per-client", "spacing": "1s",
    "access-token": "at-number-1", "refresh-token": "rt-number-1",
    "cloud-url": "'https://h'", "cloud-protocol": "9router", "cloud-token": "token-number-1",
    "machine-id": "m", "sync-secrets": "true",
    "remove": "{aliases: [gone]}", "accounts": "[{name: c}]", "weight": "5", "providers": "[]",
  ]

  static let fields = ConfigurationShape.all.flatMap { shape in
    shape.fields.map { (shape.path, $0) }
  }

  static func file(_ path: String, _ name: String, _ value: String?) throws -> String {
    // What is said of an access token stands beside one.
    let isOfToken =
      path == "providers[].accounts[]" && ["refresh-token", "expires-at"].contains(name)
    return try #require(places[path], "no place for \(path)")
      .file(name, isOfToken ? value.map { $0 + ", access-token: at-number-1" } : value)
  }

  @Test(arguments: fields)
  func `every field of the manual is read`(_ path: String, _ field: ConfigurationShape.Field)
    throws
  {
    if path.isEmpty, field.name == "providers" { return }  // Every other place has it.
    let least = field.range.map { String($0.lowerBound == 1 ? 2 : $0.lowerBound + 1) }
    let value = try #require(Self.values[field.name] ?? least, "no value for \(field.name)")
    let with = try Self.file(path, field.name, value)
    let plan = try ConfigurationFile.parse(with, environment: [:])
    let isOnlyOneValue = ["protocol", "fallback-strategy"].contains(field.name)
    guard !isOnlyOneValue else { return }
    let without = try? ConfigurationFile.parse(
      Self.file(path, field.name, nil), environment: [:])
    #expect(plan != without, "\(with)")
    if field.standard == "required" { #expect(without == nil) }
  }

  @Test(arguments: fields.filter { $0.1.range != nil })
  func `the bounds of the manual are those of the reader`(
    _ path: String, _ field: ConfigurationShape.Field
  ) throws {
    let range = try #require(field.range)
    for good in [range.lowerBound, range.upperBound] {
      _ = try ConfigurationFile.parse(
        Self.file(path, field.name, String(good)), environment: [:])
    }
    for bad in [range.lowerBound == 0 ? nil : range.lowerBound - 1, range.upperBound + 1] {
      guard let bad else { continue }
      let fault = #expect(throws: ConfigFault.self) {
        try ConfigurationFile.parse(
          try Self.file(path, field.name, String(bad)), environment: [:])
      }
      #expect(fault?.code == .invalidValue)
      #expect(fault?.remedy.contains("\(range.lowerBound) to \(range.upperBound)") == true)
    }
  }

  @Test(arguments: fields.filter { $0.1.standard.hasPrefix("`") })
  func `the default of the manual is what holds`(
    _ path: String, _ field: ConfigurationShape.Field
  ) throws {
    let standard = String(field.standard.dropFirst().dropLast())
    if path.isEmpty { return }  // Whole sections have none.
    var ledger = PlannedChangeTests.Ledger()
    _ = try ledger.apply(try Self.file(path, field.name, nil))
    let rows = try ledger.plan(try Self.file(path, field.name, standard))
    #expect(rows.allSatisfy { $0.kind == .unchanged }, "\(rows.map(\.text))")
  }

  // MARK: The page

  @Test func `docs/configuration.md holds these tables; UPDATE_GOLDEN=1 writes them`() throws {
    let page = Self.root.appending(path: "docs/configuration.md")
    let text = try String(contentsOf: page, encoding: .utf8)
    let parts = text.split(separator: "## Every field\n", maxSplits: 1)
    let intro = try #require(parts.last).split(separator: "### ", maxSplits: 1)[0]
    let tables = ConfigurationShape.all.map(Self.table).joined(separator: "\n")
    let wanted = "\(parts[0])## Every field\n\(intro)\(tables)"
    if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] != nil {
      try wanted.write(to: page, atomically: false, encoding: .utf8)
    }
    #expect(
      try String(contentsOf: page, encoding: .utf8) == wanted, "run UPDATE_GOLDEN=1 swift test")
  }

  @Test func `the example of docs/configuration.md is a file`() throws {
    let parts = try String(
      contentsOf: Self.root.appending(path: "docs/configuration.md"), encoding: .utf8
    )
    .split(separator: "```")
    let example = try #require(parts.first { $0.hasPrefix("yaml\n") }).dropFirst(5)
    let plan = try Self.taken(String(example))
    #expect(!plan.policies.isEmpty && !plan.prices.isEmpty && !plan.combos.isEmpty)
  }

  @Test(arguments: ["example", "signalbox"])
  func `the files to start from are taken`(_ name: String) throws {
    let page = Self.root.appending(path: "Fixtures/default/\(name).yaml")
    let plan = try Self.taken(try String(contentsOf: page, encoding: .utf8))
    #expect(!plan.providers.isEmpty && !plan.keys.isEmpty)
  }

  private static var root: URL {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
  }

  /// Read, and found in order by the rules.
  private static func taken(_ text: String) throws -> ConfigurationPlan {
    let plan = try ConfigurationFile.parse(
      text,
      environment: [
        "UPSTREAM_KEY": "sk-up-1", "UPSTREAM_KEY_2": "sk-up-2",
        "SIGNALBOX_CLIENT_KEY": "sk-client-7", "SIMULATOR_URL": "http://127.0.0.1:9000/v1",
      ])
    let rows = try plan.changes(against: .initial) { PlannedChangeTests.fingerprint($0) }
    try ConfigurationPlan.check(rows, against: .initial)
    return plan
  }

  private static func table(_ shape: ConfigurationShape) -> String {
    var text = "### \(shape.path.isEmpty ? "The file" : "`\(shape.path)`")\n\n"
    text += "| field | type | default | bounds and meaning |\n|---|---|---|---|\n"
    for field in shape.fields {
      let bounds = field.range.map { "\($0.lowerBound) to \($0.upperBound). " } ?? ""
      text +=
        "| `\(field.name)` | \(field.type) | \(field.standard) | \(bounds)\(field.meaning) |\n"
    }
    if !shape.unbuilt.isEmpty {
      let names = shape.unbuilt.map { "`\($0)`" }.joined(separator: ", ")
      text += "\nRefused by name, because this build does not have them yet: \(names).\n"
    }
    return text
  }
}
