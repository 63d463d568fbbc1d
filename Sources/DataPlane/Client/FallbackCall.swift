import Domain
import HTTPTypes
import NIOCore
import Surface

/// One request that the fallback answers, in a task of its own.
final class FallbackCall {
  /// The largest body that the fallback is given.
  static func bodyBytes(of head: HTTP1RequestHead) -> Int {
    guard case .found(let row, _) = Routes.match(method: head.method.text, path: head.path) else {
      return 1 << 20
    }
    return row.endpoint.administrationBodyBytes
  }

  let head: HTTP1RequestHead
  private unowned let connection: ClientConnection
  private let id: RequestID
  private let clientRequestID: String?
  private var task: Task<Void, Never>?

  init(head: HTTP1RequestHead, connection: ClientConnection) {
    self.head = head
    self.connection = connection
    let context = connection.context
    id = RequestID(context.ids.next(wallNanoseconds: context.plane.clock.wallNanoseconds))
    clientRequestID = Admission.clientRequestID(of: head)
  }

  /// The request is whole: asks the fallback.
  func start(_ body: ByteBuffer) {
    let request = FallbackRequest(
      method: HTTPRequest.Method(rawValue: head.method.text) ?? .get, uri: head.target,
      headers: headers(), body: body, remoteAddress: connection.remoteAddress, requestID: id,
      listener: connection.role)
    let eventLoop = connection.context.eventLoop
    let fallback = connection.context.plane.fallback
    let me = NIOLoopBound(self, eventLoop: eventLoop)
    task = Task { await FallbackCall.run(request, by: fallback, me) }
  }

  private static func run(
    _ request: FallbackRequest, by fallback: any Fallback, _ me: NIOLoopBound<FallbackCall>
  ) async {
    let response = await fallback.respond(to: request)
    guard let stream = response.stream else {
      me.eventLoop.execute { me.value.answered(response) }
      return
    }
    var isWanted = await wait(for: me.eventLoop.flatSubmit { me.value.began(response) })
    while isWanted, let piece = await stream.next() {
      isWanted = await wait(for: me.eventLoop.flatSubmit { me.value.send(piece) })
    }
    me.eventLoop.execute { me.value.streamEnded() }
  }

  /// False also if the loop is no more.
  private static func wait(for answer: EventLoopFuture<Bool>) async -> Bool {
    (try? await answer.get()) ?? false
  }

  /// The client went away, or the gateway stops.
  func cancel() {
    task?.cancel()
    isOver = true
  }

  /// The gateway is about to stop: what has no end of its own ends with the piece in hand.
  func drain() {
    guard isStreaming, !isDraining else { return }
    isDraining = true
    drainedAt = connection.context.plane.clock.monotonicNanoseconds
    task?.cancel()
  }

  private var isOver = false
  private var isStreaming = false
  private var isDraining = false
  private var drainedAt: Int64 = 0
  /// Since when the client has not accepted the piece in hand; `.max`: there is none.
  private var pieceSince = Int64.max

  /// How long the piece in hand may take once the gateway is about to stop.
  private static let drainNanoseconds: Int64 = 1_000_000_000

  /// Whether the client took too long over a piece.
  func isStalled(now: Int64) -> Bool {
    guard isStreaming, pieceSince != .max else { return false }
    return isDraining
      ? now - drainedAt > Self.drainNanoseconds
      : now - pieceSince > connection.context.plane.options.clientStallTimeout.nanoseconds
  }

  // MARK: Answers that are made while they are sent

  private var isChunked: Bool { head.version != .http10 }

  /// Sends the head; false: nothing follows it.
  private func began(_ response: FallbackResponse) -> EventLoopFuture<Bool> {
    let eventLoop = connection.context.eventLoop
    guard !isOver else { return eventLoop.makeSucceededFuture(false) }
    guard head.method != .head else {
      answered(response)
      return eventLoop.makeSucceededFuture(false)
    }
    isStreaming = true
    let keepsAlive = isChunked && connection.willKeepAlive
    connection.write([
      answerHead(response, isChunked ? .chunked : .untilClose, keepsAlive: keepsAlive)
    ])
    connection.flush()
    if connection.context.isDraining { drain() }
    return eventLoop.makeSucceededFuture(true)
  }

  /// Sends a piece; true once the client has accepted it.
  private func send(_ piece: ByteBuffer) -> EventLoopFuture<Bool> {
    let context = connection.context
    guard !isOver else { return context.eventLoop.makeSucceededFuture(false) }
    guard piece.readableBytes > 0 else { return context.eventLoop.makeSucceededFuture(true) }
    if isChunked {
      var out = ByteBuffer()
      HTTP1Encoder.chunk(piece, to: &out)
      connection.write([out])
    } else {
      connection.write([piece])
    }
    connection.flush()
    pieceSince = context.plane.clock.monotonicNanoseconds
    let promise = context.eventLoop.makePromise(of: Bool.self)
    connection.whenAccepted { [self] isAccepted in
      pieceSince = .max
      promise.succeed(isAccepted)
    }
    return promise.futureResult
  }

  private func streamEnded() {
    guard !isOver else { return }
    isOver = true
    var out = ByteBuffer()
    if isChunked { HTTP1Encoder.lastChunk(to: &out) }
    connection.fallbackAnswered(
      self, [out], keepsAlive: isChunked && connection.willKeepAlive)
  }

  // MARK: Whole answers

  private func answered(_ response: FallbackResponse) {
    guard !isOver else { return }
    isOver = true
    let keepsAlive = connection.willKeepAlive
    let isBodiless = Self.status(response) == 204 || Self.status(response) == 304
    // Of what would be made while it is sent nobody knows the length.
    let framing: AnswerHead.Framing =
      isBodiless || response.stream != nil ? .none : .length(response.body.readableBytes)
    let out = answerHead(response, framing, keepsAlive: keepsAlive)
    let hasBody = !isBodiless && head.method != .head
    connection.fallbackAnswered(
      self, hasBody ? [out, response.body] : [out], keepsAlive: keepsAlive)
  }

  private static func status(_ response: FallbackResponse) -> Int {
    (200...599).contains(response.status.code) ? response.status.code : 500
  }

  private func answerHead(
    _ response: FallbackResponse, _ framing: AnswerHead.Framing, keepsAlive: Bool
  ) -> ByteBuffer {
    let context = connection.context
    var out = ByteBuffer()
    HTTP1Encoder.statusLine(Self.status(response), to: &out)
    context.date.append(wallNanoseconds: context.plane.clock.wallNanoseconds, to: &out)
    for field in response.headers where !Self.isOurs(field.name) {
      // A field that could split the message is left out; nothing else of the answer changes.
      _ = try? HTTP1Encoder.field(
        checkedName: field.name.rawName.utf8, checked: field.value.utf8, to: &out)
    }
    let idText = uuidText(id.rawValue)
    _ = try? HTTP1Encoder.field("x-request-id", checked: clientRequestID ?? idText, to: &out)
    _ = try? HTTP1Encoder.field("x-signalbox-request-id", checked: idText, to: &out)
    switch framing {
    case .length(let length): HTTP1Encoder.contentLength(length, to: &out)
    case .chunked: HTTP1Encoder.chunkedCoding(to: &out)
    case .untilClose, .none: break
    }
    AnswerHead.connectionField(keepsAlive: keepsAlive, isHTTP10: head.version == .http10, to: &out)
    HTTP1Encoder.endOfHead(to: &out)
    return out
  }

  private static func isOurs(_ name: HTTPField.Name) -> Bool {
    switch name.canonicalName {
    case "content-length", "transfer-encoding", "connection", "keep-alive", "date", "upgrade",
      "trailer", "x-request-id", "x-signalbox-request-id":
      true
    default: false
    }
  }

  private func headers() -> HTTPFields {
    var headers = HTTPFields()
    head.fields.forEach { field in
      guard let name = HTTPField.Name(String(decoding: field.name, as: UTF8.self)) else { return }
      headers.append(
        HTTPField(name: name, value: String(decoding: field.value, as: UTF8.self)))
    }
    return headers
  }
}

extension HTTP1Method {
  /// The method's token as text.
  var text: String { token.description }
}
