import Surface
import Testing

@testable import Translation

@Suite struct MessagesErrorTests {
  @Test func `errors have Anthropic's shape`() {
    #expect(
      String(
        decoding: messagesErrorBody(
          type: .overloaded, message: "\"Busy\"", requestID: "req_1"), as: UTF8.self)
        == #"{"type":"error","error":{"type":"overloaded_error","message":"\"Busy\""},"request_id":"req_1"}"#
    )
    #expect(
      String(decoding: messagesErrorBody(code: .missingAPIKey, requestID: "r"), as: UTF8.self)
        == #"{"type":"error","error":{"type":"authentication_error","message":"No API key was given.","details":{"error_code":"missing_api_key"}},"request_id":"r"}"#
    )
  }

  @Test(
    arguments: [
      (400, .invalidRequest), (401, .authentication), (402, .billing), (403, .permission),
      (404, .notFound), (405, .invalidRequest), (408, .timeout), (409, .conflict),
      (413, .requestTooLarge), (422, .invalidRequest), (429, .rateLimit), (500, .apiError),
      (502, .apiError), (503, .overloaded), (504, .timeout), (529, .overloaded),
    ] as [(Int, MessagesErrorType)])
  func `a status has its class`(status: Int, type: MessagesErrorType) {
    #expect(MessagesErrorType(status: status) == type)
  }

  @Test(arguments: MessagesErrorType.allCases)
  func `Anthropic's own classes are kept`(_ type: MessagesErrorType) {
    #expect(MessagesErrorType(failure: type.rawValue) == type)
  }

  @Test(
    arguments: [
      ("UNAVAILABLE", .overloaded), ("RESOURCE_EXHAUSTED", .rateLimit),
      ("rate_limit_exceeded", .rateLimit), ("insufficient_quota", .billing),
      ("DEADLINE_EXCEEDED", .timeout), ("INVALID_ARGUMENT", .invalidRequest),
      ("PERMISSION_DENIED", .permission), ("UNAUTHENTICATED", .authentication),
      ("ABORTED", .conflict), ("server_error", .apiError), ("429", .rateLimit),
      ("503", .overloaded),
      ("200", nil), ("", nil), ("<script>", nil),
    ] as [(String, MessagesErrorType?)])
  func `other providers' classes have their like`(name: String, type: MessagesErrorType?) {
    #expect(MessagesErrorType(failure: name) == type)
    let data = messagesStreamError(StreamFailure(type: name))
    #expect(data["type"]?.string == (type ?? .apiError).rawValue)
    #expect(data["message"]?.string == (type ?? .apiError).summary)
  }

  @Test(arguments: [ErrorCode.upstreamCut, .shuttingDown, .upstreamTimeout, .recordingUnavailable])
  func `what the gateway says of itself is kept`(_ code: ErrorCode) {
    let data = messagesStreamError(StreamFailure(type: code.rawValue))
    #expect(data["type"]?.string == MessagesErrorType(status: code.status).rawValue)
    #expect(data["message"]?.string == code.summary)
  }
}
