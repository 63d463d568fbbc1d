import Domain

/// Why an upstream call brought no whole answer.
enum UpstreamFailure: Error, Sendable, Hashable {
  case connectRefused
  case connectFailed
  case nameNotResolved
  /// The name leads to a link-local or metadata address.
  case addressRefused
  case tlsFailed
  case connectTimeout
  case headTimeout
  case idleTimeout
  /// Closed before the first byte of an answer.
  case closedBeforeAnswer
  /// Closed in the middle of an answer.
  case cut
  /// Bytes that are no HTTP/1.1 answer, or none of the provider's protocol.
  case malformedAnswer
  /// A frame of a stream beyond the bound.
  case frameTooLong
  /// A stream without a single frame of an answer.
  case emptyStream
  /// This machine has no descriptor, port or memory left for another connection: no account's doing.
  case machineExhausted
  /// As many connections as may be are being opened to the same origin.
  case tooManyConnects
  /// The request's time was up before this account had a fair part of it.
  case outOfTime
  /// The base URL or the secret cannot be used.
  case misconfigured
  /// The account speaks a dialect that this path does not translate to.
  case dialectUnsupported

  /// Stable short code for the log.
  var code: String {
    switch self {
    case .connectRefused: "connect_refused"
    case .connectFailed: "connect_failed"
    case .nameNotResolved: "name_not_resolved"
    case .addressRefused: "address_refused"
    case .tlsFailed: "tls_failed"
    case .connectTimeout: "connect_timeout"
    case .headTimeout: "timeout"
    case .idleTimeout: "idle_timeout"
    case .closedBeforeAnswer: "closed_before_answer"
    case .cut: "cut"
    case .malformedAnswer: "malformed_answer"
    case .frameTooLong: "frame_too_long"
    case .emptyStream: "empty_stream"
    case .machineExhausted: "machine_exhausted"
    case .tooManyConnects: "too_many_connects"
    case .outOfTime: "out_of_time"
    case .misconfigured: "misconfigured"
    case .dialectUnsupported: "dialect_unsupported"
    }
  }

  /// Whose fault it is.
  var errorClass: ErrorClass {
    switch self {
    case .connectRefused, .connectFailed, .nameNotResolved, .addressRefused, .tlsFailed,
      .connectTimeout, .closedBeforeAnswer, .cut:
      .network
    case .headTimeout, .idleTimeout, .malformedAnswer, .frameTooLong, .emptyStream: .provider
    case .machineExhausted, .tooManyConnects, .outOfTime, .misconfigured, .dialectUnsupported:
      .gateway
    }
  }
}
