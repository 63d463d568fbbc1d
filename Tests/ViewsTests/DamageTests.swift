import Domain
import Foundation
import GRDB
import Support
import Testing

@testable import Views

@Suite("Damage in the views' file")
struct DamageTests {
  /// Every kind of question, each of which must be answered or say that the file is damaged.
  private func ask(_ views: ViewStore) throws {
    try views.touch()
    _ = try views.usage(from: nil, to: nil)
    _ = try views.usage(from: 489_900, to: 489_990)
    _ = try views.usage(minutes: .min..<(.max))
    let calls = try views.calls(minutes: .min..<(.max))
    _ = calls.values.reduce(into: CallTotals()) { $0.add($1) }.tokens
    _ = try views.inFlight()
    for mark in [
      RequestMark.key(KeyID("k1")), .status(400...499), .account(AccountID("a2")),
      .model("openai/gpt"), .failover,
    ] {
      _ = try views.pages(with: [[mark]], through: 1 << 40, limit: 1000)
    }
    var sum = UsageTotals()
    for (_, totals) in try views.usage(from: nil, to: nil) { sum.add(totals) }
    #expect(sum.failed <= sum.requests)
    _ = try views.digests()
  }

  /// A file with every table filled, on pages as small as SQLite has them.
  private func made(_ place: Place, seed: UInt64) throws -> (
    path: String, events: [RandomRequests.Placed]
  ) {
    let path = place.file("whole")
    let database = try DatabaseQueue(path: path)
    try database.writeWithoutTransaction {
      try $0.execute(sql: "PRAGMA page_size = 512; CREATE TABLE t (x); DROP TABLE t; VACUUM")
    }
    try database.close()
    let views = try ViewStore(path: path, storeID: 7)
    var requests = RandomRequests(seed: seed)
    let events = requests.next(600)
    try views.apply(try delta(events.prefix(500)))
    try views.close()
    return (path, events)
  }

  @Test(
    "is told as damage by whoever meets it, and never ends the process",
    arguments: 1...6 as ClosedRange<UInt64>)
  func flips(seed: UInt64) throws {
    let place = try Place()
    let (whole, events) = try made(place, seed: seed)
    let intact = try Data(contentsOf: URL(fileURLWithPath: whole))
    var random = SeededRandom(seed: seed)
    var met = 0
    for round in 0..<120 {
      var bytes = intact
      let page = random.int(0...intact.count / 512 - 1) * 512
      switch round % 3 {
      case 0:
        for _ in 0..<random.int(1...4) {
          bytes[page + random.int(0...511)] ^= UInt8(random.int(1...255))
        }
      case 1: bytes.replaceSubrange(page..<page + 512, with: random.bytes(512))
      default: bytes.replaceSubrange(page..<page + 8, with: [UInt8](repeating: 0xFF, count: 8))
      }
      let path = place.file("flipped")
      try ViewStore.remove(path: path)
      try bytes.write(to: URL(fileURLWithPath: path))
      do {
        let views = try ViewStore(path: path, storeID: 7)
        defer { try? views.close() }
        do {
          try ask(views)
          try views.apply(try delta(events.dropFirst(500)))
          try ask(views)
        } catch let fault as ViewFault {
          met += 1
          // Where the place was changed, the log is what it does not fit.
          if case .damaged = fault { #expect(views.damage != nil, "seed \(seed), round \(round)") }
        }
      } catch is ViewFault {
        met += 1
      } catch {
        Issue.record("seed \(seed), round \(round), page at \(page): \(error)")
      }
    }
    #expect(met > 40, "seed \(seed): \(met) of 120 were met")
  }

  @Test("and an end that is missing, are told as well")
  func cut() throws {
    let place = try Place()
    let (whole, _) = try made(place, seed: 1)
    let intact = try Data(contentsOf: URL(fileURLWithPath: whole))
    for pages in stride(from: 1, to: intact.count / 512, by: 3) {
      try ViewStore.remove(path: place.file("cut"))
      try intact.prefix(pages * 512).write(to: URL(fileURLWithPath: place.file("cut")))
      #expect(throws: ViewFault.self, "\(pages) pages") {
        try ask(try ViewStore(path: place.file("cut"), storeID: 7))
      }
    }
  }

  @Test("is not what a closed file has")
  func closed() throws {
    let place = try Place()
    let views = try ViewStore(path: place.file(), storeID: 7)
    try views.close()
    #expect(throws: ViewFault.closed) { try views.touch() }
    #expect(views.damage == nil)
  }

  @Test("a name that looks like the end of another makes another digest")
  func digests() throws {
    let place = try Place()
    var found: [[UInt8]] = []
    for (key, model) in [("a\" model=\"b", "c"), ("a", "b\" model=\"c")] {
      var requests = RandomRequests(seed: 3)
      var fact = requests.finished()
      (fact.key, fact.modelResolved) = (KeyID(key), model)
      (fact.operation, fact.attempts) = (.chatCompletions, [])
      let event = Event.request(.finished(fact))
      var one = ViewDelta()
      try one.take(
        position: 1, time: UnixNanoseconds(0), kind: event.kind, bytes: encode(event, .system)[...])
      let views = try ViewStore(path: place.file("\(key.count)"), storeID: 7)
      try views.apply(one)
      // The row of the operation tells the two apart anyway.
      try views.write {
        try $0.execute(
          sql: "DELETE FROM usage_hour WHERE series IN (SELECT id FROM series WHERE kind = 1)")
      }
      found.append(try #require(try views.digests().first { $0.table == "usage_by_hour" }).digest)
    }
    #expect(found[0] != found[1])
  }
}
