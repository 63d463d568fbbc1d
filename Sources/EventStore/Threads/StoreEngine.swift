internal import Synchronization

/// The two threads of an open store and what they share.
///
/// The *writer* takes what was submitted, decides, and writes groups: at once if a `written` append
/// waits; while a sync is in flight `durable` appends gather, and a moment longer if it answered more of
/// them than are there again; `queued` ones may linger 5 ms. The *syncer* does nothing but `fdatasync`, so
/// that a `written` append never waits behind one, and answers the `durable` ones that it covered. A thread
/// that brings `written` appends while the writer sleeps is lent the writer (StoreEngine+Lending.swift).
final class StoreEngine: Sendable {
  struct Submission {
    var batch: PreparedBatch
    var durability: Durability
    var sink: any AppendSink
    var token: UInt64
    /// `queued`, and its author knows the place.
    var isAnswered = false
  }

  /// A batch that is in the group or in the file, and is not yet answered.
  struct Waiting {
    var last: UInt64
    var sink: any AppendSink
    var token: UInt64
    var receipt: AppendReceipt

    init(_ submission: Submission, _ receipt: AppendReceipt) {
      last = receipt.last.rawValue
      sink = submission.sink
      token = submission.token
      self.receipt = receipt
    }
  }

  struct Queue {
    var incoming: [Submission] = []
    var events = 0
    var bytes = 0
    /// The writer sleeps (or is about to): whoever brings work wakes it.
    var isIdle = false
    /// Another thread writes in the writer's place; it wakes the writer if that has work then.
    var isLent = false
    /// How many `durable` submissions wake it.
    var wakeCount = 1
    /// It sleeps with a group that is not written.
    var isGroupWaiting = false
    var isClosing = false
    /// From the request of an urgent sync to its end.
    var isSyncing = false
    /// How many appends there may soon be for one sync: those that the last one answered, whose authors
    /// are likely to come again, and those that waited meanwhile.
    ///
    /// One sync for all of them costs less than one for the first and one for the others.
    var expected = 0
    /// How long they are waited for.
    var gatherUntil = Int64.min
    /// Appends in the group.
    var grouped = 0
    /// So many syncs end without anybody being waited for; after each vain wait twice as many.
    var hurried = 0
    var vainWaits = 0
    var isFlushWanted = false
    /// What is synced and followed by nothing is to be witnessed in the segment.
    var isWitnessWanted = false
    var flushWaiters: [Signal] = []

    /// Whether what came while the writer sleeps is enough for it: single events go together.
    var isWorthWaking: Bool {
      incoming.count >= wakeCount || events >= Limits.eventsWorthWaking
    }

    /// Whether a group of `count` appends may become greater without being late.
    func isGathering(_ count: Int, _ now: Int64) -> Bool {
      isSyncing || count < expected && now < gatherUntil
    }

    /// Notes at the end of a sync that `answered` authors may come again, until `deadline`.
    mutating func expect(_ answered: Int, until deadline: Int64) {
      hurried -= hurried > 0 ? 1 : 0
      expected = hurried > 0 ? 0 : answered + grouped + incoming.count
      gatherUntil = deadline
    }

    /// Notes that a group of `count` appends is written.
    mutating func noteGathered(_ count: Int) {
      guard expected > 0 else { return }
      vainWaits = count >= expected ? 0 : min(vainWaits + 1, 6)
      hurried = vainWaits == 0 ? 0 : 1 << vainWaits
      expected = 0
    }
  }

  let disk: any Disk
  private let files: StoreFiles
  let index: LogIndex
  let options: StoreOptions
  /// `nonisolated(unsafe)`: used by the writer's thread while that is awake, by the thread that it is lent to
  /// (both as `queue` says), and by whoever closes once the writer's thread ended.
  nonisolated(unsafe) let writer: LogWriter
  let queue = Mutex(Queue())
  let writerWake = Signal()
  let syncing = Mutex(Syncing())
  let syncerWake = Signal()
  /// Held during `fdatasync` of a segment: the kernel reports a lost write once per descriptor.
  let syncGate = Mutex<Void>(())
  /// A write of the same file might have to wait now.
  let isFileSyncing = Atomic<Bool>(false)
  private let manifest: Mutex<Manifest>
  private let failed = Mutex<StoreError?>(nil)
  let isPoisoned = Latch()
  /// Space for what may not be shed; the rest of this is in StoreEngine+Shortage.swift.
  let reserve: SpaceReserve
  /// Changed by the writer's thread only.
  let shortage: Mutex<Shortage?>
  /// Whether there is a shortage.
  let isShort: Atomic<Bool>
  let durable: Atomic<UInt64>
  let figures = Mutex(StoreFigures())
  private let currentEpoch: Atomic<UInt64>
  /// Answered and visible to nobody yet: the last `queued` position that is not written.
  private let unwrittenAnswers = Atomic<Bool>(false)

  init(
    disk: any Disk, directory: String, index: LogIndex, manifest: Manifest, options: StoreOptions,
    reserve: SpaceReserve, shortage: StoreError?, writer: LogWriter
  ) {
    self.disk = disk
    files = StoreFiles(disk: disk, directory: directory)
    self.index = index
    self.options = options
    self.reserve = reserve
    self.writer = writer
    self.shortage = Mutex(shortage.map { Shortage(cause: $0) })
    isShort = Atomic(shortage != nil)
    durable = Atomic(manifest.synced)
    currentEpoch = Atomic(manifest.epoch)
    self.manifest = Mutex(manifest)
  }

  var lastDurable: UInt64 { durable.load(ordering: .acquiring) }
  var epoch: UInt64 { currentEpoch.load(ordering: .acquiring) }
  var failure: StoreError? {
    failed.withLock { $0 } ?? shortage.withLock { $0?.cause }
  }
  var state: StoreState {
    if let error = failed.withLock({ $0 }) { return .poisoned(error) }
    return shortage.withLock { $0.map { .shedding($0.shown) } ?? .working }
  }

  // MARK: Submitting

  func submit(_ submission: Submission) {
    let count = submission.batch.events.count
    let bytes = submission.batch.size
    let (refusal, isWaking) = queue.withLock { queue -> (StoreError?, Bool) in
      if queue.isClosing { return (StoreError(.closed, "the log was closed"), false) }
      // An empty queue takes any batch, so that no lawful one is refused for ever.
      if queue.events > 0,
        queue.events + count > options.queueEvents || queue.bytes + bytes > Limits.queueBytes
      {
        return (
          StoreError(.overloaded, "the writer's queue holds \(queue.events) events"), false
        )
      }
      queue.events += count
      queue.bytes += bytes
      queue.incoming.append(submission)
      guard queue.isIdle, submission.durability != .durable || queue.isWorthWaking else {
        return (nil, false)
      }
      queue.isIdle = false
      return (nil, true)
    }
    if isWaking { writerWake.post() }
    if let refusal {
      submission.sink.completed([
        AppendCompletion(token: submission.token, result: .failure(refusal))
      ])
    }
  }

  /// Waits until every event that was answered is in the file.
  func settle() {
    guard unwrittenAnswers.load(ordering: .acquiring) else { return }
    let signal = Signal()
    let isWaking = queue.withLock { queue -> Bool? in
      // A writer that is gone has written all it could.
      if queue.isClosing { return nil }
      queue.isFlushWanted = true
      queue.flushWaiters.append(signal)
      defer { queue.isIdle = false }
      return queue.isIdle
    }
    guard let isWaking else { return }
    if isWaking { writerWake.post() }
    signal.wait()
  }

  /// Makes both threads finish their work and end; what is submitted from now on is refused.
  func beginClosing() { wakeWriter { $0.isClosing = true } }

  /// Changes what the writer looks at, and wakes it if it sleeps.
  func wakeWriter(_ change: (inout Queue) -> Void) {
    let isWaking = queue.withLock { queue in
      change(&queue)
      defer { queue.isIdle = false }
      return queue.isIdle
    }
    if isWaking { writerWake.post() }
  }

  // MARK: Failing

  func poison(_ error: StoreError) {
    let old = state
    guard isPoisoned.set() else { return }
    failed.withLock { $0 = error }
    options.stateChanged?(old, .poisoned(error))
  }

  var poisonedError: StoreError {
    let cause = failure
    return StoreError(
      .poisoned,
      "the log takes nothing more until it is opened again, since: "
        + (cause?.message ?? "a write failed"), path: cause?.path, errno: cause?.errno)
  }

  // MARK: The writer's thread

  /// The writer's own state, touched by its thread only.
  struct Group {
    /// In the order of submission, with what is true once the group is written: refusals, too, may
    /// depend on it.
    var entries: [(submission: Submission, result: Result<AppendReceipt, StoreError>)] = []
    var isWriteDue = false
    var hasDurable = false
    var answered = 0
    var lingerUntil = Int64.max
  }

  func runWriter() {
    writer.sync = { [self] (file) throws(StoreError) in try syncExclusively(file) }
    var taken: [Submission] = []
    var group = Group()
    var answers = CompletionBatch()
    while true {
      var wakeAt = Int64.max
      let now = disk.monotonic()
      let (step, waiters) = queue.withLock { queue -> (Step, [Signal]) in
        // Woken by a post that came late; whoever has the writer wakes it again if that is needed.
        if queue.isLent { return (.sleep, []) }
        // Nobody looks for space while a group waits to be written.
        wakeAt = writer.groupCount > 0 ? group.lingerUntil : probeAt
        swap(&taken, &queue.incoming)
        queue.events = 0
        queue.bytes = 0
        let isFlushWanted = queue.isFlushWanted || queue.isClosing
        let waiters = queue.flushWaiters
        queue.isFlushWanted = false
        queue.flushWaiters = []
        if taken.isEmpty, writer.groupCount == 0, queue.isWitnessWanted, !queue.isClosing {
          queue.isWitnessWanted = false
          return (.witness, waiters)
        }
        queue.isWitnessWanted = false
        queue.grouped = group.entries.count + taken.count
        let isGathering = queue.isGathering(queue.grouped, now)
        if !taken.isEmpty || !waiters.isEmpty {
          return (.work(flush: isFlushWanted, isGathering: isGathering), waiters)
        }
        queue.wakeCount = 1
        if writer.groupCount > 0 {
          let isDue = isFlushWanted || now >= group.lingerUntil
          if isDue || (group.hasDurable && !isGathering) {
            return (.work(flush: true, isGathering: isGathering), waiters)
          }
          if queue.isSyncing {
            // Its end wakes the writer.
            queue.wakeCount = .max
          } else if group.hasDurable {
            queue.wakeCount = queue.expected - group.entries.count
            wakeAt = min(wakeAt, queue.gatherUntil)
          }
        } else if queue.isClosing {
          return (.end, waiters)
        } else if now >= wakeAt {
          return (.probe, waiters)
        }
        queue.isIdle = true
        queue.isGroupWaiting = writer.groupCount > 0
        return (.sleep, waiters)
      }
      switch step {
      case .end:
        if isShort.load(ordering: .relaxed) { closeGap() }
        return
      case .probe:
        probe()
      case .sleep:
        if wakeAt == .max {
          writerWake.wait()
        } else if !writerWake.wait(nanoseconds: wakeAt - disk.monotonic()) {
          // Nobody posted; if somebody is about to, the next wait returns at once and looks again.
          queue.withLock { $0.isIdle = false }
        }
      case .witness:
        writeWitness()
        for waiter in waiters { waiter.post() }
      case .work(let flush, let isGathering):
        writer.durableUpTo = max(writer.durableUpTo, lastDurable)
        if isShort.load(ordering: .relaxed), disk.monotonic() >= probeAt {
          if writer.groupCount > 0 { write(&group, &answers) }
          probe()
        }
        for submission in taken { admit(submission, &group, &answers) }
        taken.removeAll(keepingCapacity: true)
        if flush || group.isWriteDue || (group.hasDurable && !isGathering) {
          write(&group, &answers)
        }
        answers.deliver()
        for waiter in waiters { waiter.post() }
      }
    }
  }

  private enum Step {
    case work(flush: Bool, isGathering: Bool)
    case witness
    case probe
    case sleep
    case end
  }

  /// Writes a witness block; its sync is nobody's wait.
  private func writeWitness() {
    if isPoisoned.isSet { return }
    writer.durableUpTo = max(writer.durableUpTo, lastDurable)
    var isWritten = false
    do throws(StoreError) { isWritten = try writer.writeWitness() } catch { poison(error) }
    let mark = isWritten ? writer.mark : nil
    let isWaking = syncing.withLock { state in
      state.block = .done
      if let mark, state.target == nil {
        state.target = mark
        state.since = 0
        state.isTargetWitness = true
      }
      defer { state.isIdle = false }
      return state.isIdle
    }
    if isWaking { syncerWake.post() }
  }

  /// Takes `submission` into the group, or answers it.
  func admit(
    _ submission: Submission, _ group: inout Group,
    _ answers: inout CompletionBatch
  ) {
    guard isWelcome(submission, &group, &answers) else { return }
    var admission = writer.add(submission.batch)
    if case .groupIsFull = admission {
      write(&group, &answers)
      // A failed write may have changed that.
      guard isWelcome(submission, &group, &answers) else { return }
      admission = writer.add(submission.batch)
    }
    switch admission {
    case .groupIsFull:
      answer(
        submission, .failure(StoreError(.invalidDraft, "the batch does not fit into a block")),
        &answers)
    case .refused(let error):
      if writer.groupCount == 0 {
        answer(submission, .failure(error), &answers)
      } else {
        group.entries.append((submission, .failure(error)))
        // Not to be kept waiting for a sync that it does not need.
        group.isWriteDue = true
      }
    case .placed(let receipt), .duplicate(let receipt):
      place(submission, receipt, &group, &answers)
    }
  }

  /// Whether the log takes batches such as `submission` at present; if not, it is answered.
  private func isWelcome(
    _ submission: Submission, _ group: inout Group,
    _ answers: inout CompletionBatch
  ) -> Bool {
    if isPoisoned.isSet {
      answer(submission, .failure(poisonedError), &answers)
      return false
    }
    return !isShort.load(ordering: .relaxed)
      || isWelcomeWhileShort(submission, &group, &answers)
  }

  func answer(
    _ submission: Submission, _ result: Result<AppendReceipt, StoreError>,
    _ answers: inout CompletionBatch
  ) {
    if !submission.isAnswered { answers.add(submission.sink, submission.token, result) }
  }

  func place(
    _ submission: Submission, _ receipt: AppendReceipt,
    _ group: inout Group, _ answers: inout CompletionBatch
  ) {
    if receipt.last.rawValue <= index.last {
      // A duplicate of something written before.
      if submission.durability == .durable, receipt.last.rawValue > lastDurable {
        requestSync(writer.mark, [Waiting(submission, receipt)])
      } else {
        answer(submission, .success(receipt), &answers)
      }
      return
    }
    var submission = submission
    switch submission.durability {
    case .queued:
      if group.lingerUntil == .max {
        group.lingerUntil = disk.monotonic() + Int64(Limits.lingerMilliseconds) * 1_000_000
      }
      let count = submission.batch.events.count
      // A duplicate tells the place of an event of this group which nobody else may have been told.
      group.answered =
        receipt.wasDuplicate ? max(group.answered, count) : group.answered + count
      unwrittenAnswers.store(true, ordering: .releasing)
      answer(submission, .success(receipt), &answers)
      submission.isAnswered = true
    case .written:
      group.isWriteDue = true
    case .durable:
      group.hasDurable = true
    }
    group.entries.append((submission, .success(receipt)))
  }

  /// Writes the group and answers for it; afterwards it is empty.
  func write(
    _ group: inout Group, _ answers: inout CompletionBatch
  ) {
    let written = group
    group = Group()
    let before = index.last
    do throws(StoreError) {
      if isPoisoned.isSet { throw poisonedError }
      try writer.flush()
    } catch {
      writer.dropGroup()
      unwrittenAnswers.store(false, ordering: .releasing)
      fail(error, written, &group, &answers)
      return
    }
    unwrittenAnswers.store(false, ordering: .releasing)
    // Before the answers, so that whoever gets one sees it.
    if index.last > before, isShort.load(ordering: .relaxed) { foundRoom() }
    var durable: [Waiting] = []
    for (submission, result) in written.entries {
      if submission.durability == .durable, case .success(let receipt) = result,
        receipt.last.rawValue > lastDurable
      {
        durable.append(Waiting(submission, receipt))
      } else {
        answer(submission, result, &answers)
      }
    }
    requestSync(writer.mark, durable)
  }

  private func fail(
    _ error: StoreError, _ lost: Group, _ group: inout Group,
    _ answers: inout CompletionBatch
  ) {
    if error.code == .full {
      rescue(error, lost, &group, &answers)
      return
    }
    if error.code != .poisoned { poison(error) }
    for (submission, _) in lost.entries { answer(submission, .failure(error), &answers) }
  }

  func raiseEpoch() {
    do throws(StoreError) {
      let epoch = try update { manifest in manifest.epoch += 1 }.epoch
      writer.raise(epoch: epoch)
      currentEpoch.store(epoch, ordering: .releasing)
    } catch {
      poison(error)
    }
  }

  // MARK: The manifest

  @discardableResult
  func update(
    _ change: (inout Manifest) -> Void
  ) throws(StoreError) -> Manifest {
    try manifest.withLock { (manifest) throws(StoreError) in
      var changed = manifest
      change(&changed)
      changed.generation += 1
      try files.write(changed)
      manifest = changed
      return changed
    }
  }

  /// Notes that a possible gap is known elsewhere.
  func forgetGap() throws(StoreError) {
    if manifest.withLock({ $0.gapAfter == 0 }) { return }
    try update { $0.gapAfter = 0 }
  }

  /// Takes back what was written ahead, after both threads ended: a log at rest shows what it holds and nothing
  /// else, though it would be as good with the zeros.
  func trim() {
    if !isPoisoned.isSet { _ = try? writer.trim() }
  }

  /// Marks the stop clean; after both threads ended.
  func markClean(_ mark: LogWriter.Mark?) throws(StoreError) {
    if isPoisoned.isSet { throw poisonedError }
    _ = try update { manifest in
      if let mark {
        manifest.synced = mark.position
        manifest.chain = mark.chain
      }
      manifest.isClean = true
    }
  }
}
