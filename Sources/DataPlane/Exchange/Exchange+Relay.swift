import Domain
import NIOCore
import Surface
import Synchronization

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
    guard (200...299).contains(head.status) else { return collectError(head) }
    phase = .relaying
    begin(head)
  }

  /// A good answer begins; nothing goes out before the relay has something to go.
  private func begin(_ head: HTTP1ResponseHead) {
    answer = head
    let isEventStream = Self.isEventStream(head)
    // Gemini streams an array where the client did not ask for events.
    let isArray = !isEventStream && scan?.stream == true && answerDialect == .gemini
    if answerIsTranslated {
      beginTranslated(head, isEventStream: isEventStream)
      // It was no answer.
      guard phase == .relaying else { return }
    } else if operation.isOfStored {
      // Whose tokens it tells were counted when they were used, and a list of items is no answer.
      let isBare = self.head.version == .http10 && !Self.hasLength(head)
      relay = BodyRelay(answerDialect, readsAnswer: false, reserve: isBare ? 1 : 0)
    } else if isEventStream || isArray, !head.isEncoded {
      stream = StreamRelay(answerDialect, hidesUsageChunk: addsUsageOption, isArray: isArray)
    } else {
      let isBare = self.head.version == .http10 && !Self.hasLength(head)
      relay = BodyRelay(answerDialect, readsAnswer: !head.isEncoded, reserve: isBare ? 1 : 0)
    }
    awaitMore()
    if !connection.isWritable { clientWritable(false) }
  }

  /// The form that the account's provider answers in.
  private var answerDialect: Dialect { attempt?.dialect ?? .chat }

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
    if phase == .judging { return takeError(bytes) }
    guard phase == .relaying else { return }
    if answerIsTranslated {
      takeTranslated(bytes)
    } else if stream != nil {
      switch stream?.take(bytes) {
      case .continue, nil: break
      case .done: streamDone()
      case .errorFirst: hidden(.errorInStream, stream?.errorFrame)
      case .errorLater: streamFailed()
      case .withoutContent: hidden(.emptyStream, nil)
      case .frameTooLong: answerTooLarge()
      case .malformed: giveUpStream(.malformedAnswer)
      }
    } else if relay?.take(bytes) == .markup {
      hidden(.errorInAnswer, relay?.kept)
    }
    guard phase == .relaying, !holdAnswer(pendingAnswerBytes) else { return }
    giveUpAnswer(
      .overloaded, FailureVerdict(.gatewayError, code: ErrorCode.overloaded.rawValue))
  }

  /// Bytes of the answer that wait for more of it.
  private var pendingAnswerBytes: Int {
    guard answerIsTranslated, let translation else { return stream?.pendingBytes ?? 0 }
    return translation.stream?.pendingBytes ?? translation.answer?.kept.readableBytes ?? 0
  }

  /// Counts so many bytes of the answer, instead of those before, beside the bodies of requests; false: there is no
  /// room for them.
  ///
  /// Most answers come in small frames: only what is beyond a mebibyte counts.
  func holdAnswer(_ bytes: Int) -> Bool {
    let bytes = max(0, bytes - Self.uncountedAnswerBytes)
    let growth = bytes - answerBytesHeld
    if growth == 0 { return true }
    let held = context.plane.counters.heldBodyBytes.wrappingAdd(growth, ordering: .relaxed).newValue
    if growth > 0, held > options.maxHeldBodyBytes {
      context.plane.counters.heldBodyBytes.wrappingSubtract(growth, ordering: .relaxed)
      return false
    }
    answerBytesHeld = bytes
    return true
  }

  private static let uncountedAnswerBytes = 1 << 20

  func upstreamReadComplete() {
    guard phase == .relaying else { return }
    if connection.isWritable { awaitMore() }
    forwardReleased()
  }

  func upstreamEnd() {
    if phase == .judging { return judge(isWhole: true) }
    guard phase == .relaying else { return }
    upstream = nil
    if answerIsTranslated { return translatedEnded() }
    if stream != nil { return streamEnded() }
    let verdict = relay?.verdict()
    if let fault = verdict?.fault, !isCommitted { return hidden(fault, relay?.kept) }
    usage = verdict?.usage ?? .notReported
    complete(
      relay?.held ?? [],
      verdict?.fault.map { self.verdict(on: $0, relay?.kept ?? ByteBuffer(), status: 200) })
  }

  func upstreamFailed(_ failure: UpstreamFailure) {
    let former = upstream
    upstream = nil
    if phase == .judging { return judge() }
    guard phase == .attempting || phase == .relaying else { return }
    if retriesStale(failure, over: former) { return }
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

  /// Nothing more can be read of it.
  private func giveUpStream(_ failure: UpstreamFailure) {
    upstream?.close()
    upstream = nil
    forwardReleased()
    broke(failure)
  }

  private func streamEnded() {
    switch stream?.finish() {
    case .whole, nil:
      forwardReleased()
      completeStream()
    case .empty: broke(.emptyStream)
    case .unfinished: broke(.cut)
    }
  }

  private func completeStream() {
    noteUsage()
    complete(stream?.end.map { [$0] } ?? [], nil)
  }

  /// Sends on what the relay has set free.
  func forwardReleased() {
    let pieces: [ByteBuffer]
    if let translation, answerIsTranslated {
      pieces = translation.stream?.takeReleased() ?? []
    } else if stream != nil {
      pieces = stream?.takeReleased() ?? []
    } else {
      pieces = relay?.takeReleased() ?? []
    }
    guard !pieces.isEmpty else { return }
    if !isCommitted {
      commitHead(bodyIsWhole: nil)
      quietSince = now()
    } else if deadline != .max {
      // When the upstream's bytes came, without asking the clock again.
      quietSince = deadline - options.upstreamIdleTimeout.nanoseconds
    }
    for piece in pieces { writer.body(piece) }
    connection.write(writer.take())
    connection.flush()
  }

  /// The client's answer begins: from here on no other account can take over.
  func commitHead(bodyIsWhole pieces: [ByteBuffer]?) {
    guard let answer else { return }
    isCommitted = true
    giveUpAt = .max
    releaseRequest()
    noteFirstByte()
    var out = answerHead(status: answer.status)
    if key?.diagnostics == true, let attempt {
      out.account = attempt.facts.account.rawValue
      out.snapshot = attempt.facts.snapshot
    }
    if let translation, answerIsTranslated {
      // Upstream's fields are about another body.
      out.isEventStream = translation.stream != nil && !translation.wantsArray
    } else {
      out.upstream = answer.fields
      out.isEventStream = stream?.isArray == false
    }
    writer.head(out, framing: framing(of: answer, bodyIsWhole: pieces), context: context)
  }

  private func framing(
    of answer: HTTP1ResponseHead, bodyIsWhole pieces: [ByteBuffer]?
  ) -> AnswerHead.Framing {
    if answerIsTranslated {
      if translation?.stream == nil, let pieces {
        return .length(pieces.reduce(0) { $0 + $1.readableBytes })
      }
      return head.version == .http10 ? .untilClose : .chunked
    }
    if answer.status == 204 { return .none }
    if stream == nil {
      if case .length(let length) = answer.framing { return .length(length) }
      if let pieces { return .length(pieces.reduce(0) { $0 + $1.readableBytes }) }
    }
    return head.version == .http10 ? .untilClose : .chunked
  }

  /// The stream has begun and now is an error: the client reads so, in upstream's words where they are about its
  /// request, and no `[DONE]`.
  private func streamFailed() {
    forwardReleased()
    upstream?.close()
    upstream = nil
    noteUsage()
    let frame = stream?.errorFrame ?? ByteBuffer()
    let verdict = verdict(on: .errorInStream, frame, status: 200)
    let isQuoted =
      verdict.showsUpstreamWords && frame.readableBytes <= CollectedError.bytesMax
      && !quotesSecret(frame)
    closeAttempt(verdict)
    var told =
      isQuoted
      ? StreamFrame.bytes(
        quoting: Array(frame.readableBytesView), clientDialect, isArray: streamsArray)
      : StreamFrame.bytes(
        verdict.streamCode, clientDialect, status: verdict.streamStatus, requestID: toldID,
        sequence: stream?.sequence, isArray: streamsArray)
    // What is quoted may be the end that OpenAI's own clients wait for.
    let isEnd =
      isQuoted
      && frame.withUnsafeReadableBytes { UsageScan.type(in: $0)?.elementsEqual("error".utf8) }
        == false
    if !isEnd {
      told += failedResponse(
        verdict.rule == .contextTooLong ? .contextLengthExceeded : verdict.streamCode)
    }
    conclude(
      .failed, status: answer?.status ?? 200, code: ErrorCode.upstreamError.rawValue,
      errorClass: verdict.errorClass, .pieces([ByteBuffer(bytes: told)], close: true))
  }

  /// What follows an error in a stream of Responses; empty for other streams.
  private func failedResponse(_ code: ErrorCode) -> [UInt8] {
    guard let response = stream?.response else { return [] }
    return StreamFrame.failed(response, code, sequence: (stream?.sequence ?? 0) &+ 1)
  }

  /// An error of ours within a stream; nothing follows that would make the answer look whole.
  func errorFrame(_ code: ErrorCode) -> ByteBuffer {
    ByteBuffer(
      bytes: StreamFrame.bytes(
        code, clientDialect, requestID: toldID, sequence: stream?.sequence, isArray: streamsArray)
        + failedResponse(code))
  }

  /// The form that the client reads.
  private var clientDialect: Dialect { operation.dialect ?? .chat }

  /// The client reads the elements of one JSON array.
  private var streamsArray: Bool { stream?.isArray == true }

  /// Says that the stream goes on although its provider is silent: what sits between is known to cut quiet ones.
  func keepAlive(now: Int64) {
    guard phase == .relaying, isCommitted, stream != nil || translation?.stream != nil,
      connection.isWritable,
      quietSince <= now - options.streamKeepAlive.nanoseconds
    else { return }
    quietSince = now
    writer.body(ByteBuffer(staticString: StreamFrame.keepAlive(clientDialect)))
    connection.write(writer.take())
    connection.flush()
  }

  /// The request itself is no longer needed: nobody else is asked.
  func releaseRequest() {
    body = ByteBuffer()
    connection.releaseBody(keeping: translation?.echoedBytes ?? 0)
    translation?.releaseRequest()
  }

  /// Upstream is complete: once the socket has taken all that came before, the request is recorded.
  ///
  /// `verdict`: what is wrong with the answer, found too late for another account.
  func complete(_ end: [ByteBuffer], _ verdict: FailureVerdict?) {
    deadline = .max
    closeAttempt(verdict)
    phase = .flushing
    // Of an answer that has not begun, nothing is on its way.
    guard isCommitted else { return concludeAnswer(end, verdict?.errorClass) }
    connection.whenAccepted { [self] _ in concludeAnswer(end, verdict?.errorClass) }
  }

  private func concludeAnswer(_ end: [ByteBuffer], _ errorClass: ErrorClass?) {
    // A client that went away meanwhile has been dealt with.
    guard phase == .flushing else { return }
    conclude(
      errorClass == nil ? .completed : .failed, status: answer?.status ?? 200,
      code: errorClass.map { _ in ErrorCode.upstreamError.rawValue }, errorClass: errorClass,
      .pieces(end, close: false))
  }
}
