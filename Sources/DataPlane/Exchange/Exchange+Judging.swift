import Domain
import NIOCore
import Surface

/// An upstream's refusal as far as it was read.
struct CollectedError {
  var head: HTTP1ResponseHead
  var bytes = ByteBuffer()
  /// Read to its end, and nothing in it that must not go out.
  var isQuotable = false

  /// More is not read: what an error says of itself stands at its start.
  static let bytesMax = 64 << 10
  /// From the head to the end; the verdict does not wait longer for words.
  static let timeout = TimeAmount.seconds(2)
}

/// What can be wrong with an answer in spite of its good status; the words of the log.
enum HiddenFault: String, Sendable, Hashable {
  case errorInStream = "error_in_stream"
  case errorInAnswer = "error_in_answer"
  /// Whole, and no choice in it.
  case emptyStream = "empty_stream"
  case emptyAnswer = "empty_answer"
  /// Of a translated answer: the model made something that is none.
  case brokenAnswer = "broken_answer"
  /// Of a translated answer: it is good, and the client's protocol cannot hold it.
  case answerNotCarried = "answer_not_carried"
  /// Of a translated answer: it breaks its protocol.
  case malformedAnswer = "malformed_answer"
}

/// Answers that are errors: what they mean, and what follows.
extension Exchange {
  /// The status is not good: nothing is decided before the body says why, or too little came in time.
  func collectError(_ head: HTTP1ResponseHead) {
    phase = .judging
    collected = CollectedError(head: head)
    deadline = now() + CollectedError.timeout.nanoseconds
  }

  func takeError(_ bytes: ByteBuffer) {
    guard var error = collected else { return }
    collected = nil
    let room = CollectedError.bytesMax - error.bytes.readableBytes
    if bytes.readableBytes <= room {
      error.bytes.writeImmutableBuffer(bytes)
      collected = error
      return
    }
    if let start = bytes.getSlice(at: bytes.readerIndex, length: room) {
      error.bytes.writeImmutableBuffer(start)
    }
    collected = error
    judge()
  }

  /// What there is of the refusal is read: another account, or an answer.
  func judge(isWhole: Bool = false) {
    guard var error = collected else { return }
    collected = nil
    error.isQuotable = isWhole
    deadline = .max
    // After a whole answer the connection is in the pool, or closed.
    if !isWhole { upstream?.close() }
    upstream = nil
    phase = .attempting
    follow(verdict(on: error.bytes, status: error.head.status), error)
  }

  /// Upstream's status is good and its answer is none, of which the client has nothing yet.
  func hidden(_ fault: HiddenFault, _ bytes: ByteBuffer?) {
    guard let head = answer else { return }
    upstream?.close()
    upstream = nil
    deadline = .max
    let bytes = bytes ?? ByteBuffer()
    let paid = fault == .answerNotCarried ? usageAtFault(bytes) : .notReported
    resetAnswer()
    usage = paid
    phase = .attempting
    var error = CollectedError(head: head, bytes: bytes)
    // A frame is whole, and so is the JSON that can be read; longer ones say more than an error has to.
    error.isQuotable = bytes.readableBytes <= CollectedError.bytesMax
    follow(verdict(on: fault, bytes, status: head.status), error)
  }

  /// What an answer cost of which this part, or all of it, cannot be told.
  func usageAtFault(_ bytes: ByteBuffer) -> TokenUsage {
    let dialect = attempt?.dialect ?? .chat
    let before = translation?.stream?.usage ?? .notReported
    let found = bytes.withUnsafeReadableBytes { UsageScan.scan($0, as: dialect).usage }
    return found?.summed(as: dialect).filled(from: before) ?? before
  }

  /// What a hidden fault means; an error says more of itself than that it is one.
  func verdict(on fault: HiddenFault, _ bytes: ByteBuffer, status: Int) -> FailureVerdict {
    switch fault {
    case .emptyStream, .emptyAnswer, .brokenAnswer, .answerNotCarried, .malformedAnswer:
      return .of(call: fault.rawValue)
    case .errorInStream, .errorInAnswer:
      var verdict = verdict(on: bytes, status: status)
      if verdict.rule == .badAnswer { verdict.code = fault.rawValue }
      return verdict
    }
  }

  private func verdict(on bytes: ByteBuffer, status: Int) -> FailureVerdict {
    let wall = UnixNanoseconds(context.plane.clock.wallNanoseconds)
    let facts = bytes.withUnsafeReadableBytes { ErrorScan.scan($0, now: wall) }
    resetAfter = facts.resetAfter
    // What is not there, or cannot be given up any more, is no fault of the account.
    if operation.isOfStored, 400..<500 ~= status, ![401, 402, 403, 408, 429].contains(status) {
      return FailureVerdict(.badRequest, code: "status_\(status)", scope: .nothing)
    }
    return .of(status: status, facts)
  }

  private func follow(_ verdict: FailureVerdict, _ error: CollectedError) {
    var error = error
    // What is longer is not quoted, whatever stands in it.
    if error.isQuotable, quotesSecret(error.bytes) { error.isQuotable = false }
    if verdict.rule == .streamOptionsRejected, addsUsageOption {
      tellQuirk(.rejectsStreamOptions)
      return repeatWithoutOption()
    }
    if error.head.status == 401, verdict.errorClass == .account, renew(verdict, error) { return }
    leave(verdict, error)
  }

  /// Nothing more can be done with the account under way.
  func leave(_ verdict: FailureVerdict, _ error: CollectedError) {
    let wait = wait(error)
    closeAttempt(verdict, wait: wait)
    if verdict.mayDoBetterElsewhere {
      if tryNext() { return }
      guard phase == .attempting else { return }
    }
    if verdict.code == HiddenFault.answerNotCarried.rawValue {
      return answerError(.failed, .answerNotCarried, errorClass: verdict.errorClass)
    }
    verdict.showsUpstreamWords
      ? quote(error, verdict, wait) : answerRefusal(error, verdict, shorter(wait, othersWait))
  }

  /// The option was ours, not the client's: the same account again, without it.
  private func repeatWithoutOption() {
    omitsUsageOption = true
    // It was translated for this account before.
    if answerIsTranslated, translate() != nil { return upstreamCallFailed(.machineExhausted) }
    attempt?.mayRetryStale = true
    startCall()
  }

  /// Whether the secret of the account under way stands in what its provider says: then nothing of it is repeated.
  ///
  /// Escapes of JSON hide it from a comparison of bytes and from no reader; an error that quotes another has two layers
  /// of them.
  func quotesSecret(_ bytes: ByteBuffer) -> Bool {
    guard let secret = attempt?.route?.secret, !secret.isEmpty else { return false }
    var said = Array(bytes.readableBytesView)
    for _ in 0..<Self.escapeLayers {
      if Self.contains(said, secret) { return true }
      guard said.contains(UInt8(ascii: "\\")) else { return false }
      said = Self.unescaped(said)
    }
    return Self.contains(said, secret)
  }

  private static let escapeLayers = 4

  private static func contains(_ said: [UInt8], _ secret: [UInt8]) -> Bool {
    var start = said.startIndex
    while let at = said[start...].firstIndex(of: secret[0]) {
      if said[at...].starts(with: secret) { return true }
      start = at + 1
    }
    return false
  }

  /// Without one layer of escapes, as far as they stand for visible ASCII, which secrets are made of.
  private static func unescaped(_ said: [UInt8]) -> [UInt8] {
    var plain: [UInt8] = []
    plain.reserveCapacity(said.count)
    var rest = said[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\"), let kind = rest.popFirst() else {
        plain.append(byte)
        continue
      }
      let digits = rest.prefix(4)
      if kind == UInt8(ascii: "u"), digits.count == 4,
        let code = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
      {
        plain.append(UInt8(exactly: code) ?? 0)
        rest.removeFirst(4)
      } else {
        plain.append(kind)
      }
    }
    return plain
  }

  /// Nanoseconds until upstream says that it will take requests again; nil: it does not say.
  private func wait(_ error: CollectedError) -> Int64? {
    let wall = UnixNanoseconds(context.plane.clock.wallNanoseconds)
    var hints = error.head.fields.resetHints(now: wall)
    hints.take(wait: resetAfter)
    return hints.wait
  }

  /// No account is left, and the last one's refusal is not about the request: it is told in our words.
  ///
  /// What a provider says of our account is nothing that a client could act upon, and may quote our secret;
  /// its 401 would make the client doubt its own key.
  private func answerRefusal(
    _ error: CollectedError, _ verdict: FailureVerdict, _ wait: Int64?
  ) {
    let status = error.head.status
    switch verdict.rule {
    case .rateLimited, .quotaExhausted, .beyondLimit:
      return answerError(
        .failed, .rateLimited, errorClass: verdict.errorClass,
        message: links.flatMap { links in
          links.owner.map { _ in
            "The provider limits the account that has what \(links.field) names."
          }
        },
        wait: verdict.rule == .beyondLimit ? .max : wait)
    case _: break
    }
    if verdict.code == HiddenFault.malformedAnswer.rawValue {
      return answerError(
        .failed, .upstreamProtocol, errorClass: verdict.errorClass, wait: wait)
    }
    answerError(
      .failed, .upstreamError,
      status: (500...599).contains(status) ? status : ErrorCode.upstreamError.status,
      errorClass: verdict.errorClass,
      message: (200...299).contains(status)
        ? nil : "The provider answered with status \(status).",
      wait: wait)
  }

  /// The request is at fault, or the model is missing: the client gets the error as it came if it is an error
  /// object, else in our words.
  private func quote(_ error: CollectedError, _ verdict: FailureVerdict, _ wait: Int64?) {
    let isGood = (200...299).contains(error.head.status)
    let status = isGood ? 400 : error.head.status
    let isErrorObject =
      error.isQuotable && !error.head.isEncoded
      && error.bytes.withUnsafeReadableBytes(Self.isErrorObject)
    if verdict.rule == .contextTooLong, answerIsTranslated || !isErrorObject {
      return answerError(
        .failed, .contextLengthExceeded, errorClass: verdict.errorClass,
        message: ErrorShape(path: head.path).tooLong(translatedWords(of: error)), wait: wait)
    }
    if answerIsTranslated {
      return answerError(
        .failed, .upstreamError, status: status, errorClass: verdict.errorClass,
        message: translatedWords(of: error), wait: wait, isRetryable: false)
    }
    guard isErrorObject else {
      return answerError(
        .failed, .upstreamError, status: status, errorClass: verdict.errorClass,
        message: translatedWords(of: error)
          ?? (isGood ? nil : "The provider answered with status \(status)."), wait: wait,
        isRetryable: false)
    }
    var head = answerHead(status: status)
    head.wait(nanoseconds: wait)
    conclude(
      .failed, status: status, code: ErrorCode.upstreamError.rawValue,
      errorClass: verdict.errorClass, .own(head, Array(error.bytes.readableBytesView)))
  }
}

extension Exchange {
  /// An object with an `error`; Gemini puts it into a list of one where it would have streamed an array.
  private static func isErrorObject(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let blank: Set<UInt8> = [0x20, 0x0A, 0x0D, 0x09]
    guard let first = bytes.firstIndex(where: { !blank.contains($0) }),
      let last = bytes.lastIndex(where: { !blank.contains($0) }), first < last,
      bytes[first] == UInt8(ascii: "["), bytes[last] == UInt8(ascii: "]")
    else { return UsageScan.scan(bytes).hasError }
    return UsageScan.scan(UnsafeRawBufferPointer(rebasing: bytes[(first + 1)..<last])).hasError
  }
}

extension FailureVerdict {
  /// What a client is told of it within a stream, where the provider's words are not for it.
  var streamCode: ErrorCode {
    rule == .rateLimited || rule == .quotaExhausted ? .rateLimited : .upstreamError
  }

  /// The status whose class it belongs to; nil: that of the code.
  var streamStatus: Int? {
    switch rule {
    case .overloaded, .modelOverloaded: 503
    case .providerTimeout: 504
    case _: nil
    }
  }
}

extension UpstreamFailure {
  /// What the client is told when no account is left.
  var errorCode: ErrorCode {
    switch self {
    case .connectRefused, .connectFailed, .nameNotResolved, .addressRefused, .tlsFailed,
      .closedBeforeAnswer, .misconfigured, .dialectUnsupported:
      .upstreamUnreachable
    case .machineExhausted, .tooManyConnects: .overloaded
    case .connectTimeout, .headTimeout, .idleTimeout, .outOfTime: .upstreamTimeout
    case .cut: .upstreamCut
    case .malformedAnswer: .upstreamProtocol
    case .frameTooLong: .answerTooLarge
    case .emptyStream: .upstreamError
    }
  }

  /// What it means for failover and health.
  var verdict: FailureVerdict { .of(call: code) }
}
