import ConfigFile
import Domain
import EventStore
import HTTPTypes
import NIOCore
import Surface
import Synchronization
import Testing

@testable import ControlPlane

/// A file takes back nothing that somebody else decided since, and says what it left.
struct FileMergeTests {
  static let file = """
    providers:
    - id: mock
      protocol: openai
      base-url: http://127.0.0.1:9000/v1
      models: [{name: gpt-4o-mini}, {name: gpt-4o}]
      accounts:
      - {name: a1, api-key: "${UPSTREAM}", priority: 1, weight: 80}
      - {name: a2, priority: 2}
    aliases: {fast: mock/gpt-4o-mini, slow: mock/gpt-4o}
    settings: {max-body-bytes: 1048576}
    """

  private func body(_ text: String, _ more: String = "") -> String {
    let file = String(decoding: JSONValue(text).bytes, as: UTF8.self)
    let secret =
      text.contains("${UPSTREAM}")
      ? #","environment":{"UPSTREAM":"sk-upstream-of-the-file"}"# : ""
    return #"{"file":\#(file)\#(secret)\#(more)}"#
  }

  /// As the command line asks, over the control socket.
  private func apply(
    _ box: TestBox, _ text: String = file, _ more: String = ""
  ) async throws -> TestBox.Reply {
    let answer = await box.responder.respond(
      to: AdminRequest(
        method: .post, uri: "/api/config/apply", body: ByteBuffer(string: body(text, more)),
        localUser: 4711, requestID: RequestID(box.clock.edge.mintID())))
    let bytes = Array(answer.body.readableBytesView)
    return TestBox.Reply(
      status: answer.status.code, headers: answer.headers,
      text: String(decoding: bytes, as: UTF8.self), json: try JSONValue.parse(bytes))
  }

  /// A box with the file applied, and a token.
  private func applied(_ run: (TestBox, String) async throws -> Void) async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      let first = try await apply(box)
      #expect(first.status == 200, "\(first.text)")
      #expect(box.control.state.accounts.count == 2)
      try await run(box, token)
    }
  }

  @Test func `a field edited elsewhere is left and named, the others are taken`() async throws {
    try await applied { box, token in
      try await box.alias("fast", "mock/gpt-4o", as: token)
      _ = try await box.call(.put, "/api/providers/a1", #"{"priority":7}"#, as: token)
      let edited = Self.file.replacing("priority: 1, weight: 80", with: "priority: 3, weight: 50")
      let plan = try await apply(box, edited, #","plan":true"#)
      #expect(plan.json["drift"]?.bool == true, "\(plan.text)")
      let second = try await apply(box, edited)
      let account = try #require(box.control.state.accounts[AccountID("mock-a1")])
      #expect(account.priority == 7, "set by the API since")
      #expect(account.weight == 50, "last set by a file")
      #expect(box.control.state.aliases["fast"]?.target == "mock/gpt-4o")
      #expect(second.json["changes"] == plan.json["changes"])
      #expect(second.json["kept"] == plan.json["kept"])
      let kept = try #require(second.json["kept"]?.array)
      #expect(kept.map { $0["title"]?.string } == ["account mock/a1", "alias fast"])
      #expect(kept[0]["field"] == "priority")
      #expect(kept[0]["log"]?.int == 7 && kept[0]["file"]?.int == 3)
      #expect(kept[0]["setBy"]?["actor"] == "admin")
      #expect(second.json["changes"]?[0]?["fields"]?[0]?["setBy"]?["actor"] == "local:4711")
      #expect(kept[0]["setBy"]?["source"] == "api")
      let place = try #require(kept[0]["setBy"]?["at"]?.string)
      #expect(place.hasPrefix("\(box.store.epoch):"))
      let change = try #require(second.json["changes"]?[0])
      #expect(change["fields"]?[0]?["field"] == "weight")
      #expect(change["fields"]?[0]?["before"]?.int == 80)
      #expect(change["fields"]?[0]?["setBy"]?["source"] == "file")
      let last = box.store.lastWritten
      #expect(try await apply(box, edited).json["events"]?.int == 0)
      #expect(box.store.lastWritten == last)

      let taken = try await apply(box, edited, #","overwrite":true"#)
      #expect(taken.json["kept"]?.array?.isEmpty == true, "\(taken.text)")
      #expect(box.control.state.accounts[AccountID("mock-a1")]?.priority == 3)
      #expect(box.control.state.aliases["fast"]?.target == "mock/gpt-4o-mini")
      #expect(try await apply(box, edited).json["drift"]?.bool == true, "the first key")
    }
  }

  @Test func `a file sets the cloud's token that a file set, and no other`() async throws {
    try await applied { box, token in
      let secret = "settings: {cloud-token: told-to-the-cloud-1, cloud-url: \"https://b.example\"}"
      let first = try await apply(box, secret)
      #expect(first.status == 200 && !first.text.contains("told-to"), "\(first.text)")
      #expect(first.json["credentials"]?.array?.count == 1, "\(first.text)")
      #expect(box.control.cloudToken == Secret("told-to-the-cloud-1"))
      #expect(try await apply(box, secret).json["events"]?.int == 0)
      _ = try await apply(box, secret.replacing("cloud-1", with: "cloud-2"))
      #expect(box.control.cloudToken == Secret("told-to-the-cloud-2"))

      _ = try await box.call(
        .patch, "/api/settings", #"{"cloudToken":"set-by-a-person"}"#, as: token)
      let kept = try await apply(
        box, secret.replacing("b.example", with: "c.example"))
      #expect(kept.json["kept"]?[0]?["field"] == "cloudToken", "\(kept.text)")
      #expect(box.control.cloudToken == Secret("set-by-a-person"))
      #expect(box.control.state.settings.sync.cloudURL == "https://c.example")
      let taken = try await apply(box, secret, #","overwrite":true"#)
      #expect(box.control.cloudToken == Secret("told-to-the-cloud-1"), "\(taken.text)")
    }
  }

  @Test func `a file rotates the credential that a file issued, and no other`() async throws {
    try await applied { box, token in
      let id = AccountID("mock-a1")
      func file(_ secret: String) -> String {
        Self.file.replacing("\"${UPSTREAM}\"", with: secret)
      }
      func generation() -> UInt64? { box.control.state.accounts[id]?.credential.generation }
      for number in 2...3 {
        let rotated = try await apply(box, file("sk-upstream-rotation-\(number)"))
        #expect(rotated.json["kept"]?.array?.isEmpty == true, "\(rotated.text)")
        #expect(generation() == UInt64(number))
      }
      _ = try await box.call(
        .put, "/api/providers/a1", #"{"apiKey":"sk-upstream-of-the-operator"}"#, as: token)
      #expect(generation() == 4)
      let left = try await apply(box, file("sk-upstream-rotation-4"))
      let kept = try #require(left.json["kept"]?.array)
      #expect(kept.map { $0["field"]?.string } == ["credential"], "\(left.text)")
      #expect(kept[0]["setBy"]?["source"] == "api")
      #expect(!left.text.contains("sk-upstream"))
      #expect(generation() == 4)
      let taken = try await apply(
        box, file("sk-upstream-rotation-4"), #","overwrite":true"#)
      #expect(taken.json["kept"]?.array?.isEmpty == true, "\(taken.text)")
      #expect(generation() == 5)
    }
  }

  @Test
  func `where tokens are refreshed is taken, kept with its secret, and left if edited elsewhere`()
    async throws
  {
    let mock = ProviderID("mock")
    func file(_ oauth: String) -> String {
      Self.file.replacing("  accounts:", with: "  oauth: {\(oauth)}\n  accounts:")
    }
    let first = "token-url: 'http://127.0.0.1:9/t', client-id: one"
    try await applied { box, token in
      func client() -> OAuthClient? { box.control.state.providers[mock]?.oauth }
      let set = try await apply(box, file(first + ", client-secret: corp-client-number-1"))
      #expect(set.status == 200, "\(set.text)")
      #expect(set.json["credentials"]?[0]?.string?.contains("client-id none → one") == true)
      #expect(!set.text.contains("corp-client-number-1"))
      #expect(box.control.clientSecret(of: mock)?.bytes == Array("corp-client-number-1".utf8))
      _ = try await apply(box, file(first + ", refresh-lead: 1m"))
      #expect(client()?.leadSeconds == 60)
      #expect(box.control.clientSecret(of: mock)?.bytes == Array("corp-client-number-1".utf8))

      let edit = #"{"oauth":{"tokenUrl":"http://127.0.0.1:9/t","clientId":"two"}}"#
      #expect(try await box.call(.put, "/api/provider-nodes/mock", edit, as: token).status == 200)
      let left = try await apply(box, file(first))
      #expect(client()?.clientID == "two")
      #expect(left.json["kept"]?[0]?["field"] == "oauth", "\(left.text)")
      #expect(left.json["events"] == 0)
      _ = try await apply(box, file(first), #","overwrite":true"#)
      #expect(client()?.clientID == "one")
    }
  }

  @Test func `what was removed elsewhere is not brought back, nor what needs it`() async throws {
    try await applied { box, token in
      _ = try await box.call(.delete, "/api/models/alias?alias=slow", as: token)
      _ = try await box.call(.delete, "/api/providers/mock-a2", as: token)
      let second = try await apply(box)
      #expect(second.json["events"]?.int == 0, "\(second.text)")
      #expect(box.control.state.aliases["slow"] == nil)
      #expect(box.control.state.accounts[AccountID("mock-a2")] == nil)
      let titles = (second.json["kept"]?.array ?? []).compactMap { $0["title"]?.string }
      #expect(titles == ["account mock/a2", "alias slow"])
      // Now the provider goes, with all that the file hangs on it.
      _ = try await box.call(.delete, "/api/models/alias?alias=fast", as: token)
      _ = try await box.call(.delete, "/api/providers/mock-a1", as: token)
      #expect(try await box.call(.delete, "/api/provider-nodes/mock", as: token).status == 200)
      let more = Self.file.replacing("- {name: a2, priority: 2}", with: "- {name: a3}")
      let third = try await apply(box, more)
      #expect(third.status == 200, "\(third.text)")
      #expect(box.control.state.providers.isEmpty)
      #expect(box.control.state.accounts.isEmpty)
      let dependent = (third.json["kept"]?.array ?? []).first { $0["title"] == "account mock/a3" }
      #expect(dependent?["setBy"]?.isNull == true, "nobody removed it: it needs the provider")
      let taken = try await apply(box, more, #","overwrite":true"#)
      #expect(taken.status == 200, "\(taken.text)")
      #expect(box.control.state.accounts.count == 2)
      #expect(box.published.secrets[AccountID("mock-a1")] == Secret("sk-upstream-of-the-file"))
    }
  }

  @Test func `an account of the same name under another id counts as the one removed`()
    async throws
  {
    try await TestBox.prepared { box, token in
      _ = try await box.call(.delete, "/api/providers/a1", as: token)
      let reply = try await apply(box)
      #expect(reply.status == 200, "\(reply.text)")
      #expect(box.control.state.accounts.values.map(\.name) == ["a2"])
    }
  }

  @Test func `a file removes what it says, once, and never what it only left out`() async throws {
    try await applied { box, token in
      let left = Self.file.replacing(", slow: mock/gpt-4o", with: "")
      #expect(try await apply(box, left).json["events"]?.int == 0)
      #expect(box.control.state.aliases["slow"] != nil)
      let without =
        left.replacing("- {name: a2, priority: 2}", with: "")
        + "\nremove: {aliases: [slow, never], accounts: [mock/a2], keys: [default]}\n"
      let reply = try await apply(box, without)
      #expect(reply.status == 200, "\(reply.text)")
      #expect(box.control.state.aliases["slow"] == nil)
      #expect(box.control.state.accounts[AccountID("mock-a2")] == nil)
      #expect(box.control.state.keys.values.allSatisfy { $0.status == .revoked })
      let titles = (reply.json["changes"]?.array ?? []).filter { $0["change"] == "removed" }
        .compactMap { $0["title"]?.string }
      #expect(titles == ["account mock/a2", "alias slow"])
      #expect(try await apply(box, without).json["events"]?.int == 0, "once")
      try await box.alias("slow", "mock/gpt-4o-mini", as: token)
      let again = try await apply(box, without)
      #expect(again.json["events"]?.int == 0, "somebody brought it back, and meant it")
      #expect(again.json["kept"]?[0]?["title"] == "alias slow", "\(again.text)")
      let both = try await apply(box, Self.file + "\nremove: {aliases: [slow]}\n")
      #expect(both.code == "invalid_configuration", "it sets and removes the same")
    }
  }

  @Test func `64 clients and a file at the same alias lose no edit`() async throws {
    try await applied { box, token in
      let file = Self.file.replacing("fast: mock/gpt-4o-mini", with: "fast: mock/gpt-4o")
      let answers = try await withThrowingTaskGroup(of: Int.self) { group in
        for client in 0..<64 {
          group.addTask {
            client % 8 == 0
              ? try await apply(box, file).status
              : try await box.call(
                .put, "/api/models/alias",
                #"{"alias":"fast","model":"lost/\#(client)","allowUnresolved":true}"#, as: token,
                headers: [("if-match", "\"1\"")]
              ).status
          }
        }
        return try await group.reduce(into: [Int]()) { $0.append($1) }
      }
      #expect(answers.allSatisfy { [200, 412].contains($0) }, "\(answers)")
      let history = try await box.call(.get, "/api/history/alias/fast", as: token)
      let steps = (history.json["steps"]?.array ?? []).reversed().map(\.self)
      for (older, newer) in zip(steps, steps.dropFirst()) {
        func value(_ step: JSONValue, _ side: String) -> String? {
          step["changes"]?.array?.first { $0["field"] == "model" }?[side]?.string
        }
        #expect(value(newer, "before") == value(older, "after"), "a chain without a gap")
      }
      // At most one client won revision 1; once one did, no file took it back.
      #expect(steps.count { $0["source"] == "api" } <= 1)
      if steps.contains(where: { $0["source"] == "api" }) {
        #expect(steps.last?["source"] == "api")
      }
    }
  }

  @Test func `a half-written file and a missing variable change nothing, and say where`()
    async throws
  {
    try await applied { box, token in
      let last = box.store.lastWritten
      let cases = [
        String(Self.file.prefix(150)), Self.file + "\naliasses: {}",
        Self.file.replacing("${UPSTREAM}", with: "${NOBODY_SET_THIS}"),
      ]
      for text in cases {
        let reply = try await apply(box, text)
        #expect(reply.status == 400, "\(reply.text)")
        #expect(reply.code == "invalid_configuration")
        #expect(reply.json["error"]?["line"]?.int != nil)
      }
      #expect(box.store.lastWritten == last)
    }
  }

  @Test func `drift names the file's value, the log's, and who set it`() async throws {
    try await withDirectory { directory in
      let text = Mutex(Self.file)
      let source = ConfigurationSource(path: "gateway.yaml") {
        try ConfigurationFile.parse(
          text.withLock { $0 }, environment: ["UPSTREAM": "sk-upstream-of-the-file"])
      }
      let box = try await TestBox.open(directory, configuration: source)
      let token = try await box.signIn()
      func drift() async throws -> JSONValue {
        let reply = try await box.call(.get, "/api/config/drift", as: token)
        #expect(reply.status == 200, "\(reply.text)")
        return reply.json
      }
      let empty = try await drift()
      #expect(empty["file"] == "gateway.yaml")
      #expect(empty["comparison"]?["changes"]?.array?.count == 6, "all of it")
      _ = try await apply(box)
      let made = try await drift()
      #expect(made["comparison"]?["changes"]?.array?.isEmpty == true)
      #expect(made["comparison"]?["unmanaged"]?[0]?["what"] == "key")
      try await box.alias("fast", "mock/gpt-4o", as: token)
      let edited = try await drift()
      let kept = try #require(edited["comparison"]?["kept"]?[0])
      #expect(kept["file"] == "mock/gpt-4o-mini" && kept["log"] == "mock/gpt-4o")
      #expect(kept["setBy"]?["source"] == "api")
      text.withLock { $0 = String($0.prefix(100)) }
      let broken = try await drift()
      #expect(broken["comparison"]?.isNull == true)
      #expect(broken["fault"]?.string?.contains("line ") == true)
      #expect(try await box.call(.get, "/api/config/drift").status == 401)
      try box.store.close()
    }
    try await TestBox.with { box in
      let token = try await box.signIn()
      let none = try await box.call(.get, "/api/config/drift", as: token)
      #expect(none.json["file"]?.isNull == true && none.json["comparison"]?.isNull == true)
    }
  }
}
