import Domain
import NIOCore
import NIOPosix
import Testing

@testable import DataPlane

@Suite("Overload", .timeLimit(.minutes(5)))
struct OverloadTests {
  @Test("one request more than may be in flight is refused before its body is read")
  func inFlight() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port), options: { $0.maxRequestsInFlight = 2 }) {
      gateway in
      let first = try await gateway.client()
      let second = try await gateway.client()
      try await first.send(chat(plainBody))
      let call = await upstream.next()
      try await second.send(chat(plainBody))
      let other = await upstream.next()
      let third = try await gateway.client()
      try await third.send(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(Gateway.key)\r\n"
          + "Content-Length: 1000\r\n\r\n")
      let refused = try await third.response()
      #expect(refused.status == 503)
      #expect(refused.text.contains(#""code":"overloaded""#))
      #expect(refused.headers["retry-after"] == "1")
      #expect(refused.headers["x-should-retry"] == "true")
      call.answer(plainAnswer)
      #expect(try await first.response().status == 200)
      try await first.send(chat(plainBody))
      await upstream.next().answer(plainAnswer)
      #expect(try await first.response().status == 200)
      other.answer(plainAnswer)
      #expect(try await second.response().status == 200)
      let finished = try await gateway.finished(4)
      #expect(finished.first?.ending == .denied && finished.first?.errorCode == "overloaded")
    }
  }

  @Test("connections that do not come about are bounded, and what needs one more is told so")
  func connects() async throws {
    // Accepts nothing: the kernel completes a few connections, and leaves all others waiting.
    let deaf = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.backlog, value: 1).serverChannelOption(.autoRead, value: false)
      .bind(host: "127.0.0.1", port: 0).get()
    let port = try #require(deaf.localAddress?.port)
    let patient: (inout DataPlaneOptions) -> Void = {
      $0.maxConnectsWaiting = 2
      $0.upstreamConnectTimeout = .hours(1)
    }
    try await Gateway.run(.one(port: port), options: patient) { gateway in
      var clients: [TestClient] = []
      for _ in 0..<10 {
        let client = try await gateway.client()
        try await client.send(chat(plainBody))
        clients.append(client)
      }
      try await eventually { clients.contains { !$0.received.bytes.isEmpty } }
      let index = try #require(clients.firstIndex { !$0.received.bytes.isEmpty })
      let refused = try await clients[index].response()
      #expect(refused.status == 503)
      #expect(refused.text.contains(#""code":"overloaded""#))
      #expect(refused.headers["retry-after"] == "1")
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.attempts.map(\.errorCode) == ["too_many_connects"])
      #expect(finished.attempts.map(\.errorClass) == [.gateway])
      for client in clients { await client.close() }
    }
    try await deaf.close().get()
  }

  @Test("a body that comes steadily and never ends is given up")
  func dribble() async throws {
    try await Gateway.run(.one(port: 1), options: { $0.bodyTotalTimeout = .seconds(60) }) {
      gateway in
      let client = try await gateway.client()
      try await client.send(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(Gateway.key)\r\n"
          + "Content-Length: 1000\r\n\r\n{")
      for count in 1...3 {
        try await eventually { gateway.plane.counts.heldBodyBytes == count }
        gateway.clock.advance(.seconds(19))
        try await client.send(" ")
      }
      try await eventually { gateway.plane.counts.heldBodyBytes == 4 }
      #expect(client.received.bytes.isEmpty)
      gateway.clock.advance(.seconds(5))
      #expect(try await client.response().status == 408)
      #expect(try await gateway.finished(1).first?.errorCode == "request_timeout")
    }
  }
}
