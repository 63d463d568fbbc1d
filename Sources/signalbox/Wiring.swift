import ControlPlane
import DataPlane
import Domain
import NIOCore
import Synchronization

/// Hands what the data plane does not serve to the control plane's router.
struct AdminFallback: Fallback {
  let responder: AdminResponder

  func respond(to request: FallbackRequest) async -> FallbackResponse {
    var asked = AdminRequest(
      method: request.method, uri: request.uri, headers: request.headers, body: request.body,
      remoteAddress: request.remoteAddress, requestID: request.requestID)
    asked.isOnAdministrationListener = request.listener == .administration
    asked.takesStream = true
    let answer = await responder.respond(to: asked)
    var response = FallbackResponse(
      status: answer.status, headers: answer.headers, body: answer.body)
    response.stream = answer.stream.map { FallbackStream(next: $0.next) }
    return response
  }
}

/// Lets the control plane make calls to upstreams, once there is a data plane.
final class PlaneProbe: AccountProbe {
  private let plane = Mutex<DataPlane?>(nil)

  /// The data plane serves, and so can ask.
  func serve(_ started: DataPlane) { plane.withLock { $0 = started } }

  func test(_ account: AccountID, model: String) async -> ProbeReport {
    await plane.withLock { $0 }?.test(account, model: model) ?? Self.notYet.probe
  }

  func test(
    _ account: AccountID, model: String, with token: Secret, isToken: Bool
  ) async -> ProbeReport {
    await plane.withLock { $0 }?.test(
      account, model: model, with: UpstreamSecret(token.bytes), isToken: isToken)
      ?? Self.notYet.probe
  }

  func models(of account: AccountID) async -> ModelListReport {
    await plane.withLock { $0 }?.models(of: account) ?? Self.notYet
  }

  /// The listener is open a moment before the start is known here.
  private static let notYet = ModelListReport(
    probe: ProbeReport(
      status: nil, errorClass: .gateway, errorCode: "overloaded", microseconds: 0))
}

/// Shows monitors what the data plane counts, once there is one.
final class PlaneFigures: GatewayFigures {
  private let plane = Mutex<DataPlane?>(nil)
  private let spans: SpanExporter?

  /// - Parameter spans: nil: none are sent.
  init(spans: SpanExporter?) { self.spans = spans }

  /// The data plane serves, and so counts.
  func serve(_ started: DataPlane) { plane.withLock { $0 = started } }

  var live: LiveFigures {
    var live = LiveFigures()
    if let spans { live.spans = spans.counts }
    guard let counts = plane.withLock({ $0 })?.counts else { return live }
    live.requestsInFlight = counts.requestsInFlight
    live.oldestRequestMicroseconds = counts.oldestRequestMicroseconds
    live.connectionsOpen = UInt64(max(0, counts.connectionsOpen))
    live.connectionsAccepted = counts.connectionsAccepted
    live.connectionsRefused = counts.connectionsRefused
    live.malformedHeads = counts.malformedHeads
    live.upstreamConnects = counts.upstreamConnects
    live.heldBodyBytes = UInt64(max(0, counts.heldBodyBytes))
    live.retriesSaved = UInt64(max(0, counts.retriesSaved))
    live.retriesRefused = counts.retriesRefused
    live.recordingFailures = counts.recordingFailures
    return live
  }
}

/// Shows operators what the data plane counts.
struct LimiterUsage: UsageSource {
  let limiter: Limiter

  func usage(of scope: LimitScope, budgets: [Budget], at now: UnixNanoseconds) -> LimitUsage {
    limiter.usage(of: scope, budgets: budgets, at: now)
  }
}

/// Hands what attempts found to the control plane, which decides health.
struct PlaneHealth: HealthSink {
  let keeper: HealthKeeper

  func report(_ report: AttemptReport, dealtWith: (@Sendable () -> Void)?) {
    keeper.report(report, dealtWith: dealtWith)
  }
}

/// Gets newer credentials from the control plane, which refreshes them.
struct PlaneCredentials: CredentialSource {
  let keeper: CredentialKeeper
  let sync: SyncKeeper

  func renew(
    _ account: AccountID, presented: UInt64, for request: RequestID,
    done: @escaping @Sendable (Bool) -> Void
  ) {
    let provenance = Provenance(
      actor: Provenance.system.actor, source: .system, cause: request.rawValue,
      correlation: request.rawValue)
    Task {
      let result = await keeper.refresh(
        account, presented: presented, cause: .reactive, provenance: provenance)
      switch result {
      case .newer: done(true)
      case .failed, .waits: done(false)
      // Another node may have refreshed it already.
      case .refused: done(await sync.bring(account, newerThan: presented))
      }
    }
  }
}

/// Fingerprints clients' keys under the vault's key.
struct VaultFingerprinter: KeyFingerprinter {
  let vault: Vault

  func fingerprint(_ key: [UInt8]) -> Fingerprint {
    key.withUnsafeBytes { vault.fingerprint($0) }
  }
}

extension SnapshotBoard {
  /// A board that shows the gateway before its first event.
  static func empty() -> SnapshotBoard {
    SnapshotBoard(PublishedRouting(snapshot: RoutingSnapshot(.initial), secrets: [:]))
  }

  /// Shows what the control plane decided.
  func publish(_ state: ControlState, _ secrets: [AccountID: Secret]) {
    publish(
      PublishedRouting(
        snapshot: RoutingSnapshot(state),
        secrets: secrets.mapValues { UpstreamSecret($0.bytes) }))
  }
}
