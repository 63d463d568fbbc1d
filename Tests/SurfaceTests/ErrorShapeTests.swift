import Domain
import Surface
import Testing

@Suite("Errors in the client's protocol")
struct ErrorShapeTests {
  @Test(
    "a path, known or not, has its protocol's errors",
    arguments: [
      ("/v1/chat/completions", .openAI), ("/api/v1/embeddings", .openAI), ("/v1/nothing", .openAI),
      ("/v1/models/ft:gpt-4", .openAI), ("/v1/messages", .anthropic),
      ("/api/v1/messages/count_tokens", .anthropic), ("/v1/messages/batches", .anthropic),
      ("/v1/messagesX", .openAI), ("/v1beta/models/m:generateContent", .google),
      ("/v1beta/anything", .google), ("/api/v1beta/models", .google),
      ("/v1/models/a:b:streamGenerateContent", .google), ("/v1/inference", .apiRouter),
      ("/api/v1/inference", .apiRouter), ("/v1/admin/routing/backends", .apiRouter),
      ("/api/providers", .administration), ("/", .administration), ("/api/v1", .administration),
    ] as [(String, ErrorShape)])
  func paths(_ path: String, _ shape: ErrorShape) { #expect(ErrorShape(path: path) == shape) }

  @Test("Anthropic's object carries the class of the status, the code and the request's id")
  func anthropic() throws {
    #expect(
      text(
        ErrorShape.anthropic.body(
          .keyPaused, requestID: "r", field: "model", details: [.init("limit", 5)]))
        == #"{"type":"error","error":{"type":"authentication_error","message":"The API key is paused.","details":{"error_code":"key_paused","param":"model","limit":5}},"request_id":"r"}"#
    )
    for code in ErrorCode.allCases {
      let body = try JSONValue.parse(ErrorShape.anthropic.body(code, requestID: "r"))
      #expect(body["error"]?["type"]?.string == MessagesErrorType(status: code.status).rawValue)
    }
    let told = try JSONValue.parse(
      ErrorShape.anthropic.body(.upstreamError, status: 529, requestID: "r"))
    #expect(told["error"]?["type"]?.string == "overloaded_error")
  }

  @Test("Google's object repeats the status that the answer has")
  func google() throws {
    let body = try JSONValue.parse(
      ErrorShape.google.body(.upstreamError, status: 504, message: "m", requestID: "r"))["error"]
    #expect(body?["code"]?.int == 504)
    #expect(body?["status"]?.string == "DEADLINE_EXCEEDED")
    #expect(body?["message"]?.string == "m")
    #expect(body?["details"]?.array?.count == 2)
    let limited = try JSONValue.parse(
      ErrorShape.google.body(.rateLimited, requestID: "r", retryAfter: 7))["error"]
    #expect(
      limited?["details"]?[2]
        == ["@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"])
  }

  @Test(
    "an error within a stream has the form that the dialect's SDKs raise for",
    arguments: [
      (.chat, "data: {\"error\":{\"message\":\"The provider broke off"),
      (.completions, "data: {\"error\":{\"message\":"),
      (
        .messages,
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":"
      ),
      (
        .responses,
        "event: error\ndata: {\"type\":\"error\",\"sequence_number\":7,\"code\":\"upstream_cut\",\"message\":"
      ),
      (.gemini, "data: {\"error\":{\"code\":502,\"message\":"),
    ] as [(Dialect, String)])
  func frames(_ dialect: Dialect, _ start: String) throws {
    let bytes = StreamFrame.bytes(.upstreamCut, dialect, requestID: "r", sequence: 7)
    #expect(text(bytes).hasPrefix(start))
    #expect(text(bytes).hasSuffix("}\n\n"))
    let lines = text(bytes).split(separator: "\n")
    let data = try JSONValue.parse(Array((lines.last ?? "").dropFirst(6).utf8))
    #expect(data["error"]?["message"]?.string == ErrorCode.upstreamCut.summary)
  }

  @Test("a response that failed is one of its own id, after the number of its error")
  func failed() throws {
    let created =
      #"{"type":"response.created","sequence_number":0,"response":{"output":[{"id":"rs_1"}],"model":"m-\u0031","instructions":"a","id":"resp_\/1","created_at":17}}"#
    let begun = try #require(Array(created.utf8).withUnsafeBytes { BegunResponse($0) })
    for (code, name) in [
      (ErrorCode.upstreamCut, "server_error"), (.rateLimited, "rate_limit_exceeded"),
      (.contextLengthExceeded, "context_length_exceeded"),
    ] {
      let bytes = text(StreamFrame.failed(begun, code, sequence: 8))
      #expect(bytes.hasPrefix("event: response.failed\ndata: {\"type\":\"response.failed\""))
      let data = try JSONValue.parse(Array(bytes.dropFirst(29).utf8))
      #expect(data["sequence_number"]?.int == 8)
      let response = data["response"]
      #expect(response?["id"]?.string == "resp_/1")
      #expect(response?["model"]?.string == "m-1")
      #expect(response?["created_at"]?.int == 17)
      #expect(response?["status"]?.string == "failed")
      #expect(response?["error"]?["code"]?.string == name)
      #expect(response?["error"]?["message"]?.string == code.summary)
    }
    for none in [
      "", "[]", "{}", #"{"response":5}"#, #"{"response":{"id":5}}"#, #"{"id":"x"}"#, "{",
    ] {
      #expect(Array(none.utf8).withUnsafeBytes { BegunResponse($0) } == nil, "\(none)")
    }
  }

  @Test("an array of Gemini's ends with the error, and is JSON")
  func array() throws {
    let bytes = StreamFrame.bytes(.upstreamCut, .gemini, status: 503, requestID: "r", isArray: true)
    let whole = try JSONValue.parse(Array("[{}".utf8) + bytes)
    #expect(whole[1]?["error"]?["code"]?.int == 503)
    #expect(whole[1]?.members?.map(\.name) == ["error"])
  }

  @Test("the provider's own error goes on under its own name")
  func quoted() {
    let failed = Array(#"{"type":"response.failed","response":{}}"#.utf8)
    #expect(
      text(StreamFrame.bytes(quoting: failed, .responses)) == "event: response.failed\ndata: "
        + text(failed) + "\n\n")
    #expect(text(StreamFrame.bytes(quoting: Array("{}".utf8), .chat)) == "data: {}\n\n")
    #expect(
      text(StreamFrame.bytes(quoting: Array("{}".utf8), .messages)) == "event: error\ndata: {}\n\n")
  }

  @Test("what keeps a stream alive is no frame of an answer", arguments: Dialect.allCases)
  func keepAlive(_ dialect: Dialect) {
    let text = "\(StreamFrame.keepAlive(dialect))"
    #expect(text.hasSuffix("\n"))
    #expect(!text.contains("data:") || text.contains("\"type\": \"ping\""))
    // Google's SDK takes any other line for JSON.
    if dialect == .gemini { #expect(text == "\n") }
  }
}
