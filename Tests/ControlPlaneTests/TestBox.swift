import ControlPlane
import Domain
import EventStore
import FoundationEssentials
import HTTPTypes
import Logging
import NIOCore
import Surface
import Synchronization

/// A control plane over a real log in a directory of its own, without a socket.
final class TestBox: Sendable {
  static let password = "a-password-for-tests"
  static let address = "203.0.113.9"

  let directory: String
  let store: EventStore
  let control: ControlPlane
  let responder: AdminResponder
  let clock: TestClock
  let sink: PublishedSink
  let made: FirstStart
  let probe: ScriptedProbe
  /// Follows the log when it is asked, without a thread.
  let views: ViewKeeper
  let metrics: MetricsKeeper
  /// nil: the box speaks to no others.
  let sync: SyncKeeper?
  /// Everything that answers said, except those that are meant to show a secret.
  private let said = Mutex<[String]>([])

  struct Published: Sendable {
    var state = ControlState.initial
    var secrets: [AccountID: Secret] = [:]
    var count = 0
  }

  private init(
    directory: String, store: EventStore, control: ControlPlane, responder: AdminResponder,
    clock: TestClock, sink: PublishedSink, made: FirstStart, probe: ScriptedProbe,
    views: ViewKeeper, metrics: MetricsKeeper, sync: SyncKeeper?
  ) {
    self.directory = directory
    self.store = store
    self.control = control
    self.responder = responder
    self.clock = clock
    self.sink = sink
    self.made = made
    self.probe = probe
    self.views = views
    self.metrics = metrics
    self.sync = sync
  }

  /// Opens (or opens again) a gateway's control side.
  static func open(
    _ directory: String, clock: TestClock = TestClock(), masterKey: String? = nil,
    sessionSecret: Secret? = nil, isLoopback: Bool = true, password: String? = TestBox.password,
    segmentBytes: Int = 64 << 20, canProbe: Bool = true,
    configuration: ConfigurationSource? = nil, heartbeat: Duration = .seconds(15),
    inquiryEvents: UInt64 = 1 << 18, network: (any TokenEndpoint)? = nil
  ) async throws -> TestBox {
    let store = try EventStore.open(
      directory: directory, options: StoreOptions(segmentBytes: segmentBytes))
    do {
      let key = try MasterKey.load(
        text: masterKey, file: nil, directory: directory, mayCreate: true)
      let vault = try Vault(directory: directory, masterKey: key ?? .ephemeral())
      let sink = PublishedSink()
      let control = try ControlPlane.open(
        store: store, vault: vault, edge: clock.edge, passwordCost: 4
      ) { sink.take($0, $1) }
      if network != nil { try await control.identify(directory: directory) }
      let made = try await control.firstStart(adminPassword: password.map { Secret($0) })
      let probe = ScriptedProbe()
      let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
      let metrics = MetricsKeeper(store: store, logger: logger)
      let views = ViewKeeper(
        store: store, directory: directory, metrics: metrics, logger: logger)
      var options = AdminOptions(
        isLoopback: isLoopback, sessionSecret: sessionSecret, configuration: configuration,
        build: BuildInfo(version: "0.0.0-test"))
      options.followHeartbeat = heartbeat
      options.inquiryEvents = inquiryEvents
      let sync = network.map {
        SyncKeeper(control: control, endpoint: $0, probe: probe, logger: logger)
      }
      let responder = await AdminResponder(
        control: control, options: options, probe: canProbe ? probe : nil, sync: sync, views: views,
        signer: CheckpointSigner(control: control, logger: logger), metrics: metrics,
        logger: logger)
      return TestBox(
        directory: directory, store: store, control: control, responder: responder, clock: clock,
        sink: sink, made: made, probe: probe, views: views,
        metrics: metrics, sync: sync)
    } catch {
      try store.close()
      throw error
    }
  }

  /// Runs `body` with a fresh box and takes the directory away afterwards.
  static func with(
    inquiryEvents: UInt64 = 1 << 18, _ body: (TestBox) async throws -> Void
  ) async throws {
    try await withDirectory { directory in
      let box = try await open(directory, inquiryEvents: inquiryEvents)
      do {
        try await body(box)
      } catch {
        try? box.store.close()
        throw error
      }
      box.views.stop()
      try box.store.close()
    }
  }

  /// What was published last.
  var published: Published { sink.published.withLock { $0 } }

  // MARK: Calls

  /// What came back.
  struct Reply: Sendable {
    var status: Int
    var headers: HTTPFields
    var text: String
    var json: JSONValue

    var tag: String? { headers[.eTag] }
    /// The error's code in any of the shapes.
    var code: String? { json["error"]?["code"]?.string ?? json["code"]?.string }
    var field: String? { json["error"]?["field"]?.string }
  }

  /// Sends one request as it would come from the listener.
  func call(
    _ method: HTTPRequest.Method, _ uri: String, _ body: String = "", as session: String? = nil,
    headers: [(String, String)] = [], host: String? = "localhost:8080",
    address: String = TestBox.address, showsSecret: Bool = false
  ) async throws -> Reply {
    var fields = HTTPFields()
    if let host { fields.append(HTTPField(name: try name("host"), value: host)) }
    if let session {
      fields.append(HTTPField(name: .authorization, value: "Bearer \(session)"))
    }
    for (key, value) in headers { fields.append(HTTPField(name: try name(key), value: value)) }
    let answer = await responder.respond(
      to: AdminRequest(
        method: method, uri: uri, headers: fields, body: ByteBuffer(string: body),
        remoteAddress: address, requestID: RequestID(clock.edge.mintID())))
    let bytes = Array(answer.body.readableBytesView)
    let text = String(decoding: bytes, as: UTF8.self)
    if !showsSecret {
      let headers = answer.headers.map { "\($0.name): \($0.value)" }.joined(separator: "\n")
      said.withLock { $0.append("\(method) \(uri)\n\(headers)\n\(text)") }
    }
    return Reply(
      status: answer.status.code, headers: answer.headers, text: text,
      json: bytes.isEmpty || answer.headers[.contentType]?.hasPrefix("text/") == true
        ? .null : try JSONValue.parse(bytes))
  }

  /// Asks for an answer that goes on; nil: it is another one.
  func follow(
    _ uri: String, as session: String, headers: [(String, String)] = []
  ) async throws -> AdminStream? {
    var fields = HTTPFields()
    let given = [("host", "localhost:8080"), ("authorization", "Bearer \(session)")] + headers
    for (key, value) in given { fields.append(HTTPField(name: try name(key), value: value)) }
    var request = AdminRequest(
      method: .get, uri: uri, headers: fields, remoteAddress: TestBox.address,
      requestID: RequestID(clock.edge.mintID()))
    request.takesStream = true
    let answer = await responder.respond(to: request)
    said.withLock {
      $0.append(String(decoding: Array(answer.body.readableBytesView), as: UTF8.self))
    }
    return answer.stream
  }

  /// Signs in and gives the token.
  func signIn(_ password: String = TestBox.password) async throws -> String {
    let reply = try await call(
      .post, "/api/auth/login", "{\"password\":\"\(password)\"}", showsSecret: true)
    guard let token = reply.json["token"]?.string else { throw Unexpected(reply.text) }
    return token
  }

  /// Every answer so far that should show no secret.
  var everythingSaid: [String] { said.withLock { $0 } }

  private func name(_ text: String) throws -> HTTPField.Name {
    guard let name = HTTPField.Name(parsed: text) else { throw Unexpected(text) }
    return name
  }
}

/// Something a test relied on was otherwise.
struct Unexpected: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}

/// A clock that stands still until told, and a generator without surprises.
final class TestClock: Sendable {
  private let time = Mutex<Int64>(1_900_000_000_000_000_000)

  var now: UnixNanoseconds { UnixNanoseconds(time.withLock { $0 }) }

  func advance(milliseconds: Int64) { time.withLock { $0 += milliseconds * 1_000_000 } }

  func advance(seconds: Int64) { time.withLock { $0 += seconds * 1_000_000_000 } }

  var edge: Edge {
    Edge(
      now: { self.now },
      random: {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
      })
  }
}

/// Where publications go before there is a box to hold them.
final class PublishedSink: Sendable {
  let published = Mutex(TestBox.Published())
  func take(_ state: ControlState, _ secrets: [AccountID: Secret]) {
    published.withLock {
      $0.state = state
      $0.secrets = secrets
      $0.count += 1
    }
  }
}

/// Runs `body` with a directory that exists nowhere else, and takes it away afterwards.
func withDirectory(_ body: (String) async throws -> Void) async throws {
  let path = "/tmp/signalbox-control-\(UInt64.random(in: 0 ... .max))"
  try FileManager.default.createDirectory(
    atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
  do {
    try await body(path)
  } catch {
    try? FileManager.default.removeItem(atPath: path)
    throw error
  }
  try FileManager.default.removeItem(atPath: path)
}

/// All bytes of all files under a directory, by path.
func filesUnder(_ directory: String) throws -> [String: Data] {
  var files: [String: Data] = [:]
  for entry in try FileManager.default.subpathsOfDirectory(atPath: directory) {
    let path = "\(directory)/\(entry)"
    var isDirectory = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), !isDirectory {
      files[path] = FileManager.default.contents(atPath: path) ?? Data()
    }
  }
  return files
}
