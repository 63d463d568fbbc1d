import Domain
import Surface
import Testing

@testable import DataPlane

private func made(_ id: String) -> String {
  #"{"id":"\#(id)","object":"response","status":"queued","output":[],"background":true,"usage":null}"#
}

/// A request for something stored.
private func ask(_ method: String, _ target: String, key: String = Gateway.key) -> String {
  "\(method) \(target) HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer \(key)\r\n"
    + (method == "POST" ? "Content-Length: 0\r\n" : "") + "\r\n"
}

@Suite("What Responses have stored", .timeLimit(.minutes(5)))
struct StoredTests {
  /// Two accounts in turn, and what a background run made at the first of them.
  private static func run(
    _ body: (Gateway, TestClient, ScriptedUpstream, inout Configuration) async throws -> Void
  ) async throws {
    let upstream = try await ScriptedUpstream.start()
    var configuration = Configuration.one(port: upstream.port, accounts: ["a1", "a2"])
    configuration.set(strategy: .roundRobin)
    configuration.addKey("sk-other", organisation: "rivals")
    let health = TestHealth()
    try await Gateway.run(configuration, health: health) { gateway in
      let client = try await gateway.client()
      for account in ["a1", "a2"] {
        let start = chat(
          #"{"model":"p/m","input":"a","background":true}"#, path: "/v1/responses")
        try await client.send(start)
        let call = await upstream.next()
        #expect(call.header("authorization") == "Bearer secret-of-\(account)")
        call.answer(made("resp_\(account)"))
        #expect(try await client.response().status == 200)
      }
      try await body(gateway, client, upstream, &configuration)
      // Nothing is said of how an account serves.
      #expect(health.reports.value.isEmpty)
    }
  }

  private static let calls: [(method: String, tail: String, operation: Operation)] = [
    ("GET", "", .getResponse), ("GET", "?include=x&stream=false", .getResponse),
    ("GET", "/input_items?limit=2&after=m%201", .listInputItems),
    ("POST", "/cancel", .cancelResponse), ("DELETE", "", .removeResponse),
  ]

  @Test("its account is asked, path and answer as they come; no tokens are counted twice")
  func passes() async throws {
    try await Self.run { gateway, client, upstream, _ in
      let answers = [
        #"{ "id":"resp_a2","status":"completed","output":[],"usage":{"input_tokens":9,"output_tokens":9}}"#,
        #"{"object":"list","data":[{"id":"m 1"}],"has_more":false}"#,
        #"{"id":"resp_a2","deleted":true,"error":null}"#,
      ]
      for (base, (method, tail, _)) in ["/v1", "/api/v1"].flatMap({ base in
        Self.calls.map { (base, $0) }
      }) {
        let answer = answers[tail.count % answers.count]
        try await client.send(ask(method, "\(base)/responses/resp_a2\(tail)"))
        let call = await upstream.next()
        #expect(call.method == method && call.path == "/v1/responses/resp_a2\(tail)")
        #expect(call.header("authorization") == "Bearer secret-of-a2")
        #expect(call.body.isEmpty)
        call.answer(answer)
        let response = try await client.response()
        #expect(response.status == 200 && response.text == answer)
      }
      let finished = try await gateway.finished(12).suffix(10)
      #expect(finished.map(\.operation) == (Self.calls + Self.calls).map(\.operation))
      for request in finished {
        #expect(request.usage == .notReported && request.costMicroUSD == nil)
        #expect(request.attempts.map(\.rule) == [.owner] && request.ending == .completed)
        #expect(request.modelAsked.isEmpty && request.modelResolved == nil)
      }
    }
  }

  @Test("a response that is too large to be kept has its owner too")
  func large() async throws {
    try await Self.run { _, client, upstream, _ in
      let start = chat(#"{"model":"p/m","input":"a picture"}"#, path: "/v1/responses")
      try await client.send(start)
      let picture = String(repeating: "A", count: 3 << 20)
      await upstream.next().answer(
        #"{"id":"resp_large","object":"response","output":[{"id":"ig_1","type":"image_generation_call","result":"\#(picture)"}]}"#
      )
      #expect(try await client.response().status == 200)
      try await client.send(ask("GET", "/v1/responses/resp_large", key: "sk-other"))
      #expect(try await client.response().status == 404)
      try await client.send(ask("GET", "/v1/responses/resp_large"))
      let call = await upstream.next()
      #expect(call.header("authorization") == "Bearer secret-of-a1")
      call.answer(made("resp_large"))
      #expect(try await client.response().status == 200)
    }
  }

  @Test("no key of ours goes on in the query")
  func keyInQuery() async throws {
    try await Self.run { _, client, upstream, _ in
      for (query, goesOn) in [
        ("?key=sk-1&limit=2", "?limit=2"), ("?limit=2&api%5Fkey=sk-1", "?limit=2"),
        ("?API_KEY=sk-1", ""),
        ("?include%5B%5D=a&include%5B%5D=b", "?include%5B%5D=a&include%5B%5D=b"),
      ] {
        try await client.send(ask("GET", "/v1/responses/resp_a1\(query)"))
        let call = await upstream.next()
        #expect(call.path == "/v1/responses/resp_a1\(goesOn)")
        call.answer(made("resp_a1"))
        #expect(try await client.response().status == 200)
      }
    }
  }

  @Test("what nobody has, or another organisation, is not there, and nobody is asked")
  func missing() async throws {
    try await Self.run { gateway, client, upstream, _ in
      for (method, tail, _) in Self.calls {
        for (id, key) in [
          ("resp_x", Gateway.key), ("resp_a1", "sk-other"), ("msg%2f1", "sk-other"),
        ] {
          try await client.send(ask(method, "/v1/responses/\(id)\(tail)", key: key))
          let response = try await client.response()
          #expect(response.status == 404)
          let error = try JSONValue.parse(Array(response.text.utf8))["error"]
          #expect(error?["type"]?.string == "invalid_request_error", "\(response.text)")
          #expect(!response.text.contains("resp_a1"))
        }
      }
      #expect(upstream.callCount == 2)
    }
  }

  @Test("while its account is away the client is told so, and until when")
  func away() async throws {
    try await Self.run { gateway, client, upstream, configuration in
      configuration.cool("a1", for: 30_000_000_000)
      gateway.board.publish(configuration.published)
      try await client.send(ask("GET", "/v1/responses/resp_a1"))
      let cooling = try await client.response()
      #expect(cooling.status == 409 && cooling.text.contains("state_bound"))
      #expect(cooling.headers["retry-after"] == "30")
      configuration.apply(.account(.removed(AccountID("a1"))))
      gateway.board.publish(configuration.published)
      try await client.send(ask("DELETE", "/v1/responses/resp_a1"))
      let removed = try await client.response()
      #expect(removed.status == 409 && removed.headers["retry-after"] == nil)
      #expect(upstream.callCount == 2)
    }
  }

  @Test(
    "what the provider says against it is told as it is; nothing of it counts against the account"
  )
  func refused() async throws {
    try await Self.run { gateway, client, upstream, _ in
      let error =
        #"{"error":{"message":"Response with id 'resp_a1' not found.","type":"invalid_request_error","param":null,"code":null}}"#
      for status in [404, 400, 409] {
        try await client.send(ask("GET", "/v1/responses/resp_a1"))
        await upstream.next().answer(error, status: status)
        let response = try await client.response()
        #expect(response.status == status && response.text == error)
      }
      // What the account cannot do is told in our words, as ever, and nobody else is asked.
      try await client.send(ask("GET", "/v1/responses/resp_a1"))
      await upstream.next().answer(error, status: 503)
      let failed = try await client.response()
      #expect(failed.status == 503 && !failed.text.contains("not found"))
      for (status, account) in [(401, "a1"), (429, "a2")] {
        try await client.send(ask("GET", "/v1/responses/resp_\(account)"))
        await upstream.next().answer("{}", status: status)
        #expect(try await client.response().status >= 400)
      }
      #expect(upstream.callCount == 8)
    }
  }

  @Test(
    "other paths below are nobody's",
    arguments: [
      "GET /v1/responses/", "GET /v1/responses/r/cancel", "GET /v1/responses/r/x",
      "DELETE /v1/responses/r/input_items", "POST /v1/responses/r",
      "POST /v1/responses/r/cancel/", "GET /v1/responses/%2e%2e", "DELETE /v1/responses/.",
    ])
  func strangers(_ request: String) async throws {
    try await Self.run { _, client, upstream, _ in
      let parts = request.split(separator: " ")
      try await client.send(ask(String(parts[0]), String(parts[1])))
      #expect(try await client.response().text.hasPrefix("\(parts[0]) /v1/responses/"))
      #expect(upstream.callCount == 2)
    }
  }
}
