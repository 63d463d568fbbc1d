import Domain
import EventStore
import HTTPTypes
import Surface
import Testing

@testable import ControlPlane

/// `/api/organisations`, with limits and budgets, which keys have too.
struct OrganisationTests {
  static let acme = """
    {"id":"acme","name":"Acme & Co","limits":{"rps":10,"burst":20,"rpm":300,"tpm":1000000,"concurrency":8},
     "budgets":[{"period":"day","usd":12.50},{"period":"month","timezone":"+02:00","usd":0.000001,"tokens":5}]}
    """

  @Test func `an organisation is shown as it was given, dollars exactly`() async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      let added = try await box.call(.post, "/api/organisations", Self.acme, as: token)
      #expect(added.status == 201, "\(added.text)")
      let acme = try #require(added.json["organisation"])
      #expect(acme["name"]?.string == "Acme & Co" && acme["isActive"]?.bool == true)
      #expect(
        acme["limits"] == [
          "rps": 10, "burst": 20, "rpm": 300, "tpm": 1_000_000, "concurrency": 8,
        ])
      #expect(
        acme["budgets"] == [
          ["period": "day", "timezone": "UTC", "usd": .number("12.5"), "tokens": nil],
          ["period": "month", "timezone": "+02:00", "usd": .number("0.000001"), "tokens": 5],
        ])
      let state = try #require(box.published.state.organisations[OrganisationID("acme")])
      #expect(state.budgets.map(\.microUSD) == [12_500_000, 1])
      let shown = try await box.call(.get, "/api/organisations/acme", as: token)
      #expect(shown.json == added.json && shown.tag == added.tag)
      let list = try await box.call(.get, "/api/organisations", as: token)
      #expect(
        list.json["organisations"]?.array?.map { $0["id"]?.string } == ["acme", "default"])
      #expect(
        try await box.call(.post, "/api/organisations", Self.acme, as: token).code
          == "already_exists")
      // What is answered can be sent as it is.
      let again = try await box.call(
        .put, "/api/organisations/acme",
        #"{"limits":\#(text(acme["limits"])),"budgets":\#(text(acme["budgets"]))}"#, as: token)
      #expect(again.status == 200 && again.tag == added.tag, "\(again.text)")
    }
  }

  private func text(_ value: JSONValue?) -> String {
    String(decoding: (value ?? .null).bytes, as: UTF8.self)
  }

  @Test func `fields change alone; limits and budgets are each one field`() async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      _ = try await box.call(.post, "/api/organisations", Self.acme, as: token)
      func put(_ body: String) async throws -> JSONValue {
        let reply = try await box.call(.put, "/api/organisations/acme", body, as: token)
        #expect(reply.status == 200, "\(reply.text)")
        return reply.json["organisation"] ?? .null
      }
      let renamed = try await put(#"{"name":"Acme"}"#)
      #expect(renamed["limits"]?["rps"]?.int == 10 && renamed["budgets"]?.array?.count == 2)
      let limited = try await put(#"{"limits":{"concurrency":3}}"#)
      #expect(limited["limits"]?["rps"]?.int == 0 && limited["limits"]?["concurrency"]?.int == 3)
      #expect(limited["name"]?.string == "Acme")
      #expect(try await put(#"{"budgets":[]}"#)["budgets"] == [])
      #expect(try await put(#"{"isActive":false}"#)["isActive"]?.bool == false)
      let paused = try await box.call(.get, "/api/organisations?isActive=false", as: token)
      #expect(paused.json["organisations"]?.array?.count == 1)
      let events = try box.store.reader.events(ofStream: "organisation/acme", from: .init(4))
      #expect(
        events.map(\.kind) == [
          "organisation.renamed.v1", "organisation.limits_set.v1", "organisation.budgets_set.v1",
          "organisation.paused.v1",
        ])
      let last = box.store.lastWritten
      _ = try await put(#"{"isActive":false,"name":"Acme","budgets":[]}"#)
      #expect(box.store.lastWritten == last, "it is already so")
    }
  }

  static let refused: [(String, String)] = [
    (#"{"limits":{"rps":-1}}"#, "limits.rps"), (#"{"limits":{"rps":1.5}}"#, "limits.rps"),
    (#"{"limits":{"burst":5}}"#, "limits.burst"), (#"{"limits":{"rpd":5}}"#, "limits.rpd"),
    (#"{"limits":null}"#, "limits"), (#"{"limits":[]}"#, "limits"),
    (#"{"budgets":{}}"#, "budgets"), (#"{"budgets":[{"usd":1}]}"#, "budgets[0].period"),
    (#"{"budgets":[{"period":"week","usd":1}]}"#, "budgets[0].period"),
    (#"{"budgets":[{"period":"day"}]}"#, "budgets"),
    (#"{"budgets":[{"period":"day","usd":0.1234567}]}"#, "budgets[0].usd"),
    (#"{"budgets":[{"period":"day","usd":1e-7}]}"#, "budgets[0].usd"),
    (#"{"budgets":[{"period":"day","usd":0}]}"#, "budgets[0].usd"),
    (#"{"budgets":[{"period":"day","usd":-1}]}"#, "budgets[0].usd"),
    (#"{"budgets":[{"period":"day","usd":"1"}]}"#, "budgets[0].usd"),
    (#"{"budgets":[{"period":"day","tokens":0}]}"#, "budgets[0].tokens"),
    (#"{"budgets":[{"period":"day","usd":1,"eur":1}]}"#, "budgets[0].eur"),
    (#"{"budgets":[{"period":"day","usd":1},{"period":"day","usd":2}]}"#, "budgets.period"),
    (#"{"budgets":[{"period":"day","usd":1,"timezone":"Europe/Berlin"}]}"#, "budgets.timezone"),
    (#"{"name":" "}"#, "name"), (#"{"colour":"red"}"#, "colour"),
    (#"{"isActive":null}"#, "isActive"),
  ]

  @Test(arguments: refused)
  func `what cannot be is refused by field and changes nothing`(
    body: String, field: String
  ) async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      _ = try await box.call(.post, "/api/organisations", #"{"id":"acme"}"#, as: token)
      let last = box.store.lastWritten
      let reply = try await box.call(.put, "/api/organisations/acme", body, as: token)
      #expect(reply.status == 400 && reply.field == field, "\(reply.text)")
      #expect(box.store.lastWritten == last)
    }
  }

  @Test func `one that is still needed stays, and its holders are named`() async throws {
    try await TestBox.prepared { box, token in
      _ = try await box.call(.post, "/api/organisations", #"{"id":"acme"}"#, as: token)
      let made = try await box.call(
        .post, "/api/keys", #"{"name":"ci","organisation":"acme"}"#, as: token, showsSecret: true)
      let key = try #require(made.json["id"]?.string)
      let policy =
        #"{"organization_id":"acme","model":"gpt-4o","backends":[{"backend_id":"a1","weight":1}]}"#
      #expect(
        try await box.call(.post, "/v1/admin/routing/policies", policy, as: token).status == 200)
      let inUse = try await box.call(.delete, "/api/organisations/acme", as: token)
      #expect(inUse.status == 409 && inUse.code == "organisation_in_use", "\(inUse.text)")
      #expect(inUse.text.contains(key) && inUse.text.contains("gpt-4o"))
      _ = try await box.call(.delete, "/api/keys/\(key)", as: token)
      let still = try await box.call(.delete, "/api/organisations/acme", as: token)
      #expect(still.status == 409 && !still.text.contains(key))
      _ = try await box.call(.delete, "/v1/admin/routing/policies/acme/gpt-4o", as: token)
      #expect(try await box.call(.delete, "/api/organisations/acme", as: token).status == 200)
      #expect(
        try await box.call(.get, "/api/organisations/acme", as: token).code
          == "unknown_organisation")
      #expect(
        try await box.call(.delete, "/api/organisations/default", as: token).code
          == "organisation_in_use")
    }
  }

  @Test func `writes honour If-Match`() async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      _ = try await box.call(.post, "/api/organisations", #"{"id":"acme"}"#, as: token)
      for (method, body) in [(HTTPRequest.Method.put, #"{"name":"x"}"#), (.delete, "")] {
        let old = try await box.call(
          method, "/api/organisations/acme", body, as: token, headers: [("if-match", "\"9\"")])
        #expect(old.status == 412 && old.tag == "\"1\"", "\(old.text)")
      }
      let fresh = try await box.call(
        .put, "/api/organisations/acme", #"{"name":"x"}"#, as: token,
        headers: [("if-match", "\"1\"")])
      #expect(fresh.status == 200 && fresh.tag == "\"2\"")
    }
  }
}
