public import NIOCore

/// Reads requests from the bytes of one client connection, one event per call.
///
/// Idle → head → body → end → idle. It consumes only what it reports, so a pipelined request stays in
/// the buffer until the caller asks for the next event after `.end`. After a throw every further
/// call throws the same fault.
public struct RequestDecoder: Sendable {
  /// What the next bytes mean.
  public enum Event: Sendable {
    /// Nothing yet; call again with more bytes.
    case needMore
    /// A request starts.
    case head(HTTP1RequestHead)
    /// Some of its body, never empty: a slice of the buffer, not a copy.
    case body(ByteBuffer)
    /// The request is whole.
    case end
  }

  private enum State {
    case idle
    case head(HeadScanner, RequestLine?)
    case body(BodyDecoder)
    case failed(HTTP1Fault)
  }

  /// Largest body taken, in bytes as decoded; unbounded at first.
  ///
  /// May be set when the head is known: a body that is declared or grows larger is a fault at the
  /// next call.
  public var bodyLimit = Int.max

  private let limits: HTTP1Limits
  private var state = State.idle
  private var skippedEmptyLine = false

  /// A decoder for a new connection.
  public init(limits: HTTP1Limits = HTTP1Limits()) { self.limits = limits }

  /// Whether the last request is whole and none of the next has been looked at.
  public var isBetweenMessages: Bool {
    if case .idle = state { return true }
    return false
  }

  /// The next event; moves the buffer's reader index past what it reports.
  public mutating func next(_ buffer: inout ByteBuffer) throws(HTTP1Fault) -> Event {
    switch state {
    case .body(var body):
      let step = body.next(&buffer, limits, bodyLimit: bodyLimit)
      switch step {
      case .needMore:
        state = .body(body)
        return .needMore
      case .body(let slice):
        state = .body(body)
        return .body(slice)
      case .end:
        state = .idle
        skippedEmptyLine = false
        return .end
      case .fault(let code): throw fail(code)
      }
    case .idle: return try head(&buffer, HeadScanner(), nil)
    case .head(let scanner, let line): return try head(&buffer, scanner, line)
    case .failed(let fault): throw fault
    }
  }

  /// The client closed its side.
  ///
  /// - Throws: `truncated` if that is in the middle of a request.
  public mutating func endOfInput(_ buffer: ByteBuffer) throws(HTTP1Fault) {
    switch state {
    case .idle where buffer.readableBytes == 0: return
    case .failed(let fault): throw fault
    case .idle, .head, .body: throw fail(.truncated)
    }
  }

  private mutating func head(
    _ buffer: inout ByteBuffer, _ resumed: HeadScanner, _ knownLine: RequestLine?
  ) throws(HTTP1Fault) -> Event {
    var scanner = resumed
    var line = knownLine
    if line == nil {
      switch startsWell(&buffer) {
      case .needMore: return .needMore
      case .fault(let code): throw fail(code)
      case .yes: break
      }
    }
    let limits = limits
    let startLineBytes = RequestLine.methodBytes + RequestLine.otherBytes + limits.targetBytes
    let step = buffer.withUnsafeReadableBytes { bytes -> HeadScanner.Step in
      while true {
        let step = scanner.scan(
          bytes, limits: limits, isRequest: true, startLineBytes: startLineBytes)
        guard case .startLine(let end) = step else { return step }
        switch RequestLine.parse(bytes, end: end, limits: limits) {
        case .success(let parsed): line = parsed
        case .failure(let code): return .fault(code)
        }
        scanner.startLineDone(end: end)
      }
    }
    switch step {
    case .complete(let count):
      guard let line, let bytes = buffer.readSlice(length: count) else {
        throw fail(.invalidRequestLine)
      }
      if let code = faultOfWhole(scanner, line) { throw fail(code) }
      state = .body(BodyDecoder(scanner.framing))
      return .head(HTTP1RequestHead(head: bytes, line: line, scanner: scanner))
    case .fault(let code): throw fail(code)
    case .needMore, .startLine:
      state = .head(scanner, line)
      return .needMore
    }
  }

  /// The rules that need all fields.
  private func faultOfWhole(_ scanner: HeadScanner, _ line: RequestLine) -> HTTP1Fault.Code? {
    if line.version == .http10 {
      return scanner.isChunked ? .transferCodingInOldVersion : nil
    }
    return scanner.places.range(of: .host) == nil ? .missingHost : nil
  }

  private enum Start { case yes, needMore, fault(HTTP1Fault.Code) }

  /// Skips one empty line (RFC 9112 §2.2) and refuses at once what cannot start a request, such as a
  /// TLS handshake, instead of waiting for the end of a line that may never come.
  private mutating func startsWell(_ buffer: inout ByteBuffer) -> Start {
    while true {
      let index = buffer.readerIndex
      guard let first: UInt8 = buffer.getInteger(at: index) else { return .needMore }
      if first == Octets.cr, !skippedEmptyLine {
        guard let second: UInt8 = buffer.getInteger(at: index + 1) else { return .needMore }
        guard second == Octets.lf else { return .fault(.bareCR) }
        skippedEmptyLine = true
        buffer.moveReaderIndex(forwardBy: 2)
        continue
      }
      if Octets.isToken(first) { return .yes }
      return .fault(first == Octets.lf ? .bareLF : .invalidRequestLine)
    }
  }

  private mutating func fail(_ code: HTTP1Fault.Code) -> HTTP1Fault {
    let fault = HTTP1Fault(code, source: .client)
    state = .failed(fault)
    return fault
  }
}
