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

  package init(disk: any Disk, directory: String) {
    self.disk = disk
    self.directory = directory
  }

  package func run() throws(StoreError) -> Result {
    let began = disk.monotonic()
    try prepareDirectory()
    let lock = try disk.lock(directory + "/LOCK")
    do throws(StoreError) {
      var result = try recover(lock)
      result.report.microseconds = (disk.monotonic() - began) / 1_000
      lock.describe(
        "boot \(String(decoding: disk.bootID(), as: UTF8.self)) since \(disk.now()) "
          + "epoch \(result.manifest.epoch)\n")
      return result
    } catch {
      lock.release()
      throw error
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
      throw StoreError(.notAStore, "not a directory", path: directory)
    }
    try requirePrivate(directory, status)
  }

  private func requirePrivate(_ path: String, _ status: FileStatus) throws(StoreError) {
    let allowed: UInt32 = status.isDirectory ? 0o700 : 0o600
    guard status.permissions & ~allowed == 0 else {
      let mode = String(status.permissions, radix: 8)
      let wanted = String(allowed, radix: 8)
      throw StoreError(
        .permissions, "mode \(mode) lets others in; run: chmod \(wanted) '\(path)'", path: path)
    }
  }

  private func checkFiles() throws(StoreError) {
    for name in ["FORMAT"] + Manifest.names {
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

  private func recover(_ lock: any DiskLock) throws(StoreError) -> Result {
    try checkFiles()
    let files = StoreFiles(disk: disk, directory: directory)
    let format = try files.format()
    if let format, format.minor > SegmentHeader.minor {
      throw StoreError(
        .notAStore,
        "format \(format.major).\(format.minor) may only be read by this build, "
          + "which writes \(SegmentHeader.major).\(SegmentHeader.minor)",
        path: directory + "/FORMAT")
    }
    try makeIfMissing("seg")
    let index = LogIndex()
    let old = try files.manifest(format?.storeID)
    if old?.isClean != true { try forgetCacheOfLastSegment() }
    var loader = LogLoader(
      disk: disk, directory: directory, index: index, purpose: .writing,
      storeID: format?.storeID ?? old?.storeID)
    loader.watched = old?.synced ?? 0
    if let old { loader.floor = (old.synced, old.opened) }
    try loader.advance()
    let isNew = old == nil && loader.segments == 0 && loader.tail == nil
    if let gap = index.gaps.first { throw damaged(gap) }
    let bootID = disk.bootID()
    try judgeTail(loader, old, bootID)
    try judgeEnd(loader, old)
    let storeID = loader.storeID ?? disk.randomID()
    if format == nil {
      if loader.storeID == nil, !isNew {
        throw StoreError(
          .notAStore, "segments are there, but nothing says which store they belong to",
          path: directory)
      }
      let line = FormatLine(
        major: SegmentHeader.major, minor: SegmentHeader.minor, storeID: storeID)
      try disk.replaceFile(directory, "FORMAT", Array(line.text.utf8))
    }
    let truncated = try setTailAside(loader)
    try loader.computeChain()
    guard let chain = loader.chain else {
      throw StoreError(
        .damaged, "the chain value at the end of the log cannot be computed", path: directory)
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
      // The slot that counts may be in the cache only: the other one is about to be overwritten.
      let slot = try disk.open(directory + "/" + old.name, .readWrite)
      defer { slot.close() }
      try slot.sync()
    }
    let usedEpoch = max(old?.epoch ?? 0, loader.epoch)
    let epoch =
      usedEpoch + (old == nil && !isNew ? Limits.epochLeapWithoutManifest : 1)
    let manifest = Manifest(
      generation: (old?.generation ?? 0) + 1, storeID: storeID, epoch: epoch,
      synced: loader.next - 1, chain: chain, bootID: bootID, isClean: false,
      opened: epoch)
    if old == nil {
      // Both slots, since later ones are written in place: on a full disk none could be made any more.
      var other = manifest
      other.generation -= 1
      try files.write(other)
    }
    try files.write(manifest)
    let report = RecoveryReport(
      storeID: storeID, epoch: Epoch(epoch), last: Position(loader.next - 1), createdStore: isNew,
      previousStopWasClean: isNew || (old?.isClean == true && truncated == nil),
      bootChanged: !isNew && old.map { $0.bootID != bootID } ?? true, truncated: truncated,
      eventsScanned: loader.events, segments: loader.segments, microseconds: 0)
    return Result(
      lock: lock, index: index, manifest: manifest, segment: loader.openSegment,
      nextOrdinal: loader.nextOrdinal, next: loader.next, chain: chain, report: report)
  }

  private func forgetCacheOfLastSegment() throws(StoreError) {
    // After a failed write-back the kernel calls lost pages clean; only the device tells the truth.
    let names = try disk.list(directory + "/seg").filter { SegmentName.first($0) != nil }
    guard let last = names.max() else { return }
    let file = try disk.open(directory + "/seg/" + last, .read)
    file.forgetCache()
    file.close()
  }

  private func damaged(_ gap: LogGap) -> StoreError {
    let range =
      gap.last.map { $0 < gap.first ? "at \(gap.first)" : "\(gap.first)…\($0)" }
      ?? "from \(gap.first)"
    return StoreError(
      .damaged,
      "\(gap.message) (\(gap.rule)) at offset \(gap.offset), positions \(range); nothing was "
        + "changed; read the rest with replay, restore the file from a backup",
      path: gap.path, position: gap.first)
  }

  /// Refuses a tail that somebody may have been told is durable.
  private func judgeTail(
    _ loader: LogLoader, _ old: Manifest?, _ bootID: [UInt8]
  ) throws(StoreError) {
    guard let tail = loader.tail else { return }
    func refusal(_ reason: String) -> StoreError {
      StoreError(
        .damaged,
        "\(tail.rule) at offset \(tail.offset), from position \(tail.first): \(reason); nothing "
          + "was changed; read the rest with replay, restore the file from a backup",
        path: directory + "/seg/" + tail.segment, position: Position(tail.first))
    }
    let witness = max(loader.witness, tail.witness, old?.synced ?? 0)
    if tail.first <= witness {
      throw refusal("positions through \(witness) were acknowledged as durable")
    }
    if let follower = tail.follower {
      // Only a machine that stopped can have lost a block and kept a later one.
      guard let old, !old.bootID.isEmpty, old.bootID != bootID else {
        throw refusal("a whole block at position \(follower.first) follows")
      }
    }
  }

  /// Copies the tail to quarantine/ and cuts it off.
  private func setTailAside(
    _ loader: LogLoader
  ) throws(StoreError) -> RecoveryReport.TruncatedTail? {
    guard let tail = loader.tail else { return nil }
    let path = directory + "/seg/" + tail.segment
    let copy = try copyToQuarantine(tail, path)
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
    return RecoveryReport.TruncatedTail(
      segment: tail.segment, offset: tail.offset, bytes: tail.bytes, rule: tail.rule,
      quarantinePath: copy, firstPosition: Position(tail.first))
  }

  /// A log that ends before what its manifest witnesses has lost events without a trace in itself.
  private func judgeEnd(_ loader: LogLoader, _ old: Manifest?) throws(StoreError) {
    guard let old else { return }
    guard old.synced < loader.next else {
      throw StoreError(
        .damaged,
        "manifest.synced: the log ends at \(loader.next - 1), but \(old.synced) was acknowledged "
          + "as durable; nothing was changed; restore the segments from a backup",
        path: directory + "/" + old.name, position: Position(loader.next))
    }
    if old.synced == 0 { return }
    if let chain = loader.chainAt[old.synced], chain != old.chain {
      throw StoreError(
        .damaged,
        "manifest.chain: the events through \(old.synced) are not those that were written; "
          + "nothing was changed; restore the segments from a backup",
        path: directory + "/" + old.name, position: Position(old.synced))
    }
  }

  // MARK: Quarantine

  /// Copies the tail to quarantine/, with a report; done again after a crash it makes the same files.
  private func copyToQuarantine(
    _ tail: LogLoader.Tail, _ path: String
  ) throws(StoreError) -> String {
    try makeIfMissing("quarantine")
    let folder = directory + "/quarantine"
    let source = try disk.open(path, .read)
    defer { source.close() }
    let temporary = folder + "/tail.tmp"
    if try disk.status(temporary) != nil { try disk.remove(temporary) }
    let copy = try disk.open(temporary, .createNew)
    defer { copy.close() }
    let buffer = RawBuffer(capacity: 256 << 10)
    var done: UInt64 = 0
    var checksum: UInt32 = 0
    while done < tail.bytes {
      let wanted = Int(min(UInt64(buffer.capacity), tail.bytes - done))
      buffer.count = try source.read(
        into: UnsafeMutableRawBufferPointer(rebasing: buffer.storage[..<wanted]),
        at: tail.offset + done)
      if buffer.count == 0 {
        throw StoreError(.io, "the segment became shorter while it was copied", path: path)
      }
      try copy.writeAll(buffer.bytes, at: done)
      checksum = crc32c(buffer.bytes, from: checksum)
      done += UInt64(buffer.count)
    }
    try copy.sync()
    let name = "\(tail.segment).\(tail.offset).\(String(checksum, radix: 16))"
    try disk.rename(temporary, folder + "/" + name + ".bytes")
    try disk.replaceFile(
      folder, name + ".json",
      Array(
        """
        {"segment":"\(tail.segment)","offset":\(tail.offset),"bytes":\(tail.bytes),\
        "rule":"\(tail.rule)","firstPosition":\(tail.first)}

        """.utf8))
    return folder + "/" + name + ".bytes"
  }
}
