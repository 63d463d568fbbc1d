import Domain
import NIOCore
import Testing

@testable import DataPlane

@Suite("The oldest request under way", .timeLimit(.minutes(5)))
struct OldestRequestTests {
  @Test("it is told how long the oldest request has been under way, and of none that is over")
  func oldest() async throws {
    let upstream = try await ScriptedUpstream.start()
    let frame = "data: {\"choices\":[{\"index\":0,\"delta\":{}}]}\n\n"
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      #expect(gateway.plane.counts.oldestRequestMicroseconds == 0)
      /// Begins a stream, which is told to be alive when the loop has looked at its requests.
      func begin() async throws -> (TestClient, UpstreamCall) {
        let client = try await gateway.client()
        try await client.send(chat(streamBody))
        let call = await upstream.next()
        call.startStream()
        call.chunk(frame)
        _ = await client.receives("choices")
        return (client, call)
      }
      let (first, firstCall) = try await begin()
      gateway.clock.advance(.seconds(16))
      _ = await first.receives(": keep-alive\n\n")
      try await gateway.caughtUp()
      #expect(gateway.plane.counts.oldestRequestMicroseconds == 16_000_000)
      let (second, secondCall) = try await begin()
      gateway.clock.advance(.seconds(17))
      _ = await second.receives(": keep-alive\n\n")
      try await gateway.caughtUp()
      #expect(gateway.plane.counts.oldestRequestMicroseconds == 33_000_000)
      firstCall.chunk("data: [DONE]\n\n")
      firstCall.endChunks()
      _ = try await first.response()
      let count = second.received.bytes.count
      gateway.clock.advance(.seconds(18))
      _ = await second.receives(atLeast: count + 1)
      try await gateway.caughtUp()
      #expect(gateway.plane.counts.oldestRequestMicroseconds == 35_000_000)
      secondCall.chunk("data: [DONE]\n\n")
      secondCall.endChunks()
      _ = try await second.response()
    }
  }
}
