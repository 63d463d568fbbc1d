import Domain
import Surface

/// What became of a test of an account, as operators see it.
struct AccountTest: Sendable {
  var report: ProbeReport
  /// The model that was asked; nil: there was none to ask for.
  var model: String?
  var testedAt: UnixNanoseconds
  /// The test passed while the account cooled.
  var endedCooldown = false
  /// An operator keeps the account out, whatever the test says.
  var isDegraded: Bool
  /// The credential was refreshed for the test.
  var isRefreshed = false

  /// The code of a test that had no model to ask for.
  static let noModel = "no_model"

  var json: JSONValue {
    [
      "valid": JSONValue(report.isValid), "error": JSONValue(report.sentence),
      "errorCode": JSONValue(report.errorCode), "errorClass": JSONValue(report.errorClass?.name),
      "refreshed": JSONValue(isRefreshed), "latencyMs": JSONValue(report.microseconds / 1000),
      "status": JSONValue(report.status), "model": JSONValue(model),
      "testedAt": JSONValue(testedAt), "cooldownEnded": JSONValue(endedCooldown),
      "degraded": JSONValue(isDegraded),
    ]
  }
}

extension ProbeReport {
  /// What went wrong, in one sentence of ours; nil: nothing.
  var sentence: String? {
    guard let errorCode else { return nil }
    let status = status.map { " (status \($0))" } ?? ""
    switch errorCode {
    case Self.rateLimited:
      return "The provider limits the account\(status); that says nothing of its credential."
    case AccountTest.noModel:
      return "The provider offers no model to ask for; name one, or let its list be read."
    case "misconfigured":
      return "The account has no usable credential, or its provider no usable base URL."
    case "timeout", "idle_timeout", "connect_timeout":
      return "The provider did not answer in time."
    case _: break
    }
    return switch errorClass {
    case .account: "The provider refused the account\(status)."
    case .model: "The provider does not know the model\(status)."
    case .request:
      "The provider refused the test itself\(status); another model may do, the account may be good."
    case .network: "The provider could not be reached, or broke off."
    case .provider where self.status.map { $0 >= 300 } == true: "The provider failed\(status)."
    case .provider: "The provider's answer is not what its protocol promises\(status)."
    case .client, .gateway, nil: "The gateway could not make the call."
    }
  }
}
