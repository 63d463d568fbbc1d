import ConfigFile
import Domain
import Testing

@Suite struct PlannedChangeTests {
  static let file = """
    providers:
    - id: mock
      protocol: openai
      base-url: http://127.0.0.1:9000/v1
      models: [{name: gpt-4o-mini}, {name: gpt-4o, alias: big}]
      accounts:
      - {name: a1, api-key: sk-upstream-number-1, priority: 1, weight: 80}
      - {name: a2, api-key: sk-upstream-number-2, priority: 2, weight: 20}
    keys:
    - {name: default, key: sk-client-number-1, organisation: acme, diagnostics: true}
    aliases: {fast: mock/gpt-4o-mini}
    settings: {max-body-bytes: 1048576}
    """

  /// A stand-in for the keyed fingerprint: tells secrets apart, which is all that is used of it.
  static func fingerprint(_ secret: String) -> Fingerprint {
    var bytes = [UInt8](repeating: 0, count: 32)
    for (index, byte) in secret.utf8.enumerated() {
      bytes[index % 32] = bytes[index % 32] &* 31 &+ byte
    }
    return Fingerprint(bytes)
  }

  static func fingerprint(_ secret: SecretText) -> Fingerprint {
    fingerprint(secret.revealed + (secret.refresh.map { " " + $0 } ?? ""))
  }

  /// How a plan shows an upstream secret.
  static func shown(_ secret: String) -> String {
    let digits = fingerprint(secret).rawValue.prefix(6).map { byte in
      (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
    return "fingerprint " + digits.joined()
  }

  /// A log in memory: what a control plane does with the commands of a plan.
  struct Ledger {
    var state = ControlState.initial
    var position: UInt64 = 0

    mutating func run(_ commands: [Command]) throws {
      for events in try decide(commands, state) {
        for proposed in events { record(proposed.event) }
      }
    }

    mutating func record(_ event: Event) {
      position += 1
      state.apply(
        Recorded(
          position: position, time: UnixNanoseconds(Int64(position)), kind: event.kind,
          provenance: .system, content: .event(event)))
    }

    mutating func apply(_ text: String) throws -> [PlannedChange] {
      let rows = try plan(text)
      try run(rows.compactMap(\.command))
      return rows
    }

    func plan(_ text: String) throws -> [PlannedChange] {
      try ConfigurationFile.parse(text, environment: [:])
        .changes(against: state, fingerprint: fingerprint)
    }
  }

  @Test func `a file on an empty log adds everything, in an order that can be decided`() throws {
    var ledger = Ledger()
    let rows = try ledger.apply(Self.file)
    #expect(
      rows.map(\.text) == [
        "provider mock: new, openai at http://127.0.0.1:9000/v1, prefix mock, "
          + "models gpt-4o-mini, gpt-4o as big",
        "account mock/a1: new, id mock-a1, priority 1, weight 80, credential \(Self.shown("sk-upstream-number-1"))",
        "account mock/a2: new, id mock-a2, priority 2, weight 20, credential \(Self.shown("sk-upstream-number-2"))",
        "organisation acme: new, named by the key default",
        "key default: new, id key-default, ****, organisation acme, diagnostics true",
        "settings: max-body-bytes 33554432 → 1048576", "alias fast: new → mock/gpt-4o-mini",
      ])
    #expect(rows.map(\.kind) == [.added, .added, .added, .added, .added, .changed, .added])
    #expect(rows.map(\.line) == [2, 7, 8, 10, 10, 12, 11])
    #expect(rows.compactMap { $0.secret?.revealed }.count == 3)
    #expect(ledger.state.accounts[AccountID("mock-a1")]?.credential.generation == 1)
    #expect(ledger.state.aliases["fast"]?.isUnresolved == false)
  }

  static let signedIn = """
    providers:
    - id: corp
      protocol: openai
      base-url: http://127.0.0.1:9000/v1
      oauth: {token-url: "http://127.0.0.1:9100/token/", device-url: http://127.0.0.1:9100/device,
              client-id: abc, client-secret: corp-client-number-1, scopes: [openid, email],
              refresh-lead: 10m, family: per-client, spacing: 2s}
      accounts:
      - {name: u1, access-token: at-of-u1-number-1, refresh-token: rt-of-u1-number-1,
         expires-at: 2026-11-20T14:00:00Z}

    """

  @Test func `a file says how tokens are refreshed and seeds the first ones`() throws {
    var ledger = Ledger()
    let rows = try ledger.apply(Self.signedIn)
    let secret = SecretText("at-of-u1-number-1", refresh: "rt-of-u1-number-1")
    #expect(
      rows.map(\.text) == [
        "provider corp: new, openai at http://127.0.0.1:9000/v1, prefix corp, models none",
        "provider corp: oauth.kind none → generic; oauth.token-url none → "
          + "http://127.0.0.1:9100/token; oauth.device-url none → "
          + "http://127.0.0.1:9100/device; oauth.client-id none → abc; oauth.client-secret none → "
          + "\(Self.shown("corp-client-number-1")); oauth.scopes none → openid email; "
          + "oauth.encoding none → form; oauth.refresh-lead none → 600s; oauth.family none → "
          + "per-client; oauth.spacing none → 2s",
        "account corp/u1: new, id corp-u1, priority 1, weight 1, credential "
          + Self.shown("at-of-u1-number-1 rt-of-u1-number-1"),
      ])
    #expect(rows[1].path == "providers[0].oauth" && rows[1].line == 5)
    #expect(rows.compactMap(\.secret) == [SecretText("corp-client-number-1"), secret])
    let credential = try #require(ledger.state.accounts[AccountID("corp-u1")]?.credential)
    #expect(credential.kind == .token && credential.canRefresh && credential.generation == 1)
    #expect(credential.expiresAt == parseRFC3339("2026-11-20T14:00:00Z"))
    #expect(try ledger.plan(Self.signedIn).allSatisfy { $0.kind == .unchanged })
    // Without the secret the rest can be edited, and the secret stays.
    let edited = Self.signedIn.replacing(" client-secret: corp-client-number-1,", with: "")
      .replacing("10m", with: "20m")
    #expect(
      try ledger.apply(edited).compactMap { $0.command == nil ? nil : $0.text }
        == ["provider corp: oauth.refresh-lead 600s → 1200s"])
    #expect(
      ledger.state.providers[ProviderID("corp")]?.oauth?.secret
        == Self.fingerprint("corp-client-number-1"))
  }

  @Test func `a token that was refreshed is never set back by a file`() throws {
    var ledger = Ledger()
    _ = try ledger.apply(Self.signedIn)
    let other = Self.signedIn.replacing("at-of-u1-number-1", with: "at-of-u1-number-2")
    let text = try ledger.plan(other).first { $0.command != nil }?.text
    #expect(text?.hasPrefix("account corp/u1: credential generation 1 → 2, fingerprint ") == true)
    let (id, now) = (AccountID("corp-u1"), UnixNanoseconds(1))
    try ledger.run([.credential(.attempt(id, generation: 1, cause: .proactive, at: now))])
    let number = try #require(ledger.state.accounts[id]?.credential.attempt?.number)
    try ledger.run([
      .credential(
        .settle(
          id,
          .init(
            attempt: number, generation: 1,
            outcome: .succeeded(fingerprint: Self.fingerprint("refreshed"), expiresAt: nil),
            at: now)))
    ])
    #expect(ledger.state.accounts[id]?.credential.generation == 2)
    for file in [Self.signedIn, other] {
      let rows = try ledger.plan(file)
      #expect(rows.allSatisfy { $0.command == nil })
      #expect(
        rows.last?.text
          == "account corp/u1: credential left: it was refreshed since, and a file never sets one back"
      )
    }
  }

  @Test func `applying the same file again changes nothing`() throws {
    var ledger = Ledger()
    _ = try ledger.apply(Self.file)
    let position = ledger.position
    let again = try ledger.apply(Self.file)
    #expect(again.allSatisfy { $0.kind == .unchanged && $0.command == nil && $0.secret == nil })
    #expect(ledger.position == position)
    let plan = try ConfigurationFile.parse(Self.file, environment: [:])
    #expect(plan.unmanaged(in: ledger.state).isEmpty)
  }

  static let edits: [(from: String, to: String, row: String)] = [
    (
      "9000/v1", "9001/v1",
      "provider mock: base-url http://127.0.0.1:9000/v1 → http://127.0.0.1:9001/v1"
    ),
    (
      "models:", "prefix: mock\n  excluded-models: [gpt-4o]\n  models:",
      "provider mock: excluded-models none → gpt-4o"
    ),
    (
      "{name: gpt-4o, alias: big}", "{name: gpt-4o}",
      "provider mock: models gpt-4o-mini, gpt-4o as big → gpt-4o-mini, gpt-4o"
    ),
    (
      "priority: 2, weight: 20", "priority: 3, weight: 21",
      "account mock/a2: priority 2 → 3; weight 20 → 21"
    ),
    (
      "sk-upstream-number-2", "sk-upstream-number-3",
      "account mock/a2: credential generation 1 → 2, \(shown("sk-upstream-number-3"))"
    ),
    ("diagnostics: true", "diagnostics: false", "key default: diagnostics true → false"),
    ("fast: mock/gpt-4o-mini", "fast: mock/big", "alias fast: target mock/gpt-4o-mini → mock/big"),
    ("max-body-bytes: 1048576", "require-api-key: false", "settings: require-api-key true → false"),
  ]

  @Test(arguments: edits)
  func `an edit becomes exactly one change, once`(
    _ edit: (from: String, to: String, row: String)
  ) throws {
    var ledger = Ledger()
    _ = try ledger.apply(Self.file)
    let parts = Self.file.split(separator: edit.from, omittingEmptySubsequences: false)
    let edited = parts.joined(separator: edit.to)
    let rows = try ledger.apply(edited)
    #expect(rows.filter { $0.kind != .unchanged }.map(\.text) == [edit.row])
    #expect(try ledger.plan(edited).allSatisfy { $0.kind == .unchanged })
  }

  @Test func `another credential is the next generation; whether it is taken, its issuer decides`()
    throws
  {
    var ledger = Ledger()
    _ = try ledger.apply(Self.file)
    let id = AccountID("mock-a1")
    try ledger.run([.account(.issueCredential(id, .key(Self.fingerprint("newer"))))])
    let rows = try ledger.apply(Self.file)
    #expect(rows.contains { $0.text.contains("credential generation 2 → 3") })
    #expect(ledger.state.accounts[id]?.credential.generation == 3)
  }

  @Test func `a revoked credential is never brought back`() throws {
    var ledger = Ledger()
    _ = try ledger.apply(Self.file)
    ledger.record(.credential(.revoked(AccountID("mock-a1"))))
    let rows = try ledger.apply(Self.file)
    #expect(rows.allSatisfy { $0.kind == .unchanged })
    #expect(
      rows.contains {
        $0.text == "account mock/a1: credential left revoked: a file never brings one back"
      })
  }

  @Test func `a key's secret cannot be changed by the file`() throws {
    var ledger = Ledger()
    _ = try ledger.apply(Self.file)
    let fault = try #require(throws: ConfigFault.self) {
      try ledger.plan("keys:\n- {name: default, key: sk-another-secret-of-it}")
    }
    #expect(fault.code == .conflict && fault.line == 2)
    #expect(!fault.description.contains("another-secret"))
    let moved = try #require(throws: ConfigFault.self) {
      try ledger.plan("keys: [{name: default, key: sk-client-number-1, organisation: other}]")
    }
    #expect(moved.code == .conflict)
  }

  @Test func `a revoked key stays revoked, and its name is free for another secret`() throws {
    var ledger = Ledger()
    _ = try ledger.apply(Self.file)
    try ledger.run([.key(.revoke(KeyID("key-default")))])
    let same = try ledger.plan(Self.file)
    #expect(same.allSatisfy { $0.kind == .unchanged })
    let other = try ledger.apply("keys: [{name: default, key: sk-client-number-2}]")
    #expect(other.map(\.kind) == [.added])
    #expect(ledger.state.keys[KeyID("key-default-2")]?.status == .active)
    #expect(
      try ledger.plan("keys: [{name: default, key: sk-client-number-2}]").map(\.kind) == [
        .unchanged
      ])
  }

  @Test func `what the file does not mention is reported and left alone`() throws {
    var ledger = Ledger()
    _ = try ledger.apply(Self.file)
    let plan = try ConfigurationFile.parse("settings: {}", environment: [:])
    #expect(
      plan.unmanaged(in: ledger.state).map(\.text) == [
        "provider mock is not in the file", "account mock/a1 is not in the file",
        "account mock/a2 is not in the file", "key default (key-default) is not in the file",
        "alias fast → mock/gpt-4o-mini is not in the file", "organisation acme is not in the file",
      ])
    #expect(
      try plan.changes(against: ledger.state, fingerprint: Self.fingerprint).allSatisfy {
        $0.kind == .unchanged
      })
  }

  @Test func `an account removed by hand comes back under its own id with the next generation`()
    throws
  {
    var ledger = Ledger()
    _ = try ledger.apply(Self.file)
    try ledger.run([.account(.remove(AccountID("mock-a2")))])
    let rows = try ledger.apply(Self.file)
    #expect(rows.filter { $0.kind != .unchanged }.map(\.kind) == [.added])
    #expect(rows.contains { $0.text.contains("back after its removal") })
    #expect(ledger.state.accounts[AccountID("mock-a2")]?.credential.generation == 2)
    #expect(try ledger.plan(Self.file).allSatisfy { $0.kind == .unchanged })
  }

  @Test func `an id that is taken gets a number, the same one every time`() throws {
    var ledger = Ledger()
    let text = """
      providers:
      - id: a
        protocol: openai
        base-url: http://h
        accounts: [{name: b-c}]
      - id: a-b
        protocol: openai
        base-url: http://h
        accounts: [{name: c}]
      """
    _ = try ledger.apply(text)
    #expect(ledger.state.accounts.keys.sorted() == [AccountID("a-b-c"), AccountID("a-b-c-2")])
    #expect(try ledger.plan(text).allSatisfy { $0.kind == .unchanged })
  }
}
