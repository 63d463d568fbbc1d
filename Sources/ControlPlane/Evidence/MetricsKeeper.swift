import Domain
public import EventStore
public import Logging
import Synchronization
import Telemetry

/// Keeps the counters that follow from the log.
///
/// They count what was appended since this process opened the log. Who reads the log for the views anyway hands
/// on what it reads; a scrape reads what is missing then, whatever became of the views.
public final class MetricsKeeper: Sendable {
  /// Events that are read under the lock at once.
  private static let batch: UInt64 = 4096
  /// How long a scrape waits for what is missing.
  static let patience: Int64 = 250_000_000

  private let reader: LogReader
  private let last: @Sendable () -> Position
  private let logger: Logger
  private let metrics: Mutex<RequestMetrics>

  /// Counts from what the store found when it was opened; reads nothing yet.
  public init(store: EventStore, logger: Logger) {
    reader = store.reader
    // Under `relaxed` what was answered may still be on its way into the log.
    last = { store.reader.last }
    self.logger = logger
    metrics = Mutex(RequestMetrics(after: store.report.last.rawValue))
  }

  /// Whether one who reads `count` events from here on reads the next one that is missing.
  func wants(from: Position, count: Int) -> Bool {
    let next = metrics.withLock { $0.position } + 1
    return from.rawValue <= next && next - from.rawValue < UInt64(count)
  }

  /// Lends a copy of the counters to one who reads the log in order, from the next event that is missing or before it.
  ///
  /// The copy takes their place unless a scrape got further meanwhile: where they are follows from the log alone. So
  /// nobody waits for one who reads a long batch at the lowest priority.
  func reading<Result>(_ body: (inout RequestMetrics) throws -> Result) rethrows -> Result {
    var copy = metrics.withLock { $0 }
    let result = try body(&copy)
    // What is not needed any more is freed behind the lock.
    metrics.withLock { if copy.position > $0.position { swap(&copy, &$0) } }
    return result
  }

  /// The page of counters, with what was acknowledged before the call, or as far as a quarter of a second gets.
  ///
  /// Blocks on the disk: call it beside the cooperative pool.
  ///
  /// - Parameter providers: of each account that there is or was, by its id.
  /// - Returns: the events that are missing, and how many outcomes were counted.
  func write(
    to page: inout Exposition, providers: [String: String]
  ) throws(StoreError) -> (behind: UInt64, outcomes: UInt64) {
    let target = last().rawValue
    let deadline = reader.monotonic() + Self.patience
    while try catchUp(to: target), reader.monotonic() < deadline {}
    var written = page
    let result = metrics.withLock { metrics in
      metrics.write(to: &written, providers: providers)
      let behind = target > metrics.position ? target - metrics.position : 0
      return (behind, metrics.outcomes)
    }
    page = written
    return result
  }

  /// Reads a batch; true if there is more.
  private func catchUp(to target: UInt64) throws(StoreError) -> Bool {
    try metrics.withLock { (metrics) throws(StoreError) in
      guard metrics.position < target else { return false }
      let end = min(target, metrics.position + Self.batch)
      do {
        try reader.scan(from: Position(metrics.position).next, through: Position(end)) { entry in
          if case .event(let event) = entry { take(event, into: &metrics) }
          return .continue
        }
      } catch let error as StoreError {
        throw error
      } catch {
        throw StoreError(.io, "\(error)")
      }
      // What cannot be read is passed over: nothing is counted of it, and what follows counts.
      metrics.skip(to: end)
      return end < target
    }
  }

  /// Takes in one event; one that cannot be decoded is passed over, and said.
  func take(_ event: StoredEvent, into metrics: inout RequestMetrics) {
    do throws(DecodingFailure) {
      try metrics.take(
        position: event.position.rawValue, time: UnixNanoseconds(event.time), kind: event.kind,
        bytes: event.payload)
    } catch {
      logger.error(
        "an event is not counted: it cannot be decoded",
        metadata: ["position": "\(event.position)", "cause": "\(error.reason.rawValue)"])
    }
  }
}
