internal import Foundation
internal import GRDB

/// A SQLite file of plain tables, written once from the first row to the last.
///
/// The same rows give the same bytes. Nothing is there under the file's name before it is whole.
public final class RowFile {
  /// A table, its columns in the order of its rows.
  public struct Table: Sendable {
    /// As SQL has it.
    public var name: String
    /// Name, whether it holds whole numbers, whether it may hold nothing.
    public var columns: [(name: String, isNumber: Bool, isOptional: Bool)]
    /// What a row is known by.
    public var primaryKey: [String]

    /// Made of its parts.
    public init(
      name: String, columns: [(name: String, isNumber: Bool, isOptional: Bool)],
      primaryKey: [String]
    ) {
      self.name = name
      self.columns = columns
      self.primaryKey = primaryKey
    }
  }

  /// What stands in one column of a row.
  public enum Value: Sendable {
    case none
    case number(Int64)
    case text(String)
  }

  /// Why a file cannot be made.
  public enum Fault: Error, Sendable, Hashable, CustomStringConvertible {
    /// Something is there already: the path.
    case exists(String)
    /// In the words of SQLite or of the system.
    case failed(String)

    /// For a person.
    public var description: String {
      switch self {
      case .exists(let path): "\(path) exists already; remove it or name another file"
      case .failed(let what): what
      }
    }
  }

  private let path: String
  private let partial: String
  private let queue: DatabaseQueue
  private var statements: [String: Statement] = [:]
  private var rows = 0

  private static let rowsPerTransaction = 10_000

  /// Begins a file beside `path`, under another name.
  ///
  /// - Throws: `Fault`.
  public init(path: String, tables: [Table]) throws(Fault) {
    self.path = path
    partial = path + ".partial"
    for path in [path, partial] where access(path, F_OK) == 0 { throw .exists(path) }
    var configuration = Configuration()
    configuration.label = "rows"
    // One transaction spans many rows.
    configuration.allowsUnsafeTransactions = true
    configuration.prepareDatabase { db in
      // Until it has its name the file is worth nothing, so it needs neither journal nor sync.
      try db.execute(sql: "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
    }
    do {
      queue = try DatabaseQueue(path: partial, configuration: configuration)
      try queue.inDatabase { db in
        for table in tables { try db.execute(sql: Self.declaration(of: table)) }
        try db.execute(sql: "BEGIN")
        for table in tables {
          let places = Array(repeating: "?", count: table.columns.count).joined(separator: ", ")
          statements[table.name] = try db.makeStatement(
            sql: "INSERT INTO \"\(table.name)\" VALUES (\(places))")
        }
      }
    } catch {
      throw .failed("\(partial): \(error)")
    }
  }

  private static func declaration(of table: Table) -> String {
    let columns = table.columns.map { column in
      "\"\(column.name)\" \(column.isNumber ? "INTEGER" : "TEXT")"
        + (column.isOptional ? "" : " NOT NULL")
    }
    let key = table.primaryKey.map { "\"\($0)\"" }.joined(separator: ", ")
    return "CREATE TABLE \"\(table.name)\" (\(columns.joined(separator: ", ")), "
      + "PRIMARY KEY (\(key))) STRICT, WITHOUT ROWID"
  }

  /// Appends a row.
  ///
  /// - Precondition: the table is one of those given, and the row is as long as its columns.
  public func insert(_ values: [Value], into table: String) throws(Fault) {
    guard let statement = statements[table] else {
      preconditionFailure("no table \(table)")
    }
    try told { db in
      try statement.execute(
        arguments: StatementArguments(
          values.map { value -> (any DatabaseValueConvertible)? in
            switch value {
            case .none: nil
            case .number(let number): number
            case .text(let text): text
            }
          }))
      rows += 1
      if rows.isMultiple(of: Self.rowsPerTransaction) { try db.execute(sql: "COMMIT; BEGIN") }
    }
  }

  /// Adds what is made of the rows (indexes, views), and gives the file its name.
  ///
  /// - Throws: `Fault`, also if something came to be at the path meanwhile.
  public func finish(_ sql: String) throws(Fault) {
    try told { db in
      try db.execute(sql: "COMMIT")
      try db.execute(sql: sql)
    }
    statements = [:]
    do { try queue.close() } catch { throw .failed("\(partial): \(error)") }
    // Unlike a rename, a link never takes another file's place.
    let why = link(partial, path) == 0 ? 0 : errno
    unlink(partial)
    guard why == 0 else {
      throw why == EEXIST ? .exists(path) : .failed("\(path): \(String(cString: strerror(why)))")
    }
  }

  /// Throws away what was written; for an export that failed.
  public func abandon() {
    statements = [:]
    try? queue.close()
    unlink(partial)
  }

  private func told(_ body: (Database) throws -> Void) throws(Fault) {
    do { try queue.inDatabase(body) } catch { throw .failed("\(partial): \(error)") }
  }
}
