internal import Foundation
internal import GRDB

/// Tables as they were found beside a log, held against ones that were made anew of it.
public struct ViewComparison: Sendable, Hashable {
  /// One table of both.
  public struct Table: Sendable, Hashable {
    /// As it was found.
    public var found: ViewStore.TableDigest
    /// As it should be.
    public var expected: ViewStore.TableDigest

    /// Whether they have the same rows.
    public var isSame: Bool { found == expected }
  }

  /// Through where those that were found are.
  public var checkpoint: ViewStore.Checkpoint
  /// Each table, in the same order always.
  public var tables: [Table]
  /// The first row that differs.
  ///
  /// What was found is `here`; nil also where a table has the same row more often.
  public var difference: ViewStore.Difference?

  /// Whether every table has the same rows as often.
  public var isSame: Bool {
    difference == nil && !tables.isEmpty && tables.allSatisfy(\.isSame)
  }

  /// Compares the tables at `path` as of one moment, also while a gateway writes to them; changes nothing of them.
  ///
  /// Both are put into a directory of their own in TMPDIR while this lasts.
  ///
  /// - Parameters:
  ///   - storeID: Of the log.
  ///   - hasWriter: Asked whether a gateway may have the log open now.
  ///   - make: Fills empty tables through where those that were found are.
  /// - Throws: `ViewFault` where they cannot be compared, `DatabaseError` or the system's errors where there is no
  ///   room for them, and what `make` throws.
  public init(
    path: String, storeID: UInt128, hasWriter: () -> Bool,
    make: (ViewStore, _ found: ViewStore.Checkpoint) throws -> Void
  ) throws {
    let files = FileManager.default
    var template = Array(files.temporaryDirectory.path.utf8CString.dropLast())
    template += "/signalbox-views-XXXXXX".utf8CString
    guard let name = mkdtemp(&template) else {
      throw DatabaseError(
        resultCode: .SQLITE_CANTOPEN,
        message: "no directory can be made in \(files.temporaryDirectory.path) (errno \(errno))")
    }
    let place = String(cString: name)
    defer { try? files.removeItem(atPath: place) }
    try Self.copy(path: path, to: place + "/found.sqlite", hasWriter: hasWriter)
    let found = try ViewStore(path: place + "/found.sqlite", storeID: storeID)
    defer { try? found.close() }
    let expected = try ViewStore(path: place + "/expected.sqlite", storeID: storeID)
    defer { try? expected.close() }
    checkpoint = found.checkpoint
    try make(expected, checkpoint)
    tables = zip(try found.digests(), try expected.digests()).map(Table.init)
    // The digests tell by names, as the views for people do; so a name that was changed by hand shows as well.
    if tables.contains(where: { !$0.isSame }) {
      difference = try found.difference(from: expected)
    }
  }

  private static let looks = 5

  /// Copies tables as of one moment; no byte beside them changes either where no gateway runs.
  ///
  /// Whoever asks SQLite for tables at rest makes files beside them, or writes to those that a kill left behind.
  static func copy(path: String, to copy: String, hasWriter: () -> Bool) throws {
    for _ in 1...looks {
      let before = try marks(path)
      if hasWriter(), before.allSatisfy({ $0 != nil }) {
        return try backup(path: path, to: copy)
      }
      try ViewStore.remove(path: copy)
      for suffix in ["", "-wal"]
      where FileManager.default.fileExists(atPath: path + suffix) {
        // What goes away meanwhile shows in the marks.
        try? FileManager.default.copyItem(atPath: path + suffix, toPath: copy + suffix)
      }
      let after = try marks(path)
      if after == before, FileManager.default.fileExists(atPath: copy) { return }
    }
    throw ViewFault.damaged("they change whenever they are looked at")
  }

  /// What tells that one of SQLite's files is another than before; nil: there is none.
  private static func marks(_ path: String) throws -> [[Int]?] {
    let found = ["", "-wal", "-shm"].map { suffix -> [Int]? in
      var status = stat()
      guard stat(path + suffix, &status) == 0 else { return nil }
      return [
        Int(status.st_ino), Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
      ]
    }
    guard found[0] != nil else { throw ViewFault.missing }
    return found
  }

  /// The way for tables that a gateway has open: it keeps them as they are for as long as this reads.
  private static func backup(path: String, to copy: String) throws {
    var configuration = Configuration()
    // Only one connection may write pages back into the file, and that is the gateway's.
    configuration.readonly = true
    configuration.label = "views-copied"
    try ViewStore.remove(path: copy)
    try ViewFault.telling {
      let source = try DatabaseQueue(path: path, configuration: configuration)
      let destination = try DatabaseQueue(path: copy)
      try source.backup(to: destination)
      try destination.close()
      try source.close()
    }
  }
}
