import Domain

extension ConfigurationFile {
  // MARK: Rules of values

  /// 1…64 of `a-z A-Z 0-9 . _ -`.
  static func identifier(
    _ fields: Fields, _ name: String
  ) throws(ConfigFault) -> String {
    let text = try fields.requiredText(name, max: 64)
    guard isIdentifier(text) else {
      throw ConfigFault(
        .invalidValue, line: fields.line(of: name), path: fields.child(name),
        "\(Fields.shown(text)) has characters that are not allowed.",
        remedy: "Use 1 to 64 letters, digits, `.`, `_` and `-`.")
    }
    return text
  }

  static func isIdentifier(_ text: String) -> Bool {
    1...64 ~= text.utf8.count
      && text.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
        default: false
        }
      }
  }

  /// What clients may write in a model's place: 1…128 visible ASCII, no `/`.
  static func checkPublicName(
    _ name: String, _ what: String, _ line: Int, _ path: String
  ) throws(ConfigFault) {
    let isName =
      1...128 ~= name.utf8.count
      && name.utf8.allSatisfy { 0x21...0x7E ~= $0 && $0 != UInt8(ascii: "/") }
    guard isName else {
      throw ConfigFault(
        .invalidValue, line: line, path: path,
        "\(what) is 1 to 128 visible ASCII characters without `/`.")
    }
  }

  /// A list of different visible names; nil if the member is absent.
  static func names(
    _ fields: Fields, _ name: String, _ what: String, most: Int, length: Int
  ) throws(ConfigFault) -> [(text: String, line: Int, path: String)]? {
    guard let texts = try fields.texts(name, max: most, length: length) else { return nil }
    var seen: Uniqueness = .init(what)
    var out: [(text: String, line: Int, path: String)] = []
    for (index, element) in texts.enumerated() {
      let path = "\(fields.child(name))[\(index)]"
      try visible(element.text, element.line, path)
      try seen.add(element.text, element.line, path)
      out.append((element.text, element.line, path))
    }
    return out
  }

  static func modelName(_ fields: Fields, _ name: String) throws(ConfigFault) -> String? {
    guard let text = try fields.text(name, max: 191) else { return nil }
    try checkModel(text, fields.line(of: name), fields.child(name))
    return text
  }

  /// A model's name: 1…191 visible ASCII, no `/` at either end.
  static func checkModel(_ text: String, _ line: Int, _ path: String) throws(ConfigFault) {
    try visible(text, line, path)
    guard 1...191 ~= text.utf8.count, text.first != "/", text.last != "/" else {
      throw ConfigFault(
        .invalidValue, line: line, path: path,
        "A model's name has 1 to 191 bytes and no slash at either end.")
    }
  }

  static func visible(_ text: String, _ line: Int, _ path: String) throws(ConfigFault) {
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw ConfigFault(
        .invalidValue, line: line, path: path, "Expected visible ASCII without spaces.")
    }
  }

  /// Refuses the second of two equal names, naming the line of the first.
  struct Uniqueness {
    private let what: String
    private var lines: [String: Int] = [:]

    init(_ what: String) { self.what = what }

    mutating func add(_ name: String, _ line: Int, _ path: String) throws(ConfigFault) {
      if let first = lines.updateValue(line, forKey: name) {
        throw ConfigFault(
          .duplicate, line: line, path: path,
          "The \(what) \(Fields.shown(name)) stands already in line \(first).",
          remedy: "Keep one of them.")
      }
    }
  }
}
