import ControlPlane
import Domain
import Synchronization

/// Answers as it was told, and remembers what it was asked.
final class ScriptedProbe: AccountProbe {
  struct Asked: Sendable, Hashable {
    var account: AccountID
    /// nil: which models there are.
    var model: String?
    /// nil: the one in force.
    var token: String?
  }

  private struct State {
    var report = ModelListReport(
      probe: ProbeReport(status: 200, errorClass: nil, errorCode: nil, microseconds: 12_345))
    var asked: [Asked] = []
    var meanwhile: (@Sendable () async -> Void)?
  }

  private let state = Mutex(State())

  var asked: [Asked] { state.withLock { $0.asked } }

  /// From now on a call passes, and lists these models.
  func pass(_ models: [String] = [], skipped: Int = 0) {
    state.withLock {
      $0.report = ModelListReport(
        probe: ProbeReport(status: 200, errorClass: nil, errorCode: nil, microseconds: 12_345),
        models: models, skipped: skipped)
    }
  }

  /// From now on a call fails.
  func fail(_ status: UInt16?, _ errorClass: ErrorClass, _ code: String) {
    state.withLock {
      $0.report = ModelListReport(
        probe: ProbeReport(
          status: status, errorClass: errorClass, errorCode: code, microseconds: 2_000))
    }
  }

  /// What happens elsewhere while the next call is under way.
  func meanwhile(_ body: @escaping @Sendable () async -> Void) {
    state.withLock { $0.meanwhile = body }
  }

  func test(_ account: AccountID, model: String) async -> ProbeReport {
    await answer(Asked(account: account, model: model)).probe
  }

  func test(
    _ account: AccountID, model: String, with token: Secret, isToken: Bool
  ) async -> ProbeReport {
    await answer(
      Asked(account: account, model: model, token: String(decoding: token.bytes, as: UTF8.self))
    ).probe
  }

  func models(of account: AccountID) async -> ModelListReport {
    await answer(Asked(account: account, model: nil))
  }

  private func answer(_ asked: Asked) async -> ModelListReport {
    let (report, meanwhile) = state.withLock { state in
      state.asked.append(asked)
      defer { state.meanwhile = nil }
      return (state.report, state.meanwhile)
    }
    await meanwhile?()
    return report
  }
}
