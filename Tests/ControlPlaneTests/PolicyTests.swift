import Domain
import EventStore
import HTTPTypes
import Surface
import Testing

@testable import ControlPlane

/// `/v1/admin/routing/policies`: API Router's bodies and errors, stored this time.
struct PolicyTests {
  static let path = "/v1/admin/routing/policies"

  /// Accounts a1 and a2, the organisation acme, and a model with a slash.
  private func prepared(_ body: (TestBox, String) async throws -> Void) async throws {
    try await TestBox.prepared { box, token in
      for (path, text) in [
        (
          "/api/provider-nodes",
          #"{"id":"hf","baseUrl":"http://127.0.0.1:9001/v1","models":[{"name":"meta-llama/Llama-3-8B"}]}"#
        ), ("/api/providers", #"{"provider":"mock","apiKey":"sk-upstream-2","name":"a2"}"#),
        ("/api/providers", #"{"provider":"hf","apiKey":"sk-upstream-3","name":"h1"}"#),
        ("/api/organisations", #"{"id":"acme"}"#),
      ] {
        let reply = try await box.call(.post, path, text, as: token)
        guard reply.status == 201 else { throw Unexpected(reply.text) }
      }
      try await body(box, token)
    }
  }

  private static func body(
    _ organisation: String = "acme", _ model: String = "gpt-4o",
    _ backends: String = #"[{"backend_id":"a1","weight":80},{"backend_id":"a2","weight":20}]"#,
    _ more: String = ""
  ) -> String {
    #"{"organization_id":"\#(organisation)","model":"\#(model)","backends":\#(backends)\#(more)}"#
  }

  @Test func `the runbook's body sets a policy, and its answer sets it back`() async throws {
    try await prepared { box, token in
      let ids = ["a1", "a2"].map { name in
        box.control.state.accounts.values.first { $0.name == name }?.id.rawValue ?? ""
      }
      let set = try await box.call(
        .post, Self.path,
        Self.body(
          "acme", "gpt-4o",
          #"[{"backend_id":"a1","weight":80},{"backend_id":"\#(ids[1])","weight":20}]"#,
          #","policy_id":"policy-123","failover_threshold":5"#), as: token)
      #expect(set.status == 200, "\(set.text)")
      #expect(set.json["policy_id"]?.string == "acme-gpt-4o")
      #expect(set.json["organization_id"]?.string == "acme")
      #expect(
        set.json["backends"] == [
          ["backend_id": JSONValue(ids[0]), "weight": 80],
          ["backend_id": JSONValue(ids[1]), "weight": 20],
        ])
      #expect(set.json["failover_threshold"]?.int == 5)
      #expect(set.json["version"]?.int == 1 && set.tag == "\"1\"")
      let kept = try await box.call(.get, "\(Self.path)/acme/gpt-4o", as: token)
      #expect(kept.json == set.json)

      let other = try await box.call(
        .post, Self.path, Self.body("acme", "gpt-4o", #"[{"backend_id":"a2","weight":1}]"#),
        as: token)
      #expect(other.json["failover_threshold"]?.int == 3, "what is left out is as for a new one")
      let back = try await box.call(.post, Self.path, kept.text, as: token)
      #expect(back.status == 200, "\(back.text)")
      #expect(back.json["backends"] == kept.json["backends"])
      #expect(back.json["failover_threshold"]?.int == 5 && back.json["version"]?.int == 3)
    }
  }

  @Test func `a policy is changed per field, listed and removed, models with slashes too`()
    async throws
  {
    try await prepared { box, token in
      let llama = Self.body("*", "meta-llama/Llama-3-8B", #"[{"backend_id":"h1","weight":1}]"#)
      for body in [Self.body(), llama] {
        #expect(try await box.call(.post, Self.path, body, as: token).status == 200)
      }
      for path in [
        "*/meta-llama/Llama-3-8B", "*/meta-llama%2FLlama-3-8B", "%2A/meta-llama/Llama-3-8B",
      ] {
        let shown = try await box.call(.get, "\(Self.path)/\(path)", as: token)
        #expect(shown.json["model"]?.string == "meta-llama/Llama-3-8B", "\(path): \(shown.text)")
      }
      let changed = try await box.call(
        .put, "\(Self.path)/*/meta-llama/Llama-3-8B", #"{"failover_threshold":9}"#, as: token,
        headers: [("if-match", "\"1\"")])
      #expect(changed.status == 200, "\(changed.text)")
      #expect(changed.json["failover_threshold"]?.int == 9)
      #expect(changed.json["backends"]?.array?.count == 1)
      let list = try await box.call(.get, Self.path, as: token)
      #expect(
        list.json["policies"]?.array?.map { $0["policy_id"]?.string } == [
          "*-meta-llama/Llama-3-8B", "acme-gpt-4o",
        ])
      let one = try await box.call(.get, "\(Self.path)?organization_id=acme", as: token)
      #expect(one.json["policies"]?.array?.count == 1)
      let gone = try await box.call(.delete, "\(Self.path)/*/meta-llama/Llama-3-8B", as: token)
      #expect(gone.status == 200 && gone.json["deleted"]?.bool == true, "\(gone.text)")
      for (method, body) in [
        (HTTPRequest.Method.get, ""), (.put, #"{"failover_threshold":9}"#), (.delete, ""),
      ] {
        let reply = try await box.call(
          method, "\(Self.path)/*/meta-llama/Llama-3-8B", body, as: token)
        #expect(reply.status == 404 && reply.code == "unknown_policy", "\(reply.text)")
        #expect(reply.json["error"]?.string != nil, "API Router's shape")
      }
    }
  }

  @Test func `an organisation without a policy of its own has none to show`() async throws {
    try await prepared { box, token in
      let set = try await box.call(.post, Self.path, Self.body("*"), as: token)
      #expect(set.status == 200, "\(set.text)")
      let own = try await box.call(.get, "\(Self.path)/acme/gpt-4o", as: token)
      #expect(own.status == 404 && own.code == "unknown_policy", "\(own.text)")
    }
  }

  @Test func `an account that an operator set aside is named`() async throws {
    try await prepared { box, token in
      _ = try await box.call(.post, Self.path, Self.body(), as: token)
      let id = try #require(box.control.state.accounts.values.first { $0.name == "a2" }?.id)
      try await box.control.execute(provenance: .system) { _ in
        [Change(.account(.degrade(id, reason: "slow")))]
      }
      let shown = try await box.call(.get, "\(Self.path)/acme/gpt-4o", as: token)
      #expect(shown.json["degraded_backends"] == [JSONValue(id.rawValue)])
    }
  }

  @Test func `an account that was removed is named, also when one of its name is there again`()
    async throws
  {
    try await prepared { box, token in
      _ = try await box.call(.post, Self.path, Self.body(), as: token)
      let id = try #require(box.control.state.accounts.values.first { $0.name == "a2" }?.id)
      let whole = try await box.call(.get, "\(Self.path)/acme/gpt-4o", as: token)
      #expect(whole.json["removed_backends"] == [])
      _ = try await box.call(.delete, "/api/providers/\(id.rawValue)", as: token)
      _ = try await box.call(
        .post, "/api/providers", #"{"provider":"mock","name":"a2","apiKey":"sk-2"}"#, as: token)
      let shown = try await box.call(.get, "\(Self.path)/acme/gpt-4o", as: token)
      #expect(shown.json["removed_backends"] == [JSONValue(id.rawValue)])
    }
  }

  static let refused: [(String, Int, String, String?)] = [
    (#"{"model":"gpt-4o","backends":[]}"#, 400, "missing_field", "organization_id"),
    (#"{"organization_id":"acme","backends":[]}"#, 400, "missing_field", "model"),
    (#"{"organization_id":"acme","model":"gpt-4o"}"#, 400, "missing_field", "backends"),
    (body("acme", "gpt-4o", "[]"), 400, "invalid_field", "backends"),
    (body("acme", "gpt-4o", #"[{"backend_id":"a1"}]"#), 400, "missing_field", "backends[0].weight"),
    (
      body("acme", "gpt-4o", #"[{"backend_id":"a1","weight":-1}]"#), 400, "invalid_field",
      "backends[0].weight"
    ),
    (
      body("acme", "gpt-4o", #"[{"BackendID":"a1","weight":1}]"#), 400, "missing_field",
      "backends[0].backend_id"
    ),
    (
      body("acme", "gpt-4o", #"[{"backend_id":"a1","weight":1,"AllowList":[]}]"#), 400,
      "unknown_field", "backends[0].AllowList"
    ),
    (
      body("acme", "gpt-4o", #"[{"backend_id":"a1","weight":0}]"#), 400, "invalid_field", "backends"
    ),
    (
      body(
        "acme", "gpt-4o", #"[{"backend_id":"a1","weight":1},{"backend_id":"a1","weight":2}]"#),
      400, "invalid_field", "backends"
    ), (body("acme", "gpt-4o", #"[{"backend_id":"zz","weight":1}]"#), 404, "unknown_account", nil),
    (body("nobody"), 404, "unknown_organisation", "organisation"),
    (body("acme", "gpt-9"), 400, "unknown_target", "backends"),
    (body("acme", "mock/gpt-4o"), 400, "unknown_target", "backends"),
    (
      body("acme", "gpt-4o", #"[{"backend_id":"a1","weight":1}]"#, #","failover_threshold":0"#),
      400, "invalid_field", "failover_threshold"
    ),
    (
      body("acme", "gpt-4o", #"[{"backend_id":"a1","weight":1}]"#, #","organisation_id":"*""#),
      400, "invalid_field", "organisation_id"
    ),
    (
      body("acme", "gpt-4o", #"[{"backend_id":"a1","weight":1}]"#, #","weights":{}"#), 400,
      "unknown_field", "weights"
    ),
  ]

  @Test(arguments: refused)
  func `a body that cannot be is refused by field and changes nothing`(
    body: String, status: Int, code: String, field: String?
  ) async throws {
    try await prepared { box, token in
      let last = box.store.lastWritten
      let reply = try await box.call(.post, Self.path, body, as: token)
      #expect(reply.status == status && reply.code == code, "\(reply.text)")
      #expect(reply.json["field"]?.string == field, "\(reply.text)")
      #expect(box.store.lastWritten == last)
    }
  }

  @Test func `backends that do not offer the model are taken where that is said`() async throws {
    try await prepared { box, token in
      let reply = try await box.call(
        .post, Self.path,
        Self.body(
          "acme", "gpt-9", #"[{"backend_id":"a1","weight":1}]"#, #","allow_unresolved":true"#),
        as: token)
      #expect(reply.status == 200 && reply.json["allow_unresolved"]?.bool == true, "\(reply.text)")
      let again = try await box.call(.post, Self.path, reply.text, as: token)
      #expect(again.status == 200 && again.tag == reply.tag, "an answer is a body: \(again.text)")
    }
  }

  @Test func `writes honour If-Match, and a policy keeps what it is for`() async throws {
    try await prepared { box, token in
      let none = try await box.call(
        .post, Self.path, Self.body(), as: token, headers: [("if-match", "*")])
      #expect(none.status == 412, "`*` asks for one that is there")
      _ = try await box.call(.post, Self.path, Self.body(), as: token)
      let last = box.store.lastWritten
      for (method, uri, body) in [
        (HTTPRequest.Method.post, Self.path, Self.body()),
        (.put, "\(Self.path)/acme/gpt-4o", #"{"failover_threshold":4}"#),
        (.delete, "\(Self.path)/acme/gpt-4o", ""),
      ] {
        let old = try await box.call(
          method, uri, body, as: token, headers: [("if-match", "\"7\"")])
        #expect(old.status == 412 && old.tag == "\"1\"", "\(method): \(old.text)")
      }
      for (field, body) in [
        ("organization_id", #"{"organization_id":"*"}"#), ("model", #"{"model":"gpt-4o-mini"}"#),
      ] {
        let moved = try await box.call(.put, "\(Self.path)/acme/gpt-4o", body, as: token)
        #expect(moved.status == 400 && moved.json["field"]?.string == field, "\(moved.text)")
      }
      #expect(box.store.lastWritten == last)
    }
  }
}
