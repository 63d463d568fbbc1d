public import Domain
import EventStore

/// What a start says of itself and of the life before it.
public struct GatewayLife: Sendable {
  /// The build's version.
  public var version: String
  /// When clients get the end of their answers.
  public var recording: RecordingMode
  /// `host:port` as asked for.
  public var listen: String

  /// What a starting gateway knows of itself.
  public init(version: String, recording: RecordingMode, listen: String) {
    self.version = version
    self.recording = recording
    self.listen = listen
  }

  /// What the modes `written` and `queued` may lose when the machine stops, in milliseconds.
  static let lossBoundMilliseconds: UInt64 = 25
}

extension ControlPlane {
  /// Requests that earlier lives dispatched and never ended, in the order of the log.
  ///
  /// Reads from the last start on: that start already dealt with all before it.
  public func interruptedRequests() throws -> [InFlight.Open] {
    var from = Position.origin.next
    try store.reader.backwards(ofStream: gatewayStream) { stored in
      guard case .gateway(.started) = try recorded(stored).event else { return true }
      from = stored.position
      return false
    }
    var inFlight = InFlight()
    try store.reader.scan(from: from, through: nil) { entry in
      switch entry {
      case .gap(let gap):
        throw ControlError.unreadable(position: gap.first, reason: gap.message)
      case .event(let stored):
        if stored.stream == requestStream { inFlight.apply(try recorded(stored)) }
        return .continue
      }
    }
    return inFlight.inOrder
  }

  /// Notes in the log, durably, what opening found: bytes set aside, a possible gap.
  ///
  /// Every program that opens the log for writing owes it this, for the next opening finds nothing.
  public func noteRecovery() async throws {
    try await record(recoveryEvents)
  }

  private var recoveryEvents: [Event] {
    let report = store.report
    var events: [Event] = []
    if let tail = report.truncated {
      events.append(
        .gateway(
          .tailTruncated(
            GatewayEvent.TailTruncated(
              segment: tail.segment, offset: tail.offset, bytes: tail.bytes, rule: tail.rule))))
    }
    if !report.previousStopWasClean && report.bootChanged {
      events.append(
        .gateway(
          .gap(
            GatewayEvent.Gap(
              boundMilliseconds: GatewayLife.lossBoundMilliseconds,
              reason: "the machine stopped while the log was open"))))
    }
    return events
  }

  /// Notes in the log, durably, what opening found and that the gateway runs from now on.
  ///
  /// In this order: bytes set aside, a possible gap, each interrupted request, the start. A crash in
  /// between repeats the interrupted ones at the next start, never the requests themselves.
  ///
  /// - Returns: How many requests were interrupted.
  @discardableResult
  public func noteStart(_ life: GatewayLife) async throws -> Int {
    var events = recoveryEvents
    let interrupted = try interruptedRequests()
    for open in interrupted {
      let fact = open.dispatched
      events.append(
        .request(
          .interrupted(
            RequestEvent.Interrupted(
              id: fact.id, clientRequestID: fact.clientRequestID, organisation: fact.organisation,
              key: fact.key, dispatchedAt: open.position))))
    }
    events.append(
      .gateway(
        .started(
          GatewayEvent.Started(
            version: life.version, epoch: store.epoch.rawValue, recording: life.recording,
            listen: life.listen, previousStopWasClean: try previousLifeEndedCleanly(),
            interruptedRequests: UInt64(interrupted.count)))))
    try await record(events)
    return interrupted.count
  }

  /// Whether the last gateway said that it stopped. (The log alone may have been closed cleanly since,
  /// by a command-line tool.)
  private func previousLifeEndedCleanly() throws -> Bool {
    var wasStopped = true
    try store.reader.backwards(ofStream: gatewayStream) { stored in
      guard case .gateway(let event) = try recorded(stored).event else { return true }
      switch event {
      case .stopped: return false
      case .started:
        wasStopped = false
        return false
      case .tailTruncated, .gap, .gapOpened, .gapClosed, .lossAccepted, .checkpointSigned:
        return true
      }
    }
    return wasStopped && store.report.previousStopWasClean
  }

  /// Notes in the log, durably, that the gateway stopped on request.
  public func noteStop(reason: String, cutRequests: Int) async throws {
    try await record([
      .gateway(
        .stopped(GatewayEvent.Stopped(reason: reason, cutRequests: UInt64(max(0, cutRequests)))))
    ])
  }
}
