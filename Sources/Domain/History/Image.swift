/// A resource of the configuration as it stands, field by field and without any secret.
///
/// History, plans, drift, reverting and restoring show and compare images, and `ControlState.reversal`
/// turns wanted ones back into commands.
public struct Image: Sendable, Hashable {
  /// One field by the name that answers give it.
  public struct Field: Sendable, Hashable {
    /// For example `baseUrl`.
    public var name: String
    /// As it stands.
    public var value: Value
    /// False: it follows from something else or was given once, and no command sets it.
    public var isSettable: Bool
  }

  /// What a field holds.
  public enum Value: Sendable, Hashable {
    /// Nothing: not set, or not there.
    case none
    case flag(Bool)
    case number(UInt64)
    case text(String)
    case time(UnixNanoseconds)
    case list([Value])
    /// Named values in an order of their own.
    case record([Member])
  }

  /// A named value within a value.
  public struct Member: Sendable, Hashable {
    /// By the name that answers give it.
    public var name: String
    /// What it holds.
    public var value: Value

    /// Made of its parts.
    public init(_ name: String, _ value: Value) {
      self.name = name
      self.value = value
    }
  }

  /// A field whose values differ.
  public struct Difference: Sendable, Hashable {
    /// The field's name.
    public var field: String
    /// `none` also if there was no such resource.
    public var before: Value
    /// `none` also if there is no such resource any more.
    public var after: Value
    /// As of the field.
    public var isSettable: Bool
  }

  /// Whose image it is.
  public let subject: Subject
  /// In the order in which they are shown; but for prices, every image of a kind of resource has the same.
  public private(set) var fields: [Field] = []

  init(_ subject: Subject) { self.subject = subject }

  /// A field's value; `none` if there is no such field.
  public subscript(_ name: String) -> Value {
    fields.first { $0.name == name }?.value ?? .none
  }

  private var values: [String: Value] {
    Dictionary(fields.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
  }

  /// The image with some fields as another one has them, or does not have them.
  public func keeping(_ names: Set<String>, of other: Image) -> Image {
    var image = self
    image.fields.removeAll { names.contains($0.name) }
    image.fields += other.fields.filter { names.contains($0.name) }
    return image
  }

  /// The image with a field that holds another value; the same one if there is no such field.
  public func replacing(_ name: String, with value: Value) -> Image {
    var image = self
    for index in image.fields.indices where image.fields[index].name == name {
      image.fields[index].value = value
    }
    return image
  }

  /// What differs, in the order of the fields; nil is a resource that is not there.
  public static func difference(_ before: Image?, _ after: Image?) -> [Difference] {
    var fields = after?.fields ?? []
    let (old, new) = (before?.values ?? [:], after?.values ?? [:])
    fields += (before?.fields ?? []).filter { new[$0.name] == nil }
    return fields.compactMap { field in
      let difference = Difference(
        field: field.name, before: old[field.name] ?? .none, after: new[field.name] ?? .none,
        isSettable: field.isSettable)
      return difference.before == difference.after ? nil : difference
    }
  }

  /// A field that commands set.
  func setting(_ name: String, _ value: Value) -> Image { adding(name, value, isSettable: true) }

  /// A field that is only shown.
  func showing(_ name: String, _ value: Value) -> Image { adding(name, value, isSettable: false) }

  private func adding(_ name: String, _ value: Value, isSettable: Bool) -> Image {
    var image = self
    image.add(name, value, isSettable: isSettable)
    return image
  }

  /// The same in place, for images of thousands of fields.
  mutating func add(_ name: String, _ value: Value, isSettable: Bool = true) {
    fields.append(Field(name: name, value: value, isSettable: isSettable))
  }
}

extension Image.Value {
  /// A text, or nothing.
  public init(_ text: String?) { self = text.map { .text($0) } ?? .none }
  /// A number, or nothing.
  public init(_ number: (some FixedWidthInteger & UnsignedInteger)?) {
    self = number.map { .number(UInt64($0)) } ?? .none
  }
  /// A time, or nothing.
  public init(_ time: UnixNanoseconds?) { self = time.map { .time($0) } ?? .none }
  /// Texts in order.
  public init(_ texts: [String]) { self = .list(texts.map { .text($0) }) }

  /// The truth value, if it is one.
  public var flag: Bool? { if case .flag(let flag) = self { flag } else { nil } }
  /// The number, if it is one.
  public var number: UInt64? { if case .number(let number) = self { number } else { nil } }
  /// The text, if it is one.
  public var text: String? { if case .text(let text) = self { text } else { nil } }
  /// The time, if it is one.
  public var time: UnixNanoseconds? { if case .time(let time) = self { time } else { nil } }
  /// The values, if it is a list.
  public var list: [Image.Value]? { if case .list(let list) = self { list } else { nil } }
  /// A named value of a record; `none` if there is none.
  public subscript(_ name: String) -> Image.Value {
    guard case .record(let members) = self else { return .none }
    return members.first { $0.name == name }?.value ?? .none
  }

  /// A number that fits, if it is one.
  func number<Number: FixedWidthInteger>(as type: Number.Type) -> Number? {
    number.flatMap { Number(exactly: $0) }
  }
}

extension Fingerprint {
  /// The first 12 hexadecimal digits: enough to compare by eye, and of no use otherwise.
  public var short: String {
    var text = ""
    for byte in rawValue.prefix(6) {
      text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
    return text
  }
}
