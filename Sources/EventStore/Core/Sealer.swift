internal import Synchronization

/// Gives finished segments their index, then packs them again; synchronous, for one thread at a time.
///
/// Nothing here can cost an event: what it makes is complete, checked and durable before anything that it
/// replaces goes, and a failure leaves the segment as it was.
package final class Sealer {
  private let disk: any Disk
  private let directory: String
  private let index: LogIndex
  private let status: SealerStatus
  private let mayTakeSpace: @Sendable () -> Bool
  /// Segments that failed since the last `retry`.
  private var failed: Set<UInt64> = []
  private var hasLookedForRemains = false

  /// - Parameter mayTakeSpace: false while what is left of the disk is wanted for events.
  package init(
    disk: any Disk, directory: String, index: LogIndex, status: SealerStatus,
    mayTakeSpace: @escaping @Sendable () -> Bool = { true }
  ) {
    self.disk = disk
    self.directory = directory
    self.index = index
    self.status = status
    self.mayTakeSpace = mayTakeSpace
  }

  /// Does one piece of work: an index before any packing, the oldest segment first.
  ///
  /// Where one segment waits alone its index comes with the packing, and is not made twice.
  ///
  /// - Returns: false if there is nothing to do but what failed.
  package func step() -> Bool {
    if !hasLookedForRemains {
      hasLookedForRemains = true
      removeRemains()
    }
    let waiting = index.unsealed
    status.note(pending: waiting.count)
    let open = waiting.filter { !failed.contains($0.header.first) }
    guard let segment = open.first(where: { $0.index == nil && !$0.isSealed }) ?? open.first else {
      return false
    }
    do throws(StoreError) {
      try stopIfAsked()
      if segment.index == nil, !segment.isSealed, waiting.count > 1 {
        try writeIndex(segment)
      } else {
        try seal(segment)
      }
      status.note(pending: index.unsealed.count)
      if failed.isEmpty { status.noteSuccess() }
    } catch {
      if status.isStopping { return false }
      failed.insert(segment.header.first)
      status.note(failure: error)
    }
    return true
  }

  /// Something waits for `retry`.
  var hasFailures: Bool { !failed.isEmpty }

  package var sealing: SealingState { status.sealing }

  /// Takes what failed up again.
  package func retry() { failed = [] }

  // MARK: Index

  private func writeIndex(_ segment: LogIndex.Closed) throws(StoreError) {
    try disk.requireHeadroom(directory, beside: 0)
    let file = try disk.open(segment.path, .read)
    defer { file.close() }
    var scan = try SegmentScan(
      file, path: segment.path, header: segment.header, end: segment.end)
    var builder = SegmentIndexBuilder(header: segment.header)
    while let (block, offset) = try scan.nextBlock() {
      try stopIfAsked()
      guard builder.add(block, offset: offset) else { throw scan.damaged("block.chain") }
    }
    let size = try file.size()
    guard size == segment.end else { throw scan.damaged("segment.length") }
    guard let (_, bytes) = builder.finish(endOfBlocks: size), builder.next == segment.next.first,
      builder.chain == segment.next.chainBefore
    else { throw scan.damaged("segment.chain") }
    let path = path(segment, .index)
    let temporary = path + ".tmp"
    try removeIfThere(temporary)
    let sidecar = try disk.open(temporary, .createNew)
    defer { sidecar.close() }
    do throws(StoreError) {
      try sidecar.writeAll(bytes, at: 0)
      // A torn one would cost nothing, but a check of the log would name it.
      try sidecar.sync()
      try disk.rename(temporary, path)
    } catch {
      _ = try? disk.remove(temporary)
      throw error
    }
    index.replace(
      first: segment.header.first, by: try reopened(sidecar, path, isFooter: false),
      path: segment.path)
  }

  // MARK: Packing

  private func seal(_ segment: LogIndex.Closed) throws(StoreError) {
    try disk.requireHeadroom(directory, beside: segment.end)
    let source = try disk.open(segment.path, .read)
    defer { source.close() }
    let path = path(segment, .sealed)
    let temporary = path + ".tmp"
    try removeIfThere(temporary)
    let file = try disk.open(temporary, .createNew)
    defer { file.close() }
    let sealed: IndexFile
    do throws(StoreError) {
      let packed = try pack(segment, source, file)
      try file.sync()
      // What counts is what the device gives back.
      file.forgetCache()
      sealed = try compare(segment, source, file, packed, path)
      try disk.rename(temporary, path)
    } catch {
      _ = try? disk.remove(temporary)
      throw error
    }
    try disk.syncDirectory(directory + "/seg")
    index.replace(first: segment.header.first, by: sealed, path: path)
    for kind in [SegmentName.Kind.raw, .index] { try removeIfThere(self.path(segment, kind)) }
  }

  /// Writes header, blocks and index of the sealed file.
  private func pack(
    _ segment: LogIndex.Closed, _ source: any DiskFile, _ file: any DiskFile
  ) throws(StoreError) -> SegmentIndex {
    var scan = try SegmentScan(
      source, path: segment.path, header: segment.header, end: segment.end)
    var packer = SegmentPacker(file: file, header: segment.header)
    while let (block, _) = try scan.nextBlock() {
      try stopIfAsked()
      guard block.header.chainBefore == packer.chain else { throw scan.damaged("block.chain") }
      try packer.add(block)
    }
    guard packer.next == segment.next.first, packer.chain == segment.next.chainBefore,
      let index = try packer.finish()
    else { throw scan.damaged("segment.chain") }
    return index
  }

  /// Reads the sealed file back and compares it, record by record, with what it is to replace, and its index by
  /// checksums with the one that was made; that one's chain ends where the log's goes on.
  private func compare(
    _ segment: LogIndex.Closed, _ source: any DiskFile, _ file: any DiskFile,
    _ packed: SegmentIndex, _ path: String
  ) throws(StoreError) -> IndexFile {
    let sealed = try reopened(file, path, isFooter: true)
    guard sealed.index == packed, try sealed.flaw(file) == nil else {
      throw StoreError(.io, "what was written does not read back", path: path)
    }
    var old = RecordCursor(
      try SegmentScan(source, path: segment.path, header: segment.header, end: segment.end))
    var new = RecordCursor(
      try SegmentScan(
        file, path: path, header: segment.header, end: sealed.index.endOfBlocks))
    while true {
      try stopIfAsked()
      let isMore = try old.fill()
      guard try new.fill() == isMore else { break }
      if !isMore { return sealed }
      guard old.epoch == new.epoch, RecordCursor.takeEqual(&old, &new) else { break }
    }
    throw StoreError(.io, "the sealed segment differs from its original", path: path)
  }

  private func reopened(
    _ file: any DiskFile, _ path: String, isFooter: Bool
  ) throws(StoreError) -> IndexFile {
    switch try IndexFile.read(file, path: path, isFooter: isFooter) {
    case .success(let index): return index
    case .failure(let broken):
      throw StoreError(.io, "what was written does not read back: \(broken.rule)", path: path)
    }
  }

  // MARK: Files

  private func path(_ segment: LogIndex.Closed, _ kind: SegmentName.Kind) -> String {
    directory + "/seg/" + SegmentName.of(segment.header.first, kind)
  }

  private func removeIfThere(_ path: String) throws(StoreError) {
    if try disk.status(path) != nil { try disk.remove(path) }
  }

  /// What a crash left between the appearance of a sealed file and the removal of its original.
  private func removeRemains() {
    let sealed = index.segmentList().filter { $0.isSealed && $0.index != nil }
    for segment in sealed {
      for kind in [SegmentName.Kind.raw, .index] {
        // Looked for again at the next opening.
        _ = try? removeIfThere(
          directory + "/seg/" + SegmentName.of(segment.header.first, kind))
      }
    }
  }

  private func stopIfAsked() throws(StoreError) {
    if status.isStopping { throw StoreError(.closed, "the log is being closed") }
    if !mayTakeSpace() {
      throw StoreError(
        .full, "the disk is full: sealing waits until there is space", path: directory)
    }
  }
}

extension SegmentIndexBuilder {
  /// Adds a block as it stands in the segment; false if it does not continue the chain.
  mutating func add(_ block: DecodedBlock, offset: UInt64) -> Bool {
    guard block.header.chainBefore == chain else { return false }
    let isWhole = block.forEachRecord { _, view, bytes in
      add(view, bytes, leaf: view.leaf(bytes))
      return true
    }
    endBlock(
      offset: offset, extent: block.header.extent, rawBytes: block.body.count,
      epoch: block.header.epoch)
    return isWhole
  }
}

/// Walks the bodies of a segment as one sequence of bytes; the bodies of equal records are equal bytes.
private struct RecordCursor {
  private var scan: SegmentScan
  private var block: DecodedBlock?
  private var at = 0

  init(_ scan: SegmentScan) { self.scan = scan }

  var epoch: UInt64 { block?.header.epoch ?? 0 }

  /// False at the end.
  mutating func fill() throws(StoreError) -> Bool {
    while block.map({ at == $0.body.count }) ?? true {
      guard let next = try scan.nextBlock() else { return false }
      block = next.block
      at = 0
    }
    return true
  }

  /// Moves both behind as many bytes as both have; false if those differ.
  static func takeEqual(_ a: inout RecordCursor, _ b: inout RecordCursor) -> Bool {
    guard let left = a.block?.body[a.at...], let right = b.block?.body[b.at...] else {
      return false
    }
    let count = min(left.count, right.count)
    a.at += count
    b.at += count
    return left.prefix(count).withUnsafeBytes { left in
      right.prefix(count).withUnsafeBytes { right in left.isEqual(to: right) }
    }
  }
}

/// What the sealer is at, for other threads.
package final class SealerStatus: Sendable {
  private struct State {
    var pending = 0
    var lastFailure: StoreError?
    var waiters: [Signal] = []

    var sealing: SealingState { SealingState(pending: pending, lastFailure: lastFailure) }
  }

  private let state = Mutex(State())
  private let stopping = Latch()
  private let changed: (@Sendable (SealingState) -> Void)?

  /// - Parameter changed: as `StoreOptions.sealingChanged`.
  package init(changed: (@Sendable (SealingState) -> Void)? = nil) { self.changed = changed }

  var isStopping: Bool { stopping.isSet }
  func stop() {
    _ = stopping.set()
    state.withLock { wake(&$0) }
  }

  var sealing: SealingState {
    state.withLock { $0.sealing }
  }

  func note(pending: Int) {
    let isOver = state.withLock { state in
      state.pending = pending
      if pending == 0 { wake(&state) }
      return pending == 0
    }
    // What failed is not there any more, or is known as damaged and stays as it is.
    if isOver { noteSuccess() }
  }

  /// Nothing that was tried since the last failure failed.
  func noteSuccess() {
    let worksAgain = state.withLock { state -> SealingState? in
      guard state.lastFailure != nil else { return nil }
      state.lastFailure = nil
      return state.sealing
    }
    if let worksAgain { changed?(worksAgain) }
  }

  func note(failure: StoreError) {
    let news = state.withLock { state -> SealingState? in
      // Every attempt fails in the same way until somebody does something about it.
      let isKnown =
        state.lastFailure?.code == failure.code
      state.lastFailure = failure
      wake(&state)
      return isKnown ? nil : state.sealing
    }
    if let news { changed?(news) }
  }

  private func wake(_ state: inout State) {
    for waiter in state.waiters { waiter.post() }
    state.waiters = []
  }

  /// Posted when nothing is pending, when something failed, or when the sealer ends.
  func notify(_ signal: Signal) {
    state.withLock { state in
      state.waiters.append(signal)
      if isStopping { wake(&state) }
    }
  }
}
