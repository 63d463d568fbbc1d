import Domain
import EventStore
import HTTPTypes
import Inquiry
import Surface
import Views

/// `/health`, `/api/health/ping` and `/v1/status/*`: for load balancers and monitors.
extension AdminService {
  /// 503 only if requests cannot be served as the recording mode promises.
  func health() -> AdminAnswer {
    let log = logHealth
    var members: [JSONValue.Member] = [
      .init("status", JSONValue(log == .healthy ? "ok" : log == .degraded ? "degraded" : "error")),
      .init("version", JSONValue(options.build.version)),
      .init("timestamp", JSONValue(edge.now())),
      .init("position", JSONValue(placeText(control.store.lastWritten))),
    ]
    if let failure = control.store.failure {
      members.append(.init("error", JSONValue("log_\(failure.code.rawValue)")))
    }
    return .json(
      .object(members), status: log == .unhealthy ? .serviceUnavailable : .ok)
  }

  /// Which build this is, what it reads and writes, since when it runs and on which log.
  func systemVersion() -> AdminAnswer {
    .json(
      .object(
        buildMembers + [
          .init("swift", JSONValue(BuildInfo.swiftVersion)),
          .init(
            "formats",
            [
              "log": JSONValue(EventStore.formatVersion),
              "snapshot": JSONValue(GatewayProjection.version),
              "views": JSONValue(ViewStore.version), "proof": JSONValue(Proof.formatVersion),
            ]),
          .init("started", JSONValue(started)),
          .init("uptimeSeconds", JSONValue(began.duration(to: .now).components.seconds)),
          .init("epoch", JSONValue(control.store.epoch.rawValue)),
          .init("store", JSONValue(uuidText(control.store.storeID))),
          .init("position", JSONValue(placeText(control.store.lastWritten))),
          .init("recording", JSONValue(options.recording.name)),
        ]))
  }

  /// Reads the log's last event back and asks the views, so that a ping answers only if the log can be read.
  func ping() async -> AdminAnswer {
    let started = edge.now()
    let touch: PingDesk.Touch
    do { touch = try await pings.touch() } catch { return pingFailed("overloaded") }
    guard touch.hasLog else { return pingFailed("log_read_failed") }
    let now = edge.now()
    let milliseconds = max(0, now.rawValue - started.rawValue) / 1_000_000
    return .json([
      "status": "ok", "timestamp": JSONValue(now), "latencyMs": JSONValue(milliseconds),
      "position": JSONValue(placeText(touch.position)), "views": JSONValue(touch.views.rawValue),
    ])
  }

  private func pingFailed(_ error: String) -> AdminAnswer {
    .json(
      ["status": "error", "error": JSONValue(error), "timestamp": JSONValue(edge.now())],
      status: .serviceUnavailable)
  }

  func healthz() -> AdminAnswer {
    .json(["status": "healthy", "build": build, "timestamp": JSONValue(edge.now())])
  }

  /// 503 only if no account is configured, if the log takes nothing, or if in `strict` it takes no
  /// requests.
  func readyz() -> AdminAnswer {
    let hasAccount = !control.state.accounts.isEmpty
    let log = logHealth
    let isReady = hasAccount && log != .unhealthy
    let views = viewHealth
    return .json(
      [
        // Sums that lag keep no request from being served: the component says it.
        "status": isReady && log == .healthy ? "ready" : "degraded",
        "components": [
          "redis": "not_configured", "kafka": "not_configured",
          "config_service": "not_configured",
          "backend_registry": JSONValue((hasAccount ? Health.healthy : .unhealthy).rawValue),
          "log": JSONValue(log.rawValue),
          // There is one from the moment the control plane is open, and this code runs only then.
          "snapshot": "healthy", "views": JSONValue(views?.rawValue ?? "not_configured"),
        ], "recording": recording, "build": build, "timestamp": JSONValue(edge.now()),
      ], status: isReady ? .ok : .serviceUnavailable)
  }

  /// What every endpoint takes and answers.
  func openAPI() -> AdminAnswer { .json(openAPIDocument(version: options.build.version)) }

  enum Health: String {
    case healthy
    /// Requests are served and not recorded.
    case degraded
    case unhealthy
  }

  var logHealth: Health {
    switch control.store.state {
    case .working: control.store.failure == nil ? .healthy : .unhealthy
    case .shedding(let shortage):
      shortage.isExhausted || options.recording == .strict ? .unhealthy : .degraded
    case .poisoned: .unhealthy
    }
  }

  /// Events that the views may lack before they count as late: they are made anew then, or somebody starves them.
  private static let viewLag: UInt64 = 1 << 18

  /// nil: nobody keeps views here.
  private var viewHealth: Health? {
    guard let status = keeper?.current else { return nil }
    if status.failure != nil { return .unhealthy }
    let last = control.store.lastWritten.rawValue
    return last > status.position && last - status.position > Self.viewLag ? .degraded : .healthy
  }

  /// What becomes of requests' records: numbers and places only, for everybody may ask.
  private var recording: JSONValue {
    var members = [JSONValue.Member("mode", JSONValue(options.recording.name))]
    func add(_ name: String, _ value: JSONValue) { members.append(.init(name, value)) }
    switch control.store.state {
    case .working: add("state", options.recording == .off ? "off" : "recording")
    case .shedding(let shortage):
      add("state", "disk_full")
      add("reserve", shortage.isExhausted ? "used_up" : "in_use")
      add("missing", JSONValue(shortage.shed))
      add("gap_opened", shortage.opened.map { JSONValue("\($0)") } ?? .null)
    case .poisoned: add("state", "failed")
    }
    return .object(members)
  }

  /// `epoch:position`: names one event for ever.
  func placeText(_ position: Position) -> String { "\(control.store.epoch):\(position)" }

  private var build: JSONValue { .object(buildMembers) }

  private var buildMembers: [JSONValue.Member] {
    [
      .init("version", JSONValue(options.build.version)),
      .init("commit", JSONValue(options.build.commit)),
      .init("build_time", JSONValue(options.build.buildTime)),
    ]
  }
}
