/// What is wrong with a JSON document, and where; never any of its contents.
public struct JSONFault: Error, Sendable, Hashable {
  /// The family a fault belongs to, which fixes its error code.
  public enum Kind: UInt8, Sendable, Hashable, CaseIterable {
    /// Not a JSON document by RFC 8259, or beyond a stated bound.
    case syntax
    /// The same name twice in one object.
    case duplicateField
    /// A required member is absent.
    case missingField
    /// A member's value has the wrong type or is out of bounds.
    case invalidField

    /// The catalogue's code for faults of this family.
    public var errorCode: ErrorCode {
      switch self {
      case .syntax: .invalidJSON
      case .duplicateField: .duplicateField
      case .missingField: .missingField
      case .invalidField: .invalidField
      }
    }
  }

  /// The family it belongs to.
  public var kind: Kind
  /// Bytes before the place, from 0.
  public var offset: Int
  /// From 1; LF, CR and CRLF each end a line.
  public var line: Int
  /// From 1, in bytes.
  public var column: Int
  /// One bounded sentence without a full stop and without any byte of the document.
  public var reason: String
  /// The member's name (`stream_options.include_usage`); only names that the gateway itself knows.
  public var field: String?

  /// A fault at a place that is already worked out.
  public init(
    kind: Kind, offset: Int, line: Int, column: Int, reason: String, field: String? = nil
  ) {
    self.kind = kind
    self.offset = offset
    self.line = line
    self.column = column
    self.reason = reason
    self.field = field
  }

  /// The catalogue's code: `invalid_json`, `duplicate_field`, `missing_field` or `invalid_field`.
  public var errorCode: ErrorCode { kind.errorCode }

  /// The reason and the place, for an error's `message`: `a colon is expected here (line 3, …)`.
  public var message: String {
    "\(reason) (line \(line), column \(column), byte \(offset))"
  }
}
