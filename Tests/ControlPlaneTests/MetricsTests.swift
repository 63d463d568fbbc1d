import Domain
import EventStore
import FoundationEssentials
import HTTPTypes
import Logging
import Surface
import Telemetry
import Testing

@testable import ControlPlane

/// `/metrics` says what the log says, whatever became of the views, and only to those who may know.
struct MetricsTests {
  private let here = "127.0.0.1"

  private func append(_ box: TestBox, _ count: Int, status: UInt16 = 200) throws {
    let drafts = (0..<count).map { _ in
      let fact = RequestEvent.Finished(
        id: RequestID(box.clock.edge.mintID()), clientRequestID: nil,
        organisation: OrganisationID("acme"), key: KeyID("k1"), remoteAddress: "198.51.100.4",
        operation: .chatCompletions, modelAsked: "fast", modelResolved: nil, isStream: false,
        receivedAt: box.clock.now, attempts: [], status: status, ending: .denied,
        errorCode: "model_not_found", errorClass: .client, usage: .notReported, requestBytes: 1,
        responseBytes: 2, queueMicroseconds: 3, firstByteMicroseconds: nil, totalMicroseconds: 4)
      let event = Event.request(.finished(fact))
      return EventDraft(
        id: EventID(box.clock.edge.mintID()), stream: event.stream, kind: event.kind,
        time: box.clock.now.rawValue, lookupKeys: event.lookupKeys,
        payload: encode(event, .system))
    }
    _ = try box.store.appendAndWait(AppendBatch(events: drafts), durability: .written)
  }

  /// The value of one series; nil: there is none.
  private func value(_ series: String, _ box: TestBox) async throws -> Int? {
    let reply = try await box.call(.get, "/metrics", address: here)
    #expect(reply.status == 200, "\(reply.text)")
    for line in reply.text.split(separator: "\n") where line.hasPrefix(series + " ") {
      return Int(line.dropFirst(series.utf8.count + 1))
    }
    return nil
  }

  private let denials =
    #"signalbox_denials_total{reason="model_not_found",organization_id="acme"}"#

  @Test func `every metric of the table is on the page, once, and no other`() async throws {
    try await TestBox.with { box in
      try append(box, 3)
      let reply = try await box.call(.get, "/metrics", address: here)
      #expect(reply.status == 200)
      #expect(reply.headers[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
      let types = reply.text.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }
        .map { String($0.split(separator: " ")[2]) }
      #expect(types.sorted() == Metric.all.map(\.name).sorted())
      let head = try await box.call(.head, "/metrics", address: here)
      #expect(head.status == 200)
    }
  }

  @Test func `each scrape has what was acknowledged before it, once`() async throws {
    try await TestBox.with { box in
      var expected = 0
      for (count, readsViews) in [(3, false), (2, true), (4, true), (4096, false), (1, false)] {
        try append(box, count)
        expected += count
        // Whoever reads the log for the views counts on the way.
        if readsViews { _ = try box.views.upToDate() }
        #expect(try await value(denials, box) == expected)
        #expect(try await value("signalbox_metrics_lag_events", box) == 0)
      }
      #expect(
        try await value(#"api_router_usage_records_published_total{status="success"}"#, box)
          == expected)
    }
  }

  @Test func `a scrape waits for nobody who reads for the views, and nothing counts twice`()
    async throws
  {
    try await TestBox.with { box in
      func scrape() throws -> (behind: UInt64, outcomes: UInt64) {
        var page = Exposition()
        return try box.metrics.write(to: &page, providers: [:])
      }
      func fold(_ counted: inout RequestMetrics) throws {
        try box.store.reader.scan(from: Position(counted.position).next, through: nil) { entry in
          if case .event(let event) = entry { box.metrics.take(event, into: &counted) }
          return .continue
        }
      }
      try append(box, 5)
      try box.metrics.reading { counted in
        try fold(&counted)
        #expect(counted.outcomes == 5)
        // In the middle of the other's batch, on its own thread: a lock would never be had.
        #expect(try scrape() == (0, 5))
        try append(box, 2)
        #expect(try scrape() == (0, 7))
      }
      // What was read last got less far, and is forgotten.
      #expect(try scrape() == (0, 7))
      try append(box, 3)
      try box.metrics.reading { try fold(&$0) }
      #expect(!box.metrics.wants(from: Position(1), count: Int(box.store.lastWritten.rawValue)))
      #expect(try scrape() == (0, 10))
    }
  }

  @Test func `what was in the log before the process is not counted`() async throws {
    try await withDirectory { directory in
      let first = try await TestBox.open(directory)
      try append(first, 7)
      #expect(try await value(denials, first) == 7)
      first.views.stop()
      try first.store.close()
      let second = try await TestBox.open(directory)
      #expect(try await value(denials, second) == nil)
      try append(second, 2)
      // The views are made anew from the beginning: the counters go on from where they are.
      _ = try second.views.upToDate()
      try append(second, 1)
      #expect(try await value(denials, second) == 3)
      second.views.stop()
      try second.store.close()
    }
  }

  @Test func `views that cannot be kept do not keep the counters`() async throws {
    try await TestBox.with { box in
      try append(box, 2)
      try Data("in the way".utf8).write(to: URL(filePath: box.directory + "/views"))
      #expect(throws: (any Error).self) { try box.views.upToDate() }
      try append(box, 3)
      #expect(try await value(denials, box) == 5)
      #expect(try await value(#"signalbox_component_healthy{component="views"}"#, box) == 0)
      #expect(try await value(#"signalbox_component_healthy{component="log"}"#, box) == 1)
    }
  }

  @Test func `from this machine it is open, from elsewhere not`() async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      try await box.control.execute(provenance: .system) { _ in
        [Change(.organisation(.create(.init(id: OrganisationID("acme"), name: "acme"))))]
      }
      func key(_ diagnostics: Bool) async throws -> String {
        let reply = try await box.call(
          .post, "/api/keys",
          "{\"name\":\"k\(diagnostics)\",\"organisation\":\"acme\",\"diagnostics\":\(diagnostics)}",
          as: token, showsSecret: true)
        return try #require(reply.json["key"]?.string)
      }
      let (plain, deep) = (try await key(false), try await key(true))
      func status(
        _ address: String, as credential: String? = nil, host: String = "localhost:8080",
        _ headers: [(String, String)] = []
      ) async throws -> Int {
        try await box.call(
          .get, "/metrics", as: credential, headers: headers, host: host, address: address
        ).status
      }
      #expect(try await status("127.0.0.1") == 200)
      #expect(try await status("::1") == 200)
      #expect(try await status("127.0.0.1", host: "rebound.example") == 401)
      for name in ["x-forwarded-for", "forwarded", "via"] {
        #expect(try await status("127.0.0.1", [(name, "1.1 proxy")]) == 401, "\(name)")
      }
      #expect(try await status("203.0.113.9") == 401)
      #expect(try await status("") == 401)
      #expect(try await status("203.0.113.9", as: "sk-stranger") == 401)
      #expect(try await status("203.0.113.9", as: plain) == 401)
      #expect(try await status("203.0.113.9", as: deep) == 200)
      #expect(try await status("203.0.113.9", as: token) == 200)
      #expect(try await status("203.0.113.9", as: token, host: "rebound.example") == 200)
    }
  }

  @Test func `gauges follow accounts and the log`() async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      #expect(
        try await value(#"signalbox_component_healthy{component="backend_registry"}"#, box) == 0)
      var reply = try await box.call(
        .post, "/api/provider-nodes",
        #"{"id":"mock","baseUrl":"http://127.0.0.1:9/v1","models":[{"name":"m"}]}"#, as: token)
      #expect(reply.status == 201, "\(reply.text)")
      reply = try await box.call(
        .post, "/api/providers", #"{"provider":"mock","name":"a1","apiKey":"sk-upstream-1"}"#,
        as: token)
      let id = try #require(reply.json["connection"]?["id"]?.string)
      #expect(try await value(#"signalbox_accounts{provider="mock",state="ready"}"#, box) == 1)
      #expect(
        try await value(
          #"signalbox_account_info{account="\#(id)",provider="mock",name="a1"}"#, box) == 1)
      let isDegraded = #"router_backend_health_status{backend_id="\#(id)",status="degraded"}"#
      #expect(try await value(isDegraded, box) == 0)
      _ = try await box.call(.post, "/v1/admin/routing/backends/\(id)/degrade", "{}", as: token)
      #expect(try await value(isDegraded, box) == 1)
      #expect(try await value(#"signalbox_accounts{provider="mock",state="degraded"}"#, box) == 1)
      #expect(try await value(#"signalbox_accounts{provider="mock",state="ready"}"#, box) == 0)
      #expect(
        try await value(#"signalbox_config_changes_total{resource="provider",source="api"}"#, box)
          == 1)
      let last = Int(box.store.lastWritten.rawValue)
      #expect(try await value(#"signalbox_log_position{state="written"}"#, box) == last)
      #expect(try await value("signalbox_snapshot_position", box) == last)
      #expect(try await value(#"signalbox_log_state{state="working"}"#, box) == 1)
      #expect(try await value("process_open_fds", box) ?? 0 > 3)
      #expect(try await value("process_resident_memory_bytes", box) ?? 0 > 1 << 20)
    }
  }

  @Test func `an account that an operator disabled is disabled, and not unhealthy`() async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      var reply = try await box.call(
        .post, "/api/provider-nodes",
        #"{"id":"mock","baseUrl":"http://127.0.0.1:9/v1","models":[{"name":"m"}]}"#, as: token)
      reply = try await box.call(
        .post, "/api/providers", #"{"provider":"mock","name":"a1","apiKey":"sk-upstream-1"}"#,
        as: token)
      let id = try #require(reply.json["connection"]?["id"]?.string)
      func statuses() async throws -> [String] {
        var found: [String] = []
        for status in ["healthy", "degraded", "unhealthy", "unknown", "disabled"] {
          let series = #"router_backend_health_status{backend_id="\#(id)",status="\#(status)"}"#
          if try await value(series, box) == 1 { found.append(status) }
        }
        return found
      }
      for (method, path, body, expected) in [
        (HTTPRequest.Method.put, "/api/providers/\(id)", #"{"isActive":false}"#, "disabled"),
        (.put, "/api/providers/\(id)", #"{"isActive":true}"#, "unknown"),
        (.put, "/api/provider-nodes/mock", #"{"isActive":false}"#, "disabled"),
        (.put, "/api/provider-nodes/mock", #"{"isActive":true}"#, "unknown"),
        (.post, "/v1/admin/routing/backends/\(id)/degrade", "{}", "degraded"),
      ] {
        reply = try await box.call(method, path, body, as: token)
        #expect(reply.status == 200, "\(reply.text)")
        #expect(try await statuses() == [expected], "\(path) \(body)")
      }
    }
  }

  @Test func `of too many accounts those with the first ids have series of their own`() async throws
  {
    try await TestBox.with { box in
      let bound = RequestMetrics.Bounds.accounts
      let ids = (0..<bound + 3).map { "acc-\($0 + 1000)" }
      let provider = ProviderID("mock")
      try await box.control.execute(provenance: .system) { _ in
        [
          Change(
            .provider(
              .add(
                .init(
                  id: provider, name: "p", dialect: .openai, baseURL: "http://127.0.0.1:9/v1",
                  prefix: "mock", models: [], excludedModels: []))))
        ]
      }
      var rest = ids.shuffled()[...]
      while !rest.isEmpty {
        let some = rest.prefix(100)
        rest = rest.dropFirst(100)
        try await box.control.execute(provenance: .system) { _ in
          some.map { id in
            let account = AccountEvent.Added(
              id: AccountID(id), provider: provider, name: id, priority: 1, weight: 1)
            return Change(.account(.add(account, credential: nil)))
          }
        }
      }
      let text = try await box.call(.get, "/metrics", address: here).text
      let named = text.split(separator: "\n").filter { $0.hasPrefix("signalbox_account_info{") }
        .compactMap { $0.split(separator: "\"").dropFirst().first.map(String.init) }
      #expect(named == Array(ids.prefix(bound)))
      let others = #"router_backend_health_status{backend_id="other",status="unhealthy"}"#
      // Without a credential nobody can be asked.
      #expect(try await value(others, box) == 3)
      #expect(
        try await value(#"signalbox_accounts{provider="mock",state="disabled"}"#, box) == bound + 3)
    }
  }

  @Test func `the store's bounds are those of the metric`() {
    #expect(StoreFigures.syncBounds == Metric.Buckets.short.microseconds)
  }
}
