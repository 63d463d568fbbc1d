internal import ArgumentParser
internal import Support

/// What was counted, and what must not have happened.
struct Tally: Sendable {
  /// Faults that happened and after which everything was compared, by name.
  private(set) var points: [String: Int] = [:]
  private(set) var violations: [Violation.Kind: Int] = [:]

  var total: Int { points.values.reduce(0, +) }
  var violationCount: Int { violations.values.reduce(0, +) }

  mutating func count(_ point: String, times: Int = 1) { points[point, default: 0] += times }
  mutating func count(_ violation: Violation) { violations[violation.kind, default: 0] += 1 }

  mutating func add(_ other: Tally) {
    points.merge(other.points, uniquingKeysWith: +)
    violations.merge(other.violations, uniquingKeysWith: +)
  }

  /// How often each thing happened that must not: `0 lost, 0 phantom` and so on.
  var verdict: String {
    Violation.Kind.allCases.map { "\(violations[$0, default: 0]) \($0.rawValue)" }
      .joined(separator: ", ")
  }

  /// A line for each kind of point, then one that counts all of them.
  ///
  /// - Throws: An exit code if something happened that must not.
  func report(_ what: String) throws {
    for (name, count) in points.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
      print("\(count)\t\(name)")
    }
    print("\(total) points, \(what): \(verdict)")
    if violationCount > 0 { throw ExitCode(1) }
  }

  /// The same as one JSON object; `numbers`: further members.
  func json(_ numbers: [(String, Int)]) -> String {
    func members(_ pairs: [(String, Int)]) -> String {
      pairs.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",")
    }
    let kinds = Violation.Kind.allCases.map { ($0.rawValue, violations[$0, default: 0]) }
    let named = points.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    return
      "{\(members(numbers)),\"points\":{\(members(named))},\(members([("total", total)] + kinds))}"
  }
}
