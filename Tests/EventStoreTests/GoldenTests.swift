import Glibc
import Support
import Testing

@testable import EventStore

/// The bytes of a small log, fixed for ever: what one build wrote every later one reads and writes.
struct GoldenTests {
  /// Fixtures/log beside Tests.
  private static let folder: String = {
    var parts = #filePath.split(separator: "/").dropLast(3)
    parts.append("Fixtures")
    return "/" + parts.joined(separator: "/") + "/log"
  }()

  private static func write() throws -> SimulatedDisk {
    let disk = SimulatedDisk(seed: 42)
    let store = try SteppedStore(disk, segmentBytes: 1 << 20)
    try store.append(batch(1), batch(2, 3))
    try store.sync()
    try store.append(AppendBatch(events: (4...12).map { draft($0, stream: "request", size: 40) }))
    try store.append(AppendBatch(events: [draft(20, size: 0, sealed: true)]))
    try store.close()
    return disk
  }

  private static let names = [
    ("/log/seg/00000000000000000001.esl", "small.esl"), ("/log/FORMAT", "small.format"),
    ("/log/MANIFEST-A", "small.manifest-a"), ("/log/MANIFEST-B", "small.manifest-b"),
  ]

  @Test func theBytesOfASmallLogDoNotChange() throws {
    let disk = try Self.write()
    let real = PosixDisk()
    for (path, name) in Self.names {
      let bytes = try #require(disk.contents(path))
      let fixture = Self.folder + "/" + name
      if getenv("UPDATE_GOLDEN") != nil {
        if try real.status(Self.folder) == nil { try real.makeDirectory(Self.folder) }
        try real.replaceFile(Self.folder, name, bytes)
        _ = chmod(fixture, 0o644)
      }
      let file = try real.open(fixture, .read)
      #expect(try file.readAll(limit: 1 << 20) == bytes, "\(name) changed")
    }
  }

  /// The chain value was computed by a reader in another language, written from docs/file-format.md alone.
  @Test(arguments: ["small", "before-opened"])
  func theFixtureReadsAsWhatWasWritten(manifests: String) throws {
    let real = PosixDisk()
    let disk = SimulatedDisk(seed: 1)
    try disk.makeDirectory("/log")
    try disk.makeDirectory("/log/seg")
    for (path, name) in Self.names {
      // The manifest of a build that did not yet say in which epoch the log was opened.
      let name = name.replacing("small.manifest", with: manifests + ".manifest")
      disk.set(path, try real.open(Self.folder + "/" + name, .read).readAll(limit: 1 << 20))
    }
    let reader = try LogReader(disk: disk, directory: "/log")
    let (events, gaps) = try everything(reader)
    #expect(gaps.isEmpty)
    var drafts = [draft(1), draft(2), draft(3)]
    drafts += (4...12).map { draft($0, stream: "request", size: 40) }
    drafts.append(draft(20, size: 0, sealed: true))
    #expect(events.count == drafts.count)
    #expect(zip(events, drafts).allSatisfy { isSame($0, $1) })
    #expect(try reader.verify(from: .origin, through: nil, progress: nil).isIntact)
    #expect(
      try reader.chainValue(at: Position(13)).description
        == "1d6a5c543c1217f5c75bcc5d370937715d04f6f08dcc0e752ad5d59ec9842256")
  }
}
