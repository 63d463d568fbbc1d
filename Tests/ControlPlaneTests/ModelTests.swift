import Domain
import EventStore
import HTTPTypes
import Surface
import Testing

@testable import ControlPlane

/// What a provider offers: by configuration, by its own word, and less what an operator took out.
struct ModelTests {
  private func prepared(_ body: (TestBox, String) async throws -> Void) async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      _ = try await box.call(.post, "/api/provider-nodes", ConfigurationTests.node, as: token)
      _ = try await box.call(.post, "/api/providers", ConfigurationTests.account, as: token)
      try await body(box, token)
    }
  }

  private func offered(_ box: TestBox) -> [String] {
    RoutingSnapshot(box.published.state).models().map(\.id)
  }

  @Test func `discovered models are offered beside configured ones, and a failure keeps them`()
    async throws
  {
    try await prepared { box, token in
      box.probe.pass(["gpt-4o", "org/new"], skipped: 3)
      let first = try await box.call(.post, "/api/providers/a1/models/refresh", as: token)
      #expect(first.status == 200, "\(first.text)")
      #expect(first.json["success"]?.bool == true)
      #expect(first.json["provider"]?.string == "mock")
      #expect(first.json["added"] == ["gpt-4o", "org/new"])
      #expect(first.json["skipped"]?.int == 3)
      #expect(offered(box) == ["mock/big", "mock/gpt-4o", "mock/gpt-4o-mini", "mock/org/new"])

      for (status, errorClass, code) in [
        (UInt16?(401), ErrorClass.account, "status_401"), (nil, .network, "connect_refused"),
        (200, .provider, "empty_model_list"),
      ] {
        box.probe.fail(status, errorClass, code)
        let last = box.store.lastWritten
        let failed = try await box.call(.post, "/api/providers/a1/models/refresh", as: token)
        #expect(failed.status == 502)
        #expect(failed.code == "discovery_failed")
        #expect(failed.json["error"]?["reason"]?.string == code)
        #expect(failed.json["error"]?["models"]?.int == 2)
        #expect(box.store.lastWritten == last)
      }
      #expect(offered(box).count == 4)

      box.probe.pass(["gpt-4o", "third"])
      let second = try await box.call(.post, "/api/providers/a1/models/refresh", as: token)
      #expect(second.json["added"] == ["third"])
      #expect(second.json["removed"] == ["org/new"])
      #expect(offered(box) == ["mock/big", "mock/gpt-4o", "mock/gpt-4o-mini", "mock/third"])
      let unknown = try await box.call(.post, "/api/providers/x/models/refresh", as: token)
      #expect(unknown.status == 404)
    }
  }

  @Test func `a model is taken out and put back by its path, slashes and second names included`()
    async throws
  {
    try await prepared { box, token in
      box.probe.pass(["org/deep/new"])
      _ = try await box.call(.post, "/api/providers/a1/models/refresh", as: token)
      let path = "/api/models/mock/org/deep/new"
      let shown = try await box.call(.get, path, as: token)
      #expect(shown.status == 200, "\(shown.text)")
      let tag = try #require(shown.tag)
      #expect(shown.json["model"]?["source"]?.string == "discovered")
      #expect(shown.json["model"]?["offered"]?.bool == true)
      let off = try await box.call(
        .put, path, #"{"isActive":false}"#, as: token, headers: [("if-match", tag)])
      #expect(off.status == 200, "\(off.text)")
      #expect(off.json["model"]?["enabled"]?.bool == false)
      #expect(!offered(box).contains("mock/org/deep/new"))
      let late = try await box.call(
        .put, path, #"{"isActive":true}"#, as: token, headers: [("if-match", tag)])
      #expect(late.status == 412)
      // Also while the provider does not name it any more.
      box.probe.pass(["gpt-4o"])
      _ = try await box.call(.post, "/api/providers/a1/models/refresh", as: token)
      let absent = try await box.call(.get, path, as: token)
      #expect(absent.json["model"]?["source"]?.string == "absent")
      #expect(absent.json["model"]?["offered"]?.bool == false)

      // Escaped slashes and the second name lead to the same model.
      let alias = try await box.call(
        .put, "/api/models/mock%2Fbig", #"{"isActive":false}"#, as: token)
      #expect(alias.json["model"]?["model"]?.string == "gpt-4o", "\(alias.text)")
      #expect(offered(box) == ["mock/gpt-4o-mini"])
      let on = try await box.call(
        .put, "/api/models/mock/gpt-4o", #"{"isActive":true}"#, as: token)
      #expect(on.json["model"]?["revision"]?.int == 2)
      #expect(offered(box).contains("mock/big"))
    }
  }

  @Test(arguments: ["mock/none", "nobody/gpt-4o", "mock", "mock/", "mock//gpt-4o", "a/b/c"])
  func `a model that is not there is 404`(_ path: String) async throws {
    try await prepared { box, token in
      let get = try await box.call(.get, "/api/models/\(path)", as: token)
      #expect(get.status == 404, "\(get.text)")
      let put = try await box.call(
        .put, "/api/models/\(path)", #"{"isActive":false}"#, as: token)
      #expect(put.status == 404, "\(put.text)")
    }
  }

  @Test func `models are listed with their names, sources and switches`() async throws {
    try await prepared { box, token in
      box.probe.pass(["beta", "big", "gpt-4o"])
      _ = try await box.call(.post, "/api/providers/a1/models/refresh", as: token)
      _ = try await box.call(
        .put, "/api/provider-nodes/mock", #"{"excludedModels":["*-mini"]}"#, as: token)
      _ = try await box.call(
        .put, "/api/models/alias", #"{"alias":"fast","model":"mock/big"}"#, as: token)
      let all = try await box.call(.get, "/api/models", as: token)
      let rows = try #require(all.json["models"]?.array)
      #expect(rows.map { $0["id"]?.string } == ["mock/beta", "mock/gpt-4o", "mock/gpt-4o-mini"])
      #expect(rows.map { $0["source"]?.string } == ["discovered", "configured", "configured"])
      #expect(rows.map { $0["excluded"]?.bool } == [false, false, true])
      #expect(rows.map { $0["offered"]?.bool } == [true, true, false])
      #expect(rows[1]["alias"]?.string == "big")
      #expect(rows[1]["aliases"] == ["fast"])
      #expect(rows[1]["fullModel"]?.string == "mock/gpt-4o")
      let first = try await box.call(.get, "/api/models?limit=2", as: token)
      let next = try #require(first.json["next"]?.string)
      let second = try await box.call(.get, "/api/models?limit=2&after=\(next)", as: token)
      #expect(second.json["models"]?.array?.map { $0["id"]?.string } == ["mock/gpt-4o-mini"])
      for (query, count) in [
        ("source=discovered", 1), ("provider=mock", 3), ("provider=x", 0), ("isActive=false", 0),
        ("q=MINI", 1),
      ] {
        let reply = try await box.call(.get, "/api/models?\(query)", as: token)
        #expect(reply.json["models"]?.array?.count == count, "\(query): \(reply.text)")
      }
      // The alias' own path stays the aliases'.
      #expect(try await box.call(.get, "/api/models/alias", as: token).json["aliases"] != nil)
      #expect(try await box.call(.delete, "/api/models/mock/beta", as: token).status == 405)
    }
  }
}
