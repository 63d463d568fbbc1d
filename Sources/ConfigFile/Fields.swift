import Domain
import Yams

/// The members of one YAML mapping, each readable as the type it must have.
///
/// Every member is either known, part of a later build, or refused: nothing is ever passed over.
struct Fields {
  /// Where the mapping stands, for example `providers[0]`; empty for the document.
  let path: String
  let line: Int
  private let shape: ConfigurationShape?
  private let members: [(name: String, line: Int, node: Node)]
  private let environment: [String: String]

  /// - Parameter shape: which names this build reads, and which the format has beside them.
  init(
    _ node: Node, path: String, environment: [String: String], _ shape: ConfigurationShape
  ) throws(ConfigFault) {
    try self.init(anyNamesIn: node, path: path, environment: environment, shape: shape)
    let (known, unbuilt) = (shape.names, shape.unbuilt)
    for member in members {
      if known.contains(member.name) { continue }
      if unbuilt.contains(member.name) {
        throw Fields.notBuilt(member.name, line: member.line, path: child(member.name))
      }
      if member.name == "<<" {
        throw ConfigFault(
          .syntax, line: member.line, path: path, "YAML merge keys are not taken.",
          remedy: "Write the fields out.")
      }
      let near = NearNames.of(member.name, among: known + unbuilt)
      throw ConfigFault(
        .unknownField, line: member.line, path: path,
        "There is no field \(Fields.shownField(member.name)) here.",
        remedy: near.isEmpty
          ? "Known: \(known.joined(separator: ", "))."
          : "Did you mean \(near.map { "`\($0)`" }.joined(separator: " or "))?")
    }
  }

  /// A mapping whose member names are data, as under `aliases`.
  init(
    anyNamesIn node: Node, path: String, environment: [String: String],
    shape: ConfigurationShape? = nil
  ) throws(ConfigFault) {
    self.path = path
    self.shape = shape
    self.environment = environment
    line = node.mark?.line ?? 1
    try Fields.refuseTag(node, path: path)
    guard case .mapping(let mapping) = node else {
      throw ConfigFault(
        .wrongType, line: line, path: path,
        "Expected fields with values, found \(Fields.kind(node)).",
        remedy: "Write `name: value` pairs.")
    }
    var members: [(name: String, line: Int, node: Node)] = []
    for (key, value) in mapping {
      let keyLine = key.mark?.line ?? line
      guard case .scalar(let scalar) = key else {
        throw ConfigFault(
          .wrongType, line: keyLine, path: path, "A field's name must be a plain text.")
      }
      try Fields.refuseTag(key, path: path)
      if EnvironmentReference.isReferring(scalar.string) {
        throw ConfigFault(
          .invalidValue, line: keyLine, path: path,
          "Variables are expanded in values, not in names.")
      }
      members.append((EnvironmentReference.unmark(scalar.string), keyLine, value))
    }
    self.members = members
  }

  /// Names in the order of the file, with their lines.
  var names: [(name: String, line: Int)] { members.map { ($0.name, $0.line) } }

  /// The line of a member, or the mapping's own.
  func line(of name: String) -> Int { member(name)?.line ?? line }

  func has(_ name: String) -> Bool { member(name) != nil }

  // MARK: Typed members

  /// A text of 1…`max` characters; nil if the member is absent.
  func text(_ name: String, max: Int = 256) throws(ConfigFault) -> String? {
    guard let value = try scalar(name) else { return nil }
    return try checked(value, name, max: max).text
  }

  func requiredText(_ name: String, max: Int = 256) throws(ConfigFault) -> String {
    guard let value = try text(name, max: max) else { throw missing(name) }
    return value
  }

  /// A secret of 1…`most` visible ASCII characters that no manual holds; its value never gets into a fault.
  func secret(
    _ name: String, for use: SampleKey.Use, most: Int = 4_096
  ) throws(ConfigFault) -> SecretText? {
    guard let value = try scalar(name, isSecret: true) else { return nil }
    if value.text.isEmpty {
      throw ConfigFault(
        .invalidValue, line: value.line, path: child(name),
        value.isExpanded ? "The variable named here is empty." : "The secret is empty.")
    }
    guard value.text.utf8.count <= most, value.text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
    else {
      throw ConfigFault(
        .invalidValue, line: value.line, path: child(name),
        "A secret is 1 to \(most) visible ASCII characters without spaces.")
    }
    if let flaw = SampleKey(value.text, for: use) {
      throw ConfigFault(
        .invalidValue, line: value.line, path: child(name),
        "The \(value.isExpanded ? "variable's value" : "secret") \(flaw.sentence).",
        remedy: flaw.remedy)
    }
    return SecretText(value.text)
  }

  func flag(_ name: String) throws(ConfigFault) -> Bool? {
    guard let value = try scalar(name) else { return nil }
    switch value.text {
    case "true" where value.isPlain: return true
    case "false" where value.isPlain: return false
    default:
      throw ConfigFault(
        .wrongType, line: value.line, path: child(name),
        "\(shown(value)) is not true or false.",
        remedy: "Write `\(name): true` or `\(name): false`, without quotes.")
    }
  }

  /// A whole number within the shape's bounds.
  ///
  /// - Precondition: the shape has such a number.
  func number(_ name: String) throws(ConfigFault) -> UInt64? {
    guard let shape else { preconditionFailure("\(path) has no shape") }
    let range = shape.range(name)
    guard let value = try scalar(name) else { return nil }
    let isDigits = !value.text.isEmpty && value.text.utf8.allSatisfy { (0x30...0x39).contains($0) }
    guard isDigits, value.isPlain, value.text.utf8.first != 0x30 || value.text == "0",
      let number = UInt64(value.text)
    else {
      throw ConfigFault(
        .wrongType, line: value.line, path: child(name),
        "\(shown(value)) is not a whole number.",
        remedy: "Write a number from \(range.lowerBound) to \(range.upperBound).")
    }
    guard range.contains(number) else {
      throw ConfigFault(
        .invalidValue, line: value.line, path: child(name), "\(number) is out of bounds.",
        remedy: "Write a number from \(range.lowerBound) to \(range.upperBound).")
    }
    return number
  }

  /// US dollars in millionths, exactly as written: digits, and perhaps a point and one to six more.
  func amount(_ name: String, _ range: ClosedRange<UInt64>) throws(ConfigFault) -> UInt64? {
    guard let value = try scalar(name) else { return nil }
    let bounds =
      "Write an amount from \(decimalText(millionths: range.lowerBound)) to \(decimalText(millionths: range.upperBound)), "
      + "like `12` or `0.25`."
    guard value.isPlain, let amount = Amount.parse(value.text) else {
      throw ConfigFault(
        .wrongType, line: value.line, path: child(name),
        "\(shown(value)) is not an amount of US dollars in digits with at most six behind a point.",
        remedy: bounds)
    }
    guard range.contains(amount) else {
      throw ConfigFault(
        .invalidValue, line: value.line, path: child(name),
        "\(decimalText(millionths: amount)) US dollars are out of bounds.", remedy: bounds)
    }
    return amount
  }

  /// The elements of a list with their paths; nil if the member is absent.
  func list(_ name: String, max: Int) throws(ConfigFault) -> [(node: Node, path: String)]? {
    guard let member = member(name) else { return nil }
    try Fields.refuseTag(member.node, path: child(name))
    guard case .sequence(let sequence) = member.node else {
      throw ConfigFault(
        .wrongType, line: member.line, path: child(name),
        "Expected a list, found \(Fields.kind(member.node)).",
        remedy: "Write `- …` lines or `[…]`; an empty list is `[]`.")
    }
    guard sequence.count <= max else {
      throw ConfigFault(
        .invalidValue, line: member.line, path: child(name), "More than \(max) entries.")
    }
    return sequence.enumerated().map { ($1, "\(child(name))[\($0)]") }
  }

  /// A list of texts; nil if the member is absent.
  func texts(
    _ name: String, max: Int, length: Int
  ) throws(ConfigFault) -> [(text: String, line: Int)]? {
    guard let elements = try list(name, max: max) else { return nil }
    var out: [(text: String, line: Int)] = []
    for (node, path) in elements {
      let value = try Fields.scalar(node, environment, path: path, isSecret: false)
      out.append((try checkedText(value, path: path, max: length), value.line))
    }
    return out
  }

  /// The node of a member, for mappings within mappings.
  func node(_ name: String) -> Node? { member(name)?.node }

  // MARK: Faults

  func missing(_ name: String) -> ConfigFault {
    ConfigFault(
      .missingField, line: line, path: child(name), "This field is required.",
      remedy: "Add `\(name): …`.")
  }

  static func notBuilt(_ name: String, line: Int, path: String) -> ConfigFault {
    ConfigFault(
      .notBuilt, line: line, path: path, "This build does not have `\(name)` yet.",
      remedy: "Remove it from the file: nothing is taken silently.")
  }

  func child(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

  /// A name from the file as a message may show it: what looks like a secret is not repeated.
  static func shown(_ name: String) -> String {
    let isPlain = name.utf8.allSatisfy { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x2F, 0x5F, 0x3C: true
      default: false
      }
    }
    guard isPlain, !name.isEmpty, name.utf8.count <= 40, !name.hasPrefix("sk-") else {
      return "(\(name.utf8.count) bytes, not shown)"
    }
    return "`\(name)`"
  }

  /// A field's name that nothing knows: a comma within a secret makes a name of its rest, and names of
  /// fields have no digits.
  private static func shownField(_ name: String) -> String {
    let isName =
      name.utf8.count <= 24
      && name.utf8.allSatisfy {
        0x41...0x5A ~= $0 || 0x61...0x7A ~= $0 || $0 == 0x2D || $0 == 0x5F
      }
    return isName ? shown(name) : "(\(name.utf8.count) bytes, not shown)"
  }

  // MARK: Scalars

  private struct Value {
    var text: String
    var line: Int
    var isPlain: Bool
    /// A variable's content is in it: not to be repeated in messages.
    var isExpanded: Bool
    var isSecret: Bool
  }

  private func member(_ name: String) -> (name: String, line: Int, node: Node)? {
    members.first { $0.name == name }
  }

  private func scalar(_ name: String, isSecret: Bool = false) throws(ConfigFault) -> Value? {
    guard let member = member(name) else { return nil }
    return try Fields.scalar(member.node, environment, path: child(name), isSecret: isSecret)
  }

  private static func scalar(
    _ node: Node, _ environment: [String: String], path: String, isSecret: Bool
  ) throws(ConfigFault) -> Value {
    let line = node.mark?.line ?? 1
    try refuseTag(node, path: path)
    guard case .scalar(let scalar) = node else {
      throw ConfigFault(
        .wrongType, line: line, path: path, "Expected one value, found \(kind(node)).")
    }
    let isPlain = scalar.style == .plain
    if isPlain, ["", "~", "null", "Null", "NULL"].contains(scalar.string) {
      throw ConfigFault(
        .missingField, line: line, path: path, "There is no value here.",
        remedy: "Write one, or leave the field out.")
    }
    return Value(
      text: try EnvironmentReference.expand(scalar.string, environment, line: line, path: path),
      line: line, isPlain: isPlain,
      isExpanded: EnvironmentReference.isReferring(scalar.string), isSecret: isSecret)
  }

  private func checked(_ value: Value, _ name: String, max: Int) throws(ConfigFault) -> Value {
    _ = try checkedText(value, path: child(name), max: max)
    return value
  }

  private func checkedText(_ value: Value, path: String, max: Int) throws(ConfigFault) -> String {
    let isClean = value.text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
    guard !value.text.isEmpty, value.text.utf8.count <= max, isClean else {
      throw ConfigFault(
        .invalidValue, line: value.line, path: path,
        "Expected 1 to \(max) bytes of text without control characters.")
    }
    return value.text
  }

  private func shown(_ value: Value) -> String {
    if value.isSecret { return "The secret" }
    if value.isExpanded { return "The variable's content" }
    return value.text.isEmpty ? "An empty text" : Fields.shown(value.text)
  }

  private static func refuseTag(_ node: Node, path: String) throws(ConfigFault) {
    let tag = node.tag.description
    if ["", "tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"]
      .contains(tag)
    {
      return
    }
    throw ConfigFault(
      .syntax, line: node.mark?.line, path: path, "YAML tags are not taken.",
      remedy: "Write the value without `!`.")
  }

  private static func kind(_ node: Node) -> String {
    switch node {
    case .mapping: "fields with values"
    case .sequence: "a list"
    case .scalar(let scalar): scalar.string.isEmpty ? "nothing" : "a single value"
    case .alias: "an alias"
    }
  }
}
