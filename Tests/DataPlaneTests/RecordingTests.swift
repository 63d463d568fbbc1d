import Domain
import EventStore
import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import DataPlane

@Suite("Recording", .timeLimit(.minutes(5)))
struct RecordingTests {
  @Test("a stream's [DONE] waits for the log while everything before it has gone out")
  func withheldDone() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      gateway.log.hold()
      try await client.send(chat(streamBody))
      let call = await upstream.next()
      call.startStream()
      call.chunk(
        "data: {\"choices\":[{\"a\":1}]}\n\ndata: {\"choices\":[{\"b\":2}]}\n\ndata: [DONE]\n\n")
      call.endChunks()
      let text = await client.receives("\"b\":2")
      _ = await gateway.log.submitted.when { !$0.isEmpty }
      #expect(!text.contains("[DONE]"))
      #expect(!String(decoding: client.received.bytes, as: UTF8.self).contains("[DONE]"))
      gateway.log.release()
      let response = try await client.response()
      #expect(response.text.hasSuffix("data: [DONE]\n\n"))
      #expect(try gateway.finished().first?.ending == .completed)
    }
  }

  @Test("a whole answer's end waits for the log while what came before has gone out")
  func withheldEnd() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      gateway.log.hold()
      try await client.send(chat(plainBody))
      let call = await upstream.next()
      let start = "{\"choices\":[\"" + String(repeating: "x", count: BodyRelay.withheldBytes)
      call.send(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: \(start.utf8.count + 3)\r\n\r\n\(start)"
      )
      _ = await client.receives(start)
      call.send("\"]}")
      _ = await gateway.log.submitted.when { !$0.isEmpty }
      #expect(
        TestResponse.parse(client.received.bytes, isClosed: true, toHead: false) == nil)
      gateway.log.release()
      #expect(try await client.response().text == start + "\"]}")
    }
  }

  @Test("an error of ours waits for the log as well")
  func withheldDenial() async throws {
    try await Gateway.run(Configuration()) { gateway in
      let client = try await gateway.client()
      gateway.log.hold()
      try await client.send(chat(plainBody, key: "sk-wrong"))
      _ = await gateway.log.submitted.when { !$0.isEmpty }
      #expect(client.received.bytes.isEmpty)
      gateway.log.release()
      #expect(try await client.response().status == 401)
    }
  }

  struct ModeRow: Sendable, CustomTestStringConvertible {
    var mode: RecordingMode
    /// Of the request.
    var headers = ""
    var durabilities: [Durability]
    var testDescription: String {
      headers.isEmpty ? mode.name : "\(mode.name), \(headers.dropLast(2))"
    }
  }

  @Test(
    "each mode asks for its durability",
    arguments: [
      // Only what decides over later requests waits for the disk before the call.
      ModeRow(mode: .strict, durabilities: [.written, .durable]),
      ModeRow(
        mode: .strict, headers: "Idempotency-Key: k-1\r\n", durabilities: [.durable, .durable]),
      ModeRow(mode: .standard, durabilities: [.written]),
      ModeRow(mode: .relaxed, durabilities: [.queued]), ModeRow(mode: .off, durabilities: []),
    ])
  func modes(_ row: ModeRow) async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(plainAnswer) }
    try await Gateway.run(.one(port: upstream.port), options: { $0.recording = row.mode }) {
      gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody, headers: row.headers))
      #expect(try await client.response().text == plainAnswer)
      // A record that nobody waits for is handed over behind the answer.
      #expect(
        await gateway.log.durabilities.when { $0.count >= row.durabilities.count }
          == row.durabilities)
    }
  }

  @Test("what a loop records on one turn is handed over at its end, in order")
  func oneTurn() throws {
    let (loop, log) = (EmbeddedEventLoop(), NotedLog())
    let recorder = Recorder(
      mode: .standard, log: log, eventLoop: loop, counters: DataPlaneCounters(),
      logger: Logger(label: "test"))
    defer { recorder.close() }
    for turn in [[1, 2, 3], [4]] as [[UInt128]] {
      let before = log.ids.value
      for id in turn {
        _ = recorder.submit(
          id: EventID(id), kind: .requestFinished, time: 1, lookupKeys: [], payload: [], loss: 1,
          waiter: nil)
      }
      #expect(log.ids.value == before)
      loop.run()
      #expect(log.ids.value == before + turn)
    }
    #expect(recorder.outstanding == 4)
  }

  @Test("strict: the request is in the log before the call is made")
  func strictDispatch() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port), options: { $0.recording = .strict }) {
      gateway in
      let client = try await gateway.client()
      gateway.log.hold()
      try await client.send(chat(plainBody))
      _ = await gateway.log.submitted.when { $0 == ["request.dispatched.v1"] }
      #expect(upstream.callCount == 0)
      gateway.log.release()
      let call = await upstream.next()
      #expect(gateway.log.answered.value.first == "request.dispatched.v1")
      call.answer(plainAnswer)
      #expect(try await client.response().status == 200)
      // Without its end a request is missing once; without its beginning it is not.
      #expect(gateway.log.losses.value == [0, 1])
    }
  }

  @Test("strict: a client that leaves before the call is recorded, and no call is made")
  func strictHangUp() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port), options: { $0.recording = .strict }) {
      gateway in
      let client = try await gateway.client()
      gateway.log.hold()
      try await client.send(chat(plainBody))
      _ = await gateway.log.submitted.when { $0 == ["request.dispatched.v1"] }
      await client.close()
      _ = await gateway.log.submitted.when { $0.count == 2 }
      gateway.log.release()
      #expect(try await gateway.finished(1).map(\.ending) == [.clientHungUp])
      #expect(upstream.callCount == 0)
    }
  }

  @Test("strict: a log that takes nothing refuses admission, without an upstream call")
  func strictRefuses() async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(plainAnswer) }
    try await Gateway.run(.one(port: upstream.port), options: { $0.recording = .strict }) {
      gateway in
      gateway.log.refuse()
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      let response = try await client.response()
      #expect(response.status == 503)
      #expect(response.text.contains("\"recording_unavailable\""))
      #expect(upstream.callCount == 0)
    }
  }

  @Test("strict: an answer that cannot be recorded is not given; a stream ends with an error")
  func strictWithholds() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port), options: { $0.recording = .strict }) {
      gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      let whole = await upstream.next()
      gateway.log.refuse()
      whole.answer(plainAnswer)
      let first = try await client.response()
      #expect(first.status == 503)
      #expect(!first.text.contains("usage"))

      gateway.log.release()
      try await client.send(chat(streamBody))
      let call = await upstream.next()
      gateway.log.refuse()
      call.startStream()
      call.chunk("data: {\"choices\":[{}]}\n\ndata: [DONE]\n\n")
      let second = try await client.response()
      #expect(second.text.contains("\"recording_unavailable\""))
      #expect(!second.text.contains("[DONE]"))
      _ = await client.closed()
    }
  }

  @Test(
    "standard and relaxed: the answer goes out all the same, and the loss is counted",
    arguments: [RecordingMode.standard, .relaxed])
  func lossIsCounted(_ mode: RecordingMode) async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(plainAnswer) }
    try await Gateway.run(.one(port: upstream.port), options: { $0.recording = mode }) { gateway in
      gateway.log.refuse()
      let client = try await gateway.client()
      for _ in 1...2 {
        try await client.send(chat(plainBody))
        #expect(try await client.response().text == plainAnswer)
      }
      #expect(gateway.plane.counts.recordingFailures >= 1)
    }
  }

  @Test("a request in flight for more than 100 ms is recorded as dispatched, once")
  func dispatched() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody, headers: "X-Request-Id: abc\r\n"))
      let call = await upstream.next()
      #expect(gateway.log.submitted.value.isEmpty)
      gateway.clock.advance(.milliseconds(101))
      _ = await gateway.log.answered.when { $0.contains("request.dispatched.v1") }
      call.answer(plainAnswer)
      _ = try await client.response()
      let events = try gateway.events()
      guard case .dispatched(let dispatched) = events.first,
        case .finished(let finished) = events.last
      else {
        Issue.record("not dispatched, then finished")
        return
      }
      #expect(events.count == 2)
      #expect(dispatched.id == finished.id)
      #expect(dispatched.clientRequestID == "abc")
      #expect(dispatched.account == AccountID("a1"))
      for key in [dispatched.id.lookupKey, lookupKey(clientRequestID: "abc")] {
        #expect(try gateway.store.reader.positions(forKey: key).count == 2)
      }
    }
  }

  @Test("a client that hangs up ends the upstream call and is recorded", arguments: [false, true])
  func hangUp(_ afterFirstByte: Bool) async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(streamBody))
      let call = await upstream.next()
      if afterFirstByte {
        call.startStream()
        call.chunk("data: {\"choices\":[{}]}\n\n")
        _ = await client.receives("choices")
      }
      await client.close()
      await call.closed()
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.ending == .clientHungUp)
      #expect(finished.status == (afterFirstByte ? 200 : 499))
      #expect(finished.attempts.map(\.errorCode) == ["client_hung_up"])
      #expect(finished.attempts.map(\.errorClass) == [.client])
    }
  }

  @Test("a client that leaves while the end waits for the log is a failed delivery")
  func deliveryFailed() async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(plainAnswer) }
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      gateway.log.hold()
      try await client.send(chat(plainBody))
      _ = await gateway.log.submitted.when { !$0.isEmpty }
      await client.close()
      // More connections would be counted too: only this one's end is waited for.
      try await eventually { gateway.plane.counts.connectionsOpen == 0 }
      gateway.log.release()
      _ = await gateway.log.answered.when { $0.contains("request.delivery_failed.v1") }
      let events = try gateway.events()
      guard case .finished(let finished) = events.first,
        case .deliveryFailed(let failed) = events.last
      else {
        Issue.record("not finished, then delivery failed")
        return
      }
      #expect(finished.ending == .completed)
      #expect(failed.id == finished.id)
    }
  }

  @Test("a flood of unauthenticated requests is told ten times a second, the rest is counted")
  func flood() async throws {
    try await Gateway.run(Configuration()) { gateway in
      let client = try await gateway.client()
      for _ in 1...25 {
        try await client.send(chat("{}", key: "sk-wrong"))
        #expect(try await client.response().status == 401)
      }
      gateway.clock.advance(.seconds(1))
      _ = await gateway.log.answered.when { $0.contains("request.denied_summary.v1") }
      let events = try gateway.events()
      #expect(events.count == 11)
      #expect(gateway.log.losses.value == Array(repeating: 1, count: 10) + [15])
      guard case .deniedSummary(let summary) = events.last else {
        Issue.record("no summary")
        return
      }
      #expect(summary.count == 15)
      #expect(summary.remoteAddress == "127.0.0.1")
    }
  }

  @Test("the first byte is timed for whole answers, streams and refusals alike")
  func firstByte() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      let plain = await upstream.next()
      gateway.clock.advance(.milliseconds(3))
      plain.answer(plainAnswer)
      _ = try await client.response()
      try await client.send(chat(streamBody))
      let stream = await upstream.next()
      stream.startStream()
      gateway.clock.advance(.milliseconds(5))
      stream.chunk("data: {\"choices\":[{}]}\n\n")
      _ = await client.receives("choices")
      gateway.clock.advance(.milliseconds(7))
      stream.chunk("data: [DONE]\n\n")
      stream.endChunks()
      _ = try await client.response()
      try await client.send(chat(#"{"model":"no"}"#))
      _ = try await client.response()
      let finished = try await gateway.finished(3)
      #expect(finished.map(\.firstByteMicroseconds) == [3000, 5000, 0])
      #expect(
        finished.map { $0.attempts.first?.firstByteMicroseconds == nil } == [false, false, true])
      #expect(finished.first?.attempts.first?.firstByteMicroseconds == 3000)
      #expect(finished.map(\.totalMicroseconds) == [3000, 12000, 0])
    }
  }
}

/// Notes the ids of what is submitted, and answers nothing.
private final class NotedLog: RequestLog {
  let ids = Watched<[UInt128]>([])
  let failure: StoreError? = nil

  func submit(_ requests: [AppendRequest], sink: any AppendSink) {
    ids.change { $0 += requests.flatMap(\.batch.events).map(\.id.rawValue) }
  }

  func events(forKeys keys: [[UInt8]], newest count: Int) throws(StoreError) -> [[StoredEvent]] {
    keys.map { _ in [] }
  }
}
