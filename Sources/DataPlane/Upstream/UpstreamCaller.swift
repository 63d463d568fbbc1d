import NIOCore

/// Who makes upstream calls, one at a time: clients' requests, and the probes of accounts.
///
/// What both do alike is here, so that a probe goes the way that traffic goes: a connection that lies unused
/// or a new one, the same waits, and a second try where the first met a connection closed while it lay unused.
protocol UpstreamCaller: UpstreamClient {
  var context: LoopContext { get }
  /// Where the call under way goes; nil: there is none.
  var lane: UpstreamLane? { get }
  var pending: PendingConnect? { get set }
  var upstream: UpstreamConnection? { get set }
  /// When the wait under way is over; `.max`: there is none.
  var deadline: Int64 { get set }
  /// No wait goes on for longer, whatever its own bound; `.max`: none.
  var giveUpAt: Int64 { get }
  /// A call over a connection that was closed unused may be made again, once.
  var mayRetryStale: Bool { get set }

  /// The call's method and bytes.
  func upstreamRequest() -> (method: HTTP1Method, pieces: [ByteBuffer])
  /// The connection stands; with TLS `upstreamEstablished` says so.
  func upstreamConnected()
  /// The call brought no answer.
  func upstreamCallFailed(_ failure: UpstreamFailure)
}

extension UpstreamCaller {
  private var options: DataPlaneOptions { context.plane.options }
  private func now() -> Int64 { context.plane.clock.monotonicNanoseconds }

  /// Starts the call to `lane`.
  func startCall() {
    guard let lane else { return }
    if let idle = lane.takeIdle() { send(over: idle, of: lane) } else { connect(lane) }
  }

  private func connect(_ lane: UpstreamLane) {
    deadline = min(now() + options.upstreamConnectTimeout.nanoseconds, giveUpAt)
    pending = lane.connect { [weak self] result in
      guard let self else { return }
      pending = nil
      switch result {
      case .success(let connection):
        if !lane.origin.isTLS { upstreamConnected() }
        send(over: connection, of: lane)
      case .failure(let failure): upstreamCallFailed(failure)
      }
    }
  }

  private func send(over connection: UpstreamConnection, of lane: UpstreamLane) {
    upstream = connection
    if connection.isReused || !lane.origin.isTLS { awaitHead() }
    let request = upstreamRequest()
    connection.send(request.pieces, method: request.method, for: self)
  }

  /// The request is on its way: the wait for the answer's head begins.
  func awaitHead() {
    deadline = min(now() + options.upstreamHeadTimeout.nanoseconds, giveUpAt)
  }

  /// Part of the answer is here: the wait for the next begins.
  func awaitMore() {
    deadline = min(now() + options.upstreamIdleTimeout.nanoseconds, giveUpAt)
  }

  /// Makes the call again if `former` was closed while it lay unused, as far as anybody can tell; false: the
  /// failure stands.
  func retriesStale(_ failure: UpstreamFailure, over former: UpstreamConnection?) -> Bool {
    guard failure == .closedBeforeAnswer, former?.isReused == true, mayRetryStale, let lane else {
      return false
    }
    mayRetryStale = false
    connect(lane)
    return true
  }

  /// Ends the call because a wait took too long, and says which; nil if there is no call.
  func endOverdueCall(hasHead: Bool) -> UpstreamFailure? {
    deadline = .max
    if let pending {
      pending.cancel()
      self.pending = nil
      return .connectTimeout
    }
    guard let upstream else { return nil }
    self.upstream = nil
    let isHandshake = lane?.origin.isTLS == true && !upstream.isReused && !upstream.isEstablished
    upstream.close()
    if hasHead { return .idleTimeout }
    return isHandshake ? .connectTimeout : .headTimeout
  }

  /// Ends the call, whatever it waits for; nobody hears of it any more.
  func cancelCall() {
    deadline = .max
    pending?.cancel()
    pending = nil
    upstream?.close()
    upstream = nil
  }
}
