import Domain
import EventStore
import HTTPTypes
import Surface
import Testing

@testable import ControlPlane

extension TestBox {
  /// A box with the provider `mock`, its account `a1` and a token.
  static func prepared(
    inquiryEvents: UInt64 = 1 << 18, _ body: (TestBox, String) async throws -> Void
  ) async throws {
    try await with(inquiryEvents: inquiryEvents) { box in
      let token = try await box.signIn()
      let node = try await box.call(
        .post, "/api/provider-nodes", ConfigurationTests.node, as: token)
      let account = try await box.call(
        .post, "/api/providers", ConfigurationTests.account, as: token)
      guard node.status == 201, account.status == 201 else {
        throw Unexpected(node.text + account.text)
      }
      try await body(box, token)
    }
  }

  /// Points an alias somewhere.
  @discardableResult
  func alias(
    _ name: String, _ model: String, as token: String, ifMatch: String? = nil
  ) async throws -> Reply {
    try await call(
      .put, "/api/models/alias", #"{"alias":"\#(name)","model":"\#(model)"}"#, as: token,
      headers: ifMatch.map { [("if-match", $0)] } ?? [])
  }
}

/// Every stream tells who set what, when, from where, before and after.
struct HistoryTests {
  @Test func `an alias's history is whole, newest first, page by page`() async throws {
    try await TestBox.prepared { box, token in
      for (index, model) in ["gpt-4o", "gpt-4o-mini", "gpt-4o"].enumerated() {
        box.clock.advance(seconds: 60)
        let tag = index == 0 ? nil : "\"\(index)\""
        #expect(try await box.alias("fast", "mock/\(model)", as: token, ifMatch: tag).status == 200)
      }
      #expect(
        try await box.alias("fast", "mock/gpt-4o-mini", as: token, ifMatch: "\"1\"").status == 412)
      _ = try await box.call(.delete, "/api/models/alias?alias=fast", as: token)
      var steps: [JSONValue] = []
      var query = "?limit=2"
      var pages = 0
      while true {
        let page = try await box.call(.get, "/api/history/alias/fast\(query)", as: token)
        #expect(page.status == 200, "\(page.text)")
        #expect(page.json["revision"]?.int == 4)
        #expect(page.json["missing"]?.int == 0)
        steps += page.json["steps"]?.array ?? []
        pages += 1
        guard let next = page.json["next"]?.string else { break }
        query = "?limit=2&after=\(next)"
      }
      #expect(pages == 2)
      #expect(steps.map { $0["revision"]?.int } == [4, 3, 2, 1])
      let kinds = ["alias.removed.v1", "alias.set.v1", "alias.set.v1", "alias.set.v1"]
      #expect(steps.compactMap { $0["kind"]?.string } == kinds)
      #expect(steps.map { $0["base"] } == [.null, 2, 1, .null])
      for step in steps {
        #expect(step["actor"] == "admin")
        #expect(step["source"] == "api")
        #expect(step["address"]?.string?.hasPrefix(TestBox.address) == true)
        #expect(step["cause"]?.isNull == true)
      }
      let change: JSONValue = [
        ["field": "model", "before": "mock/gpt-4o-mini", "after": "mock/gpt-4o"]
      ]
      #expect(steps[1]["changes"] == change)
      #expect(steps[0]["changes"]?[0]?["after"]?.isNull == true)
      #expect(steps[3]["changes"]?[0]?["before"]?.isNull == true)
      let times = steps.compactMap { $0["time"]?.string }
      #expect(times == times.sorted(by: >) && times.count == 4)
    }
  }

  @Test func `a page far from the beginning knows what was before it`() async throws {
    try await TestBox.prepared { box, token in
      let id = try #require(box.control.state.accounts.keys.first)
      for priority in 10..<60 {
        _ = try await box.call(
          .put, "/api/providers/a1", #"{"priority":\#(priority)}"#, as: token)
      }
      let page = try await box.call(
        .get, "/api/history/account/\(id.rawValue)?limit=3", as: token)
      let changes = (page.json["steps"]?.array ?? []).compactMap { $0["changes"]?[0] }
      #expect(changes.map { $0["before"]?.int } == [58, 57, 56])
      #expect(changes.map { $0["after"]?.int } == [59, 58, 57])
    }
  }

  @Test func `a credential's history shows generations, and no secret`() async throws {
    try await TestBox.prepared { box, token in
      let id = try #require(box.control.state.accounts.keys.first)
      _ = try await box.call(.put, "/api/providers/a1", #"{"apiKey":"sk-upstream-2"}"#, as: token)
      let page = try await box.call(.get, "/api/history/credential/\(id.rawValue)", as: token)
      let changes = (page.json["steps"]?.array ?? []).compactMap { $0["changes"] }
      #expect(changes.map { $0[0]?["after"]?.int } == [2, 1], "\(page.text)")
      #expect(changes[0][0]?["before"]?.int == 1)
      #expect(!page.text.contains("sk-upstream"))
      let settings = try await box.call(.get, "/api/history/settings", as: token)
      #expect(settings.json["steps"]?[0]?["kind"] == "settings.admin_password_set.v1")
      let gateway = try await box.call(.get, "/api/history/gateway", as: token)
      #expect(gateway.status == 404, "no life was noted in this box")
    }
  }

  @Test func `a stream without events is 404 with names that come near`() async throws {
    try await TestBox.prepared { box, token in
      try await box.alias("fast", "mock/gpt-4o", as: token)
      let reply = try await box.call(.get, "/api/history/alias/fats", as: token)
      #expect(reply.status == 404)
      #expect(reply.code == "not_found")
      #expect(reply.text.contains("alias/fast"), "\(reply.text)")
      #expect(try await box.call(.get, "/api/history/request", as: token).status == 404)
      #expect(try await box.call(.get, "/api/history/alias/fast").status == 401)
      for query in ["?after=zz", "?limit=0", "?x=1"] {
        #expect(
          try await box.call(.get, "/api/history/alias/fast\(query)", as: token).status == 400)
      }
    }
  }

  @Test func `of 64 clients one wins each revision, and the history has exactly the winners`()
    async throws
  {
    try await TestBox.prepared { box, token in
      try await box.alias("fast", "mock/gpt-4o", as: token)
      var winners: [String] = []
      for round in 1...5 {
        let wins = try await withThrowingTaskGroup(of: (Int, Int).self) { group in
          for client in 0..<64 {
            group.addTask {
              let reply = try await box.call(
                .put, "/api/models/alias",
                #"{"alias":"fast","model":"lost/\#(round)-\#(client)","allowUnresolved":true}"#,
                as: token, headers: [("if-match", "\"\(round)\"")])
              return (client, reply.status)
            }
          }
          return try await group.reduce(into: [(Int, Int)]()) { $0.append($1) }
        }
        #expect(wins.count { $0.1 == 200 } == 1)
        #expect(wins.count { $0.1 == 412 } == 63)
        let winner = try #require(wins.first { $0.1 == 200 }?.0)
        winners.append("lost/\(round)-\(winner)")
      }
      let page = try await box.call(.get, "/api/history/alias/fast", as: token)
      let models = (page.json["steps"]?.array ?? []).reversed().map { step in
        step["changes"]?.array?.first { $0["field"] == "model" }?["after"]?.string
      }
      #expect(models == ["mock/gpt-4o"] + winners.map { $0 })
      #expect(page.json["steps"]?[0]?["base"]?.int == 5)
    }
  }
}
