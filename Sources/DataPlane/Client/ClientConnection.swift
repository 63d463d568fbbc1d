import Domain
import NIOCore
import Surface
import Synchronization

/// One client's connection: reads requests one by one, gives each to an exchange or to the fallback, and
/// writes what these answer.
///
/// Reading: head → body (collected or dropped) → whole → head. The next request is looked at only
/// when this one is whole and its answer is over; pipelined bytes wait, and beyond a bound are not
/// read. A connection that ends before its input is read lingers, so that the answer arrives.
final class ClientConnection: ChannelInboundHandler, ChannelOutboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private enum Reading {
    case head
    /// Body bytes are kept.
    case collecting
    /// Body bytes are dropped: the answer is given already.
    case dropping
    /// The request is whole.
    case whole
    /// The answer was the last; what still comes is dropped until the client closes.
    case lingering
    case closed
  }

  private enum Serving {
    case nothing
    case exchange(Exchange)
    case fallback(FallbackCall)
  }

  /// What is read ahead of pipelined requests.
  static let readAheadBytes = 64 << 10
  /// An unwanted body up to this size is read to its end, so that the connection can be kept.
  static let droppedBodyBytes = 64 << 10
  /// How long a connection lingers.
  static let lingerNanoseconds: Int64 = 5_000_000_000

  let context: LoopContext
  let role: ListenerRole
  /// The client's address without port; empty if unknown.
  private(set) var remoteAddress = ""
  var index = -1

  private var channelContext: ChannelHandlerContext?
  private let isRefused: Bool
  private var decoder: RequestDecoder
  private var input = ByteBuffer()
  private var reading = Reading.head
  private var serving = Serving.nothing
  private var answerIsOver = false
  private var keepsAlive = true
  private var isProcessing = false
  private var heldRead = false
  private var bodyLimit = Int.max
  private var body = ByteBuffer()
  /// Of the request being read or answered: what is counted as held.
  private var heldBytes = 0
  /// When the wait in progress is over; `.max`: none.
  private var deadline = Int64.max
  /// When the body in hand must be here.
  private var bodyBy = Int64.max
  private var hasHeadBytes = false
  private var lastBuffered = 0
  private var stalledSince = Int64.max

  init(context: LoopContext, role: ListenerRole, isRefused: Bool) {
    self.context = context
    self.role = role
    self.isRefused = isRefused
    decoder = RequestDecoder(limits: context.plane.limits)
  }

  private var options: DataPlaneOptions { context.plane.options }
  private func now() -> Int64 { context.plane.clock.monotonicNanoseconds }

  // MARK: What answers ask for

  var isOpen: Bool { channelContext?.channel.isActive ?? false }
  var isWritable: Bool { channelContext?.channel.isWritable ?? false }
  /// Whether the next answer may say that the connection stays.
  var willKeepAlive: Bool { keepsAlive && !context.isDraining }

  /// Bytes written that the socket has not accepted.
  var bufferedBytes: Int {
    guard let channel = channelContext?.channel else { return 0 }
    return (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
  }

  func write(_ pieces: [ByteBuffer]) {
    guard let channelContext else { return }
    for piece in pieces where piece.readableBytes > 0 {
      channelContext.write(wrapOutboundOut(piece), promise: nil)
    }
  }

  func flush() { channelContext?.flush() }

  /// Calls `done` once the socket has accepted everything written, with whether it has.
  func whenAccepted(_ done: @escaping (Bool) -> Void) {
    guard let channelContext, isOpen else { return done(false) }
    if bufferedBytes == 0 { return done(true) }
    let promise = channelContext.eventLoop.makePromise(of: Void.self)
    promise.futureResult.assumeIsolated().whenComplete { result in
      if case .success = result { done(true) } else { done(false) }
    }
    channelContext.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: promise)
  }

  /// The answer to the request in hand is written; `close`: it was the connection's last.
  func answerFinished(close: Bool) {
    serving = .nothing
    releaseBody()
    if close || !willKeepAlive { return end() }
    switch reading {
    case .whole: answerIsOver = true
    case .dropping: answerIsOver = true
    case .head, .collecting, .lingering, .closed: return end()
    }
    process()
  }

  /// Ends the connection at once; what was not accepted is lost.
  func abort() {
    serving = .nothing
    releaseBody()
    reading = .closed
    channelContext?.close(promise: nil)
  }

  // MARK: Channel

  func handlerAdded(context channelContext: ChannelHandlerContext) {
    self.channelContext = channelContext
    remoteAddress = channelContext.channel.remoteAddress?.ipAddress ?? ""
    if channelContext.channel.isActive { opened() }
  }

  func handlerRemoved(context channelContext: ChannelHandlerContext) {
    self.channelContext = nil
    context.closed(self)
  }

  func channelActive(context channelContext: ChannelHandlerContext) { opened() }

  private func opened() {
    guard index < 0, reading == .head else { return }
    context.opened(self)
    deadline = now() + options.headTimeout.nanoseconds
    if isRefused {
      answerFault(.overloaded, status: ErrorCode.overloaded.status, message: nil)
    } else if context.isDraining {
      abort()
    }
  }

  func channelInactive(context channelContext: ChannelHandlerContext) {
    reading = .closed
    input.clear()
    let left = serving
    serving = .nothing
    switch left {
    case .nothing: break
    case .exchange(let exchange): exchange.clientGone()
    case .fallback(let call): call.cancel()
    }
    releaseBody()
    context.closed(self)
  }

  func errorCaught(context channelContext: ChannelHandlerContext, error: any Error) {
    // A reset or a failed write; the channel is inactive next.
    channelContext.close(promise: nil)
  }

  func channelWritabilityChanged(context channelContext: ChannelHandlerContext) {
    let isWritable = channelContext.channel.isWritable
    stalledSince = isWritable ? .max : now()
    if case .exchange(let exchange) = serving { exchange.clientWritable(isWritable) }
  }

  func read(context channelContext: ChannelHandlerContext) {
    if reading == .whole, input.readableBytes > Self.readAheadBytes {
      heldRead = true
    } else {
      channelContext.read()
    }
  }

  func channelRead(context channelContext: ChannelHandlerContext, data: NIOAny) {
    guard reading != .lingering, reading != .closed else { return }
    var bytes = unwrapInboundIn(data)
    if input.readableBytes == 0 { input = bytes } else { input.writeBuffer(&bytes) }
    process()
  }

  // MARK: Reading requests

  private func process() {
    guard !isProcessing else { return }
    isProcessing = true
    defer { isProcessing = false }
    while true {
      do throws(HTTP1Fault) {
        switch reading {
        case .head:
          switch try decoder.next(&input) {
          case .head(let head): begin(head)
          case .needMore: return waitForHead()
          case .body, .end: return
          }
        case .collecting:
          switch try decoder.next(&input) {
          case .body(let slice): collect(slice)
          case .end: requestIsWhole()
          case .needMore, .head: return
          }
        case .dropping:
          switch try decoder.next(&input) {
          case .body: awaitBody()
          case .end: reading = .whole
          case .needMore, .head: return
          }
        case .whole:
          guard answerIsOver else { return }
          nextRequest()
        case .lingering, .closed:
          input.clear()
          return
        }
      } catch {
        faulted(error)
      }
    }
  }

  private func waitForHead() {
    if input.readableBytes > 0, !hasHeadBytes {
      hasHeadBytes = true
      deadline = now() + options.headTimeout.nanoseconds
    }
  }

  private func nextRequest() {
    answerIsOver = false
    hasHeadBytes = false
    decoder.bodyLimit = .max
    reading = .head
    deadline = now() + options.idleTimeout.nanoseconds
    if input.readableBytes == 0 { input = ByteBuffer() }
    if heldRead {
      heldRead = false
      channelContext?.read()
    }
  }

  private func begin(_ head: HTTP1RequestHead) {
    keepsAlive = head.keepsAlive
    context.refreshRouting()
    let operation = role == .main ? Admission.operation(of: head) : nil
    bodyLimit =
      operation == nil
      ? FallbackCall.bodyBytes(of: head) : Int(context.routing.snapshot.settings.maxBodyBytes)
    reading = .collecting
    bodyBy = now() + options.bodyTotalTimeout.nanoseconds
    awaitBody()
    if let operation {
      let exchange = Exchange(head: head, operation: operation, connection: self)
      serving = .exchange(exchange)
      exchange.begin()
    } else {
      serving = .fallback(FallbackCall(head: head, connection: self))
    }
    guard reading == .collecting else { return }
    if case .length(let length) = head.framing, length > bodyLimit {
      return refuse(.bodyTooLarge, status: 413, message: tooLarge)
    }
    decoder.bodyLimit = bodyLimit
    if head.expectsContinue, input.readableBytes == 0, let channelContext {
      channelContext.writeAndFlush(
        wrapOutboundOut(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n")), promise: nil)
    }
  }

  private var tooLarge: String { "The body is larger than the limit of \(bodyLimit) bytes." }

  private func awaitBody() {
    deadline = min(now() + options.bodyTimeout.nanoseconds, bodyBy)
  }

  private func collect(_ slice: ByteBuffer) {
    awaitBody()
    let held = context.plane.counters.heldBodyBytes.wrappingAdd(
      slice.readableBytes, ordering: .relaxed
    ).newValue
    heldBytes += slice.readableBytes
    guard held <= options.maxHeldBodyBytes else {
      return refuse(.overloaded, status: 503, message: nil)
    }
    if body.readableBytes == 0 { body = slice } else { body.writeImmutableBuffer(slice) }
  }

  private func requestIsWhole() {
    reading = .whole
    deadline = .max
    let body = self.body
    self.body = ByteBuffer()
    switch serving {
    case .nothing: end()
    case .exchange(let exchange): exchange.requestIsWhole(body)
    case .fallback(let call): call.start(body)
    }
  }

  /// Counts what else is held for the request until its body is released; false: there is no room for it.
  func hold(_ count: Int) -> Bool {
    let counters = context.plane.counters
    let held = counters.heldBodyBytes.wrappingAdd(count, ordering: .relaxed).newValue
    guard held <= options.maxHeldBodyBytes else {
      counters.heldBodyBytes.wrappingSubtract(count, ordering: .relaxed)
      return false
    }
    heldBytes += count
    return true
  }

  /// The request's body is no longer needed: for another attempt, or at all.
  ///
  /// `kept`: bytes of what was made of it and is needed until the answer's end.
  func releaseBody(keeping kept: Int = 0) {
    body = ByteBuffer()
    guard heldBytes > kept else { return }
    context.plane.counters.heldBodyBytes.wrappingSubtract(heldBytes - kept, ordering: .relaxed)
    heldBytes = kept
  }

  /// The exchange is denied before its body was read: what comes of it is dropped.
  ///
  /// A short rest is read to its end, so that the connection can be kept; otherwise this answer is the last.
  func dropBody(of head: HTTP1RequestHead) {
    guard reading == .collecting else { return }
    reading = .dropping
    releaseBody()
    switch head.framing {
    case .none: break
    case .length(let length) where length <= Self.droppedBodyBytes && !head.expectsContinue: break
    case .length, .chunked, .untilClose: keepsAlive = false
    }
  }

  /// Answers the request in hand with an error; the connection ends.
  private func refuse(_ code: ErrorCode, status: Int, message: String?) {
    keepsAlive = false
    releaseBody()
    if reading != .closed { reading = .dropping }
    switch serving {
    case .exchange(let exchange): exchange.deny(code, status: status, message: message)
    case .fallback(let call):
      call.cancel()
      answerFault(code, status: status, message: message, to: call.head)
    case .nothing: answerFault(code, status: status, message: message)
    }
  }

  /// The client's bytes are not HTTP as we take it; nothing after them can be read.
  private func faulted(_ fault: HTTP1Fault) {
    let isInBody = reading == .collecting
    let wasDropping = reading == .dropping
    input.clear()
    if wasDropping {
      keepsAlive = false
      reading = .lingering
      deadline = now() + Self.lingerNanoseconds
      if case .nothing = serving { end() }
      return
    }
    let code: ErrorCode =
      switch fault.status {
      case 413: .bodyTooLarge
      case 431: .headTooLarge
      default: .malformedRequest
      }
    let message = fault.status == 413 && isInBody ? tooLarge : fault.reason
    if !isInBody { context.plane.counters.malformedHeads.count() }
    // The decoder gives nothing more: what comes is dropped unread.
    refuse(code, status: fault.status, message: message)
    if reading == .dropping { reading = .lingering }
    deadline = now() + Self.lingerNanoseconds
  }

  /// An answer outside of any exchange, and the connection's last; `head`, if it was read so far.
  private func answerFault(
    _ code: ErrorCode, status: Int, message: String?, to head: HTTP1RequestHead? = nil
  ) {
    let wall = context.plane.clock.wallNanoseconds
    let id = RequestID(context.ids.next(wallNanoseconds: wall))
    keepsAlive = false
    serving = .nothing
    var answer = AnswerHead(
      status: status, requestID: id,
      clientRequestID: head.flatMap { Admission.clientRequestID(of: $0) },
      keepsAlive: false)
    answer.shouldRetry = code.isRetryable
    let shape = head.map { ErrorShape(path: $0.path) } ?? .openAI
    answer.isAnthropic = shape == .anthropic
    let body = shape.body(
      code, status: status, message: message,
      requestID: answer.clientRequestID ?? uuidText(id.rawValue), retryAfter: answer.waitSeconds)
    write([answer.whole(body, context: context)])
    flush()
    end()
  }

  // MARK: The end

  /// No more requests: closes once everything written is accepted; unread input is waited for.
  private func end() {
    guard reading != .closed else { return }
    let isClean = reading == .whole && input.readableBytes == 0
    if !isClean { reading = .lingering }
    keepsAlive = false
    deadline = now() + Self.lingerNanoseconds
    input.clear()
    // A slow client still gets its answer: the stall time-out bounds that.
    if bufferedBytes > 0 { deadline = now() + options.clientStallTimeout.nanoseconds }
    whenAccepted { [weak self] _ in
      guard let self, let channelContext else { return }
      if isClean {
        channelContext.close(promise: nil)
      } else {
        deadline = now() + Self.lingerNanoseconds
        channelContext.close(mode: .output, promise: nil)
      }
    }
  }

  /// The gateway stops: an idle connection ends, a busy one with its answer.
  func drain() {
    switch (reading, serving) {
    case (.head, .nothing) where input.readableBytes == 0: abort()
    case (_, .fallback(let call)): call.drain()
    default: break
    }
  }

  /// The gateway stops now.
  func cut() {
    switch serving {
    case .exchange: break
    case .fallback(let call):
      call.cancel()
      abort()
    case .nothing: abort()
    }
  }

  /// Looks whether a wait took too long.
  func sweep(now: Int64) {
    if !isWritable, isOpen {
      let buffered = bufferedBytes
      if buffered != lastBuffered || stalledSince == .max {
        lastBuffered = buffered
        stalledSince = now
      } else if now - stalledSince > options.clientStallTimeout.nanoseconds {
        channelContext?.close(promise: nil)
        return
      }
    }
    if case .fallback(let call) = serving, call.isStalled(now: now) {
      channelContext?.close(promise: nil)
      return
    }
    guard now > deadline else { return }
    deadline = .max
    switch reading {
    case .head where !hasHeadBytes: abort()
    case .head: answerFault(.requestTimeout, status: 408, message: nil)
    case .collecting: refuse(.requestTimeout, status: 408, message: nil)
    case .dropping:
      keepsAlive = false
      if case .nothing = serving { abort() }
    case .whole, .lingering: if case .nothing = serving { abort() }
    case .closed: break
    }
  }

  // MARK: Fallback

  /// The fallback's answer to `call`.
  func fallbackAnswered(_ call: FallbackCall, _ pieces: [ByteBuffer], keepsAlive: Bool) {
    guard case .fallback(let current) = serving, current === call else { return }
    write(pieces)
    flush()
    answerFinished(close: !keepsAlive)
  }
}
