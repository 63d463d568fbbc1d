import Domain
import Foundation
import GRDB
import Support
import Testing

@testable import Views

/// A directory of its own, gone with the value.
final class Place {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "signalbox-views-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String = "views.sqlite") -> String { path + "/" + name }
}

/// Any value that follows from the position will do for a chain here.
func chain(_ position: UInt64) -> [UInt8] {
  (0..<32).map { UInt8(truncatingIfNeeded: position >> (UInt64($0 % 8) * 8)) }
}

func delta(_ events: some Sequence<RandomRequests.Placed>) throws -> ViewDelta {
  var delta = ViewDelta()
  for event in events {
    try delta.take(
      position: event.position, time: event.time, kind: event.event.kind, bytes: event.bytes[...])
  }
  return delta
}

extension ViewStore {
  func apply(_ delta: ViewDelta) throws {
    try apply(delta, after: checkpoint, chain: chain(delta.position))
  }
}

private func finished(
  _ events: [RandomRequests.Placed]
) -> [(placed: RandomRequests.Placed, fact: RequestEvent.Finished)] {
  events.compactMap { placed in
    guard case .request(.finished(let fact)) = placed.event else { return nil }
    return (placed, fact)
  }
}

extension UsageSeries {
  fileprivate var isOperation: Bool {
    if case .operation = self { true } else { false }
  }
}

@Suite("The views")
struct ViewStoreTests {
  @Test(
    "are the same whatever runs of events they were made of",
    arguments: 1...6 as ClosedRange<UInt64>)
  func cuts(seed: UInt64) throws {
    let place = try Place()
    var requests = RandomRequests(seed: seed)
    let events = requests.next(1_200)
    let whole = try ViewStore(path: place.file("a"), storeID: 7)
    try whole.apply(try delta(events))
    let cut = try ViewStore(path: place.file("b"), storeID: 7)
    var rest = events[...]
    while !rest.isEmpty {
      let part = rest.prefix(requests.random.int(1...300))
      try cut.apply(try delta(part))
      rest = rest.dropFirst(part.count)
    }
    #expect(try whole.difference(from: cut) == nil, "seed \(seed)")
    #expect(try whole.digest() == cut.digest(), "seed \(seed)")
    #expect(whole.checkpoint == cut.checkpoint)

    var more = RandomRequests(seed: seed + 1_000)
    _ = more.next(1)
    var fact = more.finished()
    fact.operation = .chatCompletions
    let one = Event.request(.finished(fact))
    var extra = ViewDelta()
    try extra.take(
      position: cut.checkpoint.position + 1, time: UnixNanoseconds(more.time), kind: one.kind,
      bytes: encode(one, .system)[...])
    try cut.apply(extra)
    #expect(try whole.difference(from: cut) != nil)
    #expect(try whole.digest() != cut.digest())
  }

  @Test("count what the log has, over any hours", arguments: 1...6 as ClosedRange<UInt64>)
  func usage(seed: UInt64) throws {
    let place = try Place()
    var requests = RandomRequests(seed: seed)
    let events = requests.next(3_000)
    let views = try ViewStore(path: place.file(), storeID: 7)
    for part in stride(from: 0, to: events.count, by: 700) {
      try views.apply(try delta(events[part..<min(part + 700, events.count)]))
    }
    let facts = finished(events).map(\.fact).filter { UsageTotals.counts($0.operation) }
    let hours = facts.map { $0.receivedAt.rawValue.floored(by: 3_600_000_000_000) }
    let (first, last) = (hours.min() ?? 0, hours.max() ?? 0)
    var ranges: [(from: Int64?, to: Int64?)] = [
      (nil, nil), (first, nil), (nil, last), (last, first),
    ]
    for _ in 0..<40 {
      let from = first + Int64(requests.random.int(-3...Int(last - first) + 3))
      ranges.append((from, from + Int64(requests.random.int(0...80))))
    }
    for (from, to) in ranges {
      var expected: [UsageSeries: UsageTotals] = [:]
      for (fact, hour) in zip(facts, hours) where hour >= from ?? hour && hour < to ?? .max {
        var one = UsageTotals()
        one.requests = 1
        one.completed = fact.ending == .completed && fact.status < 400 ? 1 : 0
        one.denied = fact.ending == .denied ? 1 : 0
        one.hungUp = fact.ending == .clientHungUp ? 1 : 0
        one.reported = fact.usage.input == nil && fact.usage.output == nil ? 0 : 1
        one.priced = fact.costMicroUSD == nil ? 0 : 1
        one.inputTokens = Int64(fact.usage.input ?? 0)
        one.outputTokens = Int64(fact.usage.output ?? 0)
        one.cachedTokens = Int64(fact.usage.cached ?? 0)
        one.reasoningTokens = Int64(fact.usage.reasoning ?? 0)
        one.costMicroUSD = Int64(fact.costMicroUSD ?? 0)
        one.lastAt = fact.receivedAt.rawValue
        let model = fact.modelResolved
        var series: [UsageSeries] = [.operation(fact.operation, model: model)]
        if let key = fact.key { series.append(.key(key, model: model)) }
        if let last = fact.attempts.last { series.append(.account(last.account, model: model)) }
        for series in series { expected[series, default: UsageTotals()].add(one) }
      }
      // Those of requests that were interrupted have no model and no operation.
      var found: [UsageSeries: UsageTotals] = [:]
      for (series, told) in try views.usage(from: from, to: to) {
        var totals = told
        switch series {
        case .operation(nil, _): continue
        case .key(_, nil):
          totals.requests -= totals.interrupted
          totals.interrupted = 0
          if totals.requests == 0 { continue }
          totals.lastAt = expected[series]?.lastAt ?? 0
        case .key, .account, .operation: break
        }
        found[series] = totals
      }
      #expect(found == expected, "seed \(seed), hours \(from ?? -1) to \(to ?? -1)")
    }
    let all = try views.usage(from: nil, to: nil).filter { $0.series.isOperation }.map(\.totals)
    var interrupted: Int64 = 0
    var summarised: Int64 = 0
    var undelivered: Int64 = 0
    for event in events {
      switch event.event {
      case .request(.interrupted): interrupted += 1
      case .request(.deniedSummary(let fact)): summarised += Int64(fact.count)
      case .request(.deliveryFailed): undelivered += 1
      case _: break
      }
    }
    #expect(all.reduce(0) { $0 + $1.interrupted } == interrupted)
    #expect(all.reduce(0) { $0 + $1.summarised } == summarised)
    #expect(all.reduce(0) { $0 + $1.undelivered } == undelivered)
    #expect(all.reduce(0) { $0 + $1.requests } == Int64(facts.count) + interrupted)
    let minutes = try views.usage(minutes: .min..<(.max))
    #expect(minutes.reduce(0) { $0 + $1.totals.requests } == Int64(facts.count) + interrupted)
    #expect(minutes.map(\.minute) == minutes.map(\.minute).sorted())
  }

  @Test(
    "count the calls of each account by the minute in which they ended",
    arguments: 1...4 as ClosedRange<UInt64>)
  func calls(seed: UInt64) throws {
    let place = try Place()
    var requests = RandomRequests(seed: seed)
    let events = requests.next(1_500)
    let views = try ViewStore(path: place.file(), storeID: 7)
    for part in stride(from: 0, to: events.count, by: 400) {
      try views.apply(try delta(events[part..<min(part + 400, events.count)]))
    }
    let minutes = events.map { $0.time.rawValue.floored(by: 60_000_000_000) }
    let (low, high) = (minutes.min() ?? 0, minutes.max() ?? 0)
    for _ in 0..<20 {
      let from = low + Int64(requests.random.int(0...Int(high - low)))
      let span = from..<from + Int64(requests.random.int(1...400))
      var expected: [CallSeries: CallTotals] = [:]
      for (placed, fact) in finished(events)
      where span.contains(placed.time.rawValue.floored(by: 60_000_000_000))
        && UsageTotals.counts(fact.operation)
      {
        for (at, attempt) in fact.attempts.enumerated() where attempt.connectMicroseconds != nil {
          let isLast = at == fact.attempts.count - 1
          var one = CallTotals()
          one.count = 1
          one.latency.record(microseconds: attempt.totalMicroseconds)
          if isLast {
            one.inputTokens = Int64(fact.usage.input ?? 0)
            one.outputTokens = Int64(fact.usage.output ?? 0)
            one.costMicroUSD = Int64(fact.costMicroUSD ?? 0)
          }
          let series = CallSeries(
            account: attempt.account, status: attempt.status, errorClass: attempt.errorClass)
          expected[series, default: CallTotals()].add(one)
        }
      }
      #expect(try views.calls(minutes: span) == expected, "seed \(seed)")
    }
  }

  @Test("know every page that has what is looked for", arguments: 1...3 as ClosedRange<UInt64>)
  func pages(seed: UInt64) throws {
    let place = try Place()
    var requests = RandomRequests(seed: seed)
    let events = requests.next(3_000)
    let views = try ViewStore(path: place.file(), storeID: 7)
    for part in stride(from: 0, to: events.count, by: 900) {
      try views.apply(try delta(events[part..<min(part + 900, events.count)]))
    }
    let all = finished(events)
    let looks: [([[RequestMark]], (RequestEvent.Finished) -> Bool)] = [
      ([[.status(429...429)]], { $0.status == 429 }),
      ([[.status(400...499)]], { 400...499 ~= $0.status }),
      ([[.key(KeyID("k1"))]], { $0.key == KeyID("k1") }),
      ([[.asked("no/such/3")]], { $0.modelAsked == "no/such/3" }),
      ([[.model("openai/gpt")]], { $0.modelResolved == "openai/gpt" }),
      (
        [[.account(AccountID("a2"))]],
        { $0.attempts.contains { $0.account == AccountID("a2") } }
      ),
      ([[.failover]], { $0.attempts.count > 1 }),
      ([[.errorClass(.provider)]], { $0.errorClass == .provider }),
      ([[.operation(.embeddings)]], { $0.operation == .embeddings }),
      (
        [[.ending(.denied), .ending(.drained)], [.organisation(OrganisationID("acme"))]],
        { [.denied, .drained].contains($0.ending) && $0.organisation == OrganisationID("acme") }
      ),
    ]
    let last = ViewDelta.page(of: events.last?.position ?? 0)
    for (marks, isWanted) in looks {
      let through = UInt64(requests.random.int(0...Int(last)))
      let wanted = Set(
        all.filter { isWanted($0.fact) }.map { ViewDelta.page(of: $0.placed.position) })
      let found = try views.pages(with: marks, through: last, limit: 10_000)
      #expect(found == found.sorted(by: >))
      #expect(wanted.isSubset(of: found), "seed \(seed): \(marks)")
      #expect(
        try views.pages(with: marks, through: through, limit: 3)
          == Array(found.filter { $0 <= through }.prefix(3)))
    }
    // One mark alone is exact.
    let exact = Set(
      events.filter { placed in
        switch placed.event {
        case .request(.finished(let fact)): fact.key == KeyID("k2")
        case .request(.interrupted(let fact)): fact.key == KeyID("k2")
        case .request(.dispatched(let fact)): fact.key == KeyID("k2")
        case _: false
        }
      }.map { ViewDelta.page(of: $0.position) })
    #expect(
      Set(try views.pages(with: [[.key(KeyID("k2"))]], through: last, limit: 10_000)) == exact)
    #expect(try views.pages(with: [[.key(KeyID("nobody"))]], through: last, limit: 9) == [])
  }

  @Test("are kept with their place in the log, and taken up again")
  func reopening() throws {
    let place = try Place()
    var requests = RandomRequests(seed: 3)
    let events = requests.next(600)
    let views = try ViewStore(path: place.file(), storeID: 7)
    try views.apply(try delta(events.prefix(250)))
    let reached = views.checkpoint
    try views.close()
    let again = try ViewStore(path: place.file(), storeID: 7)
    #expect(again.checkpoint == reached)
    #expect(again.checkpoint.chain == chain(events[249].position))
    try again.apply(try delta(events.dropFirst(250)))
    let whole = try ViewStore(path: place.file("whole"), storeID: 7)
    try whole.apply(try delta(events))
    #expect(try again.difference(from: whole) == nil)
  }

  @Test("take in nothing that does not follow where they are")
  func elsewhere() throws {
    let place = try Place()
    var requests = RandomRequests(seed: 4)
    let views = try ViewStore(path: place.file(), storeID: 7)
    try views.apply(try delta(requests.next(100)))
    let (reached, before) = (views.checkpoint, try views.digest())
    let more = try delta(requests.next(100))
    for wrong in [
      ViewStore.Checkpoint.origin,
      ViewStore.Checkpoint(position: reached.position, chain: chain(1)),
    ] {
      #expect(throws: ViewFault.self) { try views.apply(more, after: wrong, chain: chain(1)) }
    }
    #expect(views.checkpoint == reached)
    #expect(try views.digest() == before)
    try views.apply(more)
  }

  @Test("are refused where they are another log's, another layout's or no tables at all")
  func refusals() throws {
    let place = try Place()
    try ViewStore(path: place.file(), storeID: 7).close()
    let error = #expect(throws: ViewFault.self) {
      try ViewStore(path: place.file(), storeID: 8)
    }
    #expect(error == .astray("they are of store 00000000000000000000000000000007"))
    for (name, bytes) in [
      ("text", Data(String(repeating: "no table is here. ", count: 300).utf8)),
      ("short", Data("SQLite".utf8)),
    ] {
      try bytes.write(to: URL(fileURLWithPath: place.file(name)))
      #expect(throws: ViewFault.self) { try ViewStore(path: place.file(name), storeID: 7) }
      try ViewStore.remove(path: place.file(name))
      try ViewStore(path: place.file(name), storeID: 7).close()
    }
    let views = try ViewStore(path: place.file("layout"), storeID: 7)
    try views.pool.write { try $0.execute(sql: "UPDATE checkpoint SET version = 99") }
    try views.close()
    #expect(throws: ViewFault.layout(99)) {
      try ViewStore(path: place.file("layout"), storeID: 7)
    }
    try ViewStore.remove(path: place.file("nothing there"))
  }

  @Test(
    "keep the newest minutes and their hours, the same ones however the log is cut",
    arguments: 1...3 as ClosedRange<UInt64>)
  func pruning(seed: UInt64) throws {
    let place = try Place()
    var requests = RandomRequests(seed: seed)
    // Two minutes and a half apart, now and then two hours back.
    var events: [RandomRequests.Placed] = []
    for number in 0..<4_600 {
      var event = requests.next(1)[0]
      event.time = UnixNanoseconds(
        (Int64(number) * 150 - (requests.random.oneIn(100) ? 7_200 : 0)) * 1_000_000_000)
      events.append(event)
    }
    // A clock far ahead for one event must not take the rest away.
    events[1_000].time = UnixNanoseconds(4_000_000_000_000_000_000)
    let whole = try ViewStore(path: place.file("a"), storeID: 7)
    try whole.apply(try delta(events))
    let cut = try ViewStore(path: place.file("b"), storeID: 7)
    var rest = events[...]
    while !rest.isEmpty {
      let part = rest.prefix(requests.random.int(1...300))
      try cut.apply(try delta(part))
      rest = rest.dropFirst(part.count)
    }
    #expect(try whole.difference(from: cut) == nil, "seed \(seed)")
    #expect(try whole.digest() == cut.digest(), "seed \(seed)")
    let counted = events.filter { placed in
      switch placed.event {
      case .request(.finished(let fact)): UsageTotals.counts(fact.operation)
      case .request(.dispatched): false
      case .request: true
      case _: false
      }
    }
    let minutes = Set(counted.map { $0.time.rawValue.floored(by: 60_000_000_000) }).sorted()
    let kept = try whole.usage(minutes: .min..<(.max)).map(\.minute)
    #expect(minutes.count > Schema.minutesKept, "seed \(seed)")
    #expect(kept == Array(minutes.suffix(Schema.minutesKept)), "seed \(seed)")
    let first = kept[0]
    for (table, least) in [("call_minute", first), ("call_hour", first.floored(by: 60))] {
      let column = String(table.dropFirst(5))
      let found = try whole.pool.read {
        try Int64.fetchOne($0, sql: "SELECT MIN(\(column)) FROM \(table)")
      }
      #expect((found ?? .min) >= least)
    }
  }

  @Test(
    "cover any hours with months, days and hours, each hour once",
    arguments: 1...3 as ClosedRange<UInt64>)
  func spans(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    for _ in 0..<300 {
      let low = Int64(random.int(-3_000...3_000))
      let hours = low..<low + Int64(random.int(0...4_000))
      var covered: [Int64] = []
      for (table, range) in ViewStore.spans(hours) {
        let length: Int64 = table == "month" ? 768 : table == "day" ? 24 : 1
        covered += range.lowerBound * length..<range.upperBound * length
      }
      #expect(covered.sorted() == Array(hours), "seed \(seed), \(hours)")
      #expect(
        ViewStore.spans(hours).filter { $0.table == "hour" }.map(\.range.count).reduce(0, +) < 47)
    }
  }

  @Test("do not count lists of models, and find them")
  func models() throws {
    let place = try Place()
    var requests = RandomRequests(seed: 9)
    var fact = requests.finished()
    fact.operation = .listModels
    let event = Event.request(.finished(fact))
    var one = ViewDelta()
    try one.take(
      position: 1, time: UnixNanoseconds(0), kind: event.kind, bytes: encode(event, .system)[...])
    let views = try ViewStore(path: place.file(), storeID: 7)
    try views.apply(one)
    #expect(try views.usage(from: nil, to: nil).isEmpty)
    #expect(try views.usage(minutes: .min..<(.max)).isEmpty)
    #expect(try views.pages(with: [[.operation(.listModels)]], through: 9, limit: 9) == [0])
  }

  @Test("count of one request no more than can be true")
  func absurd() throws {
    let place = try Place()
    var requests = RandomRequests(seed: 5)
    var absurd = ViewDelta()
    for position in UInt64(1)...3 {
      var fact = requests.finished()
      fact.usage = TokenUsage(input: .max, output: .max)
      fact.costMicroUSD = .max
      let event = Event.request(.finished(fact))
      try absurd.take(
        position: position, time: UnixNanoseconds(.max), kind: event.kind,
        bytes: encode(event, .system)[...])
    }
    let views = try ViewStore(path: place.file(), storeID: 7)
    try views.apply(absurd)
    let totals = try views.usage(from: nil, to: nil).filter { $0.series.isOperation }.map(\.totals)
    #expect(totals.reduce(0) { $0 + $1.requests } == 3)
    #expect(totals.reduce(0) { $0 + $1.inputTokens } == 3 << 40)
  }
}

@Suite("A histogram of latencies")
struct LatencyHistogramTests {
  @Test(
    "tells times to within 3.2 %, and the same from its bytes",
    arguments: 1...8 as ClosedRange<UInt64>)
  func quantiles(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    var values: [UInt64] = []
    var histogram = LatencyHistogram()
    for _ in 0..<random.int(1...2_000) {
      let value = UInt64.random(in: 0...(UInt64(1) << random.int(0...62)), using: &random)
      values.append(value)
      histogram.record(microseconds: value)
    }
    values.sort()
    for permille in [0, 1, 500, 950, 990, 1000] as [UInt64] {
      let rank = max(1, (UInt64(values.count) * permille + 999) / 1000)
      let exact = Double(values[Int(rank) - 1])
      let told = Double(try #require(histogram.quantile(permille: permille)))
      #expect(abs(told - exact) <= exact * 0.032 + 0.5, "seed \(seed), \(permille) ‰")
    }
    #expect(histogram.total == UInt64(values.count))
    #expect(try LatencyHistogram(bytes: histogram.bytes) == histogram)
    #expect(LatencyHistogram().quantile(permille: 500) == nil)
  }

  @Test("refuses bytes that no histogram has")
  func damage() {
    for bytes in [
      [1], [1, 0, 0, 0, 0], [255, 255, 1, 0, 0, 0], [1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0],
    ] as [[UInt8]] {
      #expect(throws: ViewFault.self) { try LatencyHistogram(bytes: bytes) }
    }
  }
}
