/// The request methods this gateway implements; any other is answered 501.
///
/// `CONNECT` and `TRACE` are absent on purpose: a gateway for model calls neither tunnels nor echoes.
public enum HTTP1Method: UInt8, Sendable, Hashable, CaseIterable {
  case get, head, post, put, patch, delete, options

  /// The method's token, as it stands in the request line.
  public var token: StaticString {
    switch self {
    case .get: "GET"
    case .head: "HEAD"
    case .post: "POST"
    case .put: "PUT"
    case .patch: "PATCH"
    case .delete: "DELETE"
    case .options: "OPTIONS"
    }
  }

  /// The method named by these bytes (case-sensitive), if it is one of ours.
  init?(token bytes: UnsafeRawBufferPointer) {
    let method: HTTP1Method
    switch bytes.count {
    case 3: method = bytes[0] == UInt8(ascii: "G") ? .get : .put
    case 4: method = bytes[0] == UInt8(ascii: "P") ? .post : .head
    case 5: method = .patch
    case 6: method = .delete
    case 7: method = .options
    default: return nil
    }
    guard bytes.equals(method.token) else { return nil }
    self = method
  }
}

/// The two versions of HTTP/1.
public enum HTTP1Version: UInt8, Sendable, Hashable {
  case http10, http11

  /// The version's name, as it stands in a start line.
  public var token: StaticString { self == .http11 ? "HTTP/1.1" : "HTTP/1.0" }
}

/// How the end of a message's body is found.
public enum HTTP1BodyFraming: Sendable, Hashable {
  /// There is no body.
  case none
  /// The body has this many bytes; may be 0.
  case length(Int)
  /// The body comes in chunks.
  case chunked
  /// The body ends with the connection; responses only.
  case untilClose
}
