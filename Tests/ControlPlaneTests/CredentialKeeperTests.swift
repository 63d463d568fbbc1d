import Domain
import EventStore
import Support
import Synchronization
import Testing

@testable import ControlPlane

private let a1 = KeeperBox.account
private let a2 = AccountID("a2")
private let a3 = AccountID("a3")
private let spaced = KeeperBox.client(isShared: true, spacing: 40)

@Suite("the keeper of credentials") struct CredentialKeeperTests {
  @Test func `32 who want the same credential make one refresh and get what it brought`()
    async throws
  {
    try await KeeperBox.with(a1) { box in
      let gate = Gate()
      box.endpoint.answer { number in
        await gate.pass()
        return ScriptedEndpoint.token(number)
      }
      let results = await withTaskGroup(of: String.self) { group in
        for _ in 0..<32 { group.addTask { await box.refresh() } }
        await box.calls(1)
        gate.open()
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(results == Array(repeating: "newer 2", count: 32))
      #expect(box.endpoint.calls.presented == ["rt-a1-1"])
      let kinds = try box.kinds().dropFirst()
      #expect(kinds == ["credential.refresh_attempted.v1", "credential.refreshed.v1"])
      // And who comes with the old one later.
      #expect(await box.refresh() == "newer 2")
      #expect(box.endpoint.calls.times.count == 1)
    }
  }

  @Test func `a family's refreshes follow one another at its spacing`() async throws {
    try await KeeperBox.with(a1, a2, a3, client: spaced) { box in
      var told: [String] = []
      await withTaskGroup(of: String.self) { group in
        for id in [a1, a2, a3] { group.addTask { await box.refresh(id) } }
        for await one in group { told.append(one) }
      }
      // Who comes behind another one is not kept waiting; its turn comes without it.
      #expect(told.sorted() == ["newer 2", "waits", "waits"])
      await box.reached(2, a1, a2, a3)
      let times = box.endpoint.calls.times.map(\.rawValue)
      #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 >= 40_000_000_000 }, "\(times)")
      #expect(box.endpoint.calls.most == 1 && times.count == 3)
      #expect(box.waits == [.seconds(40), .seconds(40)])
    }
  }

  @Test
  func
    `a spacing that is over is not waited for again, and a clock set back makes nobody wait longer`()
    async throws
  {
    try await KeeperBox.with(a1, a2, a3, client: spaced) { box in
      #expect(await box.refresh(a1) == "newer 2")
      box.clock.advance(seconds: 41)
      #expect(await box.refresh(a2) == "newer 2")
      #expect(box.waits == [])
      box.clock.advance(seconds: -7_200)
      #expect(await box.refresh(a3) == "waits")
      await box.reached(2, a3)
      #expect(box.waits == [.seconds(40)])
    }
  }

  @Test func `accounts of families of their own are refreshed at the same time`() async throws {
    try await KeeperBox.with(a1, a2) { box in
      let gate = Gate()
      box.endpoint.answer { number in
        await gate.pass()
        return ScriptedEndpoint.token(number)
      }
      async let first = box.refresh(a1)
      async let second = box.refresh(a2)
      await box.calls(2)
      #expect(box.endpoint.calls.most == 2)
      gate.open()
      #expect(await [first, second] == ["newer 2", "newer 2"])
    }
  }

  @Test
  func `an answer that is lost leaves the token in use, and is asked for again when that ends`()
    async throws
  {
    try await KeeperBox.with(a1) { box in
      box.endpoint.answer { _ in .noAnswer("timeout") }
      #expect(await box.refresh() == "failed timeout")
      guard case .uncertain(let doubt) = try box.credential().standing else {
        Issue.record("it is not what it should be")
        return
      }
      #expect(doubt.reason == .answerLost)
      let held = try box.credential()
      #expect(held.generation == 1)
      // As long as the access token is good nobody presents the other one again.
      box.clock.advance(seconds: 1_800)
      for cause in [RefreshCause.proactive, .byOperator] {
        #expect(await box.refresh(cause) == "refused not_refreshable")
      }
      box.keeper.begin()
      box.endpoint.answer { _ in ScriptedEndpoint.refusal(400, "invalid_grant") }
      box.clock.advance(seconds: 1_801)
      box.keeper.begin()
      await box.calls(2)
      await box.ended()
      // The refusal is for the attempt whose answer was lost.
      guard case .reauthRequired(let refusal) = try box.credential().standing else {
        Issue.record("it is not what it should be")
        return
      }
      #expect(refusal.attempt == doubt.attempt && refusal.code == "invalid_grant")
      #expect(box.endpoint.calls.presented == ["rt-a1-1", "rt-a1-1"])
    }
  }

  @Test
  func
    `an endpoint that fails is asked again after half a minute, then after twice as long each time`()
    async throws
  {
    try await KeeperBox.with(a1) { box in
      box.endpoint.answer { _ in ScriptedEndpoint.refusal(503, "server_error") }
      box.clock.advance(seconds: 3_400)
      box.keeper.begin()
      await box.calls(1)
      await box.ended()
      var number = 1
      for wait in [30, 60, 120, 240, 480, 960, 1_800, 1_800] as [Int64] {
        box.clock.advance(seconds: wait - 1)
        #expect(await box.refresh(.proactive) == "refused not_refreshable", "\(wait) s")
        box.keeper.begin()
        box.clock.advance(seconds: 1)
        box.keeper.begin()
        number += 1
        await box.calls(number)
        await box.ended()
        #expect(box.endpoint.calls.times.count == number, "\(wait) s")
      }
      let failing = try box.credential()
      #expect(failing.generation == 1 && failing.standing == .usable)
      // The provider's own word is longer; an operator does not wait.
      box.endpoint.answer { _ in
        ScriptedEndpoint.refusal(429, "rate_limit_exceeded", retryAfter: 7_200)
      }
      #expect(await box.refresh(.byOperator) == "failed rate_limit_exceeded")
      box.endpoint.answer { ScriptedEndpoint.token($0) }
      box.clock.advance(seconds: 7_199)
      #expect(await box.refresh() == "refused not_refreshable")
      box.clock.advance(seconds: 1)
      #expect(await box.refresh() == "newer 2")
      let renewed = try box.credential()
      #expect(renewed.failures == 0)
    }
  }

  @Test
  func `a token that the full log does not take is not used before it does, and not given up`()
    async throws
  {
    try await KeeperBox.with(a1) { box in
      box.endpoint.answer { number in
        box.disk.isFull = true
        return ScriptedEndpoint.token(number)
      }
      let before = Mutex<[String]>([])
      box.onWait { number in
        let held = box.control.held(a1)
        before.withLock {
          $0.append(
            "\(held?.credential.generation ?? 0) \(held?.material.access == Secret("at-a1-1"))")
        }
        if number == 3 { box.disk.isFull = false }
      }
      #expect(await box.refresh() == "newer 2")
      #expect(box.waits == Array(repeating: .seconds(1), count: 3))
      #expect(before.withLock { $0 } == Array(repeating: "1 true", count: 3))
      #expect(box.control.held(a1)?.material.access == Secret("at-new-1"))
      #expect(box.endpoint.calls.times.count == 1)
    }
  }

  @Test func `with a log that is full beforehand the provider is not called`() async throws {
    try await KeeperBox.with(a1) { box in
      box.disk.isFull = true
      #expect(await box.refresh() == "failed log_unavailable")
      #expect(box.endpoint.calls.times.isEmpty && box.waits.isEmpty)
      box.disk.isFull = false
      box.disk.pass(.seconds(1))
      #expect(await box.refresh() == "newer 2")
    }
  }

  @Test func `a stop does not wait for a family's turn`() async throws {
    try await KeeperBox.with(a1, a2, client: spaced) { box in
      #expect(await box.refresh(a1) == "newer 2")
      box.holdWaits()
      #expect(await box.refresh(a2) == "waits")
      while box.waits.isEmpty { await Task.yield() }
      await box.keeper.finish()
      let attempts = try box.credential(a2).attempts
      #expect(attempts == 0)
      #expect(box.endpoint.calls.times.count == 1)
    }
  }

  @Test func `a stop waits for the refresh under way and begins none`() async throws {
    try await KeeperBox.with(a1, a2) { box in
      let gate = Gate()
      box.endpoint.answer { number in
        await gate.pass()
        return ScriptedEndpoint.token(number)
      }
      async let first = box.refresh(a1)
      await box.calls(1)
      let isOver = Mutex(false)
      let stopping = Task {
        await box.keeper.finish()
        isOver.withLock { $0 = true }
      }
      // Closed from the moment on that others are sent away.
      while await box.refresh(a2, presented: 0) != "failed shutting_down" { await Task.yield() }
      #expect(await box.refresh(a2) == "failed shutting_down")
      // Who wants the one under way still gets it.
      async let second = box.refresh(a1)
      #expect(!isOver.withLock { $0 })
      gate.open()
      #expect(await [first, second] == ["newer 2", "newer 2"])
      await stopping.value
      let last = try box.kinds().last
      #expect(last == "credential.refreshed.v1")
      #expect(box.endpoint.calls.times.count == 1)
    }
  }

  @Test func `a stop while the log is full ends, and the next start says that nobody knows`()
    async throws
  {
    try await withDirectory { directory in
      let box = try KeeperBox(in: directory)
      try await box.signIn([a1], KeeperBox.client())
      box.endpoint.answer { number in
        box.disk.isFull = true
        return ScriptedEndpoint.token(number)
      }
      let stopping = Mutex<Task<Void, Never>?>(nil)
      box.onWait { number in
        if number == 2 { stopping.withLock { $0 = Task { await box.keeper.finish() } } }
      }
      #expect(await box.refresh() == "failed log_unavailable")
      await stopping.withLock { $0 }?.value
      box.disk.isFull = false
      try box.store.close()

      let next = try KeeperBox(box.disk, clock: box.clock, in: directory)
      try await next.keeper.recover()
      guard case .uncertain(let doubt) = try next.credential().standing else {
        Issue.record("it is not uncertain")
        return
      }
      #expect(doubt.reason == .unfinished)
      let held = try next.credential()
      #expect(held.generation == 1)
      #expect(next.control.held(a1)?.material.access == Secret("at-a1-1"))
      try next.store.close()
    }
  }

  @Test func `what a refresh brings for a generation that is over is refused, and on record`()
    async throws
  {
    try await KeeperBox.with(a1) { box in
      let gate = Gate()
      box.endpoint.answer { number in
        await gate.pass()
        return ScriptedEndpoint.token(number)
      }
      async let late = box.refresh()
      await box.calls(1)
      let (terms, sealed) = KeeperBox.terms("signed-in-anew", box.control)
      try await box.control.execute(provenance: .system) { _ in
        [Change(.account(.issueCredential(a1, terms)), secret: sealed)]
      }
      gate.open()
      // Newer than the one that was presented, though not by the refresh.
      #expect(await late == "newer 2")
      let last = try box.kinds().last
      #expect(last == "credential.stale_write_refused.v1")
      #expect(box.control.held(a1)?.material.access == Secret("at-signed-in-anew"))
    }
  }
}
