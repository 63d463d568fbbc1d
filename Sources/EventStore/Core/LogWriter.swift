/// Decides, encodes and writes; synchronous, for one thread at a time.
///
/// Batches are added to a group, which `flush` makes into one block with one write. Nothing of a group
/// is visible before its write succeeded, and everything of it is afterwards.
package final class LogWriter {
  /// What became of a batch that was added.
  package enum Admission {
    /// It is part of the group: these are its positions once the group is written.
    case placed(AppendReceipt)
    /// It is in the log or in the group already.
    case duplicate(AppendReceipt)
    case refused(StoreError)
    /// It does not fit into this group: flush, then add it again.
    case groupIsFull
  }

  /// A place up to which the log is written, with what a sync and a witness need.
  package struct Mark: Sendable {
    package var file: any DiskFile
    package var position: UInt64
    package var chain: Digest
  }

  private struct Segment {
    var file: any DiskFile
    var end: UInt64
    /// The file's length: behind `end` are zeros.
    var size: UInt64
    /// No zeros are written ahead any more: there was no room for them.
    var isBare = false
    /// Position of its first event.
    var first: UInt64
    var codec: BlockCodec
  }

  private let disk: any Disk
  private let directory: String
  private let options: StoreOptions
  private let storeID: UInt128
  private let seed: UInt32
  private let index: LogIndex
  private let reader: LogReader
  private var segment: Segment?
  /// The next segment was begun and taken back: a power cut may bring it back, and then this one must end
  /// where it was synced.
  private var mayHaveSuccessor = false
  private var nextOrdinal: UInt64

  package private(set) var epoch: UInt64
  /// The position that the next event written has.
  private var next: UInt64
  private var chain: Digest
  /// Syncs a segment that is full; the owner of the syncs puts its own in, so that the one report of a
  /// lost write that the kernel gives a descriptor is never taken by the wrong thread.
  package var sync: (any DiskFile) throws(StoreError) -> Void = { (file) throws(StoreError) in
    try file.sync()
  }
  /// Everything through here is on stable storage; the owner of the syncs sets it.
  package var durableUpTo: UInt64

  // The group.
  private let body = RawBuffer(capacity: 64 << 10)
  private let block = RawBuffer(capacity: 64 << 10)
  private lazy var zeros = [UInt8](repeating: 0, count: options.aheadBytes)
  private var content = BlockContent()
  private var ids = GroupIDs()
  private var groupChain: Digest
  private var minTime = Int64.max
  private var maxTime = Int64.min

  package init(
    disk: any Disk, directory: String, options: StoreOptions, from found: Recovery.Result,
    reader: LogReader
  ) throws(StoreError) {
    self.disk = disk
    self.directory = directory
    self.options = options
    self.reader = reader
    storeID = found.manifest.storeID
    seed = checksumSeed(storeID)
    index = found.index
    epoch = found.manifest.epoch
    next = found.next
    chain = found.chain
    groupChain = found.chain
    durableUpTo = found.next - 1
    nextOrdinal = found.nextOrdinal
    if let open = found.segment {
      let file = try disk.open(directory + "/seg/" + open.name, .readWrite)
      segment = Segment(
        file: file, end: open.end, size: max(open.end, try file.size()), first: open.header.first,
        codec: BlockCodec(dictionary: open.header.dictionary))
    }
  }

  /// The position that the next event added has.
  package var nextPosition: UInt64 { next + UInt64(content.count) }

  /// Events in the group.
  package var groupCount: Int { content.count }

  /// The place up to which the log is written; nil while there is no segment.
  package var mark: Mark? {
    segment.map { Mark(file: $0.file, position: next - 1, chain: chain) }
  }

  /// Later blocks carry this epoch; the caller has made it durable in the manifest.
  func raise(epoch: UInt64) { self.epoch = epoch }

  // MARK: Adding

  /// Adds `batch` to the group if it keeps the bounds, its ids are new and its expectations hold.
  package func add(_ batch: AppendBatch) -> Admission {
    do throws(StoreError) { return add(try PreparedBatch(batch)) } catch { return .refused(error) }
  }

  /// Adds `batch` to the group if its ids are new and its expectations hold.
  func add(_ batch: PreparedBatch) -> Admission {
    if content.count > 0,
      content.count + batch.events.count > Limits.eventsPerBlock
        || body.count + batch.size > Limits.groupBytes
    {
      return .groupIsFull
    }
    if let refusal = noteIDs(batch) ?? conflict(batch) {
      ids.removeLast(to: content.count)
      return refusal
    }
    let first = next + UInt64(content.count)
    place(batch)
    return .placed(
      AppendReceipt(
        epoch: Epoch(epoch), first: Position(first),
        last: Position(first + UInt64(batch.events.count) - 1), wasDuplicate: false))
  }

  /// What is to be said of `batch` without looking at expectations and room: that it is in the log or in
  /// the group; nil: nothing.
  func standing(of batch: PreparedBatch) -> Admission? {
    defer { ids.removeLast(to: content.count) }
    return noteIDs(batch)
  }

  /// Puts the ids into `ids`, unless one of them was seen before: then how the batch stands.
  private func noteIDs(_ batch: PreparedBatch) -> Admission? {
    ids.reserve(batch.events.count)
    var isKnown = false
    for event in batch.events where !ids.insert(event.id, hash: event.idHash) {
      isKnown = true
      break
    }
    do throws(StoreError) {
      if !isKnown {
        for number in index.suspects(among: batch.events) where !isKnown {
          isKnown = try reader.find(batch.events[number].id) != nil
        }
      }
      if !isKnown { return nil }
      ids.removeLast(to: content.count)
      return try known(batch)
    } catch {
      return .refused(error)
    }
  }

  /// How `batch` stands, some of whose ids were seen before or are in it twice.
  private func known(_ batch: PreparedBatch) throws(StoreError) -> Admission {
    var first: UInt64?
    var found = 0
    var isInOrder = true
    var own: Set<UInt128> = []
    for (number, event) in batch.events.enumerated() {
      guard own.insert(event.id).inserted else {
        return .refused(StoreError(.idReused, "the batch has an id twice"))
      }
      guard let position = try position(of: event) else { continue }
      found += 1
      if number == 0 { first = position }
      if first.map({ $0 + UInt64(number) }) != position { isInOrder = false }
    }
    guard let first, isInOrder, found == batch.events.count else {
      return .refused(
        StoreError(
          .idReused, "\(found) of \(batch.events.count) ids are in the log or in another order"))
    }
    let last = first + UInt64(found) - 1
    let epoch = first >= next ? self.epoch : try reader.epoch(at: first) ?? self.epoch
    return .duplicate(
      AppendReceipt(
        epoch: Epoch(epoch), first: Position(first), last: Position(last), wasDuplicate: true))
  }

  private func position(of event: PreparedBatch.Event) throws(StoreError) -> UInt64? {
    if let number = ids.index(of: event.id, hash: event.idHash) { return next + UInt64(number) }
    return try reader.find(event.id)
  }

  private func conflict(_ batch: PreparedBatch) -> Admission? {
    for expectation in batch.expected {
      let actual =
        content.revision(of: expectation.stream) ?? index.revision(of: expectation.stream)
      let holds =
        switch expectation.revision {
        case .exactly(let wanted): wanted.rawValue == actual
        case .exists: actual > 0
        }
      if !holds {
        return .refused(
          StoreError(
            .conflict, "the stream is at revision \(actual)", stream: expectation.stream,
            actual: Revision(actual)))
      }
    }
    return nil
  }

  private func place(_ batch: PreparedBatch) {
    var (stream, touch, key) = (Int32(-1), 0, 0)
    for event in batch.events {
      if event.stream != stream {
        stream = event.stream
        touch = content.touch(batch.streams[Int(stream)]) { index.revision(of: $0) }
      }
      let revision = content.add(id: event.id, hash: event.idHash, touch: touch)
      for _ in 0..<event.keys {
        content.add(keyHash: batch.keyHashes[key])
        key += 1
      }
      groupChain = groupChain.chained(batch.append(event, revision: revision, to: body))
      minTime = min(minTime, event.time)
      maxTime = max(maxTime, event.time)
    }
  }

  // MARK: Writing

  /// Writes the group as one block; afterwards the group is empty, whether that succeeded or not.
  ///
  /// - Throws: `.full` if there was no room: the log is as before. Any other error leaves the outcome
  ///   unknown, and the writer must not be used again.
  package func flush() throws(StoreError) {
    guard content.count > 0 else { return }
    defer { dropGroup() }
    try rollIfNeeded()
    guard var segment else { return }
    let header = buildBlock(segment.codec)
    if let full = try write(block, to: segment) { throw full }
    index.publish(header, offset: segment.end, content)
    segment.end += UInt64(header.extent)
    writeAhead(&segment)
    self.segment = segment
    next = header.last + 1
    chain = groupChain
  }

  private func outcomeUnknown(_ error: StoreError) -> StoreError {
    var error = error
    error.code = .io
    error.message += "; outcome unknown: the events may or may not be in the log"
    return error
  }

  /// Gives up the group: none of its events is in the log.
  package func dropGroup() {
    body.count = 0
    content.removeAll()
    ids.removeAll()
    groupChain = chain
    minTime = .max
    maxTime = .min
  }

  private func buildBlock(_ codec: BlockCodec) -> BlockHeader {
    block.count = 0
    block.reserve(BlockHeader.bytes + BlockCodec.bound(body.count) + 8)
    let room = UnsafeMutableRawBufferPointer(rebasing: block.storage[BlockHeader.bytes...])
    let compressed = codec.compress(body.bytes, into: room)
    if compressed == nil { room.copyMemory(from: body.bytes) }
    let stored = compressed ?? body.count
    for padding in stored..<aligned8(stored) { room[padding] = 0 }
    let header = BlockHeader(
      epoch: epoch, first: next, count: UInt32(content.count), rawBytes: UInt32(body.count),
      storedBytes: UInt32(stored),
      bodyChecksum: crc32c(UnsafeRawBufferPointer(room).slice(0..<stored)), minTime: minTime,
      maxTime: maxTime, chainBefore: chain, durableUpTo: min(durableUpTo, next - 1),
      isCompressed: compressed != nil)
    header.encode(into: block.storage, seed: seed)
    block.count = header.extent
    return header
  }

  /// Writes a block without events behind the last one, which must be on stable storage and which it
  /// proves to have been: damage to that one is no longer taken for an append that a crash cut short.
  ///
  /// - Returns: false if there is nothing to prove, or no room.
  /// - Throws: what leaves the outcome unknown; the writer must not be used again.
  package func writeWitness() throws(StoreError) -> Bool {
    guard var segment, content.count == 0, segment.first < next, durableUpTo == next - 1,
      !mayHaveSuccessor
    else { return false }
    let header = BlockHeader.witness(epoch: epoch, next: next, chain: chain)
    block.count = 0
    block.reserve(BlockHeader.bytes)
    header.encode(into: block.storage, seed: seed)
    block.count = BlockHeader.bytes
    guard try write(block, to: segment) == nil else { return false }
    segment.end += UInt64(header.extent)
    segment.size = max(segment.size, segment.end)
    self.segment = segment
    index.extend(to: segment.end)
    return true
  }

  /// Zeros behind the last block: a write within them does not make the file longer.
  var bytesAhead: Int { segment.map { Int(clamping: $0.size - $0.end) } ?? 0 }

  /// Makes the file longer by zeros once its blocks have filled it.
  ///
  /// A write that makes a file longer changes what the file system's journal keeps of it, and waits while that
  /// commits a sync; a write over zeros does not. They cost nothing but room, and without room nothing.
  private func writeAhead(_ segment: inout Segment) {
    guard segment.end > segment.size else { return }
    segment.size = segment.end
    let room = max(0, options.segmentBytes - Int(clamping: segment.end))
    let count = min(options.aheadBytes, room)
    guard count > 0, !segment.isBare else { return }
    do throws(StoreError) {
      try zeros.withUnsafeBufferPointer { (zeros) throws(StoreError) in
        try segment.file.writeAll(
          UnsafeRawBufferPointer(zeros).slice(0..<count), at: segment.end)
      }
      segment.size += UInt64(count)
    } catch {
      segment.isBare = true
      // What came of it is zeros; where it stays, the next block is written over it.
      _ = try? segment.file.truncate(to: segment.end)
    }
  }

  /// Takes back what was written ahead; what follows, if anything, makes the file longer again.
  package func trim() throws(StoreError) {
    guard var segment, segment.size > segment.end else { return }
    try segment.file.truncate(to: segment.end)
    segment.size = segment.end
    self.segment = segment
  }

  /// Writes a block whole behind the end of `segment`.
  ///
  /// - Returns: why there is no room; the segment is as before.
  /// - Throws: what leaves the outcome unknown.
  private func write(
    _ block: RawBuffer, to segment: Segment
  ) throws(StoreError) -> StoreError? {
    do throws(StoreError) {
      try segment.file.writeAll(block.bytes, at: segment.end)
      return nil
    } catch {
      guard error.code == .full else { throw outcomeUnknown(error) }
      do throws(StoreError) { try takeBack(block.count, from: segment) } catch {
        throw outcomeUnknown(error)
      }
      return error
    }
  }

  /// Takes back what a write that did not fit may have left behind the end of `segment`, for good.
  ///
  /// All of the block may be there, or all but the zeros at its end. Its events are about to be refused: they must
  /// come back neither when a power cut undoes this, nor when the file grows again and the file system shows there what
  /// the place held before. So zeros are written over it, and synced; it is as if they had been written ahead.
  private func takeBack(_ count: Int, from segment: Segment) throws(StoreError) {
    let size = try segment.file.size()
    guard size > segment.end else {
      // Nothing was handed over.
      self.segment?.size = segment.end
      return
    }
    let zeros = [UInt8](repeating: 0, count: min(count, Int(clamping: size - segment.end)))
    do throws(StoreError) {
      try zeros.withUnsafeBufferPointer { (zeros) throws(StoreError) in
        try segment.file.writeAll(UnsafeRawBufferPointer(zeros), at: segment.end)
      }
      self.segment?.size = size
    } catch {
      // Only a file system that never writes in place needs room for this, and that one shows nothing old.
      guard error.code == .full else { throw error }
      try segment.file.truncate(to: segment.end)
      self.segment?.size = segment.end
    }
    try sync(segment.file)
  }

  // MARK: Segments

  /// The next flush begins a segment, which takes several syncs.
  var isRollDue: Bool {
    guard let segment else { return true }
    // A segment without an event has the name that its successor would get.
    return segment.first < next
      && (segment.end >= UInt64(options.segmentBytes)
        || next - segment.first >= UInt64(options.segmentEvents))
  }

  private func rollIfNeeded() throws(StoreError) {
    guard isRollDue else { return }
    if let segment {
      do throws(StoreError) { try trim() } catch { throw outcomeUnknown(error) }
      // Before its successor exists, so that a hole between segments is never the work of a crash.
      do throws(StoreError) { try sync(segment.file) } catch { throw outcomeUnknown(error) }
    }
    let header = SegmentHeader(
      storeID: storeID, ordinal: nextOrdinal, first: next, created: disk.now(), epoch: epoch,
      chainBefore: chain, dictionary: options.dictionary)
    let folder = directory + "/seg"
    let name = SegmentName.of(next)
    let temporary = folder + "/" + name + ".tmp"
    if try disk.status(temporary) != nil { try disk.remove(temporary) }
    guard try disk.status(folder + "/" + name) == nil else {
      throw StoreError(.io, "a segment of this name is there already", path: folder + "/" + name)
    }
    let file = try disk.open(temporary, .createNew)
    do throws(StoreError) {
      try file.writeAll(header.encoded(), at: 0)
      try file.sync()
      try disk.rename(temporary, folder + "/" + name)
      file.isNow(at: folder + "/" + name)
    } catch {
      // The name never stood for a segment; what is left of it is removed at the next opening at last.
      _ = try? disk.remove(temporary)
      throw error.code == .full ? error : outcomeUnknown(error)
    }
    do throws(StoreError) { try disk.syncDirectory(folder) } catch {
      // Nothing is in it: without it, or with it after a crash, the log is as before.
      guard error.code == .full, (try? disk.remove(folder + "/" + name)) != nil else {
        throw outcomeUnknown(error)
      }
      mayHaveSuccessor = true
      throw error
    }
    if segment != nil { durableUpTo = max(durableUpTo, next - 1) }
    mayHaveSuccessor = false
    index.begin(segment: header, path: folder + "/" + name)
    segment = Segment(
      file: file, end: UInt64(header.encodedBytes), size: UInt64(header.encodedBytes),
      first: header.first, codec: BlockCodec(dictionary: header.dictionary))
    nextOrdinal += 1
  }
}
