public import EventStore
public import Logging
public import NIOCore

/// The hot path: one listener, admission, routing, the upstream pools and the recording of requests.
///
/// All work of a request happens on the event loop of its client's connection.
public final class DataPlane: Sendable {
  /// The port that is listened on.
  public let port: Int

  private init() { preconditionFailure("not written yet") }

  /// Starts to listen.
  ///
  /// - Throws: the listener's I/O error, or a TLS error for unusable `upstreamTrust`.
  public static func start(
    options: DataPlaneOptions, board: SnapshotBoard, store: EventStore,
    fingerprinter: any KeyFingerprinter, fallback: any Fallback, logger: Logger,
    clock: any GatewayClock = SystemGatewayClock()
  ) async throws -> DataPlane {
    preconditionFailure("not written yet")
  }

  /// What was counted since the start.
  public var counts: DataPlaneCounts { preconditionFailure("not written yet") }

  /// Stops: no new connections or requests; what is in flight may end within `drain`, the rest is cut and
  /// recorded as drained. Returns how many requests were cut, once everything is recorded. Idempotent.
  @discardableResult
  public func shutdown(drain: TimeAmount) async -> Int { preconditionFailure("not written yet") }
}
