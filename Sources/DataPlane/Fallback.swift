public import Domain
public import HTTPTypes
public import NIOCore

/// A request that the data plane does not serve itself.
public struct FallbackRequest: Sendable {
  /// As the client sent it.
  public var method: HTTPRequest.Method
  /// Path and query as the client wrote them.
  public var uri: String
  /// All fields, `host` included.
  public var headers: HTTPFields
  /// At most 1 MiB; longer ones were answered 413 already.
  public var body: ByteBuffer
  /// The client's address without port.
  public var remoteAddress: String
  /// The gateway's id for this request; answered as `x-signalbox-request-id`.
  public var requestID: RequestID
  /// The address it came to.
  public var listener: ListenerRole

  /// A request as read.
  public init(
    method: HTTPRequest.Method, uri: String, headers: HTTPFields, body: ByteBuffer,
    remoteAddress: String, requestID: RequestID, listener: ListenerRole = .main
  ) {
    self.method = method
    self.uri = uri
    self.headers = headers
    self.body = body
    self.remoteAddress = remoteAddress
    self.requestID = requestID
    self.listener = listener
  }
}

/// The rest of an answer that is made while it is sent.
public struct FallbackStream: Sendable {
  /// The next piece, at most some hundred KiB; nil: the answer is over.
  ///
  /// Asked for once the client has accepted the piece before. Its task is cancelled when the client goes away and
  /// when the gateway stops; it is to end soon then.
  public let next: @Sendable () async -> ByteBuffer?

  /// A stream of these pieces.
  public init(next: @escaping @Sendable () async -> ByteBuffer?) { self.next = next }
}

/// The answer to a `FallbackRequest`; framing and connection fields are the data plane's.
public struct FallbackResponse: Sendable {
  /// 200…599; anything else becomes 500.
  public var status: HTTPResponse.Status
  /// Framing and connection fields in it are ignored.
  public var headers: HTTPFields
  /// Not sent for HEAD, 204 and 304.
  public var body: ByteBuffer
  /// What follows instead of a body, where there may be one; nil: nothing does.
  public var stream: FallbackStream?

  /// An answer with this status.
  public init(
    status: HTTPResponse.Status, headers: HTTPFields = [:], body: ByteBuffer = ByteBuffer()
  ) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// The same by the status' number, 200…599.
  public init(statusCode: Int, headers: HTTPFields = [:], body: ByteBuffer = ByteBuffer()) {
    self.init(status: HTTPResponse.Status(code: statusCode), headers: headers, body: body)
  }
}

/// Answers everything that is not inference: administration, audit, health.
///
/// Called off the event loops, in a task of its own, which is cancelled when the client goes away.
public protocol Fallback: Sendable {
  func respond(to request: FallbackRequest) async -> FallbackResponse
}
