import HTTPTypes
import Surface
import Testing

@Suite("Lists and queries")
struct ListTests {
  /// `count` aliases a00, a01, … with targets that need not be known.
  private func fill(_ box: TestBox, _ session: String, _ count: Int) async throws {
    for number in 0..<count {
      let name = number < 10 ? "a0\(number)" : "a\(number)"
      let made = try await box.call(
        .put, "/api/models/alias",
        #"{"alias":"\#(name)","model":"nowhere/m","allowUnresolved":true}"#, as: session)
      #expect(made.status == 200, "\(made.text)")
    }
  }

  @Test("pages follow each other without a gap or a repeat, also over edits between them")
  func pages() async throws {
    try await TestBox.with { box in
      let session = try await box.signIn()
      try await fill(box, session, 25)
      var seen: [String] = []
      var cursor: String?
      for round in 0..<9 {
        let after = cursor.map { "&after=\($0)" } ?? ""
        let page = try await box.call(.get, "/api/models/alias?limit=10\(after)", as: session)
        #expect(page.status == 200)
        seen += (page.json["aliases"]?.members ?? []).map(\.name)
        cursor = page.json["next"]?.string
        if cursor == nil { break }
        // What comes before the cursor, and the very alias that it names, may go meanwhile.
        if round == 0 {
          for name in ["a03", "a09"] {
            let gone = try await box.call(.delete, "/api/models/alias?alias=\(name)", as: session)
            #expect(gone.status == 200)
          }
        }
      }
      #expect(seen == (0..<25).map { $0 < 10 ? "a0\($0)" : "a\($0)" })
      let whole = try await box.call(.get, "/api/models/alias", as: session)
      #expect(whole.json["aliases"]?.members?.count == 23)
      #expect(whole.json["next"] == nil)
    }
  }

  @Test("a filter finds its own, and letters' case does not matter to a search")
  func filters() async throws {
    try await TestBox.with { box in
      let session = try await box.signIn()
      try await fill(box, session, 12)
      let found = try await box.call(.get, "/api/models/alias?q=A1", as: session)
      #expect(found.json["aliases"]?.members?.map(\.name) == ["a10", "a11"])
      let none = try await box.call(.get, "/api/keys?status=revoked", as: session)
      #expect(none.json["keys"]?.array == [])
    }
  }

  @Test(
    "a parameter that means nothing, is there twice or out of bounds is refused by name",
    arguments: [
      ("/api/providers?colour=red", "unsupported_parameter", "colour"),
      ("/api/providers?limit=0", "invalid_field", "limit"),
      ("/api/providers?limit=1001", "invalid_field", "limit"),
      ("/api/providers?limit=99999999999999999999999", "invalid_field", "limit"),
      ("/api/providers?limit=+5", "invalid_field", "limit"),
      ("/api/providers?isActive=yes", "invalid_field", "isActive"),
      ("/api/providers?q=", "invalid_field", "q"),
      ("/api/providers?q=a%00b", "invalid_field", "q"),
      ("/api/providers?after=zz", "invalid_field", "after"),
      ("/api/providers?after=5b7b7d5d", "invalid_field", "after"),
      ("/api/providers?q=a&q=b", "duplicate_field", "q"),
      ("/api/keys?status=gone", "invalid_field", "status"),
      ("/api/settings?x", "unsupported_parameter", "x"),
    ])
  func refusals(_ path: String, _ code: String, _ field: String) async throws {
    try await TestBox.with { box in
      let session = try await box.signIn()
      let reply = try await box.call(.get, path, as: session)
      #expect(reply.status == 400)
      #expect(reply.code == code)
      #expect(reply.field == field)
      #expect(reply.json["error"]?["remedy"]?.string?.isEmpty == false)
      #expect(reply.json["error"]?["requestId"]?.string != nil)
      // Who may not ask is not told what may be asked.
      #expect(try await box.call(.get, path).status == 401)
    }
  }

  @Test("a query of 65 parameters, and one whose escapes are broken, are refused")
  func queries() async throws {
    try await TestBox.with { box in
      let session = try await box.signIn()
      let many = (0..<65).map { "p\($0)=1" }.joined(separator: "&")
      let reply = try await box.call(.get, "/api/keys?\(many)", as: session)
      #expect(reply.status == 400 && reply.code == "unsupported_parameter")
      for broken in ["%", "%zz", "%ff", "q=%c0%af", "q=%ed%a0%80"] {
        let reply = try await box.call(.get, "/api/keys?\(broken)", as: session)
        #expect(reply.status == 400 && reply.code == "malformed_request", "\(broken)")
      }
    }
  }

  @Test(
    "a body that is not what it must be is refused, whatever is wrong with it",
    arguments: [
      (#"{"alias":"#, "invalid_json"), (#"{"alias":"\ud800","model":"m"}"#, "invalid_json"),
      ("{\"alias\":\"a\u{0}\"}", "invalid_json"), (#"[]"#, "invalid_field"),
      (#"{"alias":"a\u0000b","model":"m"}"#, "invalid_field"),
      (#"{"alias":5,"model":"m"}"#, "invalid_field"),
      (#"{"alias":"a","alias":"b","model":"m"}"#, "duplicate_field"),
      (#"{"alias":"a","model":"m","allowUnresolved":1e400}"#, "invalid_field"),
      (#"{"alias":"a","model":null}"#, "invalid_field"), (#"{"alias":"a"}"#, "missing_field"),
      ("", "missing_field"),
      (#"{"alias":"\#(String(repeating: "a", count: 129))","model":"m"}"#, "invalid_field"),
    ])
  func bodies(_ body: String, _ code: String) async throws {
    try await TestBox.with { box in
      let session = try await box.signIn()
      let reply = try await box.call(.put, "/api/models/alias", body, as: session)
      #expect(reply.status == 400, "\(reply.text)")
      #expect(reply.code == code, "\(reply.text)")
      #expect(reply.json["error"]?["remedy"]?.string?.isEmpty == false)
    }
  }

  @Test(
    "a refused command names the body's field and the value; a media type that is not JSON is 415")
  func namesAndTypes() async throws {
    try await TestBox.with { box in
      let session = try await box.signIn()
      let unknown = try await box.call(
        .put, "/api/models/alias", #"{"alias":"a","model":"nowhere/m"}"#, as: session)
      #expect(unknown.code == "unknown_target" && unknown.field == "model")
      #expect(unknown.json["error"]?["value"]?.string == "nowhere/m")
      for (type, status) in [
        ("text/plain", 415), ("application/x-www-form-urlencoded", 415), ("", 415),
        ("application/json; charset=utf-8", 200), ("Application/JSON", 200),
      ] {
        let reply = try await box.call(
          .put, "/api/models/alias", #"{"alias":"a","model":"b/c","allowUnresolved":true}"#,
          as: session, headers: [("content-type", type)])
        #expect(reply.status == status, "\(type)")
      }
      let packed = try await box.call(
        .put, "/api/models/alias", "{}", as: session, headers: [("content-encoding", "gzip")])
      #expect(packed.status == 415 && packed.code == "unsupported_media_type")
    }
  }
}
