/// The files of a store beside its segments: FORMAT and the two manifest slots.
package struct StoreFiles {
  let disk: any Disk
  let directory: String

  package init(disk: any Disk, directory: String) {
    self.disk = disk
    self.directory = directory
  }

  /// Whether anything is here that a log consists of; what was not renamed yet is nothing.
  func hasLog() throws(StoreError) -> Bool {
    for name in ["FORMAT"] + Manifest.names
    where try disk.status(directory + "/" + name) != nil {
      return true
    }
    let folder = directory + "/seg"
    guard let status = try disk.status(folder) else { return false }
    // Not a directory: whatever it is, opening says it.
    guard status.isDirectory else { return true }
    return try disk.list(folder).contains { !$0.hasSuffix(".tmp") }
  }

  /// The line in FORMAT; nil if there is no such file.
  ///
  /// - Throws: `.notAStore` if there is something else in it.
  func format() throws(StoreError) -> FormatLine? {
    let path = directory + "/FORMAT"
    guard try disk.status(path) != nil else { return nil }
    let file = try disk.open(path, .read)
    defer { file.close() }
    guard let bytes = try file.readAll(limit: 256),
      let line = FormatLine(String(decoding: bytes, as: UTF8.self))
    else {
      throw StoreError(
        .notAStore,
        "at offset 0: format.line: this must be the line \"\(FormatLine.name) MAJOR.MINOR UUID\"; "
          + "move the file away, and it is made again from the segments", path: path)
    }
    guard line.major == SegmentHeader.major else {
      throw StoreError(
        .notAStore,
        "at offset 0: format.unknown: format \(line.major).\(line.minor), and this build knows "
          + "\(SegmentHeader.major).x only; use the build that wrote it", path: path)
    }
    return line
  }

  /// The newer whole slot of `storeID`; nil if there is none.
  ///
  /// - Throws: `.notAStore` if a slot is whole but of another store.
  func manifest(_ storeID: UInt128?) throws(StoreError) -> Manifest? {
    var newest: Manifest?
    for name in Manifest.names {
      let path = directory + "/" + name
      guard try disk.status(path) != nil else { continue }
      let file = try disk.open(path, .read)
      defer { file.close() }
      guard let bytes = try file.readAll(limit: Manifest.bytes), let slot = Manifest(bytes) else {
        continue
      }
      if let storeID, slot.storeID != storeID {
        throw StoreError(
          .notAStore,
          "at offset 16: manifest.store-id: this is of store \(uuidText(slot.storeID)), FORMAT or the "
            + "segments are of \(uuidText(storeID)); move away the one that is not of this log: both are "
            + "made again from the segments", path: path)
      }
      if slot.generation >= newest?.generation ?? 0 { newest = slot }
    }
    return newest
  }

  /// The losses that a person accepted.
  func accepted(_ storeID: UInt128) throws(StoreError) -> AcceptedLosses {
    AcceptedLosses(try acceptedText() ?? [], storeID: storeID)
  }

  private func acceptedText() throws(StoreError) -> [UInt8]? {
    let path = directory + "/" + AcceptedLosses.name
    guard try disk.status(path) != nil else { return nil }
    let file = try disk.open(path, .read)
    defer { file.close() }
    guard let text = try file.readAll(limit: AcceptedLosses.bytesMax) else {
      throw StoreError(
        .notAStore,
        "at offset \(AcceptedLosses.bytesMax): accepted.length: this is longer than what this program "
          + "writes; move it away, and losses that were accepted will be asked for again",
        path: path
      )
    }
    return text
  }

  /// Adds lines to ACCEPTED, durably; those that are there stay as they are.
  func accept(_ losses: [AcceptedLoss], storeID: UInt128) throws(StoreError) {
    var text = try acceptedText() ?? []
    if let last = text.last, last != 10 { text.append(10) }
    for loss in losses { text += Array(loss.line(storeID: storeID).utf8) + [10] }
    guard text.count <= AcceptedLosses.bytesMax else {
      throw StoreError(
        .invalidDraft,
        "accepted.length: with these losses the file would have more than \(AcceptedLosses.bytesMax) "
          + "bytes; give a shorter reason, or restore the damaged files from a backup",
        path: directory + "/" + AcceptedLosses.name)
    }
    try disk.replaceFile(directory, AcceptedLosses.name, text)
  }

  /// Removes, durably, the snapshots at `position` and behind it, of whatever projection.
  func removeSnapshots(from position: UInt64) throws(StoreError) {
    let folder = directory + "/" + SnapshotName.directory
    guard try disk.status(folder) != nil else { return }
    var isChanged = false
    for name in try disk.list(folder).sorted() {
      guard let at = SnapshotName.position(name), at >= position else { continue }
      try disk.remove(folder + "/" + name)
      isChanged = true
    }
    if isChanged { try disk.syncDirectory(folder) }
  }

  /// The store that the first readable segment belongs to; nil if there is none.
  func storeIDOfSegments() throws(StoreError) -> UInt128? {
    for name in try disk.list(directory + "/seg").sorted() {
      guard let (_, kind) = SegmentName.parse(name), kind != .index else { continue }
      let file = try disk.open(directory + "/seg/" + name, .read)
      defer { file.close() }
      let room = RawBuffer(capacity: SegmentHeader.maxBytes)
      room.count = try file.read(into: room.storage, at: 0)
      do throws(SegmentHeader.Fault) { return try SegmentHeader(room.bytes).storeID } catch {
        continue
      }
    }
    return nil
  }

  /// Makes `manifest` durable in its slot; the other slot stays as it is.
  package func write(_ manifest: Manifest) throws(StoreError) {
    let path = directory + "/" + manifest.name
    let bytes = manifest.encoded()
    guard let status = try disk.status(path), status.size == UInt64(Manifest.bytes) else {
      try disk.replaceFile(directory, manifest.name, bytes)
      return
    }
    // In place: a slot that is torn by a crash is the one that does not count.
    let file = try disk.open(path, .readWrite)
    defer { file.close() }
    try file.writeAll(bytes, at: 0)
    try file.sync()
  }
}
