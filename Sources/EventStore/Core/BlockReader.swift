/// Reads the blocks that an index names, one at a time, and keeps what was read last.
///
/// Each block is checked again: it may have changed on the disk since the index was built from it.
final class BlockReader: Sendable {
  private let index: LogIndex
  private let isOfBundle: Bool
  private let recent = RecentCache<Key, DecodedBlock>(bound: Limits.blockCacheBytes)

  private struct Key: Hashable {
    var path: String
    var generation: UInt64
    var offset: UInt64
  }

  init(_ index: LogIndex, isOfBundle: Bool) {
    self.index = index
    self.isOfBundle = isOfBundle
  }

  /// The block that holds `position`; nil if that cannot be read.
  func block(holding position: UInt64) throws(StoreError) -> DecodedBlock? {
    while let place = try index.place(atOrAfter: position), place.first <= position {
      switch try block(place) {
      case .success(let block)?: return block
      case .failure?: return nil
      // Sealed meanwhile, where other blocks begin at other positions.
      case nil: continue
      }
    }
    return nil
  }

  /// Calls `body` with the records in which something may be found, until it returns false.
  func forEachRecord(
    of candidate: LogIndex.Candidate,
    _ body: (UInt64, RecordView, UnsafeRawBufferPointer) -> Bool
  ) throws(StoreError) {
    var (at, last): (UInt64, UInt64)
    switch candidate {
    case .event(let position): (at, last) = (position, position)
    case .block(let place): (at, last) = (place.first, place.last)
    }
    while let (block, first) = try nextBlock(&at, through: last) {
      var isWanted = true
      _ = block.forEachRecord(from: first) { number, view, bytes in
        let position = block.header.first + UInt64(number)
        isWanted = position <= last && body(position, view, bytes)
        return isWanted
      }
      guard isWanted else { return }
    }
  }

  /// The next readable block that holds a position from `at` through `last`, and which of its records is
  /// the first to count; moves `at` behind it.
  ///
  /// What was one block when it was looked up may be several, cut elsewhere, once the segment is sealed.
  func nextBlock(
    _ at: inout UInt64, through last: UInt64
  ) throws(StoreError) -> (block: DecodedBlock, first: Int)? {
    while at <= last {
      if let block = try block(holding: at) {
        let first = Int(at - block.header.first)
        at = block.header.last + 1
        return (block, first)
      }
      guard let place = try index.place(atOrAfter: at) else { return nil }
      at = place.first > at ? place.first : place.last + 1
    }
    return nil
  }

  /// The block at `place`; nil if that is not where the index has it any more.
  private func block(
    _ place: LogIndex.Place
  ) throws(StoreError) -> Result<DecodedBlock, RuleBroken>? {
    let key = Key(path: place.path, generation: place.generation, offset: place.offset)
    if let known = recent.value(key) { return .success(known) }
    guard let file = try file(place) else { return nil }
    let buffer = RawBuffer(capacity: max(1, place.extent))
    buffer.count = try file.read(
      into: UnsafeMutableRawBufferPointer(rebasing: buffer.storage[..<place.extent]),
      at: place.offset)
    switch decode(place, buffer.bytes) {
    case .success(let block):
      recent.insert(key, block, cost: block.body.count)
      return .success(block)
    case .failure(let broken):
      return try index.place(atOrAfter: place.first) == place ? .failure(broken) : nil
    }
  }

  /// Checks again what the index was built from: it may have changed on the disk since.
  func header(
    _ place: LogIndex.Place, _ bytes: UnsafeRawBufferPointer
  ) throws(RuleBroken) -> BlockHeader {
    let header: BlockHeader
    do throws(BlockHeader.Fault) {
      header = try BlockHeader(
        bytes, seed: checksumSeed(place.header.storeID), isOfBundle: isOfBundle)
    } catch {
      switch error {
      case .damaged(let rule): throw RuleBroken(rule)
      case .unknownFlags: throw RuleBroken("block.flags")
      }
    }
    guard header.first == place.first, header.last == place.last else {
      throw RuleBroken("block.position")
    }
    return header
  }

  /// Between which times the events of a block lie, by its header alone; nil if that cannot be read, or stands elsewhere
  /// by now.
  func times(of place: LogIndex.Place) throws(StoreError) -> ClosedRange<Int64>? {
    guard let file = try file(place) else { return nil }
    let buffer = RawBuffer(capacity: BlockHeader.bytes)
    buffer.count = try file.read(
      into: UnsafeMutableRawBufferPointer(rebasing: buffer.storage[..<BlockHeader.bytes]),
      at: place.offset)
    do throws(RuleBroken) {
      let header = try header(place, buffer.bytes)
      return header.minTime <= header.maxTime ? header.minTime...header.maxTime : nil
    } catch {
      return nil
    }
  }

  private func decode(
    _ place: LogIndex.Place, _ bytes: UnsafeRawBufferPointer
  ) -> Result<DecodedBlock, RuleBroken> {
    do throws(RuleBroken) {
      return DecodedBlock.decode(
        try header(place, bytes), bytes, dictionary: place.header.dictionary)
    } catch {
      return .failure(error)
    }
  }

  func gap(_ place: LogIndex.Place, _ broken: RuleBroken) -> LogGap {
    index.accepted.marked(
      LogGap(
        path: place.path, offset: place.offset, first: Position(place.first),
        last: Position(place.last), minTime: time(at: place.first - 1),
        maxTime: time(at: place.last + 1), rule: broken.rule,
        message: "a block breaks the format", isUnprovenTail: false))
  }

  /// The time of an event beside damage; nil if that cannot be read either.
  private func time(at position: UInt64) -> Int64? {
    do throws(StoreError) {
      return try block(holding: position)?.event(at: position)?.time
    } catch {
      return nil
    }
  }

  /// The file of `place`; nil if it is gone and the index knows another place now.
  func file(_ place: LogIndex.Place) throws(StoreError) -> (any DiskFile)? {
    do throws(StoreError) {
      return try index.files.open(place.path, generation: place.generation)
    } catch {
      guard error.errno == Limits.noSuchFile else { throw error }
      try index.renew(place)
      return nil
    }
  }
}
