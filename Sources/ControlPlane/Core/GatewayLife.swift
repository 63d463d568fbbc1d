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
}

extension NodeIdentity {
  /// One that nobody else has.
  static func mint(_ edge: Edge) -> NodeIdentity {
    let bytes = withUnsafeBytes(of: edge.random().bigEndian) { [UInt8]($0) }
    return NodeIdentity(
      node: NodeID("node-" + hexadecimalText(bytes)), incarnation: edge.random())
  }
}

/// What a start found and left behind.
public struct NotedStart: Sendable {
  /// Requests of an earlier life that never ended.
  public var interrupted: Int
  /// What was spent, as the log tells it with them.
  public var ledger: Ledger
}

extension ControlPlane {
  /// Notes in the log, durably, what opening found, and ends a gap that an earlier life could not close.
  ///
  /// Every program that opens the log for writing owes it this.
  ///
  /// - Returns: What was not in the log yet, in order.
  @discardableResult
  public func noteRecovery() async throws -> [Event] {
    var noted = try await store.noteRecovery(edge: edge)
    if let gap = try projection().life.openGap {
      // Only who shed the requests knew how many, and is gone.
      let closed = Event.gateway(.gapClosed(GatewayEvent.GapClosed(opened: gap, count: nil)))
      try await record([closed])
      noted.append(closed)
    }
    return noted
  }

  /// Notes in the log, durably, what opening found and that the gateway runs from now on.
  ///
  /// In this order: what `noteRecovery` notes, each interrupted request, the start. A crash in between
  /// repeats the interrupted ones at the next start, never the requests themselves.
  ///
  @discardableResult
  public func noteStart(_ life: GatewayLife) async throws -> NotedStart {
    try await noteRecovery()
    let before = try projection()
    var events: [Event] = []
    let interrupted = before.inFlight.inOrder
    // The last gateway said that it stopped; the log alone may have been closed cleanly since, by a
    // command-line tool.
    let wasStopped = before.life.endedByStopping ?? true
    for open in interrupted {
      let fact = open.dispatched
      events.append(
        .request(
          .interrupted(
            RequestEvent.Interrupted(
              id: fact.id, clientRequestID: fact.clientRequestID, organisation: fact.organisation,
              key: fact.key, dispatchedAt: open.position,
              // Nobody knows what it cost: no more than this, as far as anybody could tell.
              charge: fact.reserve.map {
                RequestEvent.Interrupted.Charge(reserve: $0, receivedAt: fact.receivedAt)
              }))))
    }
    events.append(
      .gateway(
        .started(
          GatewayEvent.Started(
            version: life.version, epoch: store.epoch.rawValue, recording: life.recording,
            listen: life.listen,
            previousStopWasClean: wasStopped && store.report.previousStopWasClean,
            interruptedRequests: UInt64(interrupted.count)))))
    try await record(events)
    let after = try projection()
    forgetOpened()
    return NotedStart(interrupted: interrupted.count, ledger: after.ledger)
  }

  /// Notes in the log, durably, that the gateway stopped on request.
  public func noteStop(reason: String, cutRequests: Int) async throws {
    try await record([
      .gateway(
        .stopped(GatewayEvent.Stopped(reason: reason, cutRequests: UInt64(max(0, cutRequests)))))
    ])
  }
}
