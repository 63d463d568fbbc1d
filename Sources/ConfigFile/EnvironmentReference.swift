/// `${NAME}` in a file's text, carried through the YAML parser and expanded only in values.
///
/// YAML reads `{` inside `{…}` as a mapping, so `{api-key: ${K}}` would not parse. References are
/// therefore rewritten to marks from Unicode's private use area first, and values are expanded after
/// parsing: a variable's content can never become YAML.
enum EnvironmentReference {
  private static let open: Unicode.Scalar = "\u{E000}"
  private static let close: Unicode.Scalar = "\u{E001}"
  private static let literalOpen: Unicode.Scalar = "\u{E002}"
  private static let literalClose: Unicode.Scalar = "\u{E003}"

  /// At most this many characters in a variable's name.
  static let nameMax = 128

  /// The text with every `${NAME}` and `$${NAME}` marked; line breaks stay where they were.
  static func mark(_ text: String) throws(ConfigFault) -> String {
    var line = 1
    var out = String.UnicodeScalarView()
    let scalars = Array(text.unicodeScalars)
    var index = 0
    while index < scalars.count {
      let scalar = scalars[index]
      if scalar == "\n" { line += 1 }
      if (0xE000...0xE003).contains(scalar.value) {
        throw ConfigFault(
          .syntax, line: line, path: "",
          "The character U+\(String(scalar.value, radix: 16, uppercase: true)) is not allowed.")
      }
      let isEscape =
        scalar == "$" && index + 2 < scalars.count && scalars[index + 1] == "$"
        && scalars[index + 2] == "{"
      if isEscape {
        if let end = nameEnd(scalars, from: index + 3) {
          out.append(literalOpen)
          out.append(contentsOf: scalars[(index + 3)..<end])
          out.append(literalClose)
          index = end + 1
        } else {
          out.append(literalOpen)
          index += 3
        }
        continue
      }
      if scalar == "$", index + 1 < scalars.count, scalars[index + 1] == "{",
        let end = nameEnd(scalars, from: index + 2)
      {
        out.append(open)
        out.append(contentsOf: scalars[(index + 2)..<end])
        out.append(close)
        index = end + 1
        continue
      }
      out.append(scalar)
      index += 1
    }
    return String(out)
  }

  /// Whether a marked text refers to a variable.
  static func isReferring(_ marked: String) -> Bool { marked.unicodeScalars.contains(open) }

  /// The variables that a marked text refers to, each once, in its order.
  static func names(in marked: String) -> [String] {
    var names: [String] = []
    for part in marked.unicodeScalars.split(separator: open).dropFirst(
      marked.unicodeScalars.first == open ? 0 : 1)
    {
      let name = String(String.UnicodeScalarView(part.prefix { $0 != close }))
      if !names.contains(name) { names.append(name) }
    }
    return names
  }

  /// The marked text as the author wrote it, for messages about names.
  static func unmark(_ marked: String) -> String {
    var out = String.UnicodeScalarView()
    for scalar in marked.unicodeScalars {
      switch scalar {
      case open: out.append(contentsOf: "${".unicodeScalars)
      case literalOpen: out.append(contentsOf: "$${".unicodeScalars)
      case close, literalClose: out.append("}")
      default: out.append(scalar)
      }
    }
    return String(out)
  }

  /// A marked value with its variables put in and its escapes undone.
  static func expand(
    _ marked: String, _ environment: [String: String], line: Int, path: String
  ) throws(ConfigFault) -> String {
    var out = String.UnicodeScalarView()
    var name: String.UnicodeScalarView?
    for scalar in marked.unicodeScalars {
      switch scalar {
      case open:
        name = String.UnicodeScalarView()
      case close:
        let variable = String(name ?? String.UnicodeScalarView())
        name = nil
        guard let value = environment[variable] else {
          throw ConfigFault(
            .missingVariable, line: line, path: path,
            "The environment variable \(variable) is not set.",
            remedy: "Set it, or write `$${\(variable)}` for the text itself.")
        }
        out.append(contentsOf: value.unicodeScalars)
      case literalOpen: out.append(contentsOf: "${".unicodeScalars)
      case literalClose: out.append("}")
      default:
        if name != nil { name?.append(scalar) } else { out.append(scalar) }
      }
    }
    if !isReferring(marked), unescaped(marked) {
      throw ConfigFault(
        .invalidValue, line: line, path: path,
        "`${` is not followed by a variable's name and `}`.",
        remedy: "Names are letters, digits and `_`; write `$${` for the text itself.")
    }
    return String(out)
  }

  /// A `${` that did not become a reference.
  private static func unescaped(_ marked: String) -> Bool {
    var last: Unicode.Scalar = " "
    for scalar in marked.unicodeScalars {
      if last == "$", scalar == "{" { return true }
      last = scalar
    }
    return false
  }

  /// Index of the `}` behind a variable's name that begins at `start`; nil if there is none.
  private static func nameEnd(_ scalars: [Unicode.Scalar], from start: Int) -> Int? {
    var index = start
    while index < scalars.count, index - start <= nameMax {
      switch scalars[index] {
      case "}": return index > start ? index : nil
      case "a"..."z", "A"..."Z", "_": index += 1
      case "0"..."9" where index > start: index += 1
      default: return nil
      }
    }
    return nil
  }
}
