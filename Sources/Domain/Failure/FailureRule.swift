/// What went wrong with an attempt, as a stable word: what health, failover and the client's answer go by.
public enum FailureRule: String, Sendable, Hashable, CaseIterable {
  // The request's own.
  case badRequest = "bad_request"
  case contextTooLong = "context_length_exceeded"
  case contentFiltered = "content_filtered"
  case requestTooLarge = "request_too_large"
  /// The provider does not know `stream_options`.
  case streamOptionsRejected = "stream_options_rejected"
  /// The request alone is more than the account's limit admits in one window: waiting does not help.
  case beyondLimit = "beyond_limit"

  // The account's.
  case rateLimited = "rate_limited"
  case quotaExhausted = "quota_exhausted"
  case paymentRequired = "payment_required"
  case unauthorized = "unauthorized"
  case forbidden = "forbidden"
  case accountDeactivated = "account_deactivated"
  case regionBlocked = "region_blocked"

  // The model's, at this account.
  case modelNotFound = "model_not_found"
  case modelForbidden = "model_forbidden"
  case modelUnsupported = "model_unsupported"

  // The provider's.
  case overloaded = "overloaded"
  case modelOverloaded = "model_overloaded"
  case providerError = "provider_error"
  case providerTimeout = "provider_timeout"
  case providerConflict = "provider_conflict"
  /// Redirects are never followed: credentials would travel with them.
  case redirected = "redirected"
  /// The base URL leads to something that is not the API.
  case endpointNotFound = "endpoint_not_found"
  /// A web page that asks for a human.
  case challenged = "challenged"
  case badAnswer = "bad_answer"

  case networkError = "network_error"
  case gatewayError = "gateway_error"
  case clientGone = "client_gone"

  /// Whose fault it is.
  public var errorClass: ErrorClass {
    switch self {
    case .badRequest, .contextTooLong, .contentFiltered, .requestTooLarge, .streamOptionsRejected,
      .beyondLimit:
      .request
    case .rateLimited, .quotaExhausted, .paymentRequired, .unauthorized, .forbidden,
      .accountDeactivated, .regionBlocked:
      .account
    case .modelNotFound, .modelForbidden, .modelUnsupported: .model
    case .overloaded, .modelOverloaded, .providerError, .providerTimeout, .providerConflict,
      .redirected, .endpointNotFound, .challenged, .badAnswer:
      .provider
    case .networkError: .network
    case .gatewayError: .gateway
    case .clientGone: .client
    }
  }

  /// What it speaks against.
  public var scope: FailureScope {
    switch self {
    case .badRequest, .contextTooLong, .contentFiltered, .requestTooLarge, .streamOptionsRejected,
      .beyondLimit, .gatewayError, .clientGone:
      .nothing
    // A lock that another request holds says nothing of the account.
    case .providerConflict: .nothing
    case .modelNotFound, .modelForbidden, .modelUnsupported, .modelOverloaded: .model
    case .rateLimited, .quotaExhausted, .paymentRequired, .unauthorized, .forbidden,
      .accountDeactivated, .regionBlocked, .overloaded, .providerError, .providerTimeout,
      .redirected, .endpointNotFound, .challenged, .badAnswer, .networkError:
      .account
    }
  }

  /// Whether it speaks against an account only if another one serves the same request.
  ///
  /// A request can break every server that it meets, and a pool whose accounts all fail alike is not helped by
  /// having none.
  var alwaysNeedsProof: Bool { self == .providerError || self == .badAnswer }

  /// Whether another account may do better with the same request.
  public var mayDoBetterElsewhere: Bool {
    switch self {
    case .badRequest, .contextTooLong, .contentFiltered, .requestTooLarge, .streamOptionsRejected,
      .clientGone:
      false
    case .beyondLimit, .rateLimited, .quotaExhausted, .paymentRequired, .unauthorized, .forbidden,
      .accountDeactivated, .regionBlocked, .modelNotFound, .modelForbidden, .modelUnsupported,
      .overloaded, .modelOverloaded, .providerError, .providerTimeout, .providerConflict,
      .redirected, .endpointNotFound, .challenged, .badAnswer, .networkError, .gatewayError:
      true
    }
  }

  /// Whether the client may read upstream's own words: they are about its request and name none of our accounts.
  public var showsUpstreamWords: Bool {
    switch self {
    case .badRequest, .contextTooLong, .contentFiltered, .requestTooLarge, .streamOptionsRejected,
      .modelNotFound:
      true
    case .beyondLimit, .rateLimited, .quotaExhausted, .paymentRequired, .unauthorized, .forbidden,
      .accountDeactivated, .regionBlocked, .modelForbidden, .modelUnsupported, .overloaded,
      .modelOverloaded, .providerError, .providerTimeout, .providerConflict, .redirected,
      .endpointNotFound, .challenged, .badAnswer, .networkError, .gatewayError, .clientGone:
      false
    }
  }

  /// Whether a time that the provider names is when it will be over.
  public var honoursResetTime: Bool {
    switch self {
    case .rateLimited, .quotaExhausted, .overloaded, .modelOverloaded, .providerError, .challenged:
      true
    case .badRequest, .contextTooLong, .contentFiltered, .requestTooLarge, .streamOptionsRejected,
      .beyondLimit, .paymentRequired, .unauthorized, .forbidden, .accountDeactivated,
      .regionBlocked, .modelNotFound, .modelForbidden, .modelUnsupported, .providerTimeout,
      .providerConflict, .redirected, .endpointNotFound, .badAnswer, .networkError, .gatewayError,
      .clientGone:
      false
    }
  }
}

/// What a failure speaks against.
public enum FailureScope: Sendable, Hashable {
  case nothing
  case account
  /// One model of the account.
  case model
}
