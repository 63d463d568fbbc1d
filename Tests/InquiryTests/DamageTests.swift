import Domain
import EventStore
import Foundation
import Inquiry
import Testing

@Suite struct DamageTests {
  /// The story, closed, with one byte of its log turned over at a share of its length.
  private func damaged(at share: Double) throws -> TestLog {
    let log = try TestLog.story()
    try log.close()
    let segment = try #require(try log.reader().segments.first)
    var bytes = try Data(contentsOf: URL(fileURLWithPath: segment.path))
    bytes[Int(Double(segment.bytes) * share)] ^= 0x10
    try bytes.write(to: URL(fileURLWithPath: segment.path))
    return log
  }

  @Test(arguments: [0.2, 0.4, 0.6, 0.8])
  func `a damaged block is printed where it lies, the rest is shown, and the code is 3`(
    _ share: Double
  ) throws {
    let log = try damaged(at: share)
    let reader = try log.reader()
    let window = try Replay.window(reader, WindowQuery(), now: TestLog.now)
    #expect(window.exitCode == .damaged)
    #expect(window.gaps.count == 1)
    #expect(window.text.contains("\n!! damaged: position "))
    #expect(window.eventsInRange > 0 && window.eventsInRange < log.last)
    #expect(window.timeline.last?.what.hasPrefix("gateway stopped") == true)
    let verdict = try Replay.verify(reader, now: TestLog.now)
    #expect(!verdict.isWhole && verdict.exitCode == .damaged)
    #expect(try Replay.state(reader, at: nil, now: TestLog.now).exitCode == .damaged)
  }

  @Test func `damage behind the last readable event is part of a window that reaches the end`()
    throws
  {
    let log = try TestLog.story()
    try log.close()
    let segment = try #require(try log.reader().segments.first)
    var bytes = try Data(contentsOf: URL(fileURLWithPath: segment.path))
    bytes[Int(segment.bytes) - 16] ^= 0x10
    try bytes.write(to: URL(fileURLWithPath: segment.path))
    let reader = try log.reader()
    let end = reader.last
    #expect(end.rawValue == log.last - 1)
    for to in [nil, Selector.position(log.last, epoch: nil), .position(end.rawValue, epoch: nil)] {
      let window = try Replay.window(reader, WindowQuery(to: to), now: TestLog.now)
      #expect(window.exitCode == .damaged && window.gaps.map(\.first) == [Position(log.last)])
      #expect(window.timeline.last?.what.hasPrefix("damaged: position \(log.last)") == true)
      #expect(window.eventsInRange == end.rawValue)
      let state = try Replay.state(reader, at: to, now: TestLog.now)
      #expect(state.exitCode == .damaged && state.gaps == window.gaps)
    }
    let before = Selector.position(end.rawValue - 1, epoch: nil)
    let window = try Replay.window(reader, WindowQuery(to: before), now: TestLog.now)
    #expect(window.exitCode == .same && window.gaps.isEmpty)
    #expect(try Replay.state(reader, at: before, now: TestLog.now).gaps.isEmpty)
  }

  /// What each verb that reads a range says of it, as its exit code.
  private func codes(
    of reader: LogReader, in directory: String, to: Selector? = nil
  ) throws -> [String: ExitCode] {
    let now = TestLog.now
    let suppositions = [try Supposition.set("settings.maxAttempts=3")]
    let range = try Replay.range(reader, from: nil, to: to, now: now)
    let end = to ?? .position(reader.last.rawValue, epoch: nil)
    var verbs: [String: () throws -> ExitCode] = [
      "drift": { try Replay.drift(reader, to: to, now: now).exitCode },
      "bisect field": {
        try Replay.bisect(reader, "alias/fast.model = p/m", to: to, now: now).exitCode
      },
      "bisect rate": {
        try Replay.bisect(reader, "errors > 5% over 5m", to: to, now: now).exitCode
      },
      "what-if": { try Replay.whatIf(reader, suppositions, to: to, now: now).exitCode },
      "report": { try Replay.report(reader, ReportQuery(to: to), now: now).exitCode },
      "decisions": { try Replay.decisions(reader, from: nil, to: to, now: now) { _ in } },
      "state --diff": {
        try Replay.difference(reader, from: .position(1, epoch: nil), to: end, now: now).exitCode
      },
    ]
    if let range {
      verbs["plan"] = { try Replay.plan(reader, range) { _ in }.exitCode }
      verbs["bundle"] = {
        try Replay.bundle(
          reader, BundleQuery(to: to), to: "\(directory)/\(range.upperBound).bundle", now: now
        ).exitCode
      }
    }
    return try verbs.mapValues { verb in
      do { return try verb() } catch let fault as InquiryFault { return fault.exitCode }
    }
  }

  @Test func `every verb says that the log may have gone on where its end is damaged`() throws {
    let log = try TestLog.story()
    try log.close()
    let segment = try #require(try log.reader().segments.first)
    var bytes = try Data(contentsOf: URL(fileURLWithPath: segment.path))
    bytes[Int(segment.bytes) - 16] ^= 0x10
    try bytes.write(to: URL(fileURLWithPath: segment.path))
    let reader = try log.reader()
    for (verb, code) in try codes(of: reader, in: log.directory) {
      #expect(code == .damaged, "\(verb)")
    }
    // A range that ends before it is whole.
    let before = Selector.position(reader.last.rawValue - 1, epoch: nil)
    for (verb, code) in try codes(of: reader, in: log.directory, to: before) {
      #expect(code != .damaged, "\(verb)")
    }
    var tail = try LogTail(
      reader, filter: WindowFilter(), lines: 3, from: nil, now: TestLog.now, isDetailed: false)
    var items: [LogTail.Item] = []
    for _ in 1...2 {
      #expect(
        try tail.read {
          items.append($0)
          return true
        })
    }
    #expect(items.count == 4 && items.last?.isGap == true, "told once, behind what can be read")
  }

  @Test func `an edit that cannot be read in a sealed segment is missed by no bisect`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    for target in ["p/m", "p/new", "p/m"] {
      try log.run([.alias(.set(name: "fast", target: target, allowUnresolved: true))])
    }
    let (lost, end) = (log.last - 1, log.last)
    try damage(log, only: lost)
    let reader = try log.reader()
    let question = "alias/fast.model = p/m"
    #expect(try Replay.bisect(reader, question, now: TestLog.now).exitCode == .damaged)
    let before = Selector.position(lost - 1, epoch: nil)
    #expect(try Replay.bisect(reader, question, to: before, now: TestLog.now).exitCode == .differs)
    #expect(end == reader.last.rawValue)
  }

  @Test func `a check from or to a position that is not there does not pass`() throws {
    let log = try TestLog.story()
    try log.close()
    let reader = try log.reader()
    let beyond = Selector.position(log.last + 1, epoch: 1)
    for (from, to) in [(beyond, nil), (nil, beyond)] as [(Selector?, Selector?)] {
      let fault = try #require(throws: InquiryFault.self) {
        try Replay.verify(reader, from: from, to: to, now: TestLog.now)
      }
      #expect(fault.code == .notFound && fault.message.contains("\(log.last + 1)"))
    }
  }

  @Test func `a log of which nothing is readable is not called empty and well`() throws {
    let log = try TestLog.story()
    try log.close()
    let segment = try #require(try log.reader().segments.first)
    var bytes = try Data(contentsOf: URL(fileURLWithPath: segment.path))
    bytes[8] ^= 0x10
    try bytes.write(to: URL(fileURLWithPath: segment.path))
    let reader = try log.reader()
    let window = try Replay.window(reader, WindowQuery(), now: TestLog.now)
    #expect(window.exitCode == .damaged && window.text.contains("segment.header-crc"))
    #expect(!window.text.contains("empty"))
    for (verb, code) in try codes(of: reader, in: log.directory) {
      #expect(code == .damaged, "\(verb)")
    }
    let report = try Replay.report(reader, ReportQuery(), now: TestLog.now)
    #expect(!report.text.contains("empty") && report.text.contains("Nothing can be told"))
    #expect(try Replay.state(reader, at: nil, now: TestLog.now).exitCode == .damaged)
  }

  @Test func `a window that a damaged part does not touch ends with 0 and says what it misses`()
    throws
  {
    let log = try damaged(at: 0.2)
    let all = try Replay.window(log.reader(), WindowQuery(), now: TestLog.now)
    let end = try #require(all.gaps.first?.last)
    let after = end.rawValue + 1
    let report = try Replay.window(
      log.reader(), WindowQuery(from: .position(after, epoch: nil)), now: TestLog.now)
    #expect(report.exitCode == .same && report.gaps.isEmpty && report.gapsBefore == 1)
    #expect(report.text.contains("before the window"))
  }

  @Test func `a decision behind a damaged part is not called reproduced`() throws {
    let log = try damaged(at: 0.2)
    let report = try #require(
      try Replay.show(log.reader(), uuidText(TestLog.request(7).rawValue)) as? RequestReport)
    #expect(report.exitCode == .notReproducible)
  }

  @Test func `kinds of a later build are shown and counted, and hide no decision`() throws {
    let log = try TestLog.story()
    let window = try Replay.window(log.reader(), WindowQuery(), now: TestLog.now)
    #expect(
      window.timeline.contains {
        $0.what == "combo.set.v9: a kind this build does not know, 3 bytes in combo/smart"
      })
    let verdict = try Replay.verify(log.reader(), now: TestLog.now)
    #expect(verdict.unknownKinds == 1 && verdict.exitCode == .same)
    #expect(try Replay.state(log.reader(), at: nil, now: TestLog.now).exitCode == .notReproducible)
  }

  @Test func `a record whose bytes are not its kind's is shown, and the log is not called whole`()
    throws
  {
    let log = try TestLog()
    try log.append(kind: "alias.set.v1", stream: "alias/x", payload: [0xFF, 0xFF, 0xFF])
    let window = try Replay.window(log.reader(), WindowQuery(), now: TestLog.now)
    #expect(window.timeline.first?.what.hasPrefix("unreadable alias.set.v1: ") == true)
    #expect(window.timeline.count == 1)
    let verdict = try Replay.verify(log.reader(), now: TestLog.now)
    #expect(verdict.unreadableCount == 1 && verdict.exitCode == .damaged)
  }

  @Test func `no verb changes a byte or a name in the directory`() throws {
    let log = try TestLog.story()
    try log.close()
    func contents() throws -> [String: Data] {
      var out: [String: Data] = [:]
      let files = try #require(FileManager.default.enumerator(atPath: log.directory))
      for case let name as String in files {
        out[name] = FileManager.default.contents(atPath: "\(log.directory)/\(name)") ?? Data()
      }
      return out
    }
    let before = try contents()
    _ = try GoldenTests.reports(log.reader()).map { $0.report.text }
    #expect(try contents() == before)
    #expect(!before.isEmpty)
  }

  @Test func `a directory without a log is a fault that names it`() throws {
    let error = try #require(throws: StoreError.self) {
      try LogReader.open(directory: "/tmp/signalbox-no-such-log")
    }
    #expect(error.code == .notAStore)
  }

  /// The log, closed, with the byte turned over that makes exactly these positions unreadable.
  private func damage(_ log: TestLog, only position: UInt64) throws {
    try log.close()
    let segment = try #require(try log.reader().segments.first)
    let url = URL(fileURLWithPath: segment.path)
    let whole = try Data(contentsOf: url)
    for offset in stride(from: Int(segment.bytes) - 16, to: 0, by: -64) {
      var bytes = whole
      bytes[offset] ^= 0x10
      try bytes.write(to: url)
      let gaps = try log.reader().damage()
      if gaps.map(\.first) == [Position(position)], gaps[0].last == Position(position) { return }
    }
    Issue.record("no byte damages position \(position) alone")
  }

  private func alias(_ target: String) -> Command {
    .alias(.set(name: "fast", target: target, allowUnresolved: true))
  }

  @Test func `blame and history do not pass over an edit that may be hidden by damage`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    try log.run([alias("p/m")])
    let known = log.last
    try log.run([alias("p/new")])
    let lost = log.last
    try log.run([.alias(.set(name: "other", target: "p/m", allowUnresolved: false))])
    try damage(log, only: lost)
    let reader = try log.reader()
    let blame = try Replay.blame(reader, "alias/fast", now: TestLog.now)
    #expect(blame.exitCode == .damaged && blame.gaps.map(\.first) == [Position(lost)])
    #expect(blame.text.contains("\ngap       damaged: position \(lost)"))
    let history = try Replay.history(reader, of: "alias/fast", limit: 5)
    #expect(history.exitCode == .damaged && history.gaps == blame.gaps)
    // Up to before the damage nothing is hidden, and behind it nothing of this stream.
    for (stream, at) in [("alias/fast", known), ("alias/other", log.last)] {
      let blame = try Replay.blame(
        reader, stream, at: .position(at, epoch: nil), now: TestLog.now)
      #expect(blame.exitCode == .same && blame.gaps.isEmpty)
    }
    #expect(try Replay.history(reader, of: "alias/other", limit: 5).exitCode == .same)
    // Of a stream that has nothing readable nobody can say that it is not there.
    for question in [
      { _ = try Replay.blame(reader, "alias/nobody", now: TestLog.now) },
      { _ = try Replay.history(reader, of: "alias/nobody", limit: 5) },
    ] {
      let fault = try #require(throws: InquiryFault.self) { try question() }
      #expect(fault.code == .damaged, "\(fault)")
    }
  }

  @Test func `blame and history miss no edit in a sealed segment that nobody has looked at yet`()
    throws
  {
    let log = try TestLog()
    try log.close()
    var small = StoreOptions(seals: false)
    small.segmentEvents = 30
    try log.open(small)
    try TestLog.provision(log)
    for target in ["p/m", "p/new"] { try log.run([alias(target)]) }
    let lost = log.last
    for number in 0..<80 {
      try log.run([.settings(.change(.init(maxBodyBytes: 1 << 20 + UInt64(number))))])
    }
    try log.close()
    try log.seal(StoreOptions())
    let segments = try log.reader().segments
    let sealed = try #require(segments.first)
    try #require(segments.count > 1 && sealed.isSealed)
    let url = URL(fileURLWithPath: sealed.path)
    let whole = try Data(contentsOf: url)
    var found = 0
    for offset in stride(from: 112, to: Int(sealed.bytes), by: 61) {
      var bytes = whole
      bytes[offset] ^= 0x10
      try bytes.write(to: url)
      guard let reader = try? log.reader(),
        (try? reader.event(at: Position(lost))) ?? nil == nil
      else { continue }
      found += 1
      // A reader each, so that none knows what another one came upon.
      func code(_ ask: (LogReader) throws -> any InquiryReport) throws -> ExitCode {
        do { return try ask(log.reader()).exitCode } catch let fault as InquiryFault {
          return fault.exitCode
        }
      }
      #expect(
        try code { try Replay.blame($0, "alias/fast", now: TestLog.now) } == .damaged, "\(offset)")
      #expect(
        try code { try Replay.history($0, of: "alias/fast", limit: 5) } == .damaged, "\(offset)")
      if found == 5 { break }
    }
    #expect(found > 0)
  }

  @Test func `a bundle may begin directly behind a hole`() throws {
    let log = try TestLog.story()
    let hole: UInt64 = 12
    try damage(log, only: hole)
    let reader = try log.reader()
    func selector(_ position: UInt64) -> Selector { .position(position, epoch: nil) }
    let path = log.directory + "/behind.bundle"
    let made = try Replay.bundle(
      reader, BundleQuery(from: selector(hole + 1)), to: path, now: TestLog.now)
    #expect(made.facts.first == Position(hole + 1) && !made.facts.isHistoryWhole)
    let bundle = try LogReader.open(bundle: path)
    let verdict = try Replay.verify(bundle, now: TestLog.now)
    #expect(verdict.isWhole && verdict.integrity.chain == made.facts.chain)
    // The same chain as the log has.
    #expect(try reader.chainValue(at: Position(log.last)) == made.facts.chain)
    // In the hole, and over it, there is none.
    for first in [hole, hole - 1] {
      let fault = try #require(throws: InquiryFault.self) {
        try Replay.bundle(
          reader, BundleQuery(from: selector(first)), to: log.directory + "/over.bundle",
          now: TestLog.now)
      }
      #expect(fault.code == .damaged, "\(fault)")
    }
  }
}
