import Domain
import EventStore
import Foundation
import Inquiry
import Testing
import Views

/// `verify` holds the tables in SQLite against the log, wherever they are in it, and changes nothing of them.
@Suite struct ViewVerdictTests {
  private func path(_ log: TestLog) -> String { log.directory + "/views/usage.sqlite" }

  /// New tables beside a log, through a position.
  private func makeViews(
    _ log: TestLog, through end: UInt64 = .max, _ alter: (UInt64, Int64) -> Int64 = { $1 }
  ) throws -> ViewStore {
    try FileManager.default.createDirectory(
      atPath: log.directory + "/views", withIntermediateDirectories: true)
    try ViewStore.remove(path: path(log))
    let reader = try log.reader()
    let views = try ViewStore(path: path(log), storeID: reader.storeID)
    var delta = ViewDelta()
    try reader.scan(from: Position(1), through: Position(end)) { entry in
      guard case .event(let stored) = entry else { return .stop }
      let position = stored.position.rawValue
      try delta.take(
        position: position, time: UnixNanoseconds(alter(position, stored.time)), kind: stored.kind,
        bytes: stored.payload)
      return .continue
    }
    if delta.count > 0 {
      try views.apply(
        delta, after: .origin,
        chain: ViewFold(reader: reader).chain(at: Position(delta.position)))
    }
    return views
  }

  private func verdict(_ log: TestLog) throws -> ViewVerdict {
    let verdict = try Replay.verify(log.reader(), now: TestLog.now)
    #expect(verdict.exitCode == (verdict.views.isWrong ? .differs : .same))
    #expect(verdict.text.contains("views      \(verdict.views.text)\n"))
    return verdict.views
  }

  /// The name and the bytes of every file beside the log, and when it was changed.
  private func looks(_ log: TestLog) throws -> [String: Data] {
    var found: [String: Data] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: log.directory) {
      let path = log.directory + "/" + name
      var isDirectory: ObjCBool = false
      _ = FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
      let changed = try FileManager.default.attributesOfItem(atPath: path)[.modificationDate]
      let bytes = isDirectory.boolValue ? Data() : try Data(contentsOf: URL(fileURLWithPath: path))
      found["\(name) \(String(describing: changed))"] = bytes
    }
    return found
  }

  @Test func `views are the same wherever they are in the log, and say how far behind`() throws {
    let log = try TestLog.story()
    try log.close()
    #expect(try verdict(log).finding == .none("the log's directory has none; a gateway makes them"))
    let end = try log.reader().last.rawValue
    for position in 0...end {
      try makeViews(log, through: position).close()
      let before = try looks(log)
      let found = try verdict(log)
      #expect(found.finding == (position == 0 ? .empty : .same), "at \(position): \(found.text)")
      #expect(found.behind == end - position)
      #expect((found.through == nil) == (position == 0))
      #expect(found.isSame == (position > 0))
      #expect(try looks(log) == before)
    }
    #expect(try verdict(log).text == "same through 2:\(end)")
  }

  @Test func `views of an empty log are what it gives`() throws {
    let log = try TestLog()
    try makeViews(log).close()
    #expect(try Replay.compareViews(log.reader()).finding == .same)
  }

  @Test func `also while somebody writes to log and views`() throws {
    let log = try TestLog.story()
    let views = try makeViews(log)
    #expect(try verdict(log).finding == .same)
    let at = views.checkpoint.position
    try log.append(.request(.finished(log.finished(900, "fast", [.ok]))))
    let found = try verdict(log)
    #expect(found.finding == .same && found.behind == 1 && found.through == "2:\(at)")
    try views.close()
  }

  @Test func `a row that is not what the log gives is shown beside what that gives`() throws {
    let log = try TestLog.story()
    // A day later than it was.
    try makeViews(log) { position, time in position == 10 ? time + 86_400_000_000_000 : time }
      .close()
    let found = try verdict(log)
    #expect(found.finding == .differ && found.isWrong)
    let difference = try #require(found.difference)
    #expect(difference.table == "usage_minute")
    // The minute has the request in the log and none in the file.
    let requests = [difference.here, difference.there].map { row in
      row?.split(separator: " ").first { $0.hasPrefix("requests=") }.map(String.init)
    }
    #expect(requests[0] != nil && requests[1] != nil && requests[0] != requests[1])
    #expect(found.tables.contains { !$0.isSame } && found.tables.contains { $0.isSame })
    #expect(try verdict(log).json == found.json)
  }

  @Test func `what is no view, another log's, or ahead of the log cannot be used`() throws {
    let (log, other) = (try TestLog.story(), try TestLog.story())
    try log.close()
    func check(_ words: String) throws {
      let found = try verdict(log)
      guard case .unusable(let fault) = found.finding else {
        Issue.record("\(found.text)")
        return
      }
      #expect(fault.description.contains(words), "\(fault)")
      #expect(found.tables.isEmpty && found.behind == nil)
    }
    try FileManager.default.createDirectory(
      atPath: log.directory + "/views", withIntermediateDirectories: true)
    try Data("nothing like it".utf8).write(to: URL(fileURLWithPath: path(log)))
    try check("damaged")
    try makeViews(other).close()
    try ViewStore.remove(path: path(log))
    try FileManager.default.copyItem(atPath: path(other), toPath: path(log))
    try check("of store")
    // The same log, which had more when they were made.
    let copy = try TestLog(copyOf: other)
    try copy.append(.request(.finished(copy.finished(901, "fast", [.ok]))))
    try makeViews(copy).close()
    try ViewStore.remove(path: path(other))
    try FileManager.default.copyItem(atPath: path(copy), toPath: path(other))
    let found = try verdict(other)
    guard case .unusable(.astray(let why)) = found.finding else {
      Issue.record("\(found.text)")
      return
    }
    #expect(why.contains("the log \(other.last)"))
  }

  @Test func `a bundle has none, and a damaged log gives none`() throws {
    let log = try TestLog.incident()
    try makeViews(log).close()
    try log.close()
    let path = log.directory + "/it.bundle"
    _ = try Replay.bundle(log.reader(), BundleQuery(), to: path, now: TestLog.now)
    let bundled = try Replay.verify(LogReader.open(path: path), now: TestLog.now)
    #expect(bundled.views.finding == .none("a bundle has none") && bundled.exitCode == .same)

    let segment = try #require(log.reader().segments.first).path
    var bytes = try Data(contentsOf: URL(fileURLWithPath: segment))
    bytes[bytes.count / 3] ^= 0xFF
    try bytes.write(to: URL(fileURLWithPath: segment))
    let verdict = try Replay.verify(log.reader(), now: TestLog.now)
    guard case .logDamaged = verdict.views.finding else {
      Issue.record("\(verdict.views.text)")
      return
    }
    #expect(verdict.exitCode == .damaged)
  }
}
