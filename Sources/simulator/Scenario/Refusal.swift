/// An error that a provider tells, in the words of one of the services it may be.
struct Refusal: Sendable, Equatable {
  /// nil: the shape's own.
  var givenStatus: Int?
  var shape = ErrorShape.openAI
  /// Sent as it stands.
  var retryAfter: String?
  var reset: Reset?

  var status: Int { givenStatus ?? shape.status }

  /// When the account is good again, and how that is told.
  struct Reset: Sendable, Equatable {
    var form: ResetForm
    /// From the answer on, in nanoseconds.
    var after: Int64
  }
}

/// Where a provider says when to come back.
enum ResetForm: String, Sendable, CaseIterable {
  /// `retry-after: 3`, rounded up.
  case retryAfter = "retry-after"
  /// `retry-after: Sat, 21 Nov 2026 23:00:00 GMT`, rounded up.
  case retryAfterDate = "retry-after-date"
  case retryAfterMilliseconds = "retry-after-ms"
  /// Unix seconds, rounded up.
  case rateLimitReset = "x-ratelimit-reset"
  /// `6m0s`, `1s`, `20ms`.
  case rateLimitResetRequests = "x-ratelimit-reset-requests"
  case rateLimitResetTokens = "x-ratelimit-reset-tokens"
  /// RFC 3339, rounded up.
  case anthropicRequests = "anthropic-ratelimit-requests-reset"
  /// In the body of `google-exhausted`: `"retryDelay":"3.5s"`.
  case retryInfo = "retry-info"
  /// In the body of `codex-usage-limit`, rounded up.
  case resetsInSeconds = "resets-in-seconds"
  /// In the body of `codex-usage-limit`: Unix seconds, rounded up.
  case resetsAt = "resets-at"

  /// The one shape that can say it, if it stands in the body.
  var shape: ErrorShape? {
    switch self {
    case .retryInfo: .googleExhausted
    case .resetsInSeconds, .resetsAt: .codexUsageLimit
    case .retryAfter, .retryAfterDate, .retryAfterMilliseconds, .rateLimitReset,
      .rateLimitResetRequests, .rateLimitResetTokens, .anthropicRequests:
      nil
    }
  }
}

/// Errors as services word them, each with the status it comes with.
enum ErrorShape: String, Sendable, CaseIterable {
  /// What OpenAI says with the given status.
  case openAI = "openai"
  case openAITokens = "openai-tokens"
  case openAIQuota = "openai-quota"
  case openAIContext = "openai-context"
  case openAIContent = "openai-content"
  case openAIParameter = "openai-parameter"
  case openAIModel = "openai-model"
  case openAIDeactivated = "openai-deactivated"
  case anthropicRateLimit = "anthropic-rate-limit"
  case anthropicOverloaded = "anthropic-overloaded"
  case anthropicInvalid = "anthropic-invalid"
  /// An empty purse under the status of a bad request.
  case anthropicCredit = "anthropic-credit"
  case anthropicAPI = "anthropic-api"
  case googleExhausted = "google-exhausted"
  case googleInvalid = "google-invalid"
  /// A bad key under the status of a bad request.
  case googleKey = "google-key"
  case googleUnavailable = "google-unavailable"
  case codexUsageLimit = "codex-usage-limit"
  /// The page by which a content network asks whether the client is human.
  case htmlChallenge = "html-challenge"
  /// The page of a reverse proxy without its backend.
  case htmlGateway = "html-gateway"
  case text
  case empty

  /// Pages and plain text come as a whole also where a stream was asked for.
  var isJSON: Bool {
    switch self {
    case .htmlChallenge, .htmlGateway, .text, .empty: false
    default: true
    }
  }

  var status: Int {
    switch self {
    case .openAI, .anthropicAPI: 500
    case .openAITokens, .openAIQuota, .anthropicRateLimit, .googleExhausted, .codexUsageLimit: 429
    case .openAIContext, .openAIContent, .openAIParameter, .anthropicInvalid, .anthropicCredit,
      .googleInvalid, .googleKey:
      400
    case .openAIModel: 404
    case .openAIDeactivated: 401
    case .anthropicOverloaded: 529
    case .googleUnavailable, .text, .empty: 503
    case .htmlChallenge: 403
    case .htmlGateway: 502
    }
  }
}
