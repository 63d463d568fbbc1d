/// Header fields that the codec notes while it parses, so that looking them up costs nothing later.
public enum HTTP1Name: UInt8, Sendable, Hashable, CaseIterable {
  case te, host, date, expect, accept, cookie, server, upgrade, trailer
  case xAPIKey, connection, userAgent, keepAlive, traceparent, retryAfter
  case contentType, xRequestID, authorization, contentLength
  case acceptEncoding, contentEncoding, proxyConnection, transferEncoding, proxyAuthorization
  case idempotencyKey, openAIBeta, xGoogAPIKey, anthropicBeta, anthropicVersion, tracestate

  /// The field's name in lower case.
  public var text: StaticString {
    switch self {
    case .te: "te"
    case .host: "host"
    case .date: "date"
    case .expect: "expect"
    case .accept: "accept"
    case .cookie: "cookie"
    case .server: "server"
    case .upgrade: "upgrade"
    case .trailer: "trailer"
    case .xAPIKey: "x-api-key"
    case .connection: "connection"
    case .userAgent: "user-agent"
    case .keepAlive: "keep-alive"
    case .traceparent: "traceparent"
    case .retryAfter: "retry-after"
    case .contentType: "content-type"
    case .xRequestID: "x-request-id"
    case .authorization: "authorization"
    case .contentLength: "content-length"
    case .acceptEncoding: "accept-encoding"
    case .contentEncoding: "content-encoding"
    case .proxyConnection: "proxy-connection"
    case .transferEncoding: "transfer-encoding"
    case .proxyAuthorization: "proxy-authorization"
    case .idempotencyKey: "idempotency-key"
    case .openAIBeta: "openai-beta"
    case .xGoogAPIKey: "x-goog-api-key"
    case .anthropicBeta: "anthropic-beta"
    case .anthropicVersion: "anthropic-version"
    case .tracestate: "tracestate"
    }
  }

  /// Identifies a name that consists of token characters, in any case.
  @inline(__always)
  init?(token name: UnsafeRawBufferPointer) {
    // One candidate by length and one letter, then one comparison.
    let candidate: HTTP1Name
    switch name.count {
    case 2: candidate = .te
    case 4: candidate = name[0] | 0x20 == UInt8(ascii: "h") ? .host : .date
    case 6:
      switch name[0] | 0x20 {
      case UInt8(ascii: "a"): candidate = .accept
      case UInt8(ascii: "e"): candidate = .expect
      case UInt8(ascii: "c"): candidate = .cookie
      default: candidate = .server
      }
    case 7: candidate = name[0] | 0x20 == UInt8(ascii: "u") ? .upgrade : .trailer
    case 9: candidate = .xAPIKey
    case 10:
      switch name[0] | 0x20 {
      case UInt8(ascii: "c"): candidate = .connection
      case UInt8(ascii: "u"): candidate = .userAgent
      case UInt8(ascii: "t"): candidate = .tracestate
      default: candidate = .keepAlive
      }
    case 11:
      switch name[0] | 0x20 {
      case UInt8(ascii: "t"): candidate = .traceparent
      case UInt8(ascii: "r"): candidate = .retryAfter
      default: candidate = .openAIBeta
      }
    case 12: candidate = name[0] | 0x20 == UInt8(ascii: "c") ? .contentType : .xRequestID
    case 13: candidate = .authorization
    case 14:
      switch name[0] | 0x20 {
      case UInt8(ascii: "c"): candidate = .contentLength
      case UInt8(ascii: "x"): candidate = .xGoogAPIKey
      default: candidate = .anthropicBeta
      }
    case 15: candidate = name[0] | 0x20 == UInt8(ascii: "a") ? .acceptEncoding : .idempotencyKey
    case 16: candidate = name[0] | 0x20 == UInt8(ascii: "c") ? .contentEncoding : .proxyConnection
    case 17: candidate = name[0] | 0x20 == UInt8(ascii: "a") ? .anthropicVersion : .transferEncoding
    case 19: candidate = .proxyAuthorization
    default: return nil
    }
    guard name.equalsIgnoringCase(candidate.text) else { return nil }
    self = candidate
  }
}

/// A set of header fields, for instance those not to forward.
public struct HTTP1NameSet: Sendable, Hashable, ExpressibleByArrayLiteral {
  private(set) var bits: UInt32

  /// The set of these names.
  public init(arrayLiteral elements: HTTP1Name...) {
    bits = 0
    for element in elements { bits |= 1 << UInt32(element.rawValue) }
  }

  init(bits: UInt32) { self.bits = bits }

  /// Whether `name` is in the set.
  public func contains(_ name: HTTP1Name) -> Bool { bits & (1 << UInt32(name.rawValue)) != 0 }

  /// Adds `name`.
  public mutating func insert(_ name: HTTP1Name) { bits |= 1 << UInt32(name.rawValue) }

  /// The names in either set.
  public func union(_ other: HTTP1NameSet) -> HTTP1NameSet {
    HTTP1NameSet(bits: bits | other.bits)
  }

  /// Fields that concern one connection only and are never forwarded (RFC 9110 §7.6.1), with the
  /// two that frame the body: whoever forwards a message frames it anew.
  public static let hopByHop: HTTP1NameSet = [
    .connection, .keepAlive, .proxyConnection, .proxyAuthorization, .te, .trailer,
    .transferEncoding, .contentLength, .upgrade, .expect,
  ]
}
