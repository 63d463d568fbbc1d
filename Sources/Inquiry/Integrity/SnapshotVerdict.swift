/// Whether the snapshots beside the log hold what its events give.
///
/// Nothing of it says anything of the log: it is whole without any of them.
public struct SnapshotVerdict: Sendable, Hashable {
  /// How many hold just what the events through them give.
  public var agreeing: UInt64 = 0
  /// How many count and hold something else: what was answered with them may be wrong.
  public var wrong: UInt64 = 0
  /// How many count and stand behind damage, so that there is nothing to compare them with; also where it was
  /// accepted and they hold more than is left.
  public var notCompared: UInt64 = 0
  /// How many nothing ever uses.
  public var unused: UInt64 = 0
  /// The first ten that are wrong: the file, and what differs.
  public var wrongOnes: [String] = []
  /// The first ten that nothing uses: the file, and why.
  public var unusedOnes: [String] = []

  /// There are none.
  public init() {}

  private static let named = 10

  mutating func addWrong(_ line: String) {
    wrong += 1
    if wrongOnes.count < Self.named { wrongOnes.append(Shown.text(line)) }
  }

  mutating func addUnused(_ line: String) {
    unused += 1
    if unusedOnes.count < Self.named { unusedOnes.append(Shown.text(line)) }
  }

  var text: String {
    let compared = agreeing + wrong
    guard compared + notCompared + unused > 0 else { return "snapshots  none\n" }
    var out = "snapshots  "
    out +=
      wrong > 0
      ? "WRONG: \(wrong) of \(compared) are not what the log gives; delete them, they are made again\n"
      : "ok: \(Shown.count(compared, "snapshot")) made again from the log, all the same\n"
    for line in wrongOnes { out += "  wrong    \(line)\n" }
    if wrong > UInt64(wrongOnes.count) {
      out += "  wrong    \(wrong - UInt64(wrongOnes.count)) more\n"
    }
    if notCompared > 0 {
      out += "  note     \(Shown.count(notCompared, "snapshot")) behind damage cannot be compared\n"
    }
    for line in unusedOnes { out += "  unused   \(line)\n" }
    if unused > UInt64(unusedOnes.count) {
      out += "  unused   \(unused - UInt64(unusedOnes.count)) more\n"
    }
    return out
  }

  var json: JSONTree {
    .object([
      .init("agreeing", .count(agreeing)), .init("wrong", .count(wrong)),
      .init("notCompared", .count(notCompared)), .init("unused", .count(unused)),
      .init("wrongOnes", EventFields.texts(wrongOnes)),
      .init("unusedOnes", EventFields.texts(unusedOnes)),
    ])
  }
}
