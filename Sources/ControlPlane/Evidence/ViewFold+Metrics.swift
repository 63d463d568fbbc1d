import EventStore
import Inquiry
import Telemetry
import Views

extension ViewFold {
  /// Takes in one batch, and hands on what is read of the log to whoever counts.
  ///
  /// - Returns: whether there may be more.
  /// - Throws: what `step(into:through:)` throws.
  func step(into views: ViewStore, for metrics: MetricsKeeper?) throws -> Bool {
    let first = Position(views.checkpoint.position).next
    guard let metrics, metrics.wants(from: first, count: Self.batch) else {
      return try step(into: views)
    }
    let delta = try metrics.reading { counted in
      try self.delta(from: first) { event, delta, isFinished in
        guard isFinished else { return metrics.take(event, into: &counted) }
        counted.take(
          finished: delta.outline, position: event.position.rawValue, bytes: event.payload)
      }
    }
    return try apply(delta, to: views)
  }
}
