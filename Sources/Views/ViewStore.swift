public import Domain
internal import Foundation
internal import GRDB
import Synchronization

/// Tables in SQLite that follow from the log: what was used, which calls went how, and where in the log to look.
///
/// Rows, the position that they reach and the log's chain value there change in one transaction. The file can be
/// deleted at any time; nothing in it is the only copy of anything. Methods block on the disk; each may be called
/// from any thread, `apply` from one at a time.
public final class ViewStore: Sendable {
  /// Through where the log is in the tables.
  public struct Checkpoint: Sendable, Hashable {
    /// The last event taken in; 0: none.
    public var position: UInt64
    /// The log's chain value there: 32 bytes; zeros before the first event.
    public var chain: [UInt8]

    /// Made of its parts.
    public init(position: UInt64, chain: [UInt8]) {
      self.position = position
      self.chain = chain
    }

    /// Before the first event.
    public static let origin = Checkpoint(position: 0, chain: [UInt8](repeating: 0, count: 32))
  }

  /// The layout: rows of another one are not read but made anew.
  public static let version: Int64 = 3

  let pool: DatabasePool
  private let reached: Mutex<Checkpoint>
  /// What is in the table, so that most ends need not ask it.
  private let open: Mutex<Set<RequestID>>
  /// The first damage that anybody found.
  private let found = Mutex<ViewFault?>(nil)

  /// Opens the tables at `path`, or makes empty ones.
  ///
  /// - Parameter storeID: Of the log that they follow from.
  /// - Throws: `ViewFault` if what is there cannot be used: `remove` it, and begin again. `DatabaseError`
  ///   where the disk does not do what it should.
  public init(path: String, storeID: UInt128) throws {
    var configuration = Configuration()
    configuration.label = "views"
    configuration.maximumReaderCount = 2
    configuration.foreignKeysEnabled = false
    configuration.prepareDatabase { db in
      // What a crash takes of the newest rows, the log gives again.
      try db.execute(sql: "PRAGMA synchronous = NORMAL")
    }
    let checkpoint: Checkpoint
    let begun: Set<RequestID>
    // Whoever makes the file first says for whom it is; SQLite's other files follow it.
    let files = FileManager.default
    guard
      files.fileExists(atPath: path)
        || files.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600])
    else { throw DatabaseError(resultCode: .SQLITE_CANTOPEN, message: "\(path) cannot be made") }
    (pool, checkpoint, begun) = try ViewFault.telling {
      let pool = try DatabasePool(path: path, configuration: configuration)
      let (checkpoint, begun) = try pool.write { db in
        if try !db.tableExists("checkpoint") {
          try db.execute(sql: Schema.text)
          try db.execute(
            sql: "INSERT INTO checkpoint VALUES (1, ?, ?, 0, ?)",
            arguments: [Self.version, Self.text(storeID), Data(Checkpoint.origin.chain)])
        }
        return (try Self.checkpoint(db, storeID), Set(try Self.inFlight(db).map(\.request)))
      }
      return (pool, checkpoint, begun)
    }
    reached = Mutex(checkpoint)
    open = Mutex(begun)
  }

  /// Deletes the tables at `path`, which nobody may have open; without an error if there are none.
  public static func remove(path: String) throws {
    for suffix in ["", "-wal", "-shm"] {
      guard unlink(path + suffix) == 0 || errno == ENOENT else {
        throw ViewFault.damaged("\(path)\(suffix) cannot be deleted (errno \(errno))")
      }
    }
  }

  /// Through where the tables are, as of the last `apply`.
  public var checkpoint: Checkpoint { reached.withLock { $0 } }

  /// Damage that a query or an `apply` found; nil: none did.
  public var damage: ViewFault? { found.withLock { $0 } }

  func note(_ fault: ViewFault) { found.withLock { $0 = $0 ?? fault } }

  /// Writes everything to the file proper and closes it, also where writing fails.
  public func close() throws {
    // Nothing is left in the file beside then, which a person who copies one file would forget.
    let written = Result { try pool.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) } }
    try pool.close()
    try written.get()
  }

  /// Ends queries under way with an error; for a stop.
  public func interrupt() { pool.interrupt() }

  // MARK: Taking in

  /// Takes in what follows the checkpoint; all of it or nothing.
  ///
  /// - Parameters:
  ///   - delta: Of the events behind `after`, without a gap but those that the log has.
  ///   - chain: The log's chain value at the delta's position.
  /// - Throws: `ViewFault.astray` if the tables are elsewhere, `.damaged`; `DatabaseError`.
  public func apply(_ delta: ViewDelta, after: Checkpoint, chain: [UInt8]) throws {
    let next = Checkpoint(position: delta.position, chain: chain)
    var inFlight = delta.hasStart ? [] : open.withLock { $0 }
    let ended = delta.ended.filter { inFlight.remove($0) != nil }
    inFlight.formUnion(delta.begun.keys)
    try write { db in
      try db.execute(
        sql: "UPDATE checkpoint SET position = ?, chain = ? WHERE position = ? AND chain = ?",
        arguments: [
          Int64(next.position), Data(next.chain), Int64(after.position), Data(after.chain),
        ])
      guard db.changesCount == 1 else {
        throw ViewFault.astray("they are not at position \(after.position)")
      }
      let names = try Names(db, delta.names.texts)
      try Self.add(delta, names, db)
      try Self.addCalls(delta, names, db)
      try Self.prune(db)
      let mark = try db.cachedStatement(
        sql: """
          INSERT INTO mark VALUES (?, ?, ?, ?)
          ON CONFLICT DO UPDATE SET pages = pages | excluded.pages
          """)
      for (place, pages) in delta.marks {
        try mark.execute(arguments: [
          place.kind.rawValue, names.value(of: place), Int64(place.chapter),
          Int64(bitPattern: pages),
        ])
      }
      if delta.hasStart { try db.execute(sql: "DELETE FROM in_flight") }
      for request in ended {
        try db.cachedStatement(sql: "DELETE FROM in_flight WHERE request = ?")
          .execute(arguments: [Self.bytes(request)])
      }
      for (request, position) in delta.begun {
        // The first one counts: a second would not make the request any younger.
        try db.cachedStatement(sql: "INSERT OR IGNORE INTO in_flight VALUES (?, ?)")
          .execute(arguments: [Self.bytes(request), Int64(position)])
      }
    }
    let now = inFlight
    open.withLock { $0 = now }
    reached.withLock { $0 = next }
  }

  private static func add(_ delta: ViewDelta, _ names: Names, _ db: Database) throws {
    func upsert(_ table: String, _ keys: Int) throws -> Statement {
      try db.cachedStatement(
        sql: """
          INSERT INTO \(table) VALUES (\(Schema.places(keys + Schema.totalsCount)))
          ON CONFLICT DO UPDATE SET \(Schema.totalsAdded)
          """)
    }
    let (month, day) = (try upsert("usage_month", 2), try upsert("usage_day", 2))
    let (hour, minute) = (try upsert("usage_hour", 2), try upsert("usage_minute", 1))
    var series: [ViewDelta.Series: Int64] = [:]
    var days: [ViewDelta.Place<Int64>: UsageTotals] = [:]
    var months: [ViewDelta.Place<Int64>: UsageTotals] = [:]
    for (place, totals) in delta.hours {
      let number = try series[place.series] ?? names.number(of: place.series)
      series[place.series] = number
      try hour.execute(arguments: StatementArguments([place.time, number] + totals.columns))
      let day = place.time.floored(by: 24)
      days[.init(time: day, series: number), default: UsageTotals()].add(totals)
      months[.init(time: day.floored(by: 32), series: number), default: UsageTotals()].add(totals)
    }
    for (statement, sums) in [(day, days), (month, months)] {
      for (place, totals) in sums {
        let place = [place.time, place.series]
        try statement.execute(arguments: StatementArguments(place + totals.columns))
      }
    }
    for (at, totals) in delta.minutes {
      try minute.execute(arguments: StatementArguments([at] + totals.columns))
    }
  }

  private static func addCalls(_ delta: ViewDelta, _ names: Names, _ db: Database) throws {
    var hours: [ViewDelta.Place<ViewDelta.Calls>: CallTotals] = [:]
    for (at, totals) in delta.calls {
      let place = ViewDelta.Place(time: at.time.floored(by: 60), series: at.series)
      hours[place, default: CallTotals()].add(totals)
    }
    for (span, calls) in [("minute", delta.calls), ("hour", hours)] {
      let select = try db.cachedStatement(
        sql: """
          SELECT \(Schema.callSums) FROM call_\(span)
          WHERE \(span) = ? AND account = ? AND status = ? AND error_class = ?
          """)
      let insert = try db.cachedStatement(
        sql: "INSERT OR REPLACE INTO call_\(span) VALUES (\(Schema.places(9)))")
      for (at, totals) in calls {
        let place = StatementArguments([at.time] + names.columns(of: at.series))
        var sum = totals
        if let row = try Row.fetchOne(select, arguments: place) {
          sum.add(try CallTotals(row, at: 0))
        }
        try insert.execute(arguments: place + sum.columns)
      }
    }
  }

  /// Drops minutes beyond those that are kept.
  ///
  /// Which they are follows from all minutes that ever were, and what is dropped once would be dropped again:
  /// so it is the same after any run of events.
  private static func prune(_ db: Database) throws {
    let first = try Row.fetchOne(
      db.cachedStatement(
        sql: "SELECT minute FROM usage_minute ORDER BY minute DESC LIMIT 1 OFFSET ?"),
      arguments: [Schema.minutesKept - 1])
    guard let minute = try first?.integer(0) else { return }
    for (table, column, end) in [
      ("usage_minute", "minute", minute), ("call_minute", "minute", minute),
      ("call_hour", "hour", minute.floored(by: 60)),
    ] {
      try db.cachedStatement(sql: "DELETE FROM \(table) WHERE \(column) < ?")
        .execute(arguments: [end])
    }
  }

  /// Reads the file's place and its newest sums.
  public func touch() throws {
    try read { db in
      _ = try Row.fetchOne(
        db, sql: "SELECT position, (SELECT MAX(minute) FROM usage_minute) FROM checkpoint")
    }
  }

  // MARK: In flight

  /// Requests under way and the positions where the log says so, in the order of their ids, which is about that of
  /// their beginnings.
  ///
  /// - Parameter limit: The first of them at most.
  public func inFlight(limit: Int = .max) throws -> [(request: RequestID, position: UInt64)] {
    try read { try Self.inFlight($0, limit: limit) }
  }

  static func inFlight(
    _ db: Database, limit: Int = .max
  ) throws -> [(request: RequestID, position: UInt64)] {
    let rows = try Row.fetchAll(
      db, sql: "SELECT request, position FROM in_flight ORDER BY request LIMIT ?",
      arguments: [limit])
    return try rows.map { row in
      let bytes = try row.bytes(0)
      guard bytes.count == 16 else { throw ViewFault.damaged("a request under way has no id") }
      return (
        RequestID(bytes.reduce(0) { $0 << 8 | UInt128($1) }), UInt64(clamping: try row.integer(1))
      )
    }
  }

  private static func bytes(_ request: RequestID) -> Data {
    Data(
      stride(from: 120, through: 0, by: -8).map {
        UInt8(truncatingIfNeeded: request.rawValue >> UInt128($0))
      })
  }

  // MARK: Identity

  private static func checkpoint(_ db: Database, _ storeID: UInt128) throws -> Checkpoint {
    let rows = try Row.fetchAll(db, sql: "SELECT version, store, position, chain FROM checkpoint")
    guard let row = rows.first, rows.count == 1 else {
      throw ViewFault.damaged("they have no checkpoint")
    }
    let (version, position, chain) = (try row.integer(0), try row.integer(2), try row.bytes(3))
    guard position >= 0, chain.count == 32, let store = try row.text(1) else {
      throw ViewFault.damaged("their checkpoint cannot be read")
    }
    guard version == Self.version else {
      throw ViewFault.layout(version)
    }
    guard store == text(storeID) else { throw ViewFault.astray("they are of store \(store)") }
    return Checkpoint(position: UInt64(position), chain: chain)
  }

  private static func text(_ storeID: UInt128) -> String {
    let digits = String(storeID, radix: 16)
    return String(repeating: "0", count: 32 - digits.count) + digits
  }
}
