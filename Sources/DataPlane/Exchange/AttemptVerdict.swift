import Domain
import Surface

/// What follows from how an attempt went, before anything was sent to the client.
///
/// The table of failover.
enum AttemptVerdict: Sendable, Hashable {
  /// The answer goes to the client.
  case relay
  /// Another account may do better; if there is none, the client gets this error.
  case failOver(ErrorClass, code: String)
  /// The request itself is at fault: no other account is asked.
  case answer(ErrorClass, code: String)

  /// By the status of upstream's answer (1xx never comes here).
  static func of(status: Int) -> AttemptVerdict {
    let code = "status_\(status)"
    return switch status {
    case 200..<300: .relay
    case 401, 402, 403, 429: .failOver(.account, code: code)
    case 404: .failOver(.model, code: code)
    case 408, 409: .failOver(.provider, code: code)
    case 400..<500: .answer(.request, code: code)
    // Redirects are never followed: credentials would travel with them.
    default: .failOver(.provider, code: code)
    }
  }

  /// By the way the call failed; a failure is never the request's fault.
  static func of(_ failure: UpstreamFailure) -> AttemptVerdict {
    .failOver(failure.errorClass, code: failure.code)
  }

  /// An error in a stream's first frame, under status 200.
  static let errorInStream = AttemptVerdict.failOver(.provider, code: "error_in_stream")

  /// An error and no choices in a whole answer, under status 200.
  static let errorInAnswer = AttemptVerdict.failOver(.provider, code: "error_in_answer")
}

extension UpstreamFailure {
  /// What the client is told when no account is left.
  var errorCode: ErrorCode {
    switch self {
    case .connectRefused, .connectFailed, .nameNotResolved, .addressRefused, .tlsFailed,
      .closedBeforeAnswer, .misconfigured, .dialectUnsupported:
      .upstreamUnreachable
    case .connectTimeout, .headTimeout, .idleTimeout: .upstreamTimeout
    case .cut: .upstreamCut
    case .malformedAnswer, .frameTooLong: .upstreamProtocol
    case .emptyStream: .upstreamError
    }
  }
}
