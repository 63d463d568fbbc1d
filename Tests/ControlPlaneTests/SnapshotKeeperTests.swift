import Domain
import EventStore
import FoundationEssentials
import Logging
import Support
import Synchronization
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
          Change(.account(.add(account, credential: .key(fingerprint))), secret: secret),
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
      #expect(try await second.control.noteStart(life).interrupted == 18)
      #expect(try await second.control.noteStart(life).interrupted == 0)
      // What a whole fold comes to, and what every other start does.
      let projection = try second.control.projection()
      let signedIn = second.control.state
      #expect(signedIn.settings == state.settings && signedIn.accounts == state.accounts)
      try second.store.close()
      try Self.remove(directory)
      let third = try await Self.open(directory)
      #expect(third.control.restoration.snapshot == nil)
      #expect(try third.control.projection().encoded() == projection.encoded())
      #expect(third.published.state == signedIn && third.published.secrets == secrets)
      #expect(try ControlState(reading: third.store.reader) == signedIn)
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

  @Test func `one snapshot stands behind every sealed segment, and comes back byte for byte`()
    async throws
  {
    try await withDirectory { directory in
      let box = try await Self.open(directory)
      try await Self.live(box, seed: 7, rounds: 14)
      // Made behind finished segments, while the sealer may be replacing them.
      _ = try await Self.keep(box)
      let early = try Self.snapshots(directory)
      #expect(box.store.waitUntilSealed() == SealingState(pending: 0, lastFailure: nil))
      let sealed = box.store.reader.segments.filter(\.isSealed)
      #expect(sealed.count >= 3 && sealed.map(\.last) == Self.boundaries(box))
      let files = GatewayProjection.snapshots(of: box.store.reader)
      #expect(try files.positions() == sealed.map(\.last))
      // Sealing changed no chain value: all of them still count.
      for step in try await Self.keep(box) {
        guard case .found = step else { throw Unexpected("\(step)") }
      }
      let (state, secrets) = (box.published.state, box.published.secrets)
      try box.store.close()
      for removed in [[], [0], Array(0..<sealed.count)] {
        for index in removed {
          let name = try #require(early.keys.first { $0.contains("\(sealed[index].last).snap") })
          try FileManager.default.removeItem(atPath: name)
        }
        let again = try await Self.open(directory)
        #expect(again.published.state == state && again.published.secrets == secrets)
        _ = try await Self.keep(again)
        #expect(try Self.snapshots(directory) == early)
        try again.store.close()
      }
    }
  }

  /// A log of every kind of event, over lives and segments, some of it sealed.
  private static func everyKind(
    _ directory: String, _ random: inout SeededRandom
  ) throws -> EventStore {
    let kinds = WireKind.all
    var number: UInt128 = 1
    for life in 0..<3 {
      let store = try EventStore.open(
        directory: directory,
        options: StoreOptions(
          segmentBytes: 64 << 10, reserveBytes: 0, seals: life == 1 || random.oneIn(2)))
      for batch in 0..<30 {
        let drafts = try (0..<random.int(1...40)).map { index in
          // Every one at least once, then at random; and some that a later build will know.
          let at = batch * 40 + index
          let kind =
            life == 0 && at < kinds.count ? kinds[at] : kinds[random.int(0...kinds.count - 1)]
          guard var event = WireKind.sample(kind) else { throw Unexpected(kind) }
          if case .request(.finished(var fact)) = event {
            fact.id = RequestID(UInt128(random.int(1...50)))
            event = .request(.finished(fact))
          } else if case .request(.dispatched(var fact)) = event {
            fact.id = RequestID(UInt128(random.int(1...50)))
            event = .request(.dispatched(fact))
          }
          let isUnknown = random.oneIn(20)
          defer { number += 1 }
          return EventDraft(
            id: EventID(number), stream: event.stream, kind: isUnknown ? "combo.set.v9" : kind,
            time: Int64(number) * 1_000_000, lookupKeys: [],
            payload: encode(event, .system) + (isUnknown ? random.bytes(300) : []), sealed: [])
        }
        _ = try store.appendAndWait(AppendBatch(events: drafts), durability: .written)
      }
      if life == 2 { return store }
      try store.close()
    }
    throw Unexpected("no life")
  }

  @Test(arguments: UInt64(0)..<8)
  func `a start from any snapshot is a start from zero, whatever became of the others`(
    _ seed: UInt64
  ) async throws {
    try await withDirectory { directory in
      var random = SeededRandom(seed: seed)
      let store = try Self.everyKind(directory, &random)
      defer { try? store.close() }
      let log = store.reader
      let (zero, from) = try GatewayProjection.restored(from: log)
      #expect(from.snapshot == nil && from.last == log.last && from.ignored.isEmpty)
      let truth = zero.encoded()
      let files = GatewayProjection.snapshots(of: log)
      let folder = directory + "/snapshots/"

      for round in 0..<12 {
        if FileManager.default.fileExists(atPath: folder) { try Self.remove(directory) }
        var positions: [Position] = []
        var projection = GatewayProjection.initial
        let wanted = Set(
          (0..<random.int(1...6)).map { _ in random.int(1...Int(log.last.rawValue)) })
        for position in wanted.sorted().map({ Position(UInt64($0)) }) {
          try projection.fold(log, through: position)
          try files.write(projection.encoded(), at: position)
          positions.append(position)
        }
        // The newest ones are harmed, each in another way; the first of what is left counts.
        var harmed: [(position: UInt64, rule: String)] = []
        for position in positions.suffix(random.int(0...positions.count)).reversed() {
          harmed.append((position.rawValue, try Self.harm(position, log, folder, &random)))
        }
        let expected = positions.dropLast(harmed.count).last
        let (start, restoration) = try GatewayProjection.restored(from: log)
        #expect(start.encoded() == truth, "seed \(seed), round \(round), \(positions), \(harmed)")
        #expect(restoration.snapshot == expected, "seed \(seed), round \(round), \(harmed)")
        #expect(restoration.last == log.last)
        // Each is said, with its file and its reason.
        let said = restoration.ignored.sorted {
          ($0.position ?? .origin) > ($1.position ?? .origin)
        }
        #expect(said.count == harmed.count, "seed \(seed), round \(round)")
        for (one, other) in zip(said, harmed.sorted { $0.position > $1.position }) {
          let isRule = other.rule.isEmpty || one.rule == other.rule
          #expect(isRule && one.position?.rawValue == other.position, "seed \(seed): \(one)")
          #expect(one.path.hasPrefix(folder) && !one.message.isEmpty)
        }
      }
    }
  }

  /// Spoils one snapshot.
  ///
  /// - Returns: The rule by which it is ignored from now on; empty: one of several.
  private static func harm(
    _ position: Position, _ log: LogReader, _ folder: String, _ random: inout SeededRandom
  ) throws -> String {
    func path(_ position: UInt64) -> String {
      let digits = String(position)
      return folder + String(repeating: "0", count: 20 - digits.utf8.count) + digits + ".snap"
    }
    let file = URL(filePath: path(position.rawValue))
    var bytes = try Data(contentsOf: file)
    switch random.int(0...6) {
    case 0: bytes[random.int(0...bytes.count - 1)] ^= UInt8(1 << random.int(0...7))
    case 1: bytes = bytes.prefix(random.int(0...bytes.count - 1))
    case 2: bytes = Data(random.bytes(bytes.count))
    case 3:
      try SnapshotFiles(of: log, projector: GatewayProjection.name, version: "0-0")
        .write([1], at: position)
      return "snapshot.version"
    case 4:
      try SnapshotFiles(of: log, projector: "another", version: GatewayProjection.version)
        .write([1], at: position)
      return "snapshot.projector"
    case 5:
      try GatewayProjection.snapshots(of: log).write([1, 2, 3], at: position)
      return "snapshot.payload"
    case _:
      // What stands at another position is not what stands here.
      var other = GatewayProjection.initial
      try other.fold(log, through: Position(max(1, position.rawValue - 1)))
      guard other.position != position.rawValue else {
        return try harm(position, log, folder, &random)
      }
      try GatewayProjection.snapshots(of: log).write(other.encoded(), at: position)
      return "snapshot.payload"
    }
    try bytes.write(to: file)
    return ""
  }

  @Test
  func `a snapshot that is newer than the log is said, and is made again when its time comes`()
    async throws
  {
    try await withDirectory { directory in
      let box = try await Self.open(directory)
      try await Self.live(box, seed: 8, rounds: 8)
      _ = try await Self.keep(box)
      let boundaries = Self.boundaries(box)
      try box.store.close()
      // The log's last segments are lost with all that tells of them; the snapshots stay.
      for entry in try FileManager.default.contentsOfDirectory(atPath: directory + "/seg") {
        guard let first = UInt64(entry.prefix(20)), first > boundaries[0].rawValue else { continue }
        try FileManager.default.removeItem(atPath: directory + "/seg/" + entry)
      }
      for name in ["MANIFEST-A", "MANIFEST-B"] {
        try? FileManager.default.removeItem(atPath: directory + "/" + name)
      }
      let store = try EventStore.open(directory: directory, options: StoreOptions())
      defer { try? store.close() }
      #expect(store.reader.last == boundaries[0])
      let found = try GatewayProjection.restored(from: store.reader)
      #expect(found.restoration.snapshot == boundaries[0])
      let ignored = found.restoration.ignored
      #expect(ignored.map(\.position) == boundaries.dropFirst().reversed())
      #expect(ignored.allSatisfy { $0.rule == "snapshot.beyond-log" })
      #expect(ignored.allSatisfy { $0.message.contains("the log ends before it") })
    }
  }

  @Test func `what is made again is said once, with its reason`() async throws {
    try await withDirectory { directory in
      let box = try await Self.open(directory)
      try await Self.live(box, seed: 9, rounds: 14)
      _ = try await Self.keep(box)
      let made = try Self.snapshots(directory)
      for (path, bytes) in made { try bytes.dropLast().write(to: URL(filePath: path)) }
      let lines = LogLines()
      let keeper = SnapshotKeeper(
        control: box.control, logger: Logger(label: "test") { _ in lines })
      while await keeper.step() != .idle {}
      #expect(try Self.snapshots(directory) == made)
      let told = lines.told.withLock { $0 }.filter { $0.contains("not used and made again") }
      #expect(told.count == made.count && made.count >= 2)
      #expect(told.count { $0.hasPrefix("notice ") } == 1)
      #expect(told.allSatisfy { $0.contains(".snap: snapshot.length: ") })
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

/// Keeps what is logged.
private final class LogLines: LogHandler {
  let told = Mutex<[String]>([])
  var metadata: Logger.Metadata {
    get { [:] }
    set {}
  }
  var logLevel: Logger.Level {
    get { .trace }
    set {}
  }

  subscript(metadataKey _: String) -> Logger.Metadata.Value? {
    get { nil }
    set {}
  }

  func log(event: LogEvent) {
    told.withLock { $0.append("\(event.level) \(event.message) \(event.metadata ?? [:])") }
  }
}
