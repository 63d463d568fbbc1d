import Yams

/// One mapping of a document, read field by field; what nobody asked for is refused at the end.
struct Fields {
  let path: String
  private var rest: [(name: String, node: Node)]

  init(empty path: String) {
    self.path = path
    rest = []
  }

  init(_ node: Node, _ path: String) throws(ScenarioFault) {
    guard case .mapping(let mapping) = node else {
      throw ScenarioFault(description: "\(path): a mapping is expected\(Fields.place(node))")
    }
    self.path = path
    rest = []
    for (key, value) in mapping {
      guard let name = key.scalar?.string else {
        throw ScenarioFault(description: "\(path): a field's name must be text\(Fields.place(key))")
      }
      rest.append((name, value))
    }
  }

  /// Throws unless every field has been read.
  func refuseRest() throws(ScenarioFault) {
    guard let unknown = rest.first else { return }
    throw ScenarioFault(
      description: "\(path): unknown field “\(unknown.name)”\(Fields.place(unknown.node))")
  }

  mutating func required(_ name: String) throws(ScenarioFault) -> String {
    guard let value = try string(name), !value.isEmpty else {
      throw ScenarioFault(description: "\(path): \(name) is missing")
    }
    return value
  }

  mutating func string(_ name: String) throws(ScenarioFault) -> String? {
    guard let node = take(name) else { return nil }
    guard let text = node.scalar?.string else { throw wrong(name, node, "text") }
    return text
  }

  mutating func integer(
    _ name: String, _ range: ClosedRange<Int>
  ) throws(ScenarioFault) -> Int? {
    guard let node = take(name) else { return nil }
    guard let text = node.scalar?.string, let value = Int(text), range.contains(value) else {
      throw wrong(name, node, "a whole number in \(range)")
    }
    return value
  }

  mutating func fraction(_ name: String) throws(ScenarioFault) -> Double? {
    guard let node = take(name) else { return nil }
    guard let text = node.scalar?.string, let value = Double(text), (0...1).contains(value) else {
      throw wrong(name, node, "a number in 0...1")
    }
    return value
  }

  mutating func boolean(_ name: String) throws(ScenarioFault) -> Bool? {
    guard let node = take(name) else { return nil }
    switch node.scalar?.string {
    case "true": return true
    case "false": return false
    default: throw wrong(name, node, "true or false")
    }
  }

  /// In nanoseconds, at most one day.
  mutating func duration(_ name: String) throws(ScenarioFault) -> Int64? {
    guard let node = take(name) else { return nil }
    let units: [(String, Int64)] = [
      ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000),
    ]
    if let text = node.scalar?.string {
      if text == "0" { return 0 }
      for (suffix, scale) in units where text.hasSuffix(suffix) {
        guard let count = Int64(text.dropLast(suffix.utf8.count)) else { continue }
        let (value, overflow) = count.multipliedReportingOverflow(by: scale)
        if !overflow, (0...86_400_000_000_000).contains(value) { return value }
      }
    }
    throw wrong(name, node, "a time such as 250us, 20ms, 2s or 1m")
  }

  /// In nanoseconds, hours and days too, at most 400 days either way; `-` only where `signed`.
  mutating func span(_ name: String, signed: Bool = false) throws(ScenarioFault) -> Int64? {
    guard let node = take(name) else { return nil }
    let units: [(String, Int64)] = [
      ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000),
      ("d", 86_400_000_000_000),
    ]
    if let text = node.scalar?.string {
      if text == "0" { return 0 }
      for (suffix, scale) in units where text.hasSuffix(suffix) {
        guard let count = Int64(text.dropLast(suffix.utf8.count)), signed || count >= 0 else {
          continue
        }
        let (value, overflow) = count.multipliedReportingOverflow(by: scale)
        if !overflow, value.magnitude <= 400 * 86_400_000_000_000 { return value }
      }
    }
    throw wrong(name, node, "a time such as 500ms, 20s, 15m, 2h or 7d" + (signed ? ", or -2h" : ""))
  }

  /// A list of texts.
  mutating func texts(_ name: String) throws(ScenarioFault) -> [String]? {
    guard let nodes = try list(name) else { return nil }
    var texts: [String] = []
    for node in nodes {
      guard let text = node.scalar?.string else { throw wrong(name, node, "a list of texts") }
      texts.append(text)
    }
    return texts
  }

  mutating func choice<Choice: RawRepresentable & CaseIterable>(
    _ name: String, _: Choice.Type
  ) throws(ScenarioFault) -> Choice? where Choice.RawValue == String {
    guard let node = take(name) else { return nil }
    guard let text = node.scalar?.string, let value = Choice(rawValue: text) else {
      throw wrong(
        name, node, "one of " + Choice.allCases.map(\.rawValue).joined(separator: ", "))
    }
    return value
  }

  mutating func object(_ name: String) throws(ScenarioFault) -> Fields? {
    guard let node = take(name) else { return nil }
    return try Fields(node, "\(path).\(name)")
  }

  mutating func list(_ name: String) throws(ScenarioFault) -> [Node]? {
    guard let node = take(name) else { return nil }
    guard case .sequence(let items) = node else { throw wrong(name, node, "a list") }
    return Array(items)
  }

  /// Whatever stands there.
  mutating func node(_ name: String) throws(ScenarioFault) -> Node? { take(name) }

  private mutating func take(_ name: String) -> Node? {
    guard let index = rest.firstIndex(where: { $0.name == name }) else { return nil }
    return rest.remove(at: index).node
  }

  private func wrong(_ name: String, _ node: Node, _ expected: String) -> ScenarioFault {
    ScenarioFault(description: "\(path).\(name): \(expected) is expected\(Fields.place(node))")
  }

  private static func place(_ node: Node) -> String {
    guard let mark = node.mark else { return "" }
    return " (line \(mark.line), column \(mark.column))"
  }
}
