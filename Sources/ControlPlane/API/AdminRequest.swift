public import Domain
public import HTTPTypes
public import NIOCore
import Surface

/// A request that the control plane answers, whole.
public struct AdminRequest: Sendable {
  /// The request's method.
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
  /// The user of this machine who asks, where the system itself says so.
  ///
  /// That is over the control socket, and within a program that opened the log; nil for everything
  /// that came over a network.
  public let localUser: UInt32?
  /// It came to an address that is for administration alone.
  public var isOnAdministrationListener = false
  /// Whoever sends the answer can send one that goes on without end.
  public var takesStream = false

  /// A request as the listener read it: whatever it says, it is not local.
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
    localUser = nil
  }

  /// A request of a user of this machine, who may do everything that an administrator may.
  public init(
    method: HTTPRequest.Method, uri: String, headers: HTTPFields = [:],
    body: ByteBuffer = ByteBuffer(), localUser: UInt32, requestID: RequestID
  ) {
    self.method = method
    self.uri = uri
    self.headers = headers
    self.body = body
    remoteAddress = ""
    self.requestID = requestID
    self.localUser = localUser
  }
}

/// The rest of an answer that is made while it is sent.
public struct AdminStream: Sendable {
  /// The next piece, once there is one; nil: the answer is over.
  ///
  /// Asked for when the piece before is sent, so that whoever reads slowly is waited for and nothing piles up.
  /// Ends soon after its task was cancelled.
  public let next: @Sendable () async -> ByteBuffer?

  init(next: @escaping @Sendable () async -> ByteBuffer?) { self.next = next }
}

/// The answer; framing and connection fields are the listener's.
public struct AdminAnswer: Sendable {
  /// The answer's status.
  public var status: HTTPResponse.Status
  /// The answer's fields, without any of framing.
  public var headers: HTTPFields
  /// The answer's body, whole.
  public var body: ByteBuffer
  /// What follows instead of a body; nil: nothing does.
  public var stream: AdminStream?

  /// An answer for the listener to send.
  public init(
    status: HTTPResponse.Status, headers: HTTPFields = [:], body: ByteBuffer = ByteBuffer()
  ) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// Sets a field that the contract names.
  mutating func set(_ header: Contract.Header, _ value: String) {
    if let name = HTTPField.Name(header.rawValue) { headers[name] = value }
  }
}
