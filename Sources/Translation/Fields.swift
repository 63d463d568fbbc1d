import Surface

/// The members of one object of a client's request, taken one by one; what is left over is named.
///
/// The difference to `ObjectReader`: it reads other people's protocols, where an unknown field is either passed on
/// by name or refused as not carried, and a type error names the place as the client wrote it.
struct Fields {
  let path: String
  private var members: [JSONValue.Member]

  init(_ value: JSONValue, _ path: String) throws(TranslationFault) {
    guard case .object(let members) = value else {
      throw TranslationFault(
        .malformed, path, "\(path.isEmpty ? "The body" : path) is not an object.")
    }
    self.path = path
    // Null means absent in all four protocols.
    self.members = members.filter { !$0.value.isNull }
  }

  /// Where the member `name` stands.
  func place(_ name: String) -> String { path.isEmpty ? name : path + "." + name }

  /// Whether the member is still there, and not null.
  func has(_ name: String) -> Bool { members.contains { $0.name == name } }

  /// Takes the member; nil: absent or null.
  mutating func take(_ name: String) -> JSONValue? {
    guard let index = members.firstIndex(where: { $0.name == name }) else { return nil }
    return members.remove(at: index).value
  }

  /// Takes a string that may be absent.
  mutating func text(_ name: String) throws(TranslationFault) -> String? {
    try typed(name, "a string") { $0.string }
  }

  /// Takes a string that must be there.
  mutating func requiredText(_ name: String) throws(TranslationFault) -> String {
    guard let value = try text(name) else { throw missing(name) }
    return value
  }

  /// Takes a truth value that may be absent.
  mutating func bool(_ name: String) throws(TranslationFault) -> Bool? {
    try typed(name, "true or false") { $0.bool }
  }

  /// Takes a whole number that may be absent.
  mutating func count(_ name: String) throws(TranslationFault) -> UInt64? {
    try typed(name, "a whole number") { $0.uint }
  }

  /// Takes a number that may be absent, as it was written.
  mutating func number(_ name: String) throws(TranslationFault) -> String? {
    try typed(name, "a number") { if case .number(let text) = $0 { text } else { nil } }
  }

  /// Takes an array that may be absent.
  mutating func array(_ name: String) throws(TranslationFault) -> [JSONValue]? {
    try typed(name, "an array") { $0.array }
  }

  /// Takes an object that may be absent.
  mutating func object(_ name: String) throws(TranslationFault) -> Fields? {
    guard let value = take(name) else { return nil }
    return try Fields(value, place(name))
  }

  /// Takes what is left, in order.
  mutating func rest() -> [JSONValue.Member] {
    defer { members = [] }
    return members
  }

  /// Refuses what is left.
  func finish() throws(TranslationFault) {
    guard let first = members.first else { return }
    throw notCarried(first.name)
  }

  func missing(_ name: String) -> TranslationFault {
    TranslationFault(.malformed, place(name), "\(place(name)) is missing.")
  }

  func malformed(_ name: String, _ what: String) -> TranslationFault {
    TranslationFault(.malformed, place(name), "\(place(name)) is not \(what).")
  }

  func notCarried(_ name: String) -> TranslationFault { .notCarried(place(printable(name))) }

  private mutating func typed<Value>(
    _ name: String, _ what: String, _ read: (JSONValue) -> Value?
  ) throws(TranslationFault) -> Value? {
    guard let value = take(name) else { return nil }
    guard let found = read(value) else { throw malformed(name, what) }
    return found
  }
}

extension TranslationFault {
  /// The other protocol has no place for the field.
  static func notCarried(_ field: String) -> TranslationFault {
    TranslationFault(
      .notCarried, field,
      "\(field) cannot be carried to this model's provider, which speaks another protocol.")
  }

  /// The field names what only one account has.
  static func stateBound(_ field: String) -> TranslationFault {
    TranslationFault(
      .stateBound, field,
      "\(field) refers to what is stored at a provider of another protocol than this model's.")
  }
}

/// A client's field name as far as an error may repeat it: 64 characters, no controls.
func printable(_ name: String) -> String {
  var text = String.UnicodeScalarView()
  for scalar in name.unicodeScalars.prefix(64) {
    text.append(scalar.properties.generalCategory == .control ? "\u{FFFD}" : scalar)
  }
  return String(text)
}
