import Domain
import EventStore
import NIOCore
import Testing

@testable import DataPlane

@Suite("Idempotency-Key", .timeLimit(.minutes(5)))
struct IdempotencyTests {
  static func ask(
    _ value: String, _ body: String = plainBody, key: String = Gateway.key
  ) -> String {
    chat(body, key: key, headers: "Idempotency-Key: \(value)\r\n")
  }

  @Test("a request is made once: while it is under way, after it, and with another body")
  func once() async throws {
    let upstream = try await ScriptedUpstream.start()
    var configuration = Configuration.one(port: upstream.port)
    configuration.addKey("sk-client-2")
    try await Gateway.run(configuration) { gateway in
      let first = try await gateway.client()
      let other = try await gateway.client()
      try await first.send(Self.ask("order-1"))
      let call = await upstream.next()
      #expect(gateway.log.submitted.value == ["request.dispatched.v2"])
      try await other.send(Self.ask("order-1"))
      let underWay = try await other.response()
      #expect(underWay.status == 409)
      #expect(underWay.headers["retry-after"] == "1")
      #expect(underWay.headers["x-should-retry"] == "true")
      #expect(underWay.text.contains(#""code":"request_in_progress""#))
      let different = #"{"model":"p/m","messages":[{"role":"user","content":"ho"}]}"#
      try await other.send(Self.ask("order-1", different))
      let reused = try await other.response()
      #expect(reused.status == 422)
      #expect(reused.text.contains(#""code":"idempotency_key_reused""#))
      // Neither another value nor another client's key has anything to do with it.
      for request in [Self.ask("order-2"), Self.ask("order-1", key: "sk-client-2")] {
        try await other.send(request)
        await upstream.next().answer(plainAnswer)
        #expect(try await other.response().status == 200)
      }
      call.answer(plainAnswer)
      let answer = try await first.response()
      #expect(answer.status == 200)
      for _ in 1...2 {
        try await other.send(Self.ask("order-1"))
        let duplicate = try await other.response()
        #expect(duplicate.status == 409)
        #expect(duplicate.headers["x-should-retry"] == "false")
        #expect(duplicate.text.contains(#""code":"duplicate_request""#))
        let id = try #require(answer.headers["x-signalbox-request-id"])
        #expect(duplicate.text.contains(#""audit":"/v1/audit/requests/\#(id)""#))
      }
      try await other.send(Self.ask("order-1", different))
      #expect(try await other.response().status == 422)
      #expect(upstream.callCount == 3)
      let finished = try await gateway.finished(8)
      // Only those that had the key carry it.
      #expect(finished.count { $0.idempotency != nil } == 3)
      #expect(finished.allSatisfy { ($0.idempotency != nil) == ($0.ending == .completed) })
    }
  }

  @Test("what failed or was refused may be made again, and a day later everything may")
  func again() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(Self.ask("order-1", #"{"model":"p/unknown"}"#))
      #expect(try await client.response().status == 404)
      try await client.send(Self.ask("order-1"))
      await upstream.next().answer(#"{"error":{"message":"no"}}"#, status: 400)
      #expect(try await client.response().status == 400)
      try await client.send(Self.ask("order-1"))
      await upstream.next().answer(plainAnswer)
      #expect(try await client.response().status == 200)
      try await client.send(Self.ask("order-1"))
      #expect(try await client.response().status == 409)
      gateway.clock.advance(.hours(24))
      let later = try await gateway.client()
      try await later.send(Self.ask("order-1"))
      await upstream.next().answer(plainAnswer)
      #expect(try await later.response().status == 200)
    }
  }

  @Test(
    "what the log knows of an earlier life counts, and a client that leaves while it is asked frees the key"
  )
  func knownToTheLog() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(Self.ask("order-1"))
      await upstream.next().answer(plainAnswer)
      #expect(try await client.response().status == 200)
      let finished = try #require(try await gateway.finished(1).first)
      let mark = try #require(finished.idempotency)
      let events = try gateway.store.events(forKeys: [mark.lookupKey], newest: 64).joined().map {
        try Recorded(
          position: $0.position.rawValue, time: UnixNanoseconds($0.time), kind: $0.kind,
          bytes: $0.payload)
      }
      #expect(events.map(\.kind) == ["request.dispatched.v2", "request.finished.v2"])
      let found = IdempotentRequest(
        of: mark.key, in: events, now: finished.receivedAt, start: finished.receivedAt)
      #expect(found?.id == finished.id)
      #expect(found?.body == mark.body)
    }
  }

  @Test("more requests than may wait for the log are told to come again, and that is recorded")
  func tooManyLookups() async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(plainAnswer) }
    try await Gateway.run(.one(port: upstream.port), options: { $0.maxLookupsWaiting = 1 }) {
      gateway in
      let first = try await gateway.client()
      let other = try await gateway.client()
      gateway.log.holdLookups()
      try await first.send(Self.ask("order-1"))
      _ = await gateway.log.lookedUp.when { $0 == 1 }
      try await other.send(Self.ask("order-2"))
      let refused = try await other.response()
      #expect(refused.status == 503)
      #expect(refused.headers["retry-after"] == "1")
      #expect(refused.headers["x-should-retry"] == "true")
      #expect(refused.text.contains(#""code":"overloaded""#))
      gateway.log.releaseLookups()
      #expect(try await first.response().status == 200)
      try await other.send(Self.ask("order-2"))
      #expect(try await other.response().status == 200)
      let finished = try await gateway.finished(3)
      #expect(finished.map(\.ending) == [.denied, .completed, .completed])
    }
  }

  @Test(
    "a key that is none is refused",
    arguments: ["", "a b", String(repeating: "k", count: 256), "é"])
  func invalid(_ value: String) async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(Self.ask(value))
      let response = try await client.response()
      #expect(response.status == 400)
      #expect(response.text.contains(#""param":"Idempotency-Key","code":"invalid_field""#))
      #expect(upstream.callCount == 0)
    }
  }

  @Test("ended requests are remembered up to a bound, those under way always")
  func bounded() {
    let keys = IdempotencyKeys()
    let now = UnixNanoseconds(TestClock.start)
    func mark(_ key: Int) -> IdempotencyMark { IdempotencyMark(key: UInt128(key), body: 1) }
    #expect(keys.claim(mark(0), RequestID(7), at: now) == .claimed)
    for key in 1...IdempotencyKeys.endedMax + 1 {
      #expect(keys.claim(mark(key), RequestID(UInt128(key)), at: now) == .claimed)
      keys.release(UInt128(key), isUsed: true)
    }
    #expect(keys.claim(mark(0), RequestID(8), at: now) == .underWay)
    #expect(keys.claim(mark(2), RequestID(8), at: now) == .used(RequestID(2)))
    // The oldest one is the log's to know.
    #expect(keys.claim(mark(1), RequestID(8), at: now) == .claimed)
    keys.release(0, isUsed: false)
    #expect(keys.claim(mark(0), RequestID(9), at: now) == .claimed)
  }
}
