import Domain
import NIOCore
import Testing

@testable import DataPlane

@Suite("Client connections", .timeLimit(.minutes(5)))
struct ConnectionTests {
  @Test("one connection carries request after request, and so does one upstream connection")
  func keepAlive() async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(plainAnswer) }
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      for _ in 1...20 {
        try await client.send(chat(plainBody))
        #expect(try await client.response().text == plainAnswer)
      }
      #expect(gateway.plane.counts.connectionsAccepted == 1)
      #expect(upstream.connections == 1)
      #expect(try await gateway.finished(20).count == 20)
    }
  }

  @Test("pipelined requests are answered in order, one at a time")
  func pipelining() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(
        chat(plainBody, headers: "X-Request-Id: one\r\n")
          + "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"
          + chat("{}", headers: "X-Request-Id: two\r\n")
          + chat(streamBody, headers: "X-Request-Id: three\r\n"))
      let first = await upstream.next()
      #expect(upstream.callCount == 1)
      first.answer(plainAnswer)
      #expect(try await client.response().headers["x-request-id"] == "one")
      #expect(try await client.response().text == "GET /ping ")
      #expect(try await client.response().headers["x-request-id"] == "two")
      let second = await upstream.next()
      second.startStream()
      second.chunk("data: {\"choices\":[{}]}\n\ndata: [DONE]\n\n")
      second.endChunks()
      let third = try await client.response()
      #expect(third.headers["x-request-id"] == "three")
      #expect(third.text == "data: {\"choices\":[{}]}\n\ndata: [DONE]\n\n")
    }
  }

  @Test("a client id that is no visible ASCII, or too long, is not kept")
  func foreignIDs() async throws {
    try await Gateway.run(Configuration()) { gateway in
      let client = try await gateway.client()
      for id in ["a b", String(repeating: "x", count: 129)] {
        try await client.send(chat("{}", headers: "X-Request-Id: \(id)\r\n"))
        let response = try await client.response()
        #expect(response.headers["x-request-id"] == response.headers["x-signalbox-request-id"])
        #expect(response.headers["x-request-id"]?.count == 36)
      }
    }
  }

  @Test("an HTTP/1.0 client gets no chunks: its stream ends with the connection, [DONE] last")
  func oldClient() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      gateway.log.hold()
      try await client.send(
        chat(streamBody).replacingFirst("HTTP/1.1", with: "HTTP/1.0"))
      let call = await upstream.next()
      call.startStream()
      call.chunk("data: {\"choices\":[{}]}\n\ndata: [DONE]\n\n")
      call.endChunks()
      _ = await client.receives("choices")
      #expect(!String(decoding: client.received.bytes, as: UTF8.self).contains("[DONE]"))
      gateway.log.release()
      let bytes = await client.closed()
      let text = String(decoding: bytes, as: UTF8.self)
      #expect(text.hasSuffix("\r\n\r\ndata: {\"choices\":[{}]}\n\ndata: [DONE]\n\n"))
      #expect(!text.lowercased().contains("transfer-encoding"))
    }
  }

  @Test("an answer without a length keeps its last byte back from an HTTP/1.0 client")
  func oldClientWholeAnswer() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      gateway.log.hold()
      try await client.send(chat(plainBody).replacingFirst("HTTP/1.1", with: "HTTP/1.0"))
      let call = await upstream.next()
      call.send(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
      let start = "{\"choices\":[\"" + String(repeating: "x", count: BodyRelay.withheldBytes)
      call.chunk(start + "1")
      _ = await client.receives(start)
      call.chunk("\"]}")
      _ = await client.receives("1\"]")
      call.endChunks()
      _ = await gateway.log.submitted.when { !$0.isEmpty }
      #expect(client.received.bytes.last == UInt8(ascii: "]"))
      gateway.log.release()
      #expect(
        String(decoding: await client.closed(), as: UTF8.self).hasSuffix("x1\"]}"))
    }
  }

  @Test("a client that takes nothing makes the gateway stop reading, with bounded buffers")
  func backPressure() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client(reads: false)
      try await client.send(chat(plainBody))
      let call = await upstream.next()
      // At both of the gateway's sockets the kernel may hold so much, whatever the gateway does.
      let kernel = try Self.kernelBytes("tcp_rmem") + Self.kernelBytes("tcp_wmem")
      let total = kernel + 24 << 20
      let piece = [UInt8](repeating: 0x61, count: 64 << 10)
      let delivered = Watched(0)
      call.send("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: \(total)\r\n\r\n")
      let sending = Task {
        for _ in 0..<(total / piece.count) {
          try await call.deliver(piece)
          delivered.change { $0 += piece.count }
        }
      }
      _ = await delivered.when { $0 > 256 << 10 }
      // Others are served by the same loop meanwhile; it has all the time it wants to read on.
      let other = try await gateway.client()
      var before = 0
      while delivered.value > before {
        before = delivered.value
        for _ in 1...300 { _ = try await other.ping() }
      }
      #expect(delivered.value < kernel + 8 << 20)
      try await client.startReading()
      _ = await client.receives(atLeast: total)
      let response = try await client.response()
      try await sending.value
      #expect(ByteBuffer(bytes: response.body) == ByteBuffer(repeating: 0x61, count: total))
      #expect(try await gateway.finished(1).first?.ending == .completed)
    }
  }

  /// The largest buffer of a kind that the kernel gives a TCP socket.
  private static func kernelBytes(_ name: String) throws -> Int {
    let text = try String(decoding: contents(of: "/proc/sys/net/ipv4/\(name)"), as: UTF8.self)
    return try #require(text.split { $0.isWhitespace }.last.flatMap { Int($0) })
  }

  @Test("a client that takes nothing for too long has hung up")
  func stalled() async throws {
    let upstream = try await ScriptedUpstream.start()
    let patient: (inout DataPlaneOptions) -> Void = { $0.upstreamIdleTimeout = .hours(1_000_000) }
    try await Gateway.run(.one(port: upstream.port), options: patient) { gateway in
      let client = try await gateway.client(reads: false)
      try await client.send(chat(plainBody))
      let call = await upstream.next()
      call.send("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 99999999\r\n\r\n")
      let delivered = Watched(0)
      let sending = Task {
        let piece = [UInt8](repeating: 0x61, count: 64 << 10)
        while (try? await call.deliver(piece)) != nil { delivered.change { $0 += 1 } }
      }
      _ = await delivered.when { $0 > 4 }
      try await gateway.caughtUp()
      try await eventually {
        gateway.clock.advance(.seconds(61))
        return gateway.log.submitted.value.contains { $0.hasPrefix("request.finished.") }
      }
      await sending.value
      #expect(try await gateway.finished(1).first?.ending == .clientHungUp)
    }
  }

  @Test("draining: idle connections end, requests in flight finish, and nobody new is let in")
  func drain() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let idle = try await gateway.client()
      _ = try await idle.ping()
      let busy = try await gateway.client()
      try await busy.send(chat(streamBody))
      let call = await upstream.next()
      call.startStream()
      call.chunk("data: {\"choices\":[{}]}\n\n")
      _ = await busy.receives("choices")
      let stopped = Task { await gateway.plane.shutdown(drain: .seconds(30)) }
      _ = await idle.closed()
      // As long as a connection is open its port is nobody else's.
      await #expect(throws: (any Error).self) { _ = try await gateway.client() }
      call.chunk("data: [DONE]\n\n")
      call.endChunks()
      #expect(try await busy.response().text.hasSuffix("data: [DONE]\n\n"))
      _ = await busy.closed()
      #expect(await stopped.value == 0)
      #expect(try gateway.finished().map(\.ending) == [.completed])
    }
  }

  @Test("what the drain time does not suffice for is cut and recorded as drained")
  func cut() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      let call = await upstream.next()
      #expect(await gateway.plane.shutdown(drain: .milliseconds(1)) == 1)
      await call.closed()
      _ = await client.closed()
      let finished = try gateway.finished()
      #expect(finished.map(\.ending) == [.drained])
      #expect(finished.first?.attempts.map(\.errorCode) == ["shutting_down"])
    }
  }
}

extension TestClient {
  /// A request that the fallback answers.
  func ping() async throws -> TestResponse {
    try await send("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
    return try await response()
  }
}

extension String {
  func replacingFirst(_ old: String, with new: String) -> String {
    guard let range = firstRange(of: old) else { return self }
    return self[..<range.lowerBound] + new + self[range.upperBound...]
  }
}
