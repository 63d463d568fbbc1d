import Domain
import NIOCore
import Surface

/// One call to one account, whatever routing thinks of it: outside limits, usage and the log.
///
/// Goes the way of traffic (`UpstreamCaller`), so that what it finds holds for traffic. Lives on one loop.
final class Probe {
  /// From its start a probe takes no longer than this.
  static let timeout = TimeAmount.seconds(10)
  /// At a time on one loop.
  static let maximumCount = 64

  let context: LoopContext
  var index = -1
  private(set) var lane: UpstreamLane?
  var pending: PendingConnect?
  var upstream: UpstreamConnection?
  var deadline = Int64.max
  var mayRetryStale = true

  private let account: AccountID
  private var question: ProbeQuestion
  private var done: ((ModelListReport) -> Void)?
  private let startedAt: Int64
  let giveUpAt: Int64
  private var head = ByteBuffer()
  private var answer: HTTP1ResponseHead?
  private var body = ByteBuffer()

  init(
    _ question: ProbeQuestion, of account: AccountID, context: LoopContext,
    done: @escaping (ModelListReport) -> Void
  ) {
    self.question = question
    self.account = account
    self.context = context
    self.done = done
    startedAt = context.plane.clock.monotonicNanoseconds
    giveUpAt = startedAt + Self.timeout.nanoseconds
  }

  /// Makes the call; `done` is called once, perhaps before this returns.
  func start() {
    if context.pool.isClosed { return end(.shuttingDown) }
    guard context.probes.count < Self.maximumCount else { return end(.overloaded) }
    context.began(self)
    context.refreshRouting()
    let routing = context.routing
    guard let index = routing.snapshot.accounts.firstIndex(where: { $0.id == account }) else {
      return end(.unknownAccount)
    }
    question.dialect = routing.mainDialect(account: index)
    let route =
      switch question.kind {
      case .answer:
        if let proof = question.proof {
          routing.route(account: index, dialect: question.dialect, with: proof)
        } else {
          routing.route(account: index, dialect: question.dialect)
        }
      case .models: routing.modelsRoute(account: index)
      }
    switch route {
    case .failure(let failure): upstreamCallFailed(failure)
    case .success(let route):
      lane = route.lane
      route.begin(model: question.model, isStream: false, alt: nil, to: &head)
      if question.dialect == .messages {
        HTTP1Encoder.field("anthropic-version", LoopRouting.anthropicVersion, to: &head)
      }
      startCall()
    }
  }

  /// The gateway stops.
  func cut() {
    guard done != nil else { return }
    cancelCall()
    end(.shuttingDown)
  }

  /// Looks whether a wait took too long.
  func sweep(now: Int64) {
    guard now > min(deadline, giveUpAt), done != nil,
      let failure = endOverdueCall(hasHead: answer != nil)
    else { return }
    isRefused ? refused() : upstreamCallFailed(failure)
  }

  // MARK: The end

  private func end(_ fault: ProbeFault) { end(fault.errorClass, fault.rawValue) }

  private func end(_ errorClass: ErrorClass?, _ code: String?, _ list: ModelList? = nil) {
    guard let done else { return }
    self.done = nil
    deadline = .max
    context.ended(self)
    let took = context.plane.clock.monotonicNanoseconds - startedAt
    done(
      ModelListReport(
        probe: ProbeReport(
          status: answer.map { UInt16(clamping: $0.status) }, errorClass: errorClass,
          errorCode: code, microseconds: UInt64(max(0, took)) / 1000),
        models: list?.names ?? [], skipped: list?.skipped ?? 0))
  }
}

extension Probe: UpstreamCaller {
  func upstreamRequest() -> (method: HTTP1Method, pieces: [ByteBuffer]) {
    var out = head
    HTTP1Encoder.field("accept", "application/json", to: &out)
    if let body = question.body {
      HTTP1Encoder.contentLength(body.count, to: &out)
      HTTP1Encoder.endOfHead(to: &out)
      out.writeBytes(body)
    } else {
      HTTP1Encoder.endOfHead(to: &out)
    }
    return (question.method, [out])
  }

  func upstreamConnected() {}

  func upstreamEstablished() { if answer == nil { awaitHead() } }

  func upstreamCallFailed(_ failure: UpstreamFailure) {
    end(failure.errorClass, failure.code)
  }

  func upstreamHead(_ head: HTTP1ResponseHead) {
    guard done != nil else { return }
    if head.status == 400, let second = question.second {
      let former = upstream
      upstream = nil
      question = second
      mayRetryStale = true
      startCall()
      former?.detach()
      return
    }
    answer = head
    awaitMore()
  }

  fileprivate var isRefused: Bool { answer.map { !(200...299).contains($0.status) } ?? false }

  /// What there is of the refusal is read.
  fileprivate func refused() {
    guard let status = answer?.status else { return }
    let wall = UnixNanoseconds(context.plane.clock.wallNanoseconds)
    let facts = body.withUnsafeReadableBytes { ErrorScan.scan($0, now: wall) }
    let verdict = FailureVerdict.of(status: status, facts)
    end(verdict.errorClass, status == 429 ? ProbeReport.rateLimited : verdict.code)
  }

  func upstreamBody(_ bytes: ByteBuffer) {
    guard done != nil else { return }
    guard body.readableBytes + bytes.readableBytes <= question.answerBytesMax else {
      cancelCall()
      return isRefused ? refused() : end(.answerTooLarge)
    }
    body.writeImmutableBuffer(bytes)
  }

  func upstreamReadComplete() { if done != nil { awaitMore() } }

  func upstreamEnd() {
    upstream = nil
    guard done != nil else { return }
    if isRefused { return refused() }
    // Traffic forwards an encoded answer as it is; nothing here reads it either.
    if case .answer = question.kind, answer?.isEncoded == true { return end(nil, nil) }
    switch question.judge(Array(body.readableBytesView)) {
    case .good(let list): end(nil, nil, list)
    case .fault(let fault): end(fault)
    }
  }

  func upstreamFailed(_ failure: UpstreamFailure) {
    let former = upstream
    upstream = nil
    guard done != nil, !retriesStale(failure, over: former) else { return }
    if isRefused { return refused() }
    upstreamCallFailed(failure)
  }
}
