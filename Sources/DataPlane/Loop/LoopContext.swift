import Domain
import EventStore
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// What all loops share.
final class PlaneContext: Sendable {
  let options: DataPlaneOptions
  let limits: HTTP1Limits
  let board: SnapshotBoard
  let log: any RequestLog
  let fingerprinter: any KeyFingerprinter
  let fallback: any Fallback
  let health: (any HealthSink)?
  let credentials: (any CredentialSource)?
  let logger: Logger
  let clock: any GatewayClock
  let limiter: any LimitStore
  let idempotency = IdempotencyKeys()
  let stateOwners = StateOwners()
  /// Reads the log beside the event loops.
  let lookups = NIOThreadPool(numberOfThreads: 1)
  /// Requests that wait for `lookups`.
  let lookupsWaiting = Atomic<Int>(0)
  /// When this life of the gateway began.
  let startedAt: UnixNanoseconds
  let counters = DataPlaneCounters()
  let gauges = AccountGauges()
  let retries = RetryBudget()
  let unauthenticated = Mutex(UnauthenticatedMeter())
  let tls: NIOSSLContext

  init(
    options: DataPlaneOptions, board: SnapshotBoard, log: any RequestLog,
    fingerprinter: any KeyFingerprinter, fallback: any Fallback, limiter: any LimitStore,
    health: (any HealthSink)?, credentials: (any CredentialSource)?, logger: Logger,
    clock: any GatewayClock, tls: NIOSSLContext
  ) {
    self.options = options
    self.board = board
    self.log = log
    self.fingerprinter = fingerprinter
    self.fallback = fallback
    self.health = health
    self.credentials = credentials
    self.logger = logger
    self.clock = clock
    self.limiter = limiter
    startedAt = UnixNanoseconds(clock.wallNanoseconds)
    self.tls = tls
    limits = HTTP1Limits(
      headBytes: min(max(options.maxHeadBytes, 64), 65_535),
      targetBytes: min(max(options.maxHeadBytes, 64), 8 << 10))
  }
}

/// What belongs to one event loop: touched on that loop only.
final class LoopContext {
  let plane: PlaneContext
  let eventLoop: any EventLoop
  let pool: UpstreamPool
  let recorder: Recorder
  private(set) var routing: LoopRouting
  var keys = KeyCache()
  private var limits: [KeyID: KeyLimits] = [:]
  var ids: IDGenerator
  var dice: LoopDice
  var date = HTTPDate()
  private(set) var connections = IndexedSet<ClientConnection>()
  private(set) var inFlight = IndexedSet<Exchange>()
  private(set) var probes = IndexedSet<Probe>()
  private(set) var isDraining = false
  private var hasFastSweep = false
  private var hasSlowSweep = false
  private let oldest: OldestRequest
  private var emptied: [EventLoopPromise<Void>] = []
  /// The shared counters that this loop has met.
  private var turns: [String: AccountGauges.Turns] = [:]

  /// Requests in flight are looked at this often.
  static let fastSweep = TimeAmount.milliseconds(50)
  /// Connections are looked at this often.
  static let slowSweep = TimeAmount.milliseconds(500)
  /// A request in flight for longer is recorded as dispatched.
  static let dispatchedAfterNanoseconds: Int64 = 100_000_000

  init(plane: PlaneContext, eventLoop: any EventLoop) {
    self.plane = plane
    self.eventLoop = eventLoop
    oldest = plane.counters.oldestOfLoop()
    pool = UpstreamPool(
      eventLoop: eventLoop, options: plane.options, clock: plane.clock, counters: plane.counters,
      tls: plane.tls)
    recorder = Recorder(
      mode: plane.options.recording, log: plane.log, eventLoop: eventLoop,
      counters: plane.counters, logger: plane.logger)
    var system = SystemRandomNumberGenerator()
    ids = IDGenerator(dice: LoopDice(seed: (system.next(), system.next())))
    dice = LoopDice(seed: (system.next(), system.next()))
    let first = plane.board.newest(after: 0)
    routing = LoopRouting(
      generation: first?.generation ?? 0, routing: first?.routing ?? plane.board.newest,
      version: plane.options.version, pool: pool)
    pool.onBusy = { [unowned self] in startSlowSweep() }
    recorder.onIdle = { [unowned self] in announceIfEmpty() }
  }

  /// Takes the newest routing view; called at each request head and each attempt.
  func refreshRouting() {
    guard let newer = plane.board.newest(after: routing.generation) else { return }
    routing = LoopRouting(
      generation: newer.generation, routing: newer.routing, version: plane.options.version,
      pool: pool)
    keys.clear()
    limits.removeAll(keepingCapacity: true)
  }

  /// What a key of the snapshot in force is counted in.
  func limits(of key: Key) -> KeyLimits {
    if let known = limits[key.id] { return known }
    let snapshot = routing.snapshot
    let found = plane.limiter.counters(
      of: key, organisation: snapshot.organisation(key.organisation), position: snapshot.position,
      monotonic: plane.clock.monotonicNanoseconds)
    limits[key.id] = found
    return found
  }

  /// The next place in the order of a group's requests; nil: nobody counts them.
  func turn(of group: String) -> UInt64? {
    if let known = turns[group] { return known.take() }
    guard let new = plane.gauges.turns(of: group) else { return nil }
    turns[group] = new
    return new.take()
  }

  func nextEventID(wall: Int64) -> EventID { EventID(ids.next(wallNanoseconds: wall)) }

  // MARK: What is going on

  func opened(_ connection: ClientConnection) {
    connections.insert(connection)
    startSlowSweep()
  }

  func closed(_ connection: ClientConnection) {
    guard connection.index >= 0 else { return }
    connections.remove(connection)
    announceIfEmpty()
  }

  func began(_ exchange: Exchange) {
    inFlight.insert(exchange)
    plane.counters.requestsStarted.count()
    startFastSweep()
  }

  func ended(_ exchange: Exchange) {
    inFlight.remove(exchange)
    plane.counters.requestsFinished.count()
    announceIfEmpty()
  }

  func began(_ probe: Probe) {
    probes.insert(probe)
    startFastSweep()
  }

  func ended(_ probe: Probe) { probes.remove(probe) }

  // MARK: Time

  private func startFastSweep() {
    guard !hasFastSweep else { return }
    hasFastSweep = true
    eventLoop.assumeIsolated().scheduleTask(in: Self.fastSweep) { [weak self] in
      guard let self else { return }
      hasFastSweep = false
      let now = plane.clock.monotonicNanoseconds
      // An exchange may end while it is looked at, which moves another one to its place.
      for exchange in inFlight.elements { exchange.sweep(now: now) }
      // Here rather than at each beginning and end: a request pays nothing for it.
      let first = inFlight.elements.reduce(Int64.max) { min($0, $1.startedAt) }
      oldest.startedAt.store(first, ordering: .relaxed)
      for probe in probes.elements { probe.sweep(now: now) }
      if !inFlight.isEmpty || !probes.isEmpty { startFastSweep() }
    }
  }

  func startSlowSweep() {
    guard !hasSlowSweep else { return }
    hasSlowSweep = true
    eventLoop.assumeIsolated().scheduleTask(in: Self.slowSweep) { [weak self] in
      guard let self else { return }
      hasSlowSweep = false
      let now = plane.clock.monotonicNanoseconds
      for connection in connections.elements { connection.sweep(now: now) }
      pool.sweep(now: now)
      summariseDenied(everything: false)
      let hasDenied = plane.unauthenticated.withLock { !$0.isEmpty }
      if !connections.isEmpty || pool.openCount > 0 || hasDenied { startSlowSweep() }
    }
  }

  /// Records what the meter counted instead of recording it one by one.
  func summariseDenied(everything: Bool) {
    let now = plane.clock.monotonicNanoseconds
    let summaries = plane.unauthenticated.withLock { meter in
      meter.isEmpty ? [] : meter.sweep(monotonic: now, everything: everything)
    }
    let wall = plane.clock.wallNanoseconds
    for summary in summaries {
      record(
        .deniedSummary(summary), .requestDeniedSummary, wall: wall, loss: summary.count)
    }
  }

  /// Records an event that nobody waits for.
  ///
  /// - Parameter loss: how many requests the log does not tell the end of without it.
  func record(_ event: RequestEvent, _ kind: WireKind, wall: Int64, loss: UInt64) {
    let event = Event.request(event)
    _ = recorder.submit(
      id: nextEventID(wall: wall), kind: kind, time: wall, lookupKeys: event.lookupKeys,
      payload: encode(event, .system), loss: loss, waiter: nil)
  }

  // MARK: The end

  /// No more requests on idle connections; those in flight are the last of theirs.
  func beginDrain() {
    isDraining = true
    for connection in connections.elements { connection.drain() }
  }

  /// Cuts what is still going on; returns how many requests that were.
  func cut() -> Int {
    for probe in probes.elements { probe.cut() }
    let exchanges = inFlight.elements
    var count = 0
    for exchange in exchanges where exchange.cut() { count += 1 }
    for connection in connections.elements { connection.cut() }
    return count
  }

  /// Succeeds once no connection, no request and no unanswered event is left.
  func whenEmpty() -> EventLoopFuture<Void> {
    let promise = eventLoop.makePromise(of: Void.self)
    emptied.append(promise)
    announceIfEmpty()
    return promise.futureResult
  }

  private func announceIfEmpty() {
    guard !emptied.isEmpty, connections.isEmpty, inFlight.isEmpty, recorder.outstanding == 0
    else { return }
    let promises = emptied
    emptied = []
    for promise in promises { promise.succeed() }
  }

  /// Closes what is kept for later requests.
  func close() {
    pool.close()
    for probe in probes.elements { probe.cut() }
    recorder.close()
  }
}
