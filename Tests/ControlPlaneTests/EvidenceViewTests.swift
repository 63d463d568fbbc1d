import Domain
import EventStore
import Foundation
import HTTPTypes
import Inquiry
import Logging
import Support
import Surface
import Testing
import Views

@testable import ControlPlane

/// Lists and sums over requests say what the log says, whatever the views have of it.
struct EvidenceViewTests {
  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func `a list has every request that its filter admits, once, newest first`(seed: UInt64)
    async throws
  {
    try await TestBox.with { box in
      var story = RandomStory(random: SeededRandom(seed: seed))
      let log = RequestLog(reader: box.store.reader)
      try story.append(450, to: box)
      let reading = try box.views.upToDate()
      #expect(reading.behind == 0 && reading.position == box.store.lastWritten)
      // The views are behind by more than a page.
      try story.append(450, to: box)
      let middle = story.facts[story.facts.count / 2].time
      typealias Fact = RequestEvent.Finished
      var looks: [(RequestFilter, (Fact) -> Bool, (RequestEvent.Dispatched) -> Bool)] = [
        (.none, { _ in true }, { _ in true })
      ]
      func look(
        _ change: (inout RequestFilter) -> Void, _ isWanted: @escaping (Fact) -> Bool,
        open: @escaping (RequestEvent.Dispatched) -> Bool = { _ in false }
      ) {
        var filter = RequestFilter()
        change(&filter)
        looks.append((filter, isWanted, open))
      }
      look({ $0.key = KeyID("k2") }, { $0.key == KeyID("k2") }, open: { $0.key == KeyID("k2") })
      look({ $0.key = KeyID("k9") }, { _ in false })
      look(
        { $0.organisation = OrganisationID("acme") }, { $0.organisation?.rawValue == "acme" },
        open: { $0.organisation?.rawValue == "acme" })
      look(
        { $0.accounts = [AccountID("a3")] },
        { $0.attempts.contains { $0.account == AccountID("a3") } },
        open: { $0.account == AccountID("a3") })
      look({ $0.status = 429...429 }, { $0.status == 429 })
      look({ $0.status = 500...599 }, { $0.status == 502 })
      look({ $0.outcome = .ended(.denied) }, { $0.ending == .denied })
      look({ $0.outcome = .inFlight }, { _ in false }, open: { _ in true })
      look({ $0.errorClass = .provider }, { $0.errorClass == .provider })
      look({ $0.isFailover = true }, { $0.attempts.count > 1 })
      look({ $0.model = "gpt" }, { $0.modelResolved == "mock/gpt" })
      look(
        { $0.model = "fast" }, { $0.modelAsked == "fast" }, open: { $0.modelAsked == "fast" })
      look(
        {
          $0.key = KeyID("k1")
          $0.status = 502...502
        }, { $0.key == KeyID("k1") && $0.status == 502 })
      look(
        { $0.since = UnixNanoseconds(middle) }, { $0.receivedAt.rawValue >= middle },
        open: { $0.receivedAt.rawValue >= middle })
      look(
        { $0.until = UnixNanoseconds(middle) }, { $0.receivedAt.rawValue < middle },
        open: { $0.receivedAt.rawValue < middle })
      for (filter, isWanted, isOpen) in looks {
        let expected =
          (story.facts.filter { isWanted($0.fact) }.map { ($0.position, $0.fact.id) }
          + story.open.filter { isOpen($0.fact) }.map { ($0.position, $0.fact.id) })
          .sorted { $0.0 > $1.0 }.map(\.1)
        for views in [reading, nil] as [ViewKeeper.Reading?] {
          let marks = views == nil ? [] : filter.marks
          var found: [RequestID] = []
          var before: UInt64?
          repeat {
            let limit = story.random.int(20...400)
            let page = try log.list(
              filter, marks: marks, before: before, limit: limit, views: views)
            #expect(page.entries.count <= limit && page.isComplete)
            found += page.entries.map(\.story.id)
            before = page.next
          } while before != nil
          let isSame = found == expected
          #expect(
            isSame,
            "seed \(seed), \(filter), views \(views != nil): \(found.count) of \(expected.count), missing \(Set(expected).subtracting(found).count)"
          )
        }
      }
    }
  }

  /// A box with a provider `mock` that has the accounts a1 and a2, and `other` that has a3.
  private func configured(_ box: TestBox) async throws {
    try await box.control.execute(provenance: .system) { _ in
      ["mock", "other"].map { name in
        Change(
          .provider(
            .add(
              .init(
                id: ProviderID(name), name: name, dialect: .openai,
                baseURL: "http://127.0.0.1:9/v1", prefix: name, models: [], excludedModels: []))))
      }
    }
    try await box.control.execute(provenance: .system) { _ in
      [("a1", "mock"), ("a2", "mock"), ("a3", "other")].map { id, provider in
        Change(
          .account(
            .add(
              .init(
                id: AccountID(id), provider: ProviderID(provider), name: "n-\(id)", priority: 1,
                weight: 1), credential: nil)))
      }
    }
  }

  @Test(arguments: 1...3 as ClosedRange<UInt64>)
  func `history and metrics count what the log has, and see what was just acknowledged`(
    seed: UInt64
  ) async throws {
    try await TestBox.with { box in
      try await configured(box)
      let token = try await box.signIn()
      var story = RandomStory(random: SeededRandom(seed: seed))
      for round in 0..<3 {
        try story.append(200 + round * 37, to: box)
        let reply = try await box.call(.get, "/api/usage/history", as: token)
        #expect(reply.status == 200, "\(reply.text)")
        let json = reply.json
        let facts = story.facts.map(\.fact)
        let good = facts.filter { $0.ending == .completed }
        #expect(json["totalRequests"]?.int == Int64(facts.count), "seed \(seed)")
        #expect(json["completed"]?.int == Int64(good.count))
        #expect(json["denied"]?.int == Int64(facts.filter { $0.ending == .denied }.count))
        #expect(json["totalPromptTokens"]?.int == Int64(good.count * 10))
        #expect(json["totalCost"]?.millionths == UInt64(good.count * 1_500))
        #expect(
          json["byProvider"]?["mock"]?["requests"]?.int
            == Int64(facts.filter { !$0.attempts.isEmpty }.count))
        let ofKey = facts.filter { $0.key == KeyID("k1") && $0.modelResolved != nil }
        #expect(json["byApiKey"]?["k1|gpt|mock"]?["requests"]?.int == Int64(ofKey.count))
        #expect(
          json["activeRequests"]?.array?.reduce(0) { $0 + ($1["count"]?.int ?? 0) }
            == Int64(story.open.count))
        #expect(json["lag"]?.int == 0)
        #expect(json["position"]?.int == Int64(box.store.lastWritten.rawValue))
        let minute = box.clock.now.rawValue / 60_000_000_000
        let recent = story.facts.filter { (minute - 9...minute).contains($0.time / 60_000_000_000) }
        #expect(
          json["last10Minutes"]?.array?.reduce(0) { $0 + ($1["requests"]?.int ?? 0) }
            == Int64(recent.count))
        #expect(json["last10Minutes"]?.array?.count == 10)

        let metrics = try await box.call(.get, "/v1/metrics/providers?window=10m", as: token).json
        for (provider, accounts) in [("mock", ["a1", "a2"]), ("other", ["a3"])] {
          let calls = recent.flatMap(\.fact.attempts).filter {
            accounts.contains($0.account.rawValue)
          }
          let good = calls.filter { $0.errorClass == nil }
          #expect(metrics[provider]?["request_count"]?.int == Int64(calls.count))
          #expect(metrics[provider]?["failure_count"]?.int == Int64(calls.count - good.count))
          #expect(
            metrics[provider]?["statuses"]?["500"]?.int ?? 0 == Int64(calls.count - good.count))
          #expect(metrics[provider]?["total_tokens"]?.int == Int64(good.count * 13))
          if !calls.isEmpty {
            let p50 = try #require(metrics[provider]?["latency_p50_ms"]?.millionths)
            #expect((9_600_000...10_400_000).contains(p50))
          }
        }
      }
      for query in ["window=0m", "window=25h", "window=5", "window=5s", "window=1441m", "x=1"] {
        let reply = try await box.call(.get, "/v1/metrics/providers?\(query)", as: token)
        #expect(reply.status == 400, "\(query): \(reply.text)")
      }
      for query in ["since=yesterday", "until=5"] {
        let reply = try await box.call(.get, "/api/usage/history?\(query)", as: token)
        #expect(reply.status == 400 && reply.field != nil, "\(query): \(reply.text)")
      }
    }
  }

  @Test func `decisions name account, type and rule in the API Router's words`() async throws {
    try await TestBox.with { box in
      try await configured(box)
      let token = try await box.signIn()
      var story = RandomStory(random: SeededRandom(seed: 9))
      try story.append(120, to: box)
      func rows(_ query: String) async throws -> [JSONValue] {
        let reply = try await box.call(
          .get, "/v1/admin/routing/decisions?limit=1000\(query)", as: token)
        #expect(reply.status == 200, "\(reply.text)")
        #expect(reply.json["count"]?.int == Int64(reply.json["decisions"]?.array?.count ?? -1))
        return reply.json["decisions"]?.array ?? []
      }
      let facts = story.facts.map(\.fact)
      let attempts = facts.flatMap(\.attempts)
      // A filter by outcome holds beside the type, as all others do.
      let limited = try await rows("&decision_type=RATE_LIMIT").count
      #expect(try await rows("&decision_type=RATE_LIMIT&outcome=denied").count == limited)
      #expect(try await rows("&decision_type=RATE_LIMIT&outcome=completed").isEmpty)
      let all = try await rows("")
      #expect(all.count == attempts.count + facts.filter { $0.attempts.isEmpty }.count)
      let failovers = try await rows("&decision_type=FAILOVER")
      #expect(failovers.count == facts.filter { $0.attempts.count == 2 }.count)
      #expect(failovers.allSatisfy { $0["attempt_number"]?.int == 2 })
      let limits = try await rows("&decision_type=RATE_LIMIT")
      #expect(limits.count == facts.filter { $0.ending == .denied }.count)
      #expect(limits.allSatisfy { $0["backend_id"]?.isNull == true })
      let ofOne = try await rows("&backend_id=a3")
      #expect(ofOne.count == attempts.filter { $0.account == AccountID("a3") }.count)
      #expect(
        ofOne.allSatisfy { $0["provider"]?.string == "other" && $0["backend"]?.string == "n-a3" })
      let ofProvider = try await rows("&provider=mock&organization_id=acme")
      #expect(
        ofProvider.count
          == facts.filter { $0.organisation?.rawValue == "acme" }.flatMap(\.attempts)
          .filter { $0.account != AccountID("a3") }.count)
      for (query, code) in [
        ("account=nobody", "unknown_account"), ("key=nobody", "unknown_key"),
        ("provider=nobody", "unknown_provider"), ("status=99", "invalid_field"),
        ("decision_type=OTHER", "invalid_field"), ("after=zz", "invalid_field"),
      ] {
        let reply = try await box.call(
          .get, "/v1/admin/routing/decisions?\(query)", as: token)
        #expect(reply.json["code"]?.string ?? reply.code == code, "\(query): \(reply.text)")
      }
    }
  }

  @Test func `views that are broken, foreign or ahead of the log are made anew`() async throws {
    try await withDirectory { directory in
      var expected: [UInt8] = []
      func check(_ box: TestBox, rebuilds: Int, _ what: String) throws {
        let reading = try box.views.upToDate()
        // Making them anew is a step of its own.
        let again = try box.views.upToDate()
        #expect(again.behind == 0 && again.position == box.store.lastWritten, "\(reading)")
        #expect(box.views.current.rebuilds == rebuilds, "\(what)")
        #expect(try again.views.digest() == expected)
      }
      let path = directory + "/views/usage.sqlite"
      let first = try await TestBox.open(directory)
      var story = RandomStory(random: SeededRandom(seed: 5))
      try story.append(300, to: first)
      expected = try first.views.upToDate().views.digest()
      try check(first, rebuilds: 0, "new")
      first.views.stop()
      try first.store.close()

      let intact = try Data(contentsOf: URL(fileURLWithPath: path))
      var odd = intact
      for at in stride(from: 100, to: odd.count, by: 7) { odd[at] ^= 0x5A }
      for bytes in [Data("nothing like it".utf8), odd, Data(intact.prefix(5_000))] {
        for file in [path, path + "-wal", path + "-shm"] {
          try? FileManager.default.removeItem(atPath: file)
        }
        try bytes.write(to: URL(fileURLWithPath: path))
        let box = try await TestBox.open(directory)
        try check(box, rebuilds: 1, "\(bytes.count) bytes")
        box.views.stop()
        try box.store.close()
      }

      // A log that was restored from before what the views saw.
      let ahead = try ViewStore(path: path, storeID: try storeID(directory))
      var delta = ViewDelta()
      let event = Event.alias(.removed("x"))
      try delta.take(
        position: ahead.checkpoint.position + 50, time: UnixNanoseconds(1), kind: event.kind,
        bytes: encode(event, .system)[...])
      try ahead.apply(delta, after: ahead.checkpoint, chain: [UInt8](repeating: 1, count: 32))
      try ahead.close()
      let box = try await TestBox.open(directory)
      try check(box, rebuilds: 1, "ahead")
      box.views.stop()
      try box.store.close()
    }
  }

  @Test func `what was made anew is noted once, with the reason`() async throws {
    try await withDirectory { directory in
      func reasons(_ box: TestBox) throws -> [GatewayEvent.ViewRebuilt] {
        try box.store.reader.events(ofStream: gatewayStream, from: Revision(1)).compactMap {
          guard case .gateway(.viewRebuilt(let it)) = try recorded($0).event else { return nil }
          return it
        }
      }
      /// Opens, has the views made if they are not right, and closes.
      func life(
        _ expected: [GatewayEvent.ViewRebuilt.Reason], _ harm: (TestBox) throws -> Void = { _ in }
      )
        async throws
      {
        let box = try await TestBox.open(directory)
        _ = try box.views.upToDate()
        try harm(box)
        _ = try? box.views.upToDate()
        let reached = try box.views.upToDate().position
        for _ in 1...2 { box.views.tell() }
        let noted = try reasons(box)
        #expect(noted.map(\.reason) == expected)
        if let last = noted.last, last.position == reached.rawValue {
          #expect(last.view == "usage")
          #expect(box.store.lastWritten == reached.next)
        }
        box.views.stop()
        try box.store.close()
      }
      let path = directory + "/views/usage.sqlite"
      try await life([])
      try await life([])
      try FileManager.default.removeItem(atPath: directory + "/views")
      try await life([.missing])
      try await life([.missing])
      try await life([.missing, .missing]) { _ in
        try FileManager.default.removeItem(atPath: directory + "/views")
      }
      try Data("nothing like it".utf8).write(to: URL(fileURLWithPath: path))
      try await life([.missing, .missing, .damaged])
      let verdict = try Replay.compareViews(LogReader.open(directory: directory))
      #expect(verdict.isSame && verdict.through != nil, "\(verdict.text)")
    }
  }

  private func storeID(_ directory: String) throws -> UInt128 {
    try LogReader.open(directory: directory).storeID
  }

  @Test func `the thread takes in what nobody asks for, and stops`() async throws {
    try await TestBox.with { box in
      var story = RandomStory(random: SeededRandom(seed: 6))
      try story.append(50, to: box)
      try box.views.start()
      while box.views.current.position < box.store.lastWritten.rawValue { await Task.yield() }
      #expect(box.views.current.failure == nil)
    }
  }
}
