/// The log, open for writing; one per directory at a time.
///
/// Reads through `reader` see every event that was answered. See docs/durability.md for what each
/// durability mode promises.
public final class EventStore: Sendable {
  /// What opening found and did.
  public let report: RecoveryReport
  /// Reads this log, sharing the writer's index.
  public let reader: LogReader

  private init() { preconditionFailure("not written yet") }

  /// Opens the log in `directory` for writing; makes the directory (0700) if it is missing.
  ///
  /// Takes the lock, recovers by the tail rule, makes the next epoch durable and starts the writer.
  ///
  /// - Throws: `.locked`, `.permissions`, `.notAStore`, `.damaged` (nothing was changed), `.io`, `.full`.
  public static func open(
    directory: String, options: StoreOptions
  ) throws(StoreError) -> EventStore { preconditionFailure("not written yet") }

  /// The store's identity.
  public var storeID: UInt128 { report.storeID }
  /// The epoch of this opening.
  public var epoch: Epoch { report.epoch }
  /// The last event handed to the kernel.
  public var lastWritten: Position { preconditionFailure("not written yet") }
  /// The last event known to be on stable storage.
  public var lastDurable: Position { preconditionFailure("not written yet") }
  /// Why the log takes no appends at present: poisoned or full; nil if it does.
  public var failure: StoreError? { preconditionFailure("not written yet") }

  /// Queues `batch`; never blocks beyond a mutex.
  ///
  /// The sink is called exactly once with `token`, also on refusal.
  public func submit(
    _ batch: AppendBatch, durability: Durability, sink: any AppendSink, token: UInt64
  ) { preconditionFailure("not written yet") }

  /// Appends `batch` and suspends until it is answered as `durability` says.
  public func append(
    _ batch: AppendBatch, durability: Durability
  ) async throws(StoreError) -> AppendReceipt { preconditionFailure("not written yet") }

  /// Appends `batch` and blocks the calling thread until it is answered; for command-line tools and tests.
  public func appendAndWait(
    _ batch: AppendBatch, durability: Durability
  ) throws(StoreError) -> AppendReceipt { preconditionFailure("not written yet") }

  /// The last revision of `stream`; `.none` if it has no event.
  public func revision(of stream: String) -> Revision { preconditionFailure("not written yet") }

  /// Writes what is queued, syncs, marks the stop clean, ends the threads and releases the lock; idempotent.
  public func close() throws(StoreError) { preconditionFailure("not written yet") }
}
