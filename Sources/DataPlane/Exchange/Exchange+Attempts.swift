import Domain
import NIOCore
import Surface

/// Calling accounts, one after the other.
extension Exchange {
  /// Starts the next attempt; false if there is no account left, or no leave to ask another (or the request was
  /// denied instead).
  func tryNext() -> Bool {
    guard scan != nil || operation.isOfStored else { return false }
    context.refreshRouting()
    let snapshot = context.routing.snapshot
    let isRetry = !attempts.isEmpty
    if isRetry {
      guard callCount < snapshot.settings.maxAttempts, now() < giveUpAt else { return false }
    }
    let wall = UnixNanoseconds(context.plane.clock.wallNanoseconds)
    let facts = RequestFacts(
      model: scan?.model ?? "", organisation: key?.organisation, key: key?.id, operation: operation,
      session: session, owner: links?.owner)
    // Another loop may take a probe's permit between the decision and its taking: then the decision is made
    // again, knowing that. A request that cannot be told to one provider goes on to the next; providers are few.
    var lostPermits = 0
    while lostPermits < Self.lostPermitsMax, attempts.isEmpty || now() < giveUpAt {
      let seed = context.dice.next()
      var local = LiveSource(context, place: place)
      let decided = route(
        snapshot, facts, now: wall, seed: seed, local: &local, tried: tried)
      place = local.place
      switch decided {
      case .failure(let refusal):
        attempts.isEmpty ? deny(refusal, wall) : noteWait(refusal, wall)
        return false
      case .success(let decision):
        var permit: AccountGauges.Permit?
        if let scope = decision.probe {
          permit = context.plane.gauges.takePermit(decision.account, scope, now: now())
          if permit == nil {
            lostPermits += 1
            continue
          }
        }
        // A request that was refused before any call costs nobody anything.
        if isRetry, refusal == nil, !context.plane.retries.take(now: now()) {
          permit.map(context.plane.gauges.giveBack)
          return false
        }
        let facts = Attempt(
          snapshot: snapshot.position, now: wall, seed: seed, local: local.noted,
          account: decision.account, rule: decision.rule, status: nil, errorClass: nil,
          errorCode: nil, connectMicroseconds: nil, firstByteMicroseconds: nil,
          totalMicroseconds: 0)
        if begin(decision, facts, permit, snapshot) { return true }
        guard phase == .attempting else { return false }
        // No other account has more room for it.
        if case .noRoom = refusal { return false }
      }
    }
    if attempts.isEmpty { deny(.noAccountAvailable) }
    return false
  }

  private static let lostPermitsMax = 8

  /// False: the request cannot be told to this account, which is noted.
  private func begin(
    _ decision: RoutingDecision, _ facts: Attempt, _ permit: AccountGauges.Permit?,
    _ snapshot: RoutingSnapshot
  ) -> Bool {
    let account = snapshot.accounts[decision.accountIndex]
    // Routing chooses nobody who could not be asked.
    guard let asked = operation.isOfStored ? .responses : operation.dialect,
      let dialect = snapshot.providers[account.providerIndex].dialect.dialect(for: asked)
    else {
      deny(.unsupportedOperation)
      return false
    }
    let quirks = account.quirks
    omitsUsageOption = !quirks.isEmpty && quirks.contains(.rejectsStreamOptions)
    resetAfter = nil
    if !operation.isOfStored {
      let served = PriceID(provider: decision.provider, model: decision.upstreamModel)
      let pricing = snapshot.pricing
      self.served = served
      price = pricing.prices.isEmpty ? nil : pricing.prices[served].map { ($0, pricing.revision) }
      modelResolved = decision.provider.rawValue + "/" + decision.upstreamModel
    }
    attempt = OpenAttempt(
      facts: facts, startedAt: now(), accountIndex: decision.accountIndex,
      provider: decision.provider, upstreamModel: decision.upstreamModel, dialect: dialect,
      policy: decision.policy, permit: permit, generation: account.generation)
    phase = .attempting
    refusal = translate()
    if let refusal {
      closeAttempt(refusal.verdict)
      return false
    }
    probeBegan()
    callCount += 1
    call()
    return true
  }

  func call() {
    guard let index = attempt?.accountIndex, let dialect = attempt?.dialect else { return }
    let route =
      operation.isOfStored
      ? context.routing.storedRoute(account: index)
      : context.routing.route(account: index, dialect: dialect)
    switch route {
    case .failure(let failure): upstreamCallFailed(failure)
    case .success(let route):
      self.attempt?.route = route
      startCall()
    }
  }

  /// The request as it goes upstream: our own head, the client's body with another model name in it.
  func upstreamRequest() -> (method: HTTP1Method, pieces: [ByteBuffer]) {
    if operation.isOfStored { return storedRequest() }
    guard let scan, let model = attempt?.upstreamModel, let route = attempt?.route else {
      return (.post, [])
    }
    if answerIsTranslated, let translated = translation?.request {
      let out = requestHead(scan, model, route, bodyCount: translated.readableBytes)
      return (.post, [out, translated])
    }
    let bodyPieces = scan.rewrite(
      bodyCount: body.readableBytes, model: model, includeUsage: addsUsageOption)
    let length = bodyPieces.reduce(0) { $0 + $1.count }
    var out = requestHead(scan, model, route, bodyCount: length)
    var pieces: [ByteBuffer] = []
    for piece in bodyPieces {
      switch piece {
      case .inserted(let bytes): out.writeBytes(bytes)
      case .original(let range):
        guard
          let slice = body.getSlice(at: body.readerIndex + range.lowerBound, length: range.count)
        else { continue }
        if range.count <= AnswerWriter.copiedBytes {
          out.writeImmutableBuffer(slice)
        } else {
          pieces.append(out)
          pieces.append(slice)
          out = ByteBuffer()
        }
      }
    }
    if out.readableBytes > 0 { pieces.append(out) }
    return (.post, pieces)
  }

  private func requestHead(
    _ scan: RequestScan, _ model: String, _ route: LoopRouting.UpstreamRoute, bodyCount: Int
  ) -> ByteBuffer {
    var out = ByteBuffer()
    out.reserveCapacity(
      route.head.readableBytes + 160 + min(bodyCount, AnswerWriter.copiedBytes))
    route.begin(model: model, isStream: scan.stream, alt: upstreamAlt, to: &out)
    HTTP1Encoder.field(
      "accept", scan.stream ? "text/event-stream" : "application/json", to: &out)
    passFields(to: &out)
    HTTP1Encoder.contentLength(bodyCount, to: &out)
    HTTP1Encoder.endOfHead(to: &out)
    return out
  }

  /// The usage option is set only where the provider's dialect has one and the client left the choice open.
  var addsUsageOption: Bool {
    guard !omitsUsageOption, let scan else { return false }
    // A translated stream is always asked for its usage.
    if answerIsTranslated { return scan.stream && attempt?.dialect == .chat }
    guard scan.leavesUsageOpen else { return false }
    return attempt?.dialect == .chat || attempt?.dialect == .completions
  }

  /// How Gemini is asked to write a stream: as the client asked, if it asked Gemini.
  var upstreamAlt: String? {
    operation == .generateContent ? Admission.queryValue("alt", of: head) : "sse"
  }

  private func pass(_ name: HTTP1Name, _ text: StaticString, to out: inout ByteBuffer) {
    guard let value = head.fields.value(name) else { return }
    _ = try? HTTP1Encoder.field(text, checked: value, to: &out)
  }

  /// What goes on of the client's head.
  func passFields(to out: inout ByteBuffer) {
    passTrace(to: &out)
    passProtocolFields(to: &out)
  }

  /// The attempt is a span of its own, if spans are told; else nothing stands between the client's and the provider's.
  private func passTrace(to out: inout ByteBuffer) {
    if options.tellsSpans {
      HTTP1Encoder.traceparent(
        trace?.trace ?? id.rawValue, parent: id.span(UInt64(attempts.count + 1)),
        flags: trace?.flags ?? TraceContext.Flag.sampled, to: &out)
    } else if trace != nil {
      pass(.traceparent, "traceparent", to: &out)
    }
    // It says something only beside the `traceparent` that it came with.
    if trace != nil { passAll(.tracestate, "tracestate", to: &out) }
  }

  /// What a client says in the head beside its key, to providers of the protocol that it speaks.
  private func passProtocolFields(to out: inout ByteBuffer) {
    switch attempt?.dialect {
    case .chat, .completions, .embeddings, .responses:
      passAll(.openAIBeta, "openai-beta", to: &out)
    case .messages, .countTokens:
      if head.fields.contains(.anthropicVersion) {
        pass(.anthropicVersion, "anthropic-version", to: &out)
      } else {
        HTTP1Encoder.field("anthropic-version", LoopRouting.anthropicVersion, to: &out)
      }
      passAll(.anthropicBeta, "anthropic-beta", to: &out)
    case .gemini, .inference, nil: break
    }
  }

  private func passAll(_ name: HTTP1Name, _ text: StaticString, to out: inout ByteBuffer) {
    guard head.fields.isRepeated(name) else { return pass(name, text, to: &out) }
    head.fields.forEach { field in
      guard field.known == name else { return }
      _ = try? HTTP1Encoder.field(text, checked: field.value, to: &out)
    }
  }

  /// Notes how the attempt under way went; it is the request's last or not.
  ///
  /// `verdict` nil: its answer was good to the end. `wait`: nanoseconds until upstream takes requests again.
  func closeAttempt(_ verdict: FailureVerdict?, wait: Int64? = nil) {
    guard let attempt = takeAttempt() else { return }
    tell(attempt, verdict, wait: wait)
    close(attempt, verdict?.errorClass, code: verdict?.code)
  }

  func closeAttempt(_ errorClass: ErrorClass?, code: String?) {
    if let attempt = takeAttempt() { close(attempt, errorClass, code: code) }
  }

  /// The attempt under way, which from now on is none; moved, since it holds a dozen texts.
  private func takeAttempt() -> OpenAttempt? {
    var taken: OpenAttempt?
    swap(&taken, &attempt)
    return taken
  }

  private func close(_ attempt: consuming OpenAttempt, _ errorClass: ErrorClass?, code: String?) {
    attempt.facts.errorClass = errorClass
    attempt.facts.errorCode = code
    attempt.facts.totalMicroseconds = microseconds(since: attempt.startedAt)
    attempt.facts.upstreamModel = attempt.upstreamModel
    tried.append(attempt.facts.tried)
    attempts.append(attempt.facts)
  }

  /// The attempt brought no answer, and the client has none yet: another account, or an error.
  func upstreamCallFailed(_ failure: UpstreamFailure) {
    let verdict = failure.verdict
    closeAttempt(verdict)
    if tryNext() { return }
    guard phase == .attempting || phase == .relaying else { return }
    answerError(
      .failed, failure.errorCode, errorClass: verdict.errorClass, wait: othersWait)
  }

  func timedOut() {
    if phase == .judging { return judge() }
    if renewal != nil { return giveUpRenewal() }
    guard let failure = endOverdueCall(hasHead: phase != .attempting) else { return }
    // Whoever had all the time there was is to blame; whoever was given the rest of it is not.
    broke(!attempts.isEmpty && now() >= giveUpAt ? .outOfTime : failure)
  }

  /// The connection is gone or given up before the answer was whole.
  func broke(_ failure: UpstreamFailure) {
    deadline = .max
    guard isCommitted else {
      resetAnswer()
      return upstreamCallFailed(failure)
    }
    stream?.releaseHeld()
    forwardReleased()
    noteUsage()
    let code: ErrorCode = failure == .idleTimeout ? .upstreamTimeout : .upstreamCut
    let verdict = failure.verdict
    closeAttempt(verdict)
    conclude(
      .upstreamCut, status: answer?.status ?? 502, code: code.rawValue,
      errorClass: verdict.errorClass, failureEnd(code))
  }

  /// The answer is beyond our own bound: whoever was asked next would answer alike, and want to be paid as well.
  func answerTooLarge() {
    giveUpAnswer(.answerTooLarge, UpstreamFailure.frameTooLong.verdict)
  }

  /// The gateway reads no more of the answer; nobody else is asked.
  func giveUpAnswer(_ code: ErrorCode, _ verdict: FailureVerdict) {
    upstream?.close()
    upstream = nil
    deadline = .max
    noteUsage()
    closeAttempt(verdict)
    guard isCommitted else { return answerError(.failed, code, errorClass: verdict.errorClass) }
    stream?.releaseHeld()
    forwardReleased()
    conclude(
      .failed, status: answer?.status ?? 200, code: code.rawValue,
      errorClass: verdict.errorClass, failureEnd(code))
  }

  /// Forgets an answer of which nothing went out.
  func resetAnswer() {
    _ = holdAnswer(0)
    answer = nil
    stream = nil
    relay = nil
    translation?.resetAnswer()
    collected = nil
    usage = .notReported
  }
}

extension RequestScan.BodyPiece {
  /// Bytes of the piece.
  var count: Int {
    switch self {
    case .original(let range): range.count
    case .inserted(let bytes): bytes.count
    }
  }
}
