/// A batch as the writer takes it: checked against the bounds, and encoded but for what only the writer
/// knows, the revisions.
///
/// Made by the thread that submits: of those there are many, and one writer.
struct PreparedBatch: Sendable {
  struct Event: Sendable {
    var id: UInt128
    var idHash: UInt64
    var time: Int64
    /// Index in `streams`.
    var stream: Int32
    var keys: Int32
    /// In `bytes`: the record up to its revision, then the rest of its public part.
    var start: Int32
    var revisionAt: Int32
    var publicEnd: Int32
    /// Behind the public part: digest, length and bytes of the sealed part; nothing if there is none.
    var end: Int32
  }

  let events: ContiguousArray<Event>
  /// One for each run of events with the same stream.
  let streams: [String]
  let keyHashes: [UInt64]
  let expected: [(stream: String, revision: ExpectedRevision)]
  let isSheddable: Bool
  let loss: UInt64
  /// What the events take in a block's body, or a little more.
  let size: Int
  /// `nonisolated(unsafe)`: filled before anybody else can see it, only read from then on.
  private nonisolated(unsafe) let bytes: RawBuffer

  /// - Throws: `.invalidDraft` if `batch` breaks a bound.
  init(_ batch: AppendBatch) throws(StoreError) {
    if let broken = Self.broken(batch) { throw StoreError(.invalidDraft, broken) }
    var size = 0
    var digests = 0
    for draft in batch.events {
      size += 10 + Record.size(draft, revision: .max)
      if !draft.sealed.isEmpty { digests += 32 }
    }
    guard size <= Limits.batchBytes else {
      throw StoreError(.invalidDraft, "the batch takes more than \(Limits.batchBytes) bytes")
    }
    let bytes = RawBuffer(capacity: size + digests)
    var events = ContiguousArray<Event>()
    events.reserveCapacity(batch.events.count)
    var streams: [String] = []
    var keyHashes: [UInt64] = []
    for draft in batch.events {
      if streams.last != draft.stream { streams.append(draft.stream) }
      for key in draft.lookupKeys {
        keyHashes.append(key.withUnsafeBytes { PostingTable.hash($0) })
      }
      let (start, revisionAt, publicEnd) = Record.append(draft, to: bytes)
      events.append(
        Event(
          id: draft.id.rawValue, idHash: FingerprintTable.hash(draft.id.rawValue),
          time: draft.time, stream: Int32(streams.count - 1), keys: Int32(draft.lookupKeys.count),
          start: Int32(start), revisionAt: Int32(revisionAt), publicEnd: Int32(publicEnd),
          end: Int32(bytes.count)))
    }
    self.events = events
    self.streams = streams
    self.keyHashes = keyHashes
    expected = batch.expected
    isSheddable = batch.isSheddable
    loss = batch.loss
    self.size = size
    self.bytes = bytes
  }

  /// Appends length and record of `event` to `out`; returns the leaf.
  func append(_ event: Event, revision: UInt64, to out: RawBuffer) -> Digest {
    let all = bytes.bytes
    let beginning = all.slice(Int(event.start)..<Int(event.revisionAt))
    let rest = all.slice(Int(event.revisionAt)..<Int(event.publicEnd))
    var sealed = all.slice(Int(event.publicEnd)..<Int(event.end))
    var sealedDigest = Digest.ofNothing
    if !sealed.isEmpty {
      sealedDigest = sealed.digest(0)
      sealed = sealed.slice(32..<sealed.count)
    }
    let size = beginning.count + varintSize(revision) + rest.count + sealed.count
    out.reserve(size + 10)
    out.append(varint: UInt64(size))
    let start = out.count
    out.append(beginning)
    out.append(varint: revision)
    out.append(rest)
    let leaf = Digest.sha256(out.bytes.slice(start..<out.count), suffix: sealedDigest)
    out.append(sealed)
    return leaf
  }

  /// The bound that `batch` breaks, in words; nil if it keeps them all.
  private static func broken(_ batch: AppendBatch) -> String? {
    guard (1...Limits.eventsPerBlock).contains(batch.events.count) else {
      return "a batch has 1 to \(Limits.eventsPerBlock) events"
    }
    guard batch.expected.count <= Limits.eventsPerBlock else {
      return "a batch has at most \(Limits.eventsPerBlock) expectations"
    }
    // Most events of a batch are of the kind of the one before.
    var goodKind = ""
    for draft in batch.events {
      guard (1...Limits.streamBytes).contains(draft.stream.utf8.count) else {
        return "a stream's name has 1 to \(Limits.streamBytes) bytes"
      }
      if draft.kind != goodKind {
        guard (1...Limits.kindBytes).contains(draft.kind.utf8.count),
          draft.kind.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return "a kind has 1 to \(Limits.kindBytes) visible ASCII characters" }
        goodKind = draft.kind
      }
      guard draft.lookupKeys.count <= Limits.lookupKeys else {
        return "an event has at most \(Limits.lookupKeys) lookup keys"
      }
      for key in draft.lookupKeys where !(1...Limits.lookupKeyBytes).contains(key.count) {
        return "a lookup key has 1 to \(Limits.lookupKeyBytes) bytes"
      }
      guard draft.payload.count <= Limits.partBytes, draft.sealed.count <= Limits.partBytes else {
        return "payload and sealed part have at most \(Limits.partBytes) bytes each"
      }
    }
    return nil
  }
}
