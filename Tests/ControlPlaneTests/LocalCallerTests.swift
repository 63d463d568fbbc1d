import Domain
import EventStore
import HTTPTypes
import NIOCore
import Surface
import Testing

@testable import ControlPlane

/// Whom the system itself names: admitted everywhere, and never mistaken for somebody on a network.
struct LocalCallerTests {
  @Test(arguments: Routes.all.filter { $0.plane == .controlPlane })
  func `a local caller needs no credential and no host`(row: RouteRow) async throws {
    try await TestBox.with { box in
      let answer = await box.responder.respond(
        to: AdminRequest(
          method: try #require(HTTPRequest.Method(rawValue: row.method.rawValue)),
          uri: row.path.replacing("{id}", with: "x"), body: ByteBuffer(string: "{}"),
          localUser: 4711, requestID: RequestID(box.clock.edge.mintID())))
      #expect(![401, 403, 405].contains(answer.status.code), "\(answer.status)")
    }
  }

  @Test func `the log has the user, the command line as the door, and no address`() async throws {
    try await TestBox.with { box in
      let answer = await box.responder.respond(
        to: AdminRequest(
          method: .post, uri: "/api/keys", body: ByteBuffer(string: #"{"name":"k"}"#),
          localUser: 4711, requestID: RequestID(7)))
      #expect(answer.status == .created)
      let key = try #require(box.control.state.keys.values.first { $0.name == "k" })
      let event = try #require(
        try box.store.reader.events(ofStream: "key/\(key.id.rawValue)", from: Revision(1)).first)
      #expect(
        try recorded(event).provenance
          == Provenance(actor: "local:4711", source: .cli, address: nil, correlation: 7))
    }
  }

  @Test func `a request of the listener is not local, whatever it says`() async throws {
    try await TestBox.with { box in
      for address in ["", "127.0.0.1", "local:0", "@"] {
        let reply = try await box.call(
          .post, "/api/keys", #"{"name":"k"}"#,
          headers: [("x-local-user", "0"), ("x-forwarded-for", "local:0")], address: address)
        #expect(reply.status == 401)
      }
      #expect(
        AdminRequest(method: .get, uri: "/", remoteAddress: "", requestID: RequestID(1)).localUser
          == nil)
    }
  }
}
