import Yams

/// One YAML document as a tree, with the ways a hostile or mistaken file could grow taken away first.
enum YAMLDocument {
  /// Bytes of a file.
  static let bytesMax = 1 << 20

  /// Composes `marked`, which has been through `EnvironmentReference.mark`.
  ///
  /// Anchors, aliases, merge keys and tags are refused: a file of this kind needs none, and aliases
  /// are how a few lines of YAML become gigabytes. libyaml bounds nesting at 1,000 levels.
  static func compose(_ marked: String) throws(ConfigFault) -> Node {
    try refuseAnchors(marked)
    let node: Node?
    do {
      // The basic resolver: types are read by `Fields`, and hashing keys runs no regular expression.
      node = try Parser(yaml: marked, resolver: .basic, encoding: .utf8).singleRoot()
    } catch let error as YamlError {
      throw fault(error, in: marked)
    } catch {
      throw ConfigFault(.syntax, line: nil, path: "", "The file is not readable as YAML.")
    }
    guard let node else {
      throw ConfigFault(
        .syntax, line: nil, path: "", "The file is empty.",
        remedy:
          "It holds at least one of: \(ConfigurationShape.document.names.joined(separator: ", ")).")
    }
    return node
  }

  /// Refuses what reads as an anchor or alias: `&x` or `*x` where a value may begin.
  ///
  /// Looks at text, before any tree exists; quoting takes the special meaning away. What stands
  /// behind a `#` is passed over as comment up to a bound, since a quoted text spanning lines could
  /// hide an alias there: fifteen aliases cannot multiply a megabyte beyond reason.
  private static func refuseAnchors(_ text: String) throws(ConfigFault) {
    var line = 1
    var previous: UInt8 = UInt8(ascii: "\n")
    var sawQuote = false
    var inComment = false
    var suspectsInComments = 0
    var pending: UInt8?
    for byte in text.utf8 {
      if let sign = pending {
        pending = nil
        let isName =
          byte > 0x20
          && !(byte == UInt8(ascii: "*") || byte == UInt8(ascii: "&")
            || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'"))
        if isName {
          if inComment { suspectsInComments += 1 }
          if !inComment || suspectsInComments > 15 {
            let isAlias = sign == UInt8(ascii: "*")
            throw ConfigFault(
              .syntax, line: line, path: "",
              isAlias
                ? "YAML reads a value that begins with `*` as an alias, and aliases are not taken."
                : "YAML reads a value that begins with `&` as an anchor, and anchors are not taken.",
              remedy: "Put the value in quotes, or write it out where it is used.")
          }
        }
      }
      switch byte {
      case UInt8(ascii: "\n"):
        line += 1
        sawQuote = false
        inComment = false
      case UInt8(ascii: "\""), UInt8(ascii: "'"):
        sawQuote = true
      case UInt8(ascii: "#") where isBlank(previous) && !sawQuote:
        inComment = true
      case UInt8(ascii: "&"), UInt8(ascii: "*"):
        if isBlank(previous) || "[{,-?:".utf8.contains(previous) { pending = byte }
      default:
        break
      }
      previous = byte
    }
  }

  private static func isBlank(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\t")
      || byte == UInt8(ascii: "\r")
  }

  /// libyaml's own sentences are fixed texts without content of the file.
  private static func fault(_ error: YamlError, in text: String) -> ConfigFault {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      // The end of the file is a line of its own to libyaml, and none to people.
      let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      let last = max(1, lines.count - (lines.last?.isEmpty == true ? 1 : 0))
      return ConfigFault(
        .syntax, line: min(mark.line, last), path: "",
        "This is not YAML at column \(mark.column): \(problem).",
        remedy: "Check indentation, brackets and quotes.")
    case .reader(let problem, let offset, _, _):
      let line = offset.map { offset in 1 + text.prefix(offset).count { $0.isNewline } }
      return ConfigFault(.syntax, line: line, path: "", "The text is not readable: \(problem).")
    case .duplicatedKeysInMapping(let duplicates, let context):
      let name = duplicates.first.map(Fields.shown) ?? "a field"
      return ConfigFault(
        .duplicate, line: context.mark.line, path: "",
        "The field \(name) stands here and again further down in the same place.",
        remedy: "Keep one of them.")
    default:
      return ConfigFault(.syntax, line: nil, path: "", "The file is not readable as YAML.")
    }
  }
}
