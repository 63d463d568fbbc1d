import Domain
import NIOCore
import Testing

@testable import DataPlane

@Suite("Streams whose provider is silent", .timeLimit(.minutes(5)))
struct KeepAliveTests {
  @Test("a begun stream is kept alive between two frames, and no other one is")
  func silent() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(streamBody))
      let call = await upstream.next()
      call.startStream()
      // Another account could still be asked: the client gets nothing.
      gateway.clock.advance(.seconds(40))
      try await gateway.caughtUp()
      let first = "data: {\"choices\":[{\"index\":0,\"delta\":{}}]}\n\n"
      call.chunk(first)
      _ = await client.receives("choices")
      gateway.clock.advance(.seconds(16))
      _ = await client.receives(": keep-alive\n\n")
      let sent = client.received.bytes.count
      gateway.clock.advance(.seconds(10))
      try await gateway.caughtUp()
      #expect(client.received.bytes.count == sent)
      // Half a frame is not sent, and so the next comment stands between two frames as well.
      let second = "data: {\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"}]}\n\n"
      call.chunk(String(second.prefix(20)))
      gateway.clock.advance(.seconds(6))
      _ = await client.receives(atLeast: sent + 1)
      call.chunk(String(second.dropFirst(20)) + "data: [DONE]\n\n")
      call.endChunks()
      let response = try await client.response()
      #expect(
        response.text == first + ": keep-alive\n\n: keep-alive\n\n" + second + "data: [DONE]\n\n")
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.ending == .completed)
      #expect(finished.responseBytes == UInt64(response.body.count))
    }
  }
}
