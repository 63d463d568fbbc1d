import Domain
import EventStore
import HTTPTypes
import Logging
import Surface
import Synchronization
import Testing

@testable import ControlPlane

/// Counts from any thread.
private final class Tally: Sendable {
  private let value = Atomic<Int>(0)
  var count: Int { value.load(ordering: .relaxed) }
  func add() { value.add(1, ordering: .relaxed) }
}

@Suite struct `Health kept by reports` {
  private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  /// A box with a provider and `count` accounts `a1`…, and a keeper of its health.
  private func prepared(
    accounts count: Int = 1,
    _ body: (TestBox, HealthKeeper, [AccountID]) async throws -> Void
  ) async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      let added = try await box.call(
        .post, "/api/provider-nodes",
        #"{"id":"mock","baseUrl":"http://127.0.0.1:9/v1","models":[{"name":"m"}]}"#, as: token)
      #expect(added.status == 201, "\(added.text)")
      var ids: [AccountID] = []
      for number in 1...count {
        let reply = try await box.call(
          .post, "/api/providers",
          #"{"provider":"mock","name":"a\#(number)","apiKey":"sk-upstream-\#(number)"}"#, as: token)
        ids.append(AccountID(try #require(reply.json["connection"]?["id"]?.string)))
      }
      try await body(box, HealthKeeper(control: box.control, logger: Self.quiet), ids)
    }
  }

  private func failure(
    _ rule: FailureRule, _ account: AccountID, _ box: TestBox, request: UInt128 = 77,
    status: UInt16 = 429, model: String = "m"
  ) -> AttemptReport {
    AttemptReport(
      account: account, provider: ProviderID("mock"), upstreamModel: model, policy: nil,
      snapshot: box.control.state.position, at: box.clock.now,
      outcome: .failed(
        FailureVerdict(rule, code: "status_\(status)"), status: status, resetAt: nil),
      request: RequestID(request))
  }

  private func healthEvents(_ box: TestBox, _ account: AccountID) throws -> [Recorded] {
    try box.store.reader.refresh()
    return try box.store.reader.events(ofStream: "health/\(account.rawValue)", from: Revision(1))
      .map { try recorded($0) }
  }

  @Test func `ten thousand failures of one window are one event, and each is dealt with`()
    async throws
  {
    try await prepared { box, keeper, ids in
      let dealtWith = Tally()
      let running = Task { await keeper.run() }
      await withTaskGroup(of: Void.self) { group in
        for worker in 0..<8 {
          let it = failure(.rateLimited, ids[0], box, request: UInt128(worker))
          group.addTask {
            for _ in 0..<1_250 {
              keeper.report(it) { dealtWith.add() }
            }
          }
        }
      }
      running.cancel()
      await running.value
      #expect(dealtWith.count == 10_000)
      let events = try healthEvents(box, ids[0])
      #expect(events.map(\.kind) == ["health.cooldown_started.v1"])
      let provenance = try #require(events.first?.provenance)
      #expect(provenance.source == .system)
      #expect(provenance.cause.map { $0 < 8 } == true, "the cause is a request")
      #expect(provenance.correlation == provenance.cause)
      #expect(box.published.state.health[ids[0]]?.cooldown?.rule == "rate_limited")
    }
  }

  @Test func `an outage of many accounts becomes few appends, and operators' edits pass`()
    async throws
  {
    try await prepared(accounts: 40) { box, keeper, ids in
      let publications = box.published.count
      for _ in 0..<3 {
        for (index, id) in ids.enumerated() {
          keeper.report(
            failure(.providerError, id, box, request: UInt128(index), status: 503), dealtWith: nil)
        }
      }
      await keeper.settle()
      #expect(box.published.count - publications == 1)
      for (index, id) in ids.enumerated() {
        let events = try healthEvents(box, id)
        #expect(events.map(\.kind) == ["health.cooldown_started.v1"])
        #expect(events.first?.provenance.cause == UInt128(index))
      }
      // While reports pour in, an operator's edit is one among few.
      let running = Task { await keeper.run() }
      let isOver = Tally()
      let flood = Task {
        while isOver.count == 0 {
          for id in ids {
            keeper.report(failure(.networkError, id, box, status: 502), dealtWith: nil)
          }
          await Task.yield()
        }
      }
      let token = try await box.signIn()
      for priority in 1...5 {
        let reply = try await box.call(
          .put, "/api/providers/a1", "{\"priority\":\(priority)}", as: token)
        #expect(reply.status == 200, "\(reply.text)")
      }
      isOver.add()
      await flood.value
      running.cancel()
      await running.value
    }
  }

  @Test func `what clients ask for wrongly leaves no trace`() async throws {
    try await prepared { box, keeper, ids in
      let before = box.control.state.position
      for rule in [FailureRule.badRequest, .contextTooLong, .clientGone, .beyondLimit] {
        for _ in 0..<100 {
          keeper.report(failure(rule, ids[0], box, status: 400), dealtWith: nil)
        }
      }
      await keeper.settle()
      #expect(box.control.state.position == before)
      let events = try healthEvents(box, ids[0])
      #expect(events.isEmpty)
    }
  }

  @Test func `beyond the queue's bound reports are shed, and still dealt with`() async throws {
    try await prepared { box, keeper, ids in
      let dealtWith = Tally()
      for number in 0..<HealthKeeper.waitingMax + 100 {
        keeper.report(failure(.modelNotFound, ids[0], box, status: 404, model: "m\(number)")) {
          dealtWith.add()
        }
      }
      #expect(dealtWith.count == 100)
      await keeper.settle()
      #expect(dealtWith.count == HealthKeeper.waitingMax + 100)
    }
  }

  @Test func `a cooldown is shown with its rule and level, ends by success, and by an operator`()
    async throws
  {
    try await prepared { box, keeper, ids in
      let token = try await box.signIn()
      let began = box.clock.now
      keeper.report(failure(.rateLimited, ids[0], box), dealtWith: nil)
      await keeper.settle()
      var shown = try await box.call(.get, "/api/providers/a1", as: token)
      let cooldown = shown.json["connection"]?["cooldowns"]?[0]
      #expect(cooldown?["rule"]?.string == "rate_limited", "\(shown.text)")
      #expect(cooldown?["model"] == .null)
      #expect(cooldown?["level"]?.int == 0)
      #expect(cooldown?["halfOpen"]?.bool == false)
      #expect(
        cooldown?["until"]?.string == rfc3339(UnixNanoseconds(began.rawValue + 1_000_000_000)))
      #expect(shown.json["connection"]?["testStatus"]?.string == "unavailable")

      box.clock.advance(seconds: 2)
      shown = try await box.call(.get, "/v1/admin/routing/backends/a1/health", as: token)
      #expect(shown.json["cooldowns"]?[0]?["halfOpen"]?.bool == true, "\(shown.text)")
      #expect(shown.json["rate_limited_until"] == .null)
      var good = failure(.rateLimited, ids[0], box)
      good.outcome = .succeeded
      keeper.report(good, dealtWith: nil)
      await keeper.settle()
      shown = try await box.call(.get, "/api/providers/a1", as: token)
      #expect(shown.json["connection"]?["cooldowns"]?.array == [])
      #expect(shown.json["connection"]?["testStatus"]?.string == "active")
      #expect(shown.json["connection"]?["lastError"] == .null)

      keeper.report(failure(.unauthorized, ids[0], box, status: 401), dealtWith: nil)
      await keeper.settle()
      let ended = try await box.call(.post, "/api/providers/a1/cooldown/end", as: token)
      #expect(ended.json["ended"]?.bool == true, "\(ended.text)")
      #expect(ended.json["connection"]?["cooldowns"]?.array == [])
    }
  }
}

@Suite struct `Health kept by regular tests` {
  private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  /// A box with one monitored account, and rounds of its monitor 13 s apart.
  private func prepared(
    _ body: (TestBox, AccountID, _ rounds: (Int) async -> Void) async throws -> Void
  ) async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      let added = try await box.call(
        .post, "/api/provider-nodes",
        #"{"id":"mock","baseUrl":"http://127.0.0.1:9/v1","models":[{"name":"m"}],"#
          + #""healthCheck":{"intervalSeconds":10}}"#, as: token)
      #expect(added.status == 201, "\(added.text)")
      #expect(added.json["node"]?["healthCheck"]?["intervalSeconds"]?.int == 10)
      let reply = try await box.call(
        .post, "/api/providers", #"{"provider":"mock","name":"a1","apiKey":"sk-upstream-1"}"#,
        as: token)
      let id = AccountID(try #require(reply.json["connection"]?["id"]?.string))
      let monitor = HealthMonitor(control: box.control, probe: box.probe, logger: Self.quiet)
      await monitor.step()
      try await body(box, id) { count in
        for _ in 0..<count {
          box.clock.advance(seconds: 13)
          await monitor.step()
        }
      }
    }
  }

  private func cooldown(_ box: TestBox, _ id: AccountID) -> AccountHealth.Cooldown? {
    box.control.state.health[id]?.cooldown
  }

  @Test func `three bad tests begin a cooldown, two good ones make it half-open`() async throws {
    try await prepared { box, id, rounds in
      await rounds(2)
      #expect(box.probe.asked == Array(repeating: .init(account: id, model: "m"), count: 2))
      #expect(box.control.state.health[id]?.testStatus == .active)
      box.probe.fail(503, .provider, "status_503")
      await rounds(2)
      #expect(cooldown(box, id) == nil)
      await rounds(1)
      #expect(cooldown(box, id)?.rule == "health_check")
      #expect(box.control.state.health[id]?.isCooling(at: box.clock.now) == true)
      box.probe.pass()
      await rounds(1)
      #expect(box.control.state.health[id]?.isCooling(at: box.clock.now) == true)
      await rounds(1)
      #expect(cooldown(box, id)?.isHalfOpen(at: box.clock.now) == true)
      #expect(cooldown(box, id)?.level == 0)
      // More good ones leave the last word to a request.
      await rounds(3)
      #expect(cooldown(box, id)?.isHalfOpen(at: box.clock.now) == true)
      // What is half-open needs no three bad ones.
      box.probe.fail(nil, .network, "connect_refused")
      await rounds(1)
      #expect(box.control.state.health[id]?.isCooling(at: box.clock.now) == true)
      #expect(cooldown(box, id)?.level == 1)
    }
  }

  @Test func `a test that says nothing of the account changes nothing`() async throws {
    try await prepared { box, id, rounds in
      for (status, errorClass, code) in [
        (UInt16?(429), ErrorClass.account, "rate_limited"), (400, .request, "status_400"),
        (404, .model, "status_404"), (nil, .gateway, "misconfigured"),
      ] {
        box.probe.fail(status, errorClass, code)
        await rounds(4)
        #expect(cooldown(box, id) == nil, "\(code)")
      }
      let before = box.control.state.position
      box.probe.fail(nil, .gateway, "overloaded")
      await rounds(4)
      #expect(box.control.state.position == before)
    }
  }

  @Test func `who is out is not asked, nor who is limited`() async throws {
    try await prepared { box, id, rounds in
      let token = try await box.signIn()
      func asked() async -> Int {
        let before = box.probe.asked.count
        await rounds(2)
        return box.probe.asked.count - before
      }
      #expect(await asked() == 2)
      _ = try await box.call(.post, "/v1/admin/routing/backends/a1/degrade", as: token)
      #expect(await asked() == 0)
      _ = try await box.call(.post, "/v1/admin/routing/backends/a1/healthy", as: token)
      // Back again, it is tested within an interval.
      await rounds(1)
      #expect(await asked() == 2)
      let limited = HealthEvent.CooldownStarted(
        account: id, scope: .account, rule: "rate_limited",
        until: UnixNanoseconds(box.clock.now.rawValue + 3_600_000_000_000))
      try await box.control.execute(provenance: .system) { _ in
        [Change(.health(.startCooldown(limited)))]
      }
      #expect(await asked() == 0)
      let set = try await box.call(
        .put, "/api/provider-nodes/mock", #"{"healthCheck":null}"#, as: token)
      #expect(set.status == 200, "\(set.text)")
      #expect(set.json["node"]?["healthCheck"] == .null)
      box.clock.advance(seconds: 4_000)
      #expect(await asked() == 0)
    }
  }

  @Test func `a result for a credential that was replaced meanwhile is dropped`() async throws {
    try await prepared { box, id, rounds in
      let token = try await box.signIn()
      box.probe.meanwhile {
        _ = try? await box.call(.put, "/api/providers/a1", #"{"apiKey":"sk-new-1"}"#, as: token)
      }
      box.probe.fail(401, .account, "status_401")
      await rounds(1)
      #expect(box.control.state.accounts[id]?.credential.generation == 2)
      #expect(box.control.state.health[id]?.testStatus ?? .unknown == .unknown)
    }
  }

  @Test func `an interval out of bounds is refused by name`() async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      for body in [
        "{\"intervalSeconds\":4}", "{\"intervalSeconds\":86401}", "{}", "7", "{\"x\":1}",
      ] {
        let reply = try await box.call(
          .post, "/api/provider-nodes",
          "{\"id\":\"mock\",\"baseUrl\":\"http://127.0.0.1:9/v1\",\"healthCheck\":\(body)}",
          as: token)
        #expect(reply.status == 400, "\(body): \(reply.text)")
        #expect(reply.field?.hasPrefix("healthCheck") == true, "\(body): \(reply.text)")
      }
    }
  }
}
