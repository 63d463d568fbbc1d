import Domain
import HTTPTypes
import Surface
import Testing

@testable import ControlPlane

/// `GET /api/models/alias?resolve=` says what routing would do, and why.
struct ResolutionTests {
  @Test func `a name is explained by the step that knows it`() async throws {
    try await TestBox.prepared { box, token in
      try await box.alias("fast", "mock/gpt-4o", as: token)
      _ = try await box.call(
        .post, "/api/combos", #"{"name":"smart","models":["mock/gpt-4o","mock/gpt-4o-mini"]}"#,
        as: token)
      for (name, via, models) in [
        ("mock/gpt-4o", "prefix", 1), ("fast", "alias", 1), ("smart", "combo", 2),
        ("gpt-4o", "bare", 1),
      ] {
        let reply = try await box.call(.get, "/api/models/alias?resolve=\(name)", as: token)
        #expect(reply.status == 200, "\(reply.text)")
        #expect(reply.json["via"]?.string == via, "\(reply.text)")
        #expect(reply.json["models"]?.array?.count == models, "\(reply.text)")
        #expect(reply.json["chosen"]?["provider"]?.string == "mock", "\(reply.text)")
        #expect(reply.json["refusal"] == .null)
      }
      let fast = try await box.call(.get, "/api/models/alias?resolve=fast", as: token)
      #expect(fast.json["targets"] == ["mock/gpt-4o"])
    }
  }

  @Test func `a policy goes before a bare name, for its organisation alone`() async throws {
    try await TestBox.prepared { box, token in
      let account = try #require(box.control.state.accounts.keys.first)
      try await box.control.execute(provenance: .system) { _ in
        [Change(.organisation(.create(.init(id: OrganisationID("acme"), name: "Acme"))))]
      }
      _ = try await box.call(
        .post, "/v1/admin/routing/policies",
        """
        {"organization_id":"acme","model":"gpt-4o","backends":[{"backend_id":"\(account.rawValue)","weight":1}]}
        """, as: token)
      let acme = try await box.call(
        .get, "/api/models/alias?resolve=gpt-4o&organisation=acme", as: token)
      #expect(acme.json["via"]?.string == "policy", "\(acme.text)")
      #expect(acme.json["targets"] == ["acme/gpt-4o"])
      let standard = try await box.call(.get, "/api/models/alias?resolve=gpt-4o", as: token)
      #expect(standard.json["via"]?.string == "bare")
    }
  }

  @Test func `what nobody knows has near names, and what cannot serve says why`() async throws {
    try await TestBox.prepared { box, token in
      try await box.alias("fast", "mock/gpt-4o", as: token)
      let unknown = try await box.call(.get, "/api/models/alias?resolve=fasst", as: token)
      #expect(unknown.json["via"]?.string == "nothing", "\(unknown.text)")
      #expect(unknown.json["refusal"]?.string == "unknown_model")
      #expect(unknown.json["near"]?.array?.contains("fast") == true)
      let account = try #require(box.control.state.accounts.keys.first)
      _ = try await box.call(
        .post, "/v1/admin/routing/backends/\(account.rawValue)/degrade", as: token)
      let degraded = try await box.call(.get, "/api/models/alias?resolve=fast", as: token)
      #expect(degraded.json["chosen"] == .null, "\(degraded.text)")
      #expect(degraded.json["refusal"]?.string == "no_account")
      #expect(degraded.json["candidates"]?[0]?["rejection"]?.string == "degraded")
      let foreign = try await box.call(
        .get, "/api/models/alias?resolve=fast&organisation=nobody", as: token)
      #expect(foreign.status == 404 && foreign.code == "unknown_organisation")
    }
  }
}
