import Domain
import NIOCore
import Testing

@testable import DataPlane

@Suite("Everything that is not inference", .timeLimit(.minutes(5)))
struct FallbackTests {
  @Test("goes to the fallback with method, target and body, and is no request event")
  func echo() async throws {
    try await Gateway.run(Configuration()) { gateway in
      let client = try await gateway.client()
      try await client.send(
        "PUT /api/keys/1?a=b HTTP/1.1\r\nHost: x\r\nX-Request-Id: r1\r\nContent-Length: 5\r\n\r\nhello"
      )
      let response = try await client.response()
      #expect(response.status == 200)
      #expect(response.text == "PUT /api/keys/1?a=b hello")
      #expect(response.headers["x-request-id"] == "r1")
      #expect(response.headers["x-signalbox-request-id"]?.count == 36)
      #expect(try gateway.events().isEmpty)
    }
  }

  @Test("HEAD gets the length and no body")
  func head() async throws {
    try await Gateway.run(Configuration()) { gateway in
      let client = try await gateway.client()
      try await client.send("HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n")
      let response = try await client.response(toHead: true)
      #expect(response.headers["content-length"] == "13")
      #expect(try await client.ping().text == "GET /ping ")
    }
  }

  @Test(
    "a body beyond 1 MiB is 413",
    arguments: ["Content-Length: 1048577\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n100001\r\n"])
  func tooLarge(_ framing: String) async throws {
    try await Gateway.run(Configuration()) { gateway in
      let client = try await gateway.client()
      client.offer(
        Array("POST /api/keys HTTP/1.1\r\nHost: x\r\n\(framing)".utf8)
          + [UInt8](repeating: 0x20, count: 1_048_577))
      let response = try await client.response()
      #expect(response.status == 413)
      #expect(response.headers["connection"] == "close")
      _ = await client.closed()
    }
  }

  @Test("is cancelled when the client goes away")
  func cancelled() async throws {
    let fallback = PatientFallback()
    try await Gateway.run(Configuration(), fallback: fallback) { gateway in
      let client = try await gateway.client()
      try await client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
      _ = await fallback.state.when { $0 == "asked" }
      await client.close()
      _ = await fallback.state.when { $0 == "cancelled" }
    }
  }

  @Test("what cools down stays in the list, and says from when it is available again")
  func availability() async throws {
    var configuration = Configuration.one(port: 1)
    configuration.addProvider("q", port: 1, models: ["n"])
    configuration.addAccount("b1", at: "q")
    configuration.cool("a1", for: 1_500_000_000)
    configuration.addProvider("r", port: 1, models: ["none"])
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      func list() async throws -> String {
        try await client.send("GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
        return try await client.response().text
      }
      let back = TestClock.start / 1_000_000_000 + 2
      let cooling = #""owned_by":"p","available":false,"available_at":\#(back)"#
      for _ in 0..<2 {
        let text = try await list()
        #expect(text.contains(cooling))
        #expect(text.contains(#""owned_by":"q","available":true}"#))
        #expect(text.contains(#""owned_by":"r","available":false}"#))
      }
      gateway.clock.advance(.milliseconds(1500))
      let text = try await list()
      #expect(text.contains(#""owned_by":"p","available":true}"#))
      #expect(!text.contains("available_at"))
      try await client.send("GET /v1/models/r/none HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(try await client.response().text.contains(#""available":false}"#))
    }
  }

  @Test("a model is listed and found under the name that clients write")
  func models() async throws {
    var configuration = Configuration()
    configuration.addProvider("p", port: 1, models: ["m", "vendor/deep"])
    configuration.apply(.alias(.set(.init(name: "fast", target: "p/m", isUnresolved: false))))
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      try await client.send("GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
      let list = try await client.response()
      #expect(list.status == 200)
      #expect(
        list.text.hasPrefix(#"{"object":"list","data":[{"id":"fast","object":"model","created":"#))
      #expect(list.text.contains(#""id":"p/vendor/deep""#))
      #expect(list.text.contains(#""owned_by":"p""#))
      for path in ["/v1/models/p/vendor/deep", "/api/v1/models/p%2Fvendor%2Fdeep"] {
        try await client.send("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(
          try await client.response().text.hasPrefix(#"{"id":"p/vendor/deep","object":"model""#))
      }
      let version = "anthropic-version: 2023-06-01\r\n"
      for (path, fields, start) in [
        ("/v1/models", version, #"{"data":[{"type":"model","id":"fast","display_name":"fast","#),
        (
          "/v1/models/p/vendor/deep", version,
          #"{"type":"model","id":"p/vendor/deep","display_name":"p/vendor/deep","created_at":"2"#
        ),
        ("/v1/models", "x-goog-api-key: \(Gateway.key)\r\n", #"{"models":[{"name":"models/fast","#),
        ("/v1beta/models", "", #"{"models":[{"name":"models/fast","displayName":"fast","#),
        ("/api/v1beta/models/p/vendor/deep", version, #"{"name":"models/p/vendor/deep","#),
      ] {
        try await client.send("GET \(path) HTTP/1.1\r\nHost: x\r\n\(fields)\r\n")
        let shaped = try await client.response()
        #expect(shaped.text.hasPrefix(start), "\(shaped.text)")
        let ofMessages = fields == version && !path.contains("beta")
        #expect((shaped.headers["request-id"] != nil) == ofMessages)
      }
      try await client.send("GET /v1/models/nothing HTTP/1.1\r\nHost: x\r\n\(version)\r\n")
      #expect(try await client.response().text.contains(#""type":"not_found_error""#))
      try await client.send("GET /v1beta/models/nothing HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(try await client.response().text.contains(#""status":"NOT_FOUND""#))
      try await client.send("GET /v1/models/nothing HTTP/1.1\r\nHost: x\r\n\r\n")
      let missing = try await client.response()
      #expect(missing.status == 404)
      #expect(missing.text.contains("\"model_not_found\""))
      try await client.send(
        "GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-wrong\r\n\r\n")
      #expect(try await client.response().status == 401)
      let finished = try await gateway.finished(12)
      #expect(
        finished.map(\.operation) == [
          .listModels, .getModel, .getModel, .listModels, .getModel, .listModels, .listModels,
          .getModel,
          .getModel, .getModel, .getModel, .listModels,
        ])
      #expect(
        finished.map(\.status) == [
          200, 200, 200, 200, 200, 200, 200, 200, 404, 404, 404, 401,
        ])
    }
  }
}

/// Answers that are made while they are sent.
@Suite("A stream of the fallback's", .timeLimit(.minutes(5)))
struct FallbackStreamTests {
  @Test("is chunked, asks for no piece before the one before was taken, and the connection stays")
  func chunks() async throws {
    let fallback = CountedPieces(["one", "", "three"])
    try await Gateway.run(Configuration(), fallback: fallback) { gateway in
      let client = try await gateway.client()
      for _ in 1...2 {
        try await client.send("GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n")
        let response = try await client.response()
        #expect(response.headers["transfer-encoding"] == "chunked")
        #expect(response.headers["content-length"] == nil)
        #expect(response.text == "onethree")
      }
      // An older client learns of the end by the connection's.
      try await client.send("GET /api/events HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n")
      let bytes = await client.closed()
      #expect(String(decoding: bytes, as: UTF8.self).hasSuffix("\r\n\r\nonethree"))
      // Of a HEAD nothing follows, and nothing is made.
      let other = try await gateway.client()
      let made = fallback.made.value
      try await other.send("HEAD /api/events HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(try await other.response(toHead: true).status == 200)
      #expect(fallback.made.value == made)
    }
  }

  @Test("waits for a client that does not read, and lets go of it in the end")
  func stalled() async throws {
    let fallback = CountedPieces(
      Array(repeating: String(repeating: "x", count: 64 << 10), count: 10_000))
    try await Gateway.run(Configuration(), fallback: fallback) { gateway in
      let client = try await gateway.client(reads: false)
      try await client.send("GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n")
      _ = await fallback.made.when { $0 > 0 }
      // What two sockets take, and no more: some megabytes of the 640.
      var before = -1
      while fallback.made.value != before {
        before = fallback.made.value
        try await gateway.caughtUp()
      }
      #expect(before < 500)
      gateway.clock.advance(.seconds(61))
      // The connection ends, and with it the stream's task.
      _ = await fallback.live.when { $0 == 0 }
      #expect(fallback.made.value < 500)
    }
  }

  @Test("ends with the piece in hand when the gateway stops, and cuts none of it")
  func drained() async throws {
    let fallback = EndlessPieces()
    try await Gateway.run(Configuration(), fallback: fallback) { gateway in
      let client = try await gateway.client()
      try await client.send("GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n")
      _ = await client.receives("first")
      async let cut = gateway.plane.shutdown(drain: .seconds(60))
      let response = try await client.response()
      #expect(response.text == "first")
      #expect(await cut == 0)
    }
  }
}

/// Gives these pieces, and counts how many it was asked for.
final class CountedPieces: Fallback {
  let made = Watched(0)
  let live = Watched(0)
  private let pieces: [String]

  init(_ pieces: [String]) { self.pieces = pieces }

  func respond(to request: FallbackRequest) async -> FallbackResponse {
    guard request.uri.hasPrefix("/api/events") else { return FallbackResponse(statusCode: 200) }
    var response = FallbackResponse(statusCode: 200)
    let (pieces, made, held) = (pieces, made, Held(live))
    let at = Watched(0)
    response.stream = FallbackStream {
      _ = held
      let index = at.value
      guard index < pieces.count, !Task.isCancelled else { return nil }
      at.change { $0 += 1 }
      made.change { $0 += 1 }
      return ByteBuffer(string: pieces[index])
    }
    return response
  }

  /// Counts streams that somebody still holds.
  private final class Held: Sendable {
    let live: Watched<Int>
    init(_ live: Watched<Int>) {
      self.live = live
      live.change { $0 += 1 }
    }
    deinit { live.change { $0 -= 1 } }
  }
}

/// One piece, and then nothing until it is cancelled.
final class EndlessPieces: Fallback {
  func respond(to request: FallbackRequest) async -> FallbackResponse {
    var response = FallbackResponse(statusCode: 200)
    let isBegun = Watched(false)
    response.stream = FallbackStream {
      guard isBegun.value else {
        isBegun.change { $0 = true }
        return ByteBuffer(string: "first")
      }
      try? await Task.sleep(for: .seconds(3600))
      return nil
    }
    return response
  }
}

/// Waits until it is cancelled.
final class PatientFallback: Fallback {
  let state = Watched("")
  func respond(to request: FallbackRequest) async -> FallbackResponse {
    await withTaskCancellationHandler {
      state.change { if $0.isEmpty { $0 = "asked" } }
      _ = await state.when { $0 == "cancelled" }
    } onCancel: {
      state.change { $0 = "cancelled" }
    }
    return FallbackResponse(statusCode: 200)
  }
}
