import Domain
public import EventStore
public import Logging
public import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// The hot path: one listener, admission, routing, the upstream pools and the recording of requests.
///
/// All work of a request happens on the event loop of its client's connection.
public final class DataPlane: Sendable {
  /// The port that is listened on.
  public let port: Int
  /// The port of the second address; nil: there is none.
  public let administrationPort: Int?

  private let plane: PlaneContext
  private let group: MultiThreadedEventLoopGroup
  private let loops: [NIOLoopBound<LoopContext>]
  private let listeners: [any Channel]
  private let stopping = Mutex<Task<Int, Never>?>(nil)

  private init(
    plane: PlaneContext, group: MultiThreadedEventLoopGroup, loops: [NIOLoopBound<LoopContext>],
    listener: any Channel, administration: (any Channel)?
  ) {
    self.plane = plane
    self.group = group
    self.loops = loops
    listeners = [listener] + (administration.map { [$0] } ?? [])
    port = listener.localAddress?.port ?? 0
    administrationPort = administration?.localAddress?.port
  }

  /// Starts to listen.
  ///
  /// - Parameters:
  ///   - limiter: what counts limits and budgets, beginning with what the log tells.
  ///   - health: where the ends of attempts are reported; nil: nobody wants to know.
  ///   - credentials: where a newer credential comes from; nil: from nowhere.
  /// - Throws: the listener's I/O error, or a TLS error for unusable `upstreamTrust`.
  public static func start(
    options: DataPlaneOptions, board: SnapshotBoard, store: EventStore,
    fingerprinter: any KeyFingerprinter, fallback: any Fallback, limiter: Limiter,
    health: (any HealthSink)? = nil, credentials: (any CredentialSource)? = nil, logger: Logger,
    clock: any GatewayClock = SystemGatewayClock()
  ) async throws -> DataPlane {
    try await start(
      options: options, board: board, log: store, fingerprinter: fingerprinter,
      fallback: fallback, limiter: limiter, health: health, credentials: credentials,
      logger: logger,
      clock: clock)
  }

  /// The same on any log.
  static func start(
    options: DataPlaneOptions, board: SnapshotBoard, log: any RequestLog,
    fingerprinter: any KeyFingerprinter, fallback: any Fallback, limiter: any LimitStore,
    health: (any HealthSink)? = nil, credentials: (any CredentialSource)? = nil,
    logger: Logger = Logger(label: "signalbox.dataplane"), clock: any GatewayClock
  ) async throws -> DataPlane {
    let plane = PlaneContext(
      options: options, board: board, log: log, fingerprinter: fingerprinter,
      fallback: fallback, limiter: limiter, health: health, credentials: credentials,
      logger: logger,
      clock: clock,
      tls: try tlsContext(options.upstreamTrust))
    let group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, options.loops))
    plane.lookups.start()
    do {
      var loops: [NIOLoopBound<LoopContext>] = []
      for eventLoop in group.makeIterator() {
        loops.append(
          try await eventLoop.submit {
            NIOLoopBound(LoopContext(plane: plane, eventLoop: eventLoop), eventLoop: eventLoop)
          }.get())
      }
      let main = ListenerAddress(host: options.host, port: options.port)
      let listener = try await listen(main, .main, plane, group, loops)
      var administration: (any Channel)?
      if let address = options.administration {
        administration = try await listen(address, .administration, plane, group, loops)
      }
      return DataPlane(
        plane: plane, group: group, loops: loops, listener: listener,
        administration: administration)
    } catch {
      try? await plane.lookups.shutdownGracefully()
      try? await group.shutdownGracefully()
      throw error
    }
  }

  private static func listen(
    _ address: ListenerAddress, _ role: ListenerRole, _ plane: PlaneContext,
    _ group: MultiThreadedEventLoopGroup,
    _ loops: [NIOLoopBound<LoopContext>]
  ) async throws -> any Channel {
    let byLoop = Dictionary(
      uniqueKeysWithValues: loops.map { (ObjectIdentifier($0.eventLoop), $0) })
    return try await ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: plane.options.backlog)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          guard let loop = byLoop[ObjectIdentifier(channel.eventLoop)] else {
            throw ChannelError.inappropriateOperationForState
          }
          let counters = plane.counters
          // Taken before anything else: of a burst, those within the limit are let in and the rest are not.
          let open = counters.connectionsOpen.wrappingAdd(1, ordering: .relaxed).oldValue
          channel.closeFuture.whenComplete { _ in
            counters.connectionsOpen.wrappingSubtract(1, ordering: .relaxed)
          }
          let isRefused = open >= plane.options.maxConnections
          // Being told so is bounded as well.
          guard open < plane.options.maxConnections + plane.options.refusedConnectionsMax else {
            counters.connectionsRefused.count()
            throw ChannelError.ioOnClosedChannel
          }
          isRefused ? counters.connectionsRefused.count() : counters.connectionsAccepted.count()
          let pipeline = channel.pipeline.syncOperations
          if let identity = plane.options.identity {
            try pipeline.addHandler(NIOSSLServerHandler(context: identity.context))
          }
          try pipeline.addHandler(
            ClientConnection(context: loop.value, role: role, isRefused: isRefused))
        }
      }
      .bind(host: address.host, port: address.port).get()
  }

  private static func tlsContext(_ trust: UpstreamTrust) throws -> NIOSSLContext {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.certificateVerification = .fullVerification
    configuration.minimumTLSVersion = .tlsv12
    configuration.applicationProtocols = ["http/1.1"]
    switch trust {
    case .system: configuration.trustRoots = .default
    case .pem(let bytes):
      configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(bytes))
    }
    return try NIOSSLContext(configuration: configuration)
  }

  /// What was counted since the start.
  public var counts: DataPlaneCounts {
    var counts = plane.counters.counts
    (counts.retriesSaved, counts.retriesRefused) = plane.retries.figures
    if let start = plane.counters.oldestStartedAt {
      counts.oldestRequestMicroseconds =
        UInt64(max(0, plane.clock.monotonicNanoseconds - start)) / 1000
    }
    return counts
  }

  /// Puts a question to an account, on any loop.
  func ask(_ question: ProbeQuestion, of account: AccountID) async -> ModelListReport {
    guard let loop = loops.randomElement() else { return .shuttingDown }
    // Under the lock: a loop that ended would lose the question, so it comes before the stop or not at all.
    let report = stopping.withLock { stop -> EventLoopFuture<ModelListReport>? in
      guard stop == nil else { return nil }
      return loop.eventLoop.flatSubmit {
        let promise = loop.eventLoop.makePromise(of: ModelListReport.self)
        Probe(question, of: account, context: loop.value) { promise.succeed($0) }.start()
        return promise.futureResult
      }
    }
    return (try? await report?.get()) ?? .shuttingDown
  }

  /// How long the log may take to answer the last events before the loops end without it.
  private static let recordingGrace = TimeAmount.seconds(10)

  /// Stops: no new connections or requests, and what is in flight may end within `drain`.
  ///
  /// The rest is cut and recorded as drained. Returns how many requests were cut, once everything is
  /// recorded. Idempotent: every call returns when the first one is done.
  @discardableResult
  public func shutdown(drain: TimeAmount) async -> Int {
    let task = stopping.withLock { task in
      if let task { return task }
      let new = Task { await stop(drain) }
      task = new
      return new
    }
    return await task.value
  }

  private func stop(_ drain: TimeAmount) async -> Int {
    for listener in listeners { try? await listener.close().get() }
    let emptied = loops.map { loop in
      loop.eventLoop.flatSubmit {
        loop.value.beginDrain()
        return loop.value.whenEmpty()
      }
    }
    let waiter = group.any()
    await Self.wait(for: emptied, atMost: drain, on: waiter)
    var cut = 0
    for loop in loops {
      cut += (try? await loop.eventLoop.submit { loop.value.cut() }.get()) ?? 0
    }
    await Self.wait(for: emptied, atMost: Self.recordingGrace, on: waiter)
    if let first = loops.first {
      try? await first.eventLoop.submit { first.value.summariseDenied(everything: true) }.get()
    }
    let recorded = loops.map { loop in loop.eventLoop.flatSubmit { loop.value.whenEmpty() } }
    await Self.wait(for: recorded, atMost: Self.recordingGrace, on: waiter)
    for loop in loops { try? await loop.eventLoop.submit { loop.value.close() }.get() }
    try? await plane.lookups.shutdownGracefully()
    try? await group.shutdownGracefully()
    return cut
  }

  /// Returns when all futures are done or the time is over.
  private static func wait(
    for futures: [EventLoopFuture<Void>], atMost limit: TimeAmount, on eventLoop: any EventLoop
  ) async {
    let isOver = eventLoop.makePromise(of: Void.self)
    // Both ways end here; a promise takes the first and must not be told twice.
    let once = Mutex(false)
    let end: @Sendable () -> Void = {
      let isFirst = once.withLock { done in
        defer { done = true }
        return !done
      }
      if isFirst { isOver.succeed() }
    }
    let timer = eventLoop.scheduleTask(in: limit, end)
    EventLoopFuture.andAllComplete(futures, on: eventLoop).whenComplete { _ in end() }
    try? await isOver.futureResult.get()
    timer.cancel()
  }
}
