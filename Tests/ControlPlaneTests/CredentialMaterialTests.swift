import Domain
import Surface
import Testing

@testable import ControlPlane

private let whole = CredentialMaterial(
  access: Secret("at-1"), refresh: Secret("rt-1"), identity: Secret("id-1"),
  extra: ["resource_url": Secret("portal"), "projectId": Secret("p1")])

@Test("a credential's material reads back as it was sealed; an API key is sealed as itself")
func sealsMaterial() {
  for material in [
    whole, CredentialMaterial(access: Secret("at-1"), refresh: Secret("rt-1")),
    CredentialMaterial(access: Secret("sk-1"), extra: ["a": Secret("")]),
  ] {
    #expect(CredentialMaterial(decoding: material.encoded) == material)
    #expect(!material.isBare)
  }
  let key = CredentialMaterial(access: Secret("sk-1"))
  #expect(key.encoded == Secret("sk-1"))
  #expect(CredentialMaterial(decoding: Secret("sk-1")) == key)
}

@Test("material that is cut or longer is none, never a trap")
func refusesDamagedMaterial() {
  let bytes = whole.encoded.bytes
  for length in 1..<bytes.count {
    #expect(CredentialMaterial(decoding: Secret(bytes: Array(bytes.prefix(length)))) == nil)
  }
  #expect(CredentialMaterial(decoding: Secret(bytes: bytes + [0])) == nil)
}

@Test("what a provider leaves out of its answer stays")
func mergesMaterial() {
  let merged = whole.merging(
    CredentialMaterial(access: Secret("at-2"), extra: ["projectId": Secret("p2")]))
  #expect(merged.access == Secret("at-2"))
  #expect(merged.refresh == Secret("rt-1") && merged.identity == Secret("id-1"))
  #expect(merged.extra == ["resource_url": Secret("portal"), "projectId": Secret("p2")])
}

@Test("the refresh tokens that newer ones were given for are known, the last 64 of them")
func knowsWhatWasGivenUp() throws {
  var material = whole
  for number in 2...70 {
    material = material.renewed(
      by: CredentialMaterial(access: Secret("at-\(number)"), refresh: Secret("rt-\(number)")))
  }
  let read = try #require(CredentialMaterial(decoding: material.encoded))
  for number in 6...69 { #expect(read.gaveUp(Secret("rt-\(number)")), "rt-\(number)") }
  for number in [1, 5, 70, 71] { #expect(!read.gaveUp(Secret("rt-\(number)")), "rt-\(number)") }
  // A provider that gives the same again, or none, gave nothing up.
  let kept = whole.renewed(by: CredentialMaterial(access: Secret("at-2"), refresh: Secret("rt-1")))
    .renewed(by: CredentialMaterial(access: Secret("at-3")))
  #expect(!kept.gaveUp(Secret("rt-1")) && kept.extra == whole.extra)
}

@Test(
  "a claim of a token that leaves no room to count says nothing",
  arguments: [
    Int64.min, Int64.min + 1, -1, 0, 1, Int64.max,
  ])
func readsAnyEnd(end: Int64) throws {
  let row = try #require(OAuthProvider.all.first { $0.expiry == .claim })
  let claims = Base64URL.text(Array("{\"sub\": \"s\", \"exp\": \(end)}".utf8))
  let life = TokenReading(row: row).life(
    .null, Secret("e30.\(claims).x"), now: UnixNanoseconds(1_800_000_000_000_000_000))
  #expect(life == nil)
}

private func refresh(_ encoding: OAuthClient.Encoding, secret: Secret? = nil) -> TokenRefresh {
  TokenRefresh(
    client: OAuthClient(
      tokenURL: "https://auth.example.com/token", clientID: "c&1", encoding: encoding),
    clientSecret: secret)
}

@Test("a refresh is asked for as RFC 6749 has it, or in JSON")
func writesRefresh() throws {
  let form = try #require(refresh(.form, secret: Secret("s=1")).request(whole))
  #expect(
    String(decoding: form.body, as: UTF8.self)
      == "grant_type=refresh_token&refresh_token=rt-1&client_id=c%261&client_secret=s%3D1")
  let json = try #require(refresh(.json).request(whole))
  let document = try JSONValue.parse(json.body)
  #expect(document["refresh_token"]?.string == "rt-1" && document["client_id"]?.string == "c&1")
  #expect(refresh(.form).request(CredentialMaterial(access: Secret("at-1"))) == nil)
}

private func found(
  _ status: UInt16, _ body: String, kind: String = "generic"
) -> TokenRefresh.Finding {
  var refresh = refresh(.form)
  refresh.client.kind = kind
  return refresh.finding(
    .answered(status: status, retryAfterSeconds: nil, body: Array(body.utf8)),
    now: UnixNanoseconds(1_000 * 1_000_000_000))
}

@Test("an answer's token is taken with its life, in numbers and in texts")
func readsToken() {
  for (kind, body, life) in [
    ("generic", #"{"access_token":"at-2","expires_in":3600}"#, 3600 as Int64?),
    ("generic", #"{"access_token":"at-2","expires_in":"60"}"#, 60),
    ("generic", #"{"access_token":"at-2","expires_in":-5}"#, nil),
    ("generic", #"{"access_token":"at-2"}"#, nil),
    ("kiro", #"{"accessToken":"at-2","expiresIn":9}"#, 9),
    ("minimax", #"{"access_token":"at-2","expired_in":1060000}"#, 60),
    ("minimax", #"{"access_token":"at-2","expired_in":3600}"#, nil),
  ] {
    guard case .token(let material, let seconds) = found(200, body, kind: kind) else {
      Issue.record("no token in \(body)")
      continue
    }
    #expect(material.access == Secret("at-2") && material.refresh == nil && seconds == life)
  }
}

@Test("whatever is no token is an outcome, and repeats nothing of what the provider said")
func readsRefusals() {
  for (status, body, expected) in [
    (400, #"{"error":"invalid_grant"}"#, RefreshOutcome.rejected(code: "invalid_grant")),
    (
      401, #"{"error":{"code":"refresh_token_reused","message":"x"}}"#,
      .rejected(code: "refresh_token_reused")
    ),
    (
      400, #"{"error":"at-1 is bad"}"#,
      .failed(code: "status_400", isUnknown: false, retryAfterSeconds: nil)
    ),
    (200, "<html>", .failed(code: "unreadable_answer", isUnknown: true, retryAfterSeconds: nil)),
    (
      200, #"{"token_type":"bearer"}"#,
      .failed(code: "unreadable_answer", isUnknown: true, retryAfterSeconds: nil)
    ),
    (
      200, #"{"access_token":"a b"}"#,
      .failed(code: "unreadable_answer", isUnknown: true, retryAfterSeconds: nil)
    ),
  ] as [(UInt16, String, RefreshOutcome)] {
    guard case .nothing(let outcome) = found(status, body) else {
      Issue.record("a token in \(body)")
      continue
    }
    #expect(outcome == expected, "\(status) \(body)")
  }
}

@Test(
  "a refresh token that cannot be sent makes an answer unreadable; a fraction of a second makes no difference"
)
func readsTokens() throws {
  func read(_ text: String) throws -> TokenReading.Tokens? {
    TokenReading(row: OAuthProvider["generic"]).tokens(
      try JSONValue.parse(Array(text.utf8)), now: UnixNanoseconds(1))
  }
  for refresh in [#""a b""#, "7", #""\#(String(repeating: "x", count: 16_385))""#, "{}"] {
    let answer = try read(#"{"access_token": "at-1", "refresh_token": \#(refresh)}"#)
    #expect(answer == nil, "\(refresh.prefix(20))")
  }
  #expect(try read(#"{"access_token": "at-1", "refresh_token": null}"#)?.material.refresh == nil)
  for seconds in ["3600", "3600.5", #""3600""#, #""3600.0""#, "3.6e3"] {
    let life = try read(#"{"access_token": "at-1", "expires_in": \#(seconds)}"#)?.lifeSeconds
    #expect(life == 3_600, "\(seconds)")
  }
  for seconds in [#""soon""#, "1e300", "-1", #""nan""#, #""inf""#] {
    let life = try read(#"{"access_token": "at-1", "expires_in": \#(seconds)}"#)?.lifeSeconds
    #expect(life == nil, "\(seconds)")
  }
}
