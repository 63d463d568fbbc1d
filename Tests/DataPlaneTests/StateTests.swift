import Domain
import EventStore
import Support
import Surface
import Testing

@testable import DataPlane

private func answer(_ id: String, more: String = "", item: String = "msg_1") -> String {
  #"{"id":"\#(id)","object":"response","status":"completed","output":[\#(more){"type":"message","id":"\#(item)","content":[]}],"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5}}"#
}

private func ask(_ fields: String, key: String? = Gateway.key) -> String {
  chat(#"{"model":"p/m","input":"a"\#(fields)}"#, key: key, path: "/v1/responses")
}

@Suite("Stored state", .timeLimit(.minutes(5)))
struct StateTests {
  /// Round robin over three accounts: whatever is not bound moves on with each request.
  private static func configuration(_ port: Int) -> Configuration {
    var configuration = Configuration.one(port: port, accounts: ["a1", "a2", "a3"])
    configuration.set(strategy: .roundRobin)
    return configuration
  }

  private static func account(_ call: UpstreamCall) -> String? {
    call.header("authorization")?.split(separator: "-").last.map(String.init)
  }

  /// Sends a request and answers it; who was asked.
  private static func turn(
    _ client: TestClient, _ upstream: ScriptedUpstream, _ fields: String, made id: String,
    more: String = ""
  ) async throws -> String? {
    try await client.send(ask(fields))
    let call = await upstream.next()
    call.answer(answer(id, more: more))
    #expect(try await client.response().status == 200)
    return account(call)
  }

  @Test("a request that refers to a response goes to the account that made it")
  func pinned() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(Self.configuration(upstream.port)) { gateway in
      let client = try await gateway.client()
      var owners: [String: String] = [:]
      for id in ["resp_1", "resp_2", "resp_3"] {
        owners[id] = try await Self.turn(client, upstream, "", made: id)
      }
      #expect(Set(owners.values) == ["a1", "a2", "a3"])
      for (id, owner) in owners.sorted(by: { $0.key < $1.key }) {
        let next = id + "b"
        let first = #","previous_response_id":"\#(id)""#
        #expect(try await Self.turn(client, upstream, first, made: next) == owner)
        // And so does the turn after it.
        let second = #","previous_response_id":"\#(next)""#
        #expect(try await Self.turn(client, upstream, second, made: next + "c") == owner)
      }
      let finished = try await gateway.finished(9)
      #expect(finished.suffix(6).allSatisfy { $0.attempts.map(\.rule) == [.owner] })
    }
  }

  @Test("a stream's response is known as well, by its first frame or its last")
  func streams() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(Self.configuration(upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(ask(#","stream":true"#))
      let call = await upstream.next()
      call.startStream()
      call.chunk(
        "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"metadata\":{\"id\":\"x\"},\"id\":\"resp_s\",\"output\":[]}}\n\n"
          + "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":1,\"delta\":\"a\"}\n\n"
          + "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":2,\"response\":\(answer("resp_s", more: #"{"type":"reasoning","id":"rs_1","encrypted_content":"e"},"#))}\n\n"
      )
      call.endChunks()
      #expect(try await client.response().status == 200)
      let owner = Self.account(call)
      for fields in [
        #","previous_response_id":"resp_s""#,
        #","input":[{"role":"user","content":"a"},{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"e"}]"#,
      ] {
        let body =
          fields.hasPrefix(",\"input")
          ? #"{"model":"p/m"\#(fields)}"# : #"{"model":"p/m","input":"a"\#(fields)}"#
        try await client.send(chat(body, path: "/v1/responses"))
        let next = await upstream.next()
        #expect(Self.account(next) == owner, "\(fields)")
        next.answer(answer("resp_n"))
        _ = try await client.response()
      }
    }
  }

  @Test("while the owner is away the client is told so, and until when; nobody else is asked")
  func away() async throws {
    let upstream = try await ScriptedUpstream.start()
    var configuration = Self.configuration(upstream.port)
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      let owner = try #require(try await Self.turn(client, upstream, "", made: "resp_1"))
      let bound = ask(#","previous_response_id":"resp_1""#)
      configuration.cool(owner, for: 30_000_000_000)
      gateway.board.publish(configuration.published)
      try await client.send(bound)
      let cooling = try await client.response()
      #expect(cooling.status == 409 && cooling.text.contains("state_bound"))
      #expect(cooling.text.contains("previous_response_id") && !cooling.text.contains("resp_1"))
      #expect(cooling.headers["retry-after"] == "30")
      #expect(cooling.headers["x-should-retry"] == "true")
      configuration.apply(.account(.disabled(AccountID(owner))))
      gateway.board.publish(configuration.published)
      try await client.send(bound)
      let disabled = try await client.response()
      #expect(disabled.status == 409 && disabled.headers["retry-after"] == nil)
      #expect(disabled.headers["x-should-retry"] == "false")
      #expect(upstream.callCount == 1)
      let finished = try await gateway.finished(3)
      #expect(finished.suffix(2).allSatisfy { $0.errorCode == "state_bound" && $0.status == 409 })
    }
  }

  @Test("an owner that fails is not replaced by another")
  func fails() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(Self.configuration(upstream.port)) { gateway in
      let client = try await gateway.client()
      _ = try await Self.turn(client, upstream, "", made: "resp_1")
      try await client.send(ask(#","previous_response_id":"resp_1""#))
      await upstream.next().answer(#"{"error":{"message":"no"}}"#, status: 500)
      #expect(try await client.response().status == 500)
      #expect(upstream.callCount == 2)
      try await client.send(ask(#","previous_response_id":"resp_1""#))
      await upstream.next().answer(#"{"error":{"message":"slow down"}}"#, status: 429)
      let limited = try await client.response()
      #expect(limited.status == 429 && limited.text.contains("the account that has what"))
      #expect(!limited.text.contains("every account"))
    }
  }

  @Test("an id that was never seen goes where routing says, and becomes nobody's")
  func unknown() async throws {
    let upstream = try await ScriptedUpstream.start()
    var configuration = Self.configuration(upstream.port)
    configuration.addKey("sk-other", organisation: "rivals")
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      try await client.send(ask(#","previous_response_id":"resp_foreign""#))
      await upstream.next().answer(
        #"{"error":{"message":"not found","type":"invalid_request_error","code":"previous_response_not_found"}}"#,
        status: 400)
      #expect(try await client.response().status == 400)
      // Made before there was a gateway: whoever names it first does not keep the others out.
      for key in ["sk-other", Gateway.key, "sk-other"] {
        try await client.send(ask(#","previous_response_id":"resp_old""#, key: key))
        await upstream.next().answer(answer("resp_of_\(key)"))
        #expect(try await client.response().status == 200)
      }
      let finished = try await gateway.finished(4)
      #expect(finished.flatMap(\.attempts).allSatisfy { $0.rule == .roundRobin })
    }
  }

  /// What no answer tells the ids of, and who could use it.
  private static let usable: [(path: String, fields: String, answer: String)] = [
    ("/v1/responses", #""input":"a","conversation":{"id":"ID"}"#, answer("resp_ID")),
    (
      "/v1/responses",
      #""input":[{"role":"user","content":[{"type":"input_file","file_id":"ID"}]}]"#,
      answer("resp_ID")
    ),
    (
      "/v1/chat/completions",
      #""messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"ID"}}]}]"#,
      plainAnswer
    ),
  ]

  @Test(
    "a conversation and a file stay with the account that could use them, for each organisation",
    arguments: 0..<3)
  func used(_ number: Int) async throws {
    let row = Self.usable[number]
    let upstream = try await ScriptedUpstream.start()
    var configuration = Self.configuration(upstream.port)
    configuration.addKey("sk-other", organisation: "rivals")
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      func send(_ id: String, key: String = Gateway.key) async throws {
        let fields = row.fields.replacing("ID", with: id)
        try await client.send(chat(#"{"model":"p/m",\#(fields)}"#, key: key, path: row.path))
      }
      // An account that does not know it has not got it.
      try await send("it")
      await upstream.next().answer(#"{"error":{"message":"no such thing"}}"#, status: 400)
      #expect(try await client.response().status == 400)
      try await send("it")
      var call = await upstream.next()
      let owner = try #require(Self.account(call))
      call.answer(row.answer)
      #expect(try await client.response().status == 200)
      for _ in 0..<3 {
        try await send("it")
        call = await upstream.next()
        #expect(Self.account(call) == owner)
        call.answer(row.answer)
        #expect(try await client.response().status == 200)
      }
      configuration.cool(owner, for: 30_000_000_000)
      gateway.board.publish(configuration.published)
      try await send("it")
      let cooling = try await client.response()
      #expect(cooling.status == 409 && cooling.text.contains("state_bound"))
      // Another organisation's request neither is kept out nor learns of it, and keeps nobody out.
      try await send("it", key: "sk-other")
      await upstream.next().answer(row.answer)
      #expect(try await client.response().status == 200)
      let finished = try await gateway.finished(7)
      #expect(
        finished.map { $0.attempts.last?.rule }
          == [.roundRobin, .roundRobin, .owner, .owner, .owner, nil, .roundRobin])
    }
  }

  @Test("items of an answer are referred to by their ids, in each form")
  func items() async throws {
    let upstream = try await ScriptedUpstream.start()
    var configuration = Self.configuration(upstream.port)
    configuration.addKey("sk-other", organisation: "rivals")
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      let owner = try await Self.turn(
        client, upstream, "", made: "resp_1",
        more: #"{"type":"reasoning","id":"rs_9","summary":[]},"#)
      for item in [
        #"{"type":"item_reference","id":"msg_1"}"#, #"{"id":"msg_1"}"#,
        #"{"type":"reasoning","id":"rs_9","summary":[]}"#,
        #"{"type":"item_reference","id":"rs_9"}"#,
      ] {
        let body = #"{"model":"p/m","input":[\#(item),{"role":"user","content":"a"}]}"#
        try await client.send(chat(body, path: "/v1/responses"))
        let call = await upstream.next()
        #expect(Self.account(call) == owner, "\(item)")
        call.answer(answer("resp_n", item: "msg_n"))
        #expect(try await client.response().status == 200)
        try await client.send(chat(body, key: "sk-other", path: "/v1/responses"))
        #expect(try await client.response().status == 404, "\(item)")
      }
    }
  }

  @Test("ids that a provider gives to everybody say nothing of one organisation to another")
  func constantIDs() async throws {
    let upstream = try await ScriptedUpstream.start()
    var configuration = Self.configuration(upstream.port)
    for key in ["b", "c"] { configuration.addKey("sk-\(key)", organisation: key) }
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      let thought = #"{"type":"reasoning","id":"rs_1","encrypted_content":"e"}"#
      for key in [Gateway.key, "sk-b"] {
        try await client.send(ask("", key: key))
        await upstream.next().answer(answer("resp_\(key)", more: thought + ","))
        #expect(try await client.response().status == 200)
      }
      // Nobody's, for whom it was not made.
      for key in [Gateway.key, "sk-b", "sk-c"] {
        let body = #"{"model":"p/m","input":[\#(thought),{"role":"user","content":"a"}]}"#
        try await client.send(chat(body, key: key, path: "/v1/responses"))
        await upstream.next().answer(answer("resp_2\(key)", item: "msg_2"))
        #expect(try await client.response().status == 200, "\(key)")
      }
      let finished = try await gateway.finished(5)
      #expect(finished.suffix(3).map { $0.attempts.last?.rule } == [.owner, .owner, .roundRobin])
    }
  }

  @Test("a translated conversation is bound to no account, whatever thoughts are sent back")
  func translated() async throws {
    let upstream = try await ScriptedUpstream.start()
    var configuration = Configuration()
    configuration.addProvider("claude", port: upstream.port, dialect: .anthropic)
    configuration.addProvider("gemini", port: upstream.port, dialect: .gemini)
    for account in ["c1", "c2"] { configuration.addAccount(account, at: "claude") }
    configuration.addAccount("g1", at: "gemini")
    configuration.addKey("sk-other", organisation: "rivals")
    let claude =
      #"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"text","text":"hello"}],"stop_reason":"end_turn","usage":{"input_tokens":7,"output_tokens":5}}"#
    let gemini =
      #"{"responseId":"g1","modelVersion":"m","candidates":[{"content":{"role":"model","parts":[{"text":"hm","thought":true},{"text":"hello","thoughtSignature":"c2ln"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":5}}"#
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      var items = [#"{"role":"user","content":"a"}"#]
      func send(_ model: String, key: String = Gateway.key) async throws {
        let input = items.joined(separator: ",")
        let body = #"{"model":"\#(model)/m","store":false,"input":[\#(input)]}"#
        try await client.send(chat(body, key: key, path: "/v1/responses"))
      }
      /// One turn, answered by `answer`, its output sent back from then on.
      func turn(_ model: String, _ answer: String, limits: String? = nil) async throws {
        try await send(model)
        var call = await upstream.next()
        if call.header("x-api-key") == limits.map({ "secret-of-\($0)" }), limits != nil {
          call.answer(#"{"type":"error","error":{"type":"rate_limit_error"}}"#, status: 429)
          call = await upstream.next()
        }
        call.answer(answer)
        let response = try await client.response()
        #expect(response.status == 200, "\(model): \(response.text)")
        #expect(!answer.contains("signature") || response.text.contains("signalbox.thinking:"))
        let value = try JSONValue.parse(Array(response.text.utf8))
        for item in value["output"]?.array ?? [] {
          items.append(String(decoding: item.bytes, as: UTF8.self))
        }
        items.append(#"{"role":"user","content":"more"}"#)
      }
      for _ in 1...2 { try await turn("claude", claude) }
      try await turn("claude", claude, limits: "c1")
      try await turn("gemini", gemini)
      try await turn("claude", claude)
      // Nor to an organisation.
      try await send("claude", key: "sk-other")
      await upstream.next().answer(claude)
      #expect(try await client.response().status == 200)
      let finished = try await gateway.finished(6)
      #expect(finished.flatMap(\.attempts).allSatisfy { $0.rule != .owner })
      #expect(finished[2].attempts.map(\.account.rawValue) == ["c1", "c2"])
    }
  }

  @Test("another maker's thoughts are no end of a conversation in a combo")
  func carried() async throws {
    let upstream = try await ScriptedUpstream.start()
    var configuration = Configuration()
    configuration.addProvider("claude", port: upstream.port, dialect: .anthropic)
    configuration.addProvider("gpt", port: upstream.port)
    configuration.addAccount("c1", at: "claude")
    configuration.addAccount("g1", at: "gpt")
    for (name, models) in [("cg", ["claude/m", "gpt/m"]), ("gc", ["gpt/m", "claude/m"])] {
      configuration.apply(.combo(.set(.init(name: name, models: models, isUnresolved: false))))
    }
    let hello =
      #"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","usage":{"input_tokens":7,"output_tokens":5}}"#
    let thought =
      #"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"signalbox.thinking:c2ln"}"#
    func ask(_ model: String) -> String {
      chat(
        #"{"model":"\#(model)","store":false,"input":[\#(thought),{"role":"user","content":"more"}]}"#,
        path: "/v1/responses")
    }
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      // Who cannot read them is passed over, whether first or last.
      try await client.send(ask("gc"))
      var call = await upstream.next()
      #expect(call.header("x-api-key") == "secret-of-c1")
      call.answer(hello)
      #expect(try await client.response().status == 200)
      try await client.send(ask("cg"))
      call = await upstream.next()
      call.answer(
        #"{"type":"error","error":{"type":"rate_limit_error"}}"#, status: 429,
        headers: "retry-after: 7\r\n")
      let limited = try await client.response()
      #expect(limited.status == 429 && limited.headers["retry-after"] == "7", "\(limited.text)")
      try await client.send(ask("gpt/m"))
      let refused = try await client.response()
      #expect(refused.status == 400 && refused.text.contains("state_not_carried"))
      #expect(refused.text.contains("input[0].encrypted_content"))
      #expect(upstream.callCount == 2)
    }
  }

  @Test("another organisation's response is not there")
  func foreign() async throws {
    let upstream = try await ScriptedUpstream.start()
    var configuration = Self.configuration(upstream.port)
    configuration.addKey("sk-other", organisation: "rivals")
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      _ = try await Self.turn(client, upstream, "", made: "resp_1")
      try await client.send(ask(#","previous_response_id":"resp_1""#, key: "sk-other"))
      #expect(try await client.response().status == 404)
      #expect(upstream.callCount == 1)
    }
  }

  @Test("the log knows who made a response, and not by its id")
  func logged() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(Self.configuration(upstream.port)) { gateway in
      let client = try await gateway.client()
      let owner = try #require(try await Self.turn(client, upstream, "", made: "resp_secret"))
      let finished = try #require(try await gateway.finished(1).first)
      let stored = try #require(
        try gateway.store.events(forKeys: [finished.id.lookupKey], newest: 1).first?.first)
      // The request's own, the response's and its message's.
      #expect(stored.lookupKeys.count == 3)
      let key = stored.lookupKeys[1]
      #expect(key.starts(with: Array("s:".utf8)) && key.count == 18)
      let events = try gateway.store.events(forKeys: [key], newest: 1).joined().map {
        try Recorded(
          position: $0.position.rawValue, time: UnixNanoseconds($0.time), kind: $0.kind,
          bytes: $0.payload)
      }
      let made = StateOwner(account: AccountID(owner), organisation: OrganisationID("acme"))
      #expect(StateOwner.all(in: events) == [made])
    }
  }

  @Test("what is remembered is bounded, the oldest goes first")
  func bounded() {
    let owners = StateOwners()
    let owner = StateOwner(account: AccountID("a"), organisation: nil)
    for id in 0...UInt128(StateOwners.countMax) * 3 { owners.note(StoredState(id), owner) }
    func isKnown(_ id: Int) -> Bool { !owners.owners(of: StoredState(UInt128(id))).isEmpty }
    let last = StateOwners.countMax * 3
    #expect(!isKnown(0) && isKnown(last))
    #expect(isKnown(StateOwners.countMax * 2 + 1) && !isKnown(StateOwners.countMax * 2))
  }

  @Test("of one id so many organisations are remembered, the newest, each by its last account")
  func organisations() {
    let owners = StateOwners()
    let id = StoredState(7)
    func note(_ account: String, _ organisation: String) {
      owners.note(
        id, StateOwner(account: AccountID(account), organisation: OrganisationID(organisation)))
    }
    for organisation in ["a", "b", "c", "d", "e", "b"] { note("of-\(organisation)", organisation) }
    note("other", "d")
    #expect(owners.owners(of: id).map(\.account.rawValue) == ["other", "of-b", "of-e", "of-c"])
    func finding(_ organisation: String) -> StateFinding {
      StateFinding(owners.owners(of: id), for: OrganisationID(organisation))
    }
    #expect(finding("d") == .own(AccountID("other")) && finding("x") == .unknown)
    let one = owners.owners(of: id).prefix(1)
    #expect(StateFinding(Array(one), for: OrganisationID("x")) == .others)
    #expect(StateFinding([], for: nil) == .unknown)
  }
}
