import Domain
import EventStore
import Logging
import NIOCore
import Synchronization

/// Who waits until an event is in the log.
protocol RecordingWaiter: AnyObject {
  /// On the loop, once.
  func recorded(_ result: Result<AppendReceipt, StoreError>)
}

/// Hands the events of one loop's requests to the log, and wakes those who wait for them.
///
/// What is submitted on one turn of the loop is handed over at its end, all at once: the log writes and answers
/// once for it, and not for its first event and again for the others; on this very thread if it can.
final class Recorder {
  let mode: RecordingMode
  /// Events submitted and not answered yet.
  private(set) var outstanding = 0
  /// Told when `outstanding` becomes 0.
  var onIdle: () -> Void = {}

  private static let noWaiter = UInt64.max

  private let log: any RequestLog
  private let logger: Logger
  private var isFailing = false
  private let eventLoop: any EventLoop
  private let counters: DataPlaneCounters
  private var waiters: [(any RecordingWaiter)?] = []
  private var freeSlots: [Int] = []
  private var sink: RecordingSink?
  /// Submitted on this turn of the loop.
  private var gathered: [AppendRequest] = []

  init(
    mode: RecordingMode, log: any RequestLog, eventLoop: any EventLoop,
    counters: DataPlaneCounters, logger: Logger
  ) {
    self.mode = mode
    self.log = log
    self.logger = logger
    self.eventLoop = eventLoop
    self.counters = counters
  }

  /// Why the log takes nothing at present.
  var failure: StoreError? { mode == .off ? nil : log.failure }

  /// Submits an event of the `request` stream; it may be shed.
  ///
  /// `durability` nil: the mode's. `loss`: how many requests the log does not tell the end of if it is shed.
  /// Returns whether `waiter` will be told; if not (`relaxed`, `off`), there is nothing to wait for.
  func submit(
    id: EventID, kind: WireKind, time: Int64, lookupKeys: [[UInt8]], payload: [UInt8],
    durability: Durability? = nil, loss: UInt64, waiter: (any RecordingWaiter)?
  ) -> Bool {
    guard let durability = durability ?? mode.durability else { return false }
    let draft = EventDraft(
      id: id, stream: requestStream, kind: kind.rawValue, time: time, lookupKeys: lookupKeys,
      payload: payload)
    var token = Self.noWaiter
    if let waiter, mode != .relaxed { token = UInt64(slot(for: waiter)) }
    outstanding += 1
    gathered.append(
      AppendRequest(
        batch: AppendBatch(events: [draft], isSheddable: true, loss: loss),
        durability: durability, token: token))
    if gathered.count == 1 { eventLoop.assumeIsolated().execute { self.handOver() } }
    return token != Self.noWaiter
  }

  private func handOver() {
    // What is answered at once may lead to the next submission.
    var requests: [AppendRequest] = []
    swap(&requests, &gathered)
    log.submit(requests, sink: currentSink())
    requests.removeAll(keepingCapacity: true)
    if gathered.isEmpty { swap(&requests, &gathered) }
  }

  private func slot(for waiter: any RecordingWaiter) -> Int {
    if let slot = freeSlots.popLast() {
      waiters[slot] = waiter
      return slot
    }
    waiters.append(waiter)
    return waiters.count - 1
  }

  private func currentSink() -> RecordingSink {
    if let sink { return sink }
    let new = RecordingSink(NIOLoopBound(self, eventLoop: eventLoop), eventLoop)
    sink = new
    return new
  }

  /// Breaks the cycle with the sink; nothing is submitted any more.
  func close() { sink = nil }

  /// Says once when recording starts to fail and once when it works again; of a full disk and of a log
  /// that failed the log itself tells whoever opened it.
  private func note(_ result: Result<AppendReceipt, StoreError>) {
    switch result {
    case .success:
      if isFailing { logger.notice("requests are recorded again") }
      isFailing = false
    case .failure(let error):
      counters.recordingFailures.count()
      if error.code == .full || error.code == .poisoned { return }
      if !isFailing { logger.error("requests are not recorded", metadata: ["error": "\(error)"]) }
      isFailing = true
    }
  }

  fileprivate func completed(_ completions: [AppendCompletion]) {
    for completion in completions {
      outstanding -= 1
      note(completion.result)
      guard completion.token != Self.noWaiter else { continue }
      let slot = Int(completion.token)
      let waiter = waiters[slot]
      waiters[slot] = nil
      freeSlots.append(slot)
      waiter?.recorded(completion.result)
    }
    if outstanding == 0 { onIdle() }
  }
}

/// Gathers the log's answers for one loop and wakes it once for all that came meanwhile.
private final class RecordingSink: AppendSink {
  private let arrived = Mutex<[AppendCompletion]>([])
  private let recorder: NIOLoopBound<Recorder>
  private let eventLoop: any EventLoop

  init(_ recorder: NIOLoopBound<Recorder>, _ eventLoop: any EventLoop) {
    self.recorder = recorder
    self.eventLoop = eventLoop
  }

  func completed(_ completions: [AppendCompletion]) {
    if eventLoop.inEventLoop { return recorder.value.completed(completions) }
    let isFirst = arrived.withLock { list in
      let wasEmpty = list.isEmpty
      list.append(contentsOf: completions)
      return wasEmpty
    }
    guard isFirst else { return }
    eventLoop.execute {
      let batch = self.arrived.withLock { list in
        let taken = list
        list.removeAll(keepingCapacity: true)
        return taken
      }
      self.recorder.value.completed(batch)
    }
  }
}
