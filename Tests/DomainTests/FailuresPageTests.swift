import Domain
import Glibc
import Support
import Testing

@Suite("FailuresPage")
struct FailuresPageTests {
  @Test("docs/failures.md has the table of cooldowns; UPDATE_GOLDEN=1 writes it")
  func table() throws {
    let page = Page("failures.md")
    let text = try #require(page.read())
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let begin = try #require(lines.firstIndex { $0.hasPrefix("<!-- rules:") })
    let end = try #require(lines.firstIndex(of: "<!-- end -->"))
    if getenv("UPDATE_GOLDEN") != nil {
      let text = (lines[...begin] + rows() + lines[end...]).joined(separator: "\n")
      try #require(page.write(text))
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
