import CSQLite
import EventStore

/// The yardstick: SQLite through its C interface, prepared statements, nothing between.
final class SQLite {
  private let handle: OpaquePointer
  private var statements: [OpaquePointer] = []

  init(_ path: String, _ pragmas: [String]) throws {
    var handle: OpaquePointer?
    let status = sqlite3_open_v2(
      path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nil)
    guard status == SQLITE_OK, let handle else {
      sqlite3_close_v2(handle)
      throw Failure("SQLite cannot open \(path): \(status)")
    }
    self.handle = handle
    for pragma in pragmas { try run("PRAGMA " + pragma) }
  }

  deinit {
    for statement in statements { sqlite3_finalize(statement) }
    sqlite3_close_v2(handle)
  }

  func run(_ sql: String) throws { try check(sqlite3_exec(handle, sql, nil, nil, nil), SQLITE_OK) }

  func prepare(_ sql: String) throws -> OpaquePointer {
    var statement: OpaquePointer?
    try check(
      sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil),
      SQLITE_OK)
    guard let statement else { throw Failure("SQLite prepared nothing for \(sql)") }
    statements.append(statement)
    return statement
  }

  func check(_ status: Int32, _ expected: Int32) throws {
    guard status != expected else { return }
    throw Failure("SQLite answered \(status): \(String(cString: sqlite3_errmsg(handle)))")
  }

  /// What a pragma says after it was set: SQLite falls back without an error.
  func pragma(_ name: String) throws -> String {
    let statement = try prepare("PRAGMA " + name)
    try check(sqlite3_step(statement), SQLITE_ROW)
    defer { sqlite3_reset(statement) }
    return sqlite3_column_text(statement, 0).map { String(cString: $0) } ?? ""
  }

  /// Runs a statement that gives no rows.
  func step(_ statement: OpaquePointer) throws {
    try check(sqlite3_step(statement), SQLITE_DONE)
    sqlite3_reset(statement)
  }
}

/// Inserts with prepared statements, `batch` rows a transaction.
struct SQLiteInserts {
  /// What a row holds.
  enum Table: String {
    /// Position as primary key, a unique index over the id, the payload: less than our log stores, in SQLite's favour.
    case lean
    /// What our log stores and finds events by: stream, kind, time and lookup keys as well.
    case whole
  }

  private let database: SQLite
  private let begin: OpaquePointer
  private let commit: OpaquePointer
  private let insert: OpaquePointer
  private let key: OpaquePointer?
  private var position: Int64 = 0

  init(_ database: SQLite, _ table: Table) throws {
    self.database = database
    begin = try database.prepare("BEGIN")
    commit = try database.prepare("COMMIT")
    switch table {
    case .lean:
      try database.run(
        "CREATE TABLE events (pos INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, payload BLOB NOT NULL)"
      )
      insert = try database.prepare("INSERT INTO events (pos, id, payload) VALUES (?1, ?2, ?3)")
      key = nil
    case .whole:
      try database.run(
        """
        CREATE TABLE events (pos INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, payload BLOB NOT NULL,
          stream TEXT NOT NULL, kind TEXT NOT NULL, time INTEGER NOT NULL);
        CREATE INDEX byStream ON events (stream);
        CREATE TABLE keys (key BLOB NOT NULL, pos INTEGER NOT NULL, PRIMARY KEY (key, pos)) WITHOUT ROWID
        """)
      insert = try database.prepare("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
      key = try database.prepare("INSERT INTO keys VALUES (?1, ?2)")
    }
  }

  /// One transaction; a single row needs no BEGIN and COMMIT of its own.
  mutating func write(_ events: [EventDraft]) throws {
    if events.count == 1, events[0].lookupKeys.isEmpty || key == nil { return try row(events[0]) }
    try database.step(begin)
    for event in events { try row(event) }
    try database.step(commit)
  }

  private mutating func row(_ event: EventDraft) throws {
    position += 1
    sqlite3_bind_int64(insert, 1, position)
    guard let key else { return try bindAndStep(event) }
    sqlite3_bind_int64(insert, 6, event.time)
    var (stream, kind) = (event.stream, event.kind)
    try stream.withUTF8 { stream in
      try kind.withUTF8 { kind in
        try stream.withMemoryRebound(to: CChar.self) { stream in
          try kind.withMemoryRebound(to: CChar.self) { kind in
            sqlite3_bind_text(insert, 4, stream.baseAddress, Int32(stream.count), nil)
            sqlite3_bind_text(insert, 5, kind.baseAddress, Int32(kind.count), nil)
            try bindAndStep(event)
          }
        }
      }
    }
    for name in event.lookupKeys {
      try name.withUnsafeBytes { bytes in
        sqlite3_bind_blob(key, 1, bytes.baseAddress, Int32(bytes.count), nil)
        sqlite3_bind_int64(key, 2, position)
        try database.step(key)
      }
    }
  }

  /// Bound without a copy: the bytes stay where they are until the step is over.
  private func bindAndStep(_ event: EventDraft) throws {
    try withUnsafeBytes(of: event.id.rawValue.bigEndian) { id in
      try event.payload.withUnsafeBytes { payload in
        sqlite3_bind_blob(insert, 2, id.baseAddress, Int32(id.count), nil)
        sqlite3_bind_blob(insert, 3, payload.baseAddress, Int32(payload.count), nil)
        try database.step(insert)
      }
    }
  }
}

enum SQLiteSlices {
  /// Durable inserts: write-ahead log, a sync at every commit.
  static func append(
    file: String, table: SQLiteInserts.Table, batches: [AppendBatch], limit: Double
  ) throws -> AppendFigures {
    let database = try SQLite(file, ["journal_mode=WAL", "synchronous=FULL"])
    guard try database.pragma("journal_mode") == "wal", try database.pragma("synchronous") == "2"
    else { throw Failure("SQLite is not as durable as the row says") }
    var inserts = try SQLiteInserts(database, table)
    var events = 0
    var times: [Int64] = []
    let before = processorSeconds()
    let began = monotonic()
    let end = began + Int64(limit * 1e9)
    for batch in batches {
      let start = monotonic()
      if start >= end { break }
      try inserts.write(batch.events)
      times.append(monotonic() - start)
      events += batch.events.count
    }
    return AppendFigures(
      events: events, seconds: seconds(since: began),
      processorSeconds: processorSeconds() - before, answers: Timings(times))
  }

  /// Fills a table to look things up in, without syncing: how it came to be is not measured.
  static func fill(file: String, workload: Workload, count: UInt64) throws {
    let database = try SQLite(file, ["journal_mode=OFF", "synchronous=OFF", "cache_size=-262144"])
    var inserts = try SQLiteInserts(database, .lean)
    var meter = Meter("SQLite", count)
    for first in stride(from: 0, to: count, by: 10_000) {
      let last = min(first + 10_000, count)
      try inserts.write(workload.drafts(first..<last))
      meter.reached(last)
    }
    try database.run("PRAGMA journal_mode=WAL")
  }

  /// Fetches position and payload by id; nanoseconds of each call.
  static func lookups(
    file: String, pragmas: [String], ids: [EventID], expectHit: Bool
  ) throws -> Timings {
    let database = try SQLite(file, pragmas)
    let select = try database.prepare("SELECT pos, payload FROM events WHERE id = ?1")
    var times: [Int64] = []
    for pass in 0..<2 {
      for id in ids {
        let start = monotonic()
        let status = withUnsafeBytes(of: id.rawValue.bigEndian) { bytes in
          sqlite3_bind_blob(select, 1, bytes.baseAddress, Int32(bytes.count), nil)
          return sqlite3_step(select)
        }
        var payload: [UInt8] = []
        if status == SQLITE_ROW, let bytes = sqlite3_column_blob(select, 1) {
          payload = Array(
            UnsafeRawBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(select, 1))))
        }
        sqlite3_reset(select)
        // The first pass warms the kernel's pages.
        if pass == 1 { times.append(monotonic() - start) }
        guard (status == SQLITE_ROW) == expectHit, payload.isEmpty != expectHit else {
          throw Failure("a lookup in SQLite answered \(status)")
        }
      }
    }
    return Timings(times)
  }
}

/// A line of progress every two seconds.
struct Meter {
  private let name: String
  private let count: UInt64
  private let began = monotonic()
  private var told = monotonic()

  init(_ name: String, _ count: UInt64) {
    self.name = name
    self.count = count
  }

  mutating func reached(_ number: UInt64) {
    guard monotonic() - told > 2_000_000_000 || number == count else { return }
    told = monotonic()
    progress("    \(name): \(number) of \(count) events, \(Int(seconds(since: began))) s")
  }
}
