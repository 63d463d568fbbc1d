import Domain
import Synchronization

@testable import DataPlane

/// Health by one simple rule: a failure cools the account for as long as upstream said, a success ends that.
///
/// What really follows from reports is the control plane's to decide; here it is seen that they come, and
/// that routing heeds what follows.
final class TestHealth: HealthSink {
  private struct State {
    var configuration: Configuration
    var board: SnapshotBoard
  }

  private let state = Mutex<State?>(nil)
  let reports = Watched<[AttemptReport]>([])

  func start(_ configuration: Configuration, _ board: SnapshotBoard) {
    state.withLock { $0 = State(configuration: configuration, board: board) }
  }

  func report(_ report: AttemptReport, dealtWith: (@Sendable () -> Void)?) {
    state.withLock { state in
      guard var new = state?.configuration else { return }
      let account = report.account
      switch report.outcome {
      case .probeStarted:
        new.apply(.health(.probeStarted(.init(account: account, scope: .account))))
      case .succeeded:
        new.apply(
          .health(.cooldownEnded(.init(account: account, scope: nil, reason: .success))))
      case .learned(let quirk):
        new.apply(.health(.quirkLearned(.init(account: account, quirk: quirk))))
      case .failed(let verdict, let status, let resetAt):
        new.apply(
          .health(
            .cooldownStarted(
              .init(
                account: account, scope: .account, rule: verdict.rule.rawValue,
                until: resetAt ?? UnixNanoseconds(report.at.rawValue + 1_000_000_000),
                status: status, errorCode: verdict.code))))
      }
      state?.configuration = new
      state?.board.publish(new.published)
    }
    reports.change { $0.append(report) }
    dealtWith?()
  }
}
