import Domain
import Glibc
import Support
import Surface
import Testing

@Suite("Error catalogue")
struct ErrorCatalogueTests {
  @Test("every code has a fitting row", arguments: ErrorCode.allCases)
  func rows(_ code: ErrorCode) {
    #expect((400...599).contains(code.status))
    #expect(code.rawValue.allSatisfy { $0.isLowercase || $0 == "_" })
    for sentence in [code.summary, code.remedy] {
      #expect(sentence.hasSuffix(".") && sentence.first?.isUppercase == true)
      #expect(sentence.utf8.count <= 120)
    }
    let types: [String] =
      switch code.status {
      case 500...: ["server_error"]
      case 429: ["rate_limit_error"]
      case 409: ["conflict_error"]
      case 403: ["permission_error"]
      case 402: ["billing_error"]
      default: ["invalid_request_error"]
      }
    #expect(types.contains(code.openAIType))
  }

  @Test("the codes that clients and runbooks know are there with their status")
  func promised() {
    let promised: [String: Int] = [
      "invalid_api_key": 401, "missing_api_key": 401, "key_paused": 401, "key_revoked": 401,
      "key_expired": 401, "model_not_found": 404, "invalid_json": 400,
      "duplicate_field": 400, "missing_field": 400, "invalid_field": 400,
      "unsupported_parameter": 400, "body_too_large": 413, "head_too_large": 431,
      "method_not_allowed": 405, "not_found": 404, "unsupported_media_type": 415,
      "rate_limit_exceeded": 429, "budget_reserved": 429, "budget_exceeded": 402,
      "quota_exceeded": 402, "request_in_progress": 409, "duplicate_request": 409,
      "idempotency_key_reused": 422,
      "no_account_available": 503, "rate_limited": 429, "upstream_error": 502,
      "upstream_unreachable": 502,
      "upstream_timeout": 504, "upstream_cut": 502, "upstream_protocol": 502,
      "answer_too_large": 502, "answer_not_carried": 400,
      "recording_unavailable": 503, "shutting_down": 503, "overloaded": 503,
      "request_timeout": 408, "revision_mismatch": 412, "name_collision": 409,
      "unknown_target": 400, "already_exists": 409, "unauthorized": 401, "invalid_password": 401,
      "too_many_attempts": 429, "forbidden_host": 403, "internal_error": 500,
    ]
    for (code, status) in promised {
      #expect(ErrorCode(rawValue: code)?.status == status, "\(code)")
    }
  }

  @Test("a fault of the JSON scan has its own code", arguments: JSONFault.Kind.allCases)
  func faults(_ kind: JSONFault.Kind) { #expect(kind.errorCode.status == 400) }

  @Test("a refused command is answered by its own word", arguments: Refusal.Code.allCases)
  func refusals(_ code: Refusal.Code) { #expect(ErrorCode(code).rawValue == code.rawValue) }

  @Test("OpenAI's error object has all four members, whatever is in them")
  func openAI() throws {
    #expect(
      text(openAIErrorBody(code: .invalidAPIKey))
        == #"{"error":{"message":"The API key is not known here.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#
    )
    for code in ErrorCode.allCases {
      let body = try JSONValue.parse(
        openAIErrorBody(code: code, message: "line\n\"quoted\"", param: "model"))
      #expect(body["error"]?.members?.map(\.name) == ["message", "type", "param", "code"])
      #expect(body["error"]?["message"]?.string == "line\n\"quoted\"")
      #expect(body["error"]?["param"]?.string == "model")
      #expect(body["error"]?["code"]?.string == code.rawValue)
    }
  }

  @Test("administration's error object carries code, message, request id, field and details")
  func admin() {
    #expect(
      text(
        adminErrorBody(
          code: .revisionMismatch, requestID: "r-1", field: "If-Match", remedy: "Read again.",
          details: [.init("currentRevision", 7)]))
        == #"{"error":{"code":"revision_mismatch","message":"The resource has changed since the revision in `If-Match`.","requestId":"r-1","field":"If-Match","remedy":"Read again.","currentRevision":7}}"#
    )
    #expect(
      text(adminErrorBody(code: .notFound, message: "m", requestID: "r", field: ""))
        == #"{"error":{"code":"not_found","message":"m","requestId":"r","remedy":"Check the path and the id."}}"#
    )
  }

  @Test("docs/error-codes.md is the catalogue; UPDATE_GOLDEN=1 writes it")
  func document() throws {
    let page = Page("error-codes.md")
    if getenv("UPDATE_GOLDEN") != nil { try #require(page.write(catalogueDocument())) }
    #expect(page.read() == catalogueDocument(), "run UPDATE_GOLDEN=1 swift test")
  }
}

private func catalogueDocument() -> String {
  var lines = [
    "# Error codes", "",
    "Every error that Signalbox itself answers with. Its form follows from the path:", "",
    "- OpenAI's: `{\"error\":{\"message\",\"type\",\"param\",\"code\"}}`;",
    "- `/v1/messages…`: Anthropic's `{\"type\":\"error\",\"error\":{\"type\",\"message\",\"details\"},\"request_id\"}`: the type is the",
    "  class of the status, the code stands in `details.error_code`;",
    "- Gemini's: Google's `{\"error\":{\"code\",\"message\",\"status\",\"details\"}}`: code and status are those of HTTP, the code",
    "  stands in capitals as the `reason` of the first detail;",
    "- `/v1/inference` and the API Router's others: `{\"error\":message,\"code\",\"requestId\",\"field\"?,\"remedy\",…}`;",
    "- administration: `{\"error\":{\"code\",\"message\",\"requestId\",\"field\"?,\"remedy\",…}}`.",
    "",
    "A stream that has begun ends with an error in the same form, and without the mark of a whole answer: an event `error`",
    "in Messages and Responses (there `response.failed` follows), a `data` frame in the others, the last element where Gemini streams an array.",
    "",
    "*Retry* is the value of `x-should-retry`. This page is written from the catalogue",
    "(`Sources/Surface/Errors/ErrorCode+Catalogue.swift`) by `UPDATE_GOLDEN=1 swift test --filter Catalogue`.",
    "",
    "| code | status | type | retry | what happened | what to do |", "|---|---|---|---|---|---|",
  ]
  for code in ErrorCode.allCases {
    lines.append(
      "| `\(code.rawValue)` | \(code.status) | `\(code.openAIType)` | "
        + "\(code.isRetryable ? "yes" : "no") | \(code.summary) | \(code.remedy) |")
  }
  return lines.joined(separator: "\n") + "\n"
}
