import Domain
import EventStore
import HTTPTypes
import Surface

/// `/health`, `/api/health/ping` and `/v1/status/*`: for load balancers and monitors.
extension AdminService {
  func health() -> AdminAnswer {
    guard let failure = control.store.failure else {
      return .json([
        "status": "ok", "version": JSONValue(options.build.version),
        "timestamp": JSONValue(edge.now()),
        "position": JSONValue(placeText(control.store.lastWritten)),
      ])
    }
    return .json(
      [
        "status": "error", "error": JSONValue("log_\(failure.code.rawValue)"),
        "timestamp": JSONValue(edge.now()),
      ], status: .serviceUnavailable)
  }

  /// Reads the log's last event back, so that a ping answers only if the log can be read.
  func ping() async -> AdminAnswer {
    let store = control.store
    let last = store.lastWritten
    let started = edge.now()
    let found = try? await reads.run { try store.reader.event(at: last)?.position == last }
    let now = edge.now()
    guard found == true || last == .origin else {
      return .json(
        ["status": "error", "error": "log_read_failed", "timestamp": JSONValue(now)],
        status: .serviceUnavailable)
    }
    let milliseconds = max(0, now.rawValue - started.rawValue) / 1_000_000
    return .json([
      "status": "ok", "timestamp": JSONValue(now), "latencyMs": JSONValue(milliseconds),
      "position": JSONValue(placeText(last)),
    ])
  }

  func healthz() -> AdminAnswer {
    .json(["status": "healthy", "build": build, "timestamp": JSONValue(edge.now())])
  }

  /// 503 only if the log takes nothing or no account is configured.
  func readyz() -> AdminAnswer {
    let hasAccount = !control.state.accounts.isEmpty
    let logWorks = control.store.failure == nil
    let isReady = hasAccount && logWorks
    func word(_ isHealthy: Bool) -> JSONValue { isHealthy ? "healthy" : "unhealthy" }
    return .json(
      [
        "status": isReady ? "ready" : "degraded",
        "components": [
          "redis": "not_configured", "kafka": "not_configured",
          "config_service": "not_configured", "backend_registry": word(hasAccount),
          "log": word(logWorks),
          // There is one from the moment the control plane is open, and this code runs only then.
          "snapshot": "healthy", "views": "not_configured",
        ], "build": build, "timestamp": JSONValue(edge.now()),
      ], status: isReady ? .ok : .serviceUnavailable)
  }

  /// `epoch:position`: names one event for ever.
  func placeText(_ position: Position) -> String { "\(control.store.epoch):\(position)" }

  private var build: JSONValue {
    [
      "version": JSONValue(options.build.version), "commit": JSONValue(options.build.commit),
      "build_time": JSONValue(options.build.buildTime),
    ]
  }
}
