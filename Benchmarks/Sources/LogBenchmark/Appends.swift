import Domain
import EventStore
import Synchronization

/// The store as the gateway opens it.
func openStore(_ directory: String, segmentBytes: Int = 64 << 20) throws -> EventStore {
  try EventStore.open(
    directory: directory,
    options: StoreOptions(segmentBytes: segmentBytes, dictionary: compressionDictionary()))
}

/// What a timed slice did.
struct AppendFigures {
  var events: Int
  var seconds: Double
  /// Of processor time, in all threads.
  var processorSeconds: Double
  /// From the call to the answer, one a batch.
  var answers: Timings
}

/// Callers that each append their next batch as soon as the last one is durable.
///
/// The batches are made before the clock starts; the slice ends after `limit` seconds or with the last batch.
enum Appends {
  static func run(
    directory: String, style: String, callers: Int, batches: [AppendBatch], limit: Double
  ) async throws -> AppendFigures {
    let store = try openStore(directory)
    let figures: AppendFigures
    switch style {
    case "tasks": figures = try await tasks(store, callers, batches, limit)
    case "sink": figures = try await ClosedLoop(store, callers, batches, limit).run()
    default: throw Failure("--style is tasks or sink, not \(style)")
    }
    guard store.lastDurable.rawValue == UInt64(figures.events) else {
      throw Failure("\(figures.events) events were answered, \(store.lastDurable) are durable")
    }
    try store.close()
    return figures
  }

  /// One task a caller, suspended while its append is under way.
  private static func tasks(
    _ store: EventStore, _ callers: Int, _ batches: [AppendBatch], _ limit: Double
  ) async throws -> AppendFigures {
    let before = processorSeconds()
    let began = monotonic()
    let end = began + Int64(limit * 1e9)
    return try await withThrowingTaskGroup(of: (Int, [Int64]).self) { group in
      for caller in 0..<callers {
        group.addTask {
          var events = 0
          var times: [Int64] = []
          for number in stride(from: caller, to: batches.count, by: callers) {
            let start = monotonic()
            if start >= end { break }
            _ = try await store.append(batches[number], durability: .durable)
            times.append(monotonic() - start)
            events += batches[number].events.count
          }
          return (events, times)
        }
      }
      var events = 0
      var times: [Int64] = []
      for try await (count, some) in group {
        events += count
        times += some
      }
      return AppendFigures(
        events: events, seconds: seconds(since: began),
        processorSeconds: processorSeconds() - before, answers: Timings(times))
    }
  }
}

/// A fixed number of batches under way, each answer submitting the next: how the gateway's event loops append.
private final class ClosedLoop: AppendSink {
  private let store: EventStore
  private let callers: Int
  private let batches: [AppendBatch]
  private let limit: Double
  private let state: Mutex<State>

  private struct State {
    var next = 0
    var underWay = 0
    var events = 0
    var end: Int64 = 0
    var started: [Int64]
    var times: [Int64] = []
    var failure: StoreError?
    var whoWaits: CheckedContinuation<Void, Never>?
  }

  init(_ store: EventStore, _ callers: Int, _ batches: [AppendBatch], _ limit: Double) {
    self.store = store
    self.callers = callers
    self.batches = batches
    self.limit = limit
    state = Mutex(State(started: [Int64](repeating: 0, count: batches.count)))
  }

  func run() async throws -> AppendFigures {
    let before = processorSeconds()
    let began = monotonic()
    await withCheckedContinuation { continuation in
      state.withLock { state in
        state.end = began + Int64(limit * 1e9)
        state.whoWaits = continuation
      }
      for number in take(callers) { submit(number) }
    }
    let took = seconds(since: began)
    let processor = processorSeconds() - before
    return try state.withLock { state in
      if let failure = state.failure { throw failure }
      return AppendFigures(
        events: state.events, seconds: took, processorSeconds: processor,
        answers: Timings(state.times))
    }
  }

  /// The next `count` batches, fewer at the end.
  private func take(_ count: Int) -> Range<Int> {
    state.withLock { state in
      let now = monotonic()
      let last = now < state.end ? min(state.next + count, batches.count) : state.next
      let taken = state.next..<last
      for number in taken { state.started[number] = now }
      state.next = last
      state.underWay += taken.count
      return taken
    }
  }

  private func submit(_ number: Int) {
    store.submit(batches[number], durability: .durable, sink: self, token: UInt64(number))
  }

  func completed(_ completions: [AppendCompletion]) {
    let now = monotonic()
    state.withLock { state in
      for completion in completions {
        let number = Int(completion.token)
        state.times.append(now - state.started[number])
        switch completion.result {
        case .success: state.events += batches[number].events.count
        case .failure(let error):
          state.failure = error
          state.end = 0
        }
      }
    }
    for number in take(completions.count) { submit(number) }
    let done = state.withLock { state in
      state.underWay -= completions.count
      return state.underWay == 0 ? state.whoWaits : nil
    }
    done?.resume()
  }
}
