/// Which known names a mistyped one may have meant.
enum NearNames {
  /// At most three of `known` within two edits of `name`, or that it begins or is begun by; nearest first.
  static func of(_ name: String, among known: [String]) -> [String] {
    let typed = Array(name.utf8.prefix(64))
    let ranked = known.compactMap { candidate -> (distance: Int, name: String)? in
      let distance = edits(typed, Array(candidate.utf8))
      let folded = name.lowercased().filter { $0 != "-" && $0 != "_" }
      let isSameWords = candidate.filter { $0 != "-" } == folded
      let isBeginning = typed.count >= 3 && (candidate.hasPrefix(name) || name.hasPrefix(candidate))
      if isSameWords { return (0, candidate) }
      return distance <= 2 && distance < candidate.utf8.count || isBeginning
        ? (distance, candidate) : nil
    }
    return ranked.sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }.prefix(3).map(\.name)
  }

  /// Levenshtein distance, in bytes.
  private static func edits(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var row = Array(0...b.count)
    for (i, x) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, y) in b.enumerated() {
        let next = min(row[j + 1] + 1, row[j] + 1, diagonal + (x == y ? 0 : 1))
        diagonal = row[j + 1]
        row[j + 1] = next
      }
    }
    return row[b.count]
  }
}
