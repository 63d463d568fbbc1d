import NIOCore
import NIOPosix
import NIOSSL

/// The connections of one loop to one origin: unused ones are kept, last used first out.
final class UpstreamLane {
  let origin: UpstreamEndpoint.Origin
  private let pool: UpstreamPool
  private var idle: [UpstreamConnection] = []
  /// Connections being opened, those that nobody waits for any more among them.
  private var connecting = 0
  private var open = IndexedSet<UpstreamConnection>()

  init(origin: UpstreamEndpoint.Origin, pool: UpstreamPool) {
    self.origin = origin
    self.pool = pool
  }

  var openCount: Int { open.count }

  /// An unused connection that is still open; nil if there is none.
  func takeIdle() -> UpstreamConnection? {
    while let connection = idle.popLast() {
      connection.isPooled = false
      if connection.isOpen { return connection }
    }
    return nil
  }

  /// Opens a connection and hands it over, or says why not, later on this loop.
  ///
  /// The call can be given up by cancelling the pending connect; then nobody hears of it any more.
  func connect(_ done: @escaping (Result<UpstreamConnection, UpstreamFailure>) -> Void)
    -> PendingConnect
  {
    let pending = PendingConnect(done)
    let options = pool.options
    guard connecting < max(1, options.maxConnectsWaiting) else {
      pool.eventLoop.assumeIsolated().execute { pending.complete(.failure(.tooManyConnects)) }
      return pending
    }
    connecting += 1
    pool.counters.upstreamConnects.count()
    let bootstrap = ClientBootstrap(group: pool.eventLoop)
      .connectTimeout(options.upstreamConnectTimeout)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      // What was read when a client stops reading waits for it: no more than one buffer, not several.
      .channelOption(.maxMessagesPerRead, value: 1)
    let channel: EventLoopFuture<any Channel> =
      if let address = try? SocketAddress(ipAddress: origin.host, port: origin.port) {
        bootstrap.connect(to: address)
      } else {
        bootstrap.connect(host: origin.host, port: origin.port)
      }
    channel.assumeIsolated().whenComplete { result in
      self.connecting -= 1
      switch result {
      case .success(let channel): self.connected(channel, pending)
      case .failure(let error): pending.complete(.failure(Self.failure(of: error)))
      }
    }
    return pending
  }

  private func connected(_ channel: any Channel, _ pending: PendingConnect) {
    guard !pending.isOver else { return channel.close(promise: nil) }
    if pool.options.refusesForbiddenUpstreams, channel.remoteAddress?.isForbiddenUpstream ?? false {
      channel.close(promise: nil)
      return pending.complete(.failure(.addressRefused))
    }
    let connection = UpstreamConnection(lane: self, limits: pool.limits, clock: pool.clock)
    do {
      let pipeline = channel.pipeline.syncOperations
      if origin.isTLS {
        // An address is verified against the certificate's addresses; SNI carries names only.
        let isAddress = (try? SocketAddress(ipAddress: origin.host, port: 0)) != nil
        try pipeline.addHandler(
          NIOSSLClientHandler(
            context: pool.tls, serverHostname: isAddress ? nil : origin.host))
      }
      try pipeline.addHandler(connection)
    } catch {
      channel.close(promise: nil)
      return pending.complete(.failure(.tlsFailed))
    }
    open.insert(connection)
    pending.complete(.success(connection))
  }

  private static func failure(of error: any Error) -> UpstreamFailure {
    switch error {
    case let error as NIOConnectionError:
      if error.connectionErrors.isEmpty { return .nameNotResolved }
      // Without a descriptor no address was tried at all, whatever it would have said.
      if error.connectionErrors.contains(where: { isOurs($0.error) }) { return .machineExhausted }
      return error.connectionErrors.contains { isRefusal($0.error) }
        ? .connectRefused : .connectFailed
    case let error as ChannelError:
      if case .connectTimeout = error { return .connectTimeout }
      return .connectFailed
    default:
      if isOurs(error) { return .machineExhausted }
      return isRefusal(error) ? .connectRefused : .connectFailed
    }
  }

  /// Tables of this machine that are full say nothing about who was to be called.
  private static func isOurs(_ error: any Error) -> Bool {
    guard let code = (error as? IOError)?.errnoCode else { return false }
    return [EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL, EAGAIN].contains(code)
  }

  private static func isRefusal(_ error: any Error) -> Bool {
    (error as? IOError)?.errnoCode == ECONNREFUSED
  }

  // MARK: Told by connections

  func connectionIdle(_ connection: UpstreamConnection) {
    guard idle.count < pool.options.upstreamIdleConnections, !pool.isClosed else {
      return connection.close()
    }
    connection.isPooled = true
    idle.append(connection)
    pool.becameBusy()
  }

  func connectionDetached(_ connection: UpstreamConnection) { pool.becameBusy() }

  func connectionClosed(_ connection: UpstreamConnection) {
    open.remove(connection)
    if connection.isPooled {
      connection.isPooled = false
      idle.removeAll { $0 === connection }
    }
  }

  // MARK: Time

  /// Closes what has been unused, or was being emptied, for too long.
  func sweep(now: Int64) {
    let keep = pool.options.upstreamKeepAlive.nanoseconds
    for connection in open.elements.reversed() {
      let age = now - connection.since
      if connection.isPooled && age > keep || connection.isDetached && age > 2_000_000_000 {
        connection.close()
      }
    }
  }

  /// Closes everything.
  func closeAll() {
    for connection in open.elements.reversed() { connection.close() }
  }
}

/// A connection being opened.
final class PendingConnect {
  private var done: ((Result<UpstreamConnection, UpstreamFailure>) -> Void)?

  init(_ done: @escaping (Result<UpstreamConnection, UpstreamFailure>) -> Void) {
    self.done = done
  }

  /// Answered or given up.
  var isOver: Bool { done == nil }

  func cancel() { done = nil }

  fileprivate func complete(_ result: Result<UpstreamConnection, UpstreamFailure>) {
    guard let done else {
      if case .success(let connection) = result { connection.close() }
      return
    }
    self.done = nil
    done(result)
  }
}
