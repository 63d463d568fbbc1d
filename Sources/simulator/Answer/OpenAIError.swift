import NIOCore
import NIOHTTP1

/// An error answer in the shape of OpenAI's API.
struct OpenAIError: Sendable {
  var status: Int
  var message: String
  var type: String
  var code: String?
  var param: String?

  /// What a provider answers with this status, in words of the simulator's own.
  static func upstream(_ status: Int) -> OpenAIError {
    switch status {
    case 400:
      OpenAIError(
        status: status, message: "The request is not valid.", type: "invalid_request_error")
    case 401:
      OpenAIError(
        status: status, message: "Incorrect API key provided.", type: "invalid_request_error",
        code: "invalid_api_key")
    case 402, 403:
      OpenAIError(
        status: status, message: "This key may not do that.",
        type: status == 402 ? "billing_error" : "permission_error")
    case 404:
      OpenAIError(
        status: status, message: "The model does not exist or you do not have access to it.",
        type: "invalid_request_error", code: "model_not_found", param: "model")
    case 408:
      OpenAIError(status: status, message: "The request timed out.", type: "timeout")
    case 429:
      OpenAIError(
        status: status, message: "Rate limit reached for requests.", type: "requests",
        code: "rate_limit_exceeded")
    case 529:
      OpenAIError(status: status, message: "Overloaded.", type: "overloaded_error")
    case 400..<500:
      OpenAIError(
        status: status, message: "The request was refused.", type: "invalid_request_error")
    default:
      OpenAIError(
        status: status, message: "The server had an error while processing your request.",
        type: "server_error")
    }
  }

  /// The body; every text in it is the simulator's own and needs no escape.
  var json: String {
    let param = param.map { "\"\($0)\"" } ?? "null"
    let code = code.map { "\"\($0)\"" } ?? "null"
    return
      #"{"error":{"message":"\#(message)","type":"\#(type)","param":\#(param),"code":\#(code)}}"#
  }

  /// The whole response; the connection stays usable.
  func steps(ordinal: UInt64) -> [Step] {
    let body = ByteBuffer(string: json)
    let headers: HTTPHeaders = [
      "content-type": "application/json",
      "content-length": String(body.readableBytes),
      "x-request-id": "req_simulator_\(ordinal)",
    ]
    let head = HTTPResponseHead(
      version: .http1_1, status: HTTPResponseStatus(statusCode: status), headers: headers)
    return [.head(head), .body(body), .end]
  }
}
