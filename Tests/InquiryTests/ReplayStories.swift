import Domain
import EventStore
import Inquiry
import Testing

/// Bugs that other projections and replayers had, each as a test of these.
@Suite("stories: replay") struct ReplayStories {
  // kurrent-io/KurrentDB #1517: a checkpoint without state was written while nothing happened, and the state was gone
  // with the next start.
  @Test
  func `story 12: an idle projection's snapshot holds its state, and one without state is none`()
    throws
  {
    let log = try TestLog.story()
    let whole = try Replay.state(log.reader(), at: nil, now: TestLog.now)
    func check(_ ignored: Int) throws {
      let found = try Replay.state(log.reader(), at: nil, now: TestLog.now)
      #expect(found.state == whole.state && found.text == whole.text)
      #expect(try Replay.ignoredSnapshots(in: log.reader()).count == ignored)
    }
    // Starts and stops without a single event between them.
    for _ in 0..<3 {
      try log.makeSnapshots(at: [log.last])
      try log.close()
      try check(0)
      try log.open()
      try check(0)
    }
    try log.close()
    let store = try EventStore.open(directory: log.directory, options: StoreOptions())
    let files = SnapshotFiles(
      of: store.reader, projector: GatewayProjection.name, version: GatewayProjection.version)
    try files.write([], at: Position(log.last))
    try store.close()
    try check(1)
    try log.open()
    try check(1)
  }

  // temporalio/sdk-go #983, #876, #978, #1670: a replayer that did not notice a changed decision, and one that found
  // fault with a history that ended in the middle of a task.
  @Test(arguments: DecisionTests.mutations.indices)
  func `story 26: a changed decision is found in every window that holds it, and in no other`(
    _ mutation: Int
  ) throws {
    let log = try TestLog()
    try TestLog.provision(log)
    let changed = UInt64(3 + mutation % 3)
    var place: UInt64 = 0
    for number in UInt64(1)...6 {
      // Some are still under way where a window ends.
      try log.append(
        .request(
          .dispatched(
            .init(
              id: TestLog.request(number), clientRequestID: nil, organisation: nil, key: nil,
              operation: .chatCompletions, modelAsked: "m", receivedAt: UnixNanoseconds(log.time),
              account: nil))))
      var finished = try log.finished(number, "m", [.limited, .ok])
      if number == changed { DecisionTests.mutations[mutation](&finished) }
      try log.append(.request(.finished(finished)))
      if number == changed { place = log.last }
    }
    let reader = try log.reader()
    let all = try Replay.verify(reader, now: TestLog.now)
    #expect(all.differing >= 1 && all.exitCode == .differs)
    #expect(Set(all.differences.map(\.request)) == [uuidText(TestLog.request(changed).rawValue)])
    for first in 1...log.last {
      for last in first...log.last {
        let verdict = try Replay.verify(
          reader, from: .position(first, epoch: nil), to: .position(last, epoch: nil),
          now: TestLog.now)
        let holds = (first...last).contains(place)
        #expect(verdict.exitCode == (holds ? .differs : .same), "\(first)…\(last)")
      }
    }
  }
}
