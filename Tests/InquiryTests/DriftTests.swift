import Domain
import EventStore
import Inquiry
import Support
import Testing

/// Which edits count as undoing, overwriting or fighting others, and that both sides are named.
@Suite struct DriftTests {
  private static let bob = Provenance(actor: "bob", source: .api)

  private func based(_ provenance: Provenance, on revision: UInt64) -> Provenance {
    var provenance = provenance
    provenance.base = revision
    return provenance
  }

  private func alias(_ target: String) -> Command {
    .alias(.set(name: "fast", target: target, allowUnresolved: true))
  }

  private func log(_ edits: [(Command, Provenance)]) throws -> (TestLog, [UInt64]) {
    let log = try TestLog()
    try TestLog.provision(log)
    var positions: [UInt64] = []
    for (command, provenance) in edits {
      try log.run([command], provenance)
      positions.append(log.last)
    }
    return (log, positions)
  }

  private func drift(_ log: TestLog) throws -> DriftReport {
    try Replay.drift(log.reader(), now: TestLog.now)
  }

  private func rules(_ edits: [(Command, Provenance)]) throws -> [[DriftReport.Rule]] {
    try drift(log(edits).0).findings.map(\.rules)
  }

  @Test func `a stale record that comes back is told with all three edits`() throws {
    let (log, at) = try log([
      (alias("p/m"), TestLog.file), (alias("p/new"), TestLog.admin), (alias("p/m"), TestLog.file),
    ])
    let report = try drift(log)
    #expect(report.exitCode == .differs && report.edits == 8)
    let second = try #require(report.findings.last)
    #expect(second.stream == "alias/fast" && second.field == "model")
    #expect(second.before.text == "p/new" && second.after.text == "p/m")
    #expect(second.rules == [.reverted, .overwritten, .fileAgainstOthers])
    #expect(second.edit.position == at[2] && second.edit.source == .file)
    #expect(second.replaced?.position == at[1] && second.replaced?.actor == "admin")
    #expect(second.original?.position == at[0])
    #expect(second.base == nil && second.revision == 3 && second.replacedRevision == 2)
    let golden = try report.golden(log)
    try expectGolden(golden.text, "drift.txt")
    try expectGolden(golden.json, "drift.json")
  }

  @Test func `who has seen what it replaces overwrites nothing`() throws {
    let bob = Self.bob
    // Stated, or shown by what the author wrote since.
    #expect(try rules([(alias("p/a"), TestLog.admin), (alias("p/b"), based(bob, on: 1))]).isEmpty)
    #expect(
      try rules([(alias("p/a"), TestLog.admin), (alias("p/b"), based(bob, on: 0))])
        == [[.overwritten]])
    #expect(
      try rules([
        (alias("p/a"), bob), (alias("p/b"), TestLog.admin), (alias("p/c"), bob),
      ]) == [[.overwritten]])
    // Who never wrote before and names no revision may well have looked.
    #expect(try rules([(alias("p/a"), TestLog.admin), (alias("p/b"), bob)]).isEmpty)
    // One's own edits are nobody's drift.
    #expect(
      try rules([(alias("p/a"), bob), (alias("p/b"), bob), (alias("p/a"), bob)]).isEmpty)
    // A person who looked and set it back: said, since the value is an old one, but nothing was overwritten.
    #expect(
      try rules([
        (alias("p/a"), TestLog.admin), (alias("p/b"), based(bob, on: 1)),
        (alias("p/a"), based(TestLog.admin, on: 2)),
      ]) == [[.reverted]])
  }

  @Test func `two writers in turns are told from the fourth on`() throws {
    let bob = Self.bob
    let found = try rules(
      (0..<6).map { number in
        number.isMultiple(of: 2)
          ? (alias("p/a"), based(TestLog.admin, on: UInt64(number)))
          : (alias("p/b"), based(bob, on: UInt64(number)))
      })
    #expect(
      found == [
        [.reverted], [.reverted, .inTurns], [.reverted, .inTurns], [.reverted, .inTurns],
      ])
  }

  @Test func `each field has its own history`() throws {
    let p1 = AccountID("p1")
    let (log, at) = try log([
      (.account(.change(.init(id: p1, weight: 5))), Self.bob),
      (.account(.change(.init(id: p1, priority: 7))), TestLog.admin),
      (.account(.change(.init(id: p1, priority: 1))), Self.bob),
    ])
    let found = try drift(log).findings.filter { $0.field == "priority" }
    #expect(found.map(\.rules) == [[.reverted, .overwritten]])
    #expect(found.first?.edit.position == at[2])
    #expect(found.first?.replaced?.position == at[1])
  }

  @Test func `a window judges its own edits, by all that was before them`() throws {
    let (log, at) = try log([
      (alias("p/m"), TestLog.file), (alias("p/new"), TestLog.admin), (alias("p/m"), TestLog.file),
    ])
    let report = try Replay.drift(
      log.reader(), from: Selector("\(at[2])"), to: nil, now: TestLog.now)
    #expect(report.edits == 1 && report.findings.count == 1)
    #expect(report.findings.first?.original?.position == at[0])
    let before = try Replay.drift(
      log.reader(), from: nil, to: Selector("\(at[1])"), stream: "alias/fast", now: TestLog.now)
    #expect(before.edits == 2 && before.findings.isEmpty)
    let nothing = try Replay.drift(
      log.reader(), from: Selector("\(at[2] + 1)"), to: nil, now: TestLog.now)
    #expect(nothing.exitCode == .same && nothing.edits == 0)
  }

  // MARK: Peers

  private static func peer(_ exchange: UInt128) -> Provenance {
    Provenance(actor: "peer:w", source: .peer, correlation: exchange)
  }

  /// What an exchange decided about the alias.
  private func decided(
    _ exchange: UInt128, ours: String, theirs: String, _ winner: SyncEvent.Winner,
    _ rule: SyncEvent.Rule
  ) -> Event {
    .sync(
      .reconciled(
        .init(
          peer: "w", exchange: exchange,
          decisions: [
            .init(
              stream: "alias/fast", field: "model", ours: .text(ours), theirs: .text(theirs),
              base: nil, version: FieldVersion(.genesis), winner: winner, rule: rule)
          ], withheld: [], waiting: [], floors: [], streams: 1)))
  }

  private func aliased(_ target: String) -> Event {
    .alias(.set(.init(name: "fast", target: target, isUnresolved: true)))
  }

  @Test func `of a peer's edit the decision says whether its author had seen what it replaced`()
    throws
  {
    let (log, _) = try log([(alias("p/a"), TestLog.admin)])
    // The peer wrote here before, and saw the edit after that on its own node.
    for (exchange, target) in [(UInt128(1), "p/b"), (2, "p/d")] {
      try log.append(aliased(target), Self.peer(exchange))
      try log.append(
        decided(exchange, ours: "p/a", theirs: target, .theirs, .successor), Self.peer(exchange))
      try log.run([alias("p/c")], TestLog.admin)
    }
    func overwritten() throws -> [DriftReport.Finding] {
      try drift(log).findings.filter {
        $0.edit.actor == "peer:w" && $0.rules.contains(.overwritten)
      }
    }
    #expect(try overwritten().isEmpty)
    let at = try log.append(aliased("p/e"), Self.peer(3))
    try log.append(
      decided(3, ours: "p/c", theirs: "p/e", .theirs, .concurrent), Self.peer(3))
    let found = try overwritten()
    #expect(found.map(\.edit.position) == [at])
    #expect(found.first?.replaced?.actor == "admin")
  }

  @Test func `a peer's edit that does not hold here is told where it was decided`() throws {
    let (log, _) = try log([(alias("p/a"), TestLog.admin)])
    let at = try log.append(
      decided(1, ours: "p/a", theirs: "p/z", .ours, .concurrent), Self.peer(1))
    try log.append(decided(2, ours: "p/a", theirs: "p/y", .ours, .successor), Self.peer(2))
    for stream in [nil, "alias/fast"] {
      let report = try Replay.drift(log.reader(), stream: stream, now: TestLog.now)
      let one = try #require(report.findings.last)
      #expect(report.findings.count == 1 && one.rules == [.lostInSync])
      #expect(one.stream == "alias/fast" && one.field == "model" && one.replaced == nil)
      #expect(one.before.text == "p/z" && one.after.text == "p/a" && one.edit.position == at)
      #expect(report.text.contains("lost-in-sync") && report.text.contains("the peer's log"))
    }
    try log.append(
      .alias(.set(.init(name: "slow", target: "p/a", isUnresolved: true))), Self.peer(3))
    let other = try Replay.drift(log.reader(), stream: "alias/slow", now: TestLog.now)
    #expect(other.findings.isEmpty)
  }

  @Test func `a credential that is not newer than the last one is told`() throws {
    let (log, _) = try log([])
    var positions: [UInt64] = []
    let versions = [
      (UInt64(0), UInt64(5)), (0, 4), (0, 5), (0, 6), (1, 2), (1, 6), (1, 9), (0, 10),
    ]
    for (epoch, generation) in versions {
      positions.append(
        try log.append(
          .credential(
            .issued(
              .init(
                account: AccountID("p1"), generation: generation,
                fingerprint: Fingerprint([UInt8](repeating: UInt8(generation), count: 32)),
                homeEpoch: epoch))), Self.peer(1)))
    }
    let found = try drift(log).findings.filter { $0.rules.contains(.generationFell) }
    #expect(found.map(\.edit.position) == [positions[1], positions[2], positions[4]])
    #expect(found.map(\.replaced?.position) == [positions[0], positions[0], positions[3]])
    #expect(found.map(\.before.number) == [5, 5, 6] && found.map(\.after.number) == [4, 5, 2])
  }

  @Test func `health that came from another node is told, and no other`() throws {
    let (log, _) = try log([])
    let p1 = AccountID("p1")
    let before = try drift(log).edits
    try log.append(
      .health(
        .cooldownStarted(
          .init(
            account: p1, scope: .account, rule: "rate_limited", until: TestLog.now, status: 429))))
    let at = try log.append(
      .health(.noted(.init(account: p1, testStatus: .active))), Self.peer(1))
    try log.append(.health(.noted(.init(account: p1, testStatus: .error))), TestLog.admin)
    let report = try drift(log)
    #expect(report.findings.map(\.rules) == [[.healthTravelled]] && report.edits == before)
    #expect(report.findings.map(\.field) == ["testStatus"])
    #expect(report.findings.map(\.edit.position) == [at])
  }

  @Test func `how refreshes go is nobody's edit`() throws {
    let (log, _) = try log([])
    let p1 = AccountID("p1")
    func issued(_ generation: UInt64) -> Event {
      .credential(
        .issued(
          .init(
            account: p1, generation: generation,
            fingerprint: Fingerprint([UInt8](repeating: UInt8(generation), count: 32)),
            kind: .oauth, canRefresh: true)))
    }
    try log.append(issued(7), TestLog.admin)
    try log.append(
      .credential(
        .refreshAttempted(.init(account: p1, generation: 7, attempt: 1, cause: .reactive))))
    try log.append(issued(8), TestLog.admin)
    #expect(try drift(log).findings.isEmpty)
  }

  // MARK: Blame

  @Test func `blame names the event of each field and what it replaced`() throws {
    let p1 = AccountID("p1")
    let (log, at) = try log([
      (.account(.change(.init(id: p1, weight: 5))), Self.bob),
      (.account(.change(.init(id: p1, priority: 7))), TestLog.admin),
      (.account(.change(.init(id: p1, priority: 3))), Self.bob),
    ])
    let report = try Replay.blame(log.reader(), "account/p1", now: TestLog.now)
    let priority = try #require(report.rows.first { $0.field == "priority" })
    #expect(priority.value.number == 3 && priority.since.position == at[2])
    #expect(priority.before.number == 7 && priority.beforeSince?.position == at[1])
    let weight = try #require(report.rows.first { $0.field == "weight" })
    #expect(weight.value.number == 5 && weight.since.position == at[0])
    let one = try Replay.blame(
      log.reader(), "account/p1.priority", at: Selector("\(at[1])"), now: TestLog.now)
    #expect(one.rows.map(\.value.number) == [7] && one.revision == report.revision - 1)
  }

  @Test func `blame of what is gone names who removed it`() throws {
    let (log, at) = try log([
      (alias("p/m"), TestLog.file), (.alias(.remove(name: "fast")), TestLog.admin),
    ])
    let report = try Replay.blame(log.reader(), "alias/fast", now: TestLog.now)
    #expect(report.rows.isEmpty && report.removed?.position == at[1])
  }

  @Test func `what cannot be blamed is refused with what there is`() throws {
    let (log, _) = try log([(alias("p/m"), TestLog.file)])
    for (target, code, word) in [
      ("alias/fas", InquiryFault.Code.notFound, "alias/fast"),
      ("alias/fast.nope", .notFound, "model"), ("requests", .usage, "alias/fast"),
    ] {
      let fault = try #require(throws: InquiryFault.self) {
        try Replay.blame(log.reader(), target, now: TestLog.now)
      }
      #expect(fault.code == code && "\(fault)".contains(word), "\(fault)")
    }
  }

  // MARK: Differences of states

  @Test func `a difference names the event of each field, in both directions`() throws {
    let p1 = AccountID("p1")
    let (log, at) = try log([
      (alias("p/m"), TestLog.file), (.account(.disable(p1)), TestLog.admin),
      (.account(.change(.init(id: p1, name: "x"))), Self.bob), (alias("p/new"), TestLog.admin),
      (.alias(.remove(name: "fast")), Self.bob),
    ])
    func difference(_ one: UInt64, _ two: UInt64) throws -> StateDifference {
      try Replay.difference(
        log.reader(), from: Selector("\(one)"), to: Selector("\(two)"), now: TestLog.now)
    }
    let forth = try difference(at[0], at[4])
    #expect(forth.exitCode == .differs && forth.rows.map(\.stream) == ["account/p1", "alias/fast"])
    let account = forth.rows[0]
    #expect(account.wasThere && account.isThere)
    #expect(account.fields.map(\.name) == ["name", "isActive"])
    #expect(account.fields.map(\.since?.position) == [at[2], at[1]])
    #expect(forth.rows[1].wasThere && !forth.rows[1].isThere)
    #expect(forth.rows[1].fields.allSatisfy { $0.since?.position == at[4] })
    let back = try difference(at[4], at[0])
    #expect(back.rows.map(\.stream) == ["account/p1", "alias/fast"])
    #expect(back.rows[0].fields.map(\.before) == forth.rows[0].fields.map(\.after))
    #expect(try difference(at[3], at[3]).exitCode == .same)
    let added = try difference(0, at[4])
    #expect(added.rows.contains { $0.stream == "provider/p" && !$0.wasThere && $0.isThere })
  }

  /// The one state with the differences put in is the other.
  @Test func `what a difference says makes the one state the other`() throws {
    let seed = UInt64.random(in: 0..<(1 << 32))
    print("seed \(seed)")
    var random = SeededRandom(seed: seed)
    let log = try TestLog()
    try TestLog.provision(log, accounts: 3)
    let accounts = (1...3).map { AccountID("p\($0)") }
    for _ in 0..<80 {
      let account = accounts.randomElement(using: &random) ?? accounts[0]
      let command: Command =
        switch random.int(0...6) {
        case 0: alias("p/\(random.int(0...3))")
        case 1: .account(.disable(account))
        case 2: .account(.enable(account))
        case 3: .account(.change(.init(id: account, priority: UInt32(random.int(1...9)))))
        case 4: .account(.degrade(account, reason: "x\(random.int(0...3))"))
        case 5: .settings(.change(.init(maxBodyBytes: UInt64(random.int(1_024...9_999)))))
        default: .combo(.set(name: "c\(random.int(0...3))", models: ["p/m"], allowUnresolved: true))
        }
      try log.run([command], random.oneIn(2) ? Self.bob : TestLog.admin)
    }
    for _ in 0..<40 {
      let (one, two) = (
        UInt64(random.int(0...Int(log.last))), UInt64(random.int(0...Int(log.last)))
      )
      let difference = try Replay.difference(
        log.reader(), from: Selector("\(one)"), to: Selector("\(two)"), now: TestLog.now)
      let (before, after) = (
        try log.projection(through: one).state, try log.projection(through: two).state
      )
      let streams = Set(difference.rows.map(\.stream))
      #expect(streams.count == difference.rows.count)
      for subject in StateDifference.subjects(before, after) {
        let row = difference.rows.first { $0.stream == subject.stream }
        let (was, now) = (before.image(of: subject), after.image(of: subject))
        #expect(
          streams.contains(subject.stream) == (was != now && !Image.difference(was, now).isEmpty))
        var fields = Dictionary(
          (was?.fields ?? []).map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
        for field in row?.fields ?? [] {
          #expect(fields[field.name] ?? .none == field.before)
          fields[field.name] = field.after
          let since = try #require(field.since)
          #expect(since.position <= max(one, two) && since.position > min(one, two))
        }
        for field in now?.fields ?? [] { #expect(fields[field.name] ?? .none == field.value) }
      }
    }
  }
}
