/// A place in the log: dense, counted from 1 over all streams.
///
/// 0 is "before the first event".
public struct Position: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The number.
  public let rawValue: UInt64

  /// Takes the parts as they are.
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  /// Takes the parts as they are.
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  /// Before the first event.
  public static let origin = Position(0)

  /// The position after this one.
  public var next: Position { Position(rawValue + 1) }

  /// By number.
  public static func < (a: Position, b: Position) -> Bool { a.rawValue < b.rawValue }
  /// For people; bounded.
  public var description: String { String(rawValue) }
}

/// A place in one stream: dense, counted from 1.
///
/// 0 is "the stream does not exist yet".
public struct Revision: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The number.
  public let rawValue: UInt64

  /// Takes the parts as they are.
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  /// Takes the parts as they are.
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  /// The stream has no event.
  public static let none = Revision(0)

  /// By number.
  public static func < (a: Revision, b: Revision) -> Bool { a.rawValue < b.rawValue }
  /// For people; bounded.
  public var description: String { String(rawValue) }
}

/// How often the store was opened for writing; grows by at least one at every such opening, so that
/// `epoch:position` names one event for ever, even if a crash un-happened a position.
public struct Epoch: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The number.
  public let rawValue: UInt64

  /// Takes the parts as they are.
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  /// Takes the parts as they are.
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  /// By number.
  public static func < (a: Epoch, b: Epoch) -> Bool { a.rawValue < b.rawValue }
  /// For people; bounded.
  public var description: String { String(rawValue) }
}

/// The identity of an event, minted by its author (UUIDv7: time-ordered), used for idempotency.
public struct EventID: RawRepresentable, Hashable, Comparable, Sendable {
  /// The number.
  public let rawValue: UInt128

  /// Takes the parts as they are.
  public init(rawValue: UInt128) { self.rawValue = rawValue }
  /// Takes the parts as they are.
  public init(_ rawValue: UInt128) { self.rawValue = rawValue }

  /// By number.
  public static func < (a: EventID, b: EventID) -> Bool { a.rawValue < b.rawValue }
}

/// 32 bytes of SHA-256: a leaf, a chain value or a Merkle root.
public struct Digest: Hashable, Sendable {
  /// The bytes, big-endian, eight at a time.
  public var words: (UInt64, UInt64, UInt64, UInt64)

  /// Takes the parts as they are.
  public init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

  /// The chain value before the first event.
  public static let zero = Digest(words: (0, 0, 0, 0))

  /// All 32 bytes.
  public static func == (a: Digest, b: Digest) -> Bool { a.words == b.words }

  /// Half of the bytes suffice: they are a hash already.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(words.0)
    hasher.combine(words.1)
  }
}

/// When an append is answered, and so what a crash may take.
public enum Durability: UInt8, Sendable, CaseIterable {
  /// After `fdatasync`. Loses nothing that was answered.
  case durable
  /// After `write(2)`; synced at most 20 ms later. Survives the process, not the machine.
  case written
  /// At once; written at most 5 ms later. Loses those 5 ms when the process dies.
  case queued
}

/// What the author of a batch believes of a stream.
public enum ExpectedRevision: Sendable, Hashable {
  /// The stream's last revision is exactly this; `.exactly(.none)`: it does not exist yet.
  case exactly(Revision)
  /// The stream exists, whatever its revision.
  case exists
}

/// An event as its author hands it over; the log adds position, revision and epoch.
public struct EventDraft: Sendable, Hashable {
  /// Idempotency: the same id again is answered with the original position.
  public var id: EventID
  /// 1…255 bytes of UTF-8, for example `account/a1` or `request`.
  public var stream: String
  /// Wire name with version, 1…127 bytes of ASCII, for example `account.added.v1`.
  public var kind: String
  /// Nanoseconds since the Unix epoch, from the author's clock.
  public var time: Int64
  /// Further names by which the event is found (a request id, for example); at most 8, each 1…255 bytes.
  public var lookupKeys: [[UInt8]]
  /// The public part; opaque to the log.
  ///
  /// At most 1 MiB.
  public var payload: [UInt8]
  /// The sealed part (ciphertext; the log never sees it in clear); empty if there is none.
  ///
  /// At most 1 MiB.
  public var sealed: [UInt8]

  /// Takes the parts as they are.
  public init(
    id: EventID, stream: String, kind: String, time: Int64, lookupKeys: [[UInt8]] = [],
    payload: [UInt8], sealed: [UInt8] = []
  ) {
    self.id = id
    self.stream = stream
    self.kind = kind
    self.time = time
    self.lookupKeys = lookupKeys
    self.payload = payload
    self.sealed = sealed
  }
}

/// One to 4,096 events that enter the log together or not at all.
public struct AppendBatch: Sendable {
  /// The events, in order.
  public var events: [EventDraft]
  /// Checked before anything is written; any conflict refuses the whole batch.
  public var expected: [(stream: String, revision: ExpectedRevision)]
  /// It is refused first when space runs out, so that others find some; it is then counted.
  public var isSheddable: Bool
  /// What is missing if it is shed, in whatever the opener counts.
  public var loss: UInt64

  /// Takes the parts as they are.
  ///
  /// - Parameter loss: nil: the number of events.
  public init(
    events: [EventDraft], expected: [(stream: String, revision: ExpectedRevision)] = [],
    isSheddable: Bool = false, loss: UInt64? = nil
  ) {
    self.events = events
    self.expected = expected
    self.isSheddable = isSheddable
    self.loss = loss ?? UInt64(events.count)
  }
}

/// Where a batch stands in the log.
public struct AppendReceipt: Sendable, Hashable {
  /// The epoch in which it was written.
  public var epoch: Epoch
  /// Position of the batch's first event; the others follow without a gap.
  public var first: Position
  /// Position of the batch's last event.
  public var last: Position
  /// All ids were already in the log: nothing was written, the positions are the original ones.
  public var wasDuplicate: Bool

  /// Takes the parts as they are.
  public init(epoch: Epoch, first: Position, last: Position, wasDuplicate: Bool) {
    self.epoch = epoch
    self.first = first
    self.last = last
    self.wasDuplicate = wasDuplicate
  }
}

/// An event as it stands in the log.
public struct StoredEvent: Sendable, Hashable {
  /// The epoch in which it was written.
  public var epoch: Epoch
  /// Where it stands.
  public var position: Position
  /// Its identity.
  public var id: EventID
  /// The stream it belongs to.
  public var stream: String
  /// Its place in the stream.
  public var revision: Revision
  /// Wire name with version.
  public var kind: String
  /// Nanoseconds since the Unix epoch, as the author gave it.
  public var time: Int64
  /// Further names by which it is found.
  public var lookupKeys: [[UInt8]]
  /// Shares its block's buffer: copy what is kept for long.
  public var payload: ArraySlice<UInt8>
  /// The sealed part; empty if there is none, and in a bundle.
  public var sealed: ArraySlice<UInt8>
  /// Its length, which a bundle tells too.
  public var sealedBytes: Int

  /// Takes the parts as they are.
  public init(
    epoch: Epoch, position: Position, id: EventID, stream: String, revision: Revision,
    kind: String, time: Int64, lookupKeys: [[UInt8]], payload: ArraySlice<UInt8>,
    sealed: ArraySlice<UInt8>, sealedBytes: Int? = nil
  ) {
    self.sealedBytes = sealedBytes ?? sealed.count
    self.epoch = epoch
    self.position = position
    self.id = id
    self.stream = stream
    self.revision = revision
    self.kind = kind
    self.time = time
    self.lookupKeys = lookupKeys
    self.payload = payload
    self.sealed = sealed
  }
}
