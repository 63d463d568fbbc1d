/// What the path of a request for something stored says: `/v1/responses/{id}`, and what of it is asked for.
public struct StoredCall: Sendable, Hashable {
  /// Decoded; 1…512 bytes, and no step within a path.
  public var id: String
  /// The id and what follows, with its escapes as sent.
  public var rest: String
  /// What is asked for.
  public var part: Part

  /// What of a response a path may name.
  public enum Part: Sendable, Hashable {
    /// The response.
    case whole
    /// What it was asked.
    case inputItems
    /// An end to its making.
    case cancel
  }

  /// Takes apart a path with its escapes as sent, without query; nil: it is none of this kind.
  public init?(path: some StringProtocol) {
    guard let base = Self.bases.first(where: { path.hasPrefix($0) }) else { return nil }
    let rest = path.dropFirst(base.count)
    let segments = rest.split(separator: "/", omittingEmptySubsequences: false)
    switch segments.count {
    case 1: part = .whole
    case 2 where segments[1] == "input_items": part = .inputItems
    case 2 where segments[1] == "cancel": part = .cancel
    case _: return nil
    }
    guard let id = percentDecoded(segments[0].utf8), 1...512 ~= id.utf8.count,
      id != ".", id != ".."
    else { return nil }
    self.id = id
    self.rest = String(rest)
  }

  /// A query without what some clients put a key in: that one is ours, and no provider's to see.
  public static func query(_ query: Substring) -> String {
    query.split(separator: "&", omittingEmptySubsequences: false)
      .filter { pair in
        let name = percentDecoded(pair.prefix { $0 != "=" }.utf8)?.lowercased()
        return name != "key" && name != "api_key"
      }.joined(separator: "&")
  }

  private static let bases = ["/v1/responses/", "/api/v1/responses/"]
}
