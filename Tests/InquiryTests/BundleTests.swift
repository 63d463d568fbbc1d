import Crypto
import Domain
import EventStore
import Foundation
import Inquiry
import Support
import Testing

/// A bundle tells of its window what the log tells.
@Suite struct BundleTests {
  /// Makes a bundle beside the log and opens it.
  private func bundle(
    _ log: TestLog, _ first: UInt64? = nil, _ last: UInt64? = nil, isWithAddresses: Bool = true,
    request: String? = nil
  ) throws -> (reader: LogReader, bytes: [UInt8], report: BundleReport) {
    let path = log.directory + "/made.bundle"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let query = try BundleQuery(
      from: first.map { .position($0, epoch: nil) }, to: last.map { .position($0, epoch: nil) },
      request: request, isWithAddresses: isWithAddresses)
    let report = try Replay.bundle(log.reader(), query, to: path, now: TestLog.now)
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    return (try LogReader.open(bundle: BytesFile(bytes), path: "made.bundle"), bytes, report)
  }

  /// The JSON without what it says of the whole log.
  private func told(_ ask: () throws -> any InquiryReport) -> String {
    do {
      let report = try ask()
      guard case .object(let members) = report.json else { return report.json.rendered }
      let rest = JSONTree.object(members.filter { $0.name != "log" })
      return "\(report.exitCode)\n\(rest.rendered)"
    } catch let fault as InquiryFault {
      return "\(fault.code)"
    } catch {
      return "\(error)"
    }
  }

  @Test(arguments: 0..<40 as Range<UInt64>)
  func `every verb says of a window in a bundle what it says of it in the log`(
    _ seed: UInt64
  ) throws {
    var random = SeededRandom(seed: 0xB0_0D1E + seed)
    let log = try SnapshotTests().randomLog(&random, steps: 60)
    try #require(log.last > 4)
    let whole = try log.reader()
    for _ in 0..<3 {
      let ends = [random.int(1...Int(log.last)), random.int(1...Int(log.last))].sorted()
      let (first, last) = (UInt64(ends[0]), UInt64(ends[1]))
      let reader = try bundle(log, first, last).reader
      let from = UInt64(random.int(Int(first)...Int(last)))
      let to = UInt64(random.int(Int(from)...Int(last)))
      let range = (Selector.position(from, epoch: nil), Selector.position(to, epoch: nil))
      func same(_ what: String, _ ask: (LogReader) throws -> any InquiryReport) {
        #expect(
          told { try ask(reader) } == told { try ask(whole) },
          "seed \(seed), bundle \(first)…\(last), \(what) \(from)…\(to)")
      }
      let now = TestLog.now
      same("window") { log in
        try Replay.window(
          log, WindowQuery(from: range.0, to: range.1, isDetailed: true), now: now)
      }
      same("drift") { try Replay.drift($0, from: range.0, to: range.1, now: now) }
      same("what-if") { log in
        var report = try Replay.whatIf(
          log, [Supposition.remove("alias/fast")], from: range.0, to: range.1, now: now)
        // What lies outside the bundle's window only the log knows.
        report.outside = []
        return report
      }
      // Of what was first configured behind the window only the log knows.
      func isKnown(_ stream: String) throws -> Bool {
        try whole.events(ofStream: stream, from: Revision(1)).first.map {
          $0.position.rawValue <= last
        } ?? true
      }
      for (stream, predicate) in [
        ("alias/fast", "alias/fast exists"), ("account/a1", "account/a1 is cooling"),
        ("settings", "errors > 5% over 5m of 1"),
      ] where try isKnown(stream) {
        // Requests that ended before the bundle are not in it, and it says so.
        let bisected = try? Replay.bisect(reader, predicate, from: range.0, to: range.1, now: now)
        if let bisected, bisected.isCut {
          #expect(bisected.exitCode == .notReproducible)
          continue
        }
        same(predicate) { try Replay.bisect($0, predicate, from: range.0, to: range.1, now: now) }
      }
      for stream in ["alias/fast", "account/a1", "health/a1", "settings", "nothing/x"]
      where try isKnown(stream) {
        same("blame \(stream)") { try Replay.blame($0, stream, at: range.1, now: now) }
        if last == log.last { same(stream) { try Replay.history($0, of: stream, limit: 20) } }
      }
      for part in StateReport.Part.allCases where part != .usage || first == 1 {
        same("state of \(part)") { try Replay.state($0, at: range.1, part: part, now: now) }
      }
      let usage = try Replay.state(reader, at: range.1, part: .usage, now: now)
      #expect(first == 1 || usage.usage == nil && usage.exitCode != .same)
      same("difference") { try Replay.difference($0, from: range.0, to: range.1, now: now) }
      for number in from...to {
        // What a request did behind the window only the log knows.
        let event = try #require(try whole.event(at: Position(number)))
        let positions = try event.lookupKeys.flatMap { try whole.positions(forKey: $0) }
        guard positions.allSatisfy({ $0.rawValue <= last }) else { continue }
        same("show \(number)") { try Replay.show($0, String(number)) }
        same("explain \(number)") { try Replay.explain($0, String(number)) }
      }
      let verdicts = try [reader, whole].map {
        try Replay.verify($0, from: range.0, to: range.1, now: now)
      }
      let (one, other) = (verdicts[0], verdicts[1])
      #expect(one.integrity.chain == other.integrity.chain)
      #expect(one.integrity.events == other.integrity.events)
      #expect(one.integrity.gaps.isEmpty && one.integrity.revisionFaults.isEmpty)
      #expect(one.completeness == other.completeness)
      #expect(
        [one.remade, one.differing, one.notReproducible, one.unreadableCount, one.unknownKinds]
          == [
            other.remade, other.differing, other.notReproducible, other.unreadableCount,
            other.unknownKinds,
          ], "seed \(seed), bundle \(first)…\(last), verify \(from)…\(to)")
      #expect(one.differences == other.differences && one.reasons == other.reasons)
    }
  }

  @Test func `the same window gives the same bytes, and a bundle of a bundle is one`() throws {
    let log = try TestLog.story()
    let one = try bundle(log, 9, 15)
    #expect(try bundle(log, 9, 15).bytes == one.bytes)
    let path = log.directory + "/again.bundle"
    let query = try BundleQuery(
      from: .position(10, epoch: nil), to: .position(15, epoch: nil), isWithAddresses: true)
    let again = try Replay.bundle(one.reader, query, to: path, now: TestLog.now)
    let made = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    #expect(try bundle(log, 10, 15).bytes == made)
    #expect(again.facts.isHistoryWhole && again.facts.events == 6)
  }

  @Test func `what is not in the window is said to be unknown, not to be absent`() throws {
    let log = try TestLog.story()
    let reader = try bundle(log, 12, 15).reader
    // A request before the window, which nothing in it goes back to.
    let absent = try #require(
      (1..<11 as Range<UInt64>).first { try reader.event(at: Position($0)) == nil })
    func code(_ ask: () throws -> any InquiryReport) -> InquiryFault.Code? {
      do {
        _ = try ask()
        return nil
      } catch {
        return (error as? InquiryFault)?.code
      }
    }
    let selector = Selector.position(absent, epoch: nil)
    #expect(code { try Replay.state(reader, at: selector, now: TestLog.now) } == .notCovered)
    #expect(code { try Replay.show(reader, String(absent)) } == .notCovered)
    #expect(code { try Replay.explain(reader, String(absent)) } == .notCovered)
    #expect(
      code { try Replay.difference(reader, from: selector, to: .ago(0), now: TestLog.now) }
        == .notCovered)
    // Ranges begin and end with the window.
    let report = try Replay.window(
      reader, WindowQuery(from: .position(1, epoch: nil)), now: TestLog.now)
    #expect(report.first == Position(12) && report.last == Position(15))
    #expect(report.eventsInRange == 4)
  }

  @Test func `addresses are out of it unless they are asked for, and the chain holds`() throws {
    let log = try TestLog.story()
    func holds(_ reader: LogReader, _ text: String) throws -> Bool {
      var isThere = false
      try reader.scan(from: Position(1), through: nil) { entry in
        guard case .event(let event) = entry else { return .continue }
        #expect(event.sealed.isEmpty)
        if String(decoding: event.payload, as: UTF8.self).contains(text) { isThere = true }
        return .continue
      }
      return isThere
    }
    let open = try bundle(log)
    #expect(try holds(open.reader, "127.0.0.1:50123") && holds(open.reader, "127.0.0.9"))
    #expect(open.report.facts.altered == 0)
    let closed = try bundle(log, isWithAddresses: false)
    #expect(try !holds(closed.reader, "127.0.0.1:50123"))
    #expect(try !holds(closed.reader, "127.0.0.9"))
    // A provider's address is configuration.
    #expect(try holds(closed.reader, "http://127.0.0.1:9001/v1"))
    #expect(closed.report.facts.altered > 0)
    let verdict = try Replay.verify(closed.reader, now: TestLog.now)
    let own = try Replay.verify(log.reader(), now: TestLog.now)
    #expect(verdict.isWhole && verdict.integrity.chain == own.integrity.chain)
    #expect(verdict.remade == own.remade && verdict.differing == 0)
  }

  @Test func `a checkpoint in the window vouches for it, though what came before is not there`()
    throws
  {
    let log = try TestLog.story()
    let key = Curve25519.Signing.PrivateKey()
    try log.checkpoint(key)
    let made = try bundle(log, 12, log.last)
    let own = key.publicKey.rawRepresentation.map { String(format: "%02x", $0) }.joined()
    #expect(made.report.signed?.key == own)
    let verdict = try Replay.verify(made.reader, now: TestLog.now)
    #expect(verdict.anchoring.signers.first?.reach?.last == log.last - 1)
    #expect(verdict.anchoring.faults.isEmpty)
    // Of a proof it lacks the leaves before.
    #expect(throws: InquiryFault.self) { try Replay.prove(made.reader, "13") }
    let all = try bundle(log)
    #expect(try Replay.prove(all.reader, "13") == Replay.prove(log.reader(), "13"))
  }

  @Test func `nothing is overwritten, and nothing is left of what failed`() throws {
    let log = try TestLog.story()
    let path = log.directory + "/there"
    try Data("mine".utf8).write(to: URL(fileURLWithPath: path))
    #expect(throws: InquiryFault.self) {
      try Replay.bundle(log.reader(), try BundleQuery(), to: path, now: TestLog.now)
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data("mine".utf8))
    #expect(throws: InquiryFault.self) {
      try Replay.bundle(
        log.reader(), try BundleQuery(from: .position(99, epoch: nil)), to: log.directory + "/none",
        now: TestLog.now)
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: log.directory)
    #expect(!names.contains { $0.hasSuffix(".tmp") || $0 == "none" })
  }

  /// A busy life with one edit that undid another, and who reads of it.
  private func busy(_ requests: UInt64) throws -> TestLog {
    let log = try TestLog.story()
    let other = Provenance(actor: "key:night", source: .api)
    func set(_ target: String, _ who: Provenance) throws {
      try log.run([.alias(.set(name: "fast", target: target, allowUnresolved: false))], who)
    }
    for number in 100..<100 + requests {
      try log.append(.request(.finished(log.finished(number, "mock/gpt-4o-mini", [.ok]))))
      if number == 120 { try set("mock/gpt-4o-mini", other) }
      if number == 150 { try set("mock/big", TestLog.admin) }
      if number % 40 == 0 {
        try log.run([.settings(.change(.init(maxBodyBytes: 1 << 20 + number)))])
      }
    }
    return log
  }

  @Test(
    arguments: [
      "drift alias/fast", "drift alias/fast.model",
      "explain \(uuidText(TestLog.request(180).rawValue))",
      "bisect alias/fast.model = mock/gpt-4o-mini",
    ])
  func `a minimised bundle shows the finding with a fiftieth of its window`(
    _ finding: String
  ) throws {
    let log = try busy(700)
    let (first, whole) = (UInt64(30), log.last)
    let path = log.directory + "/least.bundle"
    func make(_ path: String) throws -> [UInt8] {
      let query = try BundleQuery(from: .position(first, epoch: nil), keeping: finding)
      _ = try Replay.bundle(log.reader(), query, to: path, now: TestLog.now)
      return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    }
    let bytes = try make(path)
    #expect(try make(path + "2") == bytes)
    let least = try LogReader.open(bundle: BytesFile(bytes), path: "least")
    let facts = try #require(least.bundle)
    #expect(facts.isMinimised && facts.note.hasPrefix(finding))
    let kept = facts.events + facts.earlier
    #expect(kept * 50 <= whole - first + 1, "\(kept) of \(whole - first + 1)")
    let reader = try log.reader()
    func same(_ ask: (LogReader, Selector?) throws -> any InquiryReport) throws {
      let from = Selector.position(first, epoch: nil)
      let (one, other) = (try ask(least, nil), try ask(reader, from))
      #expect(one.exitCode == other.exitCode)
      if let one = one as? DriftReport, let other = other as? DriftReport {
        #expect(one.findings == other.findings && !one.findings.isEmpty)
      } else if let one = one as? BisectReport, let other = other as? BisectReport {
        #expect(one.turns.first == other.turns.first && !one.turns.isEmpty)
      } else {
        #expect(one.text == other.text)
      }
    }
    let rest = String(finding.drop { $0 != " " }.dropFirst())
    switch finding.prefix(5) {
    case "drift":
      try same { try Replay.drift($0, from: $1, stream: "alias/fast", now: TestLog.now) }
    case "expla": try same { log, _ in try Replay.explain(log, rest) }
    default: try same { try Replay.bisect($0, rest, from: $1, now: TestLog.now) }
    }
    #expect(try Replay.verify(least, now: TestLog.now).isWhole)
  }

  @Test func `leaves stand for what a minimised bundle leaves out of its window`() throws {
    let log = try TestLog.story()
    for number in UInt64(0)..<60 {
      let isGood = number < 30 || number % 2 == 0
      try log.append(
        .request(
          .finished(
            log.finished(
              500 + number, "mock/gpt-4o", [isGood ? .ok : .refused], status: isGood ? 200 : 502,
              ending: isGood ? .completed : .failed))))
    }
    let text = "bisect errors(model=mock/gpt-4o) > 20% over 1m of 10"
    let query = try BundleQuery(keeping: text)
    let path = log.directory + "/rate.bundle"
    let made = try Replay.bundle(log.reader(), query, to: path, now: TestLog.now)
    let least = try LogReader.open(bundle: path)
    #expect(made.facts.withheld > 0)
    let predicate = String(text.dropFirst("bisect ".count))
    let truth = try Replay.bisect(log.reader(), predicate, now: TestLog.now)
    let found = try Replay.bisect(least, predicate, now: TestLog.now)
    #expect(found.turns.first?.place == truth.turns.first?.place && !found.turns.isEmpty)
    let verdict = try Replay.verify(least, now: TestLog.now)
    #expect(verdict.isWhole && verdict.integrity.chain == made.facts.chain)
    #expect(throws: InquiryFault.self) {
      try Replay.bundle(
        log.reader(), BundleQuery(keeping: "drift alias/nothing"), to: path + "2", now: TestLog.now)
    }
    #expect(throws: InquiryFault.self) { try BundleQuery(keeping: "window") }
  }

  /// Requests of all fates, edits, cooldowns and renamings; the clock is set back now and then.
  private func restless(_ random: inout SeededRandom) throws -> TestLog {
    let log = try TestLog()
    try TestLog.provision(log)
    let p1 = AccountID("p1")
    for number in UInt64(1)...260 {
      if random.oneIn(4) { log.wait(seconds: Int64(random.int(1...20))) }
      if random.oneIn(60) { log.wait(seconds: -Int64(random.int(1...90))) }
      switch random.int(0...19) {
      case 0:
        try log.run([
          .alias(.set(name: "fast", target: "p/\(random.int(1...3))", allowUnresolved: true))
        ])
      case 1: _ = try? log.run([.alias(.remove(name: "fast"))])
      case 2: _ = try? log.run([.account(random.oneIn(2) ? .disable(p1) : .enable(p1))])
      case 3: try log.run([.account(.change(.init(id: p1, name: "n\(number)")))])
      case 4:
        let until = UnixNanoseconds(log.time + Int64(random.int(2...60)) * 1_000_000_000)
        try log.append(
          .health(
            .cooldownStarted(
              .init(
                account: p1, scope: .account, rule: "rate_limited", until: until, status: 429,
                errorCode: nil))))
      case 5:
        try log.append(
          .health(.cooldownEnded(.init(account: p1, scope: nil, reason: .byOperator))))
      case 6, 7:
        try log.append(
          .request(
            .finished(
              log.finished(
                number, "m", [], status: 404, ending: .denied, errorCode: "model_not_found",
                errorClass: .client, usage: .notReported, milliseconds: 1))))
      default:
        let isBad = random.oneIn(number / 60 % 2 == 0 ? 12 : 2)
        let result: TestLog.Result = isBad ? .refused : .ok
        let fact =
          try
          (try? log.finished(
            number, "m", [result], status: isBad ? 502 : 200, ending: isBad ? .failed : .completed,
            errorClass: isBad ? .network : nil, milliseconds: UInt64(random.int(5...900))))
          ?? log.finished(
            number, "m", [], status: 503, ending: .failed, errorCode: "no_account_available",
            errorClass: .gateway, usage: .notReported)
        try log.append(.request(.finished(fact)))
      }
    }
    return log
  }

  @Test(arguments: 0..<12 as Range<UInt64>)
  func `what a window shows of a predicate, its minimised bundle shows`(_ seed: UInt64) throws {
    var random = SeededRandom(seed: 0x0B15_EC7 + seed)
    let log = try restless(&random)
    let whole = try log.reader()
    var found = 0
    for predicate in [
      "alias/fast exists", "alias/fast.model = p/2", "alias/fast.model != p/1",
      "account/p1.isActive = false", "account/p1 is cooling", "errors > 0% over 2m of 1",
      "errors > 20% over 1m of 8", "errors(model=m) > 40% over 90s of 3",
      "errors > 98% over 20s of 2", "p90 > 600ms over 1m of 5",
      "p50(provider=p) > 400ms over 2m of 10",
    ] {
      let from = Selector.position(UInt64(random.int(1...Int(log.last))), epoch: nil)
      let truth = try Replay.bisect(whole, predicate, from: from, now: TestLog.now)
      guard let turn = truth.turns.first(where: \.isTrue), turn.position != nil else { continue }
      found += 1
      let path = log.directory + "/\(found).bundle"
      let made = try Replay.bundle(
        whole, BundleQuery(from: from, keeping: "bisect \(predicate)"), to: path, now: TestLog.now)
      let least = try LogReader.open(bundle: path)
      let shown = try Replay.bisect(least, predicate, now: TestLog.now)
      #expect(shown.exitCode == .differs, "seed \(seed), \(predicate)")
      let first = shown.turns.first(where: \.isTrue)
      #expect(first?.place == turn.place, "seed \(seed), \(predicate)")
      #expect(first?.time == turn.time, "seed \(seed), \(predicate)")
      #expect(made.facts.isMinimised && made.facts.events + made.facts.earlier < 40)
      #expect(try Replay.verify(least, now: TestLog.now).isWhole)
    }
    #expect(found >= 4, "seed \(seed)")
  }

  /// Failures at the beginning of the time looked at are few of many in the log, and most of what a cut leaves.
  @Test func `a rate that turned after a long good time is shown with a fiftieth of it`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    for number in UInt64(1)...3_000 {
      let isBad = number > 2_600 ? number % 3 == 0 : number % 20 < 3
      try log.append(
        .request(
          .finished(
            log.finished(
              number, "m", [isBad ? .refused : .ok], status: isBad ? 502 : 200,
              ending: isBad ? .failed : .completed, errorClass: isBad ? .network : nil))))
    }
    let predicate = "errors(model=m) > 20% over 5m of 20"
    let truth = try Replay.bisect(log.reader(), predicate, now: TestLog.now)
    let turn = try #require(truth.turns.first { $0.isTrue })
    let path = log.directory + "/least.bundle"
    let made = try Replay.bundle(
      log.reader(), BundleQuery(keeping: "bisect \(predicate)"), to: path, now: TestLog.now)
    #expect((made.facts.events + made.facts.earlier) * 50 <= log.last, "\(made.facts)")
    let shown = try Replay.bisect(
      LogReader.open(bundle: path), predicate, now: TestLog.now)
    let first = shown.turns.first { $0.isTrue }
    #expect(shown.exitCode == .differs && first?.place == turn.place)
  }

  /// What BundleFuzz found: who makes a bundle up may number events of a stream as they like.
  @Test func `a bundle that tells a revision twice is asked like any other`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    for target in ["p/m", "p/x", "p/y"] {
      try log.run([.alias(.set(name: "fast", target: target, allowUnresolved: true))])
    }
    var plan = BundlePlan(
      window: Position(1)...Position(log.last), earlier: [], isHistoryWhole: true)
    let (last, isTwice) = (Position(log.last), UInt8(2))
    plan.alter = { (event, record) throws(StoreError) in
      guard event.position == last else { return nil }
      // Behind flags, id and the stream's name with its length.
      let place = 1 + 16 + 1 + event.stream.utf8.count
      var bytes = record.bytes
      bytes[place] = isTwice
      return bytes
    }
    let path = log.directory + "/twice.bundle"
    _ = try log.reader().writeBundle(plan, to: path)
    let reader = try LogReader.open(bundle: path)
    #expect(try reader.event(at: last)?.revision == Revision(2))
    let now = TestLog.now
    let blame = try Replay.blame(reader, "alias/fast", now: now)
    #expect(blame.revision == 2 && blame.unreadable == 0)
    #expect(blame.rows.first { $0.field == "model" }?.value == .text("p/y"))
    #expect(try Replay.history(reader, of: "alias/fast", limit: 9).text.contains("p/y"))
    for ask in [
      { _ = try Replay.drift(reader, now: now).text },
      { _ = try Replay.state(reader, at: nil, now: now).text },
      { _ = try Replay.bisect(reader, "alias/fast.model = p/y", now: now).text },
      { _ = try Replay.verify(reader, now: now).text },
      { _ = try Replay.window(reader, WindowQuery(), now: now).text },
    ] {
      // An answer or a refusal, and no trap.
      do { try ask() } catch is InquiryFault {}
    }
  }

  @Test func `a bundle that an earlier build made is read as it was`() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Fixtures/bundles/v1.bundle")
    if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1",
      !FileManager.default.fileExists(atPath: file.path)
    {
      // Made once: what is kept as evidence is never made anew.
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      let log = try TestLog.story()
      try log.checkpoint(Curve25519.Signing.PrivateKey())
      let made = try bundle(log, 12, isWithAddresses: false)
      try Data(made.bytes).write(to: file)
    }
    let reader = try LogReader.open(bundle: file.path)
    let said = [
      try Replay.inspect(reader, path: "v1.bundle").text,
      try Replay.window(reader, WindowQuery(), now: TestLog.now).text,
      try Replay.state(reader, at: nil, now: TestLog.now).text,
      try Replay.drift(reader, now: TestLog.now).text,
    ]
    try expectGolden(said.joined(separator: "\n"), "bundle-v1.txt")
    #expect(try Replay.verify(reader, now: TestLog.now).exitCode == .same)
  }

  @Test func `10,000 changed bundles are refused or say the same, and none does harm`() throws {
    let log = try TestLog.story()
    let made = try bundle(log, 9, 17)
    let truth = try Replay.window(made.reader, WindowQuery(), now: TestLog.now).json.rendered
    var random = SeededRandom(seed: 0xF1A9)
    var (refused, opened) = (0, 0)
    for round in 0..<10_000 {
      var bytes = made.bytes
      switch random.int(0...5) {
      case 0: bytes.removeLast(random.int(1...bytes.count))
      case 1: bytes += random.bytes(random.int(1...64))
      case 2:
        let at = random.int(0...bytes.count - 1)
        bytes.removeSubrange(at..<min(bytes.count, at + random.int(1...40)))
      case 3:
        let (at, from) = (random.int(0...bytes.count - 9), random.int(0...bytes.count - 9))
        bytes.replaceSubrange(at..<at + 8, with: Array(bytes[from..<from + 8]))
      case _:
        for _ in 0..<random.int(1...3) {
          bytes[random.int(0...bytes.count - 1)] = UInt8(random.int(0...255))
        }
      }
      // Mostly with digests and checksums that fit, so that more than they is put to the test.
      let isMended = !random.oneIn(4)
      if isMended { BundleMending.mend(&bytes) }
      do {
        let reader = try LogReader.open(bundle: BytesFile(bytes), path: "changed")
        let report = try Replay.window(reader, WindowQuery(), now: TestLog.now).json.rendered
        _ = try Replay.verify(reader, now: TestLog.now)
        #expect(isMended || report == truth, "round \(round)")
        opened += 1
      } catch is StoreError {
        refused += 1
      } catch is InquiryFault {
        opened += 1
      }
    }
    #expect(refused > 5_000 && opened > 0, "\(refused) refused, \(opened) opened")
  }
}

/// A file in memory.
final class BytesFile: DiskFile {
  private let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  func read(into room: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int {
    guard offset < UInt64(bytes.count) else { return 0 }
    let count = min(room.count, bytes.count - Int(offset))
    room.copyBytes(from: bytes[Int(offset)..<Int(offset) + count])
    return count
  }
  private var refused: StoreError { StoreError(.io, "read only") }
  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int {
    throw refused
  }
  func isNow(at path: String) {}
  func sync() throws(StoreError) { throw refused }
  func truncate(to size: UInt64) throws(StoreError) { throw refused }
  func allocate(_ size: UInt64) throws(StoreError) { throw refused }
  func size() throws(StoreError) -> UInt64 { UInt64(bytes.count) }
  func forgetCache() {}
  func close() {}
}

/// Makes the digests and checksums of a changed bundle fit what it holds, as a forger would.
enum BundleMending {
  private static func u32(_ bytes: [UInt8], _ at: Int) -> Int {
    (0..<4).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
  }
  private static func u64(_ bytes: [UInt8], _ at: Int) -> UInt64 {
    (0..<8).reduce(0) { $0 | UInt64(bytes[at + $1]) << (8 * UInt64($1)) }
  }
  private static func put(_ value: UInt32, _ bytes: inout [UInt8], _ at: Int) {
    for index in 0..<4 { bytes[at + index] = UInt8(truncatingIfNeeded: value >> (8 * index)) }
  }

  private static func crc32c(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var crc: UInt32 = ~0
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
    }
    return ~crc
  }

  static func mend(_ bytes: inout [UInt8]) {
    guard bytes.count > 248 else { return }
    let header = u32(bytes, 12)
    guard header >= 280, header <= bytes.count else { return }
    let lengths = [u64(bytes, 160), u64(bytes, 200)]
    var at = header
    for (part, place) in zip(lengths, [168, 208]) {
      guard part <= UInt64(bytes.count - at) else { return }
      let end = at + Int(part)
      mendSegment(&bytes, at, end)
      // One piece only: these bundles are small.
      let digest = SHA256.hash(data: [UInt8](SHA256.hash(data: bytes[at..<end])))
      if part > 0 { bytes.replaceSubrange(place..<place + 32, with: Array(digest)) }
      at = end
    }
    let digest = SHA256.hash(data: bytes[..<(header - 32)])
    bytes.replaceSubrange((header - 32)..<header, with: Array(digest))
  }

  private static func mendSegment(_ bytes: inout [UInt8], _ start: Int, _ end: Int) {
    guard end - start > 112 else { return }
    let length = u32(bytes, start + 12)
    guard length >= 112, length <= end - start else { return }
    put(crc32c(bytes[start..<start + length - 4]), &bytes, start + length - 4)
    var at = start + length
    let store = Array(bytes[start + 16..<start + 32])
    while at + 104 <= end {
      let stored = u32(bytes, at + 32)
      guard stored <= end - at - 104 else { return }
      put(crc32c(bytes[at + 104..<at + 104 + stored]), &bytes, at + 36)
      put(crc32c(store + bytes[at..<at + 100]), &bytes, at + 100)
      at += 104 + (stored + 7) & ~7
    }
  }
}
