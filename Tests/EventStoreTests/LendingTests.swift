import Glibc
import Support
import Synchronization
import Testing

@testable import EventStore

/// Threads that write their own appends while the log's writer sleeps.
struct LendingTests {
  @Test(arguments: DiskKind.allCases)
  func whoeverComesWhileNobodyWritesIsAnsweredAtOnceAndReadByAll(kind: DiskKind) throws {
    let (disk, directory) = try kind.make()
    let store = try EventStore.small(disk, directory)
    let tally = Tally()
    var (number, lent) = (UInt64(0), 0)
    while lent < 20, number < 100_000 {
      number += 1
      let before = tally.answers.count
      store.submit([request(number)], sink: tally)
      if tally.answers.count > before { lent += 1 }
      tally.wait(for: 1)
      #expect(
        try store.reader.event(at: Position(number)).map { isSame($0, draft(number)) } == true)
    }
    #expect(lent == 20, "of \(number) appends only \(lent) were written by their own thread")
    // The writer's own thread goes on where another one ended.
    #expect(
      try store.appendAndWait(batch(number + 1), durability: .durable).last == Position(number + 1))
    try store.close()
    let again = try EventStore.small(disk, directory)
    #expect(again.report.previousStopWasClean && again.report.last == Position(number + 1))
    try again.close()
  }

  @Test func whatOneThreadSubmitsKeepsItsOrderHoweverItIsWritten() throws {
    for seed in UInt64(1)...6 {
      let (disk, directory) = try DiskKind.posix.make()
      let store = try EventStore.small(disk, directory, segmentBytes: 64 << 10)
      let authors = (0..<4).map { _ in Tally() }
      let workers = try authors.enumerated().map { number, tally in
        try StoreThread(name: "author") {
          var random = SeededRandom(seed: seed << 8 | UInt64(number))
          var next = UInt64(number) * 10_000 + 1
          var asked = 0
          for _ in 0..<300 {
            let requests = (0..<random.int(1...4)).map { _ -> AppendRequest in
              defer { next += 1 }
              return request(next, durability: random.oneIn(20) ? .durable : .written)
            }
            if random.oneIn(5) {
              for each in requests {
                store.submit(
                  each.batch, durability: each.durability, sink: tally, token: each.token)
              }
            } else {
              store.submit(requests, sink: tally)
            }
            asked += requests.count
            // Now and then all that was asked for is awaited, as a loop without work does.
            if random.oneIn(3) {
              tally.wait(for: asked)
              asked = 0
            }
          }
          tally.wait(for: asked)
        }
      }
      for worker in workers { worker.join() }
      var places: Set<Position> = []
      for tally in authors {
        let receipts = try tally.answers.map { (token: $0.token, at: try $0.result.get().first) }
        #expect(Set(receipts.map(\.token)).count == receipts.count, "seed \(seed)")
        let inOrder = receipts.sorted { $0.token < $1.token }
        #expect(zip(inOrder, inOrder.dropFirst()).allSatisfy { $0.at < $1.at }, "seed \(seed)")
        places.formUnion(receipts.map(\.at))
        for (token, place) in receipts {
          let event = try #require(try store.reader.event(at: place))
          #expect(event.id == draft(token).id, "seed \(seed)")
        }
      }
      #expect(places.count == Int(store.lastWritten.rawValue), "seed \(seed)")
      try store.close()
      #expect(
        try everything(LogReader(disk: disk, directory: directory)).events.count == places.count)
    }
  }

  @Test func aFullDiskThatALentWriterMeetsIsDealtWithAsByItsOwnThread() throws {
    let box = try ShortBox()
    let tally = Tally()
    var number: UInt64 = 0
    var isLent = false
    while !isLent, number < 100_000 {
      number += 1
      let before = tally.answers.count
      box.store.submit([request(number)], sink: tally)
      isLent = tally.answers.count > before
      tally.wait(for: 1)
      // The writer sleeps again after it lent itself, and takes nothing that is not submitted.
      guard isLent else { continue }
      box.disk.fill()
      box.store.submit(
        [AppendRequest(batch: outcome(number + 1), durability: .written, token: number + 1)],
        sink: tally)
      tally.wait(for: 1)
    }
    #expect(isLent)
    let refusal = try #require(tally.answers.last)
    #expect(code { _ = try refusal.result.get() } == .full)
    #expect(box.shortage?.shed == 1 && box.shortage?.opened != nil)
    box.disk.capacity = nil
    box.disk.pass(milliseconds: 1_000)
    _ = try box.store.appendAndWait(outcome(number + 2), durability: .durable)
    #expect(box.store.state == .working)
    #expect(try box.gaps().map(\.count) == [1])
    try box.store.close()
  }

  @Test func anAnswerMayLeadToTheNextAppend() throws {
    let (disk, directory) = try DiskKind.simulated.make()
    let store = try EventStore.small(disk, directory)
    let done = Tally()
    let chain = Chain(store, last: 500, done)
    store.submit([request(1)], sink: chain)
    done.wait(for: 1)
    #expect(store.lastWritten == Position(501))
    try store.close()
  }

  @Test func closingWaitsForALentWriter() throws {
    for seed in UInt64(1)...20 {
      let (disk, directory) = try DiskKind.simulated.make()
      let store = try EventStore.small(disk, directory)
      let tally = Tally()
      let author = try StoreThread(name: "author") {
        for number in UInt64(1)...200 { store.submit([request(number)], sink: tally) }
      }
      if seed.isMultiple(of: 2) { tally.wait(for: Int(seed)) }
      try store.close()
      author.join()
      let written = tally.answers.count { (try? $0.result.get()) != nil }
      #expect(tally.answers.count == 200)
      // The refusals of later ones may be heard before the answers to earlier ones.
      let inOrder = tally.answers.sorted { $0.token < $1.token }
      for answer in inOrder.dropFirst(written) {
        #expect(code { _ = try answer.result.get() } == .closed, "seed \(seed)")
      }
      #expect(try everything(LogReader(disk: disk, directory: directory)).events.count == written)
    }
  }
}

private func request(_ number: UInt64, durability: Durability = .written) -> AppendRequest {
  AppendRequest(batch: batch(number), durability: durability, token: number)
}

/// Submits the next append when it gets the answer to one.
private final class Chain: AppendSink {
  private let store: EventStore
  private let last: UInt64
  private let done: Tally

  init(_ store: EventStore, last: UInt64, _ done: Tally) {
    self.store = store
    self.last = last
    self.done = done
  }

  func completed(_ completions: [AppendCompletion]) {
    for completion in completions {
      guard completion.token <= last else {
        done.completed([completion])
        continue
      }
      store.submit([request(completion.token + 1)], sink: self)
    }
  }
}
