import Domain
import Testing

@testable import DataPlane

@Suite("A chat through the gateway", .timeLimit(.minutes(5)))
struct ChatTests {
  @Test("reaches upstream with only the model changed, and its answer comes back unchanged")
  func plain() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody, headers: "Cookie: c=1\r\nX-Request-Id: mine-1\r\n"))
      let call = await upstream.next()
      #expect(call.text == plainBodyUpstream)
      #expect(call.path == "/v1/chat/completions")
      #expect(call.header("authorization") == "Bearer secret-of-a1")
      #expect(call.header("cookie") == nil)
      #expect(call.header("accept-encoding") == "identity")
      #expect(call.header("user-agent") == "signalbox/test")
      call.answer(plainAnswer)
      let response = try await client.response()
      #expect(response.status == 200)
      #expect(response.text == plainAnswer)
      #expect(response.headers["x-request-id"] == "mine-1")
      #expect(response.headers["content-type"] == "application/json")
      let finished = try #require(try gateway.finished().first)
      #expect(response.headers["x-signalbox-request-id"] == uuidText(finished.id.rawValue))
      #expect(finished.ending == .completed)
      #expect(finished.clientRequestID == "mine-1")
      #expect(finished.usage == TokenUsage(input: 7, output: 5))
      #expect(finished.modelAsked == "p/m")
      #expect(finished.modelResolved == "p/m")
      #expect(finished.organisation == OrganisationID("acme"))
      #expect(finished.attempts.map(\.account) == [AccountID("a1")])
      #expect(finished.attempts.first?.status == 200)
      #expect(finished.requestBytes == UInt64(plainBody.utf8.count))
      #expect(finished.responseBytes == UInt64(plainAnswer.utf8.count))
      #expect(try gateway.finished().count == 1)
    }
  }

  @Test("streams frame by frame, hides the usage chunk that it asked for, and ends with [DONE]")
  func stream() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(streamBody))
      let call = await upstream.next()
      #expect(call.text.contains(#""include_usage":true"#))
      call.startStream()
      let first = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\n\n"
      call.chunk(first)
      _ = await client.receives(first)
      #expect(client.received.isClosed == false)
      let second = "data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}],\"usage\":null}\n\n"
      call.chunk(second)
      _ = await client.receives(second)
      call.chunk(
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n")
      call.chunk("data: [DONE]\n\n")
      call.endChunks()
      let response = try await client.response()
      #expect(response.text == first + second + "data: [DONE]\n\n")
      #expect(response.headers["content-type"] == "text/event-stream")
      let finished = try #require(try gateway.finished().first)
      #expect(finished.usage == TokenUsage(input: 3, output: 2))
      #expect(finished.isStream)
      #expect(finished.ending == .completed)
    }
  }
}
