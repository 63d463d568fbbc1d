import Domain
public import EventStore

extension GatewayProjection {
  /// The snapshots of this projection that lie beside a log.
  static func snapshots(of log: LogReader) -> SnapshotFiles {
    SnapshotFiles(of: log, projector: name, version: version)
  }

  /// Reads a snapshot.
  init(_ snapshot: SnapshotFiles.Snapshot) throws {
    self = try GatewayProjection(decoding: snapshot.payload)
    guard position == snapshot.position.rawValue else {
      throw ControlError.unreadable(
        position: snapshot.position, reason: "the snapshot is of position \(position)")
    }
  }

  /// The log through a position: from the newest usable snapshot, else from its beginning.
  ///
  /// - Parameter through: nil: through the log's end.
  /// - Throws: `ControlError.damaged` or `.unreadable` for what cannot be read behind the snapshot.
  static func restored(
    from log: LogReader, through: Position? = nil
  ) throws -> (projection: GatewayProjection, restoration: Restoration) {
    let clock = ContinuousClock()
    let began = clock.now
    // One of a position that the log does not have is looked at too: it is a trace of what was lost.
    let found = snapshots(of: log).newest(through: through ?? Position(.max)) {
      try GatewayProjection($0)
    }
    var projection = found.snapshot?.value ?? .initial
    try projection.fold(log, through: through)
    return (
      projection,
      Restoration(
        snapshot: found.snapshot?.position, last: Position(projection.position),
        ignored: found.ignored, microseconds: Int64((clock.now - began) / .microseconds(1)))
    )
  }

  /// Takes in what the log has beyond.
  ///
  /// - Parameters:
  ///   - through: nil: through the log's end.
  ///   - isStopped: Asked once in a while; true ends the fold where it is.
  /// - Throws: `ControlError.damaged`, `ControlError.unreadable` for an event that cannot be read, `StoreError` (`.io`).
  mutating func fold(
    _ log: LogReader, through: Position? = nil, isStopped: () -> Bool = { false }
  ) throws {
    if let through, through.rawValue <= position { return }
    var projection = self
    try log.scan(from: Position(position).next, through: through) { entry in
      switch entry {
      case .gap(let gap):
        try gap.requireAccepted()
        return .continue
      case .event(let stored):
        try projection.take(stored)
        return stored.position.rawValue % 4_096 == 0 && isStopped() ? .stop : .continue
      }
    }
    self = projection
  }

  private mutating func take(_ stored: StoredEvent) throws(ControlError) {
    do throws(DecodingFailure) {
      try apply(
        position: stored.position.rawValue, epoch: stored.epoch.rawValue,
        time: UnixNanoseconds(stored.time), kind: stored.kind,
        revision: stored.revision.rawValue, bytes: stored.payload)
    } catch {
      throw .unreadable(
        position: stored.position, reason: "\(error.kind): \(error.reason.rawValue)")
    }
  }
}

extension LogGap {
  /// What a person accepted is gone, whatever it was; anything else is no ground to decide on.
  func requireAccepted() throws(ControlError) {
    guard isAccepted else { throw .damaged(self) }
  }
}

/// From what a start rebuilt its view of the log.
public struct Restoration: Sendable {
  /// The snapshot's position; nil: from the log's beginning.
  public var snapshot: Position?
  /// The last event taken in.
  public var last: Position
  /// Newer snapshots that were not used, and why.
  public var ignored: [SnapshotFiles.Ignored]
  /// How long it took.
  public var microseconds: Int64
}
