/// Damage to acknowledged events that a person accepted.
public struct AcceptedLoss: Sendable, Hashable {
  /// The first position that cannot be read.
  public var first: Position
  /// The last one; `first` − 1: no event is lost, but the log is not what was written.
  public var last: Position
  /// Name of the damaged file.
  public var file: String
  /// Where in the file the damage began.
  public var offset: UInt64
  /// The check that failed, for example `block.body-crc`.
  public var rule: String
  /// The chain value with which the log goes on behind `last`; nil if no position is lost.
  public var chain: Digest?
  /// When it was accepted, nanoseconds since the Unix epoch.
  public var time: Int64
  /// Who accepted it; at most 128 bytes.
  public var actor: String
  /// Why, in the person's words; at most 1,024 bytes.
  public var reason: String

  /// Takes the parts as they are.
  public init(
    first: Position, last: Position, file: String, offset: UInt64, rule: String, chain: Digest?,
    time: Int64, actor: String, reason: String
  ) {
    self.first = first
    self.last = last
    self.file = file
    self.offset = offset
    self.rule = rule
    self.chain = chain
    self.time = time
    self.actor = actor
    self.reason = reason
  }

  /// The id under which this belongs into the log: always the same, so that it is noted once.
  public func eventID(in storeID: UInt128) -> EventID {
    EventID(derivedFrom: ["accepted loss", line(storeID: storeID)], storeID: storeID)
  }
}

/// A person's word that the log may go on without what is damaged.
public struct LossAcceptance: Sendable {
  /// All ranges of positions that cannot be read.
  public var positions: [ClosedRange<Position>]
  /// Where damage was found that costs no position.
  public var places: [Position]
  /// Who accepts it.
  public var actor: String
  /// Why.
  public var reason: String

  /// Takes the parts as they are.
  public init(
    positions: [ClosedRange<Position>], places: [Position], actor: String, reason: String
  ) {
    self.positions = positions
    self.places = places
    self.actor = actor
    self.reason = reason
  }
}

extension EventID {
  /// An identity that follows from what it names (a UUID of version 8): noting the same thing again is
  /// recognised.
  init(derivedFrom parts: [String], storeID: UInt128) {
    var text = withUnsafeBytes(of: storeID.bigEndian) { Array($0) }
    for part in parts { text += Array(part.utf8) + [0] }
    let digest = text.withUnsafeBytes { Digest.sha256($0) }
    let bits = UInt128(digest.words.0) << 64 | UInt128(digest.words.1)
    let fixed: UInt128 = 0xF << 76 | 0b11 << 62
    self.init(bits & ~fixed | 0x8 << 76 | 0b10 << 62)
  }
}
