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

  private enum WitnessBlock {
    /// The writer was not asked yet.
    case none
    case asked
    /// It stands behind the last event, or cannot: the manifest is next.
    case done
  }

  private struct Syncing {
    /// Where the log is written to; nil if nothing was since the last sync.
    var target: LogWriter.Mark?
    /// When the first write after the last sync was made.
    var since: Int64 = 0
    var waiting: [Waiting] = []
    var isIdle = false
    var isClosing = false
    /// What the manifest does not witness yet.
    var unwitnessed: LogWriter.Mark?
    /// When that has been followed by nothing for long enough.
    var quietAt: Int64 = 0
    /// When the manifest is written though the quiet never came.
    var overdueAt: Int64 = 0
    /// How far the witness block behind `unwitnessed` is.
    var block = WitnessBlock.none
    /// The target holds nothing new but a witness block.
    var isTargetWitness = false
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
  private let syncing = Mutex(Syncing())
  private let syncerWake = Signal()
  /// Held during `fdatasync` of a segment: the kernel reports a lost write once per descriptor.
  private let syncGate = Mutex<Void>(())
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
  private let durable: Atomic<UInt64>
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
  func beginClosing() {
    let isWaking = queue.withLock { queue in
      queue.isClosing = true
      defer { queue.isIdle = false }
      return queue.isIdle
    }
    if isWaking { writerWake.post() }
  }

  private func wakeWriter(_ change: (inout Queue) -> Void) {
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
        if isShort.load(ordering: .relaxed) { closeGap(writer) }
        return
      case .probe:
        probe(writer)
      case .sleep:
        if wakeAt == .max {
          writerWake.wait()
        } else if !writerWake.wait(nanoseconds: wakeAt - disk.monotonic()) {
          // Nobody posted; if somebody is about to, the next wait returns at once and looks again.
          queue.withLock { $0.isIdle = false }
        }
      case .witness:
        writeWitness(writer)
        for waiter in waiters { waiter.post() }
      case .work(let flush, let isGathering):
        writer.durableUpTo = max(writer.durableUpTo, lastDurable)
        if isShort.load(ordering: .relaxed), disk.monotonic() >= probeAt {
          if writer.groupCount > 0 { write(writer, &group, &answers) }
          probe(writer)
        }
        for submission in taken { admit(submission, writer, &group, &answers) }
        taken.removeAll(keepingCapacity: true)
        if flush || group.isWriteDue || (group.hasDurable && !isGathering) {
          write(writer, &group, &answers)
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
  private func writeWitness(_ writer: LogWriter) {
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
    _ submission: Submission, _ writer: LogWriter, _ group: inout Group,
    _ answers: inout CompletionBatch
  ) {
    guard isWelcome(submission, writer, &group, &answers) else { return }
    var admission = writer.add(submission.batch)
    if case .groupIsFull = admission {
      write(writer, &group, &answers)
      // A failed write may have changed that.
      guard isWelcome(submission, writer, &group, &answers) else { return }
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
      place(submission, receipt, writer, &group, &answers)
    }
  }

  /// Whether the log takes batches such as `submission` at present; if not, it is answered.
  private func isWelcome(
    _ submission: Submission, _ writer: LogWriter, _ group: inout Group,
    _ answers: inout CompletionBatch
  ) -> Bool {
    if isPoisoned.isSet {
      answer(submission, .failure(poisonedError), &answers)
      return false
    }
    return !isShort.load(ordering: .relaxed)
      || isWelcomeWhileShort(submission, writer, &group, &answers)
  }

  func answer(
    _ submission: Submission, _ result: Result<AppendReceipt, StoreError>,
    _ answers: inout CompletionBatch
  ) {
    if !submission.isAnswered { answers.add(submission.sink, submission.token, result) }
  }

  func place(
    _ submission: Submission, _ receipt: AppendReceipt, _ writer: LogWriter,
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
    _ writer: LogWriter, _ group: inout Group, _ answers: inout CompletionBatch
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
      fail(error, writer, written, &group, &answers)
      return
    }
    unwrittenAnswers.store(false, ordering: .releasing)
    // Before the answers, so that whoever gets one sees it.
    if index.last > before, isShort.load(ordering: .relaxed) { foundRoom(writer) }
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
    _ error: StoreError, _ writer: LogWriter, _ lost: Group, _ group: inout Group,
    _ answers: inout CompletionBatch
  ) {
    if error.code == .full {
      rescue(error, writer, lost, &group, &answers)
      return
    }
    if error.code != .poisoned { poison(error) }
    for (submission, _) in lost.entries { answer(submission, .failure(error), &answers) }
  }

  func raiseEpoch(_ writer: LogWriter) {
    do throws(StoreError) {
      let epoch = try update { manifest in manifest.epoch += 1 }.epoch
      writer.raise(epoch: epoch)
      currentEpoch.store(epoch, ordering: .releasing)
    } catch {
      poison(error)
    }
  }

  // MARK: The syncer's thread

  func requestSync(_ mark: LogWriter.Mark?, _ waiting: [Waiting]) {
    guard let mark else { return }
    if !waiting.isEmpty {
      queue.withLock {
        $0.isSyncing = true
        $0.noteGathered(waiting.count)
        $0.grouped = 0
      }
    }
    let isWaking = syncing.withLock { state in
      let isFirst = state.target == nil || state.isTargetWitness
      if isFirst { state.since = disk.monotonic() }
      state.isTargetWitness = false
      state.target = mark
      state.waiting.append(contentsOf: waiting)
      guard state.isIdle, isFirst || !waiting.isEmpty else { return false }
      state.isIdle = false
      return true
    }
    if isWaking { syncerWake.post() }
  }

  func finishSyncing() {
    let isWaking = syncing.withLock { state in
      state.isClosing = true
      defer { state.isIdle = false }
      return state.isIdle
    }
    if isWaking { syncerWake.post() }
  }

  private enum SyncStep {
    case sync(LogWriter.Mark, isWitness: Bool)
    case askForWitness
    case manifest(LogWriter.Mark)
    case sleep(Int64?)
    case end
  }

  func runSyncer() {
    while true {
      let now = disk.monotonic()
      let step = syncing.withLock { state -> SyncStep in
        if let mark = state.unwitnessed, now >= state.overdueAt, !state.isClosing {
          state.unwitnessed = nil
          return .manifest(mark)
        }
        if let target = state.target {
          let due = state.since + Int64(Limits.syncDelayMilliseconds) * 1_000_000
          if !state.waiting.isEmpty || state.isClosing || now >= due {
            state.target = nil
            return .sync(target, isWitness: state.isTargetWitness)
          }
          state.isIdle = true
          return .sleep(due - now)
        }
        if state.isClosing { return .end }
        if let mark = state.unwitnessed {
          switch state.block {
          case .none where now >= state.quietAt:
            state.block = .asked
            return .askForWitness
          case .done:
            state.unwitnessed = nil
            return .manifest(mark)
          case .none, .asked:
            state.isIdle = true
            // An answer that never comes leaves it to the manifest alone.
            return .sleep((state.block == .none ? state.quietAt : state.overdueAt) - now)
          }
        }
        state.isIdle = true
        return .sleep(nil)
      }
      switch step {
      case .end: return
      case .sync(let mark, let isWitness): sync(mark, isWitness: isWitness)
      case .askForWitness: wakeWriter { $0.isWitnessWanted = true }
      case .manifest(let mark): writeManifest(mark)
      case .sleep(nil): syncerWake.wait()
      case .sleep(.some(let time)):
        if !syncerWake.wait(nanoseconds: time) { syncing.withLock { $0.isIdle = false } }
      }
    }
  }

  private func sync(_ mark: LogWriter.Mark, isWitness: Bool) {
    var problem: StoreError?
    let began = disk.monotonic()
    do throws(StoreError) { try syncExclusively(mark.file) } catch {
      problem = error
      poison(error)
    }
    if problem == nil { noteDurable(mark.position) }
    let now = disk.monotonic()
    let (covered, isUrgent) = syncing.withLock { state -> ([Waiting], Bool) in
      var covered: [Waiting] = []
      if problem == nil {
        if !isWitness {
          if state.unwitnessed == nil {
            state.overdueAt = now + Int64(Limits.manifestDelayMilliseconds) * 1_000_000
          }
          state.unwitnessed = mark
          state.quietAt = now + Int64(Limits.witnessDelayMilliseconds) * 1_000_000
          state.block = .none
        }
        if state.waiting.allSatisfy({ $0.last <= mark.position }) {
          swap(&covered, &state.waiting)
        } else {
          covered = state.waiting.filter { $0.last <= mark.position }
          state.waiting.removeAll { $0.last <= mark.position }
        }
      } else {
        swap(&covered, &state.waiting)
        state.target = nil
      }
      return (covered, !state.waiting.isEmpty)
    }
    if !isUrgent { endSyncing(answering: covered.count, began, now) }
    var answers = CompletionBatch()
    for waiting in covered {
      answers.add(
        waiting.sink, waiting.token, problem.map { .failure($0) } ?? .success(waiting.receipt))
    }
    answers.deliver()
  }

  /// Lets the next group be written, while the answers are delivered.
  private func endSyncing(answering count: Int, _ began: Int64, _ now: Int64) {
    let isWaking = queue.withLock { queue in
      queue.isSyncing = false
      queue.expect(
        count, until: now + min(now - began, Int64(Limits.gatherMicroseconds) * 1_000))
      queue.wakeCount = 1
      guard queue.isIdle, queue.isGroupWaiting || !queue.incoming.isEmpty else { return false }
      queue.isIdle = false
      return true
    }
    if isWaking { writerWake.post() }
  }

  /// Everything through `position` is on stable storage; both threads find out such things.
  func noteDurable(_ position: UInt64) { durable.max(position, ordering: .acquiringAndReleasing) }

  func syncExclusively(_ file: any DiskFile) throws(StoreError) {
    try syncGate.withLock { (_) throws(StoreError) in
      if isPoisoned.isSet { throw poisonedError }
      isFileSyncing.store(true, ordering: .relaxed)
      defer { isFileSyncing.store(false, ordering: .relaxed) }
      do throws(StoreError) { try file.sync() } catch {
        var error = error
        error.code = .io
        error.message += "; outcome unknown: the events may or may not survive a crash"
        poison(error)
        throw error
      }
    }
  }

  private func writeManifest(_ mark: LogWriter.Mark) {
    do throws(StoreError) {
      _ = try update { manifest in
        manifest.synced = mark.position
        manifest.chain = mark.chain
      }
    } catch {
      // The events are safe where they are, and a full disk may have room again at closing.
      if error.code != .full { poison(error) }
    }
  }

  @discardableResult
  private func update(
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
