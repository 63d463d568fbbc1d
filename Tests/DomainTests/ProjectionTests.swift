import Domain
import Foundation
import Support
import Testing

/// A record as a log would hold it.
private struct Line {
  var position: UInt64
  var epoch: UInt64
  var kind: String
  var bytes: [UInt8]

  func recorded() throws -> Recorded {
    try Recorded(position: position, time: second(position), kind: kind, bytes: bytes)
  }
}

/// A log of commands, requests that begin and end or do not, lives of the gateway, and kinds of later builds.
private func randomLog(seed: UInt64, steps: Int) throws -> [Line] {
  var random = SeededRandom(seed: seed)
  var state = ControlState.initial
  var lines: [Line] = []
  var epoch: UInt64 = 1
  var requests: UInt64 = 0
  func append(_ kind: String, _ bytes: [UInt8]) {
    lines.append(
      Line(position: UInt64(lines.count) + 1, epoch: epoch, kind: kind, bytes: bytes))
  }
  func append(_ event: Event, _ provenance: Provenance = .system) {
    append(event.kind, encode(event, provenance))
  }
  let admin = Provenance(actor: "admin", source: .api, address: "127.0.0.1:1", correlation: 7)
  for _ in 0..<steps {
    let request = RequestID(UInt128(random.int(1...max(1, Int(requests)))))
    switch random.int(0...11) {
    case 0, 1, 2, 3:
      guard let proposed = try? decide(randomCommand(&random), state) else { continue }
      for one in proposed {
        append(one.event, random.oneIn(2) ? admin : .system)
        state.apply(try #require(lines.last).recorded())
      }
    case 4, 5:
      requests += 1
      append(
        .request(
          .dispatched(
            .init(
              id: RequestID(UInt128(requests)),
              clientRequestID: random.oneIn(2) ? "req-\(requests)" : nil, organisation: .standard,
              key: random.oneIn(2) ? KeyID("k1") : nil, operation: .chatCompletions,
              modelAsked: "fast", receivedAt: second(requests),
              account: random.oneIn(2) ? AccountID("a1") : nil))))
    case 6, 7:
      var finished = RequestEvent.Finished.random(&random)
      if random.oneIn(2) { finished.id = request }
      append(.request(.finished(finished)))
    case 8:
      append(
        .request(
          .interrupted(
            .init(
              id: request, clientRequestID: nil, organisation: nil, key: nil, dispatchedAt: 1))))
    case 9:
      // Any kind, also where nobody would have decided it.
      append(try #require(WireKind.sample(WireKind.all[random.int(0...WireKind.all.count - 1)])))
      state.apply(try #require(lines.last).recorded())
      if lines.last?.kind == "gateway.started.v1" { epoch += 1 }
    case 10:
      append(.gateway(.gapOpened(.init(reason: "full"))))
      if random.oneIn(2) {
        append(.gateway(.gapClosed(.init(opened: UInt64(lines.count), count: nil))))
      }
    case _:
      let kind = ["combo.set.v9", "request.moved.v9", "gateway.slept.v9"][random.int(0...2)]
      append(kind, encode(.settings(.adminPasswordSet), admin) + random.bytes(3))
    }
  }
  return lines
}

extension GatewayProjection {
  fileprivate mutating func take(_ lines: some Sequence<Line>) throws {
    for line in lines {
      try apply(
        position: line.position, epoch: line.epoch, time: second(line.position), kind: line.kind,
        bytes: line.bytes[...])
    }
  }

  fileprivate static func folded(_ lines: some Sequence<Line>) throws -> GatewayProjection {
    var projection = initial
    try projection.take(lines)
    return projection
  }
}

@Test(
  "the fold from any encoded position and the tail behind it is the fold from zero, byte for byte",
  arguments: UInt64(0)..<100)
func projectsAnywhere(seed: UInt64) throws {
  var random = SeededRandom(seed: seed)
  let lines = try randomLog(seed: seed, steps: random.int(1...160))
  let whole = try GatewayProjection.folded(lines)
  for _ in 0..<30 {
    let cut = random.int(0...lines.count)
    let snapshot = try GatewayProjection.folded(lines[..<cut]).encoded()
    var projection = try GatewayProjection(decoding: snapshot)
    #expect(projection.position == UInt64(cut), "seed \(seed)")
    #expect(projection.encoded() == snapshot, "seed \(seed), position \(cut)")
    // Further snapshots on the way make no difference either.
    let second = random.int(cut...lines.count)
    try projection.take(lines[cut..<second])
    projection = try GatewayProjection(decoding: projection.encoded())
    try projection.take(lines[second...])
    #expect(projection == whole, "seed \(seed), positions \(cut), \(second)")
    #expect(projection.encoded() == whole.encoded(), "seed \(seed), positions \(cut), \(second)")
  }
}

@Test("the random logs hold events of every kind")
func drawsEveryKind() throws {
  var missing = Set(WireKind.all)
  for seed in UInt64(0)..<100 where !missing.isEmpty {
    var random = SeededRandom(seed: seed)
    missing.subtract(try randomLog(seed: seed, steps: random.int(1...160)).map(\.kind))
  }
  #expect(missing == [])
}

@Test("what is passed over undecoded would have changed nothing", arguments: UInt64(0)..<100)
func projectsRecordsAlike(seed: UInt64) throws {
  let lines = try randomLog(seed: seed, steps: 120)
  var state = ControlState.initial
  var lean = GatewayProjection.initial
  var thorough = GatewayProjection.initial
  var inFlight = InFlight()
  var unknown: UInt64 = 0
  var unknownBefore: UInt64 = 0
  for line in lines {
    let record = try line.recorded()
    try lean.take([line])
    thorough.apply(record, epoch: line.epoch)
    #expect(lean == thorough, "seed \(seed), position \(line.position)")
    // By the single folds that the projection stands for.
    state.apply(record)
    inFlight.apply(record)
    if case .event(.gateway(.started)) = record.content { inFlight = InFlight() }
    if record.event == nil, line.kind.hasPrefix("combo.") { unknown += 1 }
    #expect(lean.state == state && lean.inFlight == inFlight && lean.unknownEvents == unknown)
    #expect(lean.position == line.position)
    if state.position == line.position { unknownBefore = unknown }
    #expect(lean.unknownBeforeState == unknownBefore)
  }
}

@Test("the last change of each stream is who wrote it, where and when", arguments: UInt64(0)..<40)
func projectsChanges(seed: UInt64) throws {
  let lines = try randomLog(seed: seed, steps: 120)
  var expected: [String: UInt64] = [:]
  for line in lines {
    guard let event = try line.recorded().event else { continue }
    if line.kind.hasPrefix("request.") || line.kind.hasPrefix("gateway.") { continue }
    let isPassword = event == .settings(.adminPasswordSet)
    expected[isPassword ? GatewayProjection.passwordChange : event.stream] = line.position
  }
  let changes = try GatewayProjection.folded(lines).changes
  #expect(changes.mapValues(\.position) == expected, "seed \(seed)")
  for change in changes.values {
    let line = lines[Int(change.position) - 1]
    let record = try line.recorded()
    #expect(change.kind == line.kind && change.epoch == line.epoch && change.time == record.time)
    #expect(change.actor == record.provenance.actor && change.source == record.provenance.source)
  }
}

@Test("what the next start asks of the lives before it")
func projectsLives() {
  let started = Event.gateway(
    .started(
      .init(
        version: "1", epoch: 1, recording: .standard, listen: "", previousStopWasClean: true,
        interruptedRequests: 0)))
  let stopped = Event.gateway(.stopped(.init(reason: "SIGTERM", cutRequests: 0)))
  let opened = Event.gateway(.gapOpened(.init(reason: "full")))
  func closed(_ position: UInt64) -> Event {
    .gateway(.gapClosed(.init(opened: position, count: 1)))
  }
  let noise = Event.settings(.adminPasswordSet)
  let rows: [(events: [Event], ended: Bool?, openGap: UInt64?)] = [
    ([], nil, nil), ([noise], nil, nil), ([started], false, nil), ([started, stopped], true, nil),
    ([started, stopped, noise], true, nil), ([started, stopped, started], false, nil),
    ([stopped], true, nil), ([started, opened], false, 2),
    ([started, opened, closed(2)], false, nil),
    ([opened, opened, closed(1)], nil, 2), ([opened, stopped, started], false, 1),
  ]
  for row in rows {
    var projection = GatewayProjection.initial
    for record in recorded(row.events) { projection.apply(record, epoch: 1) }
    #expect(projection.life.endedByStopping == row.ended, "\(row.events.map(\.kind))")
    #expect(projection.life.openGap == row.openGap, "\(row.events.map(\.kind))")
  }
}

@Test("an end that cannot be read stops the fold")
func projectsDamage() throws {
  var projection = GatewayProjection.initial
  func take(_ kind: String, _ bytes: [UInt8]) throws {
    try projection.apply(
      position: projection.position + 1, epoch: 1, time: second(1), kind: kind, bytes: bytes[...])
  }
  let dispatched = try #require(WireKind.sample("request.dispatched.v1"))
  try take("request.dispatched.v1", encode(dispatched, .system))
  let before = projection
  #expect(throws: DecodingFailure.self) { try take("request.finished.v1", []) }
  #expect(throws: DecodingFailure.self) { try take("request.interrupted.v2", [1]) }
  #expect(throws: DecodingFailure.self) { try take("alias.set.v1", [1]) }
  #expect(projection == before)
  try take("request.denied_summary.v1", [])
  #expect(projection.position == 2)
}

@Test("what was spent is the same whether records are read whole or in part")
func projectsSpending() throws {
  for seed in UInt64(0)..<500 {
    var random = SeededRandom(seed: seed)
    var whole = GatewayProjection.initial
    var partly = GatewayProjection.initial
    var ledger = Ledger()
    for position in UInt64(1)...4 {
      let finished = RequestEvent.Finished.random(&random)
      let bytes = encode(.request(.finished(finished)), .system)
      let kind = finished.wireKind.rawValue
      whole.apply(
        try Recorded(position: position, time: second(1), kind: kind, bytes: bytes[...]), epoch: 1)
      try partly.apply(
        position: position, epoch: 1, time: second(1), kind: kind, bytes: bytes[...])
      if let organisation = finished.organisation {
        ledger.settle(
          finished.charge, of: .organisation(organisation), receivedAt: finished.receivedAt,
          budgets: [])
      }
      if let key = finished.key {
        ledger.settle(
          finished.charge, of: .key(key), receivedAt: finished.receivedAt, budgets: [])
      }
    }
    #expect(whole == partly, "seed \(seed)")
    #expect(whole.ledger == ledger, "seed \(seed)")
  }
}

@Test("an interrupted request is charged what was set aside for it")
func chargesInterrupted() throws {
  let interrupted = try #require(WireKind.sample("request.interrupted.v2"))
  guard case .request(.interrupted(let fact)) = interrupted, let charge = fact.charge,
    let key = fact.key
  else {
    Issue.record("the sample is another one")
    return
  }
  var projection = GatewayProjection.initial
  try projection.apply(
    position: 1, epoch: 1, time: second(1), kind: "request.interrupted.v2",
    bytes: encode(interrupted, .system)[...])
  let used = projection.ledger.entries[.key(key)]?.used(.month, at: charge.receivedAt)
  #expect(used == Spend(microUSD: charge.reserve.microUSD, tokens: charge.reserve.tokens))
}

// MARK: Encoding

/// A history with everything in it that an encoding has a place for.
private func richProjection() throws -> GatewayProjection {
  let admin = Provenance(actor: "admin", source: .api, address: "127.0.0.1:50123")
  let samples = [
    "gateway.started.v1", "provider.added.v1", "account.added.v1", "credential.issued.v1",
    "alias.set.v1", "key.created.v1", "settings.changed.v1", "settings.admin_password_set.v1",
    "request.finished.v1", "request.dispatched.v1", "gateway.gap_opened.v1",
    "gateway.checkpoint_signed.v1",
    "gateway.stopped.v1",
  ]
  var events = try samples.map { try #require(WireKind.sample($0)) }
  events += [
    .added(provider("p2", prefix: "p2", models: models("m1", "m2"), excluded: ["x*"])),
    .added(account("gone", at: "p2")), .issued("gone", 3, 7), .account(.removed(AccountID("gone"))),
    .added(account("bare", at: "p2", name: "Ünï")), .aliased("slow", "nowhere", isUnresolved: true),
    .created(key("k1", 1)), .key(.paused(KeyID("k1"))), .created(key("k2", 2)),
    .key(.revoked(KeyID("k2"))),
  ]
  var projection = GatewayProjection.initial
  for record in recorded(events) {
    var record = record
    if !record.kind.hasPrefix("gateway.") { record.provenance = admin }
    projection.apply(record, epoch: 2)
  }
  projection.apply(
    Recorded(
      position: projection.position + 1, time: second(99), kind: "combo.set.v9",
      provenance: admin, content: .unknown(bytes: [])), epoch: 2)
  return projection
}

@Test("an encoding cut anywhere is a failure, never a trap")
func survivesTruncatedProjections() throws {
  let bytes = try richProjection().encoded()
  for length in 0..<bytes.count {
    #expect(throws: DecodingFailure.self, "\(length) of \(bytes.count)") {
      try GatewayProjection(decoding: Array(bytes.prefix(length)))
    }
  }
  #expect(throws: DecodingFailure.self) { try GatewayProjection(decoding: bytes + [0]) }
}

@Test("any bytes are a failure or a value that encodes to just these bytes")
func survivesAnyProjections() throws {
  let bytes = try richProjection().encoded()
  func expectCanonical(_ bytes: [UInt8], _ comment: Comment) {
    guard let value = try? GatewayProjection(decoding: bytes) else { return }
    #expect(value.encoded() == bytes, comment)
  }
  for bit in 0..<bytes.count * 8 {
    var flipped = bytes
    flipped[bit / 8] ^= 1 << UInt8(bit % 8)
    expectCanonical(flipped, "bit \(bit)")
  }
  for seed in UInt64(0)..<2_000 {
    var random = SeededRandom(seed: seed)
    var mixed = bytes
    for _ in 0..<random.int(1...4) {
      let at = random.int(0...mixed.count - 1)
      switch random.int(0...3) {
      case 0: mixed[at] = UInt8(random.int(0...255))
      case 1: mixed.insert(contentsOf: random.bytes(random.int(1...9)), at: at)
      case 2: mixed.removeSubrange(at..<min(mixed.count, at + random.int(1...40)))
      case _: mixed.append(contentsOf: mixed[at..<min(mixed.count, at + 60)])
      }
      if mixed.isEmpty { mixed = [0] }
    }
    expectCanonical(mixed, "seed \(seed)")
    expectCanonical(random.bytes(random.int(0...60)), "seed \(seed)")
  }
}

@Test("rows out of order, or twice, are not what this encoder writes")
func refusesOtherOrders() throws {
  // Position, state's position, then two providers by their ids.
  func encoding(_ ids: [String]) -> [UInt8] {
    var bytes: [UInt8] = [0, 0, UInt8(ids.count)]
    for id in ids {
      bytes += [UInt8(id.utf8.count)] + Array(id.utf8)
      bytes += [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0]
    }
    // Accounts, tombstones, health, aliases, combos, policies, organisations, keys; settings with those of sync;
    // prices; sessions; identity, name, author, clock, edits, withheld ones and since when, peers; tokens; revisions, requests, spending, life, changes, unknown.
    return bytes + [0, 0, 0, 0, 0, 0, 0, 0] + [0, 1, 0, 0, 3, 8, 1] + [0, 0, 1, 0, 0]
      + [0, 0, 0] + [0, 0, 0, 0, 0] + [
        0, 0,
      ]
      + [0] + [0, 0, 0, 0, 0, 0, 0] + [0] + [0, 0, 0, 0, 0, 0, 0]
  }
  #expect(try GatewayProjection(decoding: encoding(["a", "b"])).state.providers.count == 2)
  for ids in [["b", "a"], ["a", "a"]] {
    let failure = #expect(throws: DecodingFailure.self) {
      try GatewayProjection(decoding: encoding(ids))
    }
    #expect(failure?.reason == .notCanonical)
  }
}

@Test("the encoding is the one that its version names")
func keepsGoldenProjection() throws {
  let layout = try #require(GatewayProjection.version.split(separator: "-").first)
  #expect(try #/^[0-9]+-[0-9a-f]{16}$/#.wholeMatch(in: GatewayProjection.version) != nil)
  let file = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../Fixtures/projection/gateway-\(layout).bin").standardizedFileURL
  let bytes = try richProjection().encoded()
  let isThere = FileManager.default.fileExists(atPath: file.path(percentEncoded: false))
  // Written once: another encoding, or another outcome of the same history, needs another layout number.
  if !isThere, ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: file)
  }
  let golden = [UInt8](try Data(contentsOf: file))
  #expect(golden == bytes, "the encoding changed: raise GatewayProjection.layout")
  #expect(try GatewayProjection(decoding: golden) == richProjection())
}
