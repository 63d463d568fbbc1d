import Domain
import EventStore
public import Logging
import Synchronization

/// Keeps one snapshot behind every closed segment, beside the work and never in its way.
///
/// A start then folds one segment at most, and so does a question about any moment. What is missing, damaged
/// or of another version is made again from the snapshot before it; nothing is lost without any of them.
public final class SnapshotKeeper: Sendable {
  private static let look = Duration.seconds(5)
  /// A failure is not repeated sooner; each further one doubles it up to an hour.
  static let retry: Int64 = 60_000_000_000
  private static let retryMax: Int64 = 3_600_000_000_000

  private let control: ControlPlane
  private let logger: Logger
  private let files: SnapshotFiles
  private let sideline = Sideline(label: "signalbox.snapshots", limit: 2)
  private let turnstile = Turnstile(limit: 2)
  private let isStopping = Atomic(false)
  private let state = Mutex(State())

  private struct State {
    /// Where a snapshot was read or written by us and found whole.
    var whole: Set<Position> = []
    /// What the boundary looked at last holds: the next one follows it.
    var last: GatewayProjection?
    /// A life says once in its log that snapshots had to be made again.
    var hasTold = false
    /// When a failure may be repeated, when that was set (a clock that was set back must not put
    /// anything off), and how long the wait was.
    var notBefore: Int64 = .min
    var setAt: Int64 = .min
    var wait: Int64 = 0
  }

  /// What one step did.
  enum Step: Sendable, Hashable {
    /// Nothing is to do, or it is not time to try again.
    case idle
    /// There was a whole one.
    case found(Position)
    /// There is one now, of so many bytes.
    case written(Position, bytes: Int)
    case failed
  }

  /// Nothing happens before it is told to.
  public init(control: ControlPlane, logger: Logger) {
    self.control = control
    self.logger = logger
    files = GatewayProjection.snapshots(of: control.store.reader)
  }

  /// Makes what is missing, then looks again every few seconds, until the task is cancelled.
  ///
  /// On return nothing is being read or written any more.
  public func run() async {
    await withTaskCancellationHandler {
      while !Task.isCancelled {
        let clock = ContinuousClock()
        let began = clock.now
        let pause =
          switch await step() {
          case .idle, .failed: Self.look
          // A large backlog gets half of one core at most.
          case .found, .written: max(clock.now - began, .milliseconds(1))
          }
        // A pause between looks, which only cancelling ends early; tests call `step`.
        do { try await Task.sleep(for: pause) } catch { return }
      }
    } onCancel: {
      isStopping.store(true, ordering: .relaxed)
    }
  }

  /// Looks after one closed segment; a failure is logged and tried again later.
  @discardableResult
  func step() async -> Step {
    let now = control.edge.now().rawValue
    let isPaused = state.withLock { now >= $0.setAt && now < $0.notBefore }
    guard !isPaused else { return .idle }
    do {
      let step = try await turnstile.pass { try await sideline.run { [self] in try next() } }
      if case .written(let position, let bytes) = step {
        state.withLock { $0.wait = 0 }
        logger.debug(
          "snapshot written", metadata: ["position": "\(position)", "bytes": "\(bytes)"])
      }
      return step
    } catch {
      state.withLock {
        $0.wait = min(max($0.wait * 2, Self.retry), Self.retryMax)
        ($0.setAt, $0.notBefore) = (now, now + $0.wait)
      }
      // It has nothing to say of a full disk that others do not say louder.
      let isFull = (error as? StoreError)?.code == .full
      logger.log(
        level: isFull ? .notice : .error,
        "no snapshot could be made; it is tried again, and starts take longer until then",
        metadata: ["error": "\(error)"])
      return .failed
    }
  }

  /// Positions behind which a snapshot belongs: the last event of each segment but the open one.
  private var boundaries: [Position] {
    control.store.reader.segments.dropLast().filter { $0.last >= $0.first }.map(\.last)
  }

  private func next() throws -> Step {
    let boundaries = boundaries
    let present = Set(try files.positions())
    let whole = state.withLock { $0.whole }
    guard let position = boundaries.first(where: { !whole.contains($0) || !present.contains($0) })
    else {
      state.withLock { $0.last = nil }
      return .idle
    }
    switch files.read(at: position, { try GatewayProjection($0) }) {
    case .success(let projection):
      remember(projection, position)
      return .found(position)
    case .failure(.ignored(let why)): tell(why)
    case .failure(.missing): break
    }
    let before = boundaries.last { $0 < position } ?? .origin
    var projection = state.withLock { $0.last } ?? .initial
    if projection.position != before.rawValue {
      projection =
        files.newest(through: before) { try GatewayProjection($0) }.snapshot?.value
        ?? .initial
    }
    try projection.fold(control.store.reader, through: position) {
      isStopping.load(ordering: .relaxed)
    }
    guard projection.position == position.rawValue else { return .idle }
    let bytes = try files.write(projection.encoded(), at: position)
    remember(projection, position)
    return .written(position, bytes: bytes)
  }

  private func remember(_ projection: GatewayProjection, _ position: Position) {
    state.withLock { state in
      state.whole.insert(position)
      state.last = projection
    }
  }

  private func tell(_ why: SnapshotFiles.Ignored) {
    let isFirst = state.withLock { state in
      defer { state.hasTold = true }
      return !state.hasTold
    }
    logger.log(
      level: isFirst ? .notice : .debug, "a snapshot is not used and made again",
      metadata: ["snapshot": "\(why)"])
  }
}
