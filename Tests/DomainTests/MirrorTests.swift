import Support
import Testing

@testable import Domain

private let peer = "9router"

private func base() -> ControlState {
  state([
    .added(provider("p1", models: models("m1", "m2"))), .added(account("a1", priority: 3)),
    .added(account("a2")), .alias(.set(.init(name: "fast", target: "p1/m1", isUnresolved: false))),
  ])
}

extension ControlState {
  /// Takes in records as the control plane does, and gives the outcome.
  fileprivate mutating func taking(_ records: MirrorRecords) -> MirrorOutcome {
    let outcome = mirror(records, peer: peer, exchange: 7)
    for command in outcome.commands { try? edit(command) }
    if let event = outcome.event { try? edit(.sync(.note(.mirrored(event)))) }
    return outcome
  }

  fileprivate mutating func edit(_ command: Command) throws {
    for one in try decide(command, self) {
      apply(
        Recorded(
          position: position + 1, time: second(position + 1), kind: one.event.kind,
          provenance: .system, content: .event(one.event)))
    }
  }
}

@Suite struct MirrorTests {
  @Test func `what both hold is no news`() {
    var state = base()
    let first = state.taking(state.mirrored)
    #expect(first.commands.isEmpty && first.event?.decisions.isEmpty == true)
    #expect(state.taking(state.mirrored) == .init(commands: [], event: nil, isShrunken: false))
  }

  @Test func `a field that only they changed is taken, one that only we changed stays`() throws {
    var state = base()
    _ = state.taking(state.mirrored)
    var theirs = state.mirrored
    theirs.streams["account/a1"]?["priority"] = .number(9)
    theirs.streams["alias/fast"]?["model"] = .text("p1/m2")
    try state.edit(.account(.change(.init(id: AccountID("a1"), name: "ours"))))
    let outcome = state.taking(theirs)
    let a1 = try #require(state.accounts[AccountID("a1")])
    #expect(a1.priority == 9 && a1.name == "ours")
    #expect(state.aliases["fast"]?.target == "p1/m2")
    #expect(outcome.event?.decisions.map(\.rule) == [.successor, .successor])
    #expect(outcome.event?.decisions.allSatisfy { $0.winner == .theirs } == true)
    #expect(state.taking(theirs).event == nil)
  }

  @Test func `where both changed a field ours holds, once on record`() throws {
    var state = base()
    _ = state.taking(state.mirrored)
    var theirs = state.mirrored
    theirs.streams["account/a1"]?["priority"] = .number(9)
    try state.edit(.account(.change(.init(id: AccountID("a1"), priority: 5))))
    let outcome = state.taking(theirs)
    #expect(outcome.commands.isEmpty)
    #expect(
      outcome.event?.decisions == [
        .init(
          stream: "account/a1", field: "priority", ours: .number(5), theirs: .number(9),
          base: .number(3), winner: .ours, rule: .concurrent)
      ])
    #expect(state.taking(theirs).event == nil)
  }

  @Test func `at the first exchange ours holds where they differ, and what is new is taken`() {
    var state = base()
    var theirs = state.mirrored
    theirs.streams["account/a1"]?["priority"] = .number(9)
    theirs.streams["alias/new"] = ["model": .text("p1/m2")]
    theirs.streams["alias/lost"] = ["model": .text("nobody/m")]
    theirs.streams["account/theirs"] = ["name": .text("x")]
    let outcome = state.taking(theirs)
    #expect(state.accounts[AccountID("a1")]?.priority == 3)
    #expect(state.aliases["new"]?.target == "p1/m2" && state.aliases["lost"] == nil)
    #expect(outcome.event?.decisions.map(\.rule) == [.concurrent, .refused, .new])
    #expect(state.accounts.count == 2)
  }

  @Test func `what the rules did not allow is looked at again when it is told otherwise`() throws {
    var state = base()
    var theirs = state.mirrored
    theirs.streams["alias/lost"] = ["model": .text("nobody/m")]
    #expect(state.taking(theirs).event?.decisions.map(\.rule) == [.refused])
    #expect(!state.sync.knows("alias/lost"))
    theirs.streams["alias/lost"] = ["model": .text("p1/m1")]
    #expect(state.taking(theirs).event?.decisions.map(\.rule) == [.new])
    #expect(state.aliases["lost"]?.target == "p1/m1")
  }

  @Test func `what is not told was not removed, and what else is told is looked at all the same`()
    throws
  {
    var state = base()
    _ = state.taking(state.mirrored)
    let before = state
    var theirs = state.mirrored
    theirs.streams["alias/fast"] = nil
    theirs.streams["account/a1"]?["priority"] = .number(9)
    theirs.streams["account/a2"]?["name"] = .text("theirs")
    try state.edit(.account(.change(.init(id: AccountID("a2"), name: "ours"))))
    let outcome = state.taking(theirs)
    #expect(outcome.isShrunken)
    #expect(outcome.event?.decisions.map(\.rule) == [.successor, .concurrent])
    #expect(state.accounts[AccountID("a1")]?.priority == 9)
    #expect(state.accounts[AccountID("a2")]?.name == "ours")
    #expect(state.aliases == before.aliases)
    let emptied = state.taking(.init(streams: [:]))
    #expect(emptied.isShrunken && emptied.commands.isEmpty && state.aliases == before.aliases)
  }

  @Test func `what never could be here is left to them until it can be`() throws {
    var state = base()
    var theirs = state.mirrored
    theirs.streams["alias/odd"] = ["model": .record([.init("form", .text("object"))])]
    theirs.streams["alias/theirs"] = ["model": .text("p2/m9")]
    theirs.streams["combo/mixed"] = ["models": .list([.text("p1/m1"), .number(1)])]
    theirs.streams["combo/theirs"] = ["models": .list([.text("p2/m9")])]
    let first = state.taking(theirs)
    #expect(first.commands.isEmpty && first.event?.decisions.allSatisfy(\.isConflict) == true)
    #expect(first.event?.decisions.map(\.rule) == [.refused, .refused, .refused, .refused])
    for stream in ["alias/odd", "alias/theirs", "combo/mixed", "combo/theirs"] {
      #expect(!state.sync.knows(stream), "\(stream) is not ours to take away")
    }
    #expect(state.taking(theirs).event == nil)
    theirs.streams["alias/theirs"] = ["model": .text("p3/m9")]
    #expect(state.taking(theirs).event?.decisions.map(\.rule) == [.refused])
    let added = recorded(
      [.added(provider("p3", models: models("m9")))], from: state.position + 1)
    state = folded(added, from: state)
    let later = state.taking(theirs)
    #expect(later.event?.decisions.map(\.rule) == [.new] && later.event?.told.isEmpty == true)
    #expect(state.aliases["theirs"]?.target == "p3/m9")
    #expect(state.sync.knows("alias/theirs"))
    #expect(state.taking(theirs).event == nil)
  }

  @Test func `what takes more than one event may is told in several, and comes to the same`() {
    var state = base()
    var theirs = state.mirrored
    for number in 0..<40 {
      theirs.streams["alias/x\(number)"] = ["model": .text(number % 2 == 0 ? "p1/m1" : "no/m1")]
    }
    var whole = state
    let event = whole.taking(theirs).event
    let parts = event?.parts(bytes: 200) ?? []
    #expect(parts.count > 4 && parts.allSatisfy { !$0.told.isEmpty || !$0.decisions.isEmpty })
    #expect(parts.flatMap(\.decisions) == event?.decisions && parts.flatMap(\.told) == event?.told)
    #expect(event?.parts(bytes: 1 << 20) == event.map { [$0] })
    for command in state.mirror(theirs, peer: peer, exchange: 7).commands {
      try? state.perform(command)
    }
    for part in parts { try? state.perform(.sync(.note(.mirrored(part)))) }
    #expect(state.sync.peers[peer]?.told == whole.sync.peers[peer]?.told)
    #expect(state.aliases.keys == whole.aliases.keys)
  }

  @Test func `what was removed here does not come back`() throws {
    var state = base()
    try state.edit(.alias(.set(name: "quick", target: "p1/m1", allowUnresolved: false)))
    _ = state.taking(state.mirrored)
    let stale = state.mirrored
    try state.edit(.alias(.remove(name: "quick")))
    let outcome = state.taking(stale)
    #expect(state.aliases["quick"] == nil && !outcome.isShrunken)
    var gone = stale
    gone.streams["alias/quick"] = nil
    #expect(!state.taking(gone).isShrunken)
    let back = state.taking(stale)
    #expect(state.aliases["quick"] == nil && back.event?.decisions.map(\.rule) == [.removed])
  }

  @Test func `a token that nobody knows is tested until it is refused, or another one came`() throws
  {
    let id = AccountID("a1")
    var state = base()
    try state.edit(.account(.issueCredential(id, .key(fingerprint(1)))))
    let version = try #require(state.accounts[id]?.credential.version)
    func refused(_ code: String, isFinal: Bool) -> Command {
      .sync(
        .note(
          .candidateRefused(
            .init(
              peer: peer, account: id, version: version, fingerprint: fingerprint(2), code: code,
              isFinal: isFinal))))
    }
    func due() -> [AccountID] { state.candidates(of: peer).map(\.account) }
    let kept = SyncEvent.CandidateKept(
      peer: peer, account: id, version: version, fingerprint: fingerprint(2), kind: .token,
      expiresAt: nil)
    try state.edit(.sync(.note(.candidateKept(kept))))
    #expect(due() == [id] && state.candidates(of: "other").isEmpty)
    #expect(state.accounts[id]?.credential.fingerprint == fingerprint(1))
    try state.edit(refused("rate_limited", isFinal: false))
    #expect(due() == [id])
    #expect(state.sync.peers[peer]?.candidates[id]?.code == "rate_limited")
    let later = state
    try state.edit(refused("invalid_api_key", isFinal: true))
    #expect(due().isEmpty)
    try state.edit(refused("rate_limited", isFinal: false))
    #expect(due().isEmpty, "a refusal is final")
    state = later
    try state.edit(.account(.issueCredential(id, .key(fingerprint(3)))))
    #expect(due().isEmpty, "what came before the one in force is none")
    // One that was refused as it came was never kept.
    state = later
    try state.edit(
      .sync(
        .note(
          .candidateRefused(
            .init(
              peer: peer, account: id, version: version, fingerprint: fingerprint(4),
              code: "expired", isFinal: true)))))
    #expect(due().isEmpty)
  }

  @Test(arguments: UInt64(1)...40)
  func `whatever is told, only its own fields change, and the same again is no news`(
    seed: UInt64
  ) {
    var random = SeededRandom(seed: seed)
    var state = folded(randomHistory(seed: seed, steps: 80))
    for _ in 0..<12 {
      let records = junk(&random, state)
      let before = state
      let outcome = state.taking(records)
      #expect(state.health == before.health, "seed \(seed)")
      #expect(state.keys == before.keys && state.settings == before.settings, "seed \(seed)")
      #expect(Set(state.accounts.keys) == Set(before.accounts.keys), "seed \(seed)")
      for (id, account) in state.accounts {
        #expect(account.credential == before.accounts[id]?.credential, "seed \(seed)")
        #expect(account.weight == before.accounts[id]?.weight, "seed \(seed)")
      }
      #expect(Set(before.aliases.keys).isSubset(of: state.aliases.keys), "seed \(seed)")
      for decision in outcome.event?.decisions ?? [] where decision.winner == .ours {
        guard !decision.field.isEmpty else { continue }
        #expect(
          state.image(ofStream: decision.stream)?[decision.field] == decision.ours, "seed \(seed)")
      }
      #expect(state.taking(records).event == nil, "seed \(seed)")
      if random.oneIn(2) {
        for command in [randomCommand(&random)] { try? state.perform(command) }
      }
    }
  }

  private func junk(_ random: inout SeededRandom, _ state: ControlState) -> MirrorRecords {
    var records = random.oneIn(6) ? MirrorRecords(streams: [:]) : state.mirrored
    let values: [Image.Value] = [
      .none, .flag(random.oneIn(2)), .number(UInt64(random.int(0...2_000))), .text("p1/m1"),
      .text(""), .text("\u{0}x"), .list([.text("p1/m1"), .text("m2")]), .list([]),
      .record([.init("a", .none)]),
    ]
    for _ in 0..<random.int(0...6) {
      let stream = [
        "account/a\(random.int(1...7))", "alias/fast", "alias/x", "alias/p1", "combo/c",
        "combo/fast", "key/k1", "settings", "nothing", "account/", "credential/a1",
      ][random.int(0...10)]
      let field = ["name", "isActive", "priority", "model", "models", "weight", "credential"][
        random.int(0...6)]
      records.streams[stream, default: [:]][field] = values[random.int(0...values.count - 1)]
    }
    if random.oneIn(4), let gone = records.streams.keys.sorted().first {
      records.streams[gone] = nil
    }
    return records
  }
}
