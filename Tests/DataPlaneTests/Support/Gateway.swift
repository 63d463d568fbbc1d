import Dispatch
import Domain
import EventStore
import NIOCore
import Synchronization
import Testing

@testable import DataPlane

/// A data plane on a real listener, with a real log in a directory of its own.
final class Gateway: Sendable {
  let plane: DataPlane
  let store: EventStore
  let board: SnapshotBoard
  let clock: TestClock
  let log: ScriptedLog
  let limiter: Limiter
  private let directory: TemporaryDirectory

  static let key = "sk-client-1"

  private init(
    plane: DataPlane, store: EventStore, board: SnapshotBoard, clock: TestClock, log: ScriptedLog,
    limiter: Limiter, directory: TemporaryDirectory
  ) {
    self.plane = plane
    self.store = store
    self.board = board
    self.clock = clock
    self.log = log
    self.limiter = limiter
    self.directory = directory
  }

  /// Starts a gateway, runs `body` and stops it; the body's requests must be over by then.
  static func run(
    _ configuration: Configuration, options change: (inout DataPlaneOptions) -> Void = { _ in },
    fallback: any Fallback = EchoFallback(), limiter: Limiter = Limiter(Ledger()),
    health: TestHealth? = nil,
    _ body: (Gateway) async throws -> Void
  ) async throws {
    let directory = try TemporaryDirectory()
    let store = try EventStore.open(directory: directory.path + "/log", options: StoreOptions())
    let log = ScriptedLog(store)
    let clock = TestClock()
    let board = SnapshotBoard(configuration.published)
    health?.start(configuration, board)
    var options = DataPlaneOptions(port: 0)
    options.loops = 1
    options.version = "test"
    change(&options)
    let plane = try await DataPlane.start(
      options: options, board: board, log: log, fingerprinter: PlainFingerprinter(),
      fallback: fallback, limiter: limiter, health: health, clock: clock)
    let gateway = Gateway(
      plane: plane, store: store, board: board, clock: clock, log: log,
      limiter: limiter, directory: directory)
    do {
      try await body(gateway)
    } catch {
      log.release()
      await plane.shutdown(drain: .zero)
      try? store.close()
      directory.remove()
      throw error
    }
    log.release()
    await plane.shutdown(drain: .seconds(5))
    try store.close()
    directory.remove()
  }

  func client(reads: Bool = true) async throws -> TestClient {
    try await TestClient.connect(port: plane.port, reads: reads)
  }

  /// Returns when the gateway has read all that lay at its sockets before this call; for one loop.
  func caughtUp() async throws {
    let client = try await client()
    // By its second answer the loop has looked at every socket since the first.
    for _ in 1...2 { _ = try await client.ping() }
    await client.close()
  }

  /// All events of requests so far, in order.
  func events() throws -> [RequestEvent] {
    try store.reader.refresh()
    var events: [RequestEvent] = []
    try store.reader.scan(from: Position(1), through: nil) { entry in
      guard case .event(let stored) = entry else { throw Failure(text: "gap") }
      let recorded = try Recorded(
        position: stored.position.rawValue, time: UnixNanoseconds(stored.time), kind: stored.kind,
        bytes: stored.payload)
      if case .event(.request(let event)) = recorded.content { events.append(event) }
      return .continue
    }
    return events
  }

  func finished() throws -> [RequestEvent.Finished] {
    try events().compactMap { if case .finished(let it) = $0 { it } else { nil } }
  }

  /// Waits until `count` requests are over, and answers what was recorded of them.
  func finished(_ count: Int) async throws -> [RequestEvent.Finished] {
    _ = await log.answered.when { $0.filter { $0.hasPrefix("request.finished.") }.count >= count }
    return try finished()
  }

  struct Failure: Error { var text: String }
}

/// Clocks that only tests move, from a start that is a real date.
final class TestClock: GatewayClock {
  private let offset = Mutex<Int64>(0)
  static let start: Int64 = 1_795_000_000_000_000_000

  var wallNanoseconds: Int64 { Self.start + offset.withLock { $0 } }
  var monotonicNanoseconds: Int64 { 1_000_000_000 + offset.withLock { $0 } }

  func advance(_ amount: TimeAmount) { offset.withLock { $0 += amount.nanoseconds } }
}

/// The fingerprint is the key itself: what HMAC makes of it is the vault's business.
struct PlainFingerprinter: KeyFingerprinter {
  func fingerprint(_ key: [UInt8]) -> Fingerprint { Self.of(key) }

  /// Longer ones are folded, so that they differ wherever they differ.
  static func of(_ bytes: some Collection<UInt8>) -> Fingerprint {
    guard bytes.count > 32 else {
      return Fingerprint(Array((Array(bytes) + Array(repeating: 0, count: 32)).prefix(32)))
    }
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    func take(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    for byte in bytes { take(byte) }
    return Fingerprint(
      (0..<32).map { index in
        take(UInt8(index))
        return UInt8(truncatingIfNeeded: hash >> 32)
      })
  }
}

/// Answers with what it was asked.
struct EchoFallback: Fallback {
  func respond(to request: FallbackRequest) async -> FallbackResponse {
    var body = ByteBuffer(string: "\(request.method) \(request.uri) ")
    body.writeImmutableBuffer(request.body)
    return FallbackResponse(statusCode: 200, body: body)
  }
}

/// The real log behind a gate: what is submitted can be held back, or refused.
final class ScriptedLog: RequestLog {
  private enum Mode { case open, held, refusing(StoreError) }
  private struct Held: Sendable {
    var request: AppendRequest
    var sink: any AppendSink
  }
  private struct State {
    var mode = Mode.open
    var held: [Held] = []
  }

  private let store: EventStore
  private let state = Mutex(State())
  private let lookups = DispatchSemaphore(value: 1)
  /// How many looked something up, or began to.
  let lookedUp = Watched(0)
  /// Kinds of the events in the order of their answers.
  let answered = Watched<[String]>([])
  /// Kinds of the events in the order of their submission.
  let submitted = Watched<[String]>([])
  /// What each batch says is missing if it is shed; nil: it may not be.
  let losses = Watched<[UInt64?]>([])
  /// The durabilities asked for.
  let durabilities = Watched<[Durability]>([])

  init(_ store: EventStore) { self.store = store }

  var failure: StoreError? {
    state.withLock { if case .refusing(let error) = $0.mode { error } else { nil } }
  }

  /// Keeps what is submitted from now on.
  func hold() { state.withLock { $0.mode = .held } }

  /// Refuses what is submitted from now on.
  func refuse(_ error: StoreError = StoreError(.full, "no space")) {
    state.withLock { $0.mode = .refusing(error) }
  }

  /// Hands everything over.
  func release() {
    let held = state.withLock { state in
      defer { state.held = [] }
      state.mode = .open
      return state.held
    }
    for item in held { forward(item) }
  }

  /// Lets whoever looks something up wait from now on.
  func holdLookups() { lookups.wait() }
  func releaseLookups() { lookups.signal() }

  func events(forKeys keys: [[UInt8]], newest count: Int) throws(StoreError) -> [[StoredEvent]] {
    lookedUp.change { $0 += 1 }
    lookups.wait()
    defer { lookups.signal() }
    return try store.events(forKeys: keys, newest: count)
  }

  func submit(_ requests: [AppendRequest], sink: any AppendSink) {
    for request in requests { submit(Held(request: request, sink: sink)) }
  }

  private func submit(_ item: Held) {
    let request = item.request
    submitted.change { $0 += request.batch.events.map(\.kind) }
    durabilities.change { $0.append(request.durability) }
    losses.change { $0.append(request.batch.isSheddable ? request.batch.loss : nil) }
    let refusal = state.withLock { state -> Result<Bool, StoreError> in
      switch state.mode {
      case .open: return .success(true)
      case .held:
        state.held.append(item)
        return .success(false)
      case .refusing(let error): return .failure(error)
      }
    }
    switch refusal {
    case .success(true): forward(item)
    case .success(false): break
    case .failure(let error):
      item.sink.completed([AppendCompletion(token: request.token, result: .failure(error))])
    }
  }

  private func forward(_ item: Held) {
    store.submit(
      [item.request],
      sink: Relay(item.sink, answered, item.request.batch.events.map(\.kind)))
  }

  private final class Relay: AppendSink {
    private let sink: any AppendSink
    private let answered: Watched<[String]>
    private let kinds: [String]
    init(_ sink: any AppendSink, _ answered: Watched<[String]>, _ kinds: [String]) {
      self.sink = sink
      self.answered = answered
      self.kinds = kinds
    }
    func completed(_ completions: [AppendCompletion]) {
      // Before the gateway hears of it: whoever sees what it does then finds the event here.
      answered.change { $0 += kinds }
      sink.completed(completions)
    }
  }
}
