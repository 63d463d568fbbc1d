import Support
import Testing

@testable import Domain

/// Whether a plain, unbounded table of edits finds the two within the bound.
private func isNear(_ a: String, _ b: String) -> Bool {
  let (a, b) = (Array(a.utf8), Array(b.utf8))
  var table = [[Int]](repeating: Array(0...b.count), count: a.count + 1)
  for line in 0...a.count { table[line][0] = line }
  for line in a.indices {
    for column in b.indices {
      var cost = min(
        table[line][column] + (a[line] == b[column] ? 0 : 1), table[line][column + 1] + 1,
        table[line + 1][column] + 1)
      if line > 0, column > 0, a[line] == b[column - 1], a[line - 1] == b[column] {
        cost = min(cost, table[line - 1][column - 1] + 1)
      }
      table[line + 1][column + 1] = cost
    }
  }
  let isBeginning = min(a.count, b.count) >= 3 && (a.starts(with: b) || b.starts(with: a))
  return table[a.count][b.count] <= max(1, min(3, b.count / 3)) || isBeginning
}

@Test("the short cuts of the search change nothing: a plain table of edits finds the same names")
func findsWhatAPlainTableFinds() {
  for seed in UInt64(0)..<3_000 {
    var random = SeededRandom(seed: seed)
    func word(_ length: Int) -> [Character] {
      (0..<length).map { _ in ["a", "b", "c", "-"][random.int(0...3)] }
    }
    let asked = word(random.int(1...14))
    var name = asked
    for _ in 0..<random.int(0...5) {
      let place = random.int(0...max(0, name.count - 1))
      switch random.int(0...3) {
      case 0: name.insert("b", at: min(place, name.count))
      case 1: if !name.isEmpty { name.remove(at: place) }
      case 2: if !name.isEmpty { name[place] = "a" }
      case _: if place + 1 < name.count { name.swapAt(place, place + 1) }
      }
    }
    if random.oneIn(4) { name = word(random.int(1...14)) }
    let (question, candidate) = (String(asked), String(name))
    guard !candidate.isEmpty else { continue }
    var search = NearNames(question)
    search.consider(candidate)
    #expect(
      search.found == (isNear(candidate, question) ? [candidate] : []),
      "seed \(seed): \(question), \(candidate)")
  }
}

@Test("a wrong prefix, or a missing one, does not hide the model")
func looksBehindThePrefix() {
  for asked in ["opneai/gpt-4o", "x/gpt-4o", "gpt-4o", "GPT-4O", "gpt-4", "openai/gpt-4o-2024"] {
    var search = NearNames(asked)
    for name in ["openai/gpt-4o", "openai/whisper", "fast"] { search.consider(name) }
    #expect(search.found == ["openai/gpt-4o"], "\(asked)")
  }
}
