import Domain
import EventStore
import HTTPTypes
import Inquiry
import Surface
import Testing

@testable import ControlPlane

extension TestBox {
  /// Appends a request as the data plane does: it asked for `model`, and went to `account` or nowhere.
  @discardableResult
  func request(
    _ model: String, to account: AccountID?, key: KeyID? = nil, errorCode: String? = nil
  ) throws -> RequestID {
    let id = RequestID(clock.edge.mintID())
    let attempts = account.map {
      Attempt(
        snapshot: control.state.position, now: clock.now, seed: 7, local: .none, account: $0,
        rule: .only, status: 200, errorClass: nil, errorCode: nil, connectMicroseconds: 1,
        firstByteMicroseconds: 2, totalMicroseconds: 3)
    }
    let event = Event.request(
      .finished(
        .init(
          id: id, clientRequestID: nil, organisation: .standard, key: key,
          remoteAddress: "198.51.100.4", operation: .chatCompletions, modelAsked: model,
          modelResolved: nil, isStream: false, receivedAt: clock.now,
          attempts: attempts.map { [$0] } ?? [], status: errorCode == nil ? 200 : 404,
          ending: errorCode == nil ? .completed : .denied, errorCode: errorCode, errorClass: nil,
          usage: .notReported, requestBytes: 1, responseBytes: 1, queueMicroseconds: 1,
          firstByteMicroseconds: nil, totalMicroseconds: 1)))
    let draft = EventDraft(
      id: EventID(clock.edge.mintID()), stream: event.stream, kind: event.kind,
      time: clock.now.rawValue, lookupKeys: event.lookupKeys, payload: encode(event, .system))
    _ = try store.appendAndWait(AppendBatch(events: [draft]), durability: .durable)
    return id
  }
}

/// Going back appends new events, and says first what it would do.
struct UndoTests {
  @Test func `an alias goes back three times, each time as a new revision with its cause`()
    async throws
  {
    try await TestBox.prepared { box, token in
      for model in ["mock/gpt-4o", "mock/gpt-4o-mini", "mock/big"] {
        try await box.alias("fast", model, as: token)
      }
      for (to, model) in [(1, "mock/gpt-4o"), (3, "mock/big"), (2, "mock/gpt-4o-mini")] {
        let reply = try await box.call(
          .post, "/api/config/revert", #"{"stream":"alias/fast","to":\#(to)}"#, as: token)
        #expect(reply.status == 200, "\(reply.text)")
        #expect(reply.json["events"]?.int == 1)
        #expect(box.published.state.aliases["fast"]?.target == model)
        #expect(reply.tag == "\"\(box.control.state.revision(ofStream: "alias/fast"))\"")
      }
      let history = try await box.call(.get, "/api/history/alias/fast", as: token)
      let steps = (history.json["steps"]?.array ?? []).reversed().map(\.self)
      #expect(steps.count == 6)
      for (step, to) in [(3, 0), (4, 2), (5, 1)] {
        #expect(steps[step]["cause"] == steps[to]["event"], "the event gone back to")
        #expect(steps[step]["actor"] == "admin")
      }
      let again = try await box.call(
        .post, "/api/config/revert", #"{"stream":"alias/fast","to":2}"#, as: token)
      #expect(again.json["events"]?.int == 0, "it is so already")
      #expect(again.json["position"]?.isNull == true)
    }
  }

  @Test func `a removed alias comes back, and a plan writes nothing`() async throws {
    try await TestBox.prepared { box, token in
      // Asked without a key.
      _ = try await box.call(.patch, "/api/settings", #"{"requireApiKey":false}"#, as: token)
      try await box.alias("fast", "mock/gpt-4o", as: token)
      _ = try await box.call(.delete, "/api/models/alias?alias=fast", as: token)
      let account = try #require(box.control.state.accounts.keys.first)
      let id = try box.request("fast", to: account)
      try box.request("mock/gpt-4o", to: account)
      try box.request("fast", to: nil, errorCode: "model_not_found")
      try box.request("fast", to: nil, errorCode: "invalid_api_key")
      let last = box.store.lastWritten
      let plan = try await box.call(
        .post, "/api/config/revert", #"{"stream":"alias/fast","to":1,"plan":true}"#, as: token)
      #expect(plan.status == 200, "\(plan.text)")
      #expect(box.store.lastWritten == last)
      #expect(plan.json["changes"]?[0]?["change"] == "added")
      #expect(plan.json["changes"]?[0]?["title"] == "alias fast")
      let effect = try #require(plan.json["effect"])
      #expect(effect["looked"]?.int == 3, "\(plan.text)")
      #expect(effect["notRouted"]?.int == 1)
      #expect(effect["changed"]?.int == 2, "newly served, whatever they met then")
      #expect(effect["complete"]?.bool == true)
      let group = try #require(effect["groups"]?[0])
      #expect(group["model"] == "fast")
      #expect(group["from"]?["refused"] == "unknown_model")
      #expect(group["to"]?["name"] == "mock/a1")
      #expect(group["to"]?["model"] == "gpt-4o")
      #expect(group["requests"]?.int == 2)
      #expect(group["examples"]?.array?.contains(.string(uuidText(id.rawValue))) == true)
      let tag = try #require(plan.tag)
      let done = try await box.call(
        .post, "/api/config/revert", #"{"stream":"alias/fast","to":1}"#, as: token,
        headers: [("if-match", tag)])
      #expect(done.status == 200, "\(done.text)")
      let late = try await box.call(
        .post, "/api/config/revert", #"{"stream":"alias/fast","to":2}"#, as: token,
        headers: [("if-match", tag)])
      #expect(late.status == 412)
      #expect(late.tag == "\"3\"")
    }
  }

  @Test func `the configuration is set back to before an incident, as one batch`() async throws {
    try await TestBox.prepared { box, token in
      try await box.alias("fast", "mock/gpt-4o", as: token)
      let account = try #require(box.control.state.accounts.keys.first)
      let old = try await box.call(
        .post, "/api/keys", #"{"name":"old"}"#, as: token, showsSecret: true)
      let oldID = KeyID(try #require(old.json["id"]?.string))
      let good = box.control.state
      let position = box.store.lastWritten
      box.clock.advance(seconds: 600)
      // The incident.
      _ = try await box.call(.delete, "/api/models/alias?alias=fast", as: token)
      try await box.alias("evil", "mock/gpt-4o", as: token)
      _ = try await box.call(.delete, "/api/providers/a1", as: token)
      _ = try await box.call(
        .put, "/api/provider-nodes/mock", #"{"prefix":"moved","isActive":false}"#, as: token)
      _ = try await box.call(.patch, "/api/settings", #"{"requireApiKey":false}"#, as: token)
      _ = try await box.call(.delete, "/api/keys/\(oldID.rawValue)", as: token)
      let new = try await box.call(
        .post, "/api/keys", #"{"name":"new"}"#, as: token, showsSecret: true)
      let newID = KeyID(try #require(new.json["id"]?.string))

      let body = #"{"at":"\#(position)"}"#
      let plan = try await box.call(
        .post, "/api/config/restore", #"{"at":"-10m","plan":true,"effectSeconds":0}"#, as: token)
      #expect(plan.status == 200, "\(plan.text)")
      #expect(plan.json["effect"]?.isNull == true)
      #expect(
        plan.json["at"]?.string == "\(box.store.epoch):\(position)", "the same moment by time")
      let before = box.store.lastWritten
      let done = try await box.call(
        .post, "/api/config/restore", body, as: token,
        headers: [("if-match", try #require(plan.tag))])
      #expect(done.status == 200, "\(done.text)")
      #expect(done.json["changes"] == plan.json["changes"], "what was shown is what was done")

      let now = box.published.state
      #expect(now.aliases.mapValues(\.target) == good.aliases.mapValues(\.target))
      #expect(now.providers[ProviderID("mock")]?.prefix == "mock")
      #expect(now.providers[ProviderID("mock")]?.isEnabled == true)
      #expect(now.settings.requireAPIKey)
      let restored = try #require(now.accounts[account])
      #expect(restored.priority == 2 && restored.name == "a1")
      #expect(restored.credential.fingerprint == nil, "no credential comes back")
      #expect(box.published.secrets[account] == nil)
      #expect(now.keys[oldID]?.status == .revoked, "revoked for good")
      #expect(now.keys[newID]?.status == .paused)
      let streams = (done.json["caveats"]?.array ?? []).compactMap { $0["stream"]?.string }
      #expect(Set(streams) == ["account/\(account.rawValue)", oldID.stream, newID.stream])
      // Whoever was signed in still is: passwords are no part of it.
      let again = try await box.call(.post, "/api/config/restore", body, as: token)
      #expect(again.json["events"]?.int == 0, "\(again.text)")

      let count = try #require(done.json["events"]?.int)
      #expect(box.store.lastWritten.rawValue == before.rawValue + UInt64(count))
      for step in 1...UInt64(count) {
        let stored = try #require(try box.store.reader.event(at: Position(before.rawValue + step)))
        let cause = try recorded(stored).provenance.cause
        #expect(cause.map { uuidText($0) } == done.json["event"]?.string)
      }
      // The restored account serves again with a new credential.
      let issued = try await box.call(
        .put, "/api/providers/a1", #"{"apiKey":"sk-upstream-9"}"#, as: token)
      #expect(issued.json["connection"]?["credentialGeneration"]?.int == 2, "\(issued.text)")
    }
  }

  @Test func `what cannot be gone back to is said, and nothing is written`() async throws {
    try await TestBox.prepared { box, token in
      try await box.alias("fast", "mock/gpt-4o", as: token)
      try await box.alias("fast", "mock/gpt-4o-mini", as: token)
      let last = box.store.lastWritten
      let cases: [(String, String, Int, String)] = [
        ("revert", #"{"stream":"alias/fast","to":9}"#, 404, "not_found"),
        ("revert", #"{"stream":"alias/fats","to":1}"#, 404, "not_found"),
        ("revert", #"{"stream":"credential/x","to":1}"#, 400, "invalid_field"),
        ("revert", #"{"stream":"request","to":1}"#, 400, "invalid_field"),
        ("revert", #"{"stream":"alias/fast","to":0}"#, 400, "invalid_field"),
        ("revert", #"{"stream":"alias/fast"}"#, 400, "missing_field"),
        ("revert", #"{"stream":"alias/fast","to":1,"plann":true}"#, 400, "unknown_field"),
        ("restore", #"{"at":"yesterday"}"#, 400, "invalid_field"),
        ("restore", #"{"at":"1000000"}"#, 404, "not_found"),
        ("restore", #"{"at":"1999-01-01T00:00:00Z"}"#, 404, "not_found"),
        ("restore", #"{"at":"1","effectSeconds":61,"plan":true}"#, 400, "invalid_field"),
      ]
      for (verb, body, status, code) in cases {
        let reply = try await box.call(.post, "/api/config/\(verb)", body, as: token)
        #expect(reply.status == status, "\(body): \(reply.text)")
        #expect(reply.code == code, "\(body): \(reply.text)")
        #expect(try await box.call(.post, "/api/config/\(verb)", body).status == 401)
      }
      #expect(box.store.lastWritten == last)
      // Its old target is gone by now: refused, unless that is allowed.
      _ = try await box.call(
        .put, "/api/provider-nodes/mock", #"{"models":[{"name":"gpt-4o-mini"}]}"#, as: token)
      let gone = #"{"stream":"alias/fast","to":1"#
      let refused = try await box.call(.post, "/api/config/revert", gone + "}", as: token)
      #expect(refused.status == 400)
      #expect(refused.code == "unknown_target", "\(refused.text)")
      let allowed = try await box.call(
        .post, "/api/config/revert", gone + #","allowUnresolved":true}"#, as: token)
      #expect(allowed.status == 200, "\(allowed.text)")
      #expect(box.control.state.aliases["fast"]?.isUnresolved == true)
    }
  }

  @Test func `an effect asks what requests would meet from now on, and at the door first`()
    async throws
  {
    try await TestBox.prepared { box, token in
      _ = try await box.call(.patch, "/api/settings", #"{"requireApiKey":false}"#, as: token)
      let account = try #require(box.control.state.accounts.keys.first)
      _ = try await box.call(
        .put, "/api/providers/\(account.rawValue)",
        "{\"rateLimitedUntil\":\"\(rfc3339(UnixNanoseconds(box.clock.now.rawValue + 2_000_000_000)))\"}",
        as: token)
      try box.request("mock/gpt-4o", to: account)
      // The cooldown is over: nothing keeps the request from the account any more.
      box.clock.advance(seconds: 3)
      let now = box.clock.now
      let state = box.control.state
      func effect(_ commands: [Command]) throws -> JSONValue {
        try JSONValue(
          Replay.effect(
            of: state.after(commands), on: state, in: box.store.reader,
            since: UnixNanoseconds(now.rawValue - 60_000_000_000), now: now
          ) { false })
      }
      let priority = try effect([.account(.change(.init(id: account, priority: 9)))])
      #expect(priority["looked"]?.int == 1 && priority["changed"]?.int == 0)
      for (change, word) in [
        (SettingsEvent.Changed(requireAPIKey: true), "missing_api_key"),
        (SettingsEvent.Changed(maxBodyBytes: 1024), nil),
      ] {
        let found = try effect([.settings(.change(change))])
        #expect(found["changed"]?.int == (word == nil ? 0 : 1), "\(word ?? "fits")")
        if let word { #expect(found["groups"]?[0]?["to"]?["refused"]?.string == word) }
      }
    }
  }

  @Test func `an effect's look ends in time and says how far it came`() async throws {
    try await TestBox.prepared { box, token in
      // Asked without a key.
      _ = try await box.call(.patch, "/api/settings", #"{"requireApiKey":false}"#, as: token)
      try await box.alias("fast", "mock/gpt-4o", as: token)
      let account = try #require(box.control.state.accounts.keys.first)
      try box.request("fast", to: account)
      box.clock.advance(seconds: 25 * 3_600)
      let id = try box.request("fast", to: account)
      var proposed = box.control.state
      proposed = try proposed.after([.alias(.remove(name: "fast"))])
      let log = box.store.reader
      let since = UnixNanoseconds(box.clock.now.rawValue - 24 * 3_600 * 1_000_000_000)
      let whole = try JSONValue(
        Replay.effect(of: proposed, on: box.control.state, in: log, since: since, now: since) {
          false
        })
      #expect(whole["looked"]?.int == 1, "the other one is older than a day")
      #expect(whole["groups"]?[0]?["examples"] == [.string(uuidText(id.rawValue))])
      let cut = try JSONValue(
        Replay.effect(of: proposed, on: box.control.state, in: log, since: since, now: since) {
          true
        })
      #expect(cut["complete"]?.bool == false)
      #expect(cut["looked"]?.int == 0)
    }
  }
}
