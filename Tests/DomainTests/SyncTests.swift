import Foundation
import Support
import Testing

@testable import Domain

/// What is the same everywhere in the end: by stream, whether it is there, and each field.
private func intent(_ node: SyncNode) -> [String: [String: Image.Value]?] {
  var all: [String: [String: Image.Value]?] = [:]
  for stream in node.document(now: 0).streams {
    guard let subject = Subject(stream: stream.stream) else { continue }
    all[stream.stream] = .some(node.state.sharedFields(of: subject, secretsKey: "k"))
  }
  return all
}

private func agreed(_ node: SyncNode) -> [String: [String: Image.Value]] {
  var all: [String: [String: Image.Value]] = [:]
  for stream in node.document(now: 0).streams {
    var fields: [String: Image.Value] = ["": .flag(stream.isPresent)]
    for field in stream.fields { fields[field.name] = field.value }
    all[stream.stream] = fields
  }
  return all
}

/// Holds the law against a world that has settled.
private func expectConverged(_ world: SyncWorld, rounds: Int?, _ label: String) throws {
  #expect(rounds != nil, "\(label): it never came to rest")
  let first = try #require(world.nodes.first)
  for node in world.nodes.dropFirst() {
    for (stream, fields) in agreed(node).merging(agreed(first), uniquingKeysWith: { a, _ in a }) {
      #expect(agreed(node)[stream] == fields, "\(label), \(node.name.rawValue), \(stream)")
      #expect(agreed(first)[stream] == fields, "\(label), \(first.name.rawValue), \(stream)")
    }
    let (a, b) = (intent(first), intent(node))
    for stream in a.keys {
      #expect(a[stream] == b[stream], "\(label), \(node.name.rawValue): \(stream) is not the same")
    }
    #expect(
      first.state.sync.withheld.keys.sorted() == node.state.sync.withheld.keys.sorted(),
      "\(label), \(node.name.rawValue)")
  }
  for node in world.nodes {
    #expect(try node.replayed() == node.state, "\(label): the log tells something else")
    for record in node.log where record.provenance.source == .peer {
      #expect(!record.kind.hasPrefix("health."), "\(label): health travelled")
    }
  }
  expectOneCredential(world, label)
  expectNoCredentialLost(world, label)
  expectNothingLost(world, label)
}

/// The same credential everywhere, and nowhere one that an older one took the place of.
private func expectOneCredential(_ world: SyncWorld, _ label: String) {
  for node in world.nodes {
    for (id, account) in node.state.accounts {
      let other = world.nodes[0].state.accounts[id]
      #expect(
        account.credential.version == other?.credential.version
          && account.credential.fingerprint == other?.credential.fingerprint,
        "\(label), \(node.name.rawValue), \(id.rawValue) has another credential")
      if account.credential.canRefresh, let other {
        #expect(
          account.credential.home ?? node.name == other.credential.home ?? world.nodes[0].name,
          "\(label), \(node.name.rawValue), \(id.rawValue) is refreshed by another node")
      }
    }
    var last: [AccountID: Credential.Version] = [:]
    var state = ControlState.initial
    for record in node.log {
      state.apply(record)
      for (id, account) in state.accounts.merging(
        state.removedAccounts, uniquingKeysWith: { a, _ in a })
      {
        let before = last[id] ?? .init(homeEpoch: 0, generation: 0)
        #expect(
          account.credential.version.union(before) == account.credential.version,
          "\(label), \(node.name.rawValue), \(id.rawValue): a generation went back at \(record.position)"
        )
        last[id] = account.credential.version
      }
    }
  }
}

/// Each secret that was put in force anywhere is in force in the end, or the one that is was made by somebody who had it
/// or one made on top of it, or a conflict names it, or its account was removed.
private func expectNoCredentialLost(_ world: SyncWorld, _ label: String) {
  var story = SecretStory()
  for log in world.formerLogs { story.take(log) }
  story.made = [:]
  for node in world.nodes { story.take(node.log) }
  for (id, made) in story.made where !story.removed.contains(id) {
    let holding = world.nodes[0].state.accounts[id]?.credential.fingerprint
    let known = holding.map { story.past(of: $0) } ?? []
    for fingerprint in made where !known.contains(fingerprint) {
      #expect(
        story.named.contains { story.past(of: $0).contains(fingerprint) },
        "\(label): a secret of \(id.rawValue) was lost without a word")
    }
  }
}

/// What logs say of secrets: who made each on top of which.
private struct SecretStory {
  var made: [AccountID: Set<Fingerprint>] = [:]
  var removed: Set<AccountID> = []
  /// By conflicts: that it gave way, or that an operator had to choose.
  var named: Set<Fingerprint> = []
  private var before: [Fingerprint: Set<Fingerprint>] = [:]

  mutating func take(_ log: [Recorded]) {
    var holding: [AccountID: Fingerprint] = [:]
    for record in log {
      var next: (account: AccountID, fingerprint: Fingerprint)?
      switch record.event {
      case .credential(.issued(let it)): next = (it.account, it.fingerprint)
      case .credential(.refreshed(let it)): next = (it.account, it.fingerprint)
      case .account(.removed(let id)): removed.insert(id)
      case .sync(.conflict(let it)):
        switch it.lost?.whose {
        case .ours: named.insert(it.ours)
        case .theirs: it.theirs.map { _ = named.insert($0) }
        case nil: named.formUnion([it.ours, it.theirs].compactMap(\.self))
        }
      case _: break
      }
      guard let next else { continue }
      if record.provenance.source != .peer {
        made[next.account, default: []].insert(next.fingerprint)
        if let last = holding[next.account] {
          before[next.fingerprint, default: []].insert(last)
        }
      }
      holding[next.account] = next.fingerprint
    }
  }

  /// It, and what it was made on top of.
  func past(of fingerprint: Fingerprint) -> Set<Fingerprint> {
    var past: Set = [fingerprint]
    var open = [fingerprint]
    while let next = open.popLast() {
      for one in before[next] ?? [] where past.insert(one).inserted { open.append(one) }
    }
    return past
  }
}

/// Each edit holds, or somebody who had seen it made another, or a decision on record says why not.
private func expectNothingLost(_ world: SyncWorld, _ label: String) {
  let first = world.nodes[0]
  var versions: [String: [String: FieldVersion]] = [:]
  var presence: [String: FieldVersion] = [:]
  for stream in first.document(now: 0).streams {
    presence[stream.stream] = stream.version
    for field in stream.fields {
      versions[stream.stream, default: [:]][field.name] = field.version
    }
  }
  var decided: [String: [SyncEvent.Decision]] = [:]
  for decision in world.nodes.flatMap(\.decisions) + world.forgottenDecisions {
    decided[decision.stream, default: []].append(decision)
  }
  for edit in world.edits {
    let holding = [versions[edit.stream]?[edit.field], presence[edit.stream]].compactMap(\.self)
    if holding.contains(where: { $0.isBuilt(on: edit.stamp) }) { continue }
    let isExplained =
      (decided[edit.stream] ?? []).contains {
        ($0.field == edit.field || $0.field.isEmpty)
          && ($0.version.isDecided(against: edit.stamp) || $0.version.isBuilt(on: edit.stamp))
      }
    #expect(isExplained, "\(label): \(edit) was lost without a word")
  }
}

@Test("nodes that tell each other everything hold the same", arguments: UInt64(0)..<60)
func convergesAnyhow(seed: UInt64) throws {
  var world = SyncWorld(seed: seed, nodes: 2 + Int(seed % 3))
  for _ in 0..<200 { try world.step() }
  var rounds = try world.settle()
  if world.issueWhereInDoubt() { rounds = try world.settle() }
  try expectConverged(world, rounds: rounds, "seed \(seed)")
}

@Test("what the rules refuse changes nothing anywhere", arguments: UInt64(0)..<12)
func foreignComesToNothing(seed: UInt64) throws {
  var worlds = [true, false].map { SyncWorld(seed: seed, nodes: 3, hasForeign: $0) }
  for index in worlds.indices {
    for _ in 0..<200 { try worlds[index].step() }
  }
  for (node, without) in zip(worlds[0].nodes, worlds[1].nodes) {
    #expect(
      node.document(now: 0) == without.document(now: 0), "seed \(seed), \(node.name.rawValue)")
  }
}

@Test(
  "four nodes end equal after as many steps as SYNC_STEPS says",
  .enabled(if: ProcessInfo.processInfo.environment["SYNC_STEPS"] != nil))
func soaks() throws {
  let environment = ProcessInfo.processInfo.environment
  let steps = try #require(environment["SYNC_STEPS"].flatMap(Int.init))
  let seed = environment["SYNC_SEED"].flatMap(UInt64.init) ?? 1
  var world = SyncWorld(seed: seed, nodes: 4)
  for _ in 0..<steps { try world.step() }
  var rounds = try world.settle()
  if world.issueWhereInDoubt() { rounds = try world.settle() }
  try expectConverged(world, rounds: rounds, "seed \(seed)")
  let taken = world.nodes.reduce(0) { sum, node in
    sum + node.log.count { $0.provenance.source == .peer }
  }
  print(
    "seed \(seed): \(steps) steps on 4 nodes, \(world.edits.count) edits, "
      + "\(world.restores) older copies put back, \(taken) events taken over, "
      + "equal after \(rounds ?? 0) rounds")
}

@Test("the random worlds meet every rule, names that collide, and clocks that are ahead")
func meetsEverything() throws {
  var rules: [String: Int] = [:]
  var withheld = 0
  var waiting = 0
  var refused = 0
  var reasons: Set<String> = []
  var (taken, restores, ofFormerLives) = (0, 0, 0)
  for seed in UInt64(0)..<24 {
    var world = SyncWorld(seed: seed, nodes: 3)
    for _ in 0..<200 { try world.step() }
    _ = try world.settle()
    restores += world.restores
    for node in world.nodes {
      ofFormerLives += node.decisions.count {
        let author = $0.version.stamp.author
        return $0.winner == .theirs && author.node == node.name && author != node.state.sync.author
      }
      for record in node.log where record.provenance.source == .peer {
        if case .credential(.issued) = record.event { taken += 1 }
      }
      for case .sync(.reconciled(let it)) in node.log.compactMap(\.event) {
        for decision in it.decisions {
          rules["\(decision.rule.name) \(decision.winner.name)", default: 0] += 1
        }
        withheld += it.withheld.count
        waiting += it.waiting.count { $0.reason.isEmpty }
        refused += it.waiting.count { !$0.reason.isEmpty }
        for one in it.withheld { reasons.insert(one.reason) }
      }
    }
  }
  for rule in SyncEvent.Rule.allCases where rule != .final {
    let winner = rule == .renewed ? "ours" : "theirs"
    #expect(rules["\(rule.name) \(winner)"] != nil, "no \(rule.name) in \(rules)")
  }
  #expect(withheld > 0 && waiting > 0, "\(withheld) withheld, \(waiting) waiting")
  #expect(refused > 9, "\(refused) refused")
  #expect(reasons.count > 3, "\(reasons)")
  #expect(taken > 0, "no credential was taken")
  #expect(restores > 0 && ofFormerLives > 0, "\(restores) restores, \(ofFormerLives) came back")
}
