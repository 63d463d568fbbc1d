internal import Crypto
internal import Foundation
internal import GRDB

extension ViewStore {
  /// The first thing in which two files of the same log differ.
  public struct Difference: Sendable, Hashable, CustomStringConvertible {
    /// The table, as people can read it.
    public var table: String
    /// The row here, column by column; nil: there is none of that name and time.
    public var here: String?
    /// The other's; nil: as for `here`.
    public var there: String?

    /// For a person.
    public var description: String { "\(table): \(here ?? "no row") against \(there ?? "no row")" }
  }

  /// One table's rows in one number.
  public struct TableDigest: Sendable, Hashable {
    /// The table, as people can read it.
    public var table: String
    /// How many rows it has.
    public var rows: Int
    /// SHA-256 over them in order, names written out: equal for equal tables, whatever the numbers of names.
    public var digest: [UInt8]

    /// Made of its parts.
    public init(table: String, rows: Int, digest: [UInt8]) {
      self.table = table
      self.rows = rows
      self.digest = digest
    }
  }

  /// What `digests` says of all tables together.
  public func digest() throws -> [UInt8] {
    var hash = SHA256()
    for table in try digests() { hash.update(data: Data(table.digest)) }
    return Array(hash.finalize())
  }

  /// Of every table that follows from the log, as of one moment.
  public func digests() throws -> [TableDigest] {
    try read { db in
      try Schema.compared.map { table, _ in
        var hash = SHA256()
        let columns = try Self.columns(of: table, db)
        let rows = try Row.fetchCursor(
          db, sql: "SELECT * FROM \(table) ORDER BY \(columns.joined(separator: ", "))")
        hash.update(data: Data((table + "\n").utf8))
        var count = 0
        while let row = try rows.next() {
          hash.update(data: Data((Self.text(row, measured: true) + "\n").utf8))
          count += 1
        }
        return TableDigest(table: table, rows: count, digest: Array(hash.finalize()))
      }
    }
  }

  /// Compares everything with the tables of another file; nil: they are equal.
  ///
  /// - Parameter other: Of a file that was closed, or to which nothing is being written.
  public func difference(from other: ViewStore) throws -> Difference? {
    // Attaching is no part of a transaction.
    try writeAlone { db in
      try db.execute(sql: "ATTACH DATABASE ? AS other", arguments: [other.pool.path])
      defer { try? db.execute(sql: "DETACH DATABASE other") }
      for (table, keys) in Schema.compared {
        let places = try Self.columns(of: table, db).prefix(keys)
        let order = places.joined(separator: ", ")
        let sameKey = places.map { "\($0) IS ?" }.joined(separator: " AND ")
        for (left, right) in [("main", "other"), ("other", "main")] {
          let row = try Row.fetchOne(
            db,
            sql: """
              SELECT * FROM (SELECT * FROM \(left).\(table) EXCEPT SELECT * FROM \(right).\(table))
              ORDER BY \(order) LIMIT 1
              """)
          guard let row else { continue }
          let opposite = try Row.fetchOne(
            db, sql: "SELECT * FROM \(right).\(table) WHERE \(sameKey) LIMIT 1",
            arguments: StatementArguments(row.databaseValues.prefix(keys)))
          let texts = [row, opposite].map { row in row.map { Self.text($0) } }
          return left == "main"
            ? Difference(table: table, here: texts[0], there: texts[1])
            : Difference(table: table, here: texts[1], there: texts[0])
        }
      }
      return nil
    }
  }

  private static func columns(of table: String, _ db: Database) throws -> [String] {
    try db.columns(in: table).map { $0.name }
  }

  /// - Parameter measured: texts with their lengths before them, so that no text looks like two of them.
  private static func text(_ row: Row, measured: Bool = false) -> String {
    row.map { column, value in
      switch value.storage {
      case .null: "\(column)="
      case .int64(let number): "\(column)=\(number)"
      case .double(let number): "\(column)=\(number)"
      case .string(let text): "\(column)=\(measured ? "\(text.utf8.count):" : "")\"\(text)\""
      case .blob(let data):
        "\(column)=" + data.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
      }
    }.joined(separator: " ")
  }
}
