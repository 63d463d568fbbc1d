import Domain
import EventStore
import Inquiry
import Support
import Testing

/// What is supposed of who is let in, and values that nobody could set.
@Suite struct SuppositionTests {
  private static let key = KeyID("key-default")

  /// Four requests of a key that the log has, and one that was refused because the key was paused.
  private func story() throws -> TestLog {
    let log = try TestLog()
    try TestLog.provision(log)
    try log.run([
      .organisation(.create(.init(id: OrganisationID("acme"), name: "acme"))),
      .key(
        .create(
          .init(
            id: Self.key, name: "default", organisation: OrganisationID("acme"),
            fingerprint: Fingerprint([UInt8](repeating: 0xEE, count: 32)), masked: "sk-…1",
            diagnostics: false, expiresAt: nil))),
      .alias(.set(name: "fast", target: "p/m", allowUnresolved: false)),
    ])
    for number in UInt64(1)...4 {
      try log.append(.request(.finished(log.finished(number, "m", [.ok]))))
    }
    try log.run([.key(.pause(Self.key))])
    try log.append(
      .request(
        .finished(
          log.finished(5, "", [], status: 403, ending: .denied, errorCode: "key_paused"))))
    try log.run([.key(.resume(Self.key))])
    return log
  }

  private func suppose(_ log: TestLog, set: [String] = [], remove: [String] = []) throws
    -> WhatIfReport
  {
    try Replay.whatIf(
      log.reader(),
      set.map { try Supposition.set($0) } + remove.map { try Supposition.remove($0) },
      now: TestLog.now)
  }

  @Test(arguments: [
    ("key/key-default.status=paused", "key_paused"),
    ("key/key-default.status=revoked", "key_revoked"),
    ("key/key-default.expiresAt=2020-01-01T00:00:00Z", "key_expired"),
    ("key/key-default.allowedModels=other", "model_not_allowed"),
    ("key/key-default.allowedAccounts=p2", ""),
    ("organisation/acme.isActive=false", "key_paused"),
  ])
  func `who would not be let in is refused, by the gateway's own rule`(
    _ change: String, _ refusal: String
  ) throws {
    let report = try suppose(story(), set: [change])
    #expect(report.looked == 4 && report.moved == 4, "\(report.text)")
    let wanted: WhatIfReport.Outcome =
      refusal.isEmpty ? .account("p/p2", model: "m") : .refused(refusal)
    #expect(report.groups.map(\.after) == [wanted])
    #expect(report.failures.refused == (refusal.isEmpty ? 0 : 4))
    #expect(report.cost.after == 0)
  }

  @Test func `a key that is not there is revoked, and its organisation goes with it`() throws {
    let log = try story()
    let report = try suppose(log, remove: ["key/key-default"])
    #expect(report.moved == 4 && report.groups.map(\.after) == [.refused("key_revoked")])
    let both = try suppose(log, remove: ["key/key-default", "organisation/acme"])
    #expect(both.moved == 4)
    // As the API says it: not while it has keys.
    let fault = try #require(throws: InquiryFault.self) {
      try suppose(log, remove: ["organisation/acme"])
    }
    #expect(fault.code == .usage && "\(fault)".contains("Revoke its keys"), "\(fault)")
  }

  @Test func `a refused request that would be let in is not decided`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    var refused = try log.finished(
      1, "", [], status: 401, ending: .denied, errorCode: "missing_api_key")
    refused.key = nil
    try log.append(.request(.finished(refused)))
    let report = try suppose(log, set: ["settings.requireApiKey=false"])
    #expect(report.undecided.letIn == 1 && report.notRouted == 0)
    #expect(report.exitCode == .notReproducible)
    #expect(report.text.contains("undecided 1 request that would be let in"))
    #expect(try suppose(log, set: ["settings.maxAttempts=2"]).notRouted == 1)
  }

  @Test func `limits that are supposed are not decided, and counted`() throws {
    let log = try story()
    let text = """
      organisations:
        - {id: acme, limits: {rpm: 1}}

      """
    let file = try SupposedFile(name: "limits.yaml", text: text) { _ in nil }
    let report = try Replay.whatIf(log.reader(), [.file(file)], now: TestLog.now)
    // The paused one is refused before any limit is asked.
    #expect(report.undecided.limits == 4 && report.looked == 0 && report.notRouted == 1)
    #expect(report.exitCode == .notReproducible)
    #expect(report.loads.map(\.undecided) == [4] && report.loads.map(\.before) == [4])
  }

  @Test(arguments: [
    ("key/key-default.status=zzz", "`active`, `paused`, `revoked`"),
    ("key/key-default.status=", "`active`"),
    ("key/key-default.expiresAt=tomorrow", "RFC 3339"),
    ("key/key-default.budgets=5", "--config"),
    ("key/key-default.limits=5", "--config"),
    ("key/key-default.name=", "name"),
    ("key/key-default.allowedAccounts=nobody", "nobody"),
    ("settings.fallbackStrategy=round_robin", "`round-robin`"),
    ("settings.fallbackStrategy=", "`fill-first`"),
    ("settings.fallbackStrategy=roundrobin", "`session-sticky`"),
    ("settings.maxAttempts=99999999999", "settings"),
    ("settings.maxBodyBytes=0", "max"),
    ("account/p1.degraded=true", "the reason"),
    ("account/p1.name=", "account/p1"),
    ("account/p1.priority=99999999999", "account/p1"),
    ("provider/p.protocol=smtp", "`openai`"),
    ("provider/p.models=a", "--config"),
    ("provider/p.prefix=", "provider/p"),
    ("provider/p.baseUrl=nowhere", "base_url"),
    ("alias/fast.model=nope/x", "nope/x"),
    ("alias/fast.model=", "alias/fast"),
  ])
  func `what nobody could set is refused with what to write`(_ change: String, _ word: String)
    throws
  {
    let fault = try #require(throws: InquiryFault.self, "\(change)") {
      try suppose(story(), set: [change])
    }
    #expect(fault.code == .usage && "\(fault)".contains(word), "\(fault)")
  }

  @Test func `a value that nobody could set is refused where no request came too`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    let fault = try #require(throws: InquiryFault.self) {
      try suppose(log, set: ["settings.fallbackStrategy=round_robin"])
    }
    #expect(fault.code == .usage)
  }

  @Test func `an account is not degraded any more, however nothing is written`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    try log.run([.account(.degrade(AccountID("p1"), reason: "slow"))])
    try log.append(.request(.finished(log.finished(1, "m", [.ok]))))
    for nothing in ["false", "none", "–", ""] {
      let report = try suppose(log, set: ["account/p1.degraded=\(nothing)"])
      #expect(report.groups.map(\.after) == [.account("p/p1", model: "m")], "\(nothing)")
    }
    #expect(try suppose(log, set: ["account/p2.degraded=slow"]).failures.refused == 1)
  }

  @Test func `what hangs on what is not in the log is modelled, and never called decided`() throws {
    let log = try story()
    let strategies: [(String, WhatIfReport.Why)] = [
      ("round-robin", .turn), ("weighted", .turn), ("least-latency", .latency),
      ("session-sticky", .session),
    ]
    for (strategy, why) in strategies {
      let report = try suppose(log, set: ["settings.fallbackStrategy=\(strategy)"])
      #expect(report.looked == 0 && report.moved == 0, "\(strategy)")
      #expect(report.modelled.requests == 4 && report.modelled.why == [why: 4], "\(strategy)")
      #expect(report.text.contains("modelled  4 requests more"))
      #expect(report.groups.reduce(0) { $0 + $1.modelled } == report.modelled.moved)
      #expect(report.exitCode == (report.modelled.moved > 0 ? .differs : .same))
      // Of one account that can serve it is always the turn.
      let one = try suppose(
        log, set: ["settings.fallbackStrategy=\(strategy)", "account/p2.isActive=false"])
      #expect(one.looked == 4 && one.modelled.requests == 0, "\(strategy)")
    }
  }

  @Test func `what is recorded is recorded, whatever is supposed`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    for number in UInt64(1)...6 {
      var it = try log.finished(number, "m", number == 2 ? [.limited, .ok] : [.ok])
      it.costMicroUSD = 50
      try log.append(.request(.finished(it)))
    }
    // Refused though an account could serve as far as the log tells: nobody went there.
    try log.append(
      .request(
        .finished(
          log.finished(
            7, "m", [], status: 503, ending: .denied, errorCode: "no_account_available",
            errorClass: .gateway))))
    for change in [
      "settings.maxAttempts=3", "account/p1.isActive=false", "account/p1.name=zz",
      "provider/p.isActive=false",
    ] {
      let report = try suppose(log, set: [change])
      #expect(report.cost.before == 300, "\(change)")
      #expect(report.loads.filter { $0.before > 0 }.map(\.before) == [6], "\(change)")
      #expect(report.notReproducible == 1)
      switch change {
      case "provider/p.isActive=false":
        // What is refused costs nothing, and that is known.
        #expect(report.moved == 6 && report.cost.after == 0 && report.cost.unknownBefore == 0)
      case "account/p1.isActive=false": #expect(report.moved == 6)
      // A name is not where requests go.
      default: #expect(report.moved == 0 && report.cost.after == 300)
      }
    }
  }

  @Test func `failures are requests by how they ended, callers' faults apart`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    let rejected = TestLog.Result(status: 400, errorClass: .client, errorCode: "status_400")
    var ends = [
      try log.finished(
        1, "m", [rejected], status: 400, ending: .failed, errorCode: "status_400",
        errorClass: .client)
    ]
    ends.append(try log.finished(2, "m", [.limited, .ok]))
    ends.append(
      try log.finished(
        3, "m", [.refused, .refused], status: 502, ending: .failed, errorCode: "upstream_failed",
        errorClass: .network))
    ends.append(try log.finished(4, "m", [.ok]))
    for it in ends { try log.append(.request(.finished(it))) }
    let report = try suppose(log, remove: ["account/p1"])
    #expect(report.moved == 4)
    #expect(report.failures.recorded == 1 && report.failures.callers == 1)
    #expect(report.loads[0].failed == 2)
    #expect(report.text.contains("recorded   1, and 1 at callers' fault"))
  }
}
