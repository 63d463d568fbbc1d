import Glibc
import Support
import Testing

@testable import EventStore

/// What a person reads where a log is not opened: file, offset, rule, remedy.
struct RefusalTests {
  /// What stands in the directory, and what is said about it.
  struct Row: Sendable, CustomTestStringConvertible {
    var name: String
    var code: StoreError.Code
    /// The file or directory named, in `/log`; empty: `/log` itself.
    var path: String
    /// Where in the file, and which check.
    var rule: String
    /// A word of what to do.
    var remedy: String
    /// A reader opens it all the same.
    var isReadable = false
    var change: @Sendable (SimulatedDisk) throws -> Void

    var testDescription: String { name }
  }

  private static let segment = "/log/seg/" + SegmentName.of(1)

  private static func whole() throws -> SimulatedDisk {
    let disk = SimulatedDisk(seed: 1)
    let store = try SteppedStore(disk, segmentBytes: 1 << 20)
    try store.append(batch(1, 2))
    try store.close()
    return disk
  }

  private static func format(_ disk: SimulatedDisk, _ version: String) throws {
    let line = String(decoding: try #require(disk.contents("/log/FORMAT")), as: UTF8.self)
    disk.set("/log/FORMAT", Array(line.replacing(" 1.0 ", with: " \(version) ").utf8))
  }

  /// Changes a byte of the segment's header and makes the checksum right again.
  private static func forge(_ disk: SimulatedDisk, _ at: Int, _ value: UInt8) throws {
    var bytes = try #require(disk.contents(segment))
    let header = try bytes.withUnsafeBytes { try SegmentHeader($0) }
    bytes[at] = value
    let end = header.encodedBytes - 4
    let sum = bytes.withUnsafeBytes { crc32c($0.slice(0..<end)) }
    withUnsafeBytes(of: sum.littleEndian) { bytes.replaceSubrange(end..<end + 4, with: $0) }
    disk.set(segment, bytes)
  }

  private static let rows: [Row] = [
    Row(
      name: "a file instead of a directory", code: .notAStore, path: "", rule: "store.directory:",
      remedy: "name the directory"
    ) { disk in
      for path in disk.paths { disk.set(path, nil) }
      disk.set("/log", [1])
    },
    Row(
      name: "FORMAT of something else", code: .notAStore, path: "/FORMAT",
      rule: "at offset 0: format.line:", remedy: "move the file away"
    ) { $0.set("/log/FORMAT", Array("PNG".utf8)) },
    Row(
      name: "a newer major version", code: .notAStore, path: "/FORMAT",
      rule: "at offset 0: format.unknown:", remedy: "use the build that wrote it"
    ) { try format($0, "2.0") },
    Row(
      name: "a newer minor version", code: .notAStore, path: "/FORMAT",
      rule: "at offset 0: format.newer:", remedy: "start the build that wrote it", isReadable: true
    ) { try format($0, "1.9") },
    Row(
      name: "manifests of another store", code: .notAStore, path: "/MANIFEST-A",
      rule: "at offset 16: manifest.store-id:", remedy: "move away the one"
    ) { disk in
      for name in Manifest.names {
        let bytes = try #require(disk.contents("/log/" + name))
        var slot = try #require(Manifest(bytes))
        slot.storeID ^= 1
        disk.set("/log/" + name, slot.encoded())
      }
    },
    Row(
      name: "a segment of a newer format", code: .notAStore, path: "/seg/" + SegmentName.of(1),
      rule: "at offset 8: segment.format:", remedy: "use the build that wrote it"
    ) { try forge($0, 8, 2) },
    Row(
      name: "ACCEPTED of something else", code: .notAStore, path: "/ACCEPTED",
      rule: "at offset 1048576: accepted.length:", remedy: "move it away"
    ) { $0.set("/log/ACCEPTED", [UInt8](repeating: 7, count: AcceptedLosses.bytesMax + 1)) },
    Row(
      name: "nothing that says which store it is", code: .notAStore, path: "",
      rule: "store.identity:", remedy: "from a backup"
    ) { disk in
      for name in ["/log/FORMAT"] + Manifest.names.map({ "/log/" + $0 }) { disk.set(name, nil) }
      disk.set(segment, [UInt8](repeating: 1, count: 500))
    },
    Row(
      name: "a byte flipped", code: .damaged, path: "/seg/" + SegmentName.of(1),
      rule: "block.body-crc: events that were acknowledged as durable cannot be read",
      remedy: "signalbox accept-loss --data '/log' --positions 1..2 --reason TEXT", isReadable: true
    ) { disk in
      var bytes = try #require(disk.contents(segment))
      bytes[bytes.count - 20] ^= 1
      disk.set(segment, bytes)
    },
    Row(
      name: "a segment that is gone", code: .damaged, path: "/MANIFEST-",
      rule: "at offset 48: manifest.synced:", remedy: "from a backup", isReadable: true
    ) { $0.set(segment, nil) },
  ]

  @Test(arguments: rows)
  func everyRefusalNamesFileOffsetRuleAndRemedy(row: Row) throws {
    let disk = try Self.whole()
    try row.change(disk)
    func everyFile() -> [[UInt8]] {
      disk.paths.map { [UInt8]($0.utf8) + (disk.contents($0) ?? []) }
    }
    let before = everyFile()
    let error = try #require(throws: StoreError.self) { _ = try SteppedStore(disk) }
    #expect(error.code == row.code, "\(error)")
    let path = "/log" + row.path
    #expect(error.path?.hasPrefix(path) == true, "\(error)")
    let text = error.description
    #expect(text.contains(path), "\(error)")
    #expect(text.contains(row.rule), "\(error)")
    #expect(text.contains(row.remedy), "\(error)")
    #expect(everyFile() == before, "refusing changed something")

    let reader = Result { try LogReader(disk: disk, directory: "/log") }
    switch reader {
    case .success(let reader):
      #expect(row.isReadable, "opened for reading")
      let (events, gaps) = try everything(reader)
      #expect(events.count + gaps.count > 0)
    case .failure(let error):
      #expect(!row.isReadable && (error as? StoreError)?.code == .notAStore, "\(error)")
    }
  }

  /// Errors of the system, as a person meets them.
  @Test func errorsOfTheSystemNameTheFileAndWhatToDo() throws {
    // Root may do everything, and so may not find this out.
    guard getuid() != 0 else { return }
    let (disk, directory) = try DiskKind.posix.make()
    try EventStore.small(disk, directory).close()
    let path = directory + "/FORMAT"
    #expect(chmod(path, 0) == 0)
    let error = try #require(throws: StoreError.self) { _ = try EventStore.small(disk, directory) }
    #expect(error.code == .io && error.path == path && error.errno == EACCES)
    #expect(error.description.contains("run this as the user who owns"), "\(error)")
  }

  // MARK: The lock

  @Test func aDeletedLockFileLetsNoSecondWriterIn() throws {
    let (disk, directory) = try DiskKind.posix.make()
    let store = try EventStore.small(disk, directory)
    let held = try #require(throws: StoreError.self) { _ = try EventStore.small(disk, directory) }
    #expect(held.code == .locked && held.path == directory + "/LOCK")
    #expect(held.message.contains("process \(getpid()), epoch 1, open since 2"), "\(held)")

    for isReplaced in [false, true] {
      #expect(unlink(directory + "/LOCK") == 0)
      if isReplaced { close(open(directory + "/LOCK", O_CREAT | O_WRONLY, 0o600)) }
      let other = try torture(["append", directory, "durable", "1"])
      #expect(other.wait() == 4, "another process was let in")
      let error = try #require(throws: StoreError.self) {
        _ = try EventStore.small(disk, directory)
      }
      #expect(error.code == .locked && error.path == directory, "\(error)")
      #expect(error.message.contains("the file LOCK was deleted"), "\(error)")
    }
    _ = try store.appendAndWait(batch(1), durability: .durable)
    try store.close()
    try EventStore.small(disk, directory).close()
  }

  @Test(arguments: DiskKind.allCases)
  func whetherThereIsAWriterCanBeAskedWithoutBeingInItsWay(kind: DiskKind) throws {
    let (disk, directory) = try kind.make()
    let path = directory + "/LOCK"
    if kind == .posix { #expect(disk.isLocked(path) == nil) }
    let store = try EventStore.small(disk, directory)
    for _ in 0..<3 { #expect(disk.isLocked(path) == true) }
    try store.close()
    #expect(disk.isLocked(path) == false)
    let next = try EventStore.small(disk, directory)
    #expect(disk.isLocked(path) == true)
    try next.close()
  }

  @Test func aTornTailIsNamedBesideAWriterAndWithout() throws {
    let disk = try Self.whole()
    let bytes = try #require(disk.contents(Self.segment))
    disk.set(Self.segment, bytes + [1, 2, 3])
    for hasWriter in [false, true] {
      let lock = hasWriter ? try disk.lock("/log/LOCK") : nil
      defer { lock?.release() }
      let report = try LogReader(disk: disk, directory: "/log")
        .verify(from: .origin, through: nil, progress: nil)
      #expect(report.gaps.map(\.offset) == [UInt64(bytes.count)], "\(report.gaps)")
      #expect(report.gaps.map(\.isUnprovenTail) == [true])
    }
  }
}
