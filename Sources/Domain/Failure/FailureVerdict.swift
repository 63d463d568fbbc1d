/// What a failed attempt means.
public struct FailureVerdict: Sendable, Hashable {
  /// What went wrong.
  public var rule: FailureRule
  /// Stable short code for the log: `status_429`, `insufficient_quota`, `connect_refused`…; never upstream's text.
  public var code: String
  /// What it speaks against.
  public var scope: FailureScope
  /// It may as well be about the request: it speaks against the account only if another one serves the same request.
  public var needsProof: Bool

  /// Made of its parts; the rule says the rest.
  public init(
    _ rule: FailureRule, code: String, scope: FailureScope? = nil, needsProof: Bool = false
  ) {
    self.rule = rule
    self.code = code
    self.scope = scope ?? rule.scope
    self.needsProof = needsProof || rule.alwaysNeedsProof
  }

  /// Whose fault it is.
  public var errorClass: ErrorClass { rule.errorClass }
  /// Whether another account may do better with the same request.
  public var mayDoBetterElsewhere: Bool { rule.mayDoBetterElsewhere }
  /// Whether the client may read upstream's own words.
  public var showsUpstreamWords: Bool { rule.showsUpstreamWords }

  /// Of an answer that is an error: by its status alone, or with what its body says.
  ///
  /// - Parameters:
  ///   - status: upstream's HTTP status. A good one (an error within a stream, or instead of an answer) gives way to
  ///     the status that the error names.
  ///   - facts: what was read of the error; `.none` if there is nothing.
  public static func of(status: Int, _ facts: ErrorFacts = .none) -> FailureVerdict {
    let effective = 200..<300 ~= status ? facts.status : status
    let byStatus = effective.map { "status_\($0)" }
    let row = FailureRow.table.first { $0.matches(effective, facts) }
    guard let row else {
      let rule = generic(effective, facts)
      return FailureVerdict(
        rule, code: byStatus ?? "error_in_answer", scope: narrowed(rule, facts),
        // A guard before the provider refuses requests by 403, and a file can be missing as well as a model.
        needsProof: rule == .forbidden || rule == .modelNotFound)
    }
    return FailureVerdict(
      row.rule, code: row.code ?? byStatus ?? row.rule.rawValue, scope: narrowed(row.rule, facts),
      needsProof: row.needsProof)
  }

  /// Of a call that brought no whole answer, by the code of how it failed (`connect_refused`, `timeout`…); a
  /// code that is not known is the gateway's own fault.
  public static func of(call code: String) -> FailureVerdict {
    let rule: FailureRule =
      switch code {
      case "connect_refused", "connect_failed", "name_not_resolved", "address_refused",
        "tls_failed", "connect_timeout", "closed_before_answer", "cut":
        .networkError
      case "timeout", "idle_timeout": .providerTimeout
      // The bound is ours, and what the request asked for went beyond it.
      case "frame_too_long": .gatewayError
      case "malformed_answer", "empty_stream", "empty_answer", "error_in_stream",
        "error_in_answer", "broken_answer":
        .badAnswer
      // Every account would be paid for the same.
      case "answer_not_carried": .badRequest
      case "client_hung_up": .clientGone
      case _: .gatewayError
      }
    // What a model made of one request says nothing of the account.
    return FailureVerdict(rule, code: code, scope: code == "broken_answer" ? .nothing : nil)
  }

  /// What a status means where nothing else is known: an unknown 4xx is the request's, an unknown 5xx the provider's.
  private static func generic(_ status: Int?, _ facts: ErrorFacts) -> FailureRule {
    switch status {
    case 401: .unauthorized
    case 402: .paymentRequired
    case 403: .forbidden
    case 404: facts.isErrorObject ? .modelNotFound : .endpointNotFound
    case 408, 504, 524: .providerTimeout
    case 409, 425: .providerConflict
    case 413: .requestTooLarge
    case 429: .rateLimited
    case 503, 529: .overloaded
    case .some(400..<500): .badRequest
    case .some(300..<400): .redirected
    // An error under a good status, or without any.
    case nil: .badAnswer
    case .some: .providerError
    }
  }

  /// Limits that hold for one model leave the account's others alone.
  private static func narrowed(_ rule: FailureRule, _ facts: ErrorFacts) -> FailureScope {
    switch rule {
    case .rateLimited, .quotaExhausted: facts.words.contains(.perModel) ? .model : rule.scope
    case _: rule.scope
    }
  }
}

/// One line of the table of failures: the first that fits counts.
struct FailureRow: Sendable {
  /// Whose manner it is, for readers and for the tests' names.
  var manner: String
  /// nil: any.
  var statuses: [ClosedRange<Int>]?
  /// One of these among the error's names; empty: not asked for.
  var names: [String]
  /// One of these words; empty: not asked for.
  var words: FailureWords
  /// The request's field that the error is about.
  var param: String?
  var rule: FailureRule
  /// nil: the status says it.
  var code: String?
  /// As of the verdict.
  var needsProof = false

  /// A name, a word or the field is enough.
  func matches(_ status: Int?, _ facts: ErrorFacts) -> Bool {
    if let statuses {
      // An error without any status fits by what it says.
      guard status.map({ status in statuses.contains { $0 ~= status } }) ?? true else {
        return false
      }
    }
    if !words.isDisjoint(with: facts.words) { return true }
    if let param, facts.param == param { return true }
    return names.contains { facts.names.contains($0) }
  }

  private static func row(
    _ manner: String, _ statuses: [ClosedRange<Int>]?, names: [String] = [],
    words: FailureWords = [], param: String? = nil, _ rule: FailureRule, _ code: String? = nil,
    needsProof: Bool = false
  ) -> FailureRow {
    FailureRow(
      manner: manner, statuses: statuses, names: names, words: words, param: param, rule: rule,
      code: code, needsProof: needsProof)
  }

  private static let bad = [400...400, 422...422]

  static let table: [FailureRow] = [
    // Web pages in place of an API.
    row(
      "Cloudflare", [403...403, 429...429, 503...503], words: .challenge, .challenged, "challenged"),

    // What a request that never works looks like, whatever the status says.
    row(
      "OpenAI, vLLM, Gemini", bad + [413...413, 500...500, 503...503],
      names: ["context_length_exceeded", "string_above_max_length"], words: .tooLong,
      .contextTooLong, "context_length_exceeded"),
    row(
      "providers without it", bad, words: .streamOptions, param: "stream_options",
      .streamOptionsRejected, "stream_options_rejected"),
    row(
      "OpenAI, Azure, OpenRouter", bad + [403...403, 451...451],
      names: [
        "content_filter", "content_policy_violation", "moderation_blocked",
        "responsibleaipolicyviolation",
      ], words: .filtered, .contentFiltered, "content_filtered"),
    row(
      "Anthropic", [413...413], names: ["request_too_large"], .requestTooLarge, "request_too_large"),
    row("OpenAI, Groq", [413...413, 429...429], words: .beyondLimit, .beyondLimit, "beyond_limit"),
    row("Anthropic", [400...400, 429...429], words: .longContext, .beyondLimit, "beyond_limit"),

    // Money and standing, under whatever status.
    row(
      "OpenAI", [400...400, 401...403, 429...429],
      names: [
        "insufficient_quota", "billing_hard_limit_reached", "billing_not_active",
        "insufficient_user_quota", "pre_consume_token_quota_failed", "quota_not_enough",
      ], .paymentRequired, "insufficient_quota"),
    row(
      "Anthropic, OpenRouter, DeepSeek", [400...400, 402...403, 429...429],
      names: [
        "billing_error", "insufficient_credits", "credits_exhausted", "insufficient_balance",
      ], words: .noCredit, .paymentRequired, "insufficient_credit"),
    row(
      "OpenAI, Anthropic, Gemini", [400...401, 403...403, 429...429],
      names: [
        "account_deactivated", "access_terminated", "consumer_suspended", "account_disabled",
      ], words: .deactivated, .accountDeactivated, "account_deactivated"),
    row(
      "OpenAI, Gemini", [400...400, 403...403], names: ["unsupported_country_region_territory"],
      words: .region, .regionBlocked, "region_blocked"),

    // The credential.
    row(
      "Gemini, relays", [400...401, 403...403],
      names: ["api_key_invalid", "api_key_expired", "invalid_api_key", "invalid_x_api_key"],
      words: .badKey, .unauthorized, "invalid_api_key"),
    row("Anthropic", [400...400], words: .notPermitted, .forbidden, "credential_not_permitted"),
    row(
      "Anthropic, relays", [400...400, 403...403],
      names: ["authentication_error", "invalid_authentication", "unauthenticated"], .unauthorized,
      "authentication_error"),
    row(
      "Gemini", [403...403],
      names: ["service_disabled", "api_key_service_blocked", "access_token_scope_insufficient"],
      .forbidden, "service_disabled"),

    // The model.
    row(
      "OpenAI", [403...403],
      names: ["model_not_found", "model_not_allowed", "model_access_denied"], words: .noModelAccess,
      .modelForbidden, "model_forbidden"),
    row(
      "OpenAI", [400...400, 404...404], words: .noModelAccess, .modelForbidden, "model_forbidden"),
    row(
      "a wrong base URL", [404...405], names: ["unknown_url"], words: .noEndpoint,
      .endpointNotFound, "endpoint_not_found"),
    row(
      "OpenAI, Azure, Gemini, Anthropic, relays", bad + [404...404, 503...503],
      names: ["model_not_found", "deploymentnotfound", "model_not_exist", "modelnotfound"],
      words: .noModel, .modelNotFound, "model_not_found"),
    row(
      "Anthropic, Gemini", [404...404], names: ["not_found_error", "not_found", "notfounderror"],
      .modelNotFound, "model_not_found", needsProof: true),
    row(
      "Azure, OpenAI", bad + [404...404], names: ["operationnotsupported", "model_not_supported"],
      words: .unsupportedModel, .modelUnsupported, "model_unsupported"),
    row("one-api, new-api", [503...503], words: .noChannel, .modelOverloaded, "no_channel"),

    // Limits.
    row("Gemini", [429...429], words: .perDay, .quotaExhausted, "quota_exhausted"),
    row(
      "OpenAI's subscriptions", [429...429],
      names: ["usage_limit_reached", "usage_not_included", "quota_exceeded", "quota_exhausted"],
      .quotaExhausted, "quota_exhausted"),

    // The provider's bad moments.
    row(
      "Gemini, OpenAI", [429...429, 500...599], words: .modelOverloaded, .modelOverloaded,
      "model_overloaded"),
    row(
      "Anthropic, OpenAI, Groq", [429...429, 498...599],
      names: [
        "overloaded_error", "overloaded", "server_overloaded", "engine_overloaded",
        "capacity_exceeded", "slow_down", "unavailable",
      ], .overloaded),
    row(
      "Gemini, Anthropic", [408...408, 499...599], names: ["deadline_exceeded", "timeout_error"],
      .providerTimeout),

    // Errors that come without a status of their own: the first frame of a stream, an answer under 200.
    row(
      "in a stream", [],
      names: [
        "rate_limit_error", "rate_limit_exceeded", "resource_exhausted",
        "throttlingexception", "too_many_requests",
      ], .rateLimited, "rate_limited"),
    row(
      "in a stream", [], names: ["permission_error", "permission_denied"], .forbidden,
      "permission_denied", needsProof: true),
    row(
      "in a stream", [],
      names: [
        "server_error", "api_error", "internal_server_error", "internal",
        "upstream_error",
      ], .providerError, "server_error"),
    row(
      "in a stream", [],
      names: [
        "invalid_request_error", "invalid_argument", "badrequesterror",
        "bad_request", "request_too_large", "failed_precondition", "out_of_range",
        "invalid_prompt", "invalid_image", "invalid_image_format", "invalid_base64_image",
        "invalid_image_url", "image_too_large", "image_too_small", "image_parse_error",
        "image_file_too_large", "unsupported_image_media_type", "empty_image_file",
        "failed_to_download_image",
      ], .badRequest, "invalid_request"),
  ]
}
