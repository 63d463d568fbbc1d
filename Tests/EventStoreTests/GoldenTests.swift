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

  // MARK: Sealed

  /// What the sealed log holds: five events in each of six lives, then fifty more in the last one.
  private static let sealedDrafts: [EventDraft] = (UInt64(1)...80).map { number in
    var draft = draft(number)
    // In more blocks of the first and of the third segment than an entry of the index names one by one.
    draft.lookupKeys.append(Array("shared".utf8))
    // More than a block of a sealed segment takes, and nothing when packed.
    if number == 40 { draft.payload = [UInt8](repeating: 7, count: 40_000) }
    return draft
  }

  /// Four segments: two sealed, one with its index beside it, one open; with witness blocks in the last two.
  private static func writeSealed() throws -> SimulatedDisk {
    let disk = SimulatedDisk(seed: 43)
    var rest = sealedDrafts[...]
    for life in 1...6 {
      let store = try SteppedStore(disk, segmentBytes: 1 << 20, segmentEvents: 25)
      for batch in 0..<(life < 6 ? 1 : 11) {
        try store.append(AppendBatch(events: Array(rest.prefix(5))))
        rest = rest.dropFirst(5)
        try store.sync()
        if batch.isMultiple(of: 4), life == 6 { try store.witnessBlock() }
      }
      for _ in 0..<(life < 6 ? 0 : 5) { #expect(store.sealer.step()) }
      try store.close()
    }
    #expect(rest.isEmpty)
    return disk
  }

  /// Fixtures/log/sealed is the directory itself; `UPDATE_GOLDEN=1` writes it.
  @Test func theBytesOfASealedLogDoNotChange() throws {
    let disk = try Self.writeSealed()
    let real = PosixDisk()
    let folder = Self.folder + "/sealed"
    let written = disk.paths.filter { !$0.hasSuffix("/LOCK") }
    #expect(
      written.map { String($0.dropFirst("/log/".count)) }.sorted() == [
        "FORMAT", "MANIFEST-A", "MANIFEST-B", "seg/00000000000000000001.sealed",
        "seg/00000000000000000026.sealed", "seg/00000000000000000051.esl",
        "seg/00000000000000000051.idx", "seg/00000000000000000076.esl",
      ])
    for path in written {
      let bytes = try #require(disk.contents(path))
      let fixture = folder + path.dropFirst("/log".count)
      if getenv("UPDATE_GOLDEN") != nil {
        for made in [folder, folder + "/seg"] where try real.status(made) == nil {
          try real.makeDirectory(made)
          _ = chmod(made, 0o755)
        }
        let slash = try #require(fixture.lastIndex(of: "/"))
        try real.replaceFile(
          String(fixture[..<slash]), String(fixture[fixture.index(after: slash)...]), bytes)
        _ = chmod(fixture, 0o644)
      }
      let file = try real.open(fixture, .read)
      #expect(try file.readAll(limit: 1 << 20) == bytes, "\(fixture) changed")
    }
  }

  /// The chain value was computed by a reader in another language, written from docs/file-format.md alone.
  @Test func theSealedFixtureReadsAsWhatWasWritten() throws {
    let reader = try LogReader(disk: PosixDisk(), directory: Self.folder + "/sealed")
    let (events, gaps) = try everything(reader)
    #expect(gaps.isEmpty)
    #expect(events.count == Self.sealedDrafts.count)
    #expect(zip(events, Self.sealedDrafts).allSatisfy { isSame($0, $1) })
    #expect(try reader.verify(from: .origin, through: nil, progress: nil).isIntact)
    for draft in Self.sealedDrafts { #expect(try reader.position(of: draft.id) != nil) }
    #expect(try reader.positions(forKey: Array("shared".utf8)).count == events.count)
    #expect(reader.segments.map(\.isSealed) == [true, true, false, false])
    #expect(
      try reader.chainValue(at: Position(80)).description
        == "2ae238d15c1ecf3827d0698de72491b2da116e697662b54c3e0e70afcb22e419")
  }
}
