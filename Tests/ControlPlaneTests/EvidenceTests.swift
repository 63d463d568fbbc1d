import Domain
import EventStore
import Foundation
import HTTPTypes
import Surface
import Testing
import Views

@testable import ControlPlane

/// What answers say of requests is what the log says.
struct EvidenceTests {
  /// Appends a request as the data plane does.
  private func append(_ event: RequestEvent, _ box: TestBox) throws {
    try append([.request(event)], box)
  }

  private func append(_ events: [Event], _ box: TestBox) throws {
    let drafts = events.map { event in
      EventDraft(
        id: EventID(box.clock.edge.mintID()), stream: event.stream, kind: event.kind,
        time: box.clock.now.rawValue, lookupKeys: event.lookupKeys,
        payload: encode(event, .system))
    }
    _ = try box.store.appendAndWait(AppendBatch(events: drafts), durability: .durable)
  }

  private func finished(
    _ id: UInt128, client: String? = nil, organisation: String? = "acme", status: UInt16 = 200,
    account: String = "acc-1"
  ) -> RequestEvent {
    .finished(
      RequestEvent.Finished(
        id: RequestID(id), clientRequestID: client,
        organisation: organisation.map { OrganisationID($0) },
        key: KeyID("k1"), remoteAddress: "198.51.100.4", operation: .chatCompletions,
        modelAsked: "fast", modelResolved: "mock/gpt-4o-mini", isStream: true,
        receivedAt: UnixNanoseconds(1_900_000_000_000_000_000),
        attempts: [
          Attempt(
            snapshot: 9, now: UnixNanoseconds(1_900_000_000_000_000_001), seed: .max, local: .none,
            account: AccountID(account), rule: .fillFirst, status: status, errorClass: nil,
            errorCode: nil, connectMicroseconds: 11, firstByteMicroseconds: 22,
            totalMicroseconds: 33)
        ], status: status, ending: status == 200 ? .completed : .failed, errorCode: nil,
        errorClass: nil, usage: TokenUsage(input: 5, output: 7), requestBytes: 100,
        responseBytes: 200, queueMicroseconds: 1, firstByteMicroseconds: 44,
        totalMicroseconds: 5_500))
  }

  private func dispatched(_ id: UInt128, client: String? = nil) -> RequestEvent {
    .dispatched(
      RequestEvent.Dispatched(
        id: RequestID(id), clientRequestID: client, organisation: OrganisationID("acme"),
        key: KeyID("k1"), operation: .chatCompletions, modelAsked: "fast",
        receivedAt: UnixNanoseconds(1_900_000_000_000_000_000), account: AccountID("acc-1")))
  }

  private func id(_ number: Int) -> UInt128 { 0x0199 << 112 | 7 << 76 | UInt128(number) }

  @Test func `a request is found by the gateway's id, with all that is recorded`() async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      try append(dispatched(id(1), client: "req-1"), box)
      try append(finished(id(1), client: "req-1"), box)
      try append(
        .deliveryFailed(RequestEvent.DeliveryFailed(id: RequestID(id(1)), errorCode: "reset")), box)
      let reply = try await box.call(
        .get, "/v1/audit/requests/\(uuidText(id(1)))", as: token)
      #expect(reply.status == 200, "\(reply.text)")
      let json = reply.json
      #expect(json["request_id"]?.string == "req-1")
      #expect(json["requestId"]?.string == uuidText(id(1)))
      #expect(json["outcome"]?.string == "delivery_failed")
      #expect(json["deliveryErrorCode"]?.string == "reset")
      #expect(json["tokens"]?["input"]?.int == 5)
      #expect(json["tokens"]?["cached"]?.isNull == true)
      #expect(json["timings"]?["totalMicroseconds"]?.int == 5_500)
      let attempt = try #require(json["attempts"]?[0])
      #expect(attempt["account"]?.string == "acc-1")
      #expect(attempt["snapshot"]?.int == 9)
      #expect(attempt["seed"]?.string == String(UInt64.max))
      let last = box.store.lastWritten.rawValue
      #expect(json["positions"]?["deliveryFailed"]?.string == "\(box.store.epoch):\(last)")
      #expect(json["positions"]?["dispatched"]?.string == "\(box.store.epoch):\(last - 2)")
      #expect(json["occurrences"]?.int == 1)
    }
  }

  @Test func `a proof is for who may see all of the request, and of the own organisation`()
    async throws
  {
    try await TestBox.with { box in
      let token = try await box.signIn()
      try append(finished(id(1), client: "ours"), box)
      try append(finished(id(2), client: "theirs", organisation: "other"), box)
      _ = try await box.call(
        .post, "/api/organisations", #"{"id":"acme","name":"Acme"}"#, as: token)
      for (diagnostics, status) in [(false, 400), (true, 200)] {
        let made = try await box.call(
          .post, "/api/keys",
          #"{"name":"k-\#(diagnostics)","organisation":"acme","diagnostics":\#(diagnostics)}"#,
          as: token, showsSecret: true)
        let key = try #require(made.json["key"]?.string, "\(made.text)")
        let own = try await box.call(.get, "/v1/audit/requests/ours?proof=true", as: key)
        #expect(own.status == status, "\(own.text)")
        #expect((own.json["proof"] != nil) == diagnostics)
        #expect(own.json["field"]?.string == (diagnostics ? nil : "proof"))
        let foreign = try await box.call(.get, "/v1/audit/requests/theirs?proof=true", as: key)
        #expect(foreign.status == 404)
      }
      let plain = try await box.call(.get, "/v1/audit/requests/ours", as: token)
      #expect(plain.json["proof"] == nil)
    }
  }

  @Test func `a client's id that was used again finds the newest, and names the others`()
    async throws
  {
    try await TestBox.with { box in
      let token = try await box.signIn()
      for number in 1...3 { try append(finished(id(number), client: "same"), box) }
      try append(finished(id(4), client: "another"), box)
      let reply = try await box.call(.get, "/v1/audit/requests/same", as: token)
      #expect(reply.json["requestId"]?.string == uuidText(id(3)))
      #expect(reply.json["occurrences"]?.int == 3)
      #expect(
        reply.json["others"]?.array?.compactMap { $0["requestId"]?.string }
          == [uuidText(id(2)), uuidText(id(1))])
    }
  }

  @Test func `what is not recorded is 404 in the paths' own shape`() async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      for lost in [uuidText(id(9)), "never", "%2e%2e", String(repeating: "a", count: 300)] {
        let reply = try await box.call(.get, "/v1/audit/requests/\(lost)", as: token)
        #expect(reply.status == 404)
        #expect(reply.json["code"]?.string == "not_found")
        #expect(reply.json["error"]?.string != nil)
      }
    }
  }

  @Test func `a key sees its own organisation's requests, without accounts unless it may`()
    async throws
  {
    try await TestBox.with { box in
      let token = try await box.signIn()
      try await box.control.execute(provenance: .system) { _ in
        ["acme", "initech"].map {
          Change(.organisation(.create(.init(id: OrganisationID($0), name: $0))))
        }
      }
      func key(_ organisation: String, _ diagnostics: Bool) async throws -> (String, String) {
        let reply = try await box.call(
          .post, "/api/keys",
          "{\"name\":\"k\(organisation)\(diagnostics)\",\"organisation\":\"\(organisation)\",\"diagnostics\":\(diagnostics)}",
          as: token, showsSecret: true)
        return (
          try #require(reply.json["key"]?.string), try #require(reply.json["id"]?.string)
        )
      }
      try append(finished(id(1), client: "same", organisation: "acme"), box)
      try append(finished(id(2), client: "same", organisation: "globex"), box)
      try append(finished(id(3), client: "same", organisation: nil), box)
      let plain = try await key("acme", false)
      let deep = try await key("acme", true)
      let foreign = try await key("initech", true)

      let own = try await box.call(.get, "/v1/audit/requests/same", as: plain.0)
      #expect(own.json["requestId"]?.string == uuidText(id(1)), "\(own.text)")
      #expect(own.json["occurrences"]?.int == 1)
      #expect(!own.text.contains("acc-1") && !own.text.contains("198.51.100.4"))
      let attempt = try #require(own.json["attempts"]?[0])
      #expect(attempt["snapshot"] == nil && attempt["seed"] == nil && attempt["at"] != nil)
      let byHeader = try await box.call(
        .get, "/v1/audit/requests/same", headers: [("x-api-key", deep.0)])
      #expect(byHeader.json["attempts"]?[0]?["account"]?.string == "acc-1")
      #expect(
        try await box.call(.get, "/v1/audit/requests/same", as: foreign.0).status == 404)
      #expect(
        try await box.call(.get, "/v1/audit/requests/\(uuidText(id(2)))", as: plain.0).status
          == 404)
      _ = try await box.call(.put, "/api/keys/\(plain.1)", "{\"isActive\":false}", as: token)
      #expect(try await box.call(.get, "/v1/audit/requests/same", as: plain.0).status == 401)
    }
  }

  @Test func `another organisation's many requests of the same id hide none of one's own`()
    async throws
  {
    try await TestBox.with { box in
      let key = String(decoding: try #require(box.made.clientKey).bytes, as: UTF8.self)
      try append(finished(id(1), client: "same", organisation: "default"), box)
      try append(
        (1...RequestLog.maximumOccurrences).map {
          .request(finished(id(1 + $0), client: "same", organisation: "globex"))
        }, box)
      let reply = try await box.call(.get, "/v1/audit/requests/same", as: key)
      #expect(reply.json["requestId"]?.string == uuidText(id(1)), "\(reply.text)")
      #expect(reply.json["occurrences"]?.int == 1)
      #expect(reply.json["hasMore"]?.bool == false)
    }
  }

  @Test func `a list that ends before the log's beginning says so, and where`() async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      try append(finished(id(1)), box)
      try append(finished(id(2)), box)
      let whole = try await box.call(.get, "/api/usage/logs", as: token)
      #expect(whole.json["complete"]?.bool == true)
      #expect(whole.json["scannedTo"]?.string == "\(box.store.epoch):1")
      let gap = Event.gateway(.gap(GatewayEvent.Gap(boundMilliseconds: 1, reason: "filler")))
      try append([Event](repeating: gap, count: 4096), box)
      try append(finished(id(3)), box)
      var log = RequestLog(reader: box.store.reader)
      log.maximumPages = 2
      let cut = try log.list(.none, limit: 200)
      #expect(cut.entries.map(\.story.id) == [RequestID(id(3))])
      #expect(!cut.isComplete)
      let page = ViewDelta.page(of: box.store.lastWritten.rawValue)
      let oldest = (page - 1) * ViewDelta.pageEvents
      #expect(cut.scannedTo == "\(box.store.epoch):\(oldest)")
      #expect(cut.next == oldest)
      let rest = try RequestLog(reader: box.store.reader).list(.none, before: oldest, limit: 200)
      #expect(rest.entries.map(\.story.id) == [2, 1].map { RequestID(id($0)) })
      #expect(rest.isComplete && rest.next == nil)
      let text = try await box.call(.get, "/api/usage/logs?format=text", as: token)
      let complete = try #require(HTTPField.Name("x-signalbox-complete"))
      let scannedTo = try #require(HTTPField.Name("x-signalbox-scanned-to"))
      #expect(text.headers[complete] == "true")
      #expect(text.headers[scannedTo] == "\(box.store.epoch):1")
      let one = try await box.call(.get, "/api/usage/logs?limit=1", as: token)
      #expect(one.json["complete"]?.bool == true && one.json["next"]?.string != nil)
    }
  }

  @Test func `what came before a time is found behind events of a clock that was ahead`()
    async throws
  {
    try await TestBox.with { box in
      let token = try await box.signIn()
      let began = box.clock.now.rawValue
      // A moment in which the clock is forty days ahead.
      box.clock.advance(seconds: 40 * 86_400)
      try append(finished(id(1)), box)
      box.clock.advance(seconds: -40 * 86_400)
      for minute in 0..<4 {
        let requests = (1...1100).map { finished(id(minute * 10_000 + 10 + $0)) }
        try append(requests.map { .request($0) }, box)
        box.clock.advance(seconds: 60)
      }
      func found(_ path: String, _ rows: String, _ query: String) async throws -> Int {
        var (count, cursor) = (0, "")
        while true {
          let page = try await box.call(.get, "\(path)?limit=1000&\(query)\(cursor)", as: token)
          #expect(page.json["complete"]?.bool == true, "\(page.text.prefix(200))")
          count += page.json[rows]?.array?.count ?? 0
          guard let next = page.json["next"]?.string else { return count }
          cursor = (rows == "logs" ? "&after=" : "&before=") + next
        }
      }
      for minute in 0...4 {
        let end = rfc3339(UnixNanoseconds(began + Int64(minute) * 60_000_000_000 - 1_000_000_000))
        #expect(
          try await found("/api/usage/logs", "logs", "since=2000-01-01T00:00:00Z&until=\(end)")
            == 1100 * minute)
        #expect(
          try await found("/api/events", "events", "type=request.finished&to=\(end)")
            == 1100 * minute)
      }
      let late = rfc3339(UnixNanoseconds(began + 41 * 86_400 * 1_000_000_000))
      #expect(try await found("/api/usage/logs", "logs", "until=\(late)") == 4401)
    }
  }

  @Test func `sums of an account that is gone are not those of its namesake`() async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      _ = try await box.call(.post, "/api/provider-nodes", ConfigurationTests.node, as: token)
      var ids: [String] = []
      for requests in [3, 2] {
        if let gone = ids.last {
          #expect(try await box.call(.delete, "/api/providers/\(gone)", as: token).status == 200)
        }
        let made = try await box.call(
          .post, "/api/providers", #"{"provider":"mock","apiKey":"sk-1","name":"a1"}"#, as: token)
        let id = try #require(made.json["connection"]?["id"]?.string, "\(made.text)")
        for number in 1...requests {
          try append(finished(self.id(ids.count * 10 + number), account: id), box)
        }
        ids.append(id)
      }
      #expect(ids[0] != ids[1])
      let history = try await box.call(.get, "/api/usage/history", as: token)
      let shown = try #require(history.json["byAccount"]?.members)
      #expect(
        shown.map(\.name) == ["a1", ids[0]].sorted().map { "gpt-4o-mini (mock - \($0))" })
      for (id, requests) in zip(ids, [3, 2]) {
        let row = shown.first { $0.value["connectionId"]?.string == id }
        #expect(row?.value["requests"]?.int == Int64(requests), "\(history.text)")
        #expect(row?.value["accountName"]?.string == "a1")
      }
    }
  }

  @Test func `two words for one filter agree, or are refused`() async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      try append(finished(id(1)), box)
      for (query, field) in [
        ("organisation=acme&organization=other", "organization"),
        ("organization=acme&organization_id=other", "organization_id"),
        ("account=a&backend_id=b", "backend_id"),
      ] {
        for path in ["/api/usage/logs", "/v1/admin/routing/decisions"] {
          let reply = try await box.call(.get, "\(path)?\(query)", as: token)
          #expect(reply.status == 400, "\(path)?\(query): \(reply.text)")
          #expect(reply.text.contains("\"field\":\"\(field)\""), "\(reply.text)")
        }
      }
      let same = try await box.call(
        .get, "/api/usage/logs?organisation=acme&organization_id=acme", as: token)
      #expect(same.json["logs"]?.array?.count == 1, "\(same.text)")
    }
  }

  @Test func `the list is newest first, bounded, and shows what is under way`() async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      for number in 1...30 {
        try append(finished(id(number), status: number == 30 ? 502 : 200), box)
      }
      try append(dispatched(id(31)), box)
      let reply = try await box.call(.get, "/api/usage/logs?limit=3", as: token)
      let logs = try #require(reply.json["logs"]?.array)
      #expect(
        logs.compactMap { $0["requestId"]?.string } == [31, 30, 29].map { uuidText(id($0)) })
      #expect(logs.compactMap { $0["outcome"]?.string } == ["in_flight", "failed", "completed"])
      let all = try await box.call(.get, "/api/usage/logs", as: token)
      #expect(all.json["logs"]?.array?.count == 31)
      let text = try await box.call(.get, "/api/usage/logs?format=text&limit=2", as: token)
      let lines = text.json.array?.compactMap(\.string)
      #expect(
        lines == [
          "17-03-2030 17:46:40Z | fast | - | - | - | - | PENDING",
          "17-03-2030 17:46:40Z | fast | - | - | 5 | 7 | FAILED 502",
        ])
      for query in ["limit=0", "limit=1001", "limit=x", "format=xml"] {
        #expect(try await box.call(.get, "/api/usage/logs?\(query)", as: token).status == 400)
      }
    }
  }

  @Test func `requests without an end are marked interrupted at the next start, once`()
    async throws
  {
    try await withDirectory { directory in
      let life = GatewayLife(version: "1", recording: .standard, listen: "127.0.0.1:1")
      let first = try await TestBox.open(directory)
      #expect(try await first.control.noteStart(life).interrupted == 0)
      try append(dispatched(id(1), client: "lost"), first)
      try append(dispatched(id(2)), first)
      try append(finished(id(2)), first)
      try first.store.close()

      let second = try await TestBox.open(directory)
      #expect(try await second.control.noteStart(life).interrupted == 1)
      let last = try #require(try second.store.reader.event(at: second.store.lastWritten))
      let token = try await second.signIn()
      let reply = try await second.call(.get, "/v1/audit/requests/lost", as: token)
      #expect(reply.json["outcome"]?.string == "interrupted", "\(reply.text)")
      guard case .gateway(.started(let started)) = try recorded(last).event else {
        throw Unexpected(last.kind)
      }
      #expect(started.interruptedRequests == 1)
      #expect(started.epoch == second.store.epoch.rawValue)
      // The log was closed, the gateway never said that it stopped.
      #expect(!started.previousStopWasClean)
      try await second.control.noteStop(reason: "SIGTERM", cutRequests: 2)
      try second.store.close()

      let third = try await TestBox.open(directory)
      #expect(try await third.control.noteStart(life).interrupted == 0)
      let again = try #require(try third.store.reader.event(at: third.store.lastWritten))
      guard case .gateway(.started(let clean)) = try recorded(again).event else {
        throw Unexpected(again.kind)
      }
      #expect(clean.previousStopWasClean)
      try third.store.close()
    }
  }

  @Test func `health, ping, healthz and readyz say what they looked at`() async throws {
    try await TestBox.with { box in
      let health = try await box.call(.get, "/health")
      #expect(health.json["status"]?.string == "ok")
      #expect(health.headers[.cacheControl] == "no-store")
      // The listener leaves the body of HEAD out; its length must be that of GET.
      let head = try await box.call(.head, "/health")
      #expect(head.status == 200 && head.text.count == health.text.count)
      let ping = try await box.call(.get, "/api/health/ping")
      #expect(ping.json["position"]?.string == "\(box.store.epoch):\(box.store.lastWritten)")
      #expect(ping.json["views"]?.string == "ok")
      let healthz = try await box.call(.get, "/v1/status/healthz")
      #expect(healthz.json["status"]?.string == "healthy")
      #expect(healthz.json["build"]?["version"]?.string == "0.0.0-test")
      // No account yet: alive, not ready.
      let before = try await box.call(.get, "/v1/status/readyz")
      #expect(before.status == 503)
      #expect(before.json["components"]?["backend_registry"]?.string == "unhealthy")
      let token = try await box.signIn()
      _ = try await box.call(.post, "/api/provider-nodes", ConfigurationTests.node, as: token)
      _ = try await box.call(.post, "/api/providers", ConfigurationTests.account, as: token)
      let after = try await box.call(.get, "/v1/status/readyz")
      #expect(after.status == 200)
      #expect(
        after.json["components"]?.members?.map(\.name)
          == [
            "redis", "kafka", "config_service", "backend_registry", "log", "snapshot", "views",
          ])
      for (name, state) in [
        ("redis", "not_configured"), ("kafka", "not_configured"),
        ("config_service", "not_configured"), ("views", "healthy"),
      ] {
        #expect(after.json["components"]?[name]?.string == state)
      }
      #expect(after.json["status"]?.string == "ready")
    }
  }

  @Test func `where the views cannot be kept a ping and readyz say so, and requests are served on`()
    async throws
  {
    try await TestBox.prepared { box, _ in
      // A file where their directory should be.
      let path = box.directory + "/views"
      try Data([1]).write(to: URL(fileURLWithPath: path))
      let ping = try await box.call(.get, "/api/health/ping")
      #expect(ping.status == 200, "\(ping.text)")
      #expect(ping.json["views"]?.string == "unavailable")
      let ready = try await box.call(.get, "/v1/status/readyz")
      #expect(ready.status == 200)
      #expect(ready.json["status"]?.string == "ready")
      #expect(ready.json["components"]?["views"]?.string == "unhealthy")
      try FileManager.default.removeItem(atPath: path)
      let again = try await box.call(.get, "/api/health/ping")
      #expect(again.json["views"]?.string == "ok")
      #expect(try await box.call(.get, "/v1/status/readyz").json["status"]?.string == "ready")
    }
  }

  @Test func `the version names build, formats and log, to administrators`() async throws {
    try await TestBox.with { box in
      #expect(try await box.call(.get, "/api/system/version").status == 401)
      let token = try await box.signIn()
      let told = try await box.call(.get, "/api/system/version", as: token).json
      #expect(told["version"]?.string == "0.0.0-test")
      #expect(told["commit"]?.string == "")
      #expect(told["formats"]?["log"]?.string == EventStore.formatVersion)
      #expect(told["formats"]?["views"]?.int == ViewStore.version)
      #expect(told["store"]?.string == uuidText(box.store.storeID))
      #expect(told["epoch"]?.int == 1)
      #expect(told["started"]?.string == rfc3339(box.clock.now))
      let place = "\(box.store.epoch):\(box.store.lastWritten)"
      #expect(told["position"]?.string == place)
    }
  }

  @Test func `a closed log turns health and changes to 503`() async throws {
    try await withDirectory { directory in
      let box = try await TestBox.open(directory)
      let token = try await box.signIn()
      try box.store.close()
      let reply = try await box.call(
        .patch, "/api/settings", "{\"forceModelPrefix\":true}", as: token)
      #expect(reply.status == 503, "\(reply.text)")
      #expect(reply.code == "recording_unavailable")
      #expect(!box.control.state.settings.forceModelPrefix)
    }
  }
}
