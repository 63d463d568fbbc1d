/// Snapshots of a fold over the log, each tied to the chain value at its position, in `DIR/snapshots`.
///
/// None of them is truth: all can be deleted at any time. A snapshot in which anything at all is wrong is
/// ignored, with a reason that can be shown, and never an error; nothing but a snapshot is ever replaced.
public struct SnapshotFiles: Sendable {
  /// A snapshot that passed every check.
  public struct Snapshot: Sendable, Hashable {
    /// The last event in it.
    public var position: Position
    /// The file.
    public var path: String
    /// The chain value there, the log's own.
    public var chain: Digest
    /// What was folded, as its projector encoded it.
    public var payload: [UInt8]
  }

  /// A file that is not used, and why.
  public struct Ignored: Sendable, Hashable, CustomStringConvertible {
    /// The file, or the directory if that cannot be read.
    public var path: String
    /// As the file's name gives it.
    public var position: Position?
    /// The check that failed, for example `snapshot.chain`.
    public var rule: String
    /// One sentence for a person.
    public var message: String

    /// For people; bounded.
    public var description: String { "\(path): \(rule): \(message)" }
  }

  /// What was found in the directory.
  public struct Found<Value: Sendable>: Sendable {
    /// The newest snapshot that counts and what it holds; nil: none does.
    public var snapshot: (position: Position, value: Value)?
    /// What was looked at on the way to it, the newest first.
    public var ignored: [Ignored]
  }

  private let log: LogReader
  private let projector: [UInt8]
  private let version: [UInt8]
  private var directory: String { log.directory + "/" + SnapshotName.directory }

  /// The snapshots that a projector made of this log.
  ///
  /// - Parameters:
  ///   - projector: Which fold it is; 1…255 bytes.
  ///   - version: 1…255 bytes; another one's snapshots are ignored.
  public init(of log: LogReader, projector: String, version: String) {
    self.log = log
    self.projector = Array(projector.utf8)
    self.version = Array(version.utf8)
    let names = [self.projector.count, self.version.count]
    precondition(names.allSatisfy((1...255).contains), "1…255 bytes of projector and version")
  }

  /// Positions that the files' names give, ascending; other files are passed over.
  ///
  /// - Throws: `.io`.
  public func positions() throws(StoreError) -> [Position] {
    guard try log.disk.status(directory) != nil else { return [] }
    return try log.disk.list(directory).compactMap { SnapshotName.position($0) }.sorted()
      .map { Position($0) }
  }

  /// The newest usable snapshot that holds nothing after `limit`.
  ///
  /// - Parameter decode: Reads the payload; what it throws makes the snapshot one that is ignored.
  public func newest<Value: Sendable>(
    through limit: Position, _ decode: (Snapshot) throws -> Value
  ) -> Found<Value> {
    var found = Found<Value>(snapshot: nil, ignored: [])
    let positions: [Position]
    do throws(StoreError) { positions = try self.positions() } catch {
      found.ignored.append(
        Ignored(
          path: directory, position: nil, rule: "snapshot.unreadable",
          message: "the directory cannot be read: \(error)"))
      return found
    }
    for position in positions.reversed() where position <= limit {
      switch read(at: position, decode) {
      case .success(let value):
        found.snapshot = (position, value)
        return found
      case .failure(.ignored(let why)): found.ignored.append(why)
      case .failure(.missing): break
      }
    }
    return found
  }

  /// Why there is no snapshot to be had at a position.
  public enum Absence: Error, Sendable, Hashable {
    case missing
    case ignored(Ignored)
  }

  /// What the snapshot at `position` holds, if every check passes.
  ///
  /// - Parameter decode: Reads the payload; what it throws makes the snapshot one that is ignored.
  public func read<Value: Sendable>(
    at position: Position, _ decode: (Snapshot) throws -> Value
  ) -> Result<Value, Absence> {
    let path = directory + "/" + SnapshotName.of(position.rawValue)
    func ignored(_ rule: String, _ message: String) -> Result<Value, Absence> {
      .failure(.ignored(Ignored(path: path, position: position, rule: rule, message: message)))
    }
    let snapshot: Snapshot
    do {
      guard let status = try log.disk.status(path) else { return .failure(.missing) }
      snapshot = try self.snapshot(path, status, position)
    } catch let broken as RuleBroken {
      return ignored(broken.rule, Self.meaning[broken.rule] ?? "it is damaged")
    } catch {
      return ignored("snapshot.unreadable", "it cannot be read: \(error)")
    }
    do { return .success(try decode(snapshot)) } catch {
      return ignored("snapshot.payload", "the projection cannot read it: \(error)")
    }
  }

  private func snapshot(
    _ path: String, _ status: FileStatus, _ position: Position
  ) throws -> Snapshot {
    if log.isBesideWriter { try requirePrivate(status) }
    let file = try log.disk.open(path, .read)
    defer { file.close() }
    let head = RawBuffer(capacity: SnapshotHeader.maxBytes)
    head.count = try file.read(into: head.storage, at: 0)
    let header = try SnapshotHeader(head.bytes)
    guard header.storeID == log.storeID else { throw RuleBroken("snapshot.store-id") }
    guard header.position == position.rawValue else { throw RuleBroken("snapshot.name") }
    guard header.projector == projector else { throw RuleBroken("snapshot.projector") }
    guard header.version == version else { throw RuleBroken("snapshot.version") }
    guard try file.size() == UInt64(header.encodedBytes) + header.storedBytes else {
      throw RuleBroken("snapshot.length")
    }
    guard position <= log.last else { throw RuleBroken("snapshot.beyond-log") }
    guard try log.epoch(at: position.rawValue) == header.epoch,
      try log.chainValue(at: position) == header.chain
    else { throw RuleBroken("snapshot.chain") }

    let stored = RawBuffer(capacity: max(1, Int(header.storedBytes)))
    stored.count = try file.read(
      into: UnsafeMutableRawBufferPointer(rebasing: stored.storage[..<Int(header.storedBytes)]),
      at: UInt64(header.encodedBytes))
    guard stored.count == Int(header.storedBytes) else { throw RuleBroken("snapshot.length") }
    guard Digest.sha256(stored.bytes) == header.digest else { throw RuleBroken("snapshot.digest") }
    return Snapshot(
      position: position, path: path, chain: header.chain,
      payload: try Self.payload(header, stored.bytes))
  }

  private static func payload(
    _ header: SnapshotHeader, _ stored: UnsafeRawBufferPointer
  ) throws(RuleBroken) -> [UInt8] {
    guard header.isCompressed else { return Array(stored) }
    var isWhole = false
    let payload = [UInt8](unsafeUninitializedCapacity: Int(header.rawBytes)) { room, count in
      let raw = UnsafeMutableRawBufferPointer(start: room.baseAddress, count: Int(header.rawBytes))
      isWhole = BlockCodec.decompress(stored, into: raw)
      count = isWhole ? raw.count : 0
    }
    guard isWhole else { throw RuleBroken("snapshot.decompress") }
    return payload
  }

  private func requirePrivate(_ file: FileStatus) throws {
    let folder = try log.disk.status(directory)
    guard file.permissions & 0o177 == 0, (folder?.permissions ?? 0) & 0o077 == 0 else {
      throw RuleBroken("snapshot.permissions")
    }
  }

  /// Puts a snapshot of the log through `position` in place of the one that stands there, whole or not at all.
  ///
  /// Durable on return. The same payload gives the same file.
  ///
  /// - Returns: The file's length in bytes.
  /// - Throws: `.locked` unless the log is open for writing in this process, `.damaged` if the log cannot be
  ///   read at `position`, `.invalidDraft` for more than 256 MiB, `.permissions`, `.io`, `.full` also while
  ///   less than 64 MiB would stay free.
  @discardableResult
  public func write(_ payload: [UInt8], at position: Position) throws(StoreError) -> Int {
    guard log.isBesideWriter else {
      throw StoreError(
        .locked, "only the process that has the log open for writing makes snapshots",
        path: directory)
    }
    guard payload.count <= Limits.snapshotBytes else {
      throw StoreError(
        .invalidDraft, "a snapshot has at most \(Limits.snapshotBytes) bytes", path: directory)
    }
    let chain = try log.chainValue(at: position)
    guard let epoch = try log.epoch(at: position.rawValue) else {
      throw StoreError(
        .damaged, "there is no readable event at \(position)", path: log.directory,
        position: position)
    }
    try makeDirectory()
    let compressed = Self.compressed(payload)
    let stored = compressed ?? payload
    let header = SnapshotHeader(
      storeID: log.storeID, position: position.rawValue, epoch: epoch, chain: chain,
      rawBytes: UInt64(payload.count), storedBytes: UInt64(stored.count),
      digest: stored.withUnsafeBytes { Digest.sha256($0) }, isCompressed: compressed != nil,
      projector: projector, version: version)
    let bytes = header.encoded() + stored
    try log.disk.requireHeadroom(log.directory, beside: UInt64(bytes.count))
    try log.disk.replaceFile(directory, SnapshotName.of(position.rawValue), bytes)
    return bytes.count
  }

  private func makeDirectory() throws(StoreError) {
    guard let status = try log.disk.status(directory) else {
      try log.disk.makeDirectory(directory)
      try log.disk.syncDirectory(log.directory)
      return
    }
    guard status.permissions & 0o077 == 0 else {
      throw StoreError(
        .permissions,
        "mode \(String(status.permissions, radix: 8)) lets others in; run: chmod 700 '\(directory)'",
        path: directory)
    }
  }

  /// nil: it would not be shorter.
  private static func compressed(_ payload: [UInt8]) -> [UInt8]? {
    var isShorter = false
    let bytes = [UInt8](unsafeUninitializedCapacity: BlockCodec.bound(payload.count)) {
      room, count in
      let codec = BlockCodec(dictionary: [])
      let length = payload.withUnsafeBytes {
        codec.compress($0, into: UnsafeMutableRawBufferPointer(room))
      }
      isShorter = length != nil
      count = length ?? 0
    }
    return isShorter ? bytes : nil
  }

  private static let meaning = [
    "snapshot.magic": "it is no snapshot",
    "snapshot.format": "its format is another than this build's",
    "snapshot.store-id": "it belongs to another log",
    "snapshot.name": "its name and its header give different positions",
    "snapshot.projector": "it is of another projection",
    "snapshot.version": "another version of the projection made it",
    "snapshot.length": "its length is not what its header says",
    "snapshot.bounds": "its header has impossible numbers",
    "snapshot.beyond-log": "the log ends before it",
    "snapshot.chain": "the log's chain value there is another",
    "snapshot.permissions": "others may read or write it",
  ]
}
