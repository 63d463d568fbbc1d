internal import Synchronization

/// What the syncer's thread does: it puts what is written on stable storage, answers those who waited for that, and
/// has it witnessed once nothing follows.
extension StoreEngine {
  enum WitnessBlock {
    /// The writer was not asked yet.
    case none
    case asked
    /// It stands behind the last event, or cannot: the manifest is next.
    case done
  }

  struct Syncing {
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
    figures.withLock { $0.noteSync(nanoseconds: now - began) }
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
}
