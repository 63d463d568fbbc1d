import Domain
import EventStore
import Logging
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
      let answer = answers.withLock { $0.isEmpty ? .taken : $0.removeFirst() }
      if answer == .taken, let json = try? JSONValue.parse(body) {
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
    _ box: TestBox, _ collector: Collector, behind: UInt64 = SpanExporter.Bounds.behind
  ) -> SpanExporter {
    SpanExporter(
      control: box.control, service: "signalbox", version: "1", receiver: collector,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, behind: behind)
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

  @Test func `what a collector refuses is counted and left, what waits too long is dropped`()
    async throws
  {
    try await TestBox.with { box in
      let collector = Collector()
      let exporter = exporter(box, collector, behind: 2000)
      try append(box, [request(1)])
      collector.answers.withLock { $0 = [.refused("status_400")] }
      while await exporter.step() != .idle {}
      #expect(exporter.counts.failed == 2 && exporter.counts.exported == 0)
      try append(box, (0..<3000).map { request($0) })
      collector.answers.withLock { $0 = Array(repeating: .later("unreachable"), count: 9) }
      while await exporter.step() != .idle {}
      let counts = exporter.counts
      // Until no more than the bound wait, a batch is dropped at each try; then they are kept.
      #expect(counts.dropped >= 2000 && counts.dropped <= 3000)
      #expect(counts.dropped + counts.exported == 3000 * 2)
    }
  }
}
