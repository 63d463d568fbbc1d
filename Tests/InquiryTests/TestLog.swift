import Crypto
import Domain
import EventStore
import Foundation
import Inquiry
import Testing

/// A real log in a directory of its own, written through the store with Domain's encoders.
final class TestLog {
  let directory: String
  private(set) var state = ControlState.initial
  private var store: EventStore?
  private var nextID: UInt128 = 1
  /// Grows by one second with every event.
  private(set) var time: Int64 = 1_795_208_400_000_000_000
  private(set) var last: UInt64 = 0
  /// Position through which checkpoints were signed.
  private var covered: UInt64 = 0

  static let admin = Provenance(actor: "admin", source: .api, address: "127.0.0.1:50123")
  static let file = Provenance(actor: "local:0", source: .file)

  /// A copy of another log's directory as it is, for another history to go on in it.
  convenience init(copyOf other: TestLog) throws {
    try other.close()
    try self.init(closed: other.directory)
    state = other.state
    (nextID, time, last, covered) = (other.nextID, other.time, other.last, other.covered)
    try open()
    try other.open()
  }

  private init(closed source: String) throws {
    var template = Array("/tmp/signalbox-inquiry-XXXXXX".utf8CString)
    let made = try #require(mkdtemp(&template))
    directory = String(cString: made)
    try FileManager.default.removeItem(atPath: directory)
    try FileManager.default.copyItem(atPath: source, toPath: directory)
  }

  init() throws {
    var template = Array("/tmp/signalbox-inquiry-XXXXXX".utf8CString)
    let made = try #require(mkdtemp(&template))
    directory = String(cString: made)
    try open()
  }

  deinit {
    try? store?.close()
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// Opens for writing: the next epoch.
  func open(_ options: StoreOptions = StoreOptions()) throws {
    store = try EventStore.open(directory: directory, options: options)
  }

  /// Opens, waits until every finished segment is sealed, and closes.
  func seal(_ options: StoreOptions) throws {
    try open(options)
    let state = try #require(store).waitUntilSealed()
    #expect(state.pending == 0 && state.lastFailure == nil)
    try close()
  }

  /// Opens for writing although everything that is damaged is lost.
  func openAcceptingLosses() throws {
    let gaps = try reader().verify(from: Position(1), through: nil, progress: nil).gaps
    store = try EventStore.open(
      directory: directory, options: StoreOptions(),
      accepting: LossAcceptance(
        positions: gaps.map { $0.first...($0.last ?? $0.first) }, places: [], actor: "local:0",
        reason: "a test"))
  }

  /// Lets time go by before the next event.
  func wait(seconds: Int64) { time += seconds * 1_000_000_000 }

  func close() throws {
    try store?.close()
    store = nil
  }

  /// Snapshots as a gateway makes them, behind any events, in place of those that there are.
  func makeSnapshots(
    at positions: Set<UInt64>, version: String = GatewayProjection.version
  ) throws {
    let path = directory + "/snapshots"
    if FileManager.default.fileExists(atPath: path) {
      try FileManager.default.removeItem(atPath: path)
    }
    let reader = try #require(store).reader
    let files = SnapshotFiles(of: reader, projector: GatewayProjection.name, version: version)
    var projection = GatewayProjection.initial
    try reader.scan(from: Position(1), through: nil) { entry in
      if case .gap(let gap) = entry, gap.isAccepted { return .continue }
      guard case .event(let stored) = entry else { return .stop }
      try projection.apply(
        position: stored.position.rawValue, epoch: stored.epoch.rawValue,
        time: UnixNanoseconds(stored.time), kind: stored.kind,
        revision: stored.revision.rawValue, bytes: stored.payload)
      if positions.contains(stored.position.rawValue) {
        try files.write(projection.encoded(), at: stored.position)
      }
      return .continue
    }
  }

  /// The log's own fold.
  func projection(through last: UInt64) throws -> GatewayProjection {
    var projection = GatewayProjection.initial
    try #require(store).reader.scan(from: Position(1), through: Position(last)) { entry in
      guard case .event(let stored) = entry else { return .stop }
      try projection.apply(
        position: stored.position.rawValue, epoch: stored.epoch.rawValue,
        time: UnixNanoseconds(stored.time), kind: stored.kind,
        revision: stored.revision.rawValue, bytes: stored.payload)
      return .continue
    }
    return projection
  }

  /// A whole snapshot of whatever is given.
  func writeSnapshot(_ projection: GatewayProjection, at position: UInt64) throws {
    let reader = try #require(store).reader
    try SnapshotFiles(
      of: reader, projector: GatewayProjection.name, version: GatewayProjection.version
    ).write(projection.encoded(), at: Position(position))
  }

  /// Where the snapshot at a position lies.
  func snapshot(_ position: UInt64) -> String {
    let digits = String(position)
    return directory + "/snapshots/" + String(repeating: "0", count: 20 - digits.count) + digits
      + ".snap"
  }

  /// A reader of its own, as `replay` opens one.
  func reader() throws -> LogReader { try LogReader.open(directory: directory) }

  @discardableResult
  func append(
    _ event: Event, _ provenance: Provenance = .system, sealed: [UInt8] = []
  ) throws -> UInt64 {
    let position = try append(
      kind: event.kind, stream: event.stream, keys: event.lookupKeys,
      payload: encode(event, provenance), sealed: sealed)
    state.apply(
      Recorded(
        position: position, time: UnixNanoseconds(time), kind: event.kind, provenance: provenance,
        content: .event(event)))
    return position
  }

  @discardableResult
  func append(
    kind: String, stream: String, keys: [[UInt8]] = [], payload: [UInt8], sealed: [UInt8] = []
  ) throws -> UInt64 {
    time += 1_000_000_000
    let draft = EventDraft(
      id: EventID(0x0193_2d5e_7c4b_7000_8000_0000_0000_0000 + nextID), stream: stream, kind: kind,
      time: time, lookupKeys: keys, payload: payload, sealed: sealed)
    nextID += 1
    let store = try #require(store)
    last = try store.appendAndWait(AppendBatch(events: [draft]), durability: .written).last.rawValue
    return last
  }

  /// Decides commands as the control plane does, and appends what they give.
  func run(_ commands: [Command], _ provenance: Provenance = TestLog.admin) throws {
    for command in commands {
      for proposed in try decide(command, state) {
        let isSealed = proposed.event.kind.hasPrefix("credential.issued")
        try append(proposed.event, provenance, sealed: isSealed ? [9, 9, 9, 9] : [])
      }
    }
  }

  /// Signs what is not covered yet and appends the checkpoint, as the gateway does.
  ///
  /// - Parameter change: Made to the checkpoint before it is signed, to try what does not fit.
  @discardableResult
  func checkpoint(
    _ key: Curve25519.Signing.PrivateKey, through: UInt64? = nil,
    _ change: (inout GatewayEvent.CheckpointSigned) -> Void = { _ in }
  ) throws -> GatewayEvent.CheckpointSigned {
    let reader = try #require(store).reader
    let position = Position(through ?? last)
    let leaves = try reader.leaves(from: Position(covered + 1), through: position)
    var fact = GatewayEvent.CheckpointSigned(
      position: position.rawValue,
      epoch: try #require(try reader.event(at: position)).epoch.rawValue,
      chain: try reader.chainValue(at: position).bytes, previous: covered,
      root: MerkleTree.root(of: leaves).bytes, publicKey: [UInt8](key.publicKey.rawRepresentation),
      signature: [])
    change(&fact)
    if fact.signature.isEmpty {
      let statement = fact.statement(store: reader.storeID)
      fact.signature = [UInt8](try key.signature(for: Array(statement.utf8)))
    }
    covered = position.rawValue
    try append(.gateway(.checkpointSigned(fact)))
    return fact
  }

  // MARK: Requests

  /// What became of one attempt.
  struct Result {
    var status: UInt16?
    var errorClass: ErrorClass?
    var errorCode: String?

    static let ok = Result(status: 200)
    static let limited = Result(status: 429, errorClass: .account, errorCode: "status_429")
    static let refused = Result(errorClass: .network, errorCode: "connect_refused")
  }

  /// A finished request whose attempts go where `route` sends them on the state as it is now.
  func finished(
    _ number: UInt64, _ model: String, _ results: [Result], status: UInt16 = 200,
    ending: Ending = .completed, errorCode: String? = nil, errorClass: ErrorClass? = nil,
    usage: TokenUsage = TokenUsage(input: 12, output: 5), client: String? = nil,
    milliseconds: UInt64 = 34, isStream: Bool = false
  ) throws -> RequestEvent.Finished {
    let snapshot = RoutingSnapshot(state)
    let facts = RequestFacts(
      model: model, organisation: OrganisationID("acme"), key: KeyID("key-default"),
      operation: .chatCompletions)
    var attempts: [Attempt] = []
    var resolved: String?
    for result in results {
      let now = UnixNanoseconds(time + Int64(attempts.count) * 1_000_000)
      let decision = try route(
        snapshot, facts, now: now, seed: number, local: .none, tried: attempts.map(\.tried)
      ).get()
      resolved = "\(decision.provider.rawValue)/\(decision.upstreamModel)"
      attempts.append(
        Attempt(
          snapshot: snapshot.position, now: now, seed: number, local: .none,
          account: decision.account, rule: decision.rule, status: result.status,
          errorClass: result.errorClass, errorCode: result.errorCode,
          connectMicroseconds: 210, firstByteMicroseconds: result.status == nil ? nil : 12_000,
          totalMicroseconds: milliseconds * 1_000 - 500, upstreamModel: decision.upstreamModel))
    }
    if let last = attempts.indices.last { attempts[last].upstreamModel = nil }
    return RequestEvent.Finished(
      id: TestLog.request(number), clientRequestID: client, organisation: OrganisationID("acme"),
      key: KeyID("key-default"), remoteAddress: "127.0.0.1", operation: .chatCompletions,
      modelAsked: model, modelResolved: resolved, isStream: isStream,
      receivedAt: UnixNanoseconds(time), attempts: attempts, status: status, ending: ending,
      errorCode: errorCode, errorClass: errorClass, usage: usage, requestBytes: 180,
      responseBytes: 420, queueMicroseconds: 40,
      firstByteMicroseconds: results.isEmpty ? nil : 12_400,
      totalMicroseconds: milliseconds * 1_000)
  }

  static func request(_ number: UInt64) -> RequestID {
    RequestID(0x0193_2d5e_0000_7000_8000_0000_0000_0000 + UInt128(number))
  }
}

extension TestLog {
  /// A small life of a gateway: set-up, requests good and bad, edits, an unclean end, a second epoch.
  static func story() throws -> TestLog {
    let log = try TestLog()
    try log.append(
      .gateway(
        .started(
          .init(
            version: "0.1.0", epoch: 1, recording: .standard, listen: "127.0.0.1:8080",
            previousStopWasClean: true, interruptedRequests: 0))))
    let mock = ProviderID("mock")
    try log.run(
      [
        .provider(
          .add(
            .init(
              id: mock, name: "mock", dialect: .openai, baseURL: "http://127.0.0.1:9000/v1",
              prefix: "mock",
              models: [.init(name: "gpt-4o-mini"), .init(name: "gpt-4o", alias: "big")],
              excludedModels: ["*-preview"]))),
        .account(
          .add(
            .init(id: AccountID("mock-a1"), provider: mock, name: "a1", priority: 1, weight: 80),
            credential: .key(Fingerprint([UInt8](repeating: 0xA1, count: 32))))),
        .account(
          .add(
            .init(id: AccountID("mock-a2"), provider: mock, name: "a2", priority: 2, weight: 20),
            credential: .key(Fingerprint([UInt8](repeating: 0xA2, count: 32))))),
      ], TestLog.file)
    // As logs hold it that were begun before organisations had events of their own.
    try log.append(
      .key(
        .created(
          .init(
            id: KeyID("key-default"), name: "default", organisation: OrganisationID("acme"),
            fingerprint: Fingerprint([UInt8](repeating: 0xC1, count: 32)), masked: "sb-1…cdef",
            diagnostics: true, expiresAt: nil))), TestLog.file)
    try log.run(
      [
        .settings(.change(.init(maxBodyBytes: 1 << 20))),
        .alias(.set(name: "fast", target: "mock/gpt-4o-mini", allowUnresolved: false)),
      ], TestLog.file)
    try log.append(.request(.finished(log.finished(1, "fast", [.ok], client: "my-id"))))
    try log.append(
      .request(
        .finished(
          log.finished(
            2, "mock/gpt-4o", [.limited, .ok], usage: .notReported, milliseconds: 1_250,
            isStream: true))))
    try log.append(
      .request(
        .finished(
          log.finished(
            3, "gpt\u{1B}[31m-nope", [], status: 404, ending: .denied,
            errorCode: "model_not_found", errorClass: .client, usage: .notReported,
            milliseconds: 1))))
    try log.run([
      .provider(.change(.init(id: mock, baseURL: "http://127.0.0.1:9001/v1"))),
      .account(.disable(AccountID("mock-a1"))),
      .alias(.set(name: "fast", target: "mock/big", allowUnresolved: false)),
      .settings(.setAdminPassword),
    ])
    try log.append(.request(.finished(log.finished(4, "fast", [.ok], client: "my-id"))))
    try log.append(
      .request(
        .finished(
          log.finished(
            5, "big", [.refused], status: 502, ending: .failed, errorCode: "upstream_unreachable",
            errorClass: .network, usage: .notReported, milliseconds: 3))))
    try log.append(.request(.deliveryFailed(.init(id: request(4), errorCode: "reset"))))
    let dispatched = try log.append(
      .request(
        .dispatched(
          .init(
            id: request(6), clientRequestID: nil, organisation: OrganisationID("acme"),
            key: KeyID("key-default"), operation: .chatCompletions, modelAsked: "fast",
            receivedAt: UnixNanoseconds(log.time), account: AccountID("mock-a2")))))
    try log.close()
    try log.open()
    try log.append(
      .gateway(.gap(.init(boundMilliseconds: 20, reason: "the machine restarted"))))
    try log.append(
      .request(
        .interrupted(
          .init(
            id: request(6), clientRequestID: nil, organisation: OrganisationID("acme"),
            key: KeyID("key-default"), dispatchedAt: dispatched))))
    try log.append(
      .gateway(
        .started(
          .init(
            version: "0.1.0", epoch: 2, recording: .strict, listen: "127.0.0.1:8080",
            previousStopWasClean: false, interruptedRequests: 1))))
    try log.append(kind: "combo.set.v9", stream: "combo/smart", payload: [1, 2, 3])
    try log.run([.account(.enable(AccountID("mock-a1"))), .key(.pause(KeyID("key-default")))])
    try log.append(.request(.finished(log.finished(7, "fast", [.ok]))))
    try log.append(
      .request(
        .deniedSummary(
          .init(remoteAddress: "127.0.0.9", since: UnixNanoseconds(log.time), count: 120))))
    try log.append(.gateway(.stopped(.init(reason: "SIGTERM", cutRequests: 0))))
    return log
  }

  /// When `-15m` counts from, in the tests: a minute after the story's end.
  static let now = UnixNanoseconds(1_795_208_400_000_000_000 + 100_000_000_000)
}
