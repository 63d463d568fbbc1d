/// The bounds of fields as documented at their types; every text that becomes an event passes here.
enum Bounds {
  static let modelsPerProvider = 2_000
  static let excludedModelsPerProvider = 500
  static let modelNameBytes = 191
  static let baseURLBytes = 512
  static let priorities: ClosedRange<UInt32> = 1...1_000
  static let weights: ClosedRange<UInt32> = 0...10_000
  static let bodyBytes: ClosedRange<UInt64> = (1 << 10)...(256 << 20)

  /// 1…64 of `a-z A-Z 0-9 . _ -`.
  static func identifier(_ value: String, _ field: String) throws(Refusal) {
    guard 1...64 ~= value.utf8.count, value.utf8.allSatisfy(isIdentifierByte) else {
      throw .invalid(field, value, "\(field) must be 1 to 64 of a-z A-Z 0-9 . _ -")
    }
  }

  /// Text for people: 1…`most` characters and at most four times as many bytes, none of them invisible but
  /// for spaces inside.
  static func label(_ value: String, _ field: String, most: Int) throws(Refusal) {
    let isFit =
      value.utf8.count <= 4 * most && 1...most ~= value.count
      && value.first != " " && value.last != " "
      && value.unicodeScalars.allSatisfy { $0 == " " || isVisible($0) }
    guard isFit else {
      throw .invalid(field, value, "\(field) must be 1 to \(most) visible characters")
    }
  }

  /// A model's name, or a wildcard over such names: visible, without spaces, 1…191 bytes.
  static func modelName(_ value: String, _ field: String) throws(Refusal) {
    let isFit =
      1...modelNameBytes ~= value.utf8.count && value.unicodeScalars.allSatisfy(isVisible)
      && value.utf8.first != slash && value.utf8.last != slash
    guard isFit else {
      throw .invalid(
        field, value,
        "\(field) must be 1 to \(modelNameBytes) bytes, visible, with no slash at either end")
    }
  }

  /// 1…128 visible ASCII, no `/`.
  static func publicName(_ value: String, _ what: String) throws(Refusal) {
    let isFit =
      1...128 ~= value.utf8.count && value.utf8.allSatisfy { 0x21...0x7E ~= $0 && $0 != slash }
    guard isFit else {
      let article = what == "alias" ? "an" : "a"
      throw .invalid(
        "name", value, "\(article) \(what) must be 1 to 128 visible ASCII characters without /")
    }
  }

  static func within<Number: FixedWidthInteger>(
    _ value: Number, _ range: ClosedRange<Number>, _ field: String
  ) throws(Refusal) {
    guard range ~= value else {
      throw .invalid(
        field, String(value), "\(field) must be \(range.lowerBound) to \(range.upperBound)")
    }
  }

  static let slash = UInt8(ascii: "/")

  private static func isIdentifierByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
    case _: false
    }
  }

  private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return 0x21...0x7E ~= scalar.value }
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
      .paragraphSeparator, .spaceSeparator:
      return false
    case _: return true
    }
  }
}

extension Refusal {
  /// A field outside its bounds.
  static func invalid(
    _ field: String, _ value: String, _ message: String, remedy: String = ""
  ) -> Refusal {
    Refusal(
      code: .invalidField, field: field, value: bounded(value), message: message, remedy: remedy)
  }

  /// At most 128 bytes of the value, cut at a character.
  public static func bounded(_ value: String) -> String {
    guard value.utf8.count > 128 else { return value }
    var kept = ""
    for character in value {
      guard kept.utf8.count + character.utf8.count <= 125 else { break }
      kept.append(character)
    }
    return kept + "…"
  }
}
