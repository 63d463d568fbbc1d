import Domain
import EventStore
import Foundation
import Logging
import Surface
import Testing

@testable import ControlPlane
@testable import signalbox

/// A control side behind a control socket, in a directory of its own.
struct Door {
  let directory: String
  let store: EventStore
  let control: ControlPlane
  let socket: ControlSocket

  static func with(
    _ name: String = "signalbox-door-\(UInt64.random(in: 0 ... .max))",
    _ body: (Door) async throws -> Void
  ) async throws {
    let directory = "/tmp/\(name)"
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true,
      attributes: [.posixPermissions: 0o700])
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let store = try EventStore.open(
      directory: directory, options: StoreOptions(dictionary: compressionDictionary()))
    let key = try MasterKey.load(text: nil, file: nil, directory: directory, mayCreate: true)
    let control = try ControlPlane.open(
      store: store, vault: try Vault(directory: directory, masterKey: key ?? .ephemeral()),
      passwordCost: 4
    ) { _, _ in }
    let socket = try await ControlSocket.open(
      directory: directory, responder: await responder(control))
    let door = Door(directory: directory, store: store, control: control, socket: socket)
    let result: Result<Void, any Error>
    do {
      result = .success(try await body(door))
    } catch {
      result = .failure(error)
    }
    await socket.close()
    try? store.close()
    try result.get()
  }

  static func responder(_ control: ControlPlane) async -> AdminResponder {
    await AdminResponder(
      control: control, options: AdminOptions(build: BuildInfo(version: "0.0.0-test")),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  func send(_ request: ControlRequest, patience: Duration = .seconds(30)) async throws
    -> ControlReply
  {
    try #require(
      try await ControlCaller.send(request, directory: directory, patience: patience))
  }

  /// Who caused the first event of a stream.
  func event(ofStream stream: String) throws -> Provenance? {
    try store.reader.events(ofStream: stream, from: Revision(1)).first.map {
      try recorded($0).provenance
    }
  }

  func mode(_ file: String) throws -> Int? {
    try FileManager.default.attributesOfItem(atPath: "\(directory)/\(file)")[.posixPermissions]
      as? Int
  }
}

private let provider: JSONValue = [
  "id": "mock", "baseUrl": "http://127.0.0.1:9/v1", "models": [["name": "m"]],
]

@Suite("Control socket")
struct ControlSocketTests {
  @Test func `a refusal as quick as a refusal can be is read`() async throws {
    try await Door.with { door in
      for _ in 0..<300 {
        let refused = try await door.send(ControlRequest(.post, "/api/provider-nodes", body: []))
        #expect(refused.status == 400)
      }
    }
  }

  @Test func `a local caller administrates without a login, and the log has the user`() async throws
  {
    try await Door.with { door in
      let added = try await door.send(ControlRequest(.post, "/api/provider-nodes", body: provider))
      #expect(added.status == 201)
      let event = try #require(try door.event(ofStream: "provider/mock"))
      #expect(event.actor == "local:\(getuid())")
      #expect(event.source == .cli)
      #expect(event.address == nil)
    }
  }

  @Test func `a revision that is not the current one is refused, and the current one is named`()
    async throws
  {
    try await Door.with { door in
      _ = try await door.send(ControlRequest(.post, "/api/provider-nodes", body: provider))
      let path = "/api/provider-nodes/mock"
      let first = try await door.send(
        ControlRequest(.put, path, body: ["name": "one"], ifMatch: "1"))
      #expect(first.status == 200)
      let second = try await door.send(
        ControlRequest(.put, path, body: ["name": "two"], ifMatch: "1"))
      #expect(second.status == 412)
      let refused = Refused(second)
      #expect(refused.code == "revision_mismatch")
    }
  }

  @Test func `the socket is the owner's alone, whatever the umask`() async throws {
    let old = umask(0)
    defer { umask(old) }
    try await Door.with { door in
      let mode = try door.mode("control.sock")
      #expect(mode == 0o600)
      #expect(!FileManager.default.fileExists(atPath: "\(door.directory)/.control.sock.new"))
    }
  }

  @Test func `a directory whose path is longer than the system takes has a socket too`()
    async throws
  {
    let name = "signalbox-door-\(UInt64.random(in: 0 ... .max))"
    defer { try? FileManager.default.removeItem(atPath: "/tmp/\(name)") }
    try await Door.with("\(name)/" + String(repeating: "a", count: 120)) { door in
      let reply = try await door.send(ControlRequest(.get, "/api/settings"))
      #expect(reply.status == 200)
    }
  }

  @Test func `a dead gateway's socket is nobody's answer, and is replaced`() async throws {
    try await Door.with { door in
      await door.socket.close()
      let request = ControlRequest(.get, "/api/settings")
      #expect(
        try await ControlCaller.send(request, directory: door.directory, patience: .seconds(9))
          == nil)
      // What kill -9 leaves: a file at which nobody listens.
      let stale = try staleSocket(in: door.directory)
      close(stale)
      #expect(FileManager.default.fileExists(atPath: "\(door.directory)/control.sock"))
      #expect(
        try await ControlCaller.send(request, directory: door.directory, patience: .seconds(9))
          == nil)
      let socket = try await ControlSocket.open(
        directory: door.directory, responder: await Door.responder(door.control))
      #expect(try await door.send(request).status == 200)
      await socket.close()
      #expect(!FileManager.default.fileExists(atPath: "\(door.directory)/control.sock"))
    }
  }

  @Test func `a file of that name that is no socket stays, and is named`() async throws {
    try await Door.with { door in
      await door.socket.close()
      let path = "\(door.directory)/control.sock"
      #expect(FileManager.default.createFile(atPath: path, contents: Data("mine".utf8)))
      await #expect(throws: ControlSocketAddress.Failure.self) {
        _ = try await ControlSocket.open(
          directory: door.directory, responder: await Door.responder(door.control))
      }
      #expect(FileManager.default.contents(atPath: path) == Data("mine".utf8))
    }
  }

  @Test func `a body beyond the limit is answered 413`() async throws {
    try await Door.with { door in
      let long = String(repeating: "x", count: AdminResponder.maximumBodyBytes)
      let reply = try await door.send(
        ControlRequest(.patch, "/api/settings", body: ["fallbackStrategy": .string(long)]))
      #expect(reply.status == 413)
      #expect(Refused(reply).code == "body_too_large")
    }
  }

  @Test func `what speaks no HTTP, or goes away, disturbs nobody`() async throws {
    try await Door.with { door in
      for bytes in ["\0\0\0\0", "GET", "PUT /api/settings HTTP/1.1\r\ncontent-length: 9\r\n\r\n{"] {
        let descriptor = try rawConnection(door.directory)
        _ = bytes.withCString { write(descriptor, $0, bytes.utf8.count) }
        close(descriptor)
      }
      #expect(try await door.send(ControlRequest(.get, "/api/settings")).status == 200)
    }
  }

  @Test func `a gateway that says nothing is given up after a while`() async throws {
    let directory = "/tmp/signalbox-door-\(UInt64.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let silent = try staleSocket(in: directory)
    defer { close(silent) }
    listen(silent, 1)
    await #expect(throws: ControlCaller.Unanswered.self) {
      _ = try await ControlCaller.send(
        ControlRequest(.get, "/health"), directory: directory, patience: .milliseconds(50))
    }
  }
}

/// A bound socket at which nobody listens.
private func staleSocket(in directory: String) throws -> CInt {
  let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
  var address = ControlSocketAddress.address("\(directory)/control.sock")
  let result = withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
    }
  }
  try #require(result == 0)
  return descriptor
}

private func rawConnection(_ directory: String) throws -> CInt {
  let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
  var address = ControlSocketAddress.address("\(directory)/control.sock")
  let result = withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
    }
  }
  try #require(result == 0)
  return descriptor
}
