/// A JSON document with members in the order they were put: the same value gives the same bytes.
public indirect enum JSONTree: Sendable, Hashable {
  case null
  case bool(Bool)
  /// Whole numbers only; what may exceed 2^53 is written as text.
  case number(Int64)
  case text(String)
  case array([JSONTree])
  case object([Member])

  /// One member of an object.
  public struct Member: Sendable, Hashable {
    /// Its name.
    public var name: String
    /// Its value.
    public var value: JSONTree

    /// A member.
    public init(_ name: String, _ value: JSONTree) {
      self.name = name
      self.value = value
    }
  }

  /// The document in UTF-8 text, indented by two spaces, ending with a line break; what fits on 100
  /// columns stays on one line.
  public var rendered: String {
    var out = ""
    write(to: &out, indent: 0)
    out += "\n"
    return out
  }

  /// The document on one line, without a line break.
  public var line: String {
    var out = ""
    writeLine(to: &out)
    return out
  }

  static func count(_ value: UInt64) -> JSONTree {
    value <= 1 << 53 ? .number(Int64(value)) : .text(String(value))
  }

  static func count(_ value: UInt64?) -> JSONTree { value.map { count($0) } ?? .null }
  static func count(_ value: Int) -> JSONTree { .number(Int64(value)) }
  static func text(_ value: String?) -> JSONTree { value.map { .text($0) } ?? .null }

  private func write(to out: inout String, indent: Int) {
    switch self {
    case .null, .bool, .number, .text:
      writeLine(to: &out)
    case .array(let elements):
      if writeIfShort(to: &out, indent: indent) { return }
      out += "[\n"
      for (index, element) in elements.enumerated() {
        out += String(repeating: " ", count: indent + 2)
        element.write(to: &out, indent: indent + 2)
        out += index + 1 < elements.count ? ",\n" : "\n"
      }
      out += String(repeating: " ", count: indent) + "]"
    case .object(let members):
      if writeIfShort(to: &out, indent: indent) { return }
      out += "{\n"
      for (index, member) in members.enumerated() {
        out += String(repeating: " ", count: indent + 2)
        JSONTree.quote(member.name, to: &out)
        out += ": "
        member.value.write(to: &out, indent: indent + 2)
        out += index + 1 < members.count ? ",\n" : "\n"
      }
      out += String(repeating: " ", count: indent) + "}"
    }
  }

  /// Writes on one line if that is short enough.
  private func writeIfShort(to out: inout String, indent: Int) -> Bool {
    guard lineLength(limit: 100 - indent) != nil else { return false }
    writeLine(to: &out)
    return true
  }

  /// Characters of the one-line form, nil beyond `limit`; bounds the work per level by `limit`.
  private func lineLength(limit: Int) -> Int? {
    var length = 2
    switch self {
    case .null, .bool, .number: length = 6
    case .text(let text): length = text.utf8.count + 2
    case .array(let elements):
      for element in elements {
        guard length <= limit, let more = element.lineLength(limit: limit - length) else {
          return nil
        }
        length += more + 2
      }
    case .object(let members):
      for member in members {
        length += member.name.utf8.count + 4
        guard length <= limit, let more = member.value.lineLength(limit: limit - length) else {
          return nil
        }
        length += more + 2
      }
    }
    return length <= limit ? length : nil
  }

  private func writeLine(to out: inout String) {
    switch self {
    case .null: out += "null"
    case .bool(let value): out += value ? "true" : "false"
    case .number(let value): out += String(value)
    case .text(let text): JSONTree.quote(text, to: &out)
    case .array(let elements):
      out += "["
      for (index, element) in elements.enumerated() {
        if index > 0 { out += ", " }
        element.writeLine(to: &out)
      }
      out += "]"
    case .object(let members):
      out += "{"
      for (index, member) in members.enumerated() {
        if index > 0 { out += ", " }
        JSONTree.quote(member.name, to: &out)
        out += ": "
        member.value.writeLine(to: &out)
      }
      out += "}"
    }
  }

  /// Quotes and escapes; control and text-direction characters never come out raw.
  private static func quote(_ text: String, to out: inout String) {
    out += "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      case let scalar where scalar.isHidden:
        let hex = String(scalar.value, radix: 16)
        if scalar.value <= 0xFFFF {
          out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
        } else {
          let value = scalar.value - 0x10000
          out += "\\u" + String(0xD800 + (value >> 10), radix: 16)
          out += "\\u" + String(0xDC00 + (value & 0x3FF), radix: 16)
        }
      default: out.unicodeScalars.append(scalar)
      }
    }
    out += "\""
  }
}

extension Unicode.Scalar {
  /// Could move the cursor, change a terminal's state or reorder a line: C0, C1, separators, directions.
  var isHidden: Bool {
    switch value {
    case 0..<0x20, 0x7F...0x9F, 0x061C, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x2069, 0xFEFF,
      0xFFF9...0xFFFB, 0xE0000...0xE007F:
      true
    default: false
    }
  }
}
