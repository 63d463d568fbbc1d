import NIOCore
import NIOSSL

/// Who is served by an upstream connection.
///
/// All calls come on the loop, in the order of the answer.
protocol UpstreamClient: AnyObject {
  /// The request left: for TLS, the handshake is over.
  func upstreamEstablished()
  func upstreamHead(_ head: HTTP1ResponseHead)
  func upstreamBody(_ bytes: ByteBuffer)
  /// The answer is whole; the connection belongs to the pool again.
  func upstreamEnd()
  /// Nothing more was there to be read for now.
  func upstreamReadComplete()
  /// The connection is gone before the answer was whole.
  func upstreamFailed(_ failure: UpstreamFailure)
}

/// One connection to an upstream, on the loop of the requests it serves, one request at a time.
///
/// Idle (in the pool) → `send` → busy → answer whole → idle. A busy one may be detached: the rest of
/// a short answer is then read and dropped, so that the connection can be used again.
final class UpstreamConnection: ChannelInboundHandler, ChannelOutboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private enum State {
    case idle
    case busy(any UpstreamClient)
    /// The rest of the answer is dropped; at most `detachedBytesMax` of it.
    case detached(remaining: Int)
    case closed
  }

  /// What is read of an answer that nobody wants, to save the connection.
  static let detachedBytesMax = 64 << 10

  private let lane: UpstreamLane
  private let clock: any GatewayClock
  private var context: ChannelHandlerContext?
  private var state = State.idle
  private var decoder: ResponseDecoder
  private var input = ByteBuffer()
  private var isKeptAlive = false
  private var sawAnswerByte = false
  private var failure: UpstreamFailure?
  private var isDecoding = false
  private var holdsReads = false
  private var heldRead = false
  /// When the connection became idle or detached.
  private(set) var since: Int64 = 0
  /// Answers before this one came over the same connection.
  private(set) var isReused = false
  /// For TLS: the handshake is over.
  private(set) var isEstablished = false
  /// In the lane's list of idle connections.
  var isPooled = false
  var index = -1

  init(lane: UpstreamLane, limits: HTTP1Limits, clock: any GatewayClock) {
    self.lane = lane
    self.clock = clock
    decoder = ResponseDecoder(limits: limits)
  }

  var isOpen: Bool {
    if case .closed = state { return false }
    return context?.channel.isActive ?? false
  }

  var isDetached: Bool {
    if case .detached = state { return true }
    return false
  }

  /// Sends a request for `client`; the connection is idle.
  func send(_ pieces: [ByteBuffer], method: HTTP1Method, for client: any UpstreamClient) {
    guard let context, isOpen else { return client.upstreamFailed(.closedBeforeAnswer) }
    state = .busy(client)
    sawAnswerByte = false
    decoder.expectResponse(to: method)
    guard let last = pieces.last else { return }
    for piece in pieces.dropLast() { context.write(wrapOutboundOut(piece), promise: nil) }
    if lane.origin.isTLS, !isReused {
      let promise = context.eventLoop.makePromise(of: Void.self)
      promise.futureResult.assumeIsolated().whenSuccess { [weak self] in
        guard let self else { return }
        isEstablished = true
        if case .busy(let client) = state { client.upstreamEstablished() }
      }
      context.writeAndFlush(wrapOutboundOut(last), promise: promise)
    } else {
      context.writeAndFlush(wrapOutboundOut(last), promise: nil)
    }
  }

  /// Stops or resumes reading, because the client takes nothing at the moment.
  func holdReads(_ holds: Bool) {
    guard holds != holdsReads else { return }
    holdsReads = holds
    if !holds, heldRead {
      heldRead = false
      context?.read()
    }
  }

  /// The client of this connection wants nothing more of the answer.
  func detach() {
    guard case .busy = state else { return }
    since = clock.monotonicNanoseconds
    state = .detached(remaining: Self.detachedBytesMax)
    lane.connectionDetached(self)
    holdReads(false)
  }

  /// Ends the connection now; its client hears nothing more.
  func close() {
    if case .closed = state { return }
    state = .closed
    lane.connectionClosed(self)
    context?.close(promise: nil)
  }

  // MARK: Channel

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }

  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func read(context: ChannelHandlerContext) {
    if holdsReads { heldRead = true } else { context.read() }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    if input.readableBytes == 0 { input = bytes } else { input.writeBuffer(&bytes) }
    decode()
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if case .busy(let client) = state { client.upstreamReadComplete() }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if failure == nil {
      let isTLS = error is NIOSSLError || error is BoringSSLError || error is NIOSSLExtraError
      failure = isTLS ? .tlsFailed : .cut
    }
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    guard case .busy(let client) = state else { return close() }
    if failure == nil, case .end? = try? decoder.endOfInput(input) {
      close()
      client.upstreamEnd()
      return
    }
    let tls = failure == .tlsFailed && !sawAnswerByte ? UpstreamFailure.tlsFailed : nil
    close()
    client.upstreamFailed(tls ?? (sawAnswerByte ? .cut : .closedBeforeAnswer))
  }

  private func decode() {
    guard !isDecoding else { return }
    isDecoding = true
    defer { isDecoding = false }
    while true {
      do throws(HTTP1Fault) {
        switch state {
        case .closed:
          input.clear()
          return
        case .idle:
          // Bytes that answer nothing: whatever they are, the connection cannot be trusted.
          if input.readableBytes > 0 { close() }
          return
        case .busy(let client):
          if input.readableBytes > 0 { sawAnswerByte = true }
          switch try decoder.next(&input) {
          case .needMore: return
          case .informational: break
          case .head(let head):
            isKeptAlive = head.keepsAlive
            client.upstreamHead(head)
          case .body(let slice): client.upstreamBody(slice)
          case .end:
            becomeIdle()
            client.upstreamEnd()
          }
        case .detached(let remaining):
          switch try decoder.next(&input) {
          case .needMore: return
          case .informational: break
          case .head(let head): isKeptAlive = head.keepsAlive
          case .body(let slice):
            guard slice.readableBytes <= remaining else { return close() }
            state = .detached(remaining: remaining - slice.readableBytes)
          case .end: becomeIdle()
          }
        }
      } catch {
        guard case .busy(let client) = state else { return close() }
        close()
        client.upstreamFailed(.malformedAnswer)
        return
      }
    }
  }

  /// The answer is whole: back to the pool, unless the connection is spoilt.
  private func becomeIdle() {
    let isUnsent = (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0 > 0
    guard isKeptAlive, input.readableBytes == 0, !isUnsent else { return close() }
    holdReads(false)
    isReused = true
    since = clock.monotonicNanoseconds
    state = .idle
    lane.connectionIdle(self)
  }
}
