import Domain
import EventStore
import HTTPTypes
import Surface
import Testing

@testable import ControlPlane

/// `/api/keys`: where a key leads, how far and for how long.
struct KeyRightsTests {
  static let body = """
    {"name":"ci","organisation":"acme","allowedModels":["gpt-4o","mock/*"],"allowedAccounts":["a1"],
     "expiresAt":"2040-01-01T00:00:00Z","limits":{"rps":5},"budgets":[{"period":"day","usd":0.5}]}
    """

  private func prepared(_ body: (TestBox, String, String) async throws -> Void) async throws {
    try await TestBox.prepared { box, token in
      _ = try await box.call(.post, "/api/organisations", #"{"id":"acme"}"#, as: token)
      let made = try await box.call(.post, "/api/keys", Self.body, as: token, showsSecret: true)
      guard made.status == 201, let id = made.json["id"]?.string else {
        throw Unexpected(made.text)
      }
      try await body(box, token, id)
    }
  }

  @Test func `a key is shown with everything it was given`() async throws {
    try await prepared { box, token, id in
      let account = try #require(box.control.state.accounts.keys.first)
      let key = try #require(
        try await box.call(.get, "/api/keys/\(id)", as: token).json["key"])
      #expect(key["organisation"]?.string == "acme")
      #expect(key["organisationIsActive"]?.bool == true)
      #expect(key["allowedModels"] == ["gpt-4o", "mock/*"])
      #expect(key["allowedAccounts"] == [JSONValue(account.rawValue)])
      #expect(key["expiresAt"]?.string == "2040-01-01T00:00:00.000Z")
      #expect(key["limits"]?["rps"]?.int == 5)
      #expect(key["budgets"]?[0]?["usd"] == .number("0.5"))
      #expect(key["key"] == nil && key["maskedKey"]?.string?.contains("…") == true)
    }
  }

  @Test func `rights change alone, are cleared by what is empty, and expiry by null`()
    async throws
  {
    try await prepared { box, token, id in
      func put(_ body: String) async throws -> JSONValue {
        let reply = try await box.call(.put, "/api/keys/\(id)", body, as: token)
        #expect(reply.status == 200, "\(reply.text)")
        return reply.json["key"] ?? .null
      }
      let never = try await put(#"{"expiresAt":null}"#)
      #expect(never["expiresAt"]?.isNull == true && never["allowedModels"]?.array?.count == 2)
      let open = try await put(
        #"{"allowedModels":[],"allowedAccounts":[],"limits":{},"budgets":[]}"#)
      #expect(open["allowedModels"] == [] && open["allowedAccounts"] == [])
      #expect(open["limits"]?["rps"]?.int == 0 && open["budgets"] == [])
      let last = box.store.lastWritten
      _ = try await put(#"{"organisation":"acme","expiresAt":null,"limits":{"rps":0}}"#)
      #expect(box.store.lastWritten == last)
    }
  }

  @Test func `a paused organisation shows at its keys`() async throws {
    try await prepared { box, token, id in
      _ = try await box.call(.put, "/api/organisations/acme", #"{"isActive":false}"#, as: token)
      let key = try await box.call(.get, "/api/keys/\(id)", as: token).json["key"]
      #expect(key?["organisationIsActive"]?.bool == false)
      #expect(key?["isActive"]?.bool == true && key?["status"]?.string == "active")
      let list = try await box.call(.get, "/api/keys?organisation=acme", as: token)
      #expect(list.json["keys"]?[0]?["organisationIsActive"]?.bool == false)
    }
  }

  static let refused: [(String, Int, String, String?)] = [
    (#"{"organisation":"default"}"#, 400, "invalid_field", "organisation"),
    (#"{"organisation":"acme","organization":"x"}"#, 400, "invalid_field", "organization"),
    (#"{"allowedModels":null}"#, 400, "invalid_field", "allowedModels"),
    (#"{"allowedModels":[""]}"#, 400, "invalid_field", "allowedModels"),
    (#"{"allowedModels":[1]}"#, 400, "invalid_field", "allowedModels"),
    (#"{"allowedAccounts":["none"]}"#, 404, "unknown_account", nil),
    (#"{"expiresAt":"2001-01-01T00:00:00Z"}"#, 400, "invalid_field", "expiresAt"),
    (#"{"expiresAt":"tomorrow"}"#, 400, "invalid_field", "expiresAt"),
    (#"{"limits":{"burst":1}}"#, 400, "invalid_field", "limits.burst"),
    (#"{"budgets":[{"period":"day","usd":0.0000001}]}"#, 400, "invalid_field", "budgets[0].usd"),
    (#"{"limit":{}}"#, 400, "unknown_field", "limit"),
  ]

  @Test(arguments: refused)
  func `what cannot be is refused by field and changes nothing`(
    body: String, status: Int, code: String, field: String?
  ) async throws {
    try await prepared { box, token, id in
      let last = box.store.lastWritten
      let reply = try await box.call(.put, "/api/keys/\(id)", body, as: token)
      #expect(reply.status == status && reply.code == code, "\(reply.text)")
      #expect(reply.field == field, "\(reply.text)")
      #expect(box.store.lastWritten == last)
    }
  }

  @Test func `a key of an unknown organisation, or of unknown accounts, is not made`() async throws
  {
    try await prepared { box, token, _ in
      let count = box.control.state.keys.count
      for (body, code) in [
        (#"{"name":"x","organisation":"nobody"}"#, "unknown_organisation"),
        (#"{"name":"x","allowedAccounts":["none"]}"#, "unknown_account"),
      ] {
        let reply = try await box.call(.post, "/api/keys", body, as: token)
        #expect(reply.status == 404 && reply.code == code, "\(reply.text)")
      }
      #expect(box.control.state.keys.count == count)
    }
  }
}
