public import NIOCore

/// The head of a request.
///
/// The target was checked: origin-form, absolute-form with `http` or `https`, or `*` for OPTIONS
/// (RFC 9112 §3.2), in the characters of RFC 3986 with whole percent-escapes.
public struct HTTP1RequestHead: Sendable {
  /// The form of the request target.
  public enum TargetForm: UInt8, Sendable, Hashable {
    case origin, absolute, asterisk
  }

  /// The method.
  public let method: HTTP1Method
  /// The version the client speaks; answer 1.0 clients without chunks.
  public let version: HTTP1Version
  /// The form of the target.
  public let form: TargetForm
  /// How the body ends; never `.untilClose`.
  public let framing: HTTP1BodyFraming
  /// Whether the client lets the connection live after this request.
  public let keepsAlive: Bool
  /// Whether the client waits for `100 Continue` before it sends the body.
  public let expectsContinue: Bool
  /// The header fields.
  public let fields: HTTP1Fields

  private let line: RequestLine

  init(head: ByteBuffer, line: RequestLine, scanner: HeadScanner) {
    self.method = line.method
    self.version = line.version
    self.form = line.form
    self.framing = scanner.framing
    self.keepsAlive = scanner.keepsAlive(line.version)
    self.expectsContinue =
      scanner.expectsContinue && line.version == .http11 && scanner.framing != .none
    self.fields = HTTP1Fields(head: head, places: scanner.places)
    self.line = line
  }

  /// The target as sent.
  public var target: String { text(line.target) }

  /// The path with its escapes as sent; "/" if an absolute-form target has none, "*" in asterisk-form.
  public var path: String { withPath { String(decoding: $0, as: UTF8.self) } }

  /// Whether the target has a query, be it empty.
  public var hasQuery: Bool { line.path.upperBound < line.target.upperBound }

  /// What follows the "?" of the target, as sent; nil without "?".
  public var query: String? {
    hasQuery ? text(line.path.upperBound + 1..<line.target.upperBound) : nil
  }

  /// Host and port of an absolute-form target, which count instead of the Host field.
  public var authority: String? { form == .absolute ? text(line.authority) : nil }

  /// Calls `body` with the bytes of the path.
  @inlinable
  public func withPath<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    let (buffer, range) = pathPlace
    return buffer.withUnsafeReadableBytes { body(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }

  @usableFromInline
  var pathPlace: (ByteBuffer, Range<Int>) {
    line.path.isEmpty ? (Self.rootPath, 0..<1) : (fields.head, line.path)
  }

  private static let rootPath = ByteBuffer(string: "/")

  /// Whether the path is exactly `path`, byte for byte.
  public func pathEquals(_ path: StaticString) -> Bool { withPath { $0.equals(path) } }

  /// Whether the path starts with `prefix`, byte for byte.
  public func pathHasPrefix(_ prefix: StaticString) -> Bool {
    withPath { path in
      path.count >= prefix.utf8CodeUnitCount
        && path.slice(0..<prefix.utf8CodeUnitCount).equals(prefix)
    }
  }

  private func text(_ range: Range<Int>) -> String {
    fields.head.withUnsafeReadableBytes { String(decoding: $0.slice(range), as: UTF8.self) }
  }
}
