import Domain
import EventStore
import FoundationEssentials
import Logging
import Support
import Testing

@testable import ControlPlane

/// Starts go on from snapshots, and come to the same without any.
struct SnapshotKeeperTests {
  private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
  private static let segmentBytes = 64 << 10

  private static func open(_ directory: String, clock: TestClock = TestClock()) async throws
    -> TestBox
  {
    try await TestBox.open(directory, clock: clock, segmentBytes: segmentBytes)
  }

  /// A life: edits with secrets among requests that do not compress, over several segments.
  private static func live(_ box: TestBox, seed: UInt64, rounds: Int) async throws {
    var random = SeededRandom(seed: seed)
    let provider = ProviderID("p\(seed)")
    try await box.control.execute(provenance: .system) { _ in
      [
        Change(
          .provider(
            .add(
              .init(
                id: provider, name: "p", dialect: .openai, baseURL: "http://127.0.0.1:1/v1",
                prefix: "p\(seed)", models: [ProviderModel(name: "m\(seed)")],
                excludedModels: []))))
      ]
    }
    for round in 0..<rounds {
      let account = AccountEvent.Added(
        id: AccountID("a\(seed)-\(round)"), provider: provider, name: "a\(round)", priority: 1,
        weight: 1)
      let secret = Secret("sk-secret-\(seed)-\(round)")
      let fingerprint = box.control.vault.fingerprint(secret)
      try await box.control.execute(provenance: .system) { _ in
        [
          Change(.account(.add(account, credential: fingerprint)), secret: secret),
          Change(
            .alias(.set(name: "alias-\(seed)-\(round)", target: "m\(seed)", allowUnresolved: true))),
        ]
      }
      if random.oneIn(3) {
        try await box.control.execute(provenance: .system) { _ in
          [Change(.account(.remove(account.id)))]
        }
      }
      try await dispatch(box, UInt128(seed) << 32 | UInt128(round))
      try await requests(box, &random, count: 24)
    }
  }

  private static func dispatch(_ box: TestBox, _ id: UInt128) async throws {
    try await box.control.record([
      .request(
        .dispatched(
          .init(
            id: RequestID(id), clientRequestID: nil, organisation: nil, key: nil,
            operation: .chatCompletions, modelAsked: "m", receivedAt: box.clock.now, account: nil)))
    ])
  }

  private static func requests(
    _ box: TestBox, _ random: inout SeededRandom, count: Int
  ) async throws {
    let ended = (0..<count).map { _ in
      Event.request(
        .deliveryFailed(
          .init(
            id: RequestID(UInt128(random.next())),
            errorCode: random.bytes(400).map { String($0, radix: 16) }.joined())))
    }
    try await box.control.record(ended)
  }

  /// Every step until nothing is left to do.
  private static func keep(_ box: TestBox) async throws -> [SnapshotKeeper.Step] {
    let keeper = SnapshotKeeper(control: box.control, logger: quiet)
    var steps: [SnapshotKeeper.Step] = []
    while steps.count < 1_000 {
      let step = await keeper.step()
      if step == .idle || step == .failed { return steps }
      steps.append(step)
    }
    throw Unexpected("no end")
  }

  private static func boundaries(_ box: TestBox) -> [Position] {
    box.store.reader.segments.dropLast().map(\.last)
  }

  private static func snapshots(_ directory: String) throws -> [String: Data] {
    try filesUnder(directory).filter { $0.key.hasSuffix(".snap") }
  }

  private static func remove(_ directory: String) throws {
    try FileManager.default.removeItem(atPath: directory + "/snapshots")
  }

  @Test
  func `one snapshot stands behind every closed segment, and a start goes on from the newest`()
    async throws
  {
    try await withDirectory { directory in
      let first = try await Self.open(directory)
      try await Self.live(first, seed: 1, rounds: 18)
      let boundaries = Self.boundaries(first)
      #expect(boundaries.count >= 3)
      let steps = try await Self.keep(first)
      #expect(steps.count == boundaries.count)
      let files = GatewayProjection.snapshots(of: first.store.reader)
      #expect(try files.positions() == boundaries)
      let (state, secrets) = (first.published.state, first.published.secrets)
      try first.store.close()

      let second = try await Self.open(directory)
      let restoration = second.control.restoration
      #expect(restoration.snapshot == boundaries.last && restoration.ignored.isEmpty)
      #expect(second.published.state == state && second.published.secrets == secrets)
      #expect(!secrets.isEmpty)
      _ = try await second.signIn()
      let life = GatewayLife(version: "1", recording: .standard, listen: "")
      let open = try second.control.projection().inFlight.inOrder
      // Rounds dispatched one each; all of them are still under way, in the order of the log.
      #expect(open.count == 18 && open.map(\.position) == open.map(\.position).sorted())
      #expect(try await second.control.noteStart(life) == 18)
      #expect(try await second.control.noteStart(life) == 0)
      // What a whole fold comes to, and what every other start does.
      let projection = try second.control.projection()
      try second.store.close()
      try Self.remove(directory)
      let third = try await Self.open(directory)
      #expect(third.control.restoration.snapshot == nil)
      #expect(try third.control.projection().encoded() == projection.encoded())
      #expect(third.published.state == state && third.published.secrets == secrets)
      #expect(try ControlState(reading: third.store.reader) == state)
      try third.store.close()
    }
  }

  @Test func `snapshots that are gone, damaged or of another version come back the same`()
    async throws
  {
    try await withDirectory { directory in
      let box = try await Self.open(directory)
      try await Self.live(box, seed: 2, rounds: 14)
      _ = try await Self.keep(box)
      let boundaries = Self.boundaries(box)
      let reader = box.store.reader
      let made = try Self.snapshots(directory)
      #expect(made.count == boundaries.count && made.count >= 3)
      let middle = boundaries[1]
      let path = try #require(made.keys.first { $0.contains("\(middle).snap") })

      // All of them.
      try Self.remove(directory)
      #expect(try await Self.keep(box).count == boundaries.count)
      #expect(try Self.snapshots(directory) == made)
      // One in the middle, while a keeper runs that has seen it.
      let keeper = SnapshotKeeper(control: box.control, logger: Self.quiet)
      for boundary in boundaries { #expect(await keeper.step() == .found(boundary)) }
      #expect(await keeper.step() == .idle)
      try FileManager.default.removeItem(atPath: path)
      guard case .written(middle, _) = await keeper.step() else { throw Unexpected("not written") }
      #expect(await keeper.step() == .idle)
      #expect(try Self.snapshots(directory) == made)
      // Damaged.
      var bytes = try #require(made[path])
      bytes[bytes.count - 1] ^= 1
      try bytes.write(to: URL(filePath: path))
      #expect(
        try await Self.keep(box).count { if case .written = $0 { true } else { false } } == 1)
      #expect(try Self.snapshots(directory) == made)
      // Of another version, and one that its own reader refuses.
      for version in ["0-0", GatewayProjection.version] {
        let other = SnapshotFiles(of: reader, projector: GatewayProjection.name, version: version)
        for boundary in boundaries { try other.write([1, 2, 3], at: boundary) }
        let found = try GatewayProjection.restored(from: reader)
        #expect(found.restoration.snapshot == nil)
        #expect(found.restoration.ignored.count == boundaries.count)
        #expect(try found.projection.encoded() == box.control.projection().encoded())
        #expect(try await Self.keep(box).count == boundaries.count)
        #expect(try Self.snapshots(directory) == made)
      }
      try box.store.close()
    }
  }

  @Test func `segments that close later get theirs, each from the one before`() async throws {
    try await withDirectory { directory in
      let box = try await Self.open(directory)
      let keeper = SnapshotKeeper(control: box.control, logger: Self.quiet)
      #expect(await keeper.step() == .idle)
      for seed in UInt64(1)...4 {
        try await Self.live(box, seed: seed, rounds: 5)
        while await keeper.step() != .idle {}
        let boundaries = Self.boundaries(box)
        let files = GatewayProjection.snapshots(of: box.store.reader)
        #expect(try files.positions() == boundaries)
        for boundary in boundaries {
          var whole = GatewayProjection.initial
          try whole.fold(box.store.reader, through: boundary)
          let kept = try files.read(at: boundary) { try GatewayProjection($0) }.get()
          #expect(kept.encoded() == whole.encoded())
        }
      }
      #expect(Self.boundaries(box).count >= 3)
      try box.store.close()
    }
  }

  @Test func `a disk that takes no snapshot is no trouble, and is tried again later`() async throws
  {
    try await withDirectory { directory in
      let clock = TestClock()
      let box = try await Self.open(directory, clock: clock)
      try await Self.live(box, seed: 5, rounds: 10)
      let path = directory + "/snapshots"
      try Data([1]).write(to: URL(filePath: path))
      let keeper = SnapshotKeeper(control: box.control, logger: Self.quiet)
      #expect(await keeper.step() == .failed)
      #expect(await keeper.step() == .idle)
      let found = try GatewayProjection.restored(from: box.store.reader)
      #expect(found.restoration.snapshot == nil)
      #expect(found.projection.state == box.published.state)
      try FileManager.default.removeItem(atPath: path)
      clock.advance(seconds: 59)
      #expect(await keeper.step() == .idle)
      clock.advance(seconds: 1)
      guard case .written = await keeper.step() else { throw Unexpected("not written") }
      try box.store.close()
    }
  }

  @Test func `a keeper that is told to stop leaves nothing half done`() async throws {
    try await withDirectory { directory in
      let box = try await Self.open(directory)
      try await Self.live(box, seed: 6, rounds: 10)
      let keeper = SnapshotKeeper(control: box.control, logger: Self.quiet)
      let running = Task { await keeper.run() }
      running.cancel()
      await running.value
      try box.store.close()
      let names = try filesUnder(directory).keys.filter { $0.hasSuffix(".tmp") }
      #expect(names.isEmpty)
      let again = try await Self.open(directory)
      #expect(again.published.state == box.published.state)
      try again.store.close()
    }
  }
}
