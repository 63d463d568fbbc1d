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
  case taken
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
  /// The collector was away for too long.
  public var dropped: UInt64 = 0

  /// None.
  public init() {}
}

/// Tells an OpenTelemetry collector of finished requests, from the log.
///
/// The log is the queue: nothing is held in memory but one batch, and requests are not concerned. A collector that is
/// away is waited for until more than `Bounds.behind` events wait; then batches are dropped, and counted.
public final class SpanExporter: Sendable {
  enum Bounds {
    /// Spans of one batch, about.
    static let spans = 512
    /// Events that are read for one batch at most.
    static let events: UInt64 = 8192
    /// Events that wait while the collector is away.
    static let behind: UInt64 = 65_536
  }

  /// `Bounds.behind`, but for tests.
  private let behind: UInt64

  /// What one step did.
  enum Step: Sendable, Hashable {
    /// There is nothing that is not sent.
    case idle
    case sent
    /// To be tried again after a pause.
    case later
  }

  private struct State {
    var position: Position
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
      behind: Bounds.behind)
  }

  init(
    control: ControlPlane, service: String, version: String, receiver: any SpanReceiver,
    logger: Logger, behind: UInt64
  ) {
    self.behind = behind
    let store = control.store
    reader = store.reader
    last = { store.lastWritten }
    scope = SpanScope(service: service, version: version)
    providers = { control.state }
    self.receiver = receiver
    self.logger = logger
    state = Mutex(State(position: store.report.last))
  }

  /// What became of spans so far.
  public var counts: SpanCounts { state.withLock { $0.counts } }

  /// Sends what is new, about once a second, until the task is cancelled.
  public func run() async {
    var pause = Duration.seconds(1)
    while !Task.isCancelled {
      switch await step() {
      case .sent:
        pause = .seconds(1)
        continue
      case .idle: pause = .seconds(1)
      case .later: pause = min(pause * 2, .seconds(30))
      }
      // A pause between looks or tries, which only cancelling ends early; tests call `step`.
      do { try await Task.sleep(for: pause) } catch { return }
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

  /// Sends one batch.
  func step() async -> Step {
    let from = state.withLock { $0.position }
    let batch: Batch
    do {
      guard let read = try await sideline.run({ [self] in try read(after: from) }) else {
        return .idle
      }
      batch = read
    } catch {
      note("the log cannot be read")
      return .later
    }
    guard !batch.spans.isEmpty else {
      state.withLock { $0.position = batch.end }
      return .sent
    }
    let count = UInt64(batch.spans.count)
    let delivery = await receiver.take(scope.document(batch.spans).bytes)
    switch delivery {
    case .taken:
      note(nil)
      state.withLock { state in
        state.position = batch.end
        state.counts.exported += count
      }
      return .sent
    case .refused(let why):
      note(why)
      state.withLock { state in
        state.position = batch.end
        state.counts.failed += count
      }
      return .sent
    case .later(let why):
      note(why)
      guard last().rawValue - min(last().rawValue, from.rawValue) > behind else {
        return .later
      }
      state.withLock { state in
        state.position = batch.end
        state.counts.dropped += count
      }
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
    var end: Position
  }

  /// nil: there is nothing new.
  private func read(after position: Position) throws -> Batch? {
    let end = min(last().rawValue, position.rawValue + Bounds.events)
    guard end > position.rawValue else { return nil }
    var batch = Batch(spans: [], end: Position(end))
    let state = providers()
    try reader.scan(from: position.next, through: Position(end)) { entry in
      guard case .event(let stored) = entry, stored.kind.hasPrefix("request.finished."),
        let recorded = try? Recorded(
          position: stored.position.rawValue, time: UnixNanoseconds(stored.time),
          kind: stored.kind, bytes: stored.payload),
        case .request(.finished(let fact)) = recorded.event
      else { return .continue }
      batch.spans += RequestSpans(fact, position: stored.position, state).json
      guard batch.spans.count >= Bounds.spans else { return .continue }
      batch.end = stored.position
      return .stop
    }
    return batch
  }
}
