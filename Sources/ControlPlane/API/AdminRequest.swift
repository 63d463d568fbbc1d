public import Domain
public import HTTPTypes
public import NIOCore

/// A request that the control plane answers, whole.
public struct AdminRequest: Sendable {
  public var method: HTTPRequest.Method
  /// Path and query as the client wrote them.
  public var uri: String
  /// All fields, `host` included.
  public var headers: HTTPFields
  /// At most 1 MiB; longer ones are answered 413.
  public var body: ByteBuffer
  /// The client's address without port.
  public var remoteAddress: String
  /// The gateway's id for this request.
  public var requestID: RequestID

  public init(
    method: HTTPRequest.Method, uri: String, headers: HTTPFields = [:],
    body: ByteBuffer = ByteBuffer(), remoteAddress: String, requestID: RequestID
  ) {
    self.method = method
    self.uri = uri
    self.headers = headers
    self.body = body
    self.remoteAddress = remoteAddress
    self.requestID = requestID
  }
}

/// The whole answer; framing and connection fields are the listener's.
public struct AdminAnswer: Sendable {
  public var status: HTTPResponse.Status
  public var headers: HTTPFields
  public var body: ByteBuffer

  public init(
    status: HTTPResponse.Status, headers: HTTPFields = [:], body: ByteBuffer = ByteBuffer()
  ) {
    self.status = status
    self.headers = headers
    self.body = body
  }
}
