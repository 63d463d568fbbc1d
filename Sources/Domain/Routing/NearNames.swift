/// The name as `prefix/model`, split at the first slash; nil if there is none, or one side is empty.
func splitAtFirstSlash(_ name: String) -> (prefix: String, model: String)? {
  guard let slash = name.utf8.firstIndex(of: UInt8(ascii: "/")) else { return nil }
  let prefix = name[..<slash]
  let model = name[name.utf8.index(after: slash)...]
  guard !prefix.isEmpty, !model.isEmpty else { return nil }
  return (String(prefix), String(model))
}

/// Finds the names that come near one that was asked for: few edits away, or one begins with the other.
///
/// Case does not count, and neither does the prefix if that is what is wrong. The order in which names are
/// considered does not reach the result.
struct NearNames {
  private static let most = 10
  private static let askedBytesMax = 128
  /// Behind every name that is a few edits away.
  private static let beginningScore = 8

  private let asked: [UInt8]
  private let askedTail: ArraySlice<UInt8>
  private let editsMax: Int
  private var best: [(score: Int, name: String)] = []
  /// Three lines of the table of edits.
  private var row: [Int]
  private var last: [Int]
  private var beforeLast: [Int]

  init(_ name: String) {
    asked = name.utf8.count > Self.askedBytesMax ? [] : name.utf8.map(Self.folded)
    askedTail = Self.tail(asked[...])
    editsMax = max(1, min(3, askedTail.count / 3))
    row = [Int](repeating: 0, count: asked.count + 1)
    last = row
    beforeLast = row
  }

  /// At most 10, sorted by name.
  var found: [String] { best.map(\.name).sorted() }

  mutating func consider(_ name: String) {
    guard !asked.isEmpty, let score = score(name) else { return }
    if best.count == Self.most, let last = best.last, (last.score, last.name) <= (score, name) {
      return
    }
    guard !best.contains(where: { $0.name == name }) else { return }
    let place =
      best.firstIndex { (score, name) < ($0.score, $0.name) } ?? best.endIndex
    best.insert((score, name), at: place)
    if best.count > Self.most { best.removeLast() }
  }

  private mutating func score(_ name: String) -> Int? {
    let whole = name.utf8.map(Self.folded)
    let tail = Self.tail(whole[...])
    var lowest = edits(whole[...], asked[...])
    let hasPrefix = tail.count < whole.count
    if hasPrefix { lowest = min(lowest, edits(tail, asked[...])) }
    if askedTail.count < asked.count {
      lowest = min(lowest, edits(whole[...], askedTail))
      if hasPrefix { lowest = min(lowest, edits(tail, askedTail)) }
    }
    if lowest <= editsMax { return lowest }
    let isBeginning =
      min(tail.count, askedTail.count) >= 3
      && (tail.starts(with: askedTail) || askedTail.starts(with: tail))
    return isBeginning ? Self.beginningScore : nil
  }

  /// Edits (insert, delete, replace, swap two neighbours) from `a` to `asked`'s form `b`, or any number above
  /// `editsMax` once that is passed.
  private mutating func edits(_ a: ArraySlice<UInt8>, _ b: ArraySlice<UInt8>) -> Int {
    guard abs(a.count - b.count) <= editsMax else { return .max }
    let first = (a: a.startIndex, b: b.startIndex)
    for column in 0...b.count { row[column] = column }
    for line in 0..<a.count {
      swap(&beforeLast, &last)
      swap(&last, &row)
      row[0] = line + 1
      var lowest = row[0]
      for column in 0..<b.count {
        let isSame = a[first.a + line] == b[first.b + column]
        var cost = min(last[column] + (isSame ? 0 : 1), last[column + 1] + 1, row[column] + 1)
        if line > 0, column > 0, a[first.a + line] == b[first.b + column - 1],
          a[first.a + line - 1] == b[first.b + column]
        {
          cost = min(cost, beforeLast[column - 1] + 1)
        }
        row[column + 1] = cost
        lowest = min(lowest, cost)
      }
      // A swap reaches back over one line, so a line may be passed by at most one edit.
      if lowest > editsMax + 1 { return .max }
    }
    return row[b.count]
  }

  private static func tail(_ name: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    guard let slash = name.firstIndex(of: UInt8(ascii: "/")) else { return name }
    return name[(slash + 1)...]
  }

  private static func folded(_ byte: UInt8) -> UInt8 { 0x41...0x5A ~= byte ? byte | 0x20 : byte }
}
