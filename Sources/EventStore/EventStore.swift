internal import Synchronization

/// The log, open for writing; one per directory at a time.
///
/// Reads through `reader` see every event that was answered. See docs/durability.md for what each
/// durability mode promises.
public final class EventStore: Sendable {
  /// What opening found and did.
  public let report: RecoveryReport
  /// Reads this log, sharing the writer's index.
  public let reader: LogReader

  private let engine: StoreEngine
  private let index: LogIndex
  private let threads: (writer: StoreThread, syncer: StoreThread)
  /// Nil if finished segments are left as they are.
  private let sealer: SealerThread?
  private let lock: any DiskLock
  private let quarantine: Quarantine
  private let closing = Mutex<Result<Void, StoreError>?>(nil)
  private let continuations = ContinuationSink()

  /// Opens the log in `directory` for writing; makes the directory (0700) if it is missing.
  ///
  /// Takes the lock, recovers by the tail rule, makes the next epoch durable and starts the writer.
  ///
  /// - Throws: `.locked`, `.permissions`, `.notAStore`, `.damaged` (nothing was changed), `.io`, `.full`.
  public static func open(
    directory: String, options: StoreOptions
  ) throws(StoreError) -> EventStore {
    try EventStore(disk: PosixDisk(), directory: directory, options: options)
  }

  /// Opens a damaged log for writing because a person accepts the loss, which stays accepted from then on.
  ///
  /// The bytes that are cut off are kept in quarantine/, ACCEPTED says what was accepted, and the report
  /// has it in `acceptedLosses`: whoever opens owes the log an event of it, under the id given there.
  /// No position is used again; the log goes on behind what is lost.
  ///
  /// - Throws: as `open`; `.damaged` (nothing was changed) if what is damaged is not exactly what was
  ///   named, `.invalidDraft` if nothing of it is damaged.
  public static func open(
    directory: String, options: StoreOptions, accepting acceptance: LossAcceptance
  ) throws(StoreError) -> EventStore {
    try EventStore(
      disk: PosixDisk(), directory: directory, options: options, accepting: acceptance)
  }

  package init(
    disk: any Disk, directory: String, options: StoreOptions,
    accepting acceptance: LossAcceptance? = nil
  ) throws(StoreError) {
    let options = try options.checked()
    let found = try Recovery(disk: disk, directory: directory, accepting: acceptance).run()
    quarantine = Quarantine(disk: disk, directory: directory, storeID: found.report.storeID)
    do throws(StoreError) {
      var report = found.report
      let reserve = SpaceReserve(disk: disk, directory: directory, bytes: options.reserveBytes)
      do throws(StoreError) { try reserve.take() } catch {
        guard error.code == .full else { throw error }
        report.reserveFailure = error
      }
      let reader = LogReader(
        disk: disk, directory: directory, index: found.index, storeID: found.report.storeID)
      let engine = StoreEngine(
        disk: disk, directory: directory, index: found.index, manifest: found.manifest,
        options: options, reserve: reserve, shortage: report.reserveFailure,
        writer: try LogWriter(
          disk: disk, directory: directory, options: options, from: found, reader: reader))
      let syncer = try StoreThread(name: "log-syncer") { engine.runSyncer() }
      do throws(StoreError) {
        sealer =
          options.seals
          ? try SealerThread(
            disk: disk, directory: directory, index: found.index, changed: options.sealingChanged,
            mayTakeSpace: { !engine.isShort.load(ordering: .relaxed) }) : nil
      } catch {
        engine.finishSyncing()
        syncer.join()
        throw error
      }
      do throws(StoreError) {
        threads = (try StoreThread(name: "log-writer") { engine.runWriter() }, syncer)
      } catch {
        sealer?.stop()
        engine.finishSyncing()
        syncer.join()
        throw error
      }
      // Weakly: a reader may outlive the store, whose writer is then gone.
      reader.setBarrier { [weak engine] in engine?.settle() }
      self.reader = reader
      self.engine = engine
      index = found.index
      lock = found.lock
      self.report = report
    } catch {
      found.lock.release()
      throw error
    }
  }

  deinit {
    // A store that was dropped without `close` ends its threads; the last reference may be dropped by
    // one of them, in a sink, and then a third one waits for both.
    if closing.withLock({ $0 != nil }) { return }
    if threads.writer.isCurrent || threads.syncer.isCurrent {
      engine.beginClosing()
      // The lock is held and the syncer runs until the writer wrote its last group.
      let (engine, threads, sealer, lock) = (engine, threads, sealer, lock)
      let closer = try? StoreThread(name: "log-closer") {
        sealer?.stop()
        threads.writer.join()
        engine.finishSyncing()
        threads.syncer.join()
        engine.trim()
        _ = try? engine.markClean(engine.writer.mark)
        lock.release()
      }
      closer?.detach()
    } else {
      _ = try? close()
    }
  }

  /// The store's identity.
  public var storeID: UInt128 { report.storeID }
  /// The format that this build writes; it reads those of the same major number and no later minor one.
  public static let formatVersion = "\(SegmentHeader.major).\(SegmentHeader.minor)"
  /// The epoch that appended events get; grows while open only if answered `queued` events were lost.
  public var epoch: Epoch { Epoch(engine.epoch) }
  /// The last event handed to the kernel.
  public var lastWritten: Position { Position(index.last) }
  /// The last event known to be on stable storage.
  public var lastDurable: Position { Position(engine.lastDurable) }
  /// Whether the log takes what it is given.
  public var state: StoreState { engine.state }
  /// Why the log does not take everything at present: poisoned or full; nil if it does.
  public var failure: StoreError? { engine.failure }
  /// What was done since the store was opened.
  public var figures: StoreFigures { engine.figures.withLock { $0 } }

  /// Notes, durably, that what `report` has in `pendingTails` and `possibleGap` stands in the log now, so
  /// that later openings do not report it again; idempotent.
  ///
  /// - Throws: `.io`, `.full`: the next opening reports it again, under the same ids.
  public func acknowledgeRecovery() throws(StoreError) {
    try quarantine.acknowledge(report.pendingTails)
    if report.possibleGap != nil { try engine.forgetGap() }
  }

  /// How far the background work on finished segments is.
  public var sealing: SealingState {
    sealer?.sealing ?? SealingState(pending: index.unsealed.count, lastFailure: nil)
  }

  /// Blocks the calling thread until every finished segment is sealed, an attempt failed or the log is
  /// closed; for tools and benchmarks.
  ///
  /// - Returns: the state then; at once if the log was opened without sealing.
  @discardableResult
  public func waitUntilSealed() -> SealingState { sealer?.wait() ?? sealing }

  /// What an opening would refuse if it read every byte: all that is damaged, and the command that accepts
  /// its loss; nil if nothing is.
  ///
  /// An opening takes finished segments by their indexes; this reads them. Before the first append only.
  ///
  /// - Throws: `.io`, `.notAStore`.
  public func refusal() throws(StoreError) -> StoreError? {
    try Recovery(disk: quarantine.disk, directory: quarantine.directory).refusal()
  }

  /// Encodes and queues `batch`; never blocks beyond a mutex.
  ///
  /// The sink is called exactly once with `token`, also on refusal.
  public func submit(
    _ batch: AppendBatch, durability: Durability, sink: any AppendSink, token: UInt64
  ) {
    do throws(StoreError) {
      let batch = try PreparedBatch(batch)
      engine.submit(
        StoreEngine.Submission(batch: batch, durability: durability, sink: sink, token: token))
    } catch {
      sink.completed([AppendCompletion(token: token, result: .failure(error))])
    }
  }

  /// Encodes and queues what one thread gathered, in order; `.written` batches are written by the calling thread
  /// itself where the log's own is asleep and no sync is under way, and are then answered before this returns.
  ///
  /// Saves two changes of threads; costs the caller the write of a block into the kernel's cache. The sink is
  /// called exactly once with each token, also on refusal.
  public func submit(_ requests: [AppendRequest], sink: any AppendSink) {
    var submissions: [StoreEngine.Submission] = []
    submissions.reserveCapacity(requests.count)
    for request in requests {
      do throws(StoreError) {
        submissions.append(
          StoreEngine.Submission(
            batch: try PreparedBatch(request.batch), durability: request.durability, sink: sink,
            token: request.token))
      } catch {
        sink.completed([AppendCompletion(token: request.token, result: .failure(error))])
      }
    }
    engine.submit(submissions)
  }

  /// Appends `batch` and suspends until it is answered as `durability` says.
  ///
  /// Cancellation does not withdraw an append.
  ///
  /// - Throws: what `StoreError.Code` lists for appends.
  public func append(
    _ batch: AppendBatch, durability: Durability
  ) async throws(StoreError) -> AppendReceipt {
    let result = await withUnsafeContinuation { continuation in
      submit(
        batch, durability: durability, sink: continuations,
        token: ContinuationSink.token(continuation))
    }
    return try result.get()
  }

  /// Appends `batch` and blocks the calling thread until it is answered; for command-line tools and tests.
  public func appendAndWait(
    _ batch: AppendBatch, durability: Durability
  ) throws(StoreError) -> AppendReceipt {
    let sink = WaitingSink()
    submit(batch, durability: durability, sink: sink, token: 0)
    return try sink.wait().get()
  }

  /// The last revision of `stream`; `.none` if it has no event.
  public func revision(of stream: String) -> Revision { reader.revision(of: stream) }

  /// Writes what is queued, syncs, marks the stop clean, ends the threads and releases the lock; idempotent.
  ///
  /// Must not be called from a sink.
  ///
  /// - Throws: `.poisoned` if an earlier write failed: the stop is then not clean.
  public func close() throws(StoreError) {
    let result = closing.withLock { done -> Result<Void, StoreError> in
      if let done { return done }
      engine.beginClosing()
      sealer?.stop()
      threads.writer.join()
      engine.finishSyncing()
      threads.syncer.join()
      engine.trim()
      let result: Result<Void, StoreError>
      do throws(StoreError) { result = .success(try engine.markClean(engine.writer.mark)) } catch {
        result = .failure(error)
      }
      lock.release()
      done = result
      return result
    }
    try result.get()
  }
}

extension StoreOptions {
  /// These options within their bounds.
  func checked() throws(StoreError) -> StoreOptions {
    guard Limits.segmentBytes.contains(segmentBytes) else {
      throw StoreError(
        .invalidDraft,
        "segmentBytes must be \(Limits.segmentBytes.lowerBound)…\(Limits.segmentBytes.upperBound)")
    }
    guard dictionary.count <= Limits.dictionaryBytes else {
      throw StoreError(
        .invalidDraft, "a dictionary has at most \(Limits.dictionaryBytes) bytes")
    }
    guard queueEvents > 0 else {
      throw StoreError(.invalidDraft, "queueEvents must be positive")
    }
    guard (0...Limits.reserveBytes).contains(reserveBytes) else {
      throw StoreError(.invalidDraft, "reserveBytes must be 0…\(Limits.reserveBytes)")
    }
    guard segmentEvents > 0 else {
      throw StoreError(.invalidDraft, "segmentEvents must be positive")
    }
    return self
  }
}
