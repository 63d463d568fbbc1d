import Domain
import NIOHTTP1
import Support
import Surface
import Testing

@testable import DataPlane

/// One call and what its provider must see of it.
private struct Row: Sendable, CustomTestStringConvertible {
  var asked: UpstreamProtocol
  var path: String
  var body: String
  var headers = ""
  /// Where the base URL ends.
  var base = ""
  var target: String
  var upstreamBody: String
  var fields: [String: String?] = [:]
  var operation: Operation

  var testDescription: String { "\(path) at \(asked.name)\(base)" }
}

private let rows: [Row] = [
  Row(
    asked: .openai, path: "/v1/completions",
    body: #"{"model":"p/m","prompt":"a","stream":true,"x":9007199254740993.10}"#, base: "/v1",
    target: "/v1/completions",
    upstreamBody:
      #"{"stream_options":{"include_usage":true},"model":"m","prompt":"a","stream":true,"x":9007199254740993.10}"#,
    fields: ["authorization": "Bearer secret-of-a1", "accept": "text/event-stream"],
    operation: .completions),
  Row(
    asked: .openai, path: "/api/v1/embeddings", body: #"{"input":"a","model":"p/m"}"#,
    base: "/v1", target: "/v1/embeddings", upstreamBody: #"{"input":"a","model":"m"}"#,
    operation: .embeddings),
  Row(
    asked: .openai, path: "/v1/responses", body: #"{"model":"p\/m","stream":true,"input":"a"}"#,
    headers: "OpenAI-Beta: one\r\nAnthropic-Version: 1\r\n", base: "/v1",
    target: "/v1/responses", upstreamBody: #"{"model":"m","stream":true,"input":"a"}"#,
    fields: ["openai-beta": "one", "anthropic-version": nil], operation: .responses),
  Row(
    asked: .anthropic, path: "/v1/messages?beta=true",
    body: #"{"model":"p/m","max_tokens":5,"messages":[]}"#,
    headers: "Anthropic-Beta: one\r\nAnthropic-Beta: two\r\nOpenAI-Beta: x\r\n",
    target: "/v1/messages", upstreamBody: #"{"model":"m","max_tokens":5,"messages":[]}"#,
    fields: [
      "x-api-key": "secret-of-a1", "authorization": nil, "anthropic-version": "2023-06-01",
      "anthropic-beta": "one", "openai-beta": nil,
    ], operation: .messages),
  Row(
    asked: .anthropic, path: "/v1/messages/count_tokens", body: #"{"model":"p/m","messages":[]}"#,
    headers: "anthropic-version: 2024-01-01\r\n", base: "/v1/",
    target: "/v1/messages/count_tokens", upstreamBody: #"{"model":"m","messages":[]}"#,
    fields: ["anthropic-version": "2024-01-01"], operation: .countTokens),
  Row(
    asked: .gemini, path: "/v1beta/models/p/m:generateContent", body: #"{"contents":[],"model":1}"#,
    target: "/v1beta/models/m:generateContent", upstreamBody: #"{"contents":[],"model":1}"#,
    fields: ["x-goog-api-key": "secret-of-a1", "authorization": nil], operation: .generateContent),
  Row(
    asked: .gemini, path: "/v1/models/p%2Fm:streamGenerateContent?alt=sse&key=no",
    body: #"{"contents":[]}"#, base: "/v1beta",
    target: "/v1beta/models/m:streamGenerateContent?alt=sse", upstreamBody: #"{"contents":[]}"#,
    fields: ["accept": "text/event-stream"], operation: .generateContent),
  Row(
    asked: .gemini, path: "/api/v1beta/models/p/m:streamGenerateContent",
    body: #"{"contents":[]}"#, target: "/v1beta/models/m:streamGenerateContent",
    upstreamBody: #"{"contents":[]}"#, operation: .generateContent),
]

@Suite("Dialects", .timeLimit(.minutes(5)))
struct DialectTests {
  @Test("a request goes to a provider of its protocol as it is", arguments: rows)
  private func same(_ row: Row) async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer("{}", status: 400) }
    var configuration = Configuration()
    configuration.addProvider("p", port: upstream.port, path: row.base, dialect: row.asked)
    configuration.addAccount("a1", at: "p")
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(row.body, headers: row.headers, path: row.path))
      let call = await upstream.next()
      #expect(call.head.uri == row.target)
      #expect(call.text == row.upstreamBody)
      for (name, value) in row.fields { #expect(call.header(name) == value, "\(name)") }
      _ = try await client.response()
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.operation == row.operation && finished.modelAsked == "p/m")
      #expect(finished.modelResolved == "p/m")
    }
  }

  @Test("what no account can be asked is refused, and no account is called")
  func refused() async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer("{}") }
    var configuration = Configuration()
    configuration.addProvider("o", port: upstream.port)
    configuration.addAccount("o1", at: "o")
    configuration.addProvider("g", port: upstream.port, dialect: .gemini)
    configuration.addAccount("g1", at: "g")
    configuration.addProvider("a", port: upstream.port, dialect: .anthropic)
    configuration.addAccount("a1", at: "a")
    configuration.cool("a1", for: 5_000_000_000)
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      for (model, path) in [
        ("o/m", "/v1/messages/count_tokens"), ("g/m", "/v1/messages/count_tokens"),
        ("g/m", "/v1/embeddings"), ("a/m", "/v1/completions"),
      ] {
        try await client.send(chat(#"{"model":"\#(model)"}"#, path: path))
        let response = try await client.response()
        #expect(response.status == 400 && response.text.contains("unsupported_operation"))
      }
      let finished = try await gateway.finished(4)
      #expect(finished.allSatisfy { $0.errorClass == .client && $0.attempts.isEmpty })
      #expect(upstream.callCount == 0)
    }
  }

  @Test(
    "a key is found wherever its protocol's SDK puts it",
    arguments: [
      ("/v1/chat/completions", "Authorization: Bearer sk-mine\r\n", true),
      ("/v1/messages", "x-api-key: sk-mine\r\n", true),
      ("/v1/messages", "X-Goog-Api-Key: sk-mine\r\n", true),
      ("/v1beta/models/p/m:generateContent", "x-goog-api-key: sk-mine\r\n", true),
      ("/v1beta/models/p/m:generateContent?alt=x&key=sk-mine", "", true),
      ("/v1beta/models/p/m:generateContent?key=sk%2Dmine", "", true),
      ("/v1beta/models/p/m:generateContent?key=", "", false),
      ("/v1beta/models/p/m:generateContent?key=other", "", false),
      ("/v1/chat/completions?key=sk-mine", "", false),
      ("/v1/responses", "", false), ("/v1/embeddings", "", false), ("/v1/inference", "", false),
    ])
  func keys(_ path: String, _ header: String, _ isIn: Bool) async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer("{}", status: 400) }
    var configuration = Configuration()
    configuration.addKey("sk-mine")
    configuration.addProvider("p", port: upstream.port, dialect: .gemini)
    configuration.addAccount("a1", at: "p")
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      try await client.send(
        chat(#"{"model":"unknown"}"#, key: nil, headers: header, path: path))
      let response = try await client.response()
      #expect((response.status != 401) == isIn, "\(response.status)")
      #expect(!response.text.contains("sk-mine"))
      let calls = upstream.callCount
      if path.contains("generateContent"), isIn {
        let call = await upstream.next()
        #expect(!call.head.uri.contains("key") && call.header("x-goog-api-key") == "secret-of-a1")
      } else {
        #expect(calls == 0)
      }
    }
  }

  @Test("the same key for another Gemini model is another request")
  func idempotency() async throws {
    let upstream = try await ScriptedUpstream.start {
      $0.answer(#"{"choices":[{}],"candidates":[{}]}"#)
    }
    var configuration = Configuration()
    configuration.addProvider("p", port: upstream.port, dialect: .gemini)
    configuration.addAccount("a1", at: "p")
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      for (model, status) in [("m", 200), ("other", 422)] {
        try await client.send(
          chat(
            #"{"contents":[]}"#, headers: "Idempotency-Key: once\r\n",
            path: "/v1beta/models/p/\(model):generateContent"))
        #expect(try await client.response().status == status)
      }
    }
  }

  @Test(
    "models are listed in the client's form, as the description says",
    arguments: [
      ("/v1/models", "", 0, Endpoint.listModels),
      ("/v1/models", "anthropic-version: 2023-06-01\r\n", 1, .listModels),
      ("/v1/models", "x-goog-api-key: \(Gateway.key)\r\n", 2, .listModels),
      ("/v1beta/models", "", 0, .listGeminiModels),
      ("/v1/models/p/m", "", 0, .getModel),
      ("/v1/models/p/m", "anthropic-version: 2023-06-01\r\n", 1, .getModel),
      ("/v1/models/p/m", "x-goog-api-key: \(Gateway.key)\r\n", 2, .getModel),
      ("/v1beta/models/p/m", "", 0, .getGeminiModel),
    ])
  func models(path: String, headers: String, form: Int, endpoint: Endpoint) async throws {
    try await Gateway.run(.one(port: 1)) { gateway in
      let client = try await gateway.client()
      let key = headers.hasPrefix("x-goog") ? "" : "Authorization: Bearer \(Gateway.key)\r\n"
      try await client.send("GET \(path) HTTP/1.1\r\nHost: x\r\n\(key)\(headers)\r\n")
      let response = try await client.response()
      #expect(response.status == 200)
      let said = try JSONValue.parse(response.body)
      let schema = try #require(endpoint.contract.answers.first?.schema.json)
      let forms = schema["anyOf"]?.array ?? [schema]
      #expect(forms.indices.filter { Self.fits(said, forms[$0]) } == [form])
    }
  }

  /// Whether a value has exactly the fields that a schema names, those left out that may be.
  private static func fits(_ value: JSONValue, _ schema: JSONValue) -> Bool {
    if let place = schema["$ref"]?.string {
      guard let name = place.split(separator: "/").last.map(String.init),
        let component = Component(rawValue: name)
      else { return false }
      return fits(value, component.schema.json)
    }
    if let constant = schema["const"] { return value == constant }
    if let element = schema["items"] {
      guard let elements = value.array, !elements.isEmpty else { return false }
      return elements.allSatisfy { fits($0, element) }
    }
    guard let fields = schema["properties"]?.members else { return true }
    let names = (value.members ?? []).map(\.name)
    let needed = (schema["required"]?.array ?? []).compactMap(\.string)
    return Set(names).isSubset(of: fields.map(\.name)) && Set(needed).isSubset(of: names)
      && fields.allSatisfy { field in value[field.name].map { fits($0, field.value) } ?? true }
  }
}
