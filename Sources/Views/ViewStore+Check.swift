internal import Crypto
internal import Foundation
internal import GRDB

extension ViewStore {
  /// The first thing in which two files of the same log differ.
  public struct Difference: Sendable, Hashable, CustomStringConvertible {
    /// The table, as people can read it.
    public var table: String
    /// The row, column by column, as only one of them has it.
    public var row: String
    /// Whether this one has it; else the other.
    public var isHere: Bool

    /// For a person.
    public var description: String {
      "\(table): \(isHere ? "only the first" : "only the second") has \(row)"
    }
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
      try Schema.compared.map { table in
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

  /// Copies the tables at `path`, as of one moment, also while somebody writes to them; changes nothing of them.
  ///
  /// - Throws: `ViewFault.missing`, `.damaged`, or `DatabaseError` where the disk does not do what it should.
  public static func copy(path: String, to copy: String) throws {
    guard FileManager.default.fileExists(atPath: path) else { throw ViewFault.missing }
    var configuration = Configuration()
    // Only one connection may write pages back into the file, and that is the gateway's.
    configuration.readonly = true
    configuration.label = "views-copied"
    try ViewFault.telling {
      let source = try DatabaseQueue(path: path, configuration: configuration)
      let destination = try DatabaseQueue(path: copy)
      try source.backup(to: destination)
      try destination.close()
      try source.close()
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
      for table in Schema.compared {
        for (left, right) in [("main", "other"), ("other", "main")] {
          let row = try Row.fetchOne(
            db,
            sql: "SELECT * FROM \(left).\(table) EXCEPT SELECT * FROM \(right).\(table) LIMIT 1")
          if let row {
            return Difference(table: table, row: Self.text(row), isHere: left == "main")
          }
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
