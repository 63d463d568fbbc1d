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
        == #"{"type":"error","error":{"type":"authentication_error","message":"No API key was given."},"request_id":"r"}"#
    )
  }

  @Test(
    arguments: [
      (400, .invalidRequest), (401, .authentication), (402, .billing), (403, .permission),
      (404, .notFound), (405, .invalidRequest), (408, .timeout), (409, .invalidRequest),
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
      ("server_error", .apiError), ("upstream_cut", .apiError), ("", .apiError),
      ("<script>", .apiError),
    ] as [(String, MessagesErrorType)])
  func `other providers' classes have their like`(name: String, type: MessagesErrorType) {
    #expect(MessagesErrorType(failure: name) == type)
  }
}
