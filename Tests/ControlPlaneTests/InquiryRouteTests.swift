import EventStore
import HTTPTypes
import Testing

@testable import ControlPlane

/// `/api/replay/…` reads no more of the log than a call may.
struct InquiryRouteTests {
  @Test
  func `a range longer than a call may read is refused, a shorter one of the same log is not`()
    async throws
  {
    try await TestBox.prepared(inquiryEvents: 20) { box, token in
      for index in 1...30 { try await box.alias("a\(index)", "mock/gpt-4o", as: token) }
      let last = box.store.lastWritten.rawValue
      func ask(_ query: String) async throws -> TestBox.Reply {
        try await box.call(.get, "/api/replay/\(query)", as: token)
      }
      for verb in [
        "window?", "drift?", "what-if?remove=alias/a1&",
        "bisect?predicate=errors+%3E+5%25+over+5m&",
      ] {
        for range in ["", "from=\(last - 20)", "from=\(last - 20)&to=\(last)"] {
          let reply = try await ask(verb + range)
          #expect(reply.status == 400, "\(verb)\(range)")
          #expect(reply.text.contains("which is what one call reads"), "\(reply.text)")
        }
        for range in ["from=\(last - 19)", "from=\(last - 19)&to=\(last)", "from=\(last + 5)"] {
          let reply = try await ask(verb + range)
          #expect(reply.status == 200, "\(verb)\(range): \(reply.text)")
        }
      }
      // What is looked at before the range counts too: the hour before a report, a baseline.
      for query in [
        "report", "report?from=\(last - 3)", "report?from=\(last - 3)&format=html",
        "window?from=\(last - 3)&baseline=1h",
      ] {
        let reply = try await ask(query)
        #expect(reply.status == 400, "\(query)")
        #expect(reply.text.contains("before the range, are more than 20") || query == "report")
      }
      let reply = try await ask("window?from=\(last - 3)&interval=1m&top=2")
      #expect(reply.status == 200, "\(reply.text)")
      // What a stream or a snapshot tells has no range to be bounded.
      for query in [
        "bisect?predicate=alias/a1+exists", "state", "diff?from=1", "blame?stream=alias/a1",
      ] {
        let reply = try await ask(query)
        #expect(reply.status == 200, "\(query): \(reply.text)")
      }
    }
  }
}
