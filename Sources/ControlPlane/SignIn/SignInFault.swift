import Domain
import Surface

/// What is said of sign-ins that come to nothing: words of ours, never the provider's own text.
enum SignInFault {
  static func told(_ refusal: SignInRefusal) -> APIFault {
    let message: String
    switch refusal {
    case .unknown: message = "There is no such sign-in, or it is long over."
    case .used: message = "The sign-in was ended already."
    case .expired: message = "The sign-in took too long."
    case .otherProvider: message = "The sign-in was begun for another provider or in another way."
    case .otherSession: message = "The sign-in was begun in another session."
    case .tooMany:
      return APIFault(
        .overloaded, "Too many sign-ins wait to be ended.",
        remedy: "End those that were begun, or wait ten minutes.")
    }
    return APIFault(
      .signInState, message, details: [.init("reason", JSONValue(refusal.rawValue))])
  }

  /// The JSON of an answer; a fault if there is none.
  static func document(_ answer: TokenAnswer) throws -> JSONValue {
    switch answer {
    case .notSent(let code), .noAnswer(let code): throw failed(code)
    case .answered(let status, _, let body):
      guard let document = try? JSONValue.parse(body), document.members != nil else {
        throw status < 500 && status >= 400
          ? refused("status_\(status)") : failed("unreadable_answer")
      }
      return document
    }
  }

  /// The fault of an answer that has not what was asked for.
  static func refusal(_ answer: TokenAnswer, _ document: JSONValue) -> APIFault {
    guard case .answered(let status, _, _) = answer, status < 300 || 400..<500 ~= status else {
      return failed(reason(answer, document))
    }
    // A good status without a token and without an error is nobody's refusal.
    return status < 300 && TokenRefresh.error(document) == nil
      ? failed("unreadable_answer") : refused(reason(answer, document))
  }

  /// A word of ours, or one that standards know; never the provider's own text.
  static func reason(_ answer: TokenAnswer, _ document: JSONValue) -> String {
    guard case .answered(let status, let wait, _) = answer else { return "no_answer" }
    let outcome = RefreshOutcome(
      .answered(
        status: status, error: TokenRefresh.error(document), retryAfterSeconds: wait))
    switch outcome {
    case .rejected(let code), .failed(let code, _, _): return code
    case .succeeded: return "unreadable_answer"
    }
  }

  static func refused(_ reason: String) -> APIFault {
    APIFault(
      .signInRefused, "The provider refused the sign-in (\(reason)).",
      details: [.init("reason", JSONValue(reason))])
  }

  static func failed(_ reason: String) -> APIFault {
    APIFault(
      .signInFailed, "The provider did not answer as it should (\(reason)): nobody was signed in.",
      details: [.init("reason", JSONValue(reason))])
  }

  static func unavailable(_ why: String) -> APIFault {
    APIFault(.signInUnavailable, "The provider offers no such way to sign in: \(why).")
  }
}
