/// The name as `prefix/model`, split at the first slash; nil if there is none, or one side is empty.
func splitAtFirstSlash(_ name: String) -> (prefix: String, model: String)? {
  guard let slash = name.utf8.firstIndex(of: Bounds.slash) else { return nil }
  let prefix = name[..<slash]
  let model = name[name.utf8.index(after: slash)...]
  guard !prefix.isEmpty, !model.isEmpty else { return nil }
  return (String(prefix), String(model))
}

/// Names among `names` that come near one that was asked for, sorted, at most 10.
public func nearNames(to name: String, among names: some Sequence<String>) -> [String] {
  var search = NearNames(name)
  for name in names { search.consider(name) }
  return search.found
}

/// Finds the names that come near one that was asked for: few edits away, or one begins with the other.
///
/// Case does not count, and neither does the prefix if that is what is wrong. The order in which names are
/// considered does not reach the result. A name that is far off costs little more than a look at its bytes:
/// any client may ask for what does not exist, and thousands of names may be offered.
struct NearNames {
  private static let most = 10
  private static let askedBytesMax = 128
  /// Behind every name that is a few edits away.
  private static let beginningScore = 8

  private let asked: Form
  private let askedTail: Form
  private let editsMax: Int
  private var best: [(score: Int, name: String)] = []
  /// Three lines of the table of edits.
  private var row: [Int]
  private var last: [Int]
  private var beforeLast: [Int]

  /// A name or the part behind its prefix, in lower case.
  private struct Form {
    var bytes: ArraySlice<UInt8>
    /// One bit for each of 64 groups of bytes that occur.
    var groups: UInt64

    init(_ bytes: ArraySlice<UInt8>) {
      self.bytes = bytes
      groups = 0
      for byte in bytes { groups |= 1 << UInt64(byte & 63) }
    }

    var count: Int { bytes.count }
  }

  init(_ name: String) {
    let folded = name.utf8.count > Self.askedBytesMax ? [] : name.utf8.map(Self.folded)
    asked = Form(folded[...])
    askedTail = Form(Self.tail(folded[...]))
    editsMax = max(1, min(3, askedTail.count / 3))
    row = [Int](repeating: 0, count: asked.count + 1)
    last = row
    beforeLast = row
  }

  /// At most 10, sorted by name.
  var found: [String] { best.map(\.name).sorted() }

  mutating func consider(_ name: String) {
    guard asked.count > 0, let score = score(name) else { return }
    if best.count == Self.most, let last = best.last, (last.score, last.name) <= (score, name) {
      return
    }
    guard !best.contains(where: { $0.name == name }) else { return }
    let place = best.firstIndex { (score, name) < ($0.score, $0.name) } ?? best.endIndex
    best.insert((score, name), at: place)
    if best.count > Self.most { best.removeLast() }
  }

  private mutating func score(_ name: String) -> Int? {
    let folded = name.utf8.map(Self.folded)
    let whole = Form(folded[...])
    let tail = Form(Self.tail(folded[...]))
    var lowest = edits(whole, asked)
    let hasPrefix = tail.count < whole.count
    if hasPrefix { lowest = min(lowest, edits(tail, asked)) }
    if askedTail.count < asked.count {
      lowest = min(lowest, edits(whole, askedTail))
      if hasPrefix { lowest = min(lowest, edits(tail, askedTail)) }
    }
    if lowest <= editsMax { return lowest }
    let isBeginning =
      min(tail.count, askedTail.count) >= 3
      && (tail.bytes.starts(with: askedTail.bytes) || askedTail.bytes.starts(with: tail.bytes))
    return isBeginning ? Self.beginningScore : nil
  }

  /// Edits (insert, delete, replace, swap two neighbours) that make `b` of `a`, or any number above `editsMax`
  /// once that is passed.
  ///
  /// Only the band of the table is filled in which so few edits can end.
  private mutating func edits(_ a: Form, _ b: Form) -> Int {
    // An edit takes away or brings in at most one byte each.
    guard abs(a.count - b.count) <= editsMax,
      (a.groups & ~b.groups).nonzeroBitCount <= editsMax,
      (b.groups & ~a.groups).nonzeroBitCount <= editsMax
    else { return .max }
    let (first, second) = Self.differing(a.bytes, b.bytes)
    let far = editsMax + 1
    let (from, to) = (first.startIndex, second.startIndex)
    for column in 0...second.count { row[column] = min(column, far) }
    var lowestBefore = 0
    for line in 0..<first.count {
      swap(&beforeLast, &last)
      swap(&last, &row)
      let band = max(0, line - editsMax)..<min(second.count, line + editsMax + 1)
      row[band.lowerBound] = band.lowerBound == 0 ? min(line + 1, far) : far
      var lowest = row[band.lowerBound]
      for column in band {
        let isSame = first[from + line] == second[to + column]
        var cost = min(last[column] + (isSame ? 0 : 1), last[column + 1] + 1, row[column] + 1)
        if line > 0, column > 0, first[from + line] == second[to + column - 1],
          first[from + line - 1] == second[to + column]
        {
          cost = min(cost, beforeLast[column - 1] + 1)
        }
        row[column + 1] = min(cost, far)
        lowest = min(lowest, cost)
      }
      if band.upperBound < second.count { row[band.upperBound + 1] = far }
      // A swap reaches back over one line, so one line above the bound proves nothing yet.
      if lowest > editsMax, lowestBefore > editsMax { return .max }
      lowestBefore = lowest
    }
    return row[second.count]
  }

  /// Both without what they begin and end with alike: that costs no edits.
  private static func differing(
    _ a: ArraySlice<UInt8>, _ b: ArraySlice<UInt8>
  ) -> (ArraySlice<UInt8>, ArraySlice<UInt8>) {
    var (a, b) = (a, b)
    while let byte = a.first, byte == b.first {
      a.removeFirst()
      b.removeFirst()
    }
    while let byte = a.last, byte == b.last {
      a.removeLast()
      b.removeLast()
    }
    return (a, b)
  }

  private static func tail(_ name: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    guard let slash = name.firstIndex(of: Bounds.slash) else { return name }
    return name[(slash + 1)...]
  }

  private static func folded(_ byte: UInt8) -> UInt8 { 0x41...0x5A ~= byte ? byte | 0x20 : byte }
}
