import Domain
import EventStore
import Support
import Testing

@testable import Inquiry

/// Intervals, jumps, a baseline and the top requests of `window`, against counting anew.
@Suite struct FigureTests {
  private static let second: Int64 = 1_000_000_000

  @Test func `percentiles of many times are within a bucket of the true ones`() {
    let seed = UInt64.random(in: 0..<(1 << 32))
    print("seed \(seed)")
    var random = SeededRandom(seed: seed)
    for most in [0, 1, 64, 10_000] {
      var figures = LatencyFigures(exactMax: most)
      var other = LatencyFigures(exactMax: 16)
      var values: [UInt64] = []
      for at in 0..<3_000 {
        let value = random.next() >> UInt64(random.int(0...63))
        values.append(value)
        if at.isMultiple(of: 2) { figures.record(value) } else { other.record(value) }
      }
      figures.add(other)
      values.sort()
      #expect(figures.count == 3_000)
      for percent in [1, 50, 95, 99, 100] {
        let truth = values[(3_000 * percent + 99) / 100 - 1]
        let told = figures.percentile(percent) ?? 0
        #expect(told >= truth && told - truth <= truth / 128, "\(percent) of \(most)")
      }
      let bound = values[1_500]
      let above = UInt64(values.count { $0 > bound })
      #expect(figures.count(above: bound) <= above)
      #expect(figures.count(above: bound) + 200 >= above)
    }
    #expect(LatencyFigures().percentile(50) == nil)
  }

  @Test func `two shares differ where the test of two proportions says z > 4`() {
    let seed = UInt64.random(in: 0..<(1 << 32))
    print("seed \(seed)")
    var random = SeededRandom(seed: seed)
    var (yes, no) = (0, 0)
    for _ in 0..<5_000 {
      let (n1, n2) = (random.int(1...400), random.int(1...400))
      let (f1, f2) = (
        random.int(0...n1) / random.int(1...9), random.int(0...n2) / random.int(1...9)
      )
      let (p1, p2) = (Double(f1) / Double(n1), Double(f2) / Double(n2))
      let pooled = Double(f1 + f2) / Double(n1 + n2)
      let variance = pooled * (1 - pooled) * (1 / Double(n1) + 1 / Double(n2))
      let z = variance > 0 ? abs(p1 - p2) / variance.squareRoot() : 0
      // On the bound itself the floating numbers may say either.
      guard abs(z - 4) > 1e-6, abs(abs(p1 - p2) - 0.01) > 1e-9 else { continue }
      let expected = z > 4 && abs(p1 - p2) > 0.01 && (p2 > p1 ? f2 : f1) >= 3
      let told = Share(part: UInt64(f2), whole: UInt64(n2)).differs(
        from: Share(part: UInt64(f1), whole: UInt64(n1)))
      #expect(told == expected, "\(f1) of \(n1), \(f2) of \(n2)")
      if told { yes += 1 } else { no += 1 }
    }
    #expect(yes > 100 && no > 100)
    let most = Share(part: .max, whole: .max)
    #expect(most.differs(from: Share(part: 0, whole: .max)))
    #expect(!most.differs(from: most) && most.percent == "100.0 %")
    #expect(Share(part: 1, whole: 1_000_000).percent == "0.1 %")
    #expect(Share(part: 999_999, whole: 1_000_000).percent == "99.9 %")
  }

  private func query(
    interval: Int64? = nil, baseline: Int64? = nil, top: Int = 0, from: String? = nil,
    to: String? = nil, filter: WindowFilter = WindowFilter()
  ) throws -> WindowQuery {
    var query = WindowQuery(
      from: try from.map { try Selector($0) }, to: try to.map { try Selector($0) }, filter: filter)
    (query.interval, query.baseline, query.top) = (interval, baseline, top)
    return query
  }

  @Test func `intervals, jumps, baseline and top requests of an incident`() throws {
    let log = try TestLog.incident()
    let reader = try log.reader()
    let report = try Replay.window(
      reader,
      query(
        interval: 300 * Self.second, baseline: 86_400 * Self.second, top: 3,
        from: "2026-11-20T21:20:00Z"), now: TestLog.now)
    var ends: [(time: Int64, it: RequestEvent.Finished)] = []
    try reader.scan(from: Position(1), through: nil) { entry in
      if case .event(let stored) = entry, stored.kind.hasPrefix("request.finished"),
        case .request(.finished(let it)) = Entry(stored).event
      {
        ends.append((stored.time, it))
      }
      return .continue
    }
    let begin = try #require(parseRFC3339("2026-11-20T21:20:00Z")).rawValue
    for interval in try #require(report.series).intervals {
      let own = ends.filter {
        $0.time >= max(begin, interval.start.rawValue)
          && $0.time < interval.start.rawValue + 300 * Self.second
      }
      #expect(interval.figures.requests == UInt64(own.count))
      #expect(interval.figures.failed == UInt64(own.count { $0.it.verdict == .failed }))
      #expect(
        interval.figures.retries == UInt64(own.reduce(0) { $0 + max(0, $1.it.attempts.count - 1) }))
    }
    let before = ends.filter { $0.time < begin }
    #expect(report.baseline?.whole.requests == UInt64(before.count))
    #expect(report.baseline?.sameTime?.requests == 0)
    let slow = ends.filter { $0.time >= begin && !$0.it.attempts.isEmpty }
      .map(\.it.totalMicroseconds).sorted(by: >)
    #expect(report.top?.slow.map(\.totalMicroseconds) == Array(slow.prefix(3)))
    #expect(report.top?.failing.reduce(0) { $0 + $1.count } ?? 0 > 100)
    // At the interval in which the file's edit lies, and at that of the repair.
    let jumps = report.changes.filter { $0.figure == .failed }
    #expect(jumps.first?.isRise == true && jumps.last?.isRise == false)
    #expect(jumps.first.map { rfc3339($0.start) } == "2026-11-20T21:40:00.000Z")
    #expect(!report.timeline.contains { $0.what.hasPrefix("request") })
    #expect(report.timeline.contains { $0.what.hasPrefix("cooldown") })
    let golden = try report.golden(log)
    try expectGolden(golden.text, "window-intervals.txt")
    try expectGolden(golden.json, "window-intervals.json")
  }

  @Test func `the same time of day is that of each day before, as far as the baseline goes`() {
    let day = 86_400 * Self.second
    let from = UnixNanoseconds(100 * day + 3_600 * Self.second)
    let to = UnixNanoseconds(from.rawValue + 900 * Self.second)
    var baseline = Baseline(
      length: 2 * day, from: from, to: to, logBegins: UnixNanoseconds(90 * day))
    let it = RequestEvent.Finished(
      id: RequestID(1), clientRequestID: nil, organisation: nil, key: nil, remoteAddress: "",
      operation: .chatCompletions, modelAsked: "m", modelResolved: nil, isStream: false,
      receivedAt: from, attempts: [], status: 200, ending: .completed, errorCode: nil,
      errorClass: nil, usage: .notReported, requestBytes: 0, responseBytes: 0,
      queueMicroseconds: 0, firstByteMicroseconds: nil, totalMicroseconds: 1)
    // Offsets in seconds from the window's beginning.
    for offset: Int64 in [
      -1, -86_400, -86_399, -86_400 + 900, -86_400 + 901, -2 * 86_400, -2 * 86_400 - 1,
      -2 * 86_400 + 450, 0,
    ] {
      baseline.add(it, at: UnixNanoseconds(from.rawValue + offset * Self.second))
    }
    #expect(baseline.whole.requests == 7)
    #expect(baseline.sameTime?.requests == 5)
  }

  @Test func `an organisation and a type narrow a window; too many intervals are refused`() throws {
    let log = try TestLog.incident()
    let all = try Replay.window(
      log.reader(), query(filter: WindowFilter(kind: "request.finished")), now: TestLog.now)
    let parts = try ["acme", "globex", "default"].map { name in
      try Replay.window(
        log.reader(),
        query(filter: WindowFilter(kind: "request.finished", organisation: name)), now: TestLog.now
      ).summary.finished
    }
    #expect(parts[0] + parts[1] == all.summary.finished && parts[2] == 0 && parts[1] > 100)
    let fault = try #require(throws: InquiryFault.self) {
      try Replay.window(log.reader(), query(interval: Self.second), now: TestLog.now)
    }
    #expect(fault.code == .usage && fault.parameter == "interval", "\(fault)")
    #expect(fault.message.contains("choose intervals of 5s or longer"), "\(fault)")
  }
}
