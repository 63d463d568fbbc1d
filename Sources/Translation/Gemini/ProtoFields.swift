import Surface

/// The members of one object in Google's JSON, which knows more than one spelling of the same thing.
///
/// Google reads its messages as protocol buffers: `systemInstruction` may be written `system_instruction`, a list of
/// one as the element alone, a whole number as text. Google's own examples do all three.
struct ProtoFields {
  private var fields: Fields
  /// Names with underscores, of which most objects have none.
  private let snakes: [String]

  init(_ value: JSONValue, _ path: String) throws(TranslationFault) {
    fields = try Fields(value, path)
    snakes = (value.members ?? []).map(\.name).filter { $0.utf8.contains(UInt8(ascii: "_")) }
  }

  /// Where this object stands.
  var path: String { fields.path }

  /// Where the member stands, as the client wrote it.
  func place(_ name: String) -> String { fields.place(spelled(name)) }

  /// Takes the member; nil: absent or null.
  mutating func take(_ name: String) -> JSONValue? { fields.take(spelled(name)) }

  /// Takes a string that may be absent.
  mutating func text(_ name: String) throws(TranslationFault) -> String? {
    try fields.text(spelled(name))
  }

  /// Takes a string that must be there.
  mutating func requiredText(_ name: String) throws(TranslationFault) -> String {
    try fields.requiredText(spelled(name))
  }

  /// Takes a truth value that may be absent.
  mutating func bool(_ name: String) throws(TranslationFault) -> Bool? {
    try fields.bool(spelled(name))
  }

  /// Takes a number that may be absent, as it was written.
  mutating func number(_ name: String) throws(TranslationFault) -> String? {
    try fields.number(spelled(name))
  }

  /// Takes a whole number that may be absent, written as number or as text.
  mutating func count(_ name: String) throws(TranslationFault) -> UInt64? {
    guard let value = take(name) else { return nil }
    guard let count = value.uint ?? value.string.flatMap({ UInt64($0) }) else {
      throw malformed(name, "a whole number")
    }
    return count
  }

  /// Takes an object that may be absent.
  mutating func object(_ name: String) throws(TranslationFault) -> ProtoFields? {
    let place = place(name)
    guard let value = take(name) else { return nil }
    return try ProtoFields(value, place)
  }

  /// Takes the elements of a list that may be absent, each with its place.
  mutating func list(
    _ name: String
  ) throws(TranslationFault) -> [(value: JSONValue, path: String)]? {
    let place = place(name)
    guard let value = take(name) else { return nil }
    switch value {
    case .array(let elements):
      return elements.enumerated().map { ($1, "\(place)[\($0)]") }
    case .object: return [(value, place)]
    case .string, .number, .bool, .null: throw malformed(name, "an array")
    }
  }

  /// Takes a list of strings that may be absent.
  mutating func texts(_ name: String) throws(TranslationFault) -> [String]? {
    guard let value = take(name) else { return nil }
    guard let elements = value.array else { throw malformed(name, "an array of strings") }
    var texts: [String] = []
    for element in elements {
      guard let text = element.string else { throw malformed(name, "an array of strings") }
      texts.append(text)
    }
    return texts
  }

  /// Takes what is left, in order, as settings that no other protocol has.
  mutating func rest() -> [Setting] {
    fields.rest().map { Setting(.own($0.value), field: fields.notCarried($0.name).field) }
  }

  /// Refuses what is left.
  func finish() throws(TranslationFault) { try fields.finish() }

  func missing(_ name: String) -> TranslationFault { fields.missing(spelled(name)) }

  func malformed(_ name: String, _ what: String) -> TranslationFault {
    fields.malformed(spelled(name), what)
  }

  func notCarried(_ name: String) -> TranslationFault { fields.notCarried(spelled(name)) }

  private func spelled(_ name: String) -> String {
    if snakes.isEmpty || fields.has(name) { return name }
    let snake = snakeCase(name)
    return snakes.contains(snake) ? snake : name
  }
}

/// `systemInstruction` as `system_instruction`.
func snakeCase(_ name: String) -> String {
  var text = ""
  for scalar in name.unicodeScalars {
    if ("A"..."Z").contains(scalar) {
      text.append("_")
      text.append(Character(scalar).lowercased())
    } else {
      text.unicodeScalars.append(scalar)
    }
  }
  return text
}
