import ArgumentParser
import Domain
import EventStore
import Foundation
import Surface
import Testing

@testable import ControlPlane
@testable import signalbox

/// The command line's way to the administration, with and without a gateway.
@Suite("Administration from this machine")
struct AdministrationTests {
  private let provider = ControlRequest(
    .post, "/api/provider-nodes",
    body: ["id": "mock", "baseUrl": "http://127.0.0.1:9/v1", "models": [["name": "m"]]])

  private func administration(_ directory: String) throws -> Administration {
    Administration(data: try DataOptions.parse(["--data", directory]))
  }

  @Test func `a gateway that holds the log answers over its socket`() async throws {
    try await Door.with { door in
      let reply = try await administration(door.directory).send(provider)
      #expect(reply.status == 201)
      #expect(door.control.state.providers[ProviderID("mock")] != nil)
    }
  }

  @Test func `a held log without a socket is said to be held`() async throws {
    try await Door.with { door in
      await door.socket.close()
      let administration = try administration(door.directory)
      await #expect(throws: Administration.Locked.self) {
        _ = try await administration.send(provider)
      }
      #expect(door.control.state.providers.isEmpty)
    }
  }

  @Test func `without a gateway the same request leaves the same in the log`() async throws {
    var heard: [Provenance] = []
    var bodies: [JSONValue] = []
    try await Door.with { door in
      let reply = try await administration(door.directory).send(provider)
      bodies.append(try #require(try reply.json()["node"]?["prefix"]))
      heard.append(try #require(try door.event(ofStream: "provider/mock")))
    }
    try await Door.with { door in
      await door.socket.close()
      try door.store.close()
      let reply = try await administration(door.directory).send(provider)
      #expect(reply.status == 201)
      bodies.append(try #require(try reply.json()["node"]?["prefix"]))
      let reader = try LogReader.open(directory: door.directory)
      let event = try #require(
        try reader.events(ofStream: "provider/mock", from: Revision(1)).first)
      heard.append(try recorded(event).provenance)
      let again = try await administration(door.directory).send(provider)
      #expect(again.status == 409)
      #expect(Refused(again).code == "already_exists")
    }
    #expect(bodies[0] == bodies[1])
    #expect(heard.map(\.actor) == [String](repeating: "local:\(getuid())", count: 2))
    #expect(heard.map(\.source) == [.cli, .cli])
    #expect(heard.map(\.address) == [nil, nil])
  }

  @Test func `a directory without a log is not made into one by a typing error`() async throws {
    let directory = "/tmp/signalbox-door-\(UInt64.random(in: 0 ... .max))"
    await #expect(throws: StoreError.self) {
      _ = try await administration(directory).send(provider)
    }
    #expect(!FileManager.default.fileExists(atPath: directory))
  }

  @Test(arguments: [
    (
      #"{"error":{"code":"c","message":"m","requestId":"r","field":"f","remedy":"do"}}"#,
      ["c", "m", "f", "do"]
    ),
    (#"{"error":"m","code":"c"}"#, ["c", "m", "", ""]),
    ("nothing", ["http_418", "The answer has no reason.", "", ""]),
  ])
  func `a refusal says what the answer says`(body: String, said: [String]) {
    let refused = Refused(ControlReply(status: 418, bytes: Array(body.utf8)))
    #expect(
      [refused.code, refused.message, refused.field ?? "", refused.remedy ?? ""] == said)
  }
}
