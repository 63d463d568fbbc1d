import Domain
import NIOCore

/// The head of an answer of ours, or of one that we forward.
struct AnswerHead {
  var status: Int
  var requestID: RequestID
  /// The client's own id, which it gets back.
  var clientRequestID: String?
  var keepsAlive: Bool
  var isHTTP10 = false
  /// For a client of Anthropic's protocol, which has names of its own for some fields.
  var isAnthropic = false
  var shouldRetry: Bool?
  /// 1…`retryAfterSecondsMax`.
  private(set) var retryAfterSeconds: Int?
  var limits = LimitHeaders.none
  /// For keys with diagnostics.
  var account: String?
  var snapshot: UInt64?
  /// `/v1/inference`, for keys with diagnostics: whether another account than the first answered.
  var isFailover: Bool?
  /// Of an upstream's answer: the fields that pass.
  var upstream: HTTP1Fields?
  var isEventStream = false

  init(status: Int, requestID: RequestID, clientRequestID: String?, keepsAlive: Bool) {
    self.status = status
    self.requestID = requestID
    self.clientRequestID = clientRequestID
    self.keepsAlive = keepsAlive
  }

  /// How the client finds the end of the answer.
  enum Framing: Sendable, Hashable {
    case length(Int)
    case chunked
    case untilClose
    /// No body by the rules of HTTP.
    case none
  }

  /// Seconds of `retry-after` that clients are told; SDKs give up on more.
  static let retryAfterSecondsMax = 120

  /// Tells the client to wait, in whole seconds; for longer than the bound waiting is not worth its while.
  mutating func wait(nanoseconds: Int64?) {
    guard let nanoseconds else { return }
    let seconds = secondsToWait(nanoseconds: nanoseconds)
    if seconds > Self.retryAfterSecondsMax { shouldRetry = false }
    retryAfterSeconds = Int(min(seconds, Int64(Self.retryAfterSecondsMax)))
  }

  /// What `retry-after` says; nil: nothing.
  var waitSeconds: Int? { retryAfterSeconds ?? passingSeconds }

  /// An answer with a JSON body, head and body in one buffer.
  func whole(_ body: some Collection<UInt8>, context: LoopContext) -> ByteBuffer {
    var out = ByteBuffer()
    out.reserveCapacity(384 + body.count)
    append(framing: .length(body.count), to: &out, context: context)
    out.writeBytes(body)
    return out
  }

  /// Appends the head.
  func append(framing: Framing, to out: inout ByteBuffer, context: LoopContext) {
    HTTP1Encoder.statusLine(status, to: &out)
    context.date.append(wallNanoseconds: context.plane.clock.wallNanoseconds, to: &out)
    if let upstream {
      forward(upstream, to: &out)
    } else if isEventStream {
      HTTP1Encoder.field("content-type", "text/event-stream", to: &out)
      Self.streamFields(to: &out)
    } else {
      HTTP1Encoder.field("content-type", "application/json", to: &out)
    }
    switch framing {
    case .length(let length): HTTP1Encoder.contentLength(length, to: &out)
    case .chunked: HTTP1Encoder.chunkedCoding(to: &out)
    case .untilClose, .none: break
    }
    requestID("x-request-id", to: &out)
    if isAnthropic { requestID("request-id", to: &out) }
    HTTP1Encoder.field("x-signalbox-request-id", uuid: requestID.rawValue, to: &out)
    if let account { field("x-signalbox-account", account, to: &out) }
    if let snapshot { HTTP1Encoder.field("x-signalbox-snapshot", Int(snapshot), to: &out) }
    if let account, let isFailover {
      field("x-routing-backend", account, to: &out)
      HTTP1Encoder.field("x-routing-decision", isFailover ? "FAILOVER" : "PRIMARY", to: &out)
    }
    limits.append(to: &out)
    if isAnthropic, limits != .none {
      limits.appendAnthropic(at: context.plane.clock.wallNanoseconds, to: &out)
    }
    if let seconds = waitSeconds {
      HTTP1Encoder.field("retry-after", seconds, to: &out)
    }
    if let shouldRetry {
      HTTP1Encoder.field("x-should-retry", shouldRetry ? "true" : "false", to: &out)
    }
    if status == 401 { HTTP1Encoder.field("www-authenticate", "Bearer", to: &out) }
    Self.connectionField(
      keepsAlive: keepsAlive && framing != .untilClose, isHTTP10: isHTTP10, to: &out)
    HTTP1Encoder.endOfHead(to: &out)
  }

  private func requestID(_ name: StaticString, to out: inout ByteBuffer) {
    if let clientRequestID {
      field(name, clientRequestID, to: &out)
    } else {
      HTTP1Encoder.field(name, uuid: requestID.rawValue, to: &out)
    }
  }

  /// Our own 503 without a known end is overload or a stop: soon over, or another gateway's turn.
  private var passingSeconds: Int? {
    status == 503 && upstream == nil && shouldRetry != false ? 1 : nil
  }

  /// `connection`, where it says something that the version does not say by itself.
  static func connectionField(keepsAlive: Bool, isHTTP10: Bool, to out: inout ByteBuffer) {
    if !keepsAlive {
      HTTP1Encoder.field("connection", "close", to: &out)
    } else if isHTTP10 {
      HTTP1Encoder.field("connection", "keep-alive", to: &out)
    }
  }

  /// Values that we checked or made; one that could split the message is left out.
  private func field(_ name: StaticString, _ value: String, to out: inout ByteBuffer) {
    _ = try? HTTP1Encoder.field(name, checked: value, to: &out)
  }

  /// What passes of an upstream's head: what the body is; nothing of who it is.
  private func forward(_ fields: HTTP1Fields, to out: inout ByteBuffer) {
    pass(.contentType, "content-type", of: fields, to: &out)
    pass(.contentEncoding, "content-encoding", of: fields, to: &out)
    if isEventStream { Self.streamFields(to: &out) }
  }

  /// What keeps caches and proxies from holding a stream back.
  private static func streamFields(to out: inout ByteBuffer) {
    HTTP1Encoder.field("cache-control", "no-cache", to: &out)
    HTTP1Encoder.field("x-accel-buffering", "no", to: &out)
  }

  private func pass(
    _ name: HTTP1Name, _ text: StaticString, of fields: HTTP1Fields, to out: inout ByteBuffer
  ) {
    guard let value = fields.value(name) else { return }
    _ = try? HTTP1Encoder.field(text, checked: value, to: &out)
  }
}
