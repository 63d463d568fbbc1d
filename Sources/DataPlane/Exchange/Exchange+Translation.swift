import Domain
import NIOCore
import Surface
import Translation

/// Accounts whose provider speaks another protocol than the client.
extension Exchange {
  /// Writes the request in the protocol of the account under way; the reason if that cannot be done.
  ///
  /// A refusal of ours is nobody's failure: it cools no account, and another may carry the request.
  func translate() -> TranslationRefusal? {
    guard let scan, let client = operation.dialect, let attempt else { return nil }
    guard attempt.dialect != client else {
      translation?.standAside()
      return foreignThoughts(client)
    }
    if translation == nil {
      if case .tooLarge = refusal { return refusal }
      let values = body.withUnsafeReadableBytes(JSONValidator.valueCount)
      if let refusal = admit(values: values, texts: body.readableBytes) { return refusal }
      let translation = TranslatedExchange(
        body, of: client, isStream: scan.stream,
        wantsArray: client == .gemini && upstreamAlt != "sse", facts: answerFacts(scan))
      let more = translation.argumentValues
      if let refusal = admit(values: more, beside: values) { return refusal }
      self.translation = translation
    }
    do throws(TranslationFault) {
      try translation?.begin(
        client: client, provider: attempt.dialect, model: attempt.upstreamModel,
        includesUsage: !omitsUsageOption)
    } catch {
      return .fault(error)
    }
    guard connection.hold(translation?.request.readableBytes ?? 0) else { return .noRoom }
    return nil
  }

  /// Thoughts of another maker's model, which a provider of the client's own protocol would refuse.
  private func foreignThoughts(_ client: Dialect) -> TranslationRefusal? {
    guard client == .responses || client == .messages else { return nil }
    // Where all providers are of one protocol, nobody else thought.
    let providers = context.routing.snapshot.providers
    guard providers.contains(where: { $0.dialect != providers[0].dialect }) else { return nil }
    if foreignPlace == nil {
      foreignPlace = .some(
        body.withUnsafeReadableBytes { ForeignThoughts.place(in: $0, of: client) })
    }
    guard let place = foreignPlace ?? nil else { return nil }
    return .fault(
      TranslationFault(
        .stateBound, place,
        "\(place) is of another maker's model, and this one's provider would refuse it: leave the thought out, or ask a model "
          + "of that maker."))
  }

  /// Makes room for what is made of so many values and texts of so many bytes.
  private func admit(
    values: Int, beside others: Int = 0, texts: Int = 0
  ) -> TranslationRefusal? {
    guard values + others <= TranslatedExchange.valuesMax else { return .tooLarge(values + others) }
    return connection.hold(texts + values * TranslatedExchange.bytesPerValue) ? nil : .noRoom
  }

  /// Why a request was not translated.
  enum TranslationRefusal {
    case fault(TranslationFault)
    /// It has so many values, more than are translated.
    case tooLarge(Int)
    /// As many bytes of requests are held as may be.
    case noRoom

    /// What is noted of the attempt.
    var verdict: FailureVerdict {
      switch self {
      case .fault(let fault):
        FailureVerdict(.badRequest, code: fault.errorCode.rawValue, scope: .nothing)
      case .tooLarge: FailureVerdict(.requestTooLarge, code: ErrorCode.bodyTooLarge.rawValue)
      case .noRoom: FailureVerdict(.gatewayError, code: ErrorCode.overloaded.rawValue)
      }
    }
  }

  private func answerFacts(_ scan: RequestScan) -> AnswerFacts {
    var facts = AnswerFacts(
      model: modelAsked, id: uuidText(id.rawValue).filter { $0 != "-" },
      now: context.plane.clock.wallNanoseconds / 1_000_000_000,
      includesUsage: scan.includeUsage == true, request: .object([]))
    if operation == .inference {
      facts.trace = hexText(trace?.trace ?? id.rawValue)
      facts.span = hexText(id.span(0))
    }
    return facts
  }

  /// No account could carry the request, and none was called that could fail.
  ///
  /// `left`: who could not be chosen. Where time brings back somebody who can carry it, that is what is told.
  func deny(_ refusal: TranslationRefusal, _ left: [RoutingRefusal.Rejection]) {
    switch refusal {
    case .noRoom: deny(.overloaded)
    case .fault(let fault):
      if !isDeniedForNow(left) { deny(fault.errorCode, message: fault.message, param: fault.field) }
    case .tooLarge(let values):
      if isDeniedForNow(left) { return }
      deny(
        .bodyTooLarge,
        message:
          "The body has \(values) JSON values; for this model, whose provider speaks another protocol, it may "
          + "have \(TranslatedExchange.valuesMax). Send fewer, or choose a model whose provider speaks this protocol."
      )
    }
  }

  /// Denies the request until somebody of `left` who can carry it is back; false: nobody is to be waited for.
  private func isDeniedForNow(_ left: [RoutingRefusal.Rejection]) -> Bool {
    let wall = UnixNanoseconds(context.plane.clock.wallNanoseconds)
    var known: [ProviderID: Bool] = [:]
    let able = left.filter { $0.reason.isTimed && isAble($0.account, &known) }
    guard Self.wait(able, wall) != nil else { return false }
    denyForNow(able, wall)
    return true
  }

  /// Whether the request can be told to this account's provider, for one of the models that it may be sent to.
  ///
  /// `known`: of which providers that is known; finding it out is to write the whole request.
  private func isAble(_ account: AccountID, _ known: inout [ProviderID: Bool]) -> Bool {
    let snapshot = context.routing.snapshot
    guard let client = operation.dialect, let scan,
      let account = snapshot.accounts.first(where: { $0.id == account }),
      let dialect = snapshot.providers[account.providerIndex].dialect.dialect(for: client)
    else { return false }
    if dialect == client { return true }
    if let isAble = known[account.provider] { return isAble }
    let targets = snapshot.targets(of: scan.model, organisation: key?.organisation)
    let isAble = targets.contains { target in
      target.provider == account.provider
        && translation?.canBegin(client: client, provider: dialect, model: target.model) == true
    }
    known[account.provider] = isAble
    return isAble
  }

  // MARK: The answer

  /// The answer under way has to be translated.
  var answerIsTranslated: Bool { translation?.translator != nil }

  /// A good answer of another protocol begins.
  func beginTranslated(_ head: HTTP1ResponseHead, isEventStream: Bool) {
    guard let translation, let translator = translation.translator else { return }
    // None was asked for, and what is in it cannot be read.
    if head.isEncoded { return hidden(.malformedAnswer, nil) }
    let wantsStream = scan?.stream == true
    if wantsStream, isEventStream {
      translation.stream = TranslatedStream(
        translator.stream(for: translation.facts, isArray: translation.wantsArray))
    } else {
      // It may be an error in spite of its status: then it is one, whatever was asked for.
      translation.answer = TranslatedBody()
      translation.isOfOtherKind = wantsStream != isEventStream
    }
  }

  func takeTranslated(_ bytes: ByteBuffer) {
    guard let translation else { return }
    if translation.stream != nil {
      follow(translation.stream?.take(bytes) ?? .continue)
    } else {
      switch translation.answer?.take(bytes) {
      case .continue, nil: break
      case .markup: hidden(.errorInAnswer, translation.answer?.kept)
      case .tooLong: answerTooLarge()
      }
    }
  }

  /// Upstream has ended its answer.
  func translatedEnded() {
    guard let translation, let translator = translation.translator else { return }
    if translation.stream != nil { return follow(translation.stream?.finish() ?? .unfinished) }
    guard let answer = translation.answer else { return }
    do throws(AnswerFault) {
      var facts = translation.facts
      facts.milliseconds = microseconds(since: startedAt) / 1000
      facts.price = price?.price
      let whole = try answer.translated(translator, for: facts)
      if translation.isOfOtherKind { throw .malformed }
      usage = whole.usage
      complete([whole.body], nil)
    } catch {
      guard let fault = error.hidden(inStream: false) else {
        usage = usageAtFault(answer.kept)
        return answerTooLarge()
      }
      hidden(
        translation.isOfOtherKind && (error == .broken || error == .notCarried)
          ? .malformedAnswer : fault, answer.kept)
    }
  }

  private func follow(_ step: TranslatedStream.Step) {
    switch step {
    case .continue: break
    case .done:
      forwardReleased()
      upstream?.detach()
      upstream = nil
      noteUsage()
      complete((translation?.stream?.end).map { [$0] } ?? [], nil)
    case .empty: isCommitted ? giveUpTranslated(.cut) : hidden(.emptyStream, nil)
    case .unfinished: giveUpTranslated(.cut)
    case .fault(let fault):
      guard let fault = fault.hidden(inStream: true) else { return answerTooLarge() }
      let frame = translation?.stream?.faultFrame
      isCommitted ? translatedFailed(fault, frame) : hidden(fault, frame)
    case .frameTooLong: answerTooLarge()
    }
  }

  private func giveUpTranslated(_ failure: UpstreamFailure) {
    upstream?.close()
    upstream = nil
    forwardReleased()
    broke(failure)
  }

  /// The stream has begun and now is an error: the client reads of which class, in its own protocol.
  private func translatedFailed(_ fault: HiddenFault, _ frame: ByteBuffer?) {
    forwardReleased()
    upstream?.close()
    upstream = nil
    noteUsage()
    if fault == .answerNotCarried { usage = usageAtFault(frame ?? ByteBuffer()) }
    let verdict = verdict(
      on: fault, frame ?? ByteBuffer(), status: answer?.status ?? 200)
    closeAttempt(verdict)
    let code: ErrorCode =
      switch fault {
      case .malformedAnswer: .upstreamProtocol
      case .answerNotCarried: .answerNotCarried
      case .errorInStream, .errorInAnswer, .emptyStream, .emptyAnswer, .brokenAnswer: .upstreamError
      }
    let name =
      verdict.rule == .contextTooLong
      ? ErrorCode.contextLengthExceeded.rawValue
      : translation?.stream?.failureName.map { Self.told($0, verdict) } ?? code.rawValue
    conclude(
      .failed, status: answer?.status ?? 200, code: code.rawValue, errorClass: verdict.errorClass,
      translatedFailure(name) ?? .abort)
  }

  /// A provider's name for a class of errors, which must not be read as a code of our own.
  private static func told(_ name: String, _ verdict: FailureVerdict) -> String {
    guard ErrorCode(rawValue: name) != nil else { return name }
    return switch verdict.rule {
    // We have no code for it, and all protocols know this word.
    case .overloaded, .modelOverloaded: "overloaded_error"
    case _: verdict.streamCode.rawValue
    }
  }

  /// How a begun translated stream tells of a failure; nil: there is none.
  func translatedFailure(_ name: String) -> End? {
    (translation?.stream?.failure(name)).map { .pieces([$0], close: true) }
  }

  // MARK: Refusals of providers

  /// What a provider of another protocol says of a request that is at fault; nil: nothing that can be repeated.
  func translatedWords(of error: CollectedError) -> String? {
    guard error.isQuotable, !error.head.isEncoded,
      let value = try? JSONValue.parse(Array(error.bytes.readableBytesView)),
      let text = value["error"]?["message"]?.string ?? value["error"]?.string
        ?? value["response"]?["error"]?["message"]?.string
        // As many servers of OpenAI's protocol have it: vLLM, FastAPI.
        ?? value["message"]?.string ?? value["detail"]?.string, !text.isEmpty
    else { return nil }
    return String(text.prefix(Self.wordsMax))
  }

  private static let wordsMax = 4096
}

extension TranslationFault {
  /// The catalogue's code for faults of this kind.
  var errorCode: ErrorCode {
    switch kind {
    case .malformed: .invalidField
    case .notCarried: .notCarried
    // What SDKs know, and go on without.
    case .stateBound: field == "thread" ? .threadUnsupported : .stateNotCarried
    }
  }
}
