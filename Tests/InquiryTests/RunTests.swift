import Domain
import EventStore
import Inquiry
import Support
import Testing

@Suite struct RunTests {
  private func decisions(_ log: TestLog) throws -> [String] {
    var lines: [String] = []
    let code = try Replay.decisions(log.reader(), from: nil, to: nil, now: TestLog.now) { text in
      lines.append(text)
    }
    #expect(code == .same)
    return lines
  }

  private func run(_ log: TestLog, _ lines: [String], exit: Int32? = nil) throws -> RunReport {
    let reader = try log.reader()
    var rest = lines[...]
    return try Replay.run(
      reader, Position(1)...reader.last, against: "other",
      next: { rest.popFirst().map { $0.hasSuffix("\n") ? String($0.dropLast()) : $0 } },
      exit: { exit })
  }

  private func changed(_ line: String, _ from: String, _ to: String) -> String {
    line.replacing(from, with: to)
  }

  @Test func `a build that decides alike differs in nothing`() throws {
    let log = try TestLog.story()
    let lines = try decisions(log)
    #expect(lines == (try decisions(log)))
    // Six calls, and one request that no account was asked for; a head and an end.
    #expect(lines.count == 9)
    let report = try run(log, lines)
    #expect(report.compared == 7 && report.differing == 0 && report.exitCode == .same)
  }

  @Test func `damage that only the other build finds is damage, and another end is none`() throws {
    let log = try TestLog.story()
    let lines = try decisions(log)
    #expect(try run(log, lines, exit: 0).exitCode == .same)
    let report = try run(log, lines, exit: 3)
    #expect(report.exitCode == .damaged && report.differing == 0 && report.isOtherDamaged)
    #expect(report.text.contains("the other build says that the window is damaged"))
    #expect(report.json.rendered.contains("\"isOtherDamaged\": true"))
    for code in [1, 2, 139] as [Int32] {
      let fault = try #require(throws: InquiryFault.self) { try run(log, lines, exit: code) }
      #expect(fault.message.contains("ended with \(code)"))
    }
  }

  @Test func `what differs, is missing or is too much is found and counted`() throws {
    let log = try TestLog.story()
    var lines = try decisions(log)
    // The end tells how many there are.
    let gone = lines.remove(at: 3)
    lines[lines.count - 1] = changed(lines[lines.count - 1], "7", "6")
    lines[1] = changed(lines[1], "mock-a1 ", "mock-a9 ")
    let report = try run(log, lines)
    #expect(report.compared == 6 && report.differing == 2 && report.requests == 2)
    #expect(report.exitCode == .differs)
    #expect(report.differences[0].there?.hasPrefix("mock-a9 ") == true)
    #expect(report.differences[0].here?.hasPrefix("mock-a1 ") == true)
    #expect(report.differences[1].there == nil && !gone.isEmpty)
    #expect(report.groups.map(\.count) == [1, 1])
    let golden = try report.golden(log)
    try expectGolden(golden.text, "run.txt")
    try expectGolden(golden.json, "run.json")
  }

  @Test func `any set of changed lines is found, each once`() throws {
    let seed = UInt64.random(in: 0..<(1 << 32))
    print("seed \(seed)")
    var random = SeededRandom(seed: seed)
    let log = try TestLog()
    try TestLog.provision(log)
    for number in UInt64(1)...60 {
      try log.append(.request(.finished(log.finished(number, "m", [.ok]))))
    }
    for _ in 0..<20 {
      var lines = try decisions(log)
      var wanted: Set<String> = []
      for index in 1...60 where random.oneIn(7) {
        lines[index] = changed(lines[index], "\"outcome\": \"p1 ", "\"outcome\": \"p2 ")
        wanted.insert(uuidText(TestLog.request(UInt64(index)).rawValue))
      }
      let report = try run(log, lines)
      #expect(report.differing == UInt64(wanted.count) && report.compared == 60)
      #expect(wanted.isSuperset(of: report.differences.map(\.request)))
      #expect(report.differences.count == min(10, wanted.count))
    }
  }

  @Test func `an answer that is none, of something else, or not whole is refused`() throws {
    let log = try TestLog.story()
    let lines = try decisions(log)
    let broken: [[String]] = [
      [], ["hello"], Array(lines.dropFirst()), Array(lines.dropLast()), lines + ["{}"],
      Array(lines.prefix(4)) + Array(lines.suffix(1)),
      [changed(lines[0], "\"version\": 1", "\"version\": 2")],
      [lines[0].replacing("\"last\": ", with: "\"last\": 9")] + lines.dropFirst(),
      [lines[0], lines[2], lines[1]] + lines.dropFirst(3), [lines[0], "{\"at\": -1}"],
    ]
    for (index, answer) in broken.enumerated() {
      let fault = try #require(throws: InquiryFault.self, "\(index)") { try run(log, answer) }
      #expect(fault.code == .usage && fault.message.hasPrefix("other "), "\(index): \(fault)")
    }
  }
}
