import ControlPlane
import Domain
import EventStore
import Glibc
import HTTPTypes
import Logging
import NIOCore
import Surface

/// How the command line's verbs reach the administration: its API, wherever that runs.
///
/// Where a gateway has the directory open, over its control socket; else within this program, which
/// opens the log for the one request. Either way the same handlers answer, and the log says the same.
struct Administration {
  let data: DataOptions
  /// Whether a directory without a log gets one, as `apply` does.
  var mayCreate = false
  /// How long a gateway may take to answer.
  var patience: Duration = .seconds(120)

  /// Another process has the log open, and does not listen.
  struct Locked: Error {
    var error: StoreError
  }

  /// Sends one request and gives its answer, whatever its status.
  ///
  /// - Throws: `StoreError`, `VaultError`, `ControlError` where the log cannot be opened,
  ///   `ControlCaller.Unanswered` where a gateway does not answer, `Locked`.
  func send(_ request: ControlRequest) async throws -> ControlReply {
    let directory = try data.directory()
    var locked: StoreError?
    // A gateway that is just starting or stopping holds the lock without a socket for a moment.
    for _ in 0..<10 {
      if let reply = try await ControlCaller.send(
        request, directory: directory, patience: patience)
      {
        return reply
      }
      do {
        return try await withinThisProgram(request)
      } catch let error as StoreError where error.code == .locked {
        locked = error
      }
    }
    throw Locked(error: locked ?? StoreError(.locked, "held", path: directory))
  }

  private func withinThisProgram(_ request: ControlRequest) async throws -> ControlReply {
    let directory = try mayCreate ? data.directory() : data.existingLog()
    try data.checkMasterKey(in: directory)
    let store = try EventStore.open(
      directory: directory, options: StoreOptions(dictionary: compressionDictionary()))
    let reply: ControlReply
    do {
      reply = try await answer(request, store, directory)
    } catch {
      // The error that is on its way says more than one of closing would.
      try? store.close()
      throw error
    }
    try store.close()
    return reply
  }

  private func answer(
    _ request: ControlRequest, _ store: EventStore, _ directory: String
  ) async throws -> ControlReply {
    let key = try data.masterKey(in: directory, for: store)
    // A gateway says it at every start; here it belongs to the making of a log only.
    if mayCreate, let warning = key.warning { Console.warn("signalbox: \(warning)") }
    let control = try ControlPlane.open(
      store: store, vault: try Vault(directory: directory, masterKey: key)
    ) { _, _ in }
    try await control.noteRecovery()
    // What is edited in a copy is another life's edit, also before a gateway runs there.
    if control.state.node != nil, request.method != .get,
      try await control.identify(directory: directory)
    {
      Console.warn("signalbox: \(Gateway.copyNotice)")
    }
    let responder = await AdminResponder(
      control: control, options: AdminOptions(build: BuildInfo(version: Build.version)),
      logger: Logger(label: "signalbox") { StreamLogHandler.standardError(label: $0) })
    var headers = HTTPFields()
    if let tag = request.tag { headers[.ifMatch] = tag }
    let answer = await responder.respond(
      to: AdminRequest(
        method: HTTPRequest.Method(rawValue: request.method.rawValue) ?? .trace,
        uri: request.target, headers: headers,
        body: ByteBuffer(bytes: request.body?.bytes ?? []), localUser: getuid(),
        requestID: RequestID(Edge.system.mintID())))
    return ControlReply(
      status: answer.status.code, bytes: Array(answer.body.readableBytesView))
  }
}

/// The administration's no: what it says of it.
struct Refused: Error, Hashable {
  var status: Int
  var code: String
  var message: String
  var field: String?
  var remedy: String?
  /// Of a file that was sent, from 1.
  var line: Int64?

  /// Reads an answer in the shape of administration (`{"error":{…}}`) or of the API Router's paths
  /// (`{"error":"…","code":"…"}`).
  init(_ reply: ControlReply) {
    let body = (try? reply.json()) ?? .null
    let error = body["error"]
    status = reply.status
    code = error?["code"]?.string ?? body["code"]?.string ?? "http_\(reply.status)"
    message = error?["message"]?.string ?? error?.string ?? "The answer has no reason."
    field = error?["field"]?.string
    remedy = error?["remedy"]?.string
    line = error?["line"]?.int
  }
}
