import Testing

@testable import Domain

let beginning: Int64 = 1_700_000_000_000_000_000
/// In nanoseconds.
let oneMinute: Int64 = 60_000_000_000

/// Two or more nodes that an operator works at, one exchange at a time.
struct SyncPair {
  var nodes: [SyncNode]
  var now = beginning
  private var exchanges: UInt128 = 0

  init(_ count: Int = 2, skew: [Int: Int64] = [:]) {
    nodes = (0..<count).map { SyncNode("n\($0)", skew: skew[$0] ?? 0) }
  }

  mutating func at(_ node: Int, _ commands: Command...) {
    for command in commands {
      now += 1_000_000_000
      #expect(!nodes[node].command(command, now: now).isEmpty, "\(command) did nothing")
    }
  }

  /// What one tells the other is taken in there.
  mutating func tell(_ from: Int, _ to: Int) throws {
    now += 1_000_000_000
    exchanges += 1
    let document = nodes[from].document(now: now)
    let life = nodes[from].incarnation
    _ = try nodes[to].take(document, from: life, now: now, exchange: exchanges)
  }

  mutating func sync(_ a: Int = 0, _ b: Int = 1) throws {
    try tell(a, b)
    try tell(b, a)
  }

  func credential(_ node: Int) -> Credential? {
    nodes[node].state.accounts[AccountID("a1")]?.credential
  }

  func conflicts(_ node: Int) -> [SyncEvent.Decision] {
    nodes[node].decisions.filter(\.isConflict)
  }

  func doubts(_ node: Int) -> Int {
    nodes[node].log.count { if case .sync(.conflict) = $0.event { true } else { false } }
  }
}

func setAlias(_ name: String, _ target: String) -> Command {
  .alias(.set(name: name, target: target, allowUnresolved: true))
}

let firstProvider = Command.provider(.add(provider("p1")))

func oauthTerms(_ number: Int) -> CredentialTerms {
  CredentialTerms(
    fingerprint: fingerprint(number), kind: .oauth, canRefresh: true, expiresAt: nil)
}
