import Domain
import EventStore
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

@testable import DataPlane

extension Gateway {
  func test(_ account: String, model: String = "m") async -> ProbeReport {
    await plane.test(AccountID(account), model: model)
  }

  func models(of account: String) async -> ModelListReport {
    await plane.models(of: AccountID(account))
  }
}

@Suite("A probe of an account", .timeLimit(.minutes(5)))
struct ProbeTests {
  private static let list = #"{"object":"list","data":[{"id":"m2"},{"id":"m1"},{"id":"m2"}]}"#

  /// Runs a gateway with account `a1` at an upstream that answers by itself, or not at all.
  private func run(
    _ answer: @escaping @Sendable (UpstreamCall) -> Void,
    _ body: (Gateway, ScriptedUpstream) async throws -> Void
  ) async throws {
    let upstream = try await ScriptedUpstream.start(answer: answer)
    try await Gateway.run(.one(port: upstream.port)) { try await body($0, upstream) }
  }

  @Test("that passes asks for one token with the account's credential, and says how it went")
  func pass() async throws {
    try await run({ $0.answer(plainAnswer) }) { gateway, upstream in
      let report = await gateway.test("a1", model: #"org/m"1"#)
      #expect(report.isValid)
      #expect(report.status == 200)
      #expect(report.errorClass == nil)
      let call = await upstream.next()
      #expect(call.path == "/v1/chat/completions")
      #expect(call.header("authorization") == "Bearer secret-of-a1")
      #expect(call.header("user-agent") == "signalbox/test")
      #expect(
        call.text
          == #"{"model":"org/m\"1","messages":[{"role":"user","content":"Say OK."}],"max_tokens":1}"#
      )
    }
  }

  @Test(
    "names what upstream answered by a code of ours",
    arguments: [
      (401, ErrorClass.account, "status_401"), (403, .account, "status_403"),
      (429, .account, "rate_limited"), (404, .model, "status_404"), (400, .request, "status_400"),
      (500, .provider, "status_500"), (302, .provider, "status_302"),
    ])
  func statuses(_ status: Int, _ errorClass: ErrorClass, _ code: String) async throws {
    try await run({
      $0.answer(
        #"{"error":{"message":"secret-of-a1 is refused"}}"#, status: status,
        headers: "location: http://127.0.0.1:1/\r\n")
    }) { gateway, upstream in
      for report in [
        await gateway.test("a1"), await gateway.models(of: "a1").probe,
      ] {
        #expect(!report.isValid)
        #expect(report.status == UInt16(status))
        #expect(report.errorClass == errorClass)
        #expect(report.errorCode == code)
        #expect(report.isRateLimited == (status == 429))
      }
      // The rest of each short answer was read, so that the connection serves again; a question put anew
      // does not wait for that.
      #expect(upstream.connections == (status == 400 ? 2 : 1))
    }
  }

  @Test("asks once more in newer words where upstream finds fault with the question")
  func newerModels() async throws {
    try await run({ call in
      if call.text.contains("max_completion_tokens") {
        call.answer(plainAnswer)
      } else {
        call.answer(#"{"error":{"code":"unsupported_parameter"}}"#, status: 400)
      }
    }) { gateway, upstream in
      let report = await gateway.test("a1")
      #expect(report.isValid)
      #expect(report.status == 200)
      #expect(upstream.callCount == 2)
      _ = await upstream.next()
      #expect(
        await upstream.next().text
          == #"{"model":"m","messages":[{"role":"user","content":"Say OK."}],"max_completion_tokens":1}"#
      )
    }
  }

  /// What an upstream may send instead of an answer.
  struct Misbehaviour: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var code: String
    var errorClass: ErrorClass
    var status: UInt16?
    var act: @Sendable (UpstreamCall) -> Void
  }

  @Test(
    "tells a broken answer from a good one",
    arguments: [
      Misbehaviour(
        testDescription: "closed before the head", code: "closed_before_answer",
        errorClass: .network
      ) { $0.close() },
      Misbehaviour(
        testDescription: "cut in the body", code: "cut", errorClass: .network, status: 200
      ) { call in
        let bytes = Array("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"choices\":[".utf8)
        call.channel.writeAndFlush(ByteBuffer(bytes: bytes))
          .whenComplete { _ in call.close() }
      },
      Misbehaviour(testDescription: "no HTTP", code: "malformed_answer", errorClass: .provider) {
        $0.send("SSH-2.0-OpenSSH_9.2\r\n\r\n")
      },
      Misbehaviour(
        testDescription: "a page", code: "unexpected_answer", errorClass: .provider, status: 200
      ) { $0.answer("<html>Sign in</html>") },
      Misbehaviour(
        testDescription: "an error under 200", code: "error_in_answer", errorClass: .provider,
        status: 200
      ) { $0.answer(#"{"error":{"message":"no"}}"#) },
      Misbehaviour(
        testDescription: "an endless answer", code: "answer_too_large", errorClass: .provider,
        status: 200
      ) { call in
        call.startStream()
        let piece = String(repeating: "x", count: 1 << 20)
        for _ in 0..<5 { call.chunk(piece) }
      },
    ])
  func broken(_ case: Misbehaviour) async throws {
    try await run(`case`.act) { gateway, _ in
      let chat = await gateway.test("a1")
      let models = await gateway.models(of: "a1")
      for report in [chat, models.probe] {
        #expect(report.errorCode == `case`.code)
        #expect(report.errorClass == `case`.errorClass)
        #expect(report.status == `case`.status)
      }
      #expect(models.models.isEmpty)
    }
  }

  @Test("gives up after ten seconds, whatever it waits for", arguments: [false, true])
  func hang(_ hasHead: Bool) async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      async let asked = gateway.test("a1")
      let call = await upstream.next()
      if hasHead {
        try await call.deliver(Array("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".utf8))
        try await gateway.caughtUp()
      }
      gateway.clock.advance(.seconds(11))
      let report = await asked
      #expect(report.errorCode == (hasHead ? "idle_timeout" : "timeout"))
      #expect(report.errorClass == .provider)
      #expect(report.status == (hasHead ? 200 : nil))
      #expect(report.microseconds == 11_000_000)
      await call.closed()
    }
  }

  @Test("says that nobody listens, and that a certificate is not trusted")
  func unreachable() async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let identity = try UpstreamTLSTests.Identity(directory)
    let secure = try await ScriptedUpstream.start(tls: identity.context) {
      $0.answer(plainAnswer)
    }
    var configuration = Configuration()
    configuration.addProvider("p", port: secure.port, scheme: "https", host: "localhost")
    configuration.addAccount("untrusted", at: "p")
    configuration.addProvider("q", port: try await closedPort())
    configuration.addAccount("refused", at: "q")
    try await Gateway.run(configuration) { gateway in
      #expect(await gateway.test("untrusted").errorCode == "tls_failed")
      #expect(await gateway.test("refused").errorCode == "connect_refused")
      #expect(await gateway.test("nobody").errorCode == "unknown_account")
      #expect(secure.callCount == 0)
    }
    try await Gateway.run(configuration, options: { $0.upstreamTrust = .pem(identity.pem) }) {
      #expect(await $0.test("untrusted").isValid)
    }
  }

  @Test("shares its connections with traffic, and leaves nothing in the log")
  func apart() async throws {
    try await run({ $0.answer($0.path.hasSuffix("/models") ? Self.list : plainAnswer) }) {
      gateway, upstream in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      #expect(try await client.response().status == 200)
      #expect(await gateway.test("a1").isValid)
      #expect(await gateway.models(of: "a1").models == ["m1", "m2"])
      try await client.send(chat(plainBody))
      #expect(try await client.response().status == 200)
      #expect(upstream.callCount == 4)
      #expect(upstream.connections == 1)
      _ = try await gateway.finished(2)
      #expect(gateway.log.submitted.value == ["request.finished.v1", "request.finished.v1"])
      #expect(gateway.plane.counts.requestsStarted == 2)
    }
  }

  @Test("takes a second connection if the first was closed while it lay unused")
  func stale() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      async let first = gateway.test("a1")
      let call = await upstream.next()
      call.answer(plainAnswer)
      #expect(await first.isValid)
      async let second = gateway.test("a1")
      // The request is here already when the connection ends, as far as the gateway can tell too late.
      let stale = await upstream.next()
      stale.close()
      await upstream.next().answer(plainAnswer)
      #expect(await second.isValid)
      #expect(upstream.connections == 2)
    }
  }

  @Test("goes to an account that routing passes over")
  func disabled() async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(plainAnswer) }
    var configuration = Configuration.one(port: upstream.port)
    configuration.apply(.account(.disabled(AccountID("a1"))))
    configuration.apply(.provider(.disabled(ProviderID("p"))))
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      #expect(try await client.response().status == 503)
      #expect(await gateway.test("a1").isValid)
    }
  }

  @Test(
    "goes in the words of the provider's protocol",
    arguments: [
      (
        UpstreamProtocol.anthropic, "/v1/messages",
        #"{"model":"m","messages":[{"role":"user","content":"Say OK."}],"max_tokens":1}"#,
        #"{"type":"message","content":[{"type":"text","text":"OK"}],"stop_reason":"max_tokens"}"#,
        "/v1/models?limit=1000", #"{"data":[{"type":"model","id":"claude-x"}],"has_more":false}"#,
        "claude-x", "x-api-key"
      ),
      (
        .gemini, "/v1beta/models/m:generateContent",
        #"{"contents":[{"role":"user","parts":[{"text":"Say OK."}]}],"generationConfig":{"maxOutputTokens":1}}"#,
        #"{"candidates":[{"finishReason":"MAX_TOKENS"}]}"#,
        "/v1beta/models?pageSize=1000", #"{"models":[{"name":"models/gemini-x"}]}"#,
        "gemini-x", "x-goog-api-key"
      ),
    ])
  func protocols(
    _ asked: UpstreamProtocol, _ target: String, _ body: String, _ answer: String,
    _ listTarget: String, _ list: String, _ name: String, _ keyField: String
  ) async throws {
    let upstream = try await ScriptedUpstream.start()
    var configuration = Configuration()
    configuration.addProvider("p", port: upstream.port, path: "", dialect: asked)
    configuration.addAccount("a1", at: "p")
    try await Gateway.run(configuration) { gateway in
      async let report = gateway.test("a1")
      let call = await upstream.next()
      #expect(call.head.uri == target && call.text == body)
      #expect(call.header(keyField) == "secret-of-a1" && call.header("authorization") == nil)
      #expect((call.header("anthropic-version") == "2023-06-01") == (asked == .anthropic))
      call.answer(answer)
      #expect(await report.isValid)

      async let refused = gateway.test("a1")
      await upstream.next().answer(#"{"error":{"type":"x","message":"no"}}"#, status: 401)
      let refusal = await refused
      #expect(refusal.errorClass == .account && refusal.status == 401)

      async let odd = gateway.test("a1")
      await upstream.next().answer(plainAnswer)
      #expect(await odd.errorCode == "unexpected_answer")

      async let models = gateway.models(of: "a1")
      let listing = await upstream.next()
      #expect(listing.head.uri == listTarget && listing.head.method == .GET)
      #expect(listing.header(keyField) == "secret-of-a1")
      listing.answer(list)
      #expect(await models.models == [name])
    }
  }

  @Test("ends when the gateway stops, and is refused afterwards")
  func stop() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      async let report = gateway.test("a1")
      _ = await upstream.next()
      await gateway.plane.shutdown(drain: .zero)
      #expect(await report.errorCode == "shutting_down")
      #expect(await gateway.test("a1").errorCode == "shutting_down")
    }
  }

  @Test("is one of at most 64 at a time on a loop")
  func bounded() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      await withTaskGroup(of: String?.self) { group in
        for _ in 0..<65 {
          group.addTask { await gateway.test("a1").errorCode }
        }
        #expect(await group.next() == "overloaded")
        for _ in 0..<64 { await upstream.next().answer(plainAnswer) }
        for await code in group { #expect(code == nil) }
      }
    }
  }
}
