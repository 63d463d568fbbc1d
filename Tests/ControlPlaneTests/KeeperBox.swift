import Domain
import EventStore
import Logging
import Support
import Surface
import Synchronization
import Testing

@testable import ControlPlane

/// Closed until somebody opens it.
final class Gate: Sendable {
  private struct State {
    var isOpen = false
    var waiting: [CheckedContinuation<Void, Never>] = []
  }
  private let state = Mutex(State())

  func pass() async {
    await withCheckedContinuation { continuation in
      let isOpen = state.withLock { state in
        if !state.isOpen { state.waiting.append(continuation) }
        return state.isOpen
      }
      if isOpen { continuation.resume() }
    }
  }

  func open() {
    let waiting = state.withLock { state in
      state.isOpen = true
      defer { state.waiting = [] }
      return state.waiting
    }
    for one in waiting { one.resume() }
  }
}

/// A provider: answers every call by a script, and remembers when it came and how many were under way.
final class ScriptedEndpoint: TokenEndpoint {
  struct Seen: Sendable {
    /// Of each call, the clock.
    var times: [UnixNanoseconds] = []
    /// Of each call, the refresh token presented.
    var presented: [String] = []
    var underWay = 0
    var most = 0
  }
  typealias Script = @Sendable (_ number: Int) async -> TokenAnswer

  private let clock: TestClock
  private let seen = Mutex(Seen())
  private let script = Mutex<Script>({ ScriptedEndpoint.token($0) })

  init(_ clock: TestClock) { self.clock = clock }

  var calls: Seen { seen.withLock { $0 } }

  func answer(_ script: @escaping Script) { self.script.withLock { $0 = script } }

  /// A new pair for the nth call.
  static func token(_ number: Int, expiresIn: Int = 3_600) -> TokenAnswer {
    let text =
      #"{"access_token":"at-new-\#(number)","refresh_token":"rt-new-\#(number)","expires_in":\#(expiresIn)}"#
    return .answered(status: 200, retryAfterSeconds: nil, body: Array(text.utf8))
  }

  static func refusal(_ status: UInt16, _ error: String, retryAfter: UInt32? = nil) -> TokenAnswer {
    .answered(
      status: status, retryAfterSeconds: retryAfter, body: Array(#"{"error":"\#(error)"}"#.utf8))
  }

  func send(_ request: TokenRequest) async -> TokenAnswer {
    let form = String(decoding: request.body, as: UTF8.self).split(separator: "&")
    let presented = form.first { $0.hasPrefix("refresh_token=") }.map { String($0.dropFirst(14)) }
    let number = seen.withLock { seen in
      seen.times.append(clock.now)
      seen.presented.append(presented ?? "")
      seen.underWay += 1
      seen.most = max(seen.most, seen.underWay)
      return seen.times.count
    }
    let answer = await script.withLock { $0 }(number)
    seen.withLock { $0.underWay -= 1 }
    return answer
  }
}

/// A disk in memory that takes nothing more while it is said to be full.
final class FullableDisk: ForwardingDisk {
  let inner: any Disk
  private let state = Mutex(State())
  private struct State {
    var isFull = false
    var passed: Int64 = 0
  }

  init(_ inner: any Disk = SimulatedDisk(seed: 1)) { self.inner = inner }

  var isFull: Bool {
    get { state.withLock { $0.isFull } }
    set { state.withLock { $0.isFull = newValue } }
  }

  /// Its clock goes on, by which the store looks again for room.
  func pass(_ duration: Duration) {
    state.withLock { $0.passed += Int64(duration / .nanoseconds(1)) }
  }

  func monotonic() -> Int64 { inner.monotonic() + state.withLock { $0.passed } }

  func open(_ path: String, _ mode: OpenMode) throws(StoreError) -> any DiskFile {
    FullableFile(inner: try inner.open(path, mode), disk: self)
  }
}

private final class FullableFile: ForwardingFile {
  let inner: any DiskFile
  private let disk: FullableDisk

  init(inner: any DiskFile, disk: FullableDisk) {
    self.inner = inner
    self.disk = disk
  }

  func write(
    _ bytes: UnsafeRawBufferPointer, at offset: UInt64
  ) throws(StoreError) -> Int {
    if disk.isFull { throw StoreError(.full, "said to be full") }
    return try inner.write(bytes, at: offset)
  }
}

/// A keeper over a log in memory; the clock goes on while the keeper waits, and at no other time.
final class KeeperBox: Sendable {
  struct Waits: Sendable {
    var all: [Duration] = []
    /// Told of each wait, with its number from 1.
    var hook: @Sendable (Int) -> Void = { _ in }
    /// Nobody gets through until it is cancelled; the clock stands.
    var isHeld = false
  }

  static let account = AccountID("a1")

  let disk: FullableDisk
  let clock: TestClock
  let endpoint: ScriptedEndpoint
  let store: EventStore
  let control: ControlPlane
  let keeper: CredentialKeeper
  private let pauses: Pauses

  private final class Pauses: Sendable { let waits = Mutex(Waits()) }

  init(
    _ disk: FullableDisk = FullableDisk(), clock: TestClock = TestClock(),
    in directory: String
  ) throws {
    let (endpoint, pauses) = (ScriptedEndpoint(clock), Pauses())
    (self.disk, self.clock, self.endpoint, self.pauses) = (disk, clock, endpoint, pauses)
    // Without a reserve the first write that does not fit is refused.
    store = try EventStore(
      disk: disk, directory: "/log", options: StoreOptions(segmentBytes: 1 << 20, reserveBytes: 0))
    do {
      let vault = try Vault(
        directory: directory,
        masterKey: try MasterKey.load(text: nil, file: nil, directory: directory, mayCreate: true)
          ?? .ephemeral())
      control = try ControlPlane.open(store: store, vault: vault, edge: clock.edge) { _, _ in }
    } catch {
      try store.close()
      throw error
    }
    keeper = CredentialKeeper(
      control: control, endpoint: endpoint,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    ) { wait in
      if pauses.waits.withLock({ $0.isHeld }) {
        pauses.waits.withLock { $0.all.append(wait) }
        for await _ in AsyncStream<Never>.makeStream().stream {}
        throw CancellationError()
      }
      clock.advance(milliseconds: Int64(wait / .milliseconds(1)))
      disk.pass(wait)
      let (number, hook) = pauses.waits.withLock { waits in
        waits.all.append(wait)
        return (waits.all.count, waits.hook)
      }
      hook(number)
    }
  }

  /// Runs `body` with accounts whose tokens end in an hour, and closes the log.
  static func with(
    _ accounts: AccountID..., client: OAuthClient = KeeperBox.client(),
    _ body: (KeeperBox) async throws -> Void
  ) async throws {
    try await withDirectory { directory in
      let box = try KeeperBox(in: directory)
      do {
        try await box.signIn(accounts, client)
        try await body(box)
      } catch {
        try? box.store.close()
        throw error
      }
      try box.store.close()
    }
  }

  static func client(isShared: Bool = false, spacing: UInt32 = 0) -> OAuthClient {
    OAuthClient(
      tokenURL: "http://127.0.0.1:9/token", clientID: "client", leadSeconds: 300,
      isSharedFamily: isShared, spacingSeconds: spacing)
  }

  static func terms(_ name: String, _ control: ControlPlane, endsIn seconds: Int64 = 3_600) -> (
    CredentialTerms, Secret
  ) {
    let sealed = CredentialMaterial(
      access: Secret("at-\(name)"), refresh: Secret("rt-\(name)")
    ).encoded
    let ends = UnixNanoseconds(control.edge.now().rawValue + seconds * 1_000_000_000)
    return (
      CredentialTerms(
        fingerprint: control.vault.fingerprint(sealed), kind: .oauth, canRefresh: true,
        expiresAt: ends), sealed
    )
  }

  func signIn(_ accounts: [AccountID], _ client: OAuthClient) async throws {
    let provider = ProviderID("corp")
    try await control.execute(provenance: .system) { _ in
      [
        Change(
          .provider(
            .add(
              .init(
                id: provider, name: "corp", dialect: .openai, baseURL: "http://127.0.0.1:9/v1",
                prefix: "corp", models: [ProviderModel(name: "m1")], excludedModels: [])))),
        Change(.provider(.setOAuth(provider, client))),
      ]
        + accounts.map { id in
          let (terms, sealed) = Self.terms("\(id.rawValue)-1", self.control)
          return Change(
            .account(
              .add(
                .init(id: id, provider: provider, name: id.rawValue, priority: 1, weight: 1),
                credential: terms)), secret: sealed)
        }
    }
  }

  // MARK: What is seen

  var waits: [Duration] { pauses.waits.withLock { $0.all } }

  func holdWaits() { pauses.waits.withLock { $0.isHeld = true } }

  func onWait(_ hook: @escaping @Sendable (Int) -> Void) {
    pauses.waits.withLock { $0.hook = hook }
  }

  func credential(_ id: AccountID = account) throws -> Credential {
    try #require(control.state.accounts[id]).credential
  }

  func refresh(_ cause: RefreshCause) async -> String { await refresh(Self.account, cause) }

  func refresh(
    _ id: AccountID = account, presented: UInt64 = 1, _ cause: RefreshCause = .reactive
  ) async -> String {
    switch await keeper.refresh(id, presented: presented, cause: cause, provenance: .system) {
    case .newer(let generation): "newer \(generation)"
    case .failed(let code): "failed \(code)"
    case .refused(let refusal): "refused \(refusal.code.rawValue)"
    case .waits: "waits"
    }
  }

  /// Kinds of the credential's events, in order.
  func kinds(_ id: AccountID = account) throws -> [String] {
    var found: [String] = []
    try store.reader.scan(from: .origin, through: nil) { entry in
      guard case .event(let stored) = entry else { throw Unexpected("\(entry)") }
      if stored.stream == id.credentialStream { found.append(stored.kind) }
      return .continue
    }
    return found
  }

  /// Until so many calls have come.
  func calls(_ count: Int) async {
    while endpoint.calls.times.count < count { await Task.yield() }
  }

  /// Until what was begun is written down.
  func reached(_ generation: UInt64, _ accounts: AccountID...) async {
    while accounts.contains(where: {
      control.state.accounts[$0]?.credential.generation != generation
    }) {
      await Task.yield()
    }
  }

  func ended() async {
    while control.state.accounts.values.contains(where: { $0.credential.attempt != nil }) {
      await Task.yield()
    }
  }
}
