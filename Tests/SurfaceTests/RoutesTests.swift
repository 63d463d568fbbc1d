import Support
import Surface
import Testing

/// A request and the endpoint it must reach, with its parameters.
struct Hit: Sendable, CustomTestStringConvertible {
  let method: String
  let path: String
  let endpoint: Endpoint
  let parameters: [String: String]
  var testDescription: String { "\(method) \(path)" }

  init(_ method: String, _ path: String, _ endpoint: Endpoint, _ parameters: [String: String] = [:])
  {
    self.method = method
    self.path = path
    self.endpoint = endpoint
    self.parameters = parameters
  }
}

private let hits: [Hit] = [
  .init("POST", "/v1/chat/completions", .chatCompletions),
  .init("POST", "/api/v1/chat/completions?x=1", .chatCompletions),
  .init("POST", "/v1/completions", .completions),
  .init("POST", "/api/v1/embeddings", .embeddings),
  .init("POST", "/v1/responses", .responses),
  .init("POST", "/v1/messages?beta=true", .messages),
  .init("POST", "/v1/messages/count_tokens", .countTokens),
  .init("POST", "/v1/inference", .inference),
  .init("GET", "/v1/responses/resp_1?include=a", .getResponse, ["response_id": "resp_1"]),
  .init("DELETE", "/api/v1/responses/resp_1", .removeResponse, ["response_id": "resp_1"]),
  .init("GET", "/v1/responses/r/input_items", .listInputItems, ["response_id": "r"]),
  .init("POST", "/v1/responses/r/cancel", .cancelResponse, ["response_id": "r"]),
  .init(
    "POST", "/v1beta/models/gemini-2.5-flash:generateContent", .generateContent,
    ["model": "gemini-2.5-flash"]),
  .init("POST", "/v1/models/g/a:b:generateContent?key=k", .generateContent, ["model": "g/a:b"]),
  .init(
    "POST", "/api/v1beta/models/g%2Fa:streamGenerateContent?alt=sse", .streamGenerateContent,
    ["model": "g/a"]),
  .init("GET", "/v1/models", .listModels),
  .init("HEAD", "/v1/models", .listModels),
  .init("GET", "/v1/models?limit=2", .listModels),
  .init("GET", "/v1/mod%65ls", .listModels),
  .init("GET", "/v1beta/models?pageSize=5&key=k", .listGeminiModels),
  .init("GET", "/api/v1beta/models/p/m", .getGeminiModel, ["id": "p/m"]),
  .init("GET", "/v1/models/gpt-4o", .getModel, ["id": "gpt-4o"]),
  .init("GET", "/v1/models/mock/gpt-4o", .getModel, ["id": "mock/gpt-4o"]),
  .init("GET", "/v1/models/mock%2Fgpt-4o", .getModel, ["id": "mock/gpt-4o"]),
  .init("GET", "/api/v1/models/a/b/c", .getModel, ["id": "a/b/c"]),
  .init("GET", "/v1/models/gr%C3%B6%C3%9Fe?", .getModel, ["id": "größe"]),
  .init("GET", "/v1/models/%2e%2e", .getModel, ["id": ".."]),
  .init("GET", "/v1/models/a+b%20c", .getModel, ["id": "a+b c"]),
  .init("GET", "/v1/models/chat/completions", .getModel, ["id": "chat/completions"]),
  .init("GET", "/api/models/alias", .listAliases),
  .init("PUT", "/api/models/alias", .setAlias),
  .init("DELETE", "/api/models/alias?alias=a/b", .removeAlias),
  .init("GET", "/api/models/mock/org/m", .getProviderModel, ["id": "mock/org/m"]),
  .init("PUT", "/api/models/mock%2Forg%2Fm", .changeProviderModel, ["id": "mock/org/m"]),
  .init("GET", "/api/providers", .listAccounts),
  .init("POST", "/api/providers/a1/test", .testAccount, ["id": "a1"]),
  .init(
    "POST", "/v1/admin/routing/backends/a1/degrade?x", .degradeBackend, ["id": "a1"]),
  .init("PUT", "/api/providers/a%2Fb", .changeAccount, ["id": "a/b"]),
  .init("DELETE", "/api/provider-nodes/mock", .removeProvider, ["id": "mock"]),
  .init("PATCH", "/api/settings", .changeSettings),
  .init("GET", "/api/combos/fast", .getCombo, ["name": "fast"]),
  .init(
    "PUT", "/v1/admin/routing/policies/*/meta-llama/Llama-3-8B", .changePolicy,
    ["organization_id": "*", "model": "meta-llama/Llama-3-8B"]),
  .init(
    "DELETE", "/v1/admin/routing/policies/acme/a%2Fb", .removePolicy,
    ["organization_id": "acme", "model": "a/b"]),
  .init("GET", "/v1/audit/requests/req%3A1", .auditRequest, ["id": "req:1"]),
  .init("GET", "/api/history/settings", .streamHistory, ["stream": "settings"]),
  .init("GET", "/api/history/policy/acme/a/b", .streamHistory, ["stream": "policy/acme/a/b"]),
  .init("GET", "/api/history/alias%2Ffast?limit=1", .streamHistory, ["stream": "alias/fast"]),
  .init("GET", "/v1/status/readyz", .readyz),
  .init("GET", "/health", .health),
  .init("GET", "/metrics", .metrics),
]

private let strangers = [
  "/", "/v1", "/v1/", "/v1/models/", "/v2/models", "/v1/Models", "/v1//models", "/api/keys/a/b",
  "/api/keys/", "//v1/models", "/api%2Fkeys", "/v1/models%2Fx", "/v1/audit/requests", "/health/",
  "/metrics/",
  "/v1/chat/completions/", "/v1beta/models/", "/v1beta/models%2Fg", "/v1beta/g:generateContent",
  "/v1/responses/", "/v2/messages",
  "/api/v1/audit/requests/x", "/{id}", "/api/v1/../keys",
]

private let malformed = [
  "", "*", "v1/models", "http://h/v1/models", "/v1/models/%", "/v1/models/%2", "/v1/models/%zz",
  "/v1/models/a%00b", "/v1/models/a\u{0}b", "/v1/models/%1f", "/v1/models/%ff", "/v1/models/%c0%af",
  "/v1/models/%ed%a0%80", "/v1/models/a b", "/v1/models/ü", "/v1/models#x", "/v1/models/%7F",
  "/v1/models/%+1", "/v1/models/\r\n", "?",
]

@Suite("Routes")
struct RoutesTests {
  @Test("a request reaches its endpoint with decoded parameters", arguments: hits)
  func finds(_ hit: Hit) {
    guard case .found(let row, let parameters) = Routes.match(method: hit.method, path: hit.path)
    else {
      Issue.record("not found")
      return
    }
    #expect(row.endpoint == hit.endpoint)
    #expect(
      Dictionary(uniqueKeysWithValues: parameters.map { ($0.name, $0.value) }) == hit.parameters)
  }

  @Test("a path of no row is not found, whatever the method", arguments: strangers)
  func strange(_ path: String) {
    for method in ["GET", "POST", "BREW"] {
      #expect(Routes.match(method: method, path: path) == .notFound)
    }
  }

  @Test("a path that breaks the rules is malformed", arguments: malformed)
  func breaks(_ path: String) {
    guard case .malformed = Routes.match(method: "GET", path: path) else {
      Issue.record("accepted")
      return
    }
  }

  @Test("the wrong method is told the right ones")
  func wrongMethod() {
    for (method, path, allow) in [
      ("GET", "/v1/chat/completions", "POST"), ("POST", "/v1/models", "GET, HEAD"),
      ("DELETE", "/api/v1/models/a/b", "GET, HEAD"),
      ("PATCH", "/api/keys/k1", "GET, HEAD, PUT, DELETE"),
      ("PUT", "/api/settings", "GET, HEAD, PATCH"),
      ("OPTIONS", "/api/models/alias", "GET, HEAD, PUT, DELETE"),
      ("GET", "/v1/models/p/m:generateContent", "POST"),
      ("OPTIONS", "/api/v1beta/models/m:streamGenerateContent", "POST"),
      ("get", "/health", "GET, HEAD"), ("HEAD", "/api/auth/login", "POST"),
    ] {
      #expect(Routes.match(method: method, path: path) == .methodNotAllowed(allow: allow))
    }
  }

  @Test("every row is found by its own path", arguments: Routes.all)
  func selfMatch(_ row: RouteRow) {
    let path = row.path.replacing("{id}", with: "x.y-z_1").replacing("{model}", with: "g/m")
    guard case .found(let found, _) = Routes.match(method: row.method.rawValue, path: path) else {
      Issue.record("not found")
      return
    }
    #expect(found == row)
  }

  @Test("rows are unique, described, and in the tier that their path promises")
  func table() {
    let names = Routes.all.map { "\($0.method.rawValue) \($0.path)" }
    #expect(Set(names).count == names.count)
    #expect(Set(Routes.all.map(\.endpoint)) == Set(Endpoint.allCases))
    for row in Routes.all {
      #expect(row.path.hasPrefix("/") && !row.path.hasSuffix("/"))
      #expect(!row.summary.isEmpty && !row.summary.hasSuffix("."))
      #expect((row.group == .inference) == (row.tier == .client))
      #expect(row.admitsKeys == (row.endpoint == .auditRequest))
      #expect((row.plane == .dataPlane) == [.inference, .models].contains(row.group))
      if row.group == .evidence { #expect(row.tier == .admin) }
      if row.group == .configuration { #expect([.admin, .local].contains(row.tier)) }
      #expect((row.tier == .peer) == row.path.hasPrefix("/api/sync/exchange"))
      #expect((row.endpoint.administrationBodyBytes > 1 << 20) == (row.endpoint == .exchangeSync))
      #expect(!row.takesRest || row.path.split(separator: "/").last?.first == "{")
    }
    #expect(
      Routes.all.filter { $0.tier == .local }.map(\.path) == [
        "/api/settings/reset-password", "/api/config/apply",
      ])
    #expect(
      Routes.all.filter { $0.tier == .public }.map(\.path) == [
        "/v1/models", "/v1/models/{id}", "/api/v1/models", "/api/v1/models/{id}",
        "/v1beta/models", "/v1beta/models/{id}", "/api/v1beta/models", "/api/v1beta/models/{id}",
        "/api/auth/login", "/api/auth/logout", "/health", "/api/health/ping", "/v1/status/healthz",
        "/v1/status/readyz", "/metrics",
      ])
  }

  @Test("arbitrary paths never trap", arguments: UInt64(0)..<20)
  func arbitrary(_ seed: UInt64) {
    var generator = JSONGenerator(seed: seed)
    for _ in 0..<100 {
      var path = "/v1/models/"
      for _ in 0..<generator.random.int(0...8) {
        path += generator.oneOf(["%", "2", "F", "/", "%2f", "%C3", "ü", "?", ".", "\u{0}", "a"])
      }
      if case .found(_, let parameters) = Routes.match(method: "GET", path: path) {
        #expect(parameters.allSatisfy { !$0.value.isEmpty && !$0.value.contains("\0") })
      }
    }
  }
}
