/// A JSON Schema (draft 2020-12), as far as the gateway's bodies, answers and parameters need it.
///
/// Objects are written as their fields; whether others are let in is said by whoever writes the schema out:
/// a request's body refuses them, an answer may get more in a later version.
public struct Schema: Sendable, Hashable {
  /// The schema as it stands in the document, in the order of writing.
  public private(set) var keywords: [JSONValue.Member]

  private init(_ keywords: [JSONValue.Member]) { self.keywords = keywords }

  private init(type: String, _ keywords: [JSONValue.Member] = []) {
    self.init([.init("type", JSONValue(type))] + keywords)
  }

  /// One field of an object.
  public struct Field: Sendable, Hashable {
    /// As on the wire.
    public var name: String
    /// Of its value.
    public var schema: Schema
    /// Whether it is always there.
    public var isRequired: Bool

    /// A field that is always there.
    public static func field(_ name: String, _ schema: Schema) -> Field {
      Field(name: name, schema: schema, isRequired: true)
    }

    /// A field that may be left out.
    public static func optional(_ name: String, _ schema: Schema) -> Field {
      Field(name: name, schema: schema, isRequired: false)
    }
  }
}

// MARK: Plain values

extension Schema {
  /// Anything at all.
  public static let any = Schema([])
  /// `true` or `false`.
  public static let bool = Schema(type: "boolean")
  /// Any text.
  public static let string = Schema(type: "string")
  /// An integer of at most 64 bits.
  public static let integer = Schema(type: "integer")
  /// A number.
  public static let number = Schema(type: "number")
  /// A time as RFC 3339.
  public static let time = Schema(type: "string", [.init("format", "date-time")])
  /// An integer that is not negative.
  public static let count = Schema(type: "integer", [.init("minimum", 0)])
  /// A UUID as text.
  public static let uuid = Schema(type: "string", [.init("format", "uuid")])

  /// Text by its length in code points and, if given, by a regular expression for the whole of it.
  public static func string(_ lengths: ClosedRange<Int>, matching pattern: String? = nil) -> Schema
  {
    var schema = Schema(
      type: "string",
      [
        .init("minLength", JSONValue(lengths.lowerBound)),
        .init("maxLength", JSONValue(lengths.upperBound)),
      ]
    )
    if let pattern { schema.keywords.append(.init("pattern", JSONValue("^\(pattern)$"))) }
    return schema
  }

  /// An integer with both its bounds.
  public static func integer(_ range: ClosedRange<Int64>) -> Schema {
    Schema(
      type: "integer",
      [
        .init("minimum", JSONValue(range.lowerBound)),
        .init("maximum", JSONValue(range.upperBound)),
      ])
  }

  /// An amount of `range` millionths with at most six decimals.
  public static func amount(_ range: ClosedRange<UInt64>) -> Schema {
    Schema(
      type: "number",
      [
        .init("minimum", JSONValue(millionths: range.lowerBound)),
        .init("maximum", JSONValue(millionths: range.upperBound)),
        .init("multipleOf", JSONValue(millionths: 1)),
      ])
  }

  /// One of these words.
  public static func choice(_ words: [String]) -> Schema {
    Schema(type: "string", [.init("enum", .array(words.map { JSONValue($0) }))])
  }

  /// Exactly this value.
  public static func constant(_ value: JSONValue) -> Schema { Schema([.init("const", value)]) }
}

// MARK: What holds others

extension Schema {
  /// An object with these fields.
  public static func object(_ fields: [Field]) -> Schema {
    var schema = Schema(
      type: "object",
      [.init("properties", .object(fields.map { .init($0.name, $0.schema.json) }))])
    let required = fields.filter(\.isRequired).map { JSONValue($0.name) }
    if !required.isEmpty { schema.keywords.append(.init("required", .array(required))) }
    return schema
  }

  /// An object with these fields that lets others in, also in a request.
  public static func open(_ fields: [Field]) -> Schema {
    var schema = object(fields)
    schema.keywords.append(.init("additionalProperties", true))
    return schema
  }

  /// An object whose names are data and whose values are alike.
  public static func map(of value: Schema) -> Schema {
    Schema(type: "object", [.init("additionalProperties", value.json)])
  }

  /// An object whose names are data of their own schema and whose values are alike.
  public static func map(from name: Schema, to value: Schema) -> Schema {
    Schema(
      type: "object",
      [.init("propertyNames", name.json), .init("additionalProperties", value.json)])
  }

  /// An array of such elements.
  public static func array(of element: Schema, atMost count: Int? = nil) -> Schema {
    var schema = Schema(type: "array", [.init("items", element.json)])
    if let count { schema.keywords.append(.init("maxItems", JSONValue(count))) }
    return schema
  }

  /// One of several forms.
  public static func anyOf(_ schemas: [Schema]) -> Schema {
    Schema([.init("anyOf", .array(schemas.map(\.json)))])
  }

  /// All of these at once.
  static func allOf(_ schemas: [Schema]) -> Schema {
    Schema([.init("allOf", .array(schemas.map(\.json)))])
  }

  /// A schema that stands among the document's components.
  public static func named(_ component: Component) -> Schema {
    reference("#/components/schemas/\(component.rawValue)")
  }

  static func reference(_ place: String) -> Schema { Schema([.init("$ref", JSONValue(place))]) }
}

// MARK: Changed

extension Schema {
  /// The same or null.
  public var orNull: Schema {
    var schema = self
    for (index, keyword) in keywords.enumerated() {
      switch (keyword.name, keyword.value) {
      case ("type", .string(let type)): schema.keywords[index].value = [.string(type), "null"]
      case ("enum", .array(let words)): schema.keywords[index].value = .array(words + [.null])
      default: break
      }
    }
    return schema.keywords.contains { $0.name == "type" }
      ? schema : .anyOf([self, Schema(type: "null")])
  }

  /// The same with a sentence for readers.
  public func described(_ text: String) -> Schema {
    Schema(keywords.filter { $0.name != "description" } + [.init("description", JSONValue(text))])
  }

  /// The same with what holds when it is left out.
  public func byDefault(_ value: JSONValue) -> Schema {
    Schema(keywords.filter { $0.name != "default" } + [.init("default", value)])
  }

  /// The same where one of these fields means nothing without all the others.
  public func together(_ names: [String]) -> Schema {
    Schema(
      keywords + [
        .init(
          "dependentRequired",
          .object(
            names.map { name in
              .init(name, .array(names.filter { $0 != name }.map { JSONValue($0) }))
            }))
      ])
  }

  /// The same with an example.
  public func example(_ value: JSONValue) -> Schema {
    Schema(keywords.filter { $0.name != "examples" } + [.init("examples", [value])])
  }

  /// What is wrong with this text as the value of a parameter; nil: nothing.
  ///
  /// Looks at type, bounds and words, not at patterns: no text holds control characters anyway.
  public func fault(inText text: String) -> String? {
    func keyword(_ name: String) -> JSONValue? { keywords.first { $0.name == name }?.value }
    switch keyword("type")?.string {
    case "boolean": return text == "true" || text == "false" ? nil : "is neither true nor false"
    case "integer":
      let range = (keyword("minimum")?.int ?? .min)...(keyword("maximum")?.int ?? .max)
      let isNumber = text.utf8.count <= 20 && text.utf8.first != UInt8(ascii: "+")
      if isNumber, let number = Int64(text), range.contains(number) { return nil }
      return "is not an integer from \(range.lowerBound) to \(range.upperBound)"
    case _:
      if let words = keyword("enum")?.array?.compactMap(\.string) {
        return words.contains(text) ? nil : "is none of \(words.joined(separator: ", "))"
      }
      let lengths = (keyword("minLength")?.int ?? 0)...(keyword("maxLength")?.int ?? 512)
      let scalars = text.unicodeScalars
      let isFit =
        lengths.contains(Int64(scalars.count))
        && scalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
      return isFit
        ? nil
        : "is not \(lengths.lowerBound) to \(lengths.upperBound) characters without controls"
    }
  }

  /// As a part of the document.
  public var json: JSONValue { .object(keywords) }

  /// As a part of the document that refuses fields which it does not name, at every depth.
  public var closedJSON: JSONValue { Self.closed(json) }

  private static func closed(_ value: JSONValue) -> JSONValue {
    switch value {
    case .array(let elements): return .array(elements.map(closed))
    case .object(let members):
      let inner = members.map { JSONValue.Member($0.name, closed($0.value)) }
      // `properties` is a keyword only where a type stands beside it; else it is a field's own name.
      let isObject = value["properties"]?.members != nil && value["type"] != nil
      let isOpen = value["additionalProperties"] != nil
      return .object(isObject && !isOpen ? inner + [.init("additionalProperties", false)] : inner)
    case .string, .number, .bool, .null: return value
    }
  }
}
