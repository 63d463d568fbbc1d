import Domain
import EventStore
import HTTPTypes
import NIOCore
import Surface
import Testing

@testable import ControlPlane

/// `/api/events` gives what the log has: by pages in both directions, narrowed, and as it grows.
struct EventTests {
  /// The list's events, page by page in one direction.
  private func all(
    _ box: TestBox, _ query: String, limit: Int, ascending: Bool, as token: String
  ) async throws -> [JSONValue] {
    var events: [JSONValue] = []
    var cursor = ascending ? "&after=0" : ""
    while true {
      let page = try await box.call(
        .get, "/api/events?limit=\(limit)\(query)\(cursor)", as: token)
      guard page.status == 200 else { throw Unexpected(page.text) }
      let found = page.json["events"]?.array ?? []
      #expect(found.count <= limit)
      #expect(page.json["gaps"]?.array == [])
      events += found
      guard let next = page.json["next"]?.string else { break }
      #expect(page.json["scannedTo"]?.string == next)
      cursor = "&\(ascending ? "after" : "before")=\(next)"
    }
    return events
  }

  private func positions(_ events: [JSONValue]) -> [UInt64] {
    events.compactMap { $0["at"]?.string?.split(separator: ":").last.flatMap { UInt64($0) } }
  }

  @Test func `pages in both directions hold every event once`() async throws {
    try await TestBox.prepared { box, token in
      for index in 1...20 { try await box.alias("a\(index)", "mock/gpt-4o", as: token) }
      let every = (1...box.store.lastWritten.rawValue).map { $0 }
      for limit in [1, 7, 1000] {
        let forwards = try await all(box, "", limit: limit, ascending: true, as: token)
        #expect(positions(forwards) == every)
        let backwards = try await all(box, "", limit: limit, ascending: false, as: token)
        #expect(positions(backwards) == every.reversed())
      }
    }
  }

  @Test func `filters admit what the log says, alone and together`() async throws {
    try await TestBox.prepared { box, token in
      for index in 1...5 {
        box.clock.advance(seconds: 60)
        try await box.alias("a\(index % 2)", "mock/gpt-4o", as: token)
        try await box.alias("a\(index % 2)", "mock/gpt-4o-mini", as: token)
      }
      let whole = try await all(box, "", limit: 1000, ascending: true, as: token)
      let third = whole.filter { $0["kind"]?.string == "alias.set.v1" }[4]
      let time = try #require(third["time"]?.string)
      let request = try #require(third["provenance"]?["correlation"]?.string)
      let cases: [(query: String, admits: (JSONValue) -> Bool)] = [
        ("&type=alias", { $0["kind"]?.string?.hasPrefix("alias.") == true }),
        ("&type=alias.", { $0["kind"]?.string?.hasPrefix("alias.") == true }),
        ("&type=alias.set.v1", { $0["kind"]?.string == "alias.set.v1" }),
        ("&type=ali", { _ in false }),
        ("&stream=alias/a1", { $0["stream"]?.string == "alias/a1" }),
        ("&stream=alias/a", { _ in false }),
        ("&actor=admin", { $0["provenance"]?["actor"]?.string == "admin" }),
        (
          "&actor=admin&type=account",
          {
            $0["kind"]?.string?.hasPrefix("account.") == true
              && $0["provenance"]?["actor"]?.string == "admin"
          }
        ),
        ("&from=\(time)", { ($0["time"]?.string ?? "") >= time }),
        ("&to=\(time)", { ($0["time"]?.string ?? "") < time }),
        (
          "&stream=alias/a1&from=\(time)",
          { $0["stream"]?.string == "alias/a1" && ($0["time"]?.string ?? "") >= time }
        ),
        (
          "&requestId=\(request)",
          { $0["provenance"]?["correlation"]?.string == request }
        ),
      ]
      for (query, admits) in cases {
        let expected = positions(whole.filter(admits))
        if !query.hasSuffix("ali"), !query.hasSuffix("alias/a") { #expect(!expected.isEmpty) }
        for limit in [1, 3, 1000] {
          let forwards = try await all(box, query, limit: limit, ascending: true, as: token)
          #expect(positions(forwards) == expected, "\(query)")
          let backwards = try await all(box, query, limit: limit, ascending: false, as: token)
          #expect(positions(backwards) == expected.reversed(), "\(query)")
        }
      }
    }
  }

  @Test func `a request's events are found by either of its ids`() async throws {
    try await TestBox.prepared { box, token in
      let id: UInt128 = 0x0199 << 112 | 7 << 76 | 5
      let events: [Event] = [
        .request(
          .dispatched(
            RequestEvent.Dispatched(
              id: RequestID(id), clientRequestID: "mine", organisation: OrganisationID("acme"),
              key: KeyID("k1"), operation: .chatCompletions, modelAsked: "fast",
              receivedAt: box.clock.now, account: AccountID("acc-1")))),
        .request(
          .deliveryFailed(RequestEvent.DeliveryFailed(id: RequestID(id), errorCode: "reset"))),
      ]
      for event in events {
        try await box.alias("between", "mock/gpt-4o", as: token)
        let draft = EventDraft(
          id: EventID(box.clock.edge.mintID()), stream: event.stream, kind: event.kind,
          time: box.clock.now.rawValue, lookupKeys: event.lookupKeys,
          payload: encode(event, .system))
        _ = try box.store.appendAndWait(AppendBatch(events: [draft]), durability: .durable)
      }
      for name in ["mine", uuidText(id)] {
        let found = try await all(box, "&requestId=\(name)", limit: 1, ascending: true, as: token)
        #expect(
          found.map { $0["kind"]?.string } == [
            "request.dispatched.v1", "request.delivery_failed.v1",
          ])
      }
      let narrowed = try await all(
        box, "&requestId=mine&type=request.dispatched", limit: 9, ascending: false, as: token)
      #expect(narrowed.count == 1)
    }
  }

  @Test func `what names no place or contradicts itself is refused`() async throws {
    try await TestBox.prepared { box, token in
      let epoch = box.store.epoch
      for (query, status, code) in [
        ("after=x", 400, "invalid_field"), ("before=-15m", 400, "invalid_field"),
        ("after=1&before=2", 400, "invalid_field"), ("after=999999", 404, "not_found"),
        ("after=77:2", 404, "not_found"), ("limit=1001", 400, "invalid_field"),
        ("follow=true&limit=5", 400, "invalid_field"), ("kind=x", 400, "unsupported_parameter"),
        // Whoever asks here cannot take a stream.
        ("follow=true", 400, "invalid_field"),
      ] {
        let reply = try await box.call(.get, "/api/events?\(query)", as: token)
        #expect(reply.status == status, "\(query): \(reply.text)")
        #expect(reply.code == code, "\(query): \(reply.text)")
      }
      #expect(try await box.call(.get, "/api/events?after=\(epoch):2", as: token).status == 200)
      #expect(try await box.call(.get, "/api/events").status == 401)
    }
  }

  // MARK: Following

  /// Reads frames until `count` events came.
  private func read(_ count: Int, of stream: AdminStream) async -> [(id: String, kind: String)] {
    var found: [(id: String, kind: String)] = []
    while found.count < count, let piece = await stream.next() {
      let text = String(decoding: Array(piece.readableBytesView), as: UTF8.self)
      for frame in text.split(separator: "\n\n") {
        let lines = frame.split(separator: "\n")
        guard let kind = lines.first(where: { $0.hasPrefix("event: ") }),
          let id = lines.first(where: { $0.hasPrefix("id: ") })
        else { continue }
        found.append((String(id.dropFirst(4)), String(kind.dropFirst(7))))
      }
    }
    return found
  }

  @Test(.timeLimit(.minutes(1)))
  func `a follower gets what comes, and goes on where it was without loss or repeat`() async throws
  {
    try await TestBox.prepared { box, token in
      let first = box.store.lastWritten.rawValue + 1
      let stream = try #require(
        try await box.follow(
          "/api/events", as: token, headers: [("accept", "text/event-stream")]))
      for index in 1...3 { try await box.alias("a\(index)", "mock/gpt-4o", as: token) }
      var seen = await read(3, of: stream)
      for index in 4...6 { try await box.alias("a\(index)", "mock/gpt-4o", as: token) }
      let again = try #require(
        try await box.follow(
          "/api/events?follow=true&after=1", as: token,
          headers: [("last-event-id", seen.last?.id ?? "")]))
      seen += await read(3, of: again)
      #expect(
        seen.map(\.id) == (first..<first + 6).map { "\(box.store.epoch):\($0)" })
      #expect(seen.map(\.kind) == Array(repeating: "alias.set.v1", count: 6))
      // Everything there is, from the beginning.
      let old = try #require(try await box.follow("/api/events?follow=true&after=0", as: token))
      let all = await read(Int(first + 5), of: old)
      #expect(all.map(\.id) == (1..<first + 6).map { "\(box.store.epoch):\($0)" })
      // An id of an event that is not in the log any more.
      #expect(
        try await box.follow(
          "/api/events?follow=true", as: token, headers: [("last-event-id", "99:1")]) == nil)
    }
  }

  @Test(.timeLimit(.minutes(1)))
  func `a follower hears that all is well, and where it is though nothing was for it`() async throws
  {
    try await withDirectory { directory in
      let box = try await TestBox.open(directory, heartbeat: .milliseconds(1))
      let token = try await box.signIn()
      let stream = try #require(
        try await box.follow("/api/events?follow=true&type=combo", as: token))
      _ = await stream.next()
      _ = try await box.call(.patch, "/api/settings", #"{"requireApiKey":false}"#, as: token)
      let wanted = "id: \(box.store.epoch):\(box.store.lastWritten)\n"
      var heard = ""
      while !heard.contains(wanted), let piece = await stream.next() {
        let text = String(decoding: Array(piece.readableBytesView), as: UTF8.self)
        #expect(text.hasPrefix(": heartbeat\n"))
        #expect(!text.contains("data:"))
        heard = text
      }
      #expect(heard.contains(wanted))
      try box.store.close()
    }
  }

  @Test func `there are as many followers as may be, and a place that was left is free`()
    async throws
  {
    try await TestBox.prepared { box, token in
      var streams: [AdminStream?] = []
      for _ in 1...Followers.limit {
        streams.append(try await box.follow("/api/events?follow=true", as: token))
      }
      #expect(streams.allSatisfy { $0 != nil })
      #expect(try await box.follow("/api/events?follow=true", as: token) == nil)
      #expect(box.everythingSaid.last?.contains(#""code":"overloaded""#) == true)
      streams.removeLast()
      #expect(try await box.follow("/api/events?follow=true", as: token) != nil)
    }
  }

  @Test func `no answer holds a secret`() async throws {
    try await TestBox.prepared { box, token in
      _ = try await all(box, "", limit: 1000, ascending: false, as: token)
      let stream = try #require(try await box.follow("/api/events?follow=true&after=0", as: token))
      _ = await stream.next()
      let piece = try #require(await stream.next())
      let text = String(decoding: Array(piece.readableBytesView), as: UTF8.self)
      let key = try #require(box.made.clientKey)
      let secrets = ["sk-upstream-1", String(decoding: key.bytes, as: UTF8.self), TestBox.password]
      #expect(text.contains("credential.issued.v1"))
      for secret in secrets {
        #expect(!text.contains(secret))
        #expect(!box.everythingSaid.contains { $0.contains(secret) })
      }
    }
  }
}
