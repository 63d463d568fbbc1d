public import NIOCore

/// Reads responses from the bytes of one upstream connection, one event per call.
///
/// Idle → `expectResponse` → informational heads → head → body → end → idle. Bytes that arrive while
/// no response is expected are a fault, because they would be taken for the answer to somebody
/// else's request. After a throw every further call throws the same fault.
public struct ResponseDecoder: Sendable {
  /// What the next bytes mean.
  public enum Event: Sendable {
    /// Nothing yet; call again with more bytes.
    case needMore
    /// A 1xx head; the response itself is still to come.
    case informational(HTTP1ResponseHead)
    /// The response starts.
    case head(HTTP1ResponseHead)
    /// Some of its body, never empty: a slice of the buffer, not a copy.
    case body(ByteBuffer)
    /// The response is whole.
    case end
  }

  private enum State {
    case idle
    case head(HeadScanner, StatusLine?)
    case body(BodyDecoder)
    case failed(HTTP1Fault)
  }

  /// 1xx heads taken before one response.
  private static let informationalMax = 16

  private let limits: HTTP1Limits
  private var state = State.idle
  private var method = HTTP1Method.get
  private var informational = 0

  /// A decoder for a new connection, idle.
  public init(limits: HTTP1Limits = HTTP1Limits()) { self.limits = limits }

  /// Whether the last response is whole and no other expected.
  public var isIdle: Bool {
    if case .idle = state { return true }
    return false
  }

  /// A request with this method was sent; its response comes next.
  ///
  /// - Precondition: the decoder is idle: requests are not pipelined to upstreams.
  public mutating func expectResponse(to method: HTTP1Method) {
    precondition(isIdle, "one response at a time")
    self.method = method
    informational = 0
    state = .head(HeadScanner(), nil)
  }

  /// The next event; moves the buffer's reader index past what it reports.
  public mutating func next(_ buffer: inout ByteBuffer) throws(HTTP1Fault) -> Event {
    switch state {
    case .body(var body):
      let step = body.next(&buffer, limits, bodyLimit: .max)
      switch step {
      case .needMore:
        state = .body(body)
        return .needMore
      case .body(let slice):
        state = .body(body)
        return .body(slice)
      case .end:
        state = .idle
        return .end
      case .fault(let code): throw fail(code)
      }
    case .head(let scanner, let line): return try head(&buffer, scanner, line)
    case .idle:
      guard buffer.readableBytes == 0 else { throw fail(.unsolicitedResponse) }
      return .needMore
    case .failed(let fault): throw fault
    }
  }

  /// The upstream closed the connection; call it after `next` answered `.needMore`.
  ///
  /// - Returns: `.end` if the body ran until the close, `.needMore` if no response was expected.
  /// - Throws: `truncated` in the middle of a response.
  public mutating func endOfInput(_ buffer: ByteBuffer) throws(HTTP1Fault) -> Event {
    switch state {
    case .idle where buffer.readableBytes == 0: return .needMore
    case .body(let body) where body.endsWithInput && buffer.readableBytes == 0:
      state = .idle
      return .end
    case .failed(let fault): throw fault
    case .idle, .head, .body: throw fail(.truncated)
    }
  }

  private mutating func head(
    _ buffer: inout ByteBuffer, _ resumed: HeadScanner, _ knownLine: StatusLine?
  ) throws(HTTP1Fault) -> Event {
    var scanner = resumed
    var line = knownLine
    if line == nil {
      guard let first: UInt8 = buffer.getInteger(at: buffer.readerIndex) else { return .needMore }
      guard first == UInt8(ascii: "H") else { throw fail(.invalidStatusLine) }
    }
    let limits = limits
    let step = buffer.withUnsafeReadableBytes { bytes -> HeadScanner.Step in
      while true {
        let step = scanner.scan(
          bytes, limits: limits, isRequest: false, startLineBytes: StatusLine.lineBytes)
        guard case .startLine(let end) = step else { return step }
        switch StatusLine.parse(bytes, end: end) {
        case .success(let parsed): line = parsed
        case .failure(let code): return .fault(code)
        }
        scanner.startLineDone(end: end)
      }
    }
    switch step {
    case .complete(let count):
      guard let line, let bytes = buffer.readSlice(length: count) else {
        throw fail(.invalidStatusLine)
      }
      return try finish(bytes, line, scanner)
    case .fault(let code): throw fail(code)
    case .needMore, .startLine:
      state = .head(scanner, line)
      return .needMore
    }
  }

  /// RFC 9112 §6.3: what the body of a response is depends on its status and the request's method.
  private mutating func finish(
    _ bytes: ByteBuffer, _ line: StatusLine, _ scanner: HeadScanner
  ) throws(HTTP1Fault) -> Event {
    if line.version == .http10, scanner.isChunked { throw fail(.transferCodingInOldVersion) }
    if line.status == 101 { throw fail(.unexpectedUpgrade) }
    let isInformational = line.status < 200
    let hasNoBody =
      isInformational || line.status == 204 || line.status == 304 || method == .head
    var framing = scanner.framing
    var keepsAlive = scanner.keepsAlive(line.version)
    if hasNoBody {
      // A 1xx or 204 that announces content may well send it: the connection is not used again.
      let mayHaveContent = framing != .none && framing != .length(0)
      if mayHaveContent, isInformational || line.status == 204 { keepsAlive = false }
      framing = .none
    } else if framing == .none {
      framing = .untilClose
      keepsAlive = false
    }
    let head = HTTP1ResponseHead(
      status: line.status, version: line.version, framing: framing, keepsAlive: keepsAlive,
      fields: HTTP1Fields(head: bytes, places: scanner.places))
    guard isInformational else {
      state = .body(BodyDecoder(framing))
      return .head(head)
    }
    informational += 1
    guard informational <= Self.informationalMax else { throw fail(.tooManyInformational) }
    state = .head(HeadScanner(), nil)
    return .informational(head)
  }

  private mutating func fail(_ code: HTTP1Fault.Code) -> HTTP1Fault {
    let fault = HTTP1Fault(code, source: .upstream)
    state = .failed(fault)
    return fault
  }
}
