import Testing

@testable import signalbox

struct FreedMemoryTests {
  struct Look: Sendable {
    var before: Int64
    /// nil: nothing is to be trimmed.
    var after: Int64?
  }

  static let mebibyte: Int64 = 1 << 20

  @Test
  func `what is freed goes back once it is worthwhile, and what cannot go is not tried again`() {
    let looks = [
      Look(before: -1), Look(before: 15 * Self.mebibyte),
      Look(before: 200 * Self.mebibyte, after: 3 * Self.mebibyte),
      Look(before: 18 * Self.mebibyte),
      // Pieces of it are in use.
      Look(before: 60 * Self.mebibyte, after: 50 * Self.mebibyte),
      Look(before: 55 * Self.mebibyte), Look(before: 66 * Self.mebibyte),
      Look(before: 67 * Self.mebibyte, after: 50 * Self.mebibyte),
      // They were used, and are free again.
      Look(before: 10 * Self.mebibyte), Look(before: 27 * Self.mebibyte, after: 0),
    ]
    var memory = FreedMemory()
    for (number, look) in looks.enumerated() {
      var isTrimmed = false
      memory.look(
        unused: { isTrimmed ? look.after ?? 0 : look.before }, trim: { isTrimmed = true })
      #expect(isTrimmed == (look.after != nil), "look \(number)")
    }
  }
}
