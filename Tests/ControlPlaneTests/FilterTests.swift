import Domain
import EventStore
import Support
import Testing
import Views

@testable import ControlPlane

/// Every filter of a list, and every two of them, against all requests of the log looked at one by one.
struct FilterTests {
  /// One filter, and what it means by a request's whole story.
  private struct Look {
    /// Filters of one name exclude each other.
    var name: String
    var change: @Sendable (inout RequestFilter) -> Void
    var admits: @Sendable (RequestStory) -> Bool
  }

  private static func accounts(_ story: RequestStory) -> [String] {
    if let fact = story.finished?.fact { return fact.attempts.map(\.account.rawValue) }
    return [story.dispatched?.fact.account?.rawValue].compactMap { $0 }
  }

  private static func models(_ story: RequestStory) -> [String] {
    guard let fact = story.finished?.fact else {
      return [story.dispatched?.fact.modelAsked].compactMap { $0 }
    }
    return [fact.modelAsked]
      + (fact.modelResolved.map { [$0, String($0.split(separator: "/")[1])] } ?? [])
  }

  private static func looks() -> [Look] {
    var looks = [
      Look(
        name: "key", change: { $0.key = KeyID("k2") },
        admits: {
          ($0.finished?.fact.key ?? $0.dispatched?.fact.key ?? $0.interrupted?.fact.key)?.rawValue
            == "k2"
        }),
      Look(
        name: "organisation", change: { $0.organisation = OrganisationID("acme") },
        admits: {
          ($0.finished?.fact.organisation ?? $0.dispatched?.fact.organisation
            ?? $0.interrupted?.fact.organisation)?.rawValue == "acme"
        }),
      Look(
        name: "status", change: { $0.status = 500...599 },
        admits: { (500...599).contains($0.finished?.fact.status ?? 0) }),
      Look(
        name: "errorClass", change: { $0.errorClass = .provider },
        admits: { $0.finished?.fact.errorClass == .provider }),
      Look(
        name: "failover", change: { $0.isFailover = true },
        admits: { ($0.finished?.fact.attempts.count ?? 0) > 1 }),
    ]
    for wanted in [["a3"], ["a1", "a2"]] {
      looks.append(
        Look(
          name: "account", change: { $0.accounts = Set(wanted.map { AccountID($0) }) },
          admits: { accounts($0).contains { wanted.contains($0) } }))
    }
    for model in ["fast", "gpt", "mock/gpt", "none"] {
      looks.append(
        Look(name: "model", change: { $0.model = model }, admits: { models($0).contains(model) }))
    }
    for outcome: RequestStory.Outcome in [
      .ended(.completed), .ended(.failed), .ended(.denied), .deliveryFailed, .interrupted,
      .inFlight,
    ] {
      looks.append(
        Look(
          name: "outcome", change: { $0.outcome = outcome }, admits: { $0.outcome == outcome }))
    }
    return looks
  }

  private func stories(_ box: TestBox) throws -> [RequestStory] {
    var stories: [RequestID: RequestStory] = [:]
    try box.store.reader.scan(from: Position(1), through: nil) { entry in
      guard case .event(let stored) = entry, stored.stream == requestStream else {
        return .continue
      }
      let told = try recorded(stored)
      let id: RequestID? =
        switch told.event {
        case .request(.dispatched(let fact)): fact.id
        case .request(.finished(let fact)): fact.id
        case .request(.interrupted(let fact)): fact.id
        case .request(.deliveryFailed(let fact)): fact.id
        case _: nil
        }
      if let id { stories[id, default: RequestStory(id: id)].apply(told) }
      return .continue
    }
    return Array(stories.values)
  }

  @Test(arguments: 1...2 as ClosedRange<UInt64>)
  func `any two filters list what both mean, once, newest first`(seed: UInt64) async throws {
    try await TestBox.with { box in
      var random = SeededRandom(seed: seed)
      var story = RandomStory(random: random, hasAccidents: true)
      let log = RequestLog(reader: box.store.reader)
      try story.append(420, to: box)
      let reading = try box.views.upToDate()
      #expect(reading.behind == 0)
      // The views do not have all of it.
      try story.append(100, to: box)
      let all = try stories(box)
      let middle = story.facts[random.int(0...story.facts.count - 1)].time
      var looks = Self.looks()
      for (name, since, until) in [
        ("since", middle, nil), ("until", nil, middle),
      ] as [(String, Int64?, Int64?)] {
        looks.append(
          Look(
            name: name,
            change: {
              $0.since = since.map { UnixNanoseconds($0) } ?? $0.since
              $0.until = until.map { UnixNanoseconds($0) } ?? $0.until
            }, admits: { _ in true }))
      }
      var found = 0
      for (number, first) in looks.enumerated() {
        for (other, second) in looks.enumerated()
        where other == number || other > number && second.name != first.name {
          var filter = RequestFilter()
          first.change(&filter)
          second.change(&filter)
          let isOfDeliveries = filter.outcome == .deliveryFailed
          let expected = all.compactMap { story -> (UInt64, RequestID)? in
            guard first.admits(story), second.admits(story) else { return nil }
            let places = [
              isOfDeliveries ? story.deliveryFailed.map { ($0.position, $0.time.rawValue) } : nil,
              story.finished.map { ($0.position, $0.time.rawValue) },
              story.interrupted.map { ($0.position, $0.time.rawValue) },
              story.dispatched.map { ($0.position, $0.time.rawValue) },
            ]
            guard let (position, time) = places.compactMap({ $0 }).first,
              time >= filter.since?.rawValue ?? .min, time < filter.until?.rawValue ?? .max
            else { return nil }
            return (position, story.id)
          }.sorted { $0.0 > $1.0 }.map(\.1)
          for hasViews in other == number ? [true, false] : [true] {
            var listed: [RequestID] = []
            var before: UInt64?
            repeat {
              let page = try log.list(
                filter, marks: hasViews ? filter.marks : [], before: before,
                limit: random.int(10...300), views: hasViews ? reading : nil)
              #expect(page.isComplete)
              listed += page.entries.map(\.story.id)
              before = page.next
            } while before != nil
            let isSame = listed == expected
            #expect(
              isSame,
              "seed \(seed), \(filter): \(listed.count) of \(expected.count), missing \(Set(expected).subtracting(listed).count)"
            )
          }
          found += expected.count
        }
      }
      // The log has some of everything.
      #expect(found > 2_500, "seed \(seed): \(found)")
      for look in looks where look.name != "model" {
        #expect(all.contains { look.admits($0) }, "seed \(seed): \(look.name)")
      }
    }
  }
}
