/// The head of a response.
public struct HTTP1ResponseHead: Sendable {
  /// The status, 100…599.
  public let status: Int
  /// The version the upstream speaks.
  public let version: HTTP1Version
  /// How the body ends.
  public let framing: HTTP1BodyFraming
  /// Whether the connection may carry another request after this response.
  public let keepsAlive: Bool
  /// The header fields.
  public let fields: HTTP1Fields
}

extension HTTP1ResponseHead {
  /// The body is in a content encoding, so that nothing here can read it.
  var isEncoded: Bool {
    fields.contains(.contentEncoding) && !fields.value(.contentEncoding, equals: "identity")
  }
}
