/// A JSON tree for administration bodies; objects keep their order, numbers their text.
public enum JSONValue: Sendable, Hashable {
  case object([Member])
  case array([JSONValue])
  case string(String)
  /// The number exactly as written; must be a JSON number.
  case number(String)
  case bool(Bool)
  case null

  /// One name and its value.
  public struct Member: Sendable, Hashable {
    /// Unescaped.
    public var name: String
    /// Any value.
    public var value: JSONValue

    /// A member of an object.
    public init(_ name: String, _ value: JSONValue) {
      self.name = name
      self.value = value
    }
  }

  /// The value of the member `name`; nil if there is none or this is no object.
  public subscript(name: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }

  /// The element at `index`; nil if there is none or this is no array.
  public subscript(index: Int) -> JSONValue? {
    guard case .array(let elements) = self, elements.indices.contains(index) else { return nil }
    return elements[index]
  }

  /// The text, if this is a string.
  public var string: String? { if case .string(let text) = self { text } else { nil } }
  /// The number, if this is an integer that fits; `39.0` and `1e3` are integers too.
  public var int: Int64? {
    guard case .number(let text) = self else { return nil }
    return Int64(text) ?? Double(text).flatMap(Int64.init(exactly:))
  }
  /// The number, if this is an integer that fits and is not negative.
  public var uint: UInt64? {
    guard case .number(let text) = self else { return nil }
    return UInt64(text) ?? Double(text).flatMap(UInt64.init(exactly:))
  }
  /// The truth value, if this is one.
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  /// The elements, if this is an array.
  public var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
  /// The members, if this is an object.
  public var members: [Member]? { if case .object(let value) = self { value } else { nil } }
  /// Whether this is null.
  public var isNull: Bool { self == .null }

  /// What a sentence about a wrong type calls it, as `an object`.
  public var typeName: String {
    switch self {
    case .object: "an object"
    case .array: "an array"
    case .string: "a string"
    case .number: "a number"
    case .bool: "a boolean"
    case .null: "null"
    }
  }

  /// The compact text, as `JSONWriter` writes it.
  public var bytes: [UInt8] {
    var writer = JSONWriter()
    writer.value(self)
    return writer.bytes
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByNilLiteral, ExpressibleByArrayLiteral,
  ExpressibleByDictionaryLiteral
{
  /// A string.
  public init(stringLiteral value: String) { self = .string(value) }
  /// A number.
  public init(integerLiteral value: Int64) { self = .number(String(value)) }
  /// A truth value.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  /// Null.
  public init(nilLiteral: ()) { self = .null }
  /// An array.
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  /// An object, in the order written.
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(elements.map { Member($0.0, $0.1) })
  }

  /// An integer.
  public init(_ value: some BinaryInteger) { self = .number(String(value)) }
  /// A string.
  public init(_ value: String) { self = .string(value) }
  /// A string, or null for nil.
  public init(_ value: String?) { self = value.map { .string($0) } ?? .null }
}
