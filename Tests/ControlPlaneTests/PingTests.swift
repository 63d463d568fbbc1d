import Dispatch
import EventStore
import HTTPTypes
import Surface
import Testing

@testable import ControlPlane

struct PingTests {
  @Test func `two hundred pings at once are all answered, beside lists that take long`()
    async throws
  {
    try await TestBox.prepared { box, _ in
      let gate = DispatchSemaphore(value: 0)
      // Lists and sums wait for this one, as behind a slow disk.
      async let slow: Void = box.responder.service.reads.run { gate.wait() }
      while box.responder.service.reads.count == 0 { await Task.yield() }
      let replies = try await withThrowingTaskGroup(of: TestBox.Reply.self) { group in
        for _ in 0..<200 { group.addTask { try await box.call(.get, "/api/health/ping") } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      gate.signal()
      try await slow
      #expect(replies.count == 200)
      let place = "\(box.store.epoch):\(box.store.lastWritten)"
      for reply in replies {
        #expect(reply.status == 200, "\(reply.text)")
        #expect(reply.json["views"]?.string == "ok" && reply.json["position"]?.string == place)
      }
    }
  }

  @Test func `a ping that finds no place is told so, and not that the log cannot be read`()
    async throws
  {
    try await TestBox.with { box in
      let desk = PingDesk(store: box.store, keeper: box.views, limit: 0)
      await #expect(throws: PingDesk.Full.self) { try await desk.touch() }
      let other = PingDesk(store: box.store, keeper: nil)
      let touch = try await other.touch()
      #expect(touch.hasLog && touch.views == .missing && touch.position == box.store.lastWritten)
    }
  }
}
