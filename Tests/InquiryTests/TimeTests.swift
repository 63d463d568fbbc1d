import Domain
import EventStore
import Inquiry
import Support
import Testing

/// Ranges by time in logs whose clock was set back and forth.
@Suite struct TimeTests {
  /// Events in four segments, of which some are sealed, and the times that they have.
  private func log(_ random: inout SeededRandom) throws -> (log: TestLog, times: [Int64]) {
    let log = try TestLog()
    try log.close()
    var options = StoreOptions(seals: false)
    options.segmentEvents = 30
    try log.open(options)
    var times: [Int64] = []
    func append(_ count: Int) throws {
      for _ in 0..<count {
        switch Int.random(in: 0..<12, using: &random) {
        case 0: log.wait(seconds: .random(in: -400...400, using: &random))
        case 1: log.wait(seconds: -1)
        case 2: log.wait(seconds: -2)
        case _: break
        }
        try log.append(kind: "test.tick.v1", stream: "test", payload: [])
        times.append(log.time)
      }
    }
    try append(Int.random(in: 1...80, using: &random))
    try log.close()
    var sealing = StoreOptions()
    sealing.segmentEvents = 30
    try log.seal(sealing)
    try log.open(options)
    try append(Int.random(in: 0...60, using: &random))
    return (log, times)
  }

  @Test(arguments: 1...12)
  func `a range by time holds exactly the events with its times, however clocks were set`(
    _ seed: UInt64
  ) throws {
    var random = SeededRandom(seed: seed)
    let (log, times) = try log(&random)
    let reader = try log.reader()
    let least = try #require(times.min())
    let greatest = try #require(times.max())
    for _ in 0..<25 {
      let bounds = (0..<2).map { _ -> Int64 in
        let near = times.randomElement(using: &random) ?? least
        return [near, near + 1, near - 1, least - 1, greatest + 1].randomElement(using: &random)
          ?? near
      }
      let from: Int64? = Bool.random(using: &random) ? bounds[0] : nil
      let to: Int64? = Bool.random(using: &random) ? bounds[1] : nil
      let wanted = times.indices.filter { times[$0] >= from ?? .min && times[$0] <= to ?? .max }
      let selectors = (
        from.map { Selector.time(UnixNanoseconds($0)) },
        to.map { Selector.time(UnixNanoseconds($0)) }
      )
      let window = try Replay.window(
        reader, WindowQuery(from: selectors.0, to: selectors.1, limit: 0), now: TestLog.now)
      #expect(
        window.timeline.map { $0.place.split(separator: ":").last.map(String.init) }
          == wanted.map { String($0 + 1) })
      #expect(window.eventsInRange == UInt64(wanted.count))
      var rows: UInt64 = 0
      let export = try Replay.export(
        reader, ExportQuery(from: selectors.0, to: selectors.1, tables: [.events]),
        now: TestLog.now
      ) { _, _ in rows += 1 }
      #expect(rows == UInt64(wanted.count) && export.outside == window.eventsOutside)
      // What counts positions has all of them, and says how many others.
      let range = try Replay.range(reader, from: selectors.0, to: selectors.1, now: TestLog.now)
      let others = try Replay.countOutside(
        reader, from: selectors.0, to: selectors.1, now: TestLog.now)
      if let first = wanted.first, let last = wanted.last {
        let range = try #require(range)
        #expect(range.lowerBound.rawValue <= UInt64(first + 1))
        #expect(range.upperBound.rawValue >= UInt64(last + 1))
        let all = range.upperBound.rawValue - range.lowerBound.rawValue + 1
        #expect(others == all - UInt64(wanted.count) && others == window.eventsOutside)
      }
      if let to {
        let last = times.lastIndex { $0 <= to }
        #expect(try reader.lastPosition(atOrBefore: to).rawValue == UInt64((last ?? -1) + 1))
        let before = times.lastIndex { $0 < to }
        #expect(try reader.lastPosition(before: to).rawValue == UInt64((before ?? -1) + 1))
      }
    }
  }
}
