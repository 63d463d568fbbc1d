/// What a request's method and path lead to.
public enum RouteMatch: Sendable, Hashable {
  /// A row, and its parameters percent-decoded, in the order of the path.
  case found(RouteRow, parameters: [Parameter])
  /// No row has this path: 404.
  case notFound
  /// Rows have this path, none with this method: 405; the value of `Allow`.
  case methodNotAllowed(allow: String)
  /// The path breaks RFC 3986 or holds a NUL: 400; one bounded sentence.
  case malformed(reason: String)

  /// One value taken from the path.
  public struct Parameter: Sendable, Hashable {
    /// As between the braces of the row's path.
    public var name: String
    /// Decoded; never empty.
    public var value: String

    /// A parameter and its value.
    public init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }
}

extension Routes {
  /// Finds the row of a request; `path` is the request target as received, a query is ignored.
  ///
  /// The path is cut at slashes first and decoded then, so that `%2F` is data inside a segment.
  /// HEAD finds the row of GET.
  public static func match(method: String, path: String) -> RouteMatch {
    let target = path.utf8.prefix { $0 != UInt8(ascii: "?") }
    if let rows = literalRows[Substring(target)] {
      return choose(among: rows.map { ($0, []) }, method: method)
    }
    let segments: [String]
    switch decode(target) {
    case .success(let decoded): segments = decoded
    case .failure(let fault): return .malformed(reason: fault.reason)
    }
    let fitting = templates.compactMap { template in
      template.parameters(of: segments).map { (template: template, parameters: $0) }
    }
    // A call to a model (`…/{model}:call`) is no model whose name ends like that.
    let calls = fitting.filter(\.template.hasEnd)
    return choose(
      among: (calls.isEmpty ? fitting : calls).map { ($0.template.row, $0.parameters) },
      method: method)
  }

  /// The row with the method, else 405 with those that would do; literal paths go before parameters.
  private static func choose(
    among candidates: [(row: RouteRow, parameters: [RouteMatch.Parameter])], method: String
  ) -> RouteMatch {
    let wanted = method == "HEAD" ? "GET" : method
    if let hit = candidates.first(where: { $0.row.method.rawValue == wanted }) {
      return .found(hit.row, parameters: hit.parameters)
    }
    if candidates.isEmpty { return .notFound }
    let methods = Set(candidates.map(\.row.method))
    let allowed = RouteMethod.allCases.filter(methods.contains).flatMap { method in
      method == .get ? ["GET", "HEAD"] : [method.rawValue]
    }
    return .methodNotAllowed(allow: allowed.joined(separator: ", "))
  }

  /// Rows without parameters by their path, so that most requests cost one look-up.
  private static let literalRows: [Substring: [RouteRow]] = Dictionary(
    grouping: all.filter { !$0.path.contains("{") }, by: { Substring($0.path) })

  private static let templates: [Template] = all.map(Template.init).sorted {
    $0.parameterCount < $1.parameterCount
  }

  /// The decoded segments behind the first slash.
  private static func decode(
    _ target: Substring.UTF8View
  ) -> Result<[String], PathFault> {
    guard target.first == UInt8(ascii: "/") else { return .failure(.noSlash) }
    var segments: [String] = []
    for segment in target.dropFirst().split(
      separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    {
      switch decode(segment: segment) {
      case .success(let text): segments.append(text)
      case .failure(let fault): return .failure(fault)
      }
    }
    return .success(segments)
  }

  private static func decode(segment: Substring.UTF8View) -> Result<String, PathFault> {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(segment.count)
    var rest = segment[...]
    while var byte = rest.popFirst() {
      guard byte > 0x20, byte < 0x7F, byte != UInt8(ascii: "#") else {
        return .failure(.badByte)
      }
      if byte == UInt8(ascii: "%") {
        guard let high = rest.popFirst().flatMap(hexValue),
          let low = rest.popFirst().flatMap(hexValue)
        else { return .failure(.badEscape) }
        byte = high << 4 | low
        if byte < 0x20 || byte == 0x7F { return .failure(.controlCharacter) }
      }
      bytes.append(byte)
    }
    guard let text = String(validating: bytes, as: UTF8.self) else { return .failure(.notUTF8) }
    return .success(text)
  }
}

/// Why a path cannot be taken apart.
private enum PathFault: Error {
  case noSlash
  case badByte
  case badEscape
  case controlCharacter
  case notUTF8

  var reason: String {
    switch self {
    case .noSlash: "the path does not begin with a slash"
    case .badByte: "the path holds a byte that must be percent-encoded"
    case .badEscape: "a percent sign in the path is not followed by two hexadecimal digits"
    case .controlCharacter: "the path holds an encoded control character"
    case .notUTF8: "the decoded path is not UTF-8"
    }
  }
}

/// A row's path, taken apart once.
private struct Template: Sendable {
  private enum Segment {
    case literal(String)
    case parameter(String, end: String)
  }

  let row: RouteRow
  private let segments: [Segment]

  init(_ row: RouteRow) {
    self.row = row
    self.segments = row.path.split(separator: "/").map { segment in
      guard segment.hasPrefix("{"), let close = segment.firstIndex(of: "}") else {
        return .literal(String(segment))
      }
      return .parameter(
        String(segment[..<close].dropFirst()), end: String(segment[close...].dropFirst()))
    }
  }

  /// Something stands behind a parameter.
  var hasEnd: Bool {
    segments.contains { if case .parameter(_, let end) = $0 { !end.isEmpty } else { false } }
  }

  var parameterCount: Int {
    segments.count { if case .parameter = $0 { true } else { false } }
  }

  /// The parameters if the path is one of this row's; an empty segment is no parameter.
  func parameters(of path: [String]) -> [RouteMatch.Parameter]? {
    guard path.count == segments.count || row.takesRest && path.count > segments.count else {
      return nil
    }
    var parameters: [RouteMatch.Parameter] = []
    for (index, segment) in segments.enumerated() {
      switch segment {
      case .literal(let text):
        if path[index] != text { return nil }
      case .parameter(let name, let end):
        if path[index].isEmpty { return nil }
        let isRest = row.takesRest && index == segments.count - 1
        let value = isRest ? path[index...].joined(separator: "/") : path[index]
        guard value.hasSuffix(end), value.utf8.count > end.utf8.count else { return nil }
        parameters.append(.init(name: name, value: String(value.dropLast(end.count))))
      }
    }
    return parameters
  }
}
