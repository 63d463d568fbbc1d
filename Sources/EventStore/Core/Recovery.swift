/// Opening for writing: takes the lock, judges what it finds, sets an unacknowledged tail aside,
/// makes the next epoch durable.
///
/// docs/file-format.md, "Recovery", gives the rules in words.
package struct Recovery {
  /// What the writer goes on from.
  package struct Result {
    package var lock: any DiskLock
    package var index: LogIndex
    package var manifest: Manifest
    /// The segment that appends go to; nil: none yet.
    package var segment: (name: String, header: SegmentHeader, end: UInt64)?
    package var nextOrdinal: UInt64
    package var next: UInt64
    package var chain: Digest
    package var report: RecoveryReport
  }

  let disk: any Disk
  let directory: String
  /// What a person accepts with this opening; nil: nothing new.
  let acceptance: LossAcceptance?
  private let files: StoreFiles

  package init(disk: any Disk, directory: String, accepting acceptance: LossAcceptance? = nil) {
    self.disk = disk
    self.directory = directory
    self.acceptance = acceptance
    files = StoreFiles(disk: disk, directory: directory)
  }

  package func run() throws(StoreError) -> Result {
    let began = disk.monotonic()
    try prepareDirectory()
    let lock = try disk.lock(directory + "/LOCK")
    do throws(StoreError) {
      var result = try recoverOnFullDisk(lock)
      result.report.microseconds = (disk.monotonic() - began) / 1_000
      lock.describe(
        "epoch \(result.manifest.epoch), open since \(utcText(disk.now())), boot "
          + String(decoding: disk.bootID(), as: UTF8.self))
      return result
    } catch {
      lock.release()
      throw error
    }
  }

  /// Recovers, at need with the space that an earlier life kept for when it matters.
  private func recoverOnFullDisk(_ lock: any DiskLock) throws(StoreError) -> Result {
    do throws(StoreError) { return try recover(lock) } catch {
      guard error.code == .full, try SpaceReserve.giveUp(disk: disk, directory: directory) else {
        throw error
      }
      return try recover(lock)
    }
  }

  // MARK: Directory and files

  private func prepareDirectory() throws(StoreError) {
    guard let status = try disk.status(directory) else {
      try disk.makeDirectory(directory)
      try disk.syncDirectory(parent(directory))
      return
    }
    guard status.isDirectory else {
      throw StoreError(
        .notAStore, "store.directory: this is a file; name the directory that holds the log",
        path: directory)
    }
    try requirePrivate(directory, status)
  }

  private func requirePrivate(_ path: String, _ status: FileStatus) throws(StoreError) {
    let allowed: UInt32 = status.isDirectory ? 0o700 : 0o600
    guard status.permissions & ~allowed == 0 else {
      let mode = String(status.permissions, radix: 8)
      let wanted = String(allowed, radix: 8)
      throw StoreError(
        .permissions,
        "store.mode: mode \(mode) lets other users in; run: chmod \(wanted) \(shellQuoted(path))",
        path: path)
    }
  }

  private func checkFiles() throws(StoreError) {
    for name in ["FORMAT", AcceptedLosses.name, SpaceReserve.name] + Manifest.names {
      let path = directory + "/" + name
      if let status = try disk.status(path) { try requirePrivate(path, status) }
    }
    for folder in ["seg", "quarantine"] {
      let path = directory + "/" + folder
      guard let status = try disk.status(path) else { continue }
      try requirePrivate(path, status)
      for name in try disk.list(path).sorted() {
        let file = path + "/" + name
        if let status = try disk.status(file) { try requirePrivate(file, status) }
        // Never named by anything: left by a crash between writing and renaming.
        if name.hasSuffix(".tmp") { try disk.remove(file) }
      }
    }
  }

  private func parent(_ path: String) -> String {
    var path = path[...]
    while path.count > 1, path.hasSuffix("/") { path = path.dropLast() }
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private func makeIfMissing(_ name: String) throws(StoreError) {
    let path = directory + "/" + name
    guard try disk.status(path) == nil else { return }
    try disk.makeDirectory(path)
    try disk.syncDirectory(directory)
  }

  // MARK: Judging

  /// What all decisions are made from.
  private struct Known {
    var format: FormatLine?
    /// The manifest that the last writer left; nil: none survived.
    var manifest: Manifest?
    var storeID: UInt128?
    var bootID: [UInt8]
    var accepted = AcceptedLosses()

    /// Only a machine that stopped can have lost a block and kept a later one.
    var hasMachineStopped: Bool {
      manifest.map { !$0.bootID.isEmpty && $0.bootID != bootID } ?? false
    }
  }

  /// Reads the whole log and names all that is damaged in it as a refusal does; nil if nothing is.
  ///
  /// An opening takes finished segments by their indexes, so what is wrong inside them shows only when it
  /// is read. Changes nothing.
  func refusal() throws(StoreError) -> StoreError? {
    var known = Known(bootID: disk.bootID())
    known.format = try files.format()
    known.manifest = try files.manifest(known.format?.storeID)
    known.storeID = known.format?.storeID ?? known.manifest?.storeID
    if let storeID = known.storeID { known.accepted = try files.accepted(storeID) }
    let gaps = try survey(known).gaps
    return gaps.isEmpty ? nil : StoreError.damaged(gaps, directory: directory)
  }

  private func recover(_ lock: any DiskLock) throws(StoreError) -> Result {
    try checkFiles()
    var known = Known(bootID: disk.bootID())
    known.format = try files.format()
    if let format = known.format, format.minor > SegmentHeader.minor {
      throw StoreError(
        .notAStore,
        "at offset 0: format.newer: a newer build wrote format \(format.major).\(format.minor); this one "
          + "writes \(SegmentHeader.major).\(SegmentHeader.minor) and may only read it, with replay; "
          + "start the build that wrote it",
        path: directory + "/FORMAT")
    }
    try makeIfMissing("seg")
    known.manifest = try files.manifest(known.format?.storeID)
    known.storeID = known.format?.storeID ?? known.manifest?.storeID
    if known.storeID == nil { known.storeID = try files.storeIDOfSegments() }
    if let storeID = known.storeID { known.accepted = try files.accepted(storeID) }
    if known.manifest?.isClean != true { try forgetCacheOfLastSegment() }
    if let acceptance { try accept(acceptance, &known) }
    let (loader, index) = try load(known, purpose: .writing)
    let misplaced = index.gaps.filter { $0.isAccepted && Self.misplacing.contains($0.rule) }
    if !misplaced.isEmpty {
      let quarantine = Quarantine(
        disk: disk, directory: directory, storeID: loader.storeID ?? 0)
      for gap in misplaced { try quarantine.move(fileName(gap.path)) }
      let again = try load(known, purpose: .writing)
      return try resume(again.loader, again.index, known, lock)
    }
    return try resume(loader, index, known, lock)
  }

  /// Rules by which a whole segment is passed over.
  private static let misplacing: Set<String> = [
    "segment.store-id", "segment.name", "segment.overlap", "segment.ordinal",
  ]

  private func load(
    _ known: Known, purpose: LogLoader.Purpose
  ) throws(StoreError) -> (loader: LogLoader, index: LogIndex) {
    let index = LogIndex(disk: disk, directory: directory, accepted: known.accepted)
    var loader = LogLoader(
      disk: disk, directory: directory, index: index, purpose: purpose, storeID: known.storeID,
      readsAllBlocks: purpose == .reading)
    loader.watched = known.manifest?.synced ?? 0
    if let old = known.manifest { loader.floor = (old.synced, old.opened) }
    try loader.advance()
    return (loader, index)
  }

  /// All damage that nobody accepted yet; empty: the log may be written to.
  private func damage(_ loader: LogLoader, _ index: LogIndex, _ known: Known) -> [LogGap] {
    var gaps = index.gaps
    let end = EndOfLog(
      loader, directory: directory, manifest: known.manifest, time: index.latestTime,
      mayCutFollower: known.hasMachineStopped)
    if let gap = end.gap, !gap.isUnprovenTail { gaps.append(gap) }
    if let old = known.manifest, old.synced > 0, let chain = loader.chainAt[old.synced],
      chain != old.chain
    {
      gaps.append(
        LogGap(
          path: directory + "/" + old.name, offset: 56, first: Position(old.synced),
          last: Position(old.synced - 1), minTime: nil, maxTime: nil, rule: "manifest.chain",
          message: "the events through \(old.synced) are not those that were written",
          isUnprovenTail: false))
    }
    return gaps.filter { !$0.isAccepted && known.accepted.covering($0) == nil }
  }

  /// All damage: every block is read to the end, where the opening itself believes the indexes of finished
  /// segments and stops reading where it must not go on.
  private func survey(
    _ known: Known
  ) throws(StoreError) -> (gaps: [LogGap], loader: LogLoader, index: LogIndex) {
    var (loader, index) = try load(known, purpose: .reading)
    let gaps = damage(loader, index, known)
    try loader.computeChain()
    return (gaps, loader, index)
  }

  private func forgetCacheOfLastSegment() throws(StoreError) {
    // After a failed write-back the kernel calls lost pages clean; only the device tells the truth.
    let names = try disk.list(directory + "/seg").filter { SegmentName.first($0) != nil }
    guard let last = names.max() else { return }
    let file = try disk.open(directory + "/seg/" + last, .read)
    file.forgetCache()
    file.close()
  }

  // MARK: Going on

  private func resume(
    _ loader: LogLoader, _ index: LogIndex, _ known: Known, _ lock: any DiskLock
  ) throws(StoreError) -> Result {
    var loader = loader
    let found = damage(loader, index, known)
    if !found.isEmpty {
      let all = try survey(known).gaps
      throw StoreError.damaged(all.isEmpty ? found : all, directory: directory)
    }
    let old = known.manifest
    let isNew = old == nil && loader.segments == 0 && loader.tail == nil
    let storeID = loader.storeID ?? disk.randomID()
    if known.format == nil {
      if loader.storeID == nil, !isNew {
        throw StoreError(
          .notAStore,
          "store.identity: there are files in seg/, and nothing whole says which store they belong to; "
            + "restore FORMAT, a manifest or a segment from a backup", path: directory)
      }
      let line = FormatLine(
        major: SegmentHeader.major, minor: SegmentHeader.minor, storeID: storeID)
      try disk.replaceFile(directory, "FORMAT", Array(line.text.utf8))
    }
    let quarantine = Quarantine(disk: disk, directory: directory, storeID: storeID)
    let truncated = try setTailAside(loader, quarantine)
    // A lost end keeps its positions: the log goes on behind it, in a segment of its own.
    let lostEnd = known.accepted.range(holding: loader.next)
    if lostEnd == nil { try loader.computeChain() }
    guard let chain = lostEnd?.chain ?? loader.chain else {
      throw StoreError(
        .damaged,
        "store.chain: the chain value at \(loader.next - 1), the end of the log, cannot be computed; "
          + "restore the last segment from a backup", path: directory,
        position: Position(loader.next))
    }
    if let open = loader.openSegment {
      // What was read may be in the page cache only; from here on it counts as durable.
      let file = try disk.open(directory + "/seg/" + open.name, .readWrite)
      defer { file.close() }
      try file.sync()
    }
    // A process killed between a rename and the sync of its directory leaves names that only the cache
    // knows: what is appended to such a segment would go with its name.
    if old == nil { try disk.syncDirectory(parent(directory)) }
    try disk.syncDirectory(directory)
    try disk.syncDirectory(directory + "/seg")
    if let old {
      // The slot that counts may be in the cache only: the other one is about to be overwritten. If somebody
      // put it into the other one's place, there is nothing to be synced.
      let path = directory + "/" + old.name
      if try disk.status(path) != nil {
        let slot = try disk.open(path, .readWrite)
        defer { slot.close() }
        try slot.sync()
      }
    }
    let next = lostEnd.map { $0.last.rawValue + 1 } ?? loader.next
    let manifest = try writeManifest(
      known, loader, storeID: storeID, synced: next - 1, chain: chain, isNew: isNew,
      isClean: old?.isClean == true && truncated == nil)
    if let lostEnd, next > loader.next {
      var gap = LogGap(
        path: directory + (SegmentName.parse(lostEnd.file) == nil ? "/" : "/seg/") + lostEnd.file,
        offset: lostEnd.offset,
        first: Position(loader.next), last: lostEnd.last, minTime: index.latestTime, maxTime: nil,
        rule: lostEnd.rule, message: "the end of the log was lost", isUnprovenTail: false)
      gap.isAccepted = true
      index.add(gap: gap)
    }
    var report = RecoveryReport(
      storeID: storeID, epoch: Epoch(manifest.epoch), last: Position(next - 1),
      createdStore: isNew,
      previousStopWasClean: isNew || (old?.isClean == true && truncated == nil),
      bootChanged: !isNew && old.map { $0.bootID != known.bootID } ?? true, truncated: truncated,
      eventsScanned: loader.events, segments: loader.segments, microseconds: 0)
    report.pendingTails = try quarantine.pending()
    if manifest.gapAfter > 0 {
      report.possibleGap = RecoveryReport.PossibleGap(
        after: Epoch(manifest.gapAfter),
        eventID: EventID(
          derivedFrom: ["possible gap", String(manifest.gapAfter)], storeID: storeID))
    }
    report.acceptedLosses = known.accepted.losses
    return Result(
      lock: lock, index: index, manifest: manifest,
      segment: lostEnd == nil ? loader.openSegment : nil, nextOrdinal: loader.nextOrdinal,
      next: next, chain: chain, report: report)
  }

  private func writeManifest(
    _ known: Known, _ loader: LogLoader, storeID: UInt128, synced: UInt64, chain: Digest,
    isNew: Bool, isClean: Bool
  ) throws(StoreError) -> Manifest {
    let old = known.manifest
    let usedEpoch = max(old?.epoch ?? 0, loader.epoch)
    let epoch =
      usedEpoch + (old == nil && !isNew ? Limits.epochLeapWithoutManifest : 1)
    guard epoch < Limits.numbers else {
      throw StoreError(
        .notAStore,
        "store.epoch: epoch \(usedEpoch) leaves none for this opening, so a file was forged; restore "
          + "the store from a backup", path: directory)
    }
    var manifest = Manifest(
      generation: (old?.generation ?? 0) + 1, storeID: storeID, epoch: epoch, synced: synced,
      chain: chain, bootID: known.bootID, isClean: false, opened: epoch)
    // In the manifest until somebody noted it: a crash before that must not lose it.
    manifest.gapAfter = old?.gapAfter ?? 0
    if manifest.gapAfter == 0, !isNew, !isClean, old?.bootID != known.bootID {
      manifest.gapAfter = max(usedEpoch, 1)
    }
    if old == nil {
      // Both slots, since later ones are written in place: on a full disk none could be made any more.
      var other = manifest
      other.generation -= 1
      try files.write(other)
    }
    try files.write(manifest)
    return manifest
  }

  /// Copies the tail to quarantine/ and cuts it off.
  private func setTailAside(
    _ loader: LogLoader, _ quarantine: Quarantine
  ) throws(StoreError) -> RecoveryReport.TruncatedTail? {
    guard let tail = loader.tail else { return nil }
    let path = directory + "/seg/" + tail.segment
    let kept = try quarantine.keep(tail)
    if tail.isWholeSegment {
      // The name is needed again.
      try disk.remove(path)
      try disk.syncDirectory(directory + "/seg")
    } else {
      let file = try disk.open(path, .readWrite)
      defer { file.close() }
      try file.truncate(to: tail.offset)
      try file.sync()
    }
    return kept
  }

  // MARK: Accepting

  /// Puts the loss that a person named into ACCEPTED, if it is exactly what is damaged.
  private func accept(_ acceptance: LossAcceptance, _ known: inout Known) throws(StoreError) {
    let (gaps, loader, index) = try survey(known)
    guard !acceptance.reason.isEmpty else {
      throw StoreError(.invalidDraft, "a loss is accepted for a reason; give one")
    }
    var ranges: Set<ClosedRange<Position>> = []
    var places: Set<Position> = []
    for gap in gaps {
      if let last = gap.last, last >= gap.first {
        ranges.insert(gap.first...last)
      } else {
        places.insert(gap.first)
      }
    }
    // Accepting again after a crash in between is no mistake.
    let old = known.accepted.losses
    let oldRanges = Set(old.filter { $0.first <= $0.last }.map { $0.first...$0.last })
    let oldPlaces = Set(old.filter { $0.last < $0.first }.map(\.first))
    let (named, at) = (Set(acceptance.positions), Set(acceptance.places))
    let isExact =
      ranges.isSubset(of: named) && named.subtracting(ranges).isSubset(of: oldRanges)
      && places.isSubset(of: at) && at.subtracting(places).isSubset(of: oldPlaces)
      && !(named.isEmpty && at.isEmpty)
    guard isExact else {
      guard !gaps.isEmpty else {
        throw StoreError(
          .invalidDraft, "what was named is not damaged: nothing here needs to be accepted",
          path: directory)
      }
      throw StoreError.damaged(
        gaps, directory: directory, because: "what was named is not what is damaged: ")
    }
    guard !gaps.isEmpty else { return }
    guard let storeID = loader.storeID else {
      throw StoreError(
        .notAStore,
        "store.identity: nothing whole says which store this is; restore FORMAT, a manifest or a "
          + "segment from a backup",
        path: directory)
    }
    var losses: [AcceptedLoss] = []
    let time = disk.now()
    for gap in gaps {
      losses.append(
        AcceptedLoss(
          first: gap.first, last: gap.last ?? gap.first, file: fileName(gap.path),
          offset: gap.offset, rule: gap.rule,
          chain: gap.isEmpty ? nil : try chain(behind: gap, loader, index, known), time: time,
          actor: AcceptedLoss.field(acceptance.actor, 128),
          reason: AcceptedLoss.field(acceptance.reason, 1_024)))
    }
    // They remember what the log does not any more, and all that is told must be told by the log.
    try files.removeSnapshots(from: gaps.map(\.first.rawValue).min() ?? 1)
    try files.accept(losses, storeID: storeID)
    known.storeID = storeID
    known.accepted = try files.accepted(storeID)
  }

  /// The chain value with which the log goes on behind `gap`.
  private func chain(
    behind gap: LogGap, _ loader: LogLoader, _ index: LogIndex, _ known: Known
  ) throws(StoreError) -> Digest {
    let last = gap.last ?? gap.first
    if let place = try index.place(atOrAfter: last.rawValue + 1), place.first == last.rawValue + 1 {
      return try header(of: place).chainBefore
    }
    if loader.next == last.rawValue + 1, let chain = loader.chain { return chain }
    if let old = known.manifest, old.synced == last.rawValue { return old.chain }
    return AcceptedLoss.derivedChain(
      after: try lastChain(index), first: gap.first.rawValue, last: last.rawValue)
  }

  /// The chain value at the last event that can be read.
  private func lastChain(_ index: LogIndex) throws(StoreError) -> Digest {
    let last = index.last
    guard last > 0, let place = try index.place(atOrAfter: last) else { return .zero }
    let header = try header(of: place)
    let file = try disk.open(place.path, .read)
    defer { file.close() }
    let room = RawBuffer(capacity: header.extent)
    room.count = try file.read(into: room.storage, at: place.offset)
    guard
      case .success(let block) = DecodedBlock.decode(
        header, room.bytes, dictionary: place.header.dictionary),
      let chain = block.chain(through: last)
    else { throw changed(place) }
    return chain
  }

  private func header(of place: LogIndex.Place) throws(StoreError) -> BlockHeader {
    let file = try disk.open(place.path, .read)
    defer { file.close() }
    let room = RawBuffer(capacity: BlockHeader.bytes)
    room.count = try file.read(into: room.storage, at: place.offset)
    do throws(BlockHeader.Fault) {
      return try BlockHeader(room.bytes, seed: checksumSeed(place.header.storeID))
    } catch {
      throw changed(place)
    }
  }

  private func changed(_ place: LogIndex.Place) -> StoreError {
    StoreError(
      .io, "the block at offset \(place.offset) changed while it was read; try again",
      path: place.path)
  }
}
