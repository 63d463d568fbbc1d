import Domain
import NIOCore
import Surface

/// Forwarding an upstream's answer.
extension Exchange: UpstreamCaller {
  var lane: UpstreamLane? { attempt?.route?.lane }

  var mayRetryStale: Bool {
    get { attempt?.mayRetryStale ?? false }
    set { attempt?.mayRetryStale = newValue }
  }

  func upstreamConnected() {
    guard let started = attempt?.startedAt else { return }
    attempt?.facts.connectMicroseconds = microseconds(since: started)
  }

  func upstreamEstablished() {
    upstreamConnected()
    if phase == .attempting { awaitHead() }
  }

  func upstreamHead(_ head: HTTP1ResponseHead) {
    guard phase == .attempting, let started = attempt?.startedAt else { return }
    attempt?.facts.status = UInt16(clamping: head.status)
    attempt?.facts.firstByteMicroseconds = microseconds(since: started)
    switch AttemptVerdict.of(status: head.status) {
    case .relay:
      phase = .relaying
      begin(head)
    case .failOver(let errorClass, let code):
      closeAttempt(errorClass, code: code)
      let former = upstream
      upstream = nil
      if !tryNext(), phase == .attempting {
        // Which model is missing is for the client to read.
        if errorClass == .model {
          upstream = former
          return collectError(head, errorClass)
        }
        answerRefusal(head, errorClass)
      }
      former?.detach()
    case .answer(let errorClass, let code):
      closeAttempt(errorClass, code: code)
      collectError(head, errorClass)
    }
  }

  /// No account is left, and the last one's refusal is not about the request: it is told in our words.
  ///
  /// What a provider says of our account is nothing that a client could act upon, and may quote our secret;
  /// its 401 would make the client doubt its own key.
  private func answerRefusal(_ head: HTTP1ResponseHead, _ errorClass: ErrorClass) {
    let status = head.status
    if status == 429 {
      return answerError(
        .failed, .rateLimited, errorClass: errorClass,
        retryAfterSeconds: AnswerHead.retryAfter(head.fields))
    }
    answerError(
      .failed, .upstreamError,
      status: (500...599).contains(status) ? status : ErrorCode.upstreamError.status,
      errorClass: errorClass, message: "The provider answered with status \(status).",
      retryAfterSeconds: AnswerHead.retryAfter(head.fields))
  }

  private func collectError(_ head: HTTP1ResponseHead, _ errorClass: ErrorClass) {
    phase = .relaying
    answer = head
    errorBody = ErrorBody(head: head, errorClass: errorClass)
    awaitMore()
  }

  /// A good answer begins; nothing goes out before the relay has something to go.
  private func begin(_ head: HTTP1ResponseHead) {
    answer = head
    if Self.isEventStream(head), !head.isEncoded {
      stream = StreamRelay(hidesUsageChunk: addsUsageOption)
    } else {
      let isBare = self.head.version == .http10 && !Self.hasLength(head)
      relay = BodyRelay(readsAnswer: !head.isEncoded, reserve: isBare ? 1 : 0)
    }
    awaitMore()
    if !connection.isWritable { clientWritable(false) }
  }

  private static func isEventStream(_ head: HTTP1ResponseHead) -> Bool {
    head.fields.withValue(.contentType) { value in
      value.count >= 17
        && UnsafeRawBufferPointer(rebasing: value[0..<17]).equalsIgnoringCase("text/event-stream")
    } ?? false
  }

  private static func hasLength(_ head: HTTP1ResponseHead) -> Bool {
    switch head.framing {
    case .length, .none: true
    case .chunked, .untilClose: false
    }
  }

  func upstreamBody(_ bytes: ByteBuffer) {
    guard phase == .relaying else { return }
    if stream != nil {
      switch stream?.take(bytes) {
      case .continue, nil: break
      case .done: streamDone()
      case .errorFirst: errorInGoodStatus()
      case .frameTooLong:
        upstream?.close()
        upstream = nil
        forwardReleased()
        broke(.frameTooLong)
      }
    } else if relay != nil {
      relay?.take(bytes)
    } else if errorBody != nil {
      takeError(bytes)
    }
  }

  func upstreamReadComplete() {
    guard phase == .relaying else { return }
    if connection.isWritable { awaitMore() }
    forwardReleased()
  }

  func upstreamEnd() {
    guard phase == .relaying else { return }
    upstream = nil
    if let errorBody { return answerUpstreamError(errorBody) }
    if stream != nil {
      forwardReleased()
      switch stream?.finish() {
      case .whole, nil: return completeStream()
      case .empty: return broke(.emptyStream)
      case .unfinished: return broke(.cut)
      }
    }
    let (found, isError) = relay?.verdict() ?? (nil, false)
    if isError, !isCommitted { return errorInGoodStatus() }
    usage = found ?? .notReported
    complete(relay?.held ?? [], isError: isError)
  }

  func upstreamFailed(_ failure: UpstreamFailure) {
    let former = upstream
    upstream = nil
    guard phase == .attempting || phase == .relaying else { return }
    if retriesStale(failure, over: former) { return }
    forwardReleased()
    broke(failure)
  }

  // MARK: Streams

  private func streamDone() {
    forwardReleased()
    // What upstream still sends is the framing's end; the connection can be used again after it.
    let former = upstream
    upstream = nil
    former?.detach()
    completeStream()
  }

  private func completeStream() {
    if let found = stream?.usage { usage = found }
    complete(stream?.end.map { [$0] } ?? [], isError: stream?.sawError ?? false)
  }

  /// Upstream's status is good and its answer an error, of which the client has nothing yet.
  private func errorInGoodStatus() {
    guard
      case .failOver(let errorClass, let code) =
        stream != nil ? AttemptVerdict.errorInStream : .errorInAnswer
    else { return }
    let former = upstream
    upstream = nil
    former?.close()
    closeAttempt(errorClass, code: code)
    resetAnswer()
    if tryNext() { return }
    guard phase == .relaying || phase == .attempting else { return }
    answerError(.failed, .upstreamError, errorClass: errorClass)
  }

  /// Sends on what the relay has set free.
  private func forwardReleased() {
    let pieces: [ByteBuffer]
    if stream != nil {
      pieces = stream?.takeReleased() ?? []
    } else {
      pieces = relay?.takeReleased() ?? []
    }
    guard !pieces.isEmpty else { return }
    if !isCommitted { commitHead(bodyIsWhole: nil) }
    for piece in pieces { writer.body(piece) }
    connection.write(writer.take())
    connection.flush()
  }

  /// The client's answer begins: from here on no other account can take over.
  func commitHead(bodyIsWhole pieces: [ByteBuffer]?) {
    guard let answer else { return }
    isCommitted = true
    body = ByteBuffer()
    connection.releaseBody()
    noteFirstByte()
    var out = answerHead(status: answer.status)
    if key?.diagnostics == true, let attempt {
      out.account = attempt.facts.account.rawValue
      out.snapshot = attempt.facts.snapshot
    }
    out.upstream = answer.fields
    out.isEventStream = stream != nil
    writer.head(out, framing: framing(of: answer, bodyIsWhole: pieces), context: context)
  }

  private func framing(
    of answer: HTTP1ResponseHead, bodyIsWhole pieces: [ByteBuffer]?
  ) -> AnswerHead.Framing {
    if answer.status == 204 { return .none }
    if stream == nil {
      if case .length(let length) = answer.framing { return .length(length) }
      if let pieces { return .length(pieces.reduce(0) { $0 + $1.readableBytes }) }
    }
    return head.version == .http10 ? .untilClose : .chunked
  }

  /// Upstream is complete: once the socket has taken all that came before, the request is recorded.
  ///
  /// `isError`: the answer says so itself, too late for another account.
  private func complete(_ end: [ByteBuffer], isError: Bool) {
    deadline = .max
    let code = stream != nil ? "error_in_stream" : "error_in_answer"
    closeAttempt(isError ? .provider : nil, code: isError ? code : nil)
    phase = .flushing
    // Of an answer that has not begun, nothing is on its way.
    guard isCommitted else { return concludeAnswer(end, isError: isError) }
    connection.whenAccepted { [self] _ in concludeAnswer(end, isError: isError) }
  }

  private func concludeAnswer(_ end: [ByteBuffer], isError: Bool) {
    // A client that went away meanwhile has been dealt with.
    guard phase == .flushing else { return }
    conclude(
      isError ? .failed : .completed, status: answer?.status ?? 200,
      code: isError ? ErrorCode.upstreamError.rawValue : nil,
      errorClass: isError ? .provider : nil, .pieces(end, close: false))
  }

  // MARK: Errors

  private func takeError(_ bytes: ByteBuffer) {
    guard var error = errorBody else { return }
    errorBody = nil
    if error.bytes.readableBytes + bytes.readableBytes > ErrorBody.bytesMax {
      error.isTooLarge = true
      let former = upstream
      upstream = nil
      former?.close()
      return answerUpstreamError(error)
    }
    error.bytes.writeImmutableBuffer(bytes)
    errorBody = error
  }

  /// The request is at fault: the client gets the error as it came if it is an error object, else in our
  /// words.
  func answerUpstreamError(_ error: ErrorBody) {
    deadline = .max
    errorBody = nil
    let status = error.head.status
    let isEncoded = error.head.fields.contains(.contentEncoding)
    let isErrorObject =
      !error.isTooLarge && !isEncoded
      && error.bytes.withUnsafeReadableBytes { UsageScan.scan($0).hasError }
    guard isErrorObject else {
      return answerError(
        .failed, .upstreamError, status: status, errorClass: error.errorClass,
        message: "The provider answered with status \(status).",
        retryAfterSeconds: AnswerHead.retryAfter(error.head.fields))
    }
    var head = answerHead(status: status)
    head.retryAfterSeconds = AnswerHead.retryAfter(error.head.fields)
    conclude(
      .failed, status: status, code: ErrorCode.upstreamError.rawValue,
      errorClass: error.errorClass, .own(head, Array(error.bytes.readableBytesView)))
  }
}
