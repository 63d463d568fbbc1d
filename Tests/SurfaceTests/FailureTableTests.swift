import Support
import Surface
import Testing

@testable import Domain

/// An upstream's error as it comes, and what it must be taken for.
private struct Case: Sendable, CustomTestStringConvertible {
  var name: String
  var status: Int
  var body: String
  var rule: FailureRule
  var code: String
  var scope: FailureScope
  var needsProof: Bool

  init(
    _ name: String, _ status: Int, _ body: String, _ rule: FailureRule, _ code: String? = nil,
    scope: FailureScope? = nil, needsProof: Bool = false
  ) {
    self.needsProof = needsProof
    self.name = name
    self.status = status
    self.body = body
    self.rule = rule
    self.code = code ?? "status_\(status)"
    self.scope = scope ?? rule.scope
  }

  var testDescription: String { "\(name) (\(status)): \(rule.rawValue)" }

  var facts: ErrorFacts {
    Array(body.utf8).withUnsafeBytes { ErrorScan.scan($0, now: UnixNanoseconds(0)) }
  }
}

private func openai(
  _ message: String, type: String = "invalid_request_error", code: String? = nil,
  param: String? = nil
) -> String {
  let code = code.map { "\"\($0)\"" } ?? "null"
  let param = param.map { "\"\($0)\"" } ?? "null"
  return
    #"{"error":{"message":"\#(message)","type":"\#(type)","param":\#(param),"code":\#(code)}}"#
}

private func anthropic(_ type: String, _ message: String) -> String {
  #"{"type":"error","error":{"type":"\#(type)","message":"\#(message)"},"request_id":"req_1"}"#
}

private func gemini(
  _ status: Int, _ name: String, _ message: String, details: String = "[]"
) -> String {
  #"{"error":{"code":\#(status),"message":"\#(message)","status":"\#(name)","details":\#(details)}}"#
}

private let cases: [Case] = [
  // Pages.
  Case(
    "Cloudflare", 403, "\n<!DOCTYPE html><html><head><title>Just a moment...</title>", .challenged,
    "challenged"),
  Case(
    "Cloudflare, far down", 503,
    "<html>" + String(repeating: " ", count: 2_000) + "<p>Ray ID · Cloudflare</p>", .challenged,
    "challenged"),
  Case("a proxy's page", 502, "<html><h1>502 Bad Gateway</h1></html>", .providerError),
  Case("a page for 404", 404, "<html><h1>Not Found</h1></html>", .endpointNotFound),

  // OpenAI.
  Case(
    "OpenAI, too long", 400,
    openai("This model's maximum context length is 8192 tokens.", code: "context_length_exceeded"),
    .contextTooLong, "context_length_exceeded"),
  Case(
    "vLLM, too long", 400,
    #"{"object":"error","message":"This model's maximum context length is 4096 tokens","type":"BadRequestError","code":400}"#,
    .contextTooLong, "context_length_exceeded"),
  Case("OpenAI, a bad value", 400, openai("Invalid value.", code: "invalid_value"), .badRequest),
  Case(
    "OpenAI, filtered", 400, openai("Rejected.", code: "content_policy_violation"),
    .contentFiltered, "content_filtered"),
  Case(
    "OpenAI, key", 401, openai("Incorrect API key provided: sk-…", code: "invalid_api_key"),
    .unauthorized, "invalid_api_key"),
  Case("OpenAI, no organisation", 401, openai("You must be a member."), .unauthorized),
  Case(
    "OpenAI, deactivated", 401, openai("Gone.", code: "account_deactivated"), .accountDeactivated,
    "account_deactivated"),
  Case(
    "OpenAI, country", 403,
    openai(
      "Country, region, or territory not supported", type: "request_forbidden",
      code: "unsupported_country_region_territory"), .regionBlocked, "region_blocked"),
  Case(
    "OpenAI, project without the model", 403,
    openai("Project `p` does not have access to model `m`", code: "model_not_found"),
    .modelForbidden, "model_forbidden"),
  Case(
    "OpenAI, unverified", 404,
    openai("Your organization must be verified to use the model `m`.", code: "model_not_found"),
    .modelForbidden, "model_forbidden"),
  Case(
    "OpenAI, forbidden", 403, openai("You may not.", type: "permission_error"), .forbidden,
    needsProof: true),
  Case(
    "OpenAI, a file", 404, openai("No such File object: file-1", code: "file_gone"), .modelNotFound,
    needsProof: true),
  Case(
    "OpenAI, a client's words", 400,
    openai("The value 'my model is not supported' is not a valid role"), .badRequest),
  Case(
    "OpenAI, model", 404,
    openai(
      "The model `x` does not exist or you do not have access to it.", code: "model_not_found"),
    .modelNotFound, "model_not_found"),
  Case(
    "OpenAI, endpoint", 404, openai("Invalid URL (POST /v1/v1/chat/completions)"),
    .endpointNotFound, "endpoint_not_found"),
  Case(
    "OpenAI, not a chat model", 404,
    openai("This is not a chat model and thus not supported here.", param: "model"),
    .modelUnsupported, "model_unsupported"),
  Case(
    "OpenAI, requests", 429,
    openai("Rate limit reached.", type: "requests", code: "rate_limit_exceeded"), .rateLimited),
  Case(
    "OpenAI, a model's tokens", 429,
    openai(
      "Rate limit reached for gpt-4o in organization org-1 on tokens per min (TPM): Limit 30000.",
      type: "tokens", code: "rate_limit_exceeded"), .rateLimited, scope: .model),
  Case(
    "OpenAI, a request beyond the limit", 429,
    openai(
      "Request too large for gpt-4o on tokens per min: Limit 30000, Requested 90000.",
      type: "tokens", code: "rate_limit_exceeded"), .beyondLimit, "beyond_limit"),
  Case(
    "OpenAI, no money", 429,
    openai(
      "You exceeded your current quota.", type: "insufficient_quota", code: "insufficient_quota"),
    .paymentRequired, "insufficient_quota"),
  Case(
    "OpenAI, a subscription's limit", 429,
    #"{"error":{"type":"usage_limit_reached","message":"The limit was reached.","resets_in_seconds":7200}}"#,
    .quotaExhausted, "quota_exhausted"),
  Case("OpenAI, server", 500, openai("Sorry.", type: "server_error"), .providerError),
  Case(
    "OpenAI, engine", 503, openai("The engine is overloaded.", type: "server_error"), .overloaded),
  Case("OpenAI, too large", 413, openai("Too large."), .requestTooLarge),

  // Those that do not know the option.
  Case(
    "stream_options, by its name", 400,
    openai("Unknown parameter.", code: "unknown_parameter", param: "stream_options"),
    .streamOptionsRejected, "stream_options_rejected"),
  Case(
    "stream_options, within it", 400, openai("No.", param: "stream_options.include_usage"),
    .streamOptionsRejected, "stream_options_rejected"),
  Case(
    "stream_options, in words", 400,
    openai("Unrecognized request argument supplied: stream_options"), .streamOptionsRejected,
    "stream_options_rejected"),
  Case(
    "stream_options, FastAPI", 422,
    #"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}"#,
    .streamOptionsRejected, "stream_options_rejected"),
  Case(
    "stream_options, Google", 400,
    gemini(
      400, "INVALID_ARGUMENT", #"Invalid JSON payload received. Unknown name \"stream_options\""#),
    .streamOptionsRejected, "stream_options_rejected"),

  // Anthropic.
  Case(
    "Anthropic, request", 400, anthropic("invalid_request_error", "messages: empty"), .badRequest),
  Case(
    "Anthropic, too long", 400, anthropic("invalid_request_error", "prompt is too long: 9 > 8"),
    .contextTooLong, "context_length_exceeded"),
  Case(
    "Anthropic, key", 401, anthropic("authentication_error", "invalid x-api-key"), .unauthorized,
    "invalid_api_key"),
  Case(
    "Anthropic, credit", 400,
    anthropic("invalid_request_error", "Your credit balance is too low to go on."),
    .paymentRequired, "insufficient_credit"),
  Case(
    "Anthropic, billing", 402, anthropic("billing_error", "Pay."), .paymentRequired,
    "insufficient_credit"),
  Case(
    "Anthropic, disabled", 400,
    anthropic("invalid_request_error", "This organization has been disabled."),
    .accountDeactivated, "account_deactivated"),
  Case(
    "Anthropic, another tool's credential", 400,
    anthropic("invalid_request_error", "This credential is only authorized for use with X."),
    .forbidden, "credential_not_permitted"),
  Case(
    "Anthropic, permission", 403, anthropic("permission_error", "No."), .forbidden, needsProof: true
  ),
  Case(
    "Anthropic, a file", 404, anthropic("not_found_error", "File not found: file_1"),
    .modelNotFound, "model_not_found", needsProof: true),
  Case(
    "Anthropic, model", 404, anthropic("not_found_error", "model: m"), .modelNotFound,
    "model_not_found"),
  Case(
    "Anthropic, size", 413, anthropic("request_too_large", "Too large."), .requestTooLarge,
    "request_too_large"),
  Case("Anthropic, limit", 429, anthropic("rate_limit_error", "Slow."), .rateLimited),
  Case(
    "Anthropic, long context", 429,
    anthropic("rate_limit_error", "Extra usage is required for long context requests."),
    .beyondLimit, "beyond_limit"),
  Case("Anthropic, server", 500, anthropic("api_error", "Sorry."), .providerError),
  Case("Anthropic, overloaded", 529, anthropic("overloaded_error", "Overloaded"), .overloaded),
  Case("Anthropic, time", 504, anthropic("timeout_error", "Late."), .providerTimeout),

  // Gemini.
  Case("Gemini, argument", 400, gemini(400, "INVALID_ARGUMENT", "No."), .badRequest),
  Case(
    "Gemini, key", 400,
    gemini(
      400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.",
      details: #"[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]"#
    ),
    .unauthorized, "invalid_api_key"),
  Case(
    "Gemini, region", 400,
    gemini(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
    .regionBlocked, "region_blocked"),
  Case(
    "Gemini, country without a free tier", 400,
    gemini(
      400, "FAILED_PRECONDITION",
      "Gemini API free tier is not available in your country. Please enable billing."),
    .regionBlocked, "region_blocked"),
  Case(
    "Gemini, service off", 403,
    gemini(403, "PERMISSION_DENIED", "Off.", details: #"[{"reason":"SERVICE_DISABLED"}]"#),
    .forbidden, "service_disabled"),
  Case(
    "Gemini, suspended", 403,
    gemini(403, "PERMISSION_DENIED", "No.", details: #"[{"reason":"CONSUMER_SUSPENDED"}]"#),
    .accountDeactivated, "account_deactivated"),
  Case(
    "Gemini, model", 404,
    gemini(404, "NOT_FOUND", "models/x is not found for API version v1beta"), .modelNotFound,
    "model_not_found"),
  Case("Gemini, limit", 429, gemini(429, "RESOURCE_EXHAUSTED", "Slow."), .rateLimited),
  Case(
    "Gemini, a model's minute", 429,
    gemini(
      429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.",
      details:
        #"[{"violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel"}]},{"retryDelay":"34.5s"}]"#
    ),
    .rateLimited, scope: .model),
  Case(
    "Gemini, a model's day", 429,
    "["
      + gemini(
        429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.",
        details: #"[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel"}]}]"#)
      + "]",
    .quotaExhausted, "quota_exhausted", scope: .model),
  Case("Gemini, inner fault", 500, gemini(500, "INTERNAL", "Sorry."), .providerError),
  Case(
    "Gemini, model overloaded", 503,
    gemini(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    .modelOverloaded, "model_overloaded"),
  Case("Gemini, time", 504, gemini(504, "DEADLINE_EXCEEDED", "Late."), .providerTimeout),

  // Azure, relays and others.
  Case(
    "Azure, deployment", 404,
    #"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#,
    .modelNotFound, "model_not_found"),
  Case(
    "Azure, resource", 404, #"{"error":{"code":"404","message":"Resource not found"}}"#,
    .endpointNotFound, "endpoint_not_found"),
  Case(
    "Azure, operation", 400,
    #"{"error":{"code":"OperationNotSupported","message":"The chatCompletion operation does not work with the specified model, m."}}"#,
    .modelUnsupported, "model_unsupported"),
  Case(
    "Azure, filtered", 400,
    #"{"error":{"code":"content_filter","message":"Filtered.","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
    .contentFiltered, "content_filtered"),
  Case(
    "OpenRouter, credits", 402,
    #"{"error":{"code":402,"message":"Insufficient credits. Add more."}}"#, .paymentRequired,
    "insufficient_credit"),
  Case(
    "OpenRouter, moderation", 403,
    #"{"error":{"code":403,"message":"The input was flagged in moderation"}}"#, .contentFiltered,
    "content_filtered"),
  Case(
    "OpenRouter, nobody has the model", 404,
    #"{"error":{"code":404,"message":"No endpoints found for x/y."}}"#, .modelNotFound,
    "model_not_found"),
  Case(
    "DeepSeek, balance", 402, openai("Insufficient Balance", type: "unknown_error"),
    .paymentRequired, "insufficient_credit"),
  Case("a plain 402", 402, "", .paymentRequired),
  Case(
    "a relay's key", 403, openai("No.", type: "authentication_error"), .unauthorized,
    "authentication_error"),
  Case(
    "new-api, model under 503", 503, openai("None.", code: "model_not_found"), .modelNotFound,
    "model_not_found"),
  Case(
    "one-api, channels", 503, openai("No available channel for model m", type: "one_api_error"),
    .modelOverloaded, "no_channel"),
  Case(
    "vLLM, model", 404,
    #"{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","code":404}"#,
    .modelNotFound, "model_not_found"),
  Case("Mistral, key", 401, #"{"detail":"Unauthorized"}"#, .unauthorized),
  Case("Mistral, limit", 429, #"{"message":"Requests rate limit exceeded"}"#, .rateLimited),
  Case("FastAPI, endpoint", 404, #"{"detail":"Not Found"}"#, .endpointNotFound),
  Case("Groq, flexible capacity", 498, openai("Full.", code: "capacity_exceeded"), .overloaded),

  // Statuses alone.
  Case("a redirect", 302, "", .redirected),
  Case("a conflict", 409, openai("Locked."), .providerConflict),
  Case("a slow request", 408, "", .providerTimeout),
  Case("an unknown 4xx", 418, "", .badRequest),
  Case("an unknown 5xx", 555, "", .providerError),

  // Under a good status.
  Case(
    "in a stream, with a status", 200, #"{"error":{"code":429,"message":"Slow."}}"#, .rateLimited,
    "status_429"),
  Case(
    "in a stream, limit", 200, anthropic("rate_limit_error", "Slow."), .rateLimited, "rate_limited"),
  Case(
    "in a stream, key", 200, openai("No.", type: "authentication_error"), .unauthorized,
    "authentication_error"),
  Case(
    "in a stream, permission", 200, openai("No.", type: "permission_error"), .forbidden,
    "permission_denied", needsProof: true),
  Case(
    "in a stream, overloaded", 200, anthropic("overloaded_error", "Overloaded"), .overloaded,
    "overloaded"),
  Case(
    "in a stream, server", 200, openai("Sorry.", type: "server_error"), .providerError,
    "server_error"),
  Case(
    "in a stream, request", 200, openai("No.", type: "invalid_request_error"), .badRequest,
    "invalid_request"),
  Case(
    "in a stream, too long", 200, openai("Long.", code: "context_length_exceeded"),
    .contextTooLong, "context_length_exceeded"),
  Case(
    "Responses, failed", 200,
    #"{"type":"response.failed","response":{"status":"failed","error":{"code":"rate_limit_exceeded","message":"Slow."}}}"#,
    .rateLimited, "rate_limited"),
  Case(
    "Responses, an event", 200,
    #"{"type":"error","code":"server_error","message":"Sorry.","param":null,"sequence_number":3}"#,
    .providerError, "server_error"),
  Case(
    "Responses, the prompt", 200,
    #"{"error":{"code":"invalid_prompt","message":"No."},"status":"failed","output":[]}"#,
    .badRequest, "invalid_request"),
  Case(
    "Anthropic, in a stream", 200,
    #"{"type":"error","error":{"details":null,"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}"#,
    .overloaded, "overloaded"),
  Case("Gemini, in a stream", 200, gemini(503, "UNAVAILABLE", "Later."), .overloaded, "status_503"),
  Case("in a stream, anything", 200, #"{"error":"broken"}"#, .badAnswer, "error_in_answer"),
]

@Suite("The table of failures")
struct FailureTableTests {
  @Test("takes each provider's errors for what they are", arguments: cases)
  fileprivate func verdict(_ it: Case) {
    let verdict = FailureVerdict.of(status: it.status, it.facts)
    #expect(
      verdict
        == FailureVerdict(it.rule, code: it.code, scope: it.scope, needsProof: it.needsProof))
  }

  @Test("has no row that none of these cases shows")
  func everyRow() {
    for (index, row) in FailureRow.table.enumerated() {
      let isShown = cases.contains { it in
        let facts = it.facts
        let status = it.status == 200 ? facts.status : it.status
        return FailureRow.table.firstIndex { $0.matches(status, facts) } == index
      }
      #expect(isShown, "row \(index): \(row.manner), \(row.rule.rawValue)")
    }
  }

  @Test("never puts anything aside because of what a bad request says")
  func quotedRequests() {
    // What a client might write so that an error quoting it looks like an account's.
    let bait = [
      "insufficient_quota", "Incorrect API key provided", "Your credit balance is too low",
      "model overloaded", "The model does not exist", "Your account has been deactivated",
      "rate limit exceeded", "Just a moment... cloudflare", "capacity", "per day",
      "This organization has been disabled", "User location is not supported",
      "API key not valid. API_KEY_INVALID", "stream_options",
    ]
    let seed = UInt64.random(in: 0..<UInt64.max)
    var random = SeededRandom(seed: seed)
    let bodies: [(String) -> String] = [
      { openai("Invalid 'messages[0].content': \($0)", param: "messages") },
      { anthropic("invalid_request_error", "messages.0: \($0)") },
      { gemini(400, "INVALID_ARGUMENT", "Invalid value: \($0)") },
      { #"{"object":"error","message":"bad: \#($0)","type":"BadRequestError","code":400}"# },
      { #"{"detail":[{"type":"value_error","loc":["body","messages"],"msg":"bad: \#($0)"}]}"# },
    ]
    for _ in 0..<500 {
      let text = (0...Int(random.next() % 4)).map { _ in
        bait[Int(random.next() % UInt64(bait.count))]
      }
      let body = bodies[Int(random.next() % UInt64(bodies.count))](text.joined(separator: " "))
      for status in [400, 422] {
        let facts = Array(body.utf8).withUnsafeBytes { ErrorScan.scan($0, now: UnixNanoseconds(0)) }
        let verdict = FailureVerdict.of(status: status, facts)
        #expect(
          verdict.errorClass == .request && verdict.scope == .nothing,
          "seed \(seed): \(body) is \(verdict)")
      }
    }
  }

  @Test("keeps nothing of a text but words from the table")
  func nothingKept() {
    let facts = Array(
      openai("secret sk-12345 of someone", type: "with space", param: "a b").utf8
    ).withUnsafeBytes { ErrorScan.scan($0, now: UnixNanoseconds(0)) }
    #expect(facts.names.isEmpty)
  }

  @Test(
    "is not harmed by what is no error",
    arguments: ["", "[]", "null", "{", "\u{0}", "{}", "3", "\"x\""])
  func noError(_ body: String) {
    let facts = Array(body.utf8).withUnsafeBytes { ErrorScan.scan($0, now: UnixNanoseconds(0)) }
    #expect(!facts.isErrorObject)
    #expect(FailureVerdict.of(status: 400, facts).rule == .badRequest)
  }

  @Test("says of every way a call fails whose fault it is")
  func calls() {
    let rows: [(String, ErrorClass, FailureScope)] = [
      ("connect_refused", .network, .account), ("connect_failed", .network, .account),
      ("name_not_resolved", .network, .account), ("address_refused", .network, .account),
      ("tls_failed", .network, .account), ("connect_timeout", .network, .account),
      ("closed_before_answer", .network, .account), ("cut", .network, .account),
      ("timeout", .provider, .account), ("idle_timeout", .provider, .account),
      ("malformed_answer", .provider, .account), ("frame_too_long", .gateway, .nothing),
      ("empty_stream", .provider, .account), ("misconfigured", .gateway, .nothing),
      ("dialect_unsupported", .gateway, .nothing), ("client_hung_up", .client, .nothing),
      ("answer_not_carried", .request, .nothing), ("something_else", .gateway, .nothing),
    ]
    for (code, errorClass, scope) in rows {
      let verdict = FailureVerdict.of(call: code)
      #expect(verdict.errorClass == errorClass, "\(code)")
      #expect(verdict.scope == scope, "\(code)")
      #expect(verdict.code == code)
    }
  }

  @Test(
    "reads the wait that an error names",
    arguments: zip(
      [
        gemini(429, "X", "m", details: #"[{"retryDelay":"34.5s"}]"#),
        #"{"error":{"type":"usage_limit_reached","resets_in_seconds":7200}}"#,
        #"{"error":{"resets_at":1000060}}"#, #"{"error":{"retry_after":2}}"#,
        gemini(429, "X", "m", details: #"[{"retryDelay":"soon"}]"#),
        #"{"error":{"resets_in_seconds":-5}}"#,
      ], [34_500_000_000, 7_200_000_000_000, nil, 2_000_000_000, nil, nil] as [Int64?]))
  func waits(_ body: String, _ wait: Int64?) {
    let facts = Array(body.utf8).withUnsafeBytes {
      ErrorScan.scan($0, now: UnixNanoseconds(1_000_000_000_000_000))
    }
    // An epoch's million seconds is a duration of eleven days to anybody.
    #expect(facts.resetAfter == wait || body.contains("1000060"))
  }
}
