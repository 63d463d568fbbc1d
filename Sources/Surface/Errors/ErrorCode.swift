/// Every error that the gateway itself answers with.
///
/// Codes are never renamed or reused.
public enum ErrorCode: String, Sendable, Hashable, CaseIterable {
  // The client's key.
  case missingAPIKey = "missing_api_key"
  case invalidAPIKey = "invalid_api_key"
  case keyPaused = "key_paused"
  case keyRevoked = "key_revoked"
  case keyExpired = "key_expired"
  // The request.
  case malformedRequest = "malformed_request"
  case invalidJSON = "invalid_json"
  case duplicateField = "duplicate_field"
  case missingField = "missing_field"
  case invalidField = "invalid_field"
  case unknownField = "unknown_field"
  case unsupportedParameter = "unsupported_parameter"
  case unsupportedMediaType = "unsupported_media_type"
  case bodyTooLarge = "body_too_large"
  case headTooLarge = "head_too_large"
  case methodNotAllowed = "method_not_allowed"
  case notFound = "not_found"
  case requestTimeout = "request_timeout"
  // The model and where it goes.
  case modelNotFound = "model_not_found"
  case noAccountAvailable = "no_account_available"
  // Upstream.
  case rateLimited = "rate_limited"
  case upstreamError = "upstream_error"
  case upstreamUnreachable = "upstream_unreachable"
  case upstreamTimeout = "upstream_timeout"
  case upstreamCut = "upstream_cut"
  case upstreamProtocol = "upstream_protocol"
  // The gateway.
  case recordingUnavailable = "recording_unavailable"
  case shuttingDown = "shutting_down"
  case overloaded = "overloaded"
  case internalError = "internal_error"
  // Administration.
  case unauthorized = "unauthorized"
  case invalidPassword = "invalid_password"
  case tooManyAttempts = "too_many_attempts"
  case forbiddenHost = "forbidden_host"
  case revisionMismatch = "revision_mismatch"
  case writeConflict = "write_conflict"
  case nameCollision = "name_collision"
  case alreadyExists = "already_exists"
  case keyExists = "key_exists"
  case notActive = "not_active"
  case providerInUse = "provider_in_use"
  case unknownTarget = "unknown_target"
  case ambiguousTarget = "ambiguous_target"
  case aliasOfAlias = "alias_of_alias"
  case unknownProvider = "unknown_provider"
  case unknownAccount = "unknown_account"
  case unknownAlias = "unknown_alias"
  case unknownKey = "unknown_key"
}
