import Domain
import EventStore
import NIOCore
import Surface
import Synchronization

/// One inference request, from its head to the last byte of its answer.
///
/// It tries accounts until one answers, forwards that answer, and keeps its end back until the request's
/// one `finished` is in the log. What to do after an attempt is `FailureVerdict`'s to say, what of an
/// answer may go is the relays'; this class performs it. Lives on the loop of its connection.
final class Exchange {
  enum Phase {
    /// The request is not whole.
    case reading
    /// In strict mode, under a budget or with an `Idempotency-Key`: the log was not read, or `dispatched` is
    /// not in it.
    case announcing
    /// No account has answered.
    case attempting
    /// Upstream refused: what it says is being read, the client has nothing.
    case judging
    /// Upstream's answer is being read; it may or may not have begun to go out.
    case relaying
    /// The answer is complete; the socket has not accepted all but its end.
    case flushing
    /// `finished` is not in the log.
    case recording
    case over
  }

  /// What is withheld until `finished` is in the log.
  enum End {
    /// Pieces of the answer in hand, then its framing's end; `close`: the connection's last.
    case pieces([ByteBuffer], close: Bool)
    /// A whole answer of ours.
    case own(AnswerHead, [UInt8])
    /// Nothing can be said any more: the connection is cut.
    case abort
  }

  let context: LoopContext
  let connection: ClientConnection
  let head: HTTP1RequestHead
  let operation: Operation
  let id: RequestID
  /// The client's own id: of the head, or of the body where the form has one.
  var clientRequestID: String?
  /// The trace that the client named.
  let trace: TraceContext?
  let receivedAt: UnixNanoseconds
  let startedAt: Int64
  var index = -1

  var phase = Phase.reading
  var key: Key?
  var scan: RequestScan?
  var body = ByteBuffer()
  var modelAsked = ""
  var modelResolved: String?
  var requestBytes: UInt64 = 0
  var queueMicroseconds: UInt64 = 0
  var firstByteMicroseconds: UInt64?
  var usage = TokenUsage.notReported
  var attempts: [Attempt] = []
  /// Those of them that were more than a refusal of ours.
  var callCount = 0
  var tried: [Tried] = []
  /// Failures that may be the request's own: told only when another account serves it.
  var doubts: [Doubt] = []
  var isDispatched = false
  var limitState: LimitState?
  /// What it refers to; nil: nothing.
  var links: StateLinks?
  /// Of the key that this request has claimed.
  var idempotency: IdempotencyMark?
  /// When the wait for upstream is over; `.max`: there is none.
  var deadline = Int64.max
  /// When the answer must have begun; `.max`: it has.
  var giveUpAt = Int64.max
  /// A hash of the session that the client named, where something is decided by it.
  var session: UInt64?
  /// The request's place in the order of its group, once it was drawn.
  var place: UInt64?
  /// The model that the last attempt asked for.
  var served: PriceID?
  /// Its price when it was asked for, and the version of the prices; nil: none is known.
  var price: (price: Price, version: UInt64)?
  /// Nanoseconds until the first account may be asked again that was not asked; nil: unknown.
  var othersWait: Int64?
  /// Who was out of the question when nobody else was left, and why.
  var othersLeft: [RoutingRefusal.Rejection] = []

  // The attempt under way.
  var attempt: OpenAttempt?
  var pending: PendingConnect?
  var upstream: UpstreamConnection?

  // The answer.
  var writer = AnswerWriter()
  /// Since when nothing of a stream went to the client.
  var quietSince = Int64.max
  var answer: HTTP1ResponseHead?
  /// Where an account was asked in another protocol than the client's.
  var translation: TranslatedExchange?
  /// Where the request has a thought that the providers of its own protocol would refuse; nil: that was not looked for.
  var foreignPlace: String??
  var stream: StreamRelay?
  var relay: BodyRelay?
  /// Upstream's refusal, while it is read.
  var collected: CollectedError?
  /// A refusal of the credential, while a newer one is asked for.
  var renewal: Renewal?
  /// Nanoseconds to wait, as the last refusal's body said.
  var resetAfter: Int64?
  /// Why the request was not translated for the last account for which it was to be.
  var refusal: TranslationRefusal?
  /// The account under way rejected the usage option.
  var omitsUsageOption = false
  var isCommitted = false
  /// Counted of what is held of an answer that is not whole.
  var answerBytesHeld = 0

  // The end.
  var end = End.abort
  /// It is recorded as completed: what then fails to arrive is recorded too.
  var isCompleted = false

  /// What is known of an attempt while it goes on.
  struct OpenAttempt {
    var facts: Attempt
    var startedAt: Int64
    var accountIndex: Int
    var provider: ProviderID
    var upstreamModel: String
    /// What the account is asked in; another one than the client's has to be translated.
    var dialect: Dialect
    var policy: PolicyID?
    /// It finds out whether the account serves again.
    var permit: AccountGauges.Permit?
    var route: LoopRouting.UpstreamRoute?
    var mayRetryStale = true
    /// Of the credential presented.
    var generation: UInt64
    /// The account was asked again with a newer credential, as it is in the view at this position.
    var renewedAt: UInt64?
  }

  init(head: HTTP1RequestHead, operation: Operation, connection: ClientConnection) {
    self.head = head
    self.operation = operation
    self.connection = connection
    context = connection.context
    let wall = context.plane.clock.wallNanoseconds
    receivedAt = UnixNanoseconds(wall)
    startedAt = context.plane.clock.monotonicNanoseconds
    id = RequestID(context.ids.next(wallNanoseconds: wall))
    clientRequestID = Admission.clientRequestID(of: head)
    trace = Admission.trace(of: head)
  }

  var options: DataPlaneOptions { context.plane.options }
  func now() -> Int64 { context.plane.clock.monotonicNanoseconds }
  func microseconds(since start: Int64) -> UInt64 { UInt64(max(0, now() - start)) / 1000 }

  // MARK: The request

  /// The head is here: finds out who is asking.
  func begin() {
    context.began(self)
    switch Admission.identity(
      of: head, operation: operation, wall: receivedAt.rawValue, context: context)
    {
    case .anonymous: break
    case .key(let key): self.key = key
    case .refused(let refusal):
      connection.dropBody(of: head)
      return refuseUnauthenticated(ErrorCode(refusal))
    }
    if operation.goesUpstream,
      context.plane.counters.requestsInFlight > UInt64(max(1, options.maxRequestsInFlight))
    {
      connection.dropBody(of: head)
      return deny(.overloaded)
    }
    if operation.goesUpstream, let encoding = head.fields.value(.contentEncoding),
      !encoding.readableBytesView.elementsEqual("identity".utf8)
    {
      connection.dropBody(of: head)
      return deny(
        .unsupportedMediaType, message: "A content encoding is not supported; send the body as is.")
    }
  }

  /// Unauthenticated floods are counted instead of recorded one by one.
  private func refuseUnauthenticated(_ code: ErrorCode) {
    let isRecorded = context.plane.unauthenticated.withLock {
      $0.admit(
        connection.remoteAddress, monotonic: startedAt, wall: receivedAt.rawValue)
    }
    if !isRecorded { context.startSlowSweep() }
    deny(code, isRecorded: isRecorded)
  }

  /// The body is here too.
  func requestIsWhole(_ body: ByteBuffer) {
    guard phase == .reading else { return }
    requestBytes = UInt64(body.readableBytes)
    if let dialect = operation.dialect { return admit(body, dialect) }
    if operation.isOfStored { return askOwner(body) }
    switch operation {
    case .listModels:
      answerOwn(context.routing.modelList(for: key, as: modelForm, at: receivedAt))
    case .getModel: answerModel()
    case _: deny(.notFound)
    }
  }

  /// All makers' SDKs ask by OpenAI's path, Anthropic's and Google's with a field that only they send.
  private var modelForm: LoopRouting.ModelForm {
    if head.fields.contains(.xGoogAPIKey) || ErrorShape(path: head.path) == .google {
      return .google
    }
    return head.fields.contains(.anthropicVersion) ? .anthropic : .openAI
  }

  /// How the client reads errors.
  private var errorShape: ErrorShape {
    guard operation == .listModels || operation == .getModel else {
      return ErrorShape(path: head.path)
    }
    return switch modelForm {
    case .openAI: .openAI
    case .anthropic: .anthropic
    case .google: .google
    }
  }

  private func answerModel() {
    guard
      case .found(_, let parameters) = Routes.match(method: "GET", path: head.path),
      let name = parameters.first?.value
    else { return deny(.notFound) }
    modelAsked = String(decoding: name.utf8.prefix(256), as: UTF8.self)
    guard let model = context.routing.model(name, for: key, as: modelForm, at: receivedAt)
    else {
      return deny(.modelNotFound, param: "model")
    }
    answerOwn(model)
  }

  private func answerOwn(_ body: ByteBuffer) {
    var head = answerHead(status: 200)
    head.snapshot = key?.diagnostics == true ? context.routing.snapshot.position : nil
    conclude(
      .completed, status: 200, code: nil, errorClass: nil, .own(head, Array(body.readableBytesView))
    )
  }

  private func admit(_ body: ByteBuffer, _ dialect: Dialect) {
    let call = dialect == .gemini ? GeminiCall(path: head.path) : nil
    switch body.withUnsafeReadableBytes({ RequestScan.scan($0, as: dialect, call: call) }) {
    case .failure(let fault):
      return deny(fault.errorCode, message: fault.message, param: fault.field)
    case .success(let scan):
      self.scan = scan
      modelAsked = scan.model
      self.body = body
      // The form's own label goes first: a header may be that of a proxy on the way.
      if dialect == .inference,
        let label = body.withUnsafeReadableBytes({ InferenceLabel.find(in: $0) })
      {
        clientRequestID = label
      }
      findState(scan)
    }
  }

  /// Takes the limits, and goes on when the log has what it must have before the first call.
  func letIn() {
    guard takeLimits() else { return }
    let isStrict = context.recorder.mode == .strict
    guard isStrict || reserve != nil || idempotency != nil else { return attemptFirst() }
    if isStrict, context.recorder.failure != nil { return deny(.recordingUnavailable) }
    phase = .announcing
    isDispatched = true
    let isAwaited = submitDispatched(account: nil, waiter: DispatchedWaiter(self))
    if !isAwaited { attemptFirst() }
  }

  func attemptFirst() {
    phase = .attempting
    queueMicroseconds = microseconds(since: startedAt)
    let settings = context.routing.snapshot.settings
    giveUpAt = now() + Int64(settings.requestTimeoutSeconds) * 1_000_000_000
    if settings.fallbackStrategy == .sessionSticky, let scan {
      session = SessionID.hash(head, scan, body, key: key?.id)
    }
    context.plane.retries.requested()
    if !tryNext(), phase == .attempting {
      if let refusal { deny(refusal, othersLeft) } else { deny(.noAccountAvailable) }
    }
  }

  // MARK: The end

  func answerHead(status: Int) -> AnswerHead {
    var head = AnswerHead(
      status: status, requestID: id, clientRequestID: clientRequestID,
      keepsAlive: connection.willKeepAlive)
    head.limits = limitState?.headers ?? .none
    head.isHTTP10 = self.head.version == .http10
    head.isAnthropic =
      switch operation {
      case .messages, .countTokens: true
      case .listModels, .getModel: modelForm == .anthropic
      case _: false
      }
    if key?.diagnostics == true {
      head.account = attempts.last?.account.rawValue
      head.snapshot = attempts.last?.snapshot
      if operation == .inference, 200..<300 ~= status {
        let serving = attempt?.facts.account ?? attempts.last?.account
        head.isFailover = attempts.contains { $0.account != serving }
      }
    }
    return head
  }

  /// The body of an error of ours, as the client's protocol has it.
  func errorBody(
    _ code: ErrorCode, status: Int? = nil, message: String? = nil, param: String? = nil,
    retryAfter: Int? = nil, details: [JSONValue.Member] = []
  ) -> [UInt8] {
    errorShape.body(
      code, status: status, message: message, requestID: toldID, field: param,
      retryAfter: retryAfter, details: details)
  }

  /// The id by which the client knows the request: its own, if it brought one.
  var toldID: String { clientRequestID ?? uuidText(id.rawValue) }

  /// Answers with an error of ours; `wait`: nanoseconds until the same request may do better.
  func answerError(
    _ ending: Ending, _ code: ErrorCode, status: Int? = nil, errorClass: ErrorClass,
    message: String? = nil, param: String? = nil, wait: Int64? = nil, isRetryable: Bool? = nil,
    isRecorded: Bool = true
  ) {
    var head = answerHead(status: status ?? code.status)
    head.shouldRetry = isRetryable ?? code.isRetryable
    head.wait(nanoseconds: wait)
    let body = errorBody(
      code, status: head.status, message: message, param: param, retryAfter: head.waitSeconds)
    conclude(
      ending, status: head.status, code: code.rawValue, errorClass: errorClass, .own(head, body),
      isRecorded: isRecorded)
  }

  /// Refuses the request without an upstream call.
  func deny(
    _ code: ErrorCode, status: Int? = nil, message: String? = nil, param: String? = nil,
    errorClass: ErrorClass? = nil, wait: Int64? = nil, isRecorded: Bool = true
  ) {
    guard phase == .reading || phase == .announcing || phase == .attempting else { return }
    let status = status ?? code.status
    answerError(
      .denied, code, status: status,
      errorClass: errorClass ?? (status < 500 ? .client : .gateway), message: message,
      param: param, wait: wait, isRecorded: isRecorded)
  }

  /// The request is decided: records it, and sends `end` when it is in the log.
  func conclude(
    _ ending: Ending, status: Int, code: String?, errorClass: ErrorClass?, _ end: End,
    isRecorded: Bool = true
  ) {
    self.end = end
    deadline = .max
    if !doubts.isEmpty { dropDoubts() }
    releaseRequest()
    _ = holdAnswer(0)
    // What is written from here on leaves as soon as the event is in the log.
    if case .abort = end {} else { noteFirstByte() }
    // Whoever reads it finds the last attempt's model in `modelResolved`.
    if let last = attempts.indices.last { attempts[last].upstreamModel = nil }
    let cost = price?.price.microUSD(of: usage)
    let finished = RequestEvent.Finished(
      id: id, clientRequestID: clientRequestID, organisation: key?.organisation, key: key?.id,
      remoteAddress: connection.remoteAddress, operation: operation, modelAsked: modelAsked,
      modelResolved: modelResolved, isStream: scan?.stream ?? false, receivedAt: receivedAt,
      attempts: attempts, status: UInt16(clamping: status), ending: ending, errorCode: code,
      errorClass: errorClass, usage: usage,
      priceVersion: cost.flatMap { _ in price?.version }, costMicroUSD: cost,
      requestBytes: requestBytes,
      responseBytes: writer.bodyBytes + endBytes(end), queueMicroseconds: queueMicroseconds,
      firstByteMicroseconds: firstByteMicroseconds,
      totalMicroseconds: microseconds(since: startedAt), session: session,
      limits: limitState?.readings ?? [], reserve: reserve, idempotency: idempotency,
      trace: trace)
    settleLimits(finished)
    releaseIdempotencyKey(finished)
    phase = .recording
    isCompleted = ending == .completed
    let stateKeys = operation == .responses || links != nil ? noteState(finished) : []
    guard isRecorded, submit(finished, stateKeys) else { return sendEnd() }
  }

  private func endBytes(_ end: End) -> UInt64 {
    switch end {
    case .pieces(let pieces, _): UInt64(pieces.reduce(0) { $0 + $1.readableBytes })
    case .own(_, let body): UInt64(body.count)
    case .abort: 0
    }
  }

  private func submit(_ finished: RequestEvent.Finished, _ stateKeys: [[UInt8]]) -> Bool {
    guard context.recorder.mode != .off else { return false }
    var payload: [UInt8] = []
    payload.reserveCapacity(256)
    finished.encode(into: &payload)
    let wall = context.plane.clock.wallNanoseconds
    var keys = Event.lookupKeys(id, clientRequestID, idempotency)
    keys += stateKeys
    return context.recorder.submit(
      id: context.nextEventID(wall: wall), kind: finished.wireKind, time: wall, lookupKeys: keys,
      payload: payload, loss: 1, waiter: self)
  }

  /// Everything is decided and recorded as far as the mode asks for: the client gets the end.
  private func sendEnd() {
    guard phase == .recording else { return }
    guard connection.isOpen else {
      if isCompleted { deliveryFailed("client_gone") }
      return over { $0.abort() }
    }
    var end = End.abort
    swap(&end, &self.end)
    switch end {
    case .abort: over { $0.abort() }
    case .own(let head, let body):
      writer.whole(head.whole(body, context: context), bodyBytes: body.count)
      deliver(close: !head.keepsAlive)
    case .pieces(let pieces, let close):
      if !isCommitted { commitHead(bodyIsWhole: pieces) }
      for piece in pieces { writer.body(piece) }
      writer.end()
      deliver(close: close || writer.framing == .untilClose)
    }
  }

  private func deliver(close: Bool) {
    connection.write(writer.take())
    connection.flush()
    guard isCompleted else { return over { $0.answerFinished(close: close) } }
    if !connection.isOpen {
      deliveryFailed("write_failed")
    } else if connection.bufferedBytes > 0 {
      // The last bytes wait for a slow client: whether it takes them is known later.
      let (context, id) = (context, id)
      connection.whenAccepted { accepted in
        if !accepted { Self.recordDeliveryFailed(id, "client_gone", context) }
      }
    }
    over { $0.answerFinished(close: close) }
  }

  private func deliveryFailed(_ code: String) { Self.recordDeliveryFailed(id, code, context) }

  private static func recordDeliveryFailed(
    _ id: RequestID, _ code: String, _ context: LoopContext
  ) {
    context.record(
      .deliveryFailed(.init(id: id, errorCode: code)), .requestDeliveryFailed,
      wall: context.plane.clock.wallNanoseconds, loss: 1)
  }

  private func over(_ tell: (ClientConnection) -> Void) {
    phase = .over
    context.ended(self)
    tell(connection)
  }

  /// The first byte goes to the client, or would if it were not withheld.
  func noteFirstByte() {
    if firstByteMicroseconds == nil { firstByteMicroseconds = microseconds(since: startedAt) }
  }

  // MARK: Others' happenings

  /// The client's connection is gone.
  func clientGone() { giveUp(.clientHungUp, code: "client_hung_up", errorClass: .client) }

  /// The gateway stops now; false if the request's end was decided already.
  func cut() -> Bool {
    switch phase {
    case .reading, .announcing, .attempting, .judging, .relaying, .flushing:
      giveUp(.drained, code: ErrorCode.shuttingDown.rawValue, errorClass: .gateway)
      return true
    case .recording, .over: return false
    }
  }

  private func giveUp(_ ending: Ending, code: String, errorClass: ErrorClass) {
    switch phase {
    case .recording, .over: return
    case .reading, .announcing, .attempting, .judging, .relaying, .flushing: break
    }
    noteUsage()
    cancelUpstream(errorClass, code: code)
    let status = isCommitted ? answer?.status ?? 499 : ending == .drained ? 503 : 499
    conclude(ending, status: status, code: code, errorClass: errorClass, .abort)
  }

  /// What a stream reported before it broke off counts: the provider charges it.
  func noteUsage() {
    if let found = stream?.usage ?? translation?.stream?.usage { usage = found }
  }

  /// Ends the attempt under way, if there is one.
  private func cancelUpstream(_ errorClass: ErrorClass, code: String) {
    cancelCall()
    if let attempt { giveBack(attempt) }
    closeAttempt(errorClass, code: code)
  }

  func clientWritable(_ isWritable: Bool) {
    upstream?.holdReads(!isWritable)
    // Time in which nothing is read is not upstream's.
    if phase == .relaying {
      deadline = isWritable ? now() + options.upstreamIdleTimeout.nanoseconds : .max
    }
  }

  /// Looks whether the request is to be announced, or a wait took too long.
  func sweep(now: Int64) {
    switch phase {
    case .reading, .announcing, .recording, .over: return
    case .attempting, .judging, .relaying, .flushing: break
    }
    if !isDispatched, now - startedAt > LoopContext.dispatchedAfterNanoseconds {
      isDispatched = true
      _ = submitDispatched(
        account: attempt?.facts.account ?? attempts.last?.account, waiter: nil)
    }
    if now > deadline { return timedOut() }
    keepAlive(now: now)
  }

  /// Returns whether `waiter` will be told.
  private func submitDispatched(account: AccountID?, waiter: DispatchedWaiter?) -> Bool {
    let dispatched = RequestEvent.Dispatched(
      id: id, clientRequestID: clientRequestID, organisation: key?.organisation, key: key?.id,
      operation: operation, modelAsked: modelAsked, receivedAt: receivedAt, account: account,
      reserve: reserve, idempotency: idempotency)
    let wall = context.plane.clock.wallNanoseconds
    return context.recorder.submit(
      id: context.nextEventID(wall: wall), kind: dispatched.wireKind, time: wall,
      lookupKeys: Event.lookupKeys(id, clientRequestID, idempotency),
      // What is missing without it shows in `finished`, which is counted by itself.
      payload: encode(.request(.dispatched(dispatched)), .system),
      durability: context.recorder.mode.dispatchedDurability(
        isBinding: reserve != nil || idempotency != nil), loss: 0, waiter: waiter)
  }
}

extension Exchange: RecordingWaiter {
  func recorded(_ result: Result<AppendReceipt, StoreError>) {
    guard phase == .recording else { return }
    if case .failure = result, context.recorder.mode == .strict { withholdForGood() }
    sendEnd()
  }

  /// `dispatched` is in the log, or cannot be: then only strict mode refuses the request.
  fileprivate func dispatchedRecorded(_ result: Result<AppendReceipt, StoreError>) {
    // A client that went away meanwhile has been dealt with.
    guard phase == .announcing else { return }
    switch result {
    case .failure where context.recorder.mode == .strict: deny(.recordingUnavailable)
    case .success, .failure: attemptFirst()
    }
  }

  /// Strict: what is not recorded is not answered in full.
  private func withholdForGood() {
    isCompleted = false
    if case .abort = end { return }
    if !isCommitted {
      var head = answerHead(status: ErrorCode.recordingUnavailable.status)
      head.shouldRetry = true
      end = .own(head, errorBody(.recordingUnavailable, retryAfter: head.waitSeconds))
    } else {
      end = failureEnd(.recordingUnavailable)
    }
  }

  /// How an answer that has begun tells of a failure of ours.
  func failureEnd(_ code: ErrorCode) -> End {
    if let end = translatedFailure(code.rawValue) { return end }
    return stream != nil ? .pieces([errorFrame(code)], close: true) : .abort
  }
}

/// Waits for a request's `dispatched`, which must not be taken for its `finished`.
private final class DispatchedWaiter: RecordingWaiter {
  private let exchange: Exchange

  init(_ exchange: Exchange) { self.exchange = exchange }

  func recorded(_ result: Result<AppendReceipt, StoreError>) {
    exchange.dispatchedRecorded(result)
  }
}

extension Event {
  /// The lookup keys of an event of one request, without making the event first.
  static func lookupKeys(
    _ id: RequestID, _ client: String?, _ mark: IdempotencyMark?
  ) -> [[UInt8]] {
    var keys = [id.lookupKey]
    if let client { keys.append(lookupKey(clientRequestID: client)) }
    if let mark { keys.append(mark.lookupKey) }
    return keys
  }
}
