import ArgumentParser
import Foundation
import Surface
import Testing

@testable import signalbox

/// A command line and the request that it is.
struct Spoken: Sendable, CustomTestStringConvertible {
  var words: String
  var request: String
  var testDescription: String { words }

  init(_ words: String, _ request: String) {
    self.words = words
    self.request = request
  }
}

private let spoken: [Spoken] = [
  .init("providers", "GET /api/provider-nodes"),
  .init("providers list", "GET /api/provider-nodes"),
  .init("providers show a/b", "GET /api/provider-nodes/a%2Fb"),
  .init(
    "providers add p --base-url http://h/v1 --model m --model n=o --exclude-model x* --health-check 30s",
    #"POST /api/provider-nodes {"id":"p","baseUrl":"http://h/v1","models":[{"name":"m"},{"name":"n","alias":"o"}],"excludedModels":["x*"],"healthCheck":{"intervalSeconds":30}}"#
  ),
  .init(
    "providers change p --no-models --protocol openai --if-match 3",
    #"PUT /api/provider-nodes/p {"protocol":"openai","models":[]} if "3""#),
  .init("providers disable p", #"PUT /api/provider-nodes/p {"isActive":false}"#),
  .init("providers enable p", #"PUT /api/provider-nodes/p {"isActive":true}"#),
  .init("providers remove p --if-match *", "DELETE /api/provider-nodes/p if *"),
  .init("accounts", "GET /api/providers"),
  .init(
    "accounts add a --provider p --weight 0 --priority 2",
    #"POST /api/providers {"provider":"p","name":"a","priority":2,"weight":0}"#),
  .init(
    "accounts add a --provider p --api-key-env PATH",
    #"POST /api/providers {"provider":"p","name":"a","apiKey":"$PATH"}"#),
  .init("accounts change a --name b", #"PUT /api/providers/a {"name":"b"}"#),
  .init("accounts change a", "PUT /api/providers/a {}"),
  .init("accounts test a/b", "POST /api/providers/a%2Fb/test"),
  .init("accounts test a --model m", #"POST /api/providers/a/test {"model":"m"}"#),
  .init("accounts end-cooldown a", "POST /api/providers/a/cooldown/end"),
  .init("accounts discover a", "POST /api/providers/a/models/refresh"),
  .init(
    "accounts degrade a --reason slow --if-match 2",
    #"POST /v1/admin/routing/backends/a/degrade {"reason":"slow"} if "2""#),
  .init("accounts restore a", "POST /v1/admin/routing/backends/a/healthy"),
  .init("accounts remove ä", "DELETE /api/providers/%C3%A4"),
  .init("alias list", "GET /api/models/alias"),
  .init("alias show a&b", "GET /api/models/alias?alias=a%26b"),
  .init("alias set a p/m/n", #"PUT /api/models/alias {"alias":"a","model":"p/m/n"}"#),
  .init(
    "alias set a m --allow-unresolved --if-match 0",
    #"PUT /api/models/alias {"alias":"a","model":"m","allowUnresolved":true} if "0""#),
  .init("alias remove a", "DELETE /api/models/alias?alias=a"),
  .init(
    "keys create k --organisation o --diagnostics --expires-at 2030-01-01T00:00:00Z",
    #"POST /api/keys {"name":"k","organisation":"o","diagnostics":true,"expiresAt":"2030-01-01T00:00:00Z"}"#
  ),
  .init("keys pause k", #"PUT /api/keys/k {"isActive":false}"#),
  .init("keys resume k", #"PUT /api/keys/k {"isActive":true}"#),
  .init("keys change k --no-diagnostics", #"PUT /api/keys/k {"diagnostics":false}"#),
  .init("keys revoke k", "DELETE /api/keys/k"),
  .init(
    "keys change k --no-expiry --allowed-model mock/* --any-account --rpm 5",
    #"PUT /api/keys/k {"expiresAt":null,"allowedModels":["mock/*"],"allowedAccounts":[],"limits":{"rpm":5}}"#
  ),
  .init(
    "organisations add o --name Acme --rps 2 --burst 3 --budget month,usd=12.50,timezone=Asia/Tokyo --budget day,tokens=9",
    #"POST /api/organisations {"id":"o","name":"Acme","limits":{"rps":2,"burst":3},"budgets":[{"period":"month","usd":12.50,"timezone":"Asia/Tokyo"},{"period":"day","tokens":9}]}"#
  ),
  .init(
    "organisations change o --no-limits --no-budgets --if-match 2",
    #"PUT /api/organisations/o {"limits":{},"budgets":[]} if "2""#),
  .init("organisations pause o", #"PUT /api/organisations/o {"isActive":false}"#),
  .init("organisations remove o", "DELETE /api/organisations/o"),
  .init("combo add c p/m p/n", #"POST /api/combos {"name":"c","models":["p/m","p/n"]}"#),
  .init(
    "combo change c/d p/n --allow-unresolved",
    #"PUT /api/combos/c%2Fd {"models":["p/n"],"allowUnresolved":true}"#),
  .init("combo remove c", "DELETE /api/combos/c"),
  .init("policies", "GET /v1/admin/routing/policies"),
  .init("policies show o p/m", "GET /v1/admin/routing/policies/o/p%2Fm"),
  .init(
    "policies set o m --backend a=80 --backend b=20 --failover-threshold 4",
    #"POST /v1/admin/routing/policies {"organization_id":"o","model":"m","backends":[{"backend_id":"a","weight":80},{"backend_id":"b","weight":20}],"failover_threshold":4}"#
  ),
  .init(
    "policies change o m --failover-threshold 4 --if-match 1",
    #"PUT /v1/admin/routing/policies/o/m {"failover_threshold":4} if "1""#),
  .init("policies remove o m", "DELETE /v1/admin/routing/policies/o/m"),
  .init("pricing", "GET /api/pricing"),
  .init(
    "pricing set p m/n --input 2.5 --output 10 --cache-creation 1.250",
    #"PATCH /api/pricing {"p":{"m/n":{"input":2.5,"output":10,"cache_creation":1.250}}}"#),
  .init("pricing remove p m/n", "DELETE /api/pricing?provider=p&model=m%2Fn"),
  .init("pricing remove --all", "DELETE /api/pricing?all=true"),
  .init("models", "GET /api/models"),
  .init("models show p/m/n", "GET /api/models/p%2Fm%2Fn"),
  .init("models disable p/m", #"PUT /api/models/p%2Fm {"isActive":false}"#),
  .init("backends", "GET /v1/admin/routing/backends"),
  .init("backends show a", "GET /v1/admin/routing/backends/a/health"),
  .init("admin reset-password", "POST /api/settings/reset-password {}"),
  .init(
    "admin reset-password --password-env PATH",
    #"POST /api/settings/reset-password {"newPassword":"$PATH"}"#),
  .init("settings", "GET /api/settings"),
  .init(
    "settings change --no-require-api-key --max-body-bytes 2048",
    #"PATCH /api/settings {"requireApiKey":false,"maxBodyBytes":2048}"#),
]

private let misspoken = [
  "accounts show", "accounts show ", "accounts add a", "accounts change a --if-match new",
  "accounts change a --weight heavy", "accounts add a --provider p --api-key sk-clear",
  "accounts add a --provider p --api-key-stdin --api-key-env PATH",
  "accounts add a --provider p --api-key-env NOBODY_SET_THIS_ONE", "alias set a", "keys purge k",
  "pricing set p m --input 2,5", "pricing remove", "pricing remove p --all", "combo add c",
  "policies set o m --backend a", "organisations add o --budget month,usd",
  "keys change k --no-expiry --expires-at 2030-01-01T00:00:00Z",
]

@Suite("Verbs")
struct VerbTests {
  private func request(_ words: String) throws -> ControlRequest {
    let words = words.split(separator: " ", omittingEmptySubsequences: false).map { String($0) }
    let verb = try #require(try Signalbox.parseAsRoot(words) as? any AdminVerb, "no verb")
    return try verb.request()
  }

  @Test(arguments: spoken) func `a command line is one request of the API`(_ spoken: Spoken) throws
  {
    let request = try request(spoken.words)
    var text = "\(request.method.rawValue) \(request.target)"
    if let body = request.body { text += " " + String(decoding: body.bytes, as: UTF8.self) }
    if let tag = request.tag { text += " if \(tag)" }
    let path = try #require(ProcessInfo.processInfo.environment["PATH"])
    #expect(text == spoken.request.replacing("$PATH", with: path))
    guard
      case .found(let row, _) = Routes.match(
        method: request.method.rawValue, path: request.target)
    else {
      Issue.record("no route")
      return
    }
    #expect(row.plane == .controlPlane)
  }

  @Test(arguments: misspoken) func `a wrong command line is wrong usage`(words: String) {
    let error = #expect(throws: (any Error).self) { try request(words) }
    #expect(error.map { Signalbox.exitCode(for: $0) } == .validationFailure, "\(words)")
  }

  @Test func `every verb can be parsed and explains itself`() {
    for group in Signalbox.configuration.subcommands {
      #expect(!group.configuration.abstract.isEmpty)
      for verb in group.configuration.subcommands {
        #expect(!verb.configuration.abstract.isEmpty)
        #expect(Signalbox.helpMessage(for: verb).contains("USAGE"))
      }
    }
  }

  @Test(arguments: [
    ("null", "-"), (#""""#, "-"), ("true", "yes"), ("[]", "-"), ("{}", "-"), ("1.50", "1.50"),
    (#"["a","b"]"#, "a, b"),
    (#"[{"name":"m","alias":null},{"name":"n","alias":"o"}]"#, "name=m, name=n alias=o"),
    (#""a\u001b[2Jb\nc‮d""#, #"a\u{1b}[2Jb\u{a}c\u{202e}d"#),
  ])
  func `a value is on one line, and nothing in it moves a cursor`(json: String, shown: String)
    throws
  {
    #expect(AnswerText.cell(try JSONValue.parse(Array(json.utf8))) == shown)
  }

  @Test func `a list's pages are put together`() throws {
    let first = try JSONValue.parse(
      Array(#"{"rows":[1],"map":{"a":1},"total":3,"next":"x"}"#.utf8))
    let second = try JSONValue.parse(Array(#"{"rows":[2,3],"map":{"b":2},"total":3}"#.utf8))
    let both = first.followed(by: second)
    #expect(
      String(decoding: both.bytes, as: UTF8.self)
        == #"{"rows":[1,2,3],"map":{"a":1,"b":2},"total":3}"#)
  }

  @Test func `a secret in a file loses its line's end and nothing else`() throws {
    let path = "/tmp/signalbox-secret-\(UInt64.random(in: 0 ... .max))"
    defer { try? FileManager.default.removeItem(atPath: path) }
    for (content, secret) in [("s\n", "s"), ("s\r\n", "s"), (" s \n\n", " s \n"), ("s", "s")] {
      #expect(FileManager.default.createFile(atPath: path, contents: Data(content.utf8)))
      let options = try SecretOptions<APIKey>.parse(["--api-key-file", path])
      let read = try options.secret()
      #expect(read == secret)
    }
    #expect(FileManager.default.createFile(atPath: path, contents: Data("\n".utf8)))
    #expect(throws: ValidationError.self) {
      _ = try SecretOptions<APIKey>.parse(["--api-key-file", path]).secret()
    }
    #expect(try SecretOptions<APIKey>.parse([]).secret() == nil)
  }
}
