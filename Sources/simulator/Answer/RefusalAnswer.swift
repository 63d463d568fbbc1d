import Foundation
import NIOCore
import NIOHTTP1

/// Makes a refusal's bytes: pure, and the same for the same input.
struct RefusalAnswer {
  let refusal: Refusal
  let ordinal: UInt64
  /// Unix time in nanoseconds, from which resets are counted.
  let now: Int64

  /// The whole response; the connection stays usable.
  ///
  /// Another status hides the error under itself.
  func steps(status: Int? = nil) -> [Step] {
    let body = ByteBuffer(string: body)
    var headers: HTTPHeaders = [
      "content-type": contentType,
      "content-length": String(body.readableBytes),
      "x-request-id": "req_simulator_\(ordinal)",
    ]
    if let retryAfter = refusal.retryAfter { headers.add(name: "retry-after", value: retryAfter) }
    if let reset = resetHeader { headers.add(name: reset.name, value: reset.value) }
    if refusal.shape == .htmlChallenge { headers.add(name: "cf-mitigated", value: "challenge") }
    let status = HTTPResponseStatus(statusCode: status ?? refusal.status)
    let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
    return [.head(head)] + (body.readableBytes > 0 ? [.body(body)] : []) + [.end]
  }

  /// All texts are the simulator's own and need no escape.
  var body: String {
    switch refusal.shape {
    case .openAI: OpenAIError.upstream(refusal.status).json
    case .openAITokens:
      openAI("Rate limit reached for tokens per minute.", "tokens", "rate_limit_exceeded")
    case .openAIQuota:
      openAI("You exceeded your current quota.", "insufficient_quota", "insufficient_quota")
    case .openAIContext:
      openAI(
        "This model's maximum context length is 8192 tokens.", "invalid_request_error",
        "context_length_exceeded", param: "messages")
    case .openAIContent:
      openAI(
        "The content policy refuses this.", "invalid_request_error", "content_policy_violation")
    case .openAIParameter:
      openAI(
        "This parameter is not supported with this model.", "invalid_request_error",
        "unsupported_parameter", param: "temperature")
    case .openAIModel: OpenAIError.upstream(404).json
    case .openAIDeactivated:
      openAI("The account is deactivated.", "invalid_request_error", "account_deactivated")
    case .anthropicRateLimit: anthropic("rate_limit_error", "The rate limit is reached.")
    case .anthropicOverloaded: anthropic("overloaded_error", "Overloaded.")
    case .anthropicInvalid: anthropic("invalid_request_error", "The prompt is too long.")
    case .anthropicCredit: anthropic("invalid_request_error", "Your credit balance is too low.")
    case .anthropicAPI: anthropic("api_error", "Internal server error.")
    case .googleExhausted: google(429, "RESOURCE_EXHAUSTED", details: retryInfo)
    case .googleInvalid: google(400, "INVALID_ARGUMENT")
    case .googleKey:
      google(
        400, "INVALID_ARGUMENT",
        details:
          #"{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}"#
      )
    case .googleUnavailable: google(503, "UNAVAILABLE")
    case .codexUsageLimit:
      #"{"error":{"type":"usage_limit_reached","message":"The usage limit is reached.","plan_type":"plus"\#(codexReset)}}"#
    case .htmlChallenge:
      "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>"
    case .htmlGateway:
      "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
    case .text: "upstream connect error or disconnect before headers"
    case .empty: ""
    }
  }

  private var contentType: String {
    switch refusal.shape {
    case .htmlChallenge, .htmlGateway: "text/html; charset=utf-8"
    case .text, .empty: "text/plain"
    default: "application/json"
    }
  }

  private func openAI(
    _ message: String, _ type: String, _ code: String, param: String? = nil
  ) -> String {
    OpenAIError(status: refusal.status, message: message, type: type, code: code, param: param).json
  }

  private func anthropic(_ type: String, _ message: String) -> String {
    #"{"type":"error","error":{"type":"\#(type)","message":"\#(message)"},"request_id":"req_simulator_\#(ordinal)"}"#
  }

  private func google(_ code: Int, _ status: String, details: String? = nil) -> String {
    let details = details.map { #","details":[\#($0)]"# } ?? ""
    return
      #"{"error":{"code":\#(code),"message":"The request was refused.","status":"\#(status)"\#(details)}}"#
  }

  // MARK: - When to come back

  private var retryInfo: String? {
    guard let reset = refusal.reset, reset.form == .retryInfo else { return nil }
    let milliseconds = reset.after / 1_000_000
    let rest = String(milliseconds % 1000)
    let delay =
      rest == "0"
      ? "\(milliseconds / 1000)s"
      : "\(milliseconds / 1000).\(String(repeating: "0", count: 3 - rest.utf8.count))\(rest)s"
    return
      #"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"\#(delay)"}"#
  }

  private var codexReset: String {
    switch refusal.reset?.form {
    case .resetsInSeconds: #","resets_in_seconds":\#(seconds)"#
    case .resetsAt: #","resets_at":\#(unixSeconds)"#
    default: ""
    }
  }

  private var resetHeader: (name: String, value: String)? {
    guard let reset = refusal.reset else { return nil }
    let name = reset.form.rawValue
    switch reset.form {
    case .retryAfter: return (name, String(seconds))
    case .retryAfterDate: return ("retry-after", date("EEE, dd MMM yyyy HH:mm:ss 'GMT'"))
    case .retryAfterMilliseconds: return (name, String(reset.after / 1_000_000))
    case .rateLimitReset: return (name, String(unixSeconds))
    case .rateLimitResetRequests, .rateLimitResetTokens: return (name, duration(reset.after))
    case .anthropicRequests: return (name, date("yyyy-MM-dd'T'HH:mm:ss'Z'"))
    case .retryInfo, .resetsInSeconds, .resetsAt: return nil
    }
  }

  private var seconds: Int64 { ((refusal.reset?.after ?? 0) + 999_999_999) / 1_000_000_000 }

  private var unixSeconds: Int64 {
    (now + (refusal.reset?.after ?? 0) + 999_999_999) / 1_000_000_000
  }

  private func duration(_ nanoseconds: Int64) -> String {
    let milliseconds = nanoseconds / 1_000_000
    if milliseconds < 1000 { return "\(milliseconds)ms" }
    let seconds = (milliseconds + 999) / 1000
    return seconds < 60 ? "\(seconds)s" : "\(seconds / 60)m\(seconds % 60)s"
  }

  private func date(_ format: String) -> String {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(secondsFromGMT: 0)
    formatter.dateFormat = format
    return formatter.string(from: Date(timeIntervalSince1970: TimeInterval(unixSeconds)))
  }
}
