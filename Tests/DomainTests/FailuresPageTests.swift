import Domain
import Glibc
import Testing

@Suite("FailuresPage")
struct FailuresPageTests {
  @Test("docs/failures.md has the table of cooldowns; UPDATE_GOLDEN=1 writes it")
  func table() throws {
    let path = pagePath()
    let page = try #require(read(path))
    let lines = page.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let begin = try #require(lines.firstIndex { $0.hasPrefix("<!-- rules:") })
    let end = try #require(lines.firstIndex(of: "<!-- end -->"))
    if getenv("UPDATE_GOLDEN") != nil {
      let text = (lines[...begin] + rows() + lines[end...]).joined(separator: "\n")
      try #require(write(text, to: path))
    } else {
      #expect(Array(lines[(begin + 1)..<end]) == rows(), "run UPDATE_GOLDEN=1 swift test")
    }
  }
}

/// A row for each group of rules that have the same terms and the same scope, in the order of the rules.
private func rows() -> [String] {
  var groups: [(terms: CooldownTerms, scope: FailureScope, rules: [FailureRule])] = []
  for rule in FailureRule.allCases {
    guard let terms = CooldownTerms.of(rule) else { continue }
    if let index = groups.firstIndex(where: { $0.terms == terms && $0.scope == rule.scope }) {
      groups[index].rules.append(rule)
    } else {
      groups.append((terms, rule.scope, [rule]))
    }
  }
  return [
    "", "| rules | what cools | failures in a row | first, longest | provider's time up to |",
    "|---|---|--:|---|---|",
  ]
    + groups.map { group in
      let rules = group.rules.map { "`\($0.rawValue)`" }.joined(separator: " ")
      let terms = group.terms
      let scope = group.scope == .model ? "the model at the account" : "the account"
      let hint =
        terms.hintCeiling == 0
        ? "–" : time(terms.hintCeiling) + (terms.hintBeginsAtOnce ? ", at the first failure" : "")
      return "| \(rules) | \(scope) | \(terms.threshold) "
        + "| \(time(terms.base)), \(time(terms.ceiling)) | \(hint) |"
    } + [""]
}

private func time(_ nanoseconds: Int64) -> String {
  let seconds = nanoseconds / 1_000_000_000
  return seconds % 60 == 0 ? "\(seconds / 60) min" : "\(seconds) s"
}

/// From this file's own place, so that the test finds the page wherever it is run.
private func pagePath() -> String {
  let parts = #filePath.split(separator: "/").dropLast(3)
  return "/" + parts.joined(separator: "/") + "/docs/failures.md"
}

private func read(_ path: String) -> String? {
  guard let file = fopen(path, "r") else { return nil }
  defer { fclose(file) }
  var bytes = [UInt8](repeating: 0, count: 1 << 20)
  let count = fread(&bytes, 1, bytes.count, file)
  return String(decoding: bytes[..<count], as: UTF8.self)
}

private func write(_ text: String, to path: String) -> Bool {
  guard let file = fopen(path, "w") else { return false }
  defer { fclose(file) }
  let bytes = Array(text.utf8)
  return fwrite(bytes, 1, bytes.count, file) == bytes.count
}
