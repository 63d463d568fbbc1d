internal import Domain
internal import GRDB

/// The numbers of a file's texts and series, made where there is none yet; for one transaction.
struct Names {
  private let db: Database
  /// By the delta's numbers.
  private let names: [Int64]

  init(_ db: Database, _ texts: [String]) throws {
    self.db = db
    let insert = try db.cachedStatement(sql: "INSERT INTO name (text) VALUES (?)")
    names = try texts.map { text in
      if let number = try Self.find(text, db) { return number }
      try insert.execute(arguments: [text])
      return db.lastInsertedRowID
    }
  }

  /// The number that a text has; nil: none.
  static func find(_ text: String, _ db: Database) throws -> Int64? {
    let select = try db.cachedStatement(sql: "SELECT id FROM name WHERE text = ?")
    return try Row.fetchOne(select, arguments: [text])?.integer(0)
  }

  /// 0 stands for none.
  func number(_ name: Int32) -> Int64 { name < 0 ? 0 : names[Int(name)] }

  func number(of series: ViewDelta.Series) throws -> Int64 {
    let columns: StatementArguments = [
      Int64(series.kind.rawValue), Int64(series.operation), number(series.subject),
      number(series.model),
    ]
    let select = try db.cachedStatement(
      sql: """
        SELECT id FROM series
        WHERE kind = ? AND operation = ? AND subject = ? AND model = ?
        """)
    if let row = try Row.fetchOne(select, arguments: columns) { return try row.integer(0) }
    let insert = try db.cachedStatement(
      sql: """
        INSERT INTO series (kind, operation, subject, model) VALUES (?, ?, ?, ?)
        """)
    try insert.execute(arguments: columns)
    return db.lastInsertedRowID
  }

  func columns(of calls: ViewDelta.Calls) -> [Int64] {
    [number(calls.account), Int64(calls.status), Int64(calls.errorClass)]
  }

  func value(of mark: ViewDelta.Mark) -> Int64 {
    mark.kind.hasName ? names[Int(mark.value)] : mark.value
  }
}
