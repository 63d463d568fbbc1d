import Domain
import EventStore
public import Logging
import Surface
import Synchronization

/// Where spans go.
public protocol SpanReceiver: Sendable {
  /// Hands on one batch: a JSON document as OTLP has it. Returns within a bounded time.
  func take(_ body: [UInt8]) async -> SpanDelivery
}

/// What became of a batch.
public enum SpanDelivery: Sendable, Hashable {
  /// But so many of its spans, which never will be.
  case taken(rejected: UInt64)
  /// It may be taken when it is sent again; a stable short word says why.
  case later(String)
  /// It never will be.
  case refused(String)
}

/// How many spans became what.
public struct SpanCounts: Sendable, Hashable {
  /// The collector took them.
  public var exported: UInt64 = 0
  /// The collector refused them.
  public var failed: UInt64 = 0
  /// The collector was away for too long, or too slow.
  public var dropped: UInt64 = 0

  /// None.
  public init() {}
}

/// Tells an OpenTelemetry collector of finished requests, from the log.
///
/// The log is the queue: in memory are its places and one batch, and requests are not concerned. What waits for a collector
/// that is away, or slower than requests come, is bounded (`SpanQueue.Bounds`): the oldest is dropped, and counted.
public final class SpanExporter: Sendable {
  /// What one step did.
  enum Step: Sendable, Hashable {
    /// There is nothing that is not sent.
    case idle
    case sent
    /// To be tried again after a pause.
    case later
  }

  private struct State {
    var queue: SpanQueue
    var counts = SpanCounts()
    /// What went wrong last, told once.
    var fault: String?
  }

  private let reader: LogReader
  private let last: @Sendable () -> Position
  private let scope: SpanScope
  private let providers: @Sendable () -> ControlState
  private let receiver: any SpanReceiver
  private let logger: Logger
  private let sideline = Sideline(label: "signalbox.spans", limit: 2)
  private let state: Mutex<State>

  /// Begins with what was appended since the log was opened; nothing happens before `run`.
  ///
  /// - Parameter service: `service.name`.
  public convenience init(
    control: ControlPlane, service: String, version: String, receiver: any SpanReceiver,
    logger: Logger
  ) {
    self.init(
      control: control, service: service, version: version, receiver: receiver, logger: logger,
      bounds: SpanQueue.Bounds())
  }

  init(
    control: ControlPlane, service: String, version: String, receiver: any SpanReceiver,
    logger: Logger, bounds: SpanQueue.Bounds
  ) {
    let store = control.store
    reader = store.reader
    last = { store.lastWritten }
    scope = SpanScope(service: service, version: version)
    providers = { control.state }
    self.receiver = receiver
    self.logger = logger
    state = Mutex(State(queue: SpanQueue(after: store.report.last.rawValue, bounds: bounds)))
  }

  /// What became of spans so far.
  public var counts: SpanCounts { state.withLock { $0.counts } }

  /// Sends what is new, about once a second, until the task is cancelled.
  public func run() async {
    var seconds = 1
    while !Task.isCancelled {
      switch await step() {
      case .sent:
        seconds = 1
        continue
      case .idle: seconds = 1
      case .later: seconds = min(seconds * 2, 30)
      }
      for second in 1...seconds {
        // A pause between looks or tries, which only cancelling ends early; tests call `step`.
        do { try await Task.sleep(for: .seconds(1)) } catch { return }
        // What waits is bounded between tries as well; what went wrong is told by the next one.
        if second < seconds { _ = try? await sideline.run { [self] in try look() } }
      }
    }
  }

  /// Sends what is left, as far as the collector takes it within two seconds.
  public func finish() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { while !Task.isCancelled, await self.step() == .sent {} }
      // The bound of the wait: cancelled as soon as everything is sent.
      group.addTask { try? await Task.sleep(for: .seconds(2)) }
      await group.next()
      group.cancelAll()
    }
  }

  /// Sends the oldest batch.
  func step() async -> Step {
    let batch: Batch
    do {
      let read = try await sideline.run { [self] in
        try look()
        return try next()
      }
      guard let read else { return .idle }
      batch = read
    } catch {
      note("the log cannot be read")
      return .later
    }
    let count = UInt64(batch.spans.count)
    guard count > 0 else {
      state.withLock { $0.queue.remove(batch.run) }
      return .sent
    }
    let delivery = await receiver.take(scope.document(batch.spans).bytes)
    switch delivery {
    case .taken(let rejected):
      let failed = min(rejected, count)
      note(failed == 0 ? nil : "the collector rejects some")
      state.withLock { state in
        state.queue.remove(batch.run)
        state.counts.exported += count - failed
        state.counts.failed += failed
      }
      return .sent
    case .refused(let why):
      note(why)
      state.withLock { state in
        state.queue.remove(batch.run)
        state.counts.failed += count
      }
      return .sent
    case .later(let why):
      note(why)
      return .later
    }
  }

  /// Says once when something goes wrong, and once when it does no more.
  private func note(_ fault: String?) {
    let isNew = state.withLock { state in
      defer { state.fault = fault }
      return state.fault != fault
    }
    guard isNew else { return }
    if let fault {
      logger.warning(
        "spans are not taken; requests are not concerned", metadata: ["cause": "\(fault)"])
    } else {
      logger.info("spans are taken again")
    }
  }

  private struct Batch: Sendable {
    var spans: [JSONValue]
    var run: SpanQueue.Run
  }

  /// Looks through what was appended since the last look.
  private func look() throws {
    var queue = state.withLock { $0.queue }
    let end = last()
    guard end.rawValue > queue.position else { return }
    var dropped: UInt64 = 0
    var outline = RequestOutline()
    try reader.scan(from: Position(queue.position).next, through: end) { entry in
      guard case .event(let stored) = entry,
        (try? outline.read(kind: stored.kind, bytes: stored.payload)) == true,
        // A trace that its client does not keep would begin with us.
        outline.trace?.isSampled != false
      else { return .continue }
      dropped += queue.add(
        stored.position.rawValue, spans: 1 + UInt64(outline.attempts.count),
        bytes: UInt64(stored.payload.count))
      return .continue
    }
    queue.position = end.rawValue
    state.withLock { state in
      state.queue = queue
      state.counts.dropped += dropped
    }
  }

  /// The oldest batch; nil: there is none.
  private func next() throws -> Batch? {
    guard let run = state.withLock({ $0.queue.runs.first }) else { return nil }
    var batch = Batch(spans: [], run: run)
    let state = providers()
    try reader.scan(from: Position(run.first), through: Position(run.last)) { entry in
      guard case .event(let stored) = entry, stored.kind.hasPrefix("request.finished."),
        let recorded = try? Recorded(
          position: stored.position.rawValue, time: UnixNanoseconds(stored.time),
          kind: stored.kind, bytes: stored.payload),
        case .request(.finished(let fact)) = recorded.event, fact.trace?.isSampled != false
      else { return .continue }
      batch.spans += RequestSpans(fact, position: stored.position, state).json
      return .continue
    }
    return batch
  }
}
