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
    public var name: String
    public var value: String

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
    preconditionFailure("not written yet")
  }
}
