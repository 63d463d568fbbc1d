import Domain
import EventStore
import HTTPTypes
import Surface
import Testing

@testable import ControlPlane

/// `/api/combos`: one store, one writer, nothing overwritten unseen.
struct ComboTests {
  static let combo = #"{"name":"safe","models":["mock/gpt-4o","mock/gpt-4o-mini"]}"#

  @Test func `a combo is added, shown, listed, changed and removed`() async throws {
    try await TestBox.prepared { box, token in
      let added = try await box.call(.post, "/api/combos", Self.combo, as: token)
      #expect(added.status == 201, "\(added.text)")
      #expect(added.json["id"]?.string == "safe" && added.json["name"]?.string == "safe")
      #expect(added.tag == "\"1\"")
      let shown = try await box.call(.get, "/api/combos/safe", as: token)
      #expect(shown.json == added.json)
      let list = try await box.call(.get, "/api/combos", as: token)
      #expect(list.json["combos"]?.array == [added.json])
      #expect(try await box.call(.get, "/api/combos?q=none", as: token).json["combos"] == [])
      let changed = try await box.call(
        .put, "/api/combos/safe", #"{"name":"safe","models":["mock/gpt-4o-mini"]}"#, as: token,
        headers: [("if-match", "\"1\"")])
      #expect(changed.status == 200, "\(changed.text)")
      #expect(changed.json["models"]?.array == ["mock/gpt-4o-mini"] && changed.tag == "\"2\"")
      #expect(
        box.published.state.combos["safe"]?.models == ["mock/gpt-4o-mini"],
        "published before the answer")
      #expect(try await box.call(.delete, "/api/combos/safe", as: token).status == 200)
      for (method, body) in [
        (HTTPRequest.Method.get, ""), (.put, #"{"models":["mock/gpt-4o"]}"#), (.delete, ""),
      ] {
        let gone = try await box.call(method, "/api/combos/safe", body, as: token)
        #expect(gone.status == 404 && gone.code == "unknown_combo", "\(method): \(gone.text)")
      }
    }
  }

  @Test func `adding one again is 409 and overwrites nothing`() async throws {
    try await TestBox.prepared { box, token in
      _ = try await box.call(.post, "/api/combos", Self.combo, as: token)
      let before = box.control.state
      let again = try await box.call(
        .post, "/api/combos", #"{"name":"safe","models":["mock/gpt-4o-mini"]}"#, as: token)
      #expect(again.status == 409 && again.code == "already_exists", "\(again.text)")
      #expect(again.field == "name")
      #expect(box.control.state == before)
    }
  }

  static let refused: [(String, Int, String, String)] = [
    (#"{"models":["mock/gpt-4o"]}"#, 400, "missing_field", "name"),
    (#"{"name":"x"}"#, 400, "missing_field", "models"),
    (#"{"name":"x","models":[]}"#, 400, "invalid_field", "number of models"),
    (#"{"name":"x","models":"mock/gpt-4o"}"#, 400, "invalid_field", "models"),
    (#"{"name":"x","models":["mock/gpt-4o","mock/gpt-4o"]}"#, 400, "invalid_field", "models"),
    (#"{"name":"x","models":["mock/gpt-4oo"]}"#, 400, "unknown_target", "models"),
    (#"{"name":"x","models":["fast"]}"#, 400, "alias_of_alias", "models"),
    (#"{"name":"fast","models":["mock/gpt-4o"]}"#, 409, "name_collision", "name"),
    (#"{"name":"mock","models":["mock/gpt-4o"]}"#, 409, "name_collision", "name"),
    (#"{"name":"gpt-4o","models":["mock/gpt-4o-mini"]}"#, 409, "name_collision", "name"),
    (#"{"name":"a/b","models":["mock/gpt-4o"]}"#, 400, "invalid_field", "name"),
    (#"{"name":"x","models":["mock/gpt-4o"],"modells":[]}"#, 400, "unknown_field", "modells"),
  ]

  @Test(arguments: refused)
  func `a body that cannot be is refused by field and changes nothing`(
    body: String, status: Int, code: String, field: String
  ) async throws {
    try await TestBox.prepared { box, token in
      try await box.alias("fast", "mock/gpt-4o-mini", as: token)
      let last = box.store.lastWritten
      let reply = try await box.call(.post, "/api/combos", body, as: token)
      #expect(reply.status == status && reply.code == code, "\(reply.text)")
      #expect(reply.field == field)
      #expect(box.store.lastWritten == last)
    }
  }

  @Test func `unknown models are taken where that is said, and flagged`() async throws {
    try await TestBox.prepared { box, token in
      let reply = try await box.call(
        .post, "/api/combos",
        #"{"name":"later","models":["mock/gpt-9"],"allowUnresolved":true}"#, as: token)
      #expect(reply.status == 201 && reply.json["isUnresolved"]?.bool == true, "\(reply.text)")
    }
  }

  @Test func `an old revision is 412 with the current one; a new name is refused`() async throws {
    try await TestBox.prepared { box, token in
      _ = try await box.call(.post, "/api/combos", Self.combo, as: token)
      let last = box.store.lastWritten
      for (method, body) in [
        (HTTPRequest.Method.put, #"{"models":["mock/gpt-4o"]}"#), (.delete, ""),
      ] {
        let old = try await box.call(
          method, "/api/combos/safe", body, as: token, headers: [("if-match", "\"7\"")])
        #expect(old.status == 412 && old.tag == "\"1\"", "\(old.text)")
      }
      let renamed = try await box.call(
        .put, "/api/combos/safe", #"{"name":"other","models":["mock/gpt-4o"]}"#, as: token)
      #expect(renamed.status == 400 && renamed.field == "name")
      #expect(box.store.lastWritten == last)
    }
  }
}
