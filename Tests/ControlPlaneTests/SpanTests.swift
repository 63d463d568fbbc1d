import Domain
import EventStore
import Logging
import Support
import Surface
import Synchronization
import Testing

@testable import ControlPlane

/// What a collector is told follows from the log, is told once, and survives that nobody listens.
struct SpanTests {
  /// A collector that answers as it is told to.
  private final class Collector: SpanReceiver {
    let answers = Mutex<[SpanDelivery]>([])
    let bodies = Mutex<[JSONValue]>([])

    func take(_ body: [UInt8]) async -> SpanDelivery {
      let answer = answers.withLock { $0.isEmpty ? .taken(rejected: 0) : $0.removeFirst() }
      if case .taken = answer, let json = try? JSONValue.parse(body) {
        bodies.withLock { $0.append(json) }
      }
      return answer
    }

    var spans: [JSONValue] {
      bodies.withLock { $0 }.flatMap {
        $0["resourceSpans"]?[0]?["scopeSpans"]?[0]?["spans"]?.array ?? []
      }
    }
  }

  private func append(_ box: TestBox, _ facts: [RequestEvent.Finished]) throws {
    let drafts = facts.map { fact in
      let event = Event.request(.finished(fact))
      return EventDraft(
        id: EventID(box.clock.edge.mintID()), stream: event.stream, kind: event.kind,
        time: box.clock.now.rawValue, lookupKeys: event.lookupKeys,
        payload: encode(event, .system))
    }
    _ = try box.store.appendAndWait(AppendBatch(events: drafts), durability: .written)
  }

  private func request(_ number: Int, attempts: Int = 1) -> RequestEvent.Finished {
    RequestEvent.Finished(
      id: RequestID(0x0199 << 112 | 7 << 76 | UInt128(number)), clientRequestID: "mine",
      organisation: OrganisationID("acme"), key: KeyID("k1"), remoteAddress: "198.51.100.4",
      operation: .chatCompletions, modelAsked: "fast", modelResolved: "mock/gpt",
      isStream: true, receivedAt: UnixNanoseconds(1_900_000_000_000_000_000),
      attempts: (1...attempts).map { at in
        Attempt(
          snapshot: 9, now: UnixNanoseconds(1_900_000_000_000_000_000 + Int64(at)), seed: 1,
          local: .none, account: AccountID("acc-\(at)"), rule: .fillFirst,
          status: at == attempts ? 200 : nil, errorClass: at == attempts ? nil : .network,
          errorCode: at == attempts ? nil : "connect_refused", connectMicroseconds: 4,
          firstByteMicroseconds: 20, totalMicroseconds: 5_000)
      }, status: 200, ending: .completed, errorCode: nil, errorClass: nil,
      usage: TokenUsage(input: 70, output: 30), costMicroUSD: 1_500_000, requestBytes: 1,
      responseBytes: 2, queueMicroseconds: 3, firstByteMicroseconds: 4, totalMicroseconds: 6_000)
  }

  private func exporter(
    _ box: TestBox, _ collector: Collector, bounds: SpanQueue.Bounds = SpanQueue.Bounds()
  ) -> SpanExporter {
    SpanExporter(
      control: box.control, service: "signalbox", version: "1", receiver: collector,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, bounds: bounds)
  }

  private func attributes(_ span: JSONValue) -> [String: JSONValue] {
    Dictionary(
      (span["attributes"]?.array ?? []).compactMap { pair in
        pair["key"]?.string.flatMap { key in
          pair["value"]?.members?.first.map { (key, $0.value) }
        }
      }
    ) { $1 }
  }

  @Test func `a request is a server's span with a client's for each call`() async throws {
    try await TestBox.with { box in
      let collector = Collector()
      let exporter = exporter(box, collector)
      try append(box, [request(0xABC, attempts: 2)])
      while await exporter.step() == .sent {}
      let spans = collector.spans
      try #require(spans.count == 3)
      #expect(
        Set(spans.compactMap { $0["traceId"]?.string }) == ["01990000000070000000000000000abc"])
      #expect(Set(spans.compactMap { $0["spanId"]?.string }).count == 3)
      #expect(spans.allSatisfy { $0["spanId"]?.string?.utf8.count == 16 })
      #expect(spans.map { $0["kind"]?.int } == [2, 3, 3])
      #expect(spans[0]["parentSpanId"] == nil)
      for span in spans.dropFirst() { #expect(span["parentSpanId"] == spans[0]["spanId"]) }
      #expect(spans[0]["startTimeUnixNano"]?.string == "1900000000000000000")
      #expect(spans[0]["endTimeUnixNano"]?.string == "1900000000006000000")
      #expect(spans.map { $0["name"]?.string } == ["chat.completions", "chat", "chat gpt"])
      #expect(spans.map { $0["status"]?["code"]?.int } == [nil, 2, nil])
      let server = attributes(spans[0])
      #expect(server["http.response.status_code"]?.string == "200")
      #expect(server["signalbox.client_request_id"]?.string == "mine")
      #expect(server["signalbox.cost_usd"]?.int == nil)
      #expect(server["signalbox.cost_usd"] == .number("1.5"))
      #expect(attributes(spans[1])["error.type"]?.string == "connect_refused")
      #expect(attributes(spans[1])["gen_ai.usage.input_tokens"] == nil)
      let last = attributes(spans[2])
      #expect(last["gen_ai.operation.name"]?.string == "chat")
      #expect(last["gen_ai.request.model"]?.string == "gpt")
      #expect(last["gen_ai.usage.input_tokens"]?.string == "70")
      #expect(last["gen_ai.usage.output_tokens"]?.string == "30")
      #expect(!"\(spans)".contains("198.51.100.4"))
    }
  }

  @Test func `a request of a client's trace is that client's child, if the client keeps it`()
    async throws
  {
    try await TestBox.with { box in
      let collector = Collector()
      let exporter = exporter(box, collector)
      let trace: UInt128 = 0x4BF9_2F35_77B3_4DA6_A3CE_929D_0E0E_4736
      var facts = [UInt8(1), 3, 0, 2].enumerated().map { number, flags in
        var fact = request(number, attempts: 2)
        fact.trace = TraceContext(trace: trace, parent: 0xF067_AA0B_A902_B7, flags: flags)
        return fact
      }
      facts.append(request(9))
      try append(box, facts)
      while await exporter.step() != .idle {}
      let spans = collector.spans
      try #require(spans.count == 3 + 3 + 2)
      for (at, fact) in [(0, facts[0]), (3, facts[1])] {
        #expect(
          spans[at..<at + 3].allSatisfy {
            $0["traceId"]?.string == "4bf92f3577b34da6a3ce929d0e0e4736"
          })
        #expect(spans[at]["parentSpanId"]?.string == "00f067aa0ba902b7")
        #expect(spans[at]["spanId"]?.string == hexText(fact.id.span(0)))
        for number in 1...2 {
          #expect(spans[at + number]["parentSpanId"] == spans[at]["spanId"])
          #expect(spans[at + number]["spanId"]?.string == hexText(fact.id.span(UInt64(number))))
        }
      }
      #expect(spans[6]["traceId"]?.string == hexText(facts[4].id.rawValue))
      #expect(spans[6]["parentSpanId"] == nil)
    }
  }

  @Test func `nothing is told twice, and nothing is lost while the collector is away`() async throws
  {
    try await TestBox.with { box in
      let collector = Collector()
      let exporter = exporter(box, collector)
      try append(box, (0..<300).map { request($0, attempts: 2) })
      collector.answers.withLock { $0 = [.later("unreachable"), .later("status_503")] }
      var laters = 0
      while true {
        let step = await exporter.step()
        if step == .idle { break }
        if step == .later { laters += 1 }
      }
      #expect(laters == 2)
      try append(box, [request(999)])
      while await exporter.step() != .idle {}
      let spans = collector.spans
      #expect(spans.count == 902)
      #expect(Set(spans.compactMap { $0["spanId"]?.string }).count == 902)
      #expect(collector.bodies.withLock { $0.count } >= 3, "batches are bounded")
      #expect(exporter.counts.exported == 902)
    }
  }

  @Test func `what a collector refuses is counted and left, wholly or in part`() async throws {
    try await TestBox.with { box in
      let collector = Collector()
      let exporter = exporter(box, collector)
      for (answer, failed, exported) in [
        (SpanDelivery.refused("status_400"), 2, 0), (.taken(rejected: 1), 3, 1),
        (.taken(rejected: 99), 5, 1), (.taken(rejected: 0), 5, 3),
      ] as [(SpanDelivery, UInt64, UInt64)] {
        try append(box, [request(1)])
        collector.answers.withLock { $0 = [answer] }
        while await exporter.step() != .idle {}
        #expect(exporter.counts.failed == failed && exporter.counts.exported == exported)
      }
      #expect(exporter.counts.dropped == 0)
    }
  }

  @Test(arguments: [SpanQueue.Bounds(spans: 2000), SpanQueue.Bounds(bytes: 150_000)])
  func `of what waits too long the oldest is dropped, and nothing else`(
    bounds: SpanQueue.Bounds
  ) async throws {
    try await TestBox.with { box in
      let collector = Collector()
      let exporter = exporter(box, collector, bounds: bounds)
      try append(box, [request(0xFFFF)])
      collector.answers.withLock { $0 = [.later("unreachable")] }
      #expect(await exporter.step() == .later)
      let requests = 3000
      try append(box, (0..<requests).map { request($0) })
      collector.answers.withLock { $0 = [.later("unreachable")] }
      #expect(await exporter.step() == .later)
      let dropped = exporter.counts.dropped
      // A batch more than what is too much is gone at most.
      let size = UInt64(encode(.request(.finished(request(2999))), .system).count)
      let waiting = UInt64(2 * (requests + 1)) - dropped
      #expect(waiting <= bounds.spans && waiting / 2 * size <= bounds.bytes)
      #expect(
        waiting + SpanQueue.runSpans > bounds.spans
          || (waiting + SpanQueue.runSpans) / 2 * size > bounds.bytes)
      while await exporter.step() != .idle {}
      #expect(exporter.counts.dropped == dropped)
      #expect(exporter.counts.exported == waiting)
      // The newest are left, each once.
      let servers = collector.spans.filter { $0["kind"]?.int == 2 }.map { $0["traceId"]?.string }
      let kept = Int(waiting / 2)
      #expect(
        servers == (requests - kept..<requests).map { hexText(request($0).id.rawValue) })
    }
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func `the queue holds what fits and no more`(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let bounds = SpanQueue.Bounds(
      spans: UInt64(random.int(1...4000)), bytes: UInt64(random.int(1...400_000)))
    var queue = SpanQueue(after: 0, bounds: bounds)
    var (position, added, gone) = (UInt64(0), UInt64(0), UInt64(0))
    for _ in 0..<3000 {
      position += UInt64(random.oneIn(50) ? 9000 : random.int(1...5))
      let spans = UInt64(random.oneIn(100) ? 700 : random.int(1...4))
      added += spans
      gone += queue.add(position, spans: spans, bytes: UInt64(random.int(50...900)))
      if random.oneIn(30), let first = queue.runs.first {
        gone += first.spans
        queue.remove(first)
        queue.remove(first)
      }
      let waiting = queue.runs.reduce(0) { $0 + $1.spans }
      #expect(waiting + gone == added, "seed \(seed)")
      #expect(waiting <= bounds.spans, "seed \(seed)")
      #expect(queue.runs.reduce(0) { $0 + $1.bytes } <= bounds.bytes, "seed \(seed)")
      for (run, next) in zip(queue.runs, queue.runs.dropFirst()) {
        #expect(run.last < next.first, "seed \(seed)")
      }
      #expect(
        queue.runs.allSatisfy {
          $0.spans <= SpanQueue.runSpans || $0.first == $0.last
        }, "seed \(seed)")
    }
  }
}
