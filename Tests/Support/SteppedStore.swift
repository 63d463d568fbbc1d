package import EventStore

/// `bytes` without the zeros at their end, which a segment may have ahead of what is written.
package func written(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
  bytes.lastIndex { $0 != 0 }.map { bytes[...$0] } ?? bytes.prefix(0)
}

/// The log without threads: every write and sync happens when the test says so.
package final class SteppedStore {
  package let disk: any Disk
  package let directory: String
  package let report: RecoveryReport
  package let reader: LogReader
  package let writer: LogWriter
  /// Does nothing but what `step` is called for.
  package let sealer: Sealer
  private let lock: any DiskLock
  private var manifest: Manifest

  package init(
    _ disk: any Disk, directory: String = "/log", segmentBytes: Int = 600,
    segmentEvents: Int = Limits.segmentEvents, aheadBytes: Int = 0,
    dictionary: [UInt8] = Array("request.finished.v1 stream/ payload".utf8),
    accepting acceptance: LossAcceptance? = nil
  ) throws {
    self.disk = disk
    self.directory = directory
    let found = try Recovery(disk: disk, directory: directory, accepting: acceptance).run()
    lock = found.lock
    report = found.report
    manifest = found.manifest
    reader = LogReader(
      disk: disk, directory: directory, index: found.index, storeID: found.report.storeID)
    var options = StoreOptions(segmentBytes: segmentBytes, dictionary: dictionary)
    options.segmentEvents = segmentEvents
    options.aheadBytes = aheadBytes
    writer = try LogWriter(
      disk: disk, directory: directory, options: options, from: found, reader: reader)
    sealer = Sealer(
      disk: disk, directory: directory, index: found.index, status: SealerStatus())
  }

  /// Writes `batches` as one group; the answers, or what the write threw.
  @discardableResult
  package func append(_ batches: AppendBatch...) throws -> [AppendReceipt] {
    var receipts: [AppendReceipt] = []
    for batch in batches {
      switch writer.add(batch) {
      case .placed(let receipt), .duplicate(let receipt): receipts.append(receipt)
      case .refused(let error): throw error
      case .groupIsFull: throw StoreError(.full, "the group is full")
      }
    }
    try writer.flush()
    return receipts
  }

  package func sync() throws {
    guard let mark = writer.mark else { return }
    try mark.file.sync()
    writer.durableUpTo = mark.position
  }

  /// What the writer does after a quiet moment.
  package func witnessBlock() throws {
    if try writer.writeWitness(), let mark = writer.mark { try mark.file.sync() }
  }

  /// What the syncer does then.
  package func witness(isClean: Bool = false) throws {
    guard let mark = writer.mark else { return }
    var changed = manifest
    changed.generation += 1
    changed.synced = mark.position
    changed.chain = mark.chain
    changed.isClean = isClean
    try StoreFiles(disk: disk, directory: directory).write(changed)
    // A slot that could not be written is written again, never the other one.
    manifest = changed
  }

  package func close() throws {
    try sync()
    try witness(isClean: true)
    lock.release()
  }

  /// Ends without a word, as a killed process does.
  package func abandon() { lock.release() }
}

/// A draft whose every part follows from `number`.
package func draft(
  _ number: UInt64, stream: String? = nil, size: Int = 24, sealed: Bool = false
) -> EventDraft {
  var random = SeededRandom(seed: number)
  let key = withUnsafeBytes(of: number.bigEndian) { Array($0) }
  return EventDraft(
    id: EventID(UInt128(number) << 64 | 0xA1), stream: stream ?? "stream/\(number % 3)",
    kind: number.isMultiple(of: 2) ? "request.finished.v1" : "note.taken.v1",
    time: Int64(number) * 1_000, lookupKeys: number.isMultiple(of: 3) ? [key, key + [1]] : [],
    payload: random.bytes(size), sealed: sealed || number.isMultiple(of: 5) ? random.bytes(9) : [])
}

package func batch(_ numbers: UInt64...) -> AppendBatch {
  AppendBatch(events: numbers.map { draft($0) })
}

package func isSame(_ event: StoredEvent, _ draft: EventDraft) -> Bool {
  event.id == draft.id && event.stream == draft.stream && event.kind == draft.kind
    && event.time == draft.time && event.lookupKeys == draft.lookupKeys
    && Array(event.payload) == draft.payload && Array(event.sealed) == draft.sealed
}

/// Everything that a scan gives.
package func everything(_ reader: LogReader) throws -> (events: [StoredEvent], gaps: [LogGap]) {
  var events: [StoredEvent] = []
  var gaps: [LogGap] = []
  try reader.scan(from: .origin, through: nil) { entry in
    switch entry {
    case .event(let event): events.append(event)
    case .gap(let gap): gaps.append(gap)
    }
    return .continue
  }
  return (events, gaps)
}

package func code(_ body: () throws -> Void) -> StoreError.Code? {
  do {
    try body()
    return nil
  } catch let error as StoreError {
    return error.code
  } catch {
    return nil
  }
}
