/// Reads the fields of one object by type, and in the end refuses those that nobody asked for.
///
/// Call `finish()` last: it is what turns a misspelt field into an error instead of silence.
public struct ObjectReader: Sendable {
  private let members: [JSONValue.Member]
  private let path: String
  private var known: [String] = []

  /// A field that a change may leave alone, clear, or set.
  public enum Given<Value: Sendable>: Sendable {
    case absent
    /// The client wrote null.
    case null
    case value(Value)

    /// The value, if there is one.
    public var value: Value? { if case .value(let value) = self { value } else { nil } }
  }

  /// Reads the members of `value`; `path` stands before the fields' names in faults.
  public init(_ value: JSONValue, path: String = "") throws(FieldFault) {
    guard case .object(let members) = value else {
      throw FieldFault(
        code: .invalidField, field: path,
        message: "\(path.isEmpty ? "The body" : path) is \(value.typeName)",
        remedy: "Send an object.")
    }
    self.members = members
    self.path = path
  }

  /// Whether the field is there, null included.
  public func contains(_ name: String) -> Bool { members.contains { $0.name == name } }

  /// The field as it is; nil if absent.
  public mutating func raw(_ name: String) -> JSONValue? {
    known.append(name)
    return members.first { $0.name == name }?.value
  }

  /// A required string.
  public mutating func string(_ name: String) throws(FieldFault) -> String {
    try required(name, try givenString(name))
  }

  /// A string that may be absent or null.
  public mutating func optionalString(_ name: String) throws(FieldFault) -> String? {
    try givenString(name).value
  }

  /// A string that may be absent, null or there.
  public mutating func givenString(_ name: String) throws(FieldFault) -> Given<String> {
    try given(name, "a string") { $0.string }
  }

  /// A required truth value.
  public mutating func bool(_ name: String) throws(FieldFault) -> Bool {
    try required(name, try givenBool(name))
  }

  /// A truth value that may be absent or null.
  public mutating func optionalBool(_ name: String) throws(FieldFault) -> Bool? {
    try givenBool(name).value
  }

  /// A truth value that may be absent, null or there.
  public mutating func givenBool(_ name: String) throws(FieldFault) -> Given<Bool> {
    try given(name, "true or false") { $0.bool }
  }

  /// A required integer in `range`.
  public mutating func int(
    _ name: String, in range: ClosedRange<Int64> = Int64.min...Int64.max
  ) throws(FieldFault) -> Int64 {
    try required(name, try givenInt(name, in: range))
  }

  /// An integer in `range` that may be absent or null.
  public mutating func optionalInt(
    _ name: String, in range: ClosedRange<Int64> = Int64.min...Int64.max
  ) throws(FieldFault) -> Int64? {
    try givenInt(name, in: range).value
  }

  /// An integer in `range` that may be absent, null or there.
  public mutating func givenInt(
    _ name: String, in range: ClosedRange<Int64> = Int64.min...Int64.max
  ) throws(FieldFault) -> Given<Int64> {
    let what =
      range == Int64.min...Int64.max
      ? "an integer" : "an integer from \(range.lowerBound) to \(range.upperBound)"
    return try given(name, what) { value in
      value.int.flatMap { range.contains($0) ? $0 : nil }
    }
  }

  /// An array of strings that may be absent or null.
  public mutating func optionalStrings(_ name: String) throws(FieldFault) -> [String]? {
    try given(name, "an array of strings") { value -> [String]? in
      guard let elements = value.array else { return nil }
      let strings = elements.compactMap(\.string)
      return strings.count == elements.count ? strings : nil
    }.value
  }

  /// Readers for the elements of an array of objects that may be absent or null.
  public mutating func optionalObjects(_ name: String) throws(FieldFault) -> [ObjectReader]? {
    guard let elements = try given(name, "an array of objects", { $0.array }).value else {
      return nil
    }
    var readers: [ObjectReader] = []
    for (index, element) in elements.enumerated() {
      readers.append(try ObjectReader(element, path: "\(full(name))[\(index)]"))
    }
    return readers
  }

  /// A reader for an object that may be absent or null.
  public mutating func optionalObject(_ name: String) throws(FieldFault) -> ObjectReader? {
    guard let value = raw(name), !value.isNull else { return nil }
    return try ObjectReader(value, path: full(name))
  }

  /// Refuses the first field that was not asked for.
  public func finish() throws(FieldFault) {
    guard let stranger = members.first(where: { !known.contains($0.name) }) else { return }
    let name = full(printable(stranger.name))
    let near = known.filter { isNear($0, stranger.name) }.sorted()
    let remedy: String
    if !near.isEmpty {
      remedy = "Did you mean \(near.joined(separator: " or "))?"
    } else if known.isEmpty {
      remedy = "Leave it out: no field is expected here."
    } else {
      remedy = "Known fields: \(Set(known).sorted().prefix(32).joined(separator: ", "))."
    }
    throw FieldFault(
      code: .unknownField, field: name, message: "\(name) is not a known field", remedy: remedy)
  }

  /// A fault about the field `name` of this object, for rules that a type alone cannot say.
  public func fault(_ name: String, _ message: String, remedy: String) -> FieldFault {
    FieldFault(code: .invalidField, field: full(name), message: message, remedy: remedy)
  }

  private func full(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

  mutating func given<Value: Sendable>(
    _ name: String, _ what: String, _ read: (JSONValue) -> Value?
  ) throws(FieldFault) -> Given<Value> {
    guard let value = raw(name) else { return .absent }
    if value.isNull { return .null }
    if let read = read(value) { return .value(read) }
    throw FieldFault(
      code: .invalidField, field: full(name), message: "\(full(name)) is not \(what)",
      remedy: "Send \(what) as \(full(name)).")
  }

  private func required<Value>(
    _ name: String, _ given: Given<Value>
  ) throws(FieldFault) -> Value {
    switch given {
    case .value(let value): return value
    case .absent:
      throw FieldFault(
        code: .missingField, field: full(name), message: "\(full(name)) is missing",
        remedy: "Add the field \(full(name)).")
    case .null:
      throw FieldFault(
        code: .invalidField, field: full(name), message: "\(full(name)) is null",
        remedy: "Give \(full(name)) a value.")
    }
  }
}

/// A client's field name as far as an error may repeat it: 64 characters, no controls.
private func printable(_ name: String) -> String {
  var text = String.UnicodeScalarView()
  for scalar in name.unicodeScalars.prefix(64) {
    let isControl = scalar.properties.generalCategory == .control
    text.append(isControl ? "\u{FFFD}" : scalar)
  }
  return String(text)
}

/// At most two letters changed, added or left out, case ignored; names longer than 64 are near nothing.
private func isNear(_ a: String, _ b: String) -> Bool {
  let left = Array(a.lowercased().utf8)
  let right = Array(b.lowercased().utf8)
  guard left.count <= 64, right.count <= 64, abs(left.count - right.count) <= 2 else {
    return false
  }
  var row = Array(0...right.count)
  for (index, letter) in left.enumerated() {
    var diagonal = row[0]
    row[0] = index + 1
    for column in 1..<row.count {
      let substituted = diagonal + (letter == right[column - 1] ? 0 : 1)
      diagonal = row[column]
      row[column] = min(substituted, row[column] + 1, row[column - 1] + 1)
    }
  }
  return row[right.count] <= min(2, max(left.count, right.count) / 2)
}
