/// What an event's leaf is made of: the public part as recorded, and the digest of the sealed part.
///
/// Enough to show what an event says without the log, and without what it seals.
public struct PublicRecord: Sendable, Hashable {
  /// The canonical bytes; docs/file-format.md, "Record".
  public var bytes: [UInt8]
  /// SHA-256 of the sealed part; of nothing if there is none.
  public var sealedDigest: Digest

  /// Takes the parts as they are.
  public init(bytes: [UInt8], sealedDigest: Digest) {
    self.bytes = bytes
    self.sealedDigest = sealedDigest
  }

  /// SHA-256(`bytes` ‖ `sealedDigest`).
  public var leaf: Digest {
    (bytes + sealedDigest.bytes).withUnsafeBytes { Digest.sha256($0) }
  }

  /// The event that the bytes say, without its sealed part; nil if they break the format.
  ///
  /// - Parameters:
  ///   - epoch: Taken as it is; the bytes do not hold it.
  ///   - position: Taken as it is, likewise.
  public func event(epoch: Epoch, position: Position) -> StoredEvent? {
    guard let flags = bytes.first, bytes.count <= 2 * Limits.partBytes else { return nil }
    // Made a whole record again for the one parser there is; one byte stands for what was sealed.
    let sealed: [UInt8] = flags & Record.flagSealed != 0 ? [1, 0] : []
    var record: [UInt8] = []
    var size = UInt64(bytes.count + sealed.count)
    while size >= 0x80 {
      record.append(UInt8(truncatingIfNeeded: size) | 0x80)
      size >>= 7
    }
    record.append(UInt8(truncatingIfNeeded: size))
    record += bytes + sealed
    return record.withUnsafeBytes { all in
      var view = RecordView()
      var at = 0
      guard view.parse(all, at: &at), at == all.count, view.publicPart.count == bytes.count else {
        return nil
      }
      var keys: [[UInt8]] = []
      view.forEachKey(all) { keys.append(Array(all.slice($0))) }
      var names = NameCache()
      return StoredEvent(
        epoch: epoch, position: position, id: EventID(view.id),
        stream: names.text(all.slice(view.stream)), revision: Revision(view.revision),
        kind: names.text(all.slice(view.kind)), time: view.time, lookupKeys: keys,
        payload: Array(all.slice(view.payload))[...], sealed: [])
    }
  }
}

extension Digest {
  /// The 32 bytes as a digest; nil if they are not 32.
  public init?(bytes: some Collection<UInt8>) {
    guard bytes.count == 32 else { return nil }
    self = Array(bytes).withUnsafeBytes { $0.digest(0) }
  }

  /// The chain value after an event with this leaf, if self is the one before it.
  public func chain(with leaf: Digest) -> Digest { chained(leaf) }
}

extension LogReader {
  /// The public part of the event at `position`; nil if there is none or it lies in a damaged range.
  public func publicRecord(at position: Position) throws(StoreError) -> PublicRecord? {
    settle()
    guard let block = try blocks.block(holding: position.rawValue) else { return nil }
    var found: PublicRecord?
    let wanted = Int(position.rawValue - block.header.first)
    let isWhole = block.forEachRecord(from: wanted) { number, view, bytes in
      // What a bundle altered is not what was recorded.
      if number == wanted, view.givenLeaf.isEmpty {
        found = PublicRecord(
          bytes: Array(bytes.slice(view.publicPart)), sealedDigest: view.digestOfSealed(bytes))
      }
      return false
    }
    return isWhole ? found : nil
  }

  /// The leaves of the events of a range, in order: 32 bytes of memory for each.
  ///
  /// - Throws: `.damaged`, with the first position that is missing or cannot be read; `.io`.
  public func leaves(from: Position, through: Position) throws(StoreError) -> [Digest] {
    settle()
    var leaves: [Digest] = []
    var at = max(from, Position(1))
    while at <= through {
      let first = at
      var isWhole = false
      if let block = try blocks.block(holding: first.rawValue) {
        isWhole = block.forEachRecord(
          from: Int(first.rawValue - block.header.first), includingWithheld: true
        ) { number, view, bytes in
          guard block.header.first + UInt64(number) <= through.rawValue else { return false }
          leaves.append(view.leaf(bytes))
          return true
        }
        at = Position(block.header.last + 1)
      }
      guard isWhole else {
        throw StoreError(
          .damaged, "there is no readable event at \(first)", path: directory, position: first)
      }
    }
    return leaves
  }
}
