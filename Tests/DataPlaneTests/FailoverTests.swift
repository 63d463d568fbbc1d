import Domain
import NIOCore
import Surface
import Testing

@testable import DataPlane

@Suite("Failover", .timeLimit(.minutes(5)))
struct FailoverTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var status: Int
    var errorClass: ErrorClass
    var testDescription: String { "status \(status)" }
  }

  static let another: [Row] = [
    Row(status: 302, errorClass: .provider), Row(status: 401, errorClass: .account),
    Row(status: 402, errorClass: .account), Row(status: 403, errorClass: .account),
    Row(status: 404, errorClass: .model), Row(status: 408, errorClass: .provider),
    Row(status: 409, errorClass: .provider), Row(status: 429, errorClass: .account),
    Row(status: 500, errorClass: .provider), Row(status: 502, errorClass: .provider),
    Row(status: 503, errorClass: .provider), Row(status: 529, errorClass: .provider),
  ]

  @Test(
    "another account is asked after a status that is not the request's fault", arguments: another)
  func anotherAccount(_ row: Row) async throws {
    let upstream = try await ScriptedUpstream.start { call in
      if call.header("authorization") == "Bearer secret-of-a1" {
        call.answer(#"{"error":{"message":"no"}}"#, status: row.status)
      } else {
        call.answer(plainAnswer)
      }
    }
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1", "a2"])) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      let response = try await client.response()
      #expect(response.status == 200)
      #expect(response.text == plainAnswer)
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.attempts.map(\.account) == [AccountID("a1"), AccountID("a2")])
      #expect(finished.attempts.first?.status == UInt16(row.status))
      #expect(finished.attempts.first?.errorClass == row.errorClass)
      #expect(finished.attempts.first?.errorCode == "status_\(row.status)")
      #expect(finished.attempts.last?.errorClass == nil)
      #expect(finished.ending == .completed)
    }
  }

  @Test(
    "no other account is asked after a status that is the request's fault",
    arguments: [400, 413, 415, 422])
  func sameAccount(_ status: Int) async throws {
    let error = #"{"error":{"message":"bad field","type":"invalid_request_error","code":"x"}}"#
    let upstream = try await ScriptedUpstream.start { $0.answer(error, status: status) }
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1", "a2"])) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      let response = try await client.response()
      #expect(response.status == status)
      #expect(response.text == error)
      #expect(upstream.callCount == 1)
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.attempts.count == 1)
      #expect(finished.errorClass == .request)
      #expect(finished.ending == .failed)
      #expect(finished.status == UInt16(status))
    }
  }

  struct Refusal: Sendable, CustomTestStringConvertible {
    var status: Int
    var answered: Int
    var code: String
    var testDescription: String { "status \(status)" }
  }

  static let refusals: [Refusal] = [
    Refusal(status: 302, answered: 502, code: "upstream_error"),
    Refusal(status: 401, answered: 502, code: "upstream_error"),
    Refusal(status: 402, answered: 502, code: "upstream_error"),
    Refusal(status: 403, answered: 502, code: "upstream_error"),
    Refusal(status: 409, answered: 502, code: "upstream_error"),
    Refusal(status: 429, answered: 429, code: "rate_limited"),
    Refusal(status: 500, answered: 500, code: "upstream_error"),
    Refusal(status: 503, answered: 503, code: "upstream_error"),
  ]

  @Test(
    "every account is asked once; what the last one says of itself is told in our words",
    arguments: refusals)
  func exhausted(_ row: Refusal) async throws {
    let upstream = try await ScriptedUpstream.start { call in
      let name = call.header("authorization") ?? ""
      call.answer(
        #"{"error":{"message":"\#(name)"}}"#, status: row.status, headers: "retry-after: 7\r\n")
    }
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1", "a2", "a3"])) { gateway in
      let client = try await gateway.client()
      for _ in 0..<2 {
        try await client.send(chat(plainBody))
        let response = try await client.response()
        #expect(response.status == row.answered)
        #expect(response.text.contains(#""code":"\#(row.code)""#))
        #expect(!response.text.contains("secret"))
        #expect(response.headers["retry-after"] == "7")
        #expect(response.headers["x-should-retry"] == "true")
      }
      let finished = try #require(try await gateway.finished(2).first)
      #expect(finished.attempts.map(\.account.rawValue) == ["a1", "a2", "a3"])
      #expect(finished.attempts.map(\.status) == Array(repeating: UInt16(row.status), count: 3))
      #expect(finished.status == UInt16(row.answered))
      #expect(finished.errorCode == row.code)
      #expect(finished.ending == .failed)
      #expect(upstream.callCount == 6)
      #expect(upstream.connections <= 3, "the rest of a refusal does not cost the connection")
    }
  }

  @Test("that no account has the model is the last one's to say")
  func modelIsMissing() async throws {
    let error = #"{"error":{"message":"no m here","code":"model_not_found"}}"#
    let upstream = try await ScriptedUpstream.start { $0.answer(error, status: 404) }
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1", "a2"])) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      let response = try await client.response()
      #expect(response.status == 404)
      #expect(response.text == error)
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.attempts.map(\.errorClass) == [.model, .model])
    }
  }

  @Test("an upstream error that is no JSON error object is told in our words, with its status")
  func foreignError() async throws {
    let upstream = try await ScriptedUpstream.start {
      $0.answer("<html>secret internals</html>", status: 503, headers: "retry-after: 500\r\n")
    }
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      let response = try await client.response()
      #expect(response.status == 503)
      #expect(response.text.contains("upstream_error"))
      #expect(!response.text.contains("internals"))
      #expect(response.headers["retry-after"] == "120")
      #expect(response.headers["x-should-retry"] == "false")
    }
  }

  @Test(
    "what many servers of OpenAI's protocol say of a bad request is told in its form",
    arguments: [
      (
        #"{"object":"error","message":"bad temperature","type":"BadRequestError","code":400}"#,
        "bad temperature"
      ),
      (#"{"detail":"unknown field"}"#, "unknown field"),
      (#"{"object":"error","message":{"detail":[]}}"#, "The provider answered with status 400."),
      (#"{"message":"it was secret-of-a1"}"#, "The provider answered with status 400."),
    ])
  func flatError(body: String, words: String) async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(body, status: 400) }
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      let response = try await client.response()
      #expect(response.status == 400)
      let error = try JSONValue.parse(Array(response.text.utf8))["error"]
      #expect(error?["message"]?.string == words, "\(response.text)")
      #expect(error?["type"]?.string == "invalid_request_error")
    }
  }

  @Test(
    "a prompt that is too long is told by the code that clients know, whatever form it comes in")
  func tooLong() async throws {
    let upstream = try await ScriptedUpstream.start { call in
      if call.path == "/v1/responses" {
        call.startStream()
        call.chunk(
          "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\"}}\n\n"
        )
        call.chunk(
          "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"id\":\"r\",\"status\":\"failed\",\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"too long\"}}}\n\n"
        )
        call.endChunks()
      } else {
        call.answer(
          #"{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens","code":400}"#,
          status: 400)
      }
    }
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      for request in [
        chat(plainBody),
        chat(#"{"model":"p/m","input":"a","stream":true}"#, path: "/v1/responses"),
      ] {
        try await client.send(request)
        let response = try await client.response()
        #expect(response.status == 400, "\(response.text)")
        let error = try JSONValue.parse(Array(response.text.utf8))["error"]
        #expect(error?["code"]?.string == "context_length_exceeded", "\(response.text)")
      }
    }
  }

  @Test("an error in the first frame of a stream fails over, because the client has nothing yet")
  func errorInFirstFrame() async throws {
    let upstream = try await ScriptedUpstream.start { call in
      call.startStream()
      if call.header("authorization") == "Bearer secret-of-a1" {
        call.chunk(": keep-alive\n\n")
        call.chunk("data: {\"error\":{\"message\":\"overloaded\"}}\n\n")
      } else {
        call.chunk("data: {\"choices\":[{}]}\n\ndata: [DONE]\n\n")
      }
      call.endChunks()
    }
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1", "a2"])) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(streamBody))
      let response = try await client.response()
      #expect(response.text == "data: {\"choices\":[{}]}\n\ndata: [DONE]\n\n")
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.attempts.map(\.errorCode) == ["error_in_stream", nil])
    }
  }

  @Test(
    "a stream without a frame of an answer fails over, and at the last account is 502",
    arguments: ["", ": keep-alive\n\n", "data: {\"cho"])
  func emptyStream(_ text: String) async throws {
    let upstream = try await ScriptedUpstream.start { call in
      call.startStream()
      if !text.isEmpty { call.chunk(text) }
      call.endChunks()
    }
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1", "a2"])) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(streamBody))
      let response = try await client.response()
      #expect(response.status == 502)
      #expect(response.text.contains("\"upstream_error\""))
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.attempts.map(\.account.rawValue) == ["a1", "a2"])
      #expect(finished.attempts.map(\.errorCode) == ["empty_stream", "empty_stream"])
      #expect(finished.ending == .failed)
      #expect(finished.errorClass == .provider)
    }
  }

  struct Ends: Sendable, CustomTestStringConvertible {
    var last: String
    var isFramed: Bool
    var ending: Ending
    var testDescription: String
  }

  static let ends: [Ends] = [
    Ends(
      last: #"{"choices":[{"finish_reason":null}]}"#, isFramed: true, ending: .upstreamCut,
      testDescription: "framed, in the middle"),
    Ends(
      last: #"{"choices":[{"finish_reason":null}]}"#, isFramed: false, ending: .upstreamCut,
      testDescription: "unframed, in the middle"),
    Ends(
      last: #"{"choices":[{"finish_reason":"stop"}]}"#, isFramed: true, ending: .completed,
      testDescription: "framed, after a finish reason"),
    Ends(
      last: #"{"choices":[{"finish_reason": "stop"}]}"#, isFramed: false, ending: .completed,
      testDescription: "unframed, after a finish reason"),
  ]

  @Test("a stream without [DONE] is whole only if it said why it ended", arguments: ends)
  func withoutDone(_ row: Ends) async throws {
    let frames = "data: {\"choices\":[{\"delta\":{}}]}\n\ndata: \(row.last)\n\n"
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1", "a2"])) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(streamBody))
      let call = await upstream.next()
      if row.isFramed {
        call.startStream()
        call.chunk(frames)
        _ = await client.receives(row.last)
        call.endChunks()
      } else {
        call.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n\(frames)")
        _ = await client.receives(row.last)
        call.close()
      }
      let response = try await client.response()
      #expect(response.text.hasPrefix(frames))
      #expect(response.text.contains("\"upstream_cut\"") == (row.ending == .upstreamCut))
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.ending == row.ending)
      #expect(finished.attempts.map(\.errorCode) == [row.ending == .completed ? nil : "cut"])
      #expect(upstream.callCount == 1)
    }
  }

  @Test(
    "a redirect is not followed: the credential stays where it belongs",
    arguments: [301, 302, 303, 307, 308])
  func redirect(_ status: Int) async throws {
    let thief = try await ScriptedUpstream.start { $0.answer(plainAnswer) }
    let upstream = try await ScriptedUpstream.start { call in
      call.answer(
        "{}", status: status,
        headers: "location: http://127.0.0.1:\(thief.port)/v1/chat/completions\r\n")
    }
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1"])) { gateway in
      let client = try await gateway.client()
      for body in [plainBody, streamBody] {
        try await client.send(chat(body))
        let response = try await client.response()
        #expect(response.status == 502)
        #expect(response.headers["location"] == nil)
        #expect(!response.text.contains("\(thief.port)"))
      }
      let finished = try await gateway.finished(2)
      #expect(
        finished.flatMap { $0.attempts.map(\.errorCode) } == [
          "status_\(status)", "status_\(status)",
        ])
      #expect(upstream.callCount == 2 && thief.connections == 0)
    }
  }

  static let errorAnswer = #"{"id":"x","error":{"message":"quota of sk-secret"}}"#

  @Test("an answer that is an error in spite of its status fails over", arguments: [1, 2])
  func errorUnderGoodStatus(_ good: Int) async throws {
    let upstream = try await ScriptedUpstream.start { call in
      let isBad = good != 2 || call.header("authorization") == "Bearer secret-of-a1"
      call.answer(isBad ? Self.errorAnswer : plainAnswer)
    }
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1", "a2"])) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      let response = try await client.response()
      #expect(response.status == (good == 2 ? 200 : 502))
      #expect(!response.text.contains("secret"))
      let finished = try #require(try await gateway.finished(1).first)
      #expect(
        finished.attempts.map(\.errorCode)
          == ["error_in_answer", good == 2 ? nil : "error_in_answer"])
      #expect(finished.ending == (good == 2 ? .completed : .failed))
      #expect(finished.errorClass == (good == 2 ? nil : .provider))
    }
  }

  @Test("an error beside choices is the answer, and an error that comes piecemeal fails over too")
  func piecemealError() async throws {
    let beside = #"{"choices":[{"index":0}],"error":{"message":"filtered"}}"#
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1", "a2"])) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      await upstream.next().answer(beside)
      #expect(try await client.response().text == beside)
      try await client.send(chat(plainBody))
      let call = await upstream.next()
      let text = Self.errorAnswer
      try await call.deliver(
        Array(
          "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: \(text.utf8.count)\r\n\r\n\(text.prefix(8))"
            .utf8))
      call.send(String(text.dropFirst(8)))
      await upstream.next().answer(plainAnswer)
      #expect(try await client.response().text == plainAnswer)
      let finished = try await gateway.finished(2)
      #expect(finished.map(\.ending) == [.completed, .completed])
      #expect(finished.last?.attempts.map(\.errorCode) == ["error_in_answer", nil])
    }
  }

  struct Pretence: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var code: String
    var isStream = false
    var type = "application/json"
    var body: String
  }

  static let pretences: [Pretence] = [
    Pretence(
      testDescription: "a page of markup", code: "error_in_answer", type: "text/html",
      body: "\n <!doctype html><title>sk-secret</title>"),
    Pretence(
      testDescription: "markup instead of a stream", code: "error_in_answer", isStream: true,
      type: "text/html", body: "<html>sk-secret</html>"),
    Pretence(
      testDescription: "an object that answers nothing", code: "empty_answer",
      body: #"{"detail":"sk-secret"}"#),
    Pretence(
      testDescription: "an error to a request for a stream", code: "error_in_answer",
      isStream: true, body: #"{"error":{"message":"sk-secret"}}"#),
    Pretence(
      testDescription: "nothing at all", code: "empty_answer", body: ""),
    Pretence(
      testDescription: "half an object", code: "empty_answer",
      body: #"{"choices":[{"index":0}"#),
    Pretence(
      testDescription: "a stream of nothing but its end", code: "empty_stream",
      isStream: true, type: "text/event-stream", body: "data: [DONE]\n\n"),
    Pretence(
      testDescription: "a stream without choices", code: "empty_stream",
      isStream: true, type: "text/event-stream",
      body: "data: {\"id\":\"x\",\"choices\":[ ]}\n\ndata: {\"id\":\"x\"}\n\ndata: [DONE]\n\n"),
    Pretence(
      testDescription: "an error behind frames without choices", code: "error_in_stream",
      isStream: true, type: "text/event-stream",
      body:
        "data: {\"choices\":[]}\n\nevent: error\ndata: {\"error\":{\"message\":\"sk-secret\"}}\n\n"),
  ]

  @Test("what only pretends to be an answer fails over before the first byte", arguments: pretences)
  func pretence(_ row: Pretence) async throws {
    let stream = "data: {\"choices\":[{}]}\n\ndata: [DONE]\n\n"
    let upstream = try await ScriptedUpstream.start { call in
      if call.header("authorization") == "Bearer secret-of-a1" {
        call.send(
          "HTTP/1.1 200 OK\r\ncontent-type: \(row.type)\r\ncontent-length: \(row.body.utf8.count)\r\n\r\n\(row.body)"
        )
      } else {
        let type = row.isStream ? "text/event-stream" : "application/json"
        let body = row.isStream ? stream : plainAnswer
        call.send(
          "HTTP/1.1 200 OK\r\ncontent-type: \(type)\r\ncontent-length: \(body.utf8.count)\r\n\r\n\(body)"
        )
      }
    }
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1", "a2"])) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(row.isStream ? streamBody : plainBody))
      let response = try await client.response()
      #expect(response.status == 200)
      #expect(response.text == (row.isStream ? stream : plainAnswer))
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.attempts.map(\.errorCode) == [row.code, nil])
      #expect(finished.attempts.map(\.status) == [200, 200])
      #expect(finished.ending == .completed)
    }
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1"])) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(row.isStream ? streamBody : plainBody))
      let response = try await client.response()
      #expect(response.status == 502)
      #expect(response.text.contains(#""code":"upstream_error""#))
      #expect(!response.text.contains("secret"))
    }
  }

  struct Refused: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var status: Int
    var error: String
    var errorClass: ErrorClass
    var code: String
    /// How many accounts are asked.
    var calls: Int
    var answered: Int
  }

  static let said: [Refused] = [
    Refused(
      testDescription: "a bad request by 400", status: 400,
      error: #"{"message":"bad","type":"invalid_request_error","param":"n"}"#,
      errorClass: .request, code: "status_400", calls: 1, answered: 400),
    Refused(
      testDescription: "an invalid key by 400", status: 400,
      error:
        #"{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}"#,
      errorClass: .account, code: "invalid_api_key", calls: 2, answered: 502),
    Refused(
      testDescription: "no credit by 429", status: 429,
      error: #"{"message":"quota","type":"insufficient_quota","code":"insufficient_quota"}"#,
      errorClass: .account, code: "insufficient_quota", calls: 2, answered: 502),
    Refused(
      testDescription: "a context too long by 400", status: 400,
      error:
        #"{"message":"maximum context length is 8","type":"invalid_request_error","code":"context_length_exceeded"}"#,
      errorClass: .request, code: "context_length_exceeded", calls: 1, answered: 400),
  ]

  @Test("what a refusal says of itself decides, not its status alone", arguments: said)
  func words(_ row: Refused) async throws {
    let upstream = try await ScriptedUpstream.start {
      $0.answer(#"{"error":\#(row.error)}"#, status: row.status)
    }
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1", "a2"])) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      let response = try await client.response()
      #expect(response.status == row.answered)
      #expect(upstream.callCount == row.calls)
      let attempts = try #require(try await gateway.finished(1).first).attempts
      #expect(attempts.map(\.errorClass) == Array(repeating: row.errorClass, count: row.calls))
      #expect(attempts.map(\.errorCode) == Array(repeating: row.code, count: row.calls))
    }
  }

  @Test("a provider that rejects the usage option is asked again without it, at the same account")
  func rejectsUsageOption() async throws {
    let stream = "data: {\"choices\":[{}]}\n\ndata: [DONE]\n\n"
    let upstream = try await ScriptedUpstream.start { call in
      if call.text.contains("stream_options") {
        call.answer(
          #"{"error":{"message":"Unrecognized request argument supplied: stream_options","type":"invalid_request_error"}}"#,
          status: 400)
      } else {
        call.startStream()
        call.chunk(stream)
        call.endChunks()
      }
    }
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1", "a2"])) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(streamBody))
      #expect(try await client.response().text == stream)
      let first = await upstream.next()
      let second = await upstream.next()
      #expect(first.header("authorization") == second.header("authorization"))
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.attempts.map(\.account.rawValue) == ["a1"])
      #expect(finished.ending == .completed && finished.usage == .notReported)
      // The client's own option is the client's fault.
      let own = #"{"model":"p/m","stream":true,"stream_options":{"include_usage":true}}"#
      try await client.send(chat(own))
      #expect(try await client.response().status == 400)
      #expect(upstream.callCount == 3)
    }
  }

  @Test("the verdict on a refusal does not wait for words that do not come")
  func slowRefusal() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1", "a2"])) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      let first = await upstream.next()
      try await first.deliver(
        Array(
          "HTTP/1.1 503 X\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"error\":"
            .utf8))
      try await gateway.caughtUp()
      gateway.clock.advance(.seconds(3))
      await upstream.next().answer(plainAnswer)
      await first.closed()
      #expect(try await client.response().text == plainAnswer)
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.attempts.map(\.errorCode) == ["status_503", nil])
    }
  }

  @Test("a refusal without end is read to its bound, and its words reach nobody")
  func endlessRefusal() async throws {
    let upstream = try await ScriptedUpstream.start { call in
      let words = String(repeating: "x", count: 100 << 10)
      call.answer(#"{"error":{"message":"\#(words)"}}"#, status: 400)
    }
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1", "a2"])) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      let response = try await client.response()
      #expect(response.status == 400)
      #expect(response.text.contains(#""code":"upstream_error""#) && response.body.count < 1024)
      #expect(upstream.callCount == 1)
    }
  }

  @Test("a refusal that breaks off is judged by what there is of it")
  func brokenRefusal() async throws {
    let upstream = try await ScriptedUpstream.start { call in
      if call.header("authorization") == "Bearer secret-of-a1" {
        call.send("HTTP/1.1 429 X\r\ncontent-length: 100\r\n\r\n{\"error\":")
        call.close()
      } else {
        call.answer(plainAnswer)
      }
    }
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1", "a2"])) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      #expect(try await client.response().text == plainAnswer)
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.attempts.map(\.errorCode) == ["status_429", nil])
      #expect(finished.attempts.map(\.errorClass) == [.account, nil])
    }
  }

  @Test("an upstream that hangs up without an answer is asked no more, and the next account is")
  func hangsUp() async throws {
    let upstream = try await ScriptedUpstream.start { call in
      if call.header("authorization") == "Bearer secret-of-a1" {
        call.close()
      } else {
        call.answer(plainAnswer)
      }
    }
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1", "a2"])) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      #expect(try await client.response().status == 200)
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.attempts.map(\.errorCode) == ["closed_before_answer", nil])
    }
  }

  @Test("an unreachable provider is 502 upstream_unreachable and recorded")
  func unreachable() async throws {
    let port = try await closedPort()
    try await Gateway.run(.one(port: port, accounts: ["a1", "a2"])) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      let response = try await client.response()
      #expect(response.status == 502)
      #expect(response.text.contains("\"upstream_unreachable\""))
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.attempts.map(\.errorCode) == ["connect_refused", "connect_refused"])
      #expect(finished.errorClass == .network)
      #expect(finished.ending == .failed)
    }
  }

  @Test("an upstream that does not answer in time is given up, and the last one is 504")
  func timeout() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1", "a2"])) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      let first = await upstream.next()
      gateway.clock.advance(.seconds(301))
      let second = await upstream.next()
      await first.closed()
      gateway.clock.advance(.seconds(301))
      let response = try await client.response()
      await second.closed()
      #expect(response.status == 504)
      #expect(response.text.contains("\"upstream_timeout\""))
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.attempts.map(\.errorCode) == ["timeout", "out_of_time"])
    }
  }

  @Test("a kept connection that died unused costs no account: the same one is asked on a fresh one")
  func stale() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1", "a2"])) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      await upstream.next().answer(plainAnswer)
      _ = try await client.response()
      try await client.send(chat(plainBody))
      let second = await upstream.next()
      second.close()
      let third = await upstream.next()
      #expect(third.header("authorization") == "Bearer secret-of-a1")
      third.answer(plainAnswer)
      #expect(try await client.response().status == 200)
      #expect(upstream.connections == 2)
      let finished = try #require(try await gateway.finished(2).last)
      #expect(finished.attempts.map(\.account.rawValue) == ["a1"])
    }
  }

  @Test("after the first byte no account takes over: the stream ends with an error and no [DONE]")
  func cutStream() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1", "a2"])) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(streamBody))
      let call = await upstream.next()
      call.startStream()
      call.chunk("data: {\"choices\":[{}]}\n\n")
      _ = await client.receives("choices")
      call.close()
      let response = try await client.response()
      #expect(response.text.hasPrefix("data: {\"choices\":[{}]}\n\ndata: {\"error\":"))
      #expect(response.text.contains("\"upstream_cut\""))
      #expect(!response.text.contains("[DONE]"))
      _ = await client.closed()
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.ending == .upstreamCut)
      #expect(finished.attempts.map(\.errorCode) == ["cut"])
      #expect(upstream.callCount == 1)
    }
  }

  @Test("an answer that breaks off is never made to look whole; a short one is not begun")
  func cutAnswer() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1", "a2"])) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      let call = await upstream.next()
      let start = "{\"a\":\"" + String(repeating: "x", count: BodyRelay.withheldBytes)
      call.send(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n\(start)"
      )
      _ = await client.receives(start)
      call.close()
      let bytes = await client.closed()
      #expect(TestResponse.parse(bytes, isClosed: true, toHead: false) == nil)
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.ending == .upstreamCut)
      #expect(upstream.callCount == 1)

      let second = try await gateway.client()
      try await second.send(chat(plainBody))
      let short = await upstream.next()
      try await short.deliver(
        Array(
          "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"a\""
            .utf8))
      short.close()
      await upstream.next().answer(plainAnswer)
      #expect(try await second.response().text == plainAnswer)
      let last = try #require(try await gateway.finished(2).last)
      #expect(last.attempts.map(\.errorCode) == ["cut", nil])
    }
  }
}
