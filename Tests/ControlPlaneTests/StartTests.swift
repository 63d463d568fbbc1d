import ConfigFile
import Domain
import EventStore
import HTTPTypes
import Surface
import Testing

@testable import ControlPlane

/// What starts make, and what files change.
struct StartTests {
  private static let file = """
    providers:
      - id: mock
        protocol: openai
        base-url: http://127.0.0.1:9000/v1
        prefix: mock
        models: [{name: gpt-4o-mini}, {name: gpt-4o, alias: big}]
        accounts:
          - {name: a1, api-key: "${KEY}", priority: 1, weight: 80}
          - {name: a2, api-key: sk-upstream-2-of-the-file, priority: 2, weight: 20}
    keys:
      - {name: default, key: sk-client-0123456789abcdef, organisation: acme, diagnostics: true}
    aliases: {fast: mock/gpt-4o-mini}
    settings: {force-model-prefix: true}
    """

  private func plan(_ text: String = file) throws -> ConfigurationPlan {
    try ConfigurationFile.parse(text, environment: ["KEY": "sk-upstream-1-of-the-file"])
  }

  private let provenance = Provenance(actor: "local:0", source: .file)

  @Test func `a first start shows a key and a password that work, the second shows none`()
    async throws
  {
    try await withDirectory { directory in
      let first = try await TestBox.open(directory, password: nil)
      let key = try #require(first.made.clientKey)
      let password = try #require(first.made.adminPassword)
      let text = String(decoding: key.bytes, as: UTF8.self)
      #expect(text.hasPrefix("sk-sb-") && text.count == 38)
      let made = try #require(first.control.state.keys.values.first)
      #expect(made.name == "default")
      #expect(made.fingerprint == first.control.vault.fingerprint(key))
      #expect(!made.masked.contains(text.dropFirst(8).dropLast(4)))
      _ = try await first.signIn(String(decoding: password.bytes, as: UTF8.self))
      try first.store.close()
      let second = try await TestBox.open(directory, password: nil)
      #expect(second.made.clientKey == nil && second.made.adminPassword == nil)
      _ = try await second.signIn(String(decoding: password.bytes, as: UTF8.self))
      try second.store.close()
    }
  }

  @Test func `what a first start could not show is not stored, and the next start shows another`()
    async throws
  {
    try await withDirectory { directory in
      let store = try EventStore.open(directory: directory, options: StoreOptions())
      let vault = try Vault(directory: directory, masterKey: .ephemeral())
      let control = try ControlPlane.open(store: store, vault: vault, passwordCost: 4) { _, _ in }
      var seen: [FirstStart] = []
      await #expect(throws: Unexpected.self) {
        _ = try await control.firstStart(adminPassword: nil) { made in
          seen.append(made)
          throw Unexpected("the terminal is gone")
        }
      }
      #expect(control.state.keys.isEmpty && control.state.settings.adminPasswordPosition == nil)
      #expect(store.lastWritten == .origin)
      let made = try await control.firstStart(adminPassword: nil) { seen.append($0) }
      #expect(seen.count == 2 && seen[1].adminPassword == made.adminPassword)
      #expect(seen[0].clientKey != seen[1].clientKey)
      #expect(control.state.keys.count == 1 && control.state.settings.adminPasswordPosition != nil)
      try store.close()
    }
  }

  @Test func `a password of the environment is the first one, and never comes back`() async throws {
    try await withDirectory { directory in
      let first = try await TestBox.open(directory, password: "the-first-password")
      let position = first.control.state.settings.adminPasswordPosition
      let token = try await first.signIn("the-first-password")
      let changed = try await first.call(
        .patch, "/api/settings",
        "{\"currentPassword\":\"the-first-password\",\"newPassword\":\"the-other-password\"}",
        as: token)
      #expect(changed.status == 200)
      try first.store.close()
      let second = try await TestBox.open(directory, password: "the-first-password")
      #expect(second.made.adminPassword == nil)
      #expect(second.control.state.settings.adminPasswordPosition != position)
      #expect(try await !second.control.isAdminPassword(Secret("the-first-password")))
      #expect(try await second.control.isAdminPassword(Secret("the-other-password")))
      await #expect(throws: Unexpected.self) { _ = try await second.signIn("the-first-password") }
      _ = try await second.signIn("the-other-password")
      try second.store.close()
    }
  }

  @Test(arguments: ["123456", "admin", "changeme", "password1234", "signalbox2026"])
  func `a first password that everybody knows is refused, and nothing is stored`(text: String)
    async throws
  {
    try await withDirectory { directory in
      let store = try EventStore.open(directory: directory, options: StoreOptions())
      let vault = try Vault(directory: directory, masterKey: .ephemeral())
      let control = try ControlPlane.open(store: store, vault: vault, passwordCost: 4) { _, _ in }
      await #expect(throws: WeakPassword.self) {
        _ = try await control.firstStart(adminPassword: Secret(text))
      }
      #expect(store.lastWritten == .origin)
      try store.close()
    }
  }

  @Test func `a password whose hashing was begun is set by a first start only`() async throws {
    try await withDirectory { directory in
      let store = try EventStore.open(directory: directory, options: StoreOptions())
      let vault = try Vault(directory: directory, masterKey: .ephemeral())
      let control = try ControlPlane.open(store: store, vault: vault, passwordCost: 4) { _, _ in }
      let given = Secret("the-password-begun")
      let first = try await control.firstStart(
        adminPassword: given, begun: try FirstPassword.begin(given, cost: 4))
      #expect(first.setsPassword && first.adminPassword == nil)
      #expect(try await control.isAdminPassword(given))
      let second = try await control.firstStart(
        adminPassword: nil, begun: try FirstPassword.begin(nil, cost: 4))
      #expect(!second.setsPassword && second.adminPassword == nil)
      #expect(try await control.isAdminPassword(given))
      #expect(throws: WeakPassword.self) { try FirstPassword.begin(Secret("changeme")) }
      try store.close()
    }
  }

  @Test func `a gap that a life could not close is closed by the next start, its count unknown`()
    async throws
  {
    try await withDirectory { directory in
      let first = try await TestBox.open(directory)
      try await first.control.record([.gateway(.gapOpened(.init(reason: "full")))])
      let opened = first.store.lastWritten.rawValue
      try first.store.close()
      // A tool that opens the log owes it this as well; whoever comes second finds nothing to say.
      let second = try await TestBox.open(directory)
      try await second.control.noteRecovery()
      try await second.control.noteRecovery()
      try second.store.close()
      let third = try await TestBox.open(directory)
      try await third.control.noteStart(
        GatewayLife(version: "1", recording: .standard, listen: "x"))
      var closed: [GatewayEvent.GapClosed] = []
      try third.store.reader.refresh()
      try third.store.reader.scan(from: Position(1), through: nil) { entry in
        guard case .event(let stored) = entry else { throw Unexpected("a gap") }
        if case .gateway(.gapClosed(let fact)) = try recorded(stored).event { closed.append(fact) }
        return .continue
      }
      #expect(closed == [GatewayEvent.GapClosed(opened: opened, count: nil)])
      try third.store.close()
    }
  }

  @Test func `a store whose keys are all revoked gets no new one`() async throws {
    try await withDirectory { directory in
      let first = try await TestBox.open(directory)
      let id = try #require(first.control.state.keys.keys.first)
      try await first.control.execute(provenance: .system) { _ in [Change(.key(.revoke(id)))] }
      try first.store.close()
      let second = try await TestBox.open(directory)
      #expect(second.made.clientKey == nil)
      try second.store.close()
    }
  }

  @Test func `a file becomes events, and nothing when applied again`() async throws {
    try await TestBox.with { box in
      // Its own `default` key is in the way of the file's: another name for this test.
      let plan = try plan(Self.file.replacing("name: default", with: "name: client"))
      let first = try await box.control.apply(plan, provenance: provenance)
      #expect(first.events > 0)
      let state = box.published.state
      #expect(state.accounts.count == 2 && state.settings.forceModelPrefix)
      #expect(
        Set(box.published.secrets.values)
          == [Secret("sk-upstream-1-of-the-file"), Secret("sk-upstream-2-of-the-file")])
      let key = state.keys.values.first { $0.name == "client" }
      #expect(
        key?.fingerprint == box.control.vault.fingerprint(Secret("sk-client-0123456789abcdef")))
      let last = box.store.lastWritten
      let second = try await box.control.apply(plan, provenance: provenance)
      #expect(second.events == 0)
      #expect(second.rows.allSatisfy { $0.kind == .unchanged })
      #expect(second.unmanaged.map(\.what) == ["key"])
      #expect(box.store.lastWritten == last)
      let stored = try #require(
        try box.store.reader.events(ofStream: "alias/fast", from: Revision(1)).first)
      #expect(try recorded(stored).provenance == provenance)
    }
  }

  @Test func `a plan says what applying would do, and writes nothing`() async throws {
    try await TestBox.with { box in
      let plan = try plan(Self.file.replacing("name: default", with: "name: client"))
      let last = box.store.lastWritten
      let planned = try ControlPlane.plan(
        plan, against: try ControlState(reading: box.store.reader), vault: box.control.vault,
        log: box.store.reader)
      #expect(box.store.lastWritten == last)
      let applied = try await box.control.apply(plan, provenance: provenance)
      #expect(planned.rows.map(\.text) == applied.rows.map(\.text))
      #expect(planned.rows.allSatisfy { $0.kind == .added || $0.text.contains("settings") })
      for row in planned.rows { #expect(!row.text.contains("of-the-file")) }
    }
  }

  @Test func `a file that the rules refuse changes nothing at all`() async throws {
    try await TestBox.with { box in
      let text = Self.file.replacing("name: default", with: "name: client")
        .replacing("fast: mock/gpt-4o-mini", with: "fast: mock/none")
      let last = box.store.lastWritten
      let plan = try plan(text)
      let fault = await #expect(throws: ConfigFault.self) {
        _ = try await box.control.apply(plan, provenance: provenance)
      }
      #expect(fault?.code == .refused && fault?.path == "aliases.fast" && fault?.line != nil)
      #expect(box.store.lastWritten == last)
      #expect(box.published.state.providers.isEmpty)
    }
  }

  @Test func `a file of more changes than one batch takes enters in parts, wholly`() async throws {
    try await TestBox.with { box in
      let aliases = (0..<4200).map { "  a\($0): mock/gpt-4o" }.joined(separator: "\n")
      let text = Self.file.replacing("name: default", with: "name: client")
        .replacing("aliases: {fast: mock/gpt-4o-mini}", with: "aliases:\n\(aliases)")
      let applied = try await box.control.apply(try plan(text), provenance: provenance)
      #expect(box.control.state.aliases.count == 4200)
      #expect(applied.events == 4200 + 1 + 2 * 2 + 1 + 1 + 1)
      #expect(try ControlState(reading: box.store.reader) == box.control.state)
    }
  }

  @Test func `ids are UUIDs of version 7 in the order of time`() {
    let clock = TestClock()
    let first = clock.edge.mintID()
    clock.advance(seconds: 1)
    let second = clock.edge.mintID()
    #expect(first < second)
    let text = Array(uuidText(second))
    #expect(text[14] == "7")
    #expect("89ab".contains(text[19]))
    #expect(first >> 80 == 1_900_000_000_000)
  }
}
