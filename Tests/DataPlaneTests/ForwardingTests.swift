import Domain
import EventStore
import NIOCore
import Support
import Testing

@testable import DataPlane

@Suite("Forwarding", .timeLimit(.minutes(5)))
struct ForwardingTests {
  @Test("a stream is the same over any chunk borders", arguments: 1...12 as ClosedRange<UInt64>)
  func borders(_ seed: UInt64) async throws {
    var random = SeededRandom(seed: seed)
    var stream = ""
    for index in 0..<random.int(1...40) {
      if random.oneIn(5) { stream += ": comment\n\n" }
      let end = random.oneIn(2) ? "\r\n\r\n" : "\n\n"
      stream += "data: {\"choices\":[{\"i\":\(index),\"t\":\"é\"}],\"usage\":null}" + end
    }
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}\n\n"
    let wire = Array((stream + usage + "data: [DONE]\n\n").utf8)
    let expected = stream + "data: [DONE]\n\n"
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(streamBody))
      let call = await upstream.next()
      call.startStream()
      var at = 0
      while at < wire.count {
        let size = min(random.int(1...90), wire.count - at)
        call.chunk(Array(wire[at..<(at + size)]))
        at += size
      }
      call.endChunks()
      let response = try await client.response()
      #expect(response.text == expected, "seed \(seed)")
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.usage == TokenUsage(input: 9, output: 4), "seed \(seed)")
      #expect(finished.responseBytes == UInt64(expected.utf8.count), "seed \(seed)")
    }
  }

  @Test(
    "a body of any bytes and borders arrives unchanged but for the model",
    arguments: 1...6 as ClosedRange<UInt64>)
  func bodies(_ seed: UInt64) async throws {
    var random = SeededRandom(seed: seed)
    let filler = String(repeating: "ä \\\"x\\\" ", count: random.int(1...30_000))
    let before = "{ \"a\" :[1, 2.50, {\"model\":\"p/m\"}],\n \"model\" : "
    let after = " ,\"messages\":[{\"content\":\"\(filler)\"}] }\n"
    let body = Array((before + "\"p/m\"" + after).utf8)
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(
        "POST /api/v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Api-Key: \(Gateway.key)\r\n"
          + "Content-Length: \(body.count)\r\n\r\n")
      var at = 0
      while at < body.count {
        let size = min(random.int(1...40_000), body.count - at)
        try await client.send(Array(body[at..<(at + size)]))
        at += size
      }
      let call = await upstream.next()
      #expect(call.body == Array((before + "\"m\"" + after).utf8), "seed \(seed)")
      let words = random.bytes(random.int(0...300_000)).map { 0x23 + $0 % 0x39 }
      let answer = Array(#" {"choices":[""#.utf8) + words + Array("\"]}\n".utf8)
      call.send(
        Array(
          "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: \(answer.count)\r\n\r\n"
            .utf8) + answer)
      let response = try await client.response()
      #expect(response.body == answer, "seed \(seed)")
      #expect(try await gateway.finished(1).first?.usage == .notReported)
    }
  }

  @Test("the usage chunk is the client's if it asked for it", arguments: [true, false])
  func ownChoice(_ choice: Bool) async throws {
    let upstream = try await ScriptedUpstream.start()
    let body = #"{"model":"p/m","stream":true,"stream_options":{"include_usage":\#(choice)}}"#
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(body))
      let call = await upstream.next()
      #expect(call.text == body.replacingFirst("p/m", with: "m"))
      call.startStream()
      let stream =
        "data: {\"choices\":[{}]}\n\n"
        + "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n"
      call.chunk(stream)
      call.endChunks()
      #expect(try await client.response().text == stream)
      #expect(try await gateway.finished(1).first?.usage == TokenUsage(input: 1, output: 2))
    }
  }

  @Test("what a request cost is recorded with the version of the prices")
  func cost() async throws {
    let usage =
      #""usage":{"prompt_tokens":1000,"completion_tokens":10,"prompt_tokens_details":{"cached_tokens":400}}"#
    let upstream = try await ScriptedUpstream.start {
      $0.answer(#"{"choices":[{}],\#(usage)}"#)
    }
    var configuration = Configuration.one(port: upstream.port)
    let price = Price(input: 2_500_000, output: 10_000_000, cached: 1_250_000)
    configuration.apply(
      .pricing(
        .changed(
          .init(set: [.init(id: PriceID(provider: ProviderID("p"), model: "m"), price: price)]))))
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      _ = try await client.response()
      try await client.send(chat(plainBody.replacingFirst("p/m", with: "p/other")))
      _ = try await client.response()
      let finished = try await gateway.finished(2)
      // 600 × 2.5 + 400 × 1.25 + 10 × 10 micro-dollars.
      #expect(finished.map(\.costMicroUSD) == [2100, nil])
      #expect(finished.map(\.priceVersion) == [1, nil])
      #expect(finished.map(\.usage.cached) == [400, 400])
    }
  }

  @Test("an encoded answer is forwarded as it is, tokens not reported")
  func encoded() async throws {
    let upstream = try await ScriptedUpstream.start { call in
      call.answer(plainAnswer, headers: "content-encoding: br\r\nset-cookie: a=b\r\n")
    }
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      let response = try await client.response()
      #expect(response.headers["content-encoding"] == "br")
      #expect(response.headers["set-cookie"] == nil)
      #expect(try await gateway.finished(1).first?.usage == .notReported)
    }
  }

  @Test("an in-stream error after the first frame ends the stream in our words, without [DONE]")
  func laterError() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(streamBody))
      let call = await upstream.next()
      call.startStream()
      let first = "data: {\"choices\":[{}]}\n\n"
      let second = "data: {\"error\":{\"message\":\"sk-secret\"}}\n\ndata: [DONE]\n\n"
      call.chunk(first)
      _ = await client.receives(first)
      call.chunk(second)
      call.endChunks()
      let text = try await client.response().text
      #expect(text.hasPrefix(first + "data: {\"error\":"))
      #expect(text.contains("\"upstream_error\"") && text.hasSuffix("}}\n\n"))
      #expect(!text.contains("secret") && !text.contains("DONE"))
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.ending == .failed)
      #expect(finished.errorClass == .provider)
    }
  }

  @Test("names of accounts are shown to keys with diagnostics only", arguments: [true, false])
  func diagnostics(_ diagnostics: Bool) async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(plainAnswer) }
    var configuration = Configuration.one(port: upstream.port)
    configuration.addKey("sk-2", diagnostics: diagnostics)
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody, key: "sk-2"))
      let response = try await client.response()
      #expect(response.headers["x-signalbox-account"] == (diagnostics ? "a1" : nil))
      let position = gateway.board.newest.snapshot.position
      #expect(response.headers["x-signalbox-snapshot"] == (diagnostics ? String(position) : nil))
    }
  }

  @Test("a publication holds for the next request of an open connection")
  func publication() async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(plainAnswer) }
    var configuration = Configuration.one(port: upstream.port, accounts: ["a1", "a2"])
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      #expect(try await client.response().status == 200)
      configuration.apply(.account(.disabled(AccountID("a1"))))
      gateway.board.publish(configuration.published)
      try await client.send(chat(plainBody))
      #expect(try await client.response().status == 200)
      configuration.apply(.key(.revoked(KeyID("id-\(Gateway.key)"))))
      gateway.board.publish(configuration.published)
      try await client.send(chat(plainBody))
      #expect(try await client.response().status == 401)
      let finished = try await gateway.finished(3)
      #expect(finished.map { $0.attempts.first?.account.rawValue } == ["a1", "a2", nil])
    }
  }
}
