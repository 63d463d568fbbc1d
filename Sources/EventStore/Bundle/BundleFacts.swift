/// What a bundle says of itself: a window of a log in one file, with what came before that explains it.
///
/// docs/file-format.md, "Bundle", gives the layout.
public struct BundleFacts: Sendable, Hashable {
  /// Behind this position every position is there, at least as a leaf; before it single events are.
  public var base: Position
  /// The first position of the window.
  public var first: Position
  /// The last position of the window.
  public var last: Position
  /// The chain value at `base`.
  public var chainBefore: Digest
  /// The chain value at `last`.
  public var chain: Digest
  /// Events behind `base` that are there, whole or altered.
  public var events: UInt64 = 0
  /// Events behind `base` of which only the leaf is there.
  public var withheld: UInt64 = 0
  /// Events, before and behind `base`, that the bundle's maker altered.
  public var altered: UInt64 = 0
  /// Events before `base`.
  public var earlier: UInt64 = 0
  /// Whether all that was configured before `base` is there.
  public var isHistoryWhole: Bool
  /// Whether only what its note says was kept: that something is not there shows nothing.
  public var isMinimised: Bool
  /// What the bundle was made to show, in its maker's words; at most 4,096 bytes.
  public var note: String
  /// SHA-256 over all that the bundle says, and so over every byte of the file.
  public var digest = Digest.zero
  /// Length of the file.
  public var bytes: UInt64 = 0

  /// What a bundle of these positions says before anything was put into it.
  init(
    base: Position, first: Position, last: Position, chainBefore: Digest, chain: Digest,
    isHistoryWhole: Bool, isMinimised: Bool, note: String
  ) {
    self.base = base
    self.first = first
    self.last = last
    self.chainBefore = chainBefore
    self.chain = chain
    self.isHistoryWhole = isHistoryWhole
    self.isMinimised = isMinimised
    self.note = note
  }
}

/// The forms in which a bundle has an event.
enum ReducedRecord {
  enum Form: UInt8 {
    /// The public part; there is no sealed part.
    case whole = 1
    /// SHA-256 and length of the sealed part, the public part.
    case sealed = 2
    /// The leaf alone.
    case leaf = 3
    /// The leaf, the length of the sealed part, the public part as it was altered.
    case altered = 4
  }
}

/// A part of a bundle: a segment's bytes.
struct BundlePart: Sendable, Hashable {
  var bytes: UInt64 = 0
  /// SHA-256 over the digests of its pieces.
  var digest = Digest.ofNothing
}

/// The first bytes of a bundle.
struct BundleHeader: Sendable, Hashable {
  var storeID: UInt128
  var facts: BundleFacts
  /// The single events before `base`; empty if there is none.
  var earlier = BundlePart()
  /// All behind `base`.
  var window = BundlePart()

  /// "SBXBDL" and the two bytes that a text-mode copy would change.
  static let magic: [UInt8] = [0x53, 0x42, 0x58, 0x42, 0x44, 0x4C, 0x0D, 0x0A]
  static let major: UInt16 = 1
  static let minor: UInt16 = 0
  static let fixedBytes = 248
  static let flagWholeHistory: UInt32 = 1
  static let flagMinimised: UInt32 = 2
  static let maxBytes = aligned8(fixedBytes + Limits.bundleNoteBytes + 32)

  /// Length of the header in the file.
  var encodedBytes: Int { Self.encodedBytes(note: facts.note.utf8.count) }

  private static func encodedBytes(note: Int) -> Int { aligned8(fixedBytes + note + 32) }

  /// The header's bytes; the digest in `facts` is not looked at.
  func encoded() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: encodedBytes)
    bytes.withUnsafeMutableBytes { room in
      room.copyBytes(from: Self.magic)
      room.put(Self.major, 8)
      room.put(Self.minor, 10)
      room.put(UInt32(room.count), 12)
      room.putUUID(storeID, 16)
      room.put(facts.base.rawValue, 32)
      room.put(facts.first.rawValue, 40)
      room.put(facts.last.rawValue, 48)
      room.put(facts.chainBefore, 56)
      room.put(facts.chain, 88)
      room.put(facts.events, 120)
      room.put(facts.withheld, 128)
      room.put(facts.altered, 136)
      room.put(facts.earlier, 144)
      room.put(
        (facts.isHistoryWhole ? Self.flagWholeHistory : 0)
          | (facts.isMinimised ? Self.flagMinimised : 0), 152)
      room.put(UInt32(facts.note.utf8.count), 156)
      room.put(earlier.bytes, 160)
      room.put(earlier.digest, 168)
      room.put(window.bytes, 200)
      room.put(window.digest, 208)
      UnsafeMutableRawBufferPointer(rebasing: room[Self.fixedBytes...])
        .copyBytes(from: facts.note.utf8)
      let end = room.count - 32
      room.put(Digest.sha256(UnsafeRawBufferPointer(room).slice(0..<end)), end)
    }
    return bytes
  }

  /// Reads the header of a file of `fileBytes` bytes; nothing is read behind what the lengths allow.
  init(_ bytes: UnsafeRawBufferPointer, fileBytes: UInt64) throws(RuleBroken) {
    guard bytes.prefix(8).elementsEqual(Self.magic) else { throw RuleBroken("bundle.magic") }
    guard bytes.count >= Self.fixedBytes else { throw RuleBroken("bundle.incomplete-header") }
    guard bytes.u16(8) == Self.major, bytes.u16(10) <= Self.minor else {
      throw RuleBroken("bundle.format")
    }
    let (length, note) = (Int(bytes.u32(12)), Int(bytes.u32(156)))
    guard note <= Limits.bundleNoteBytes, length == Self.encodedBytes(note: note) else {
      throw RuleBroken("bundle.header-length")
    }
    guard bytes.count >= length else { throw RuleBroken("bundle.incomplete-header") }
    let digest = bytes.digest(length - 32)
    guard Digest.sha256(bytes.slice(0..<(length - 32))) == digest else {
      throw RuleBroken("bundle.header-digest")
    }
    guard bytes.slice((Self.fixedBytes + note)..<(length - 32)).allSatisfy({ $0 == 0 }),
      bytes.u64(240) == 0, bytes.u32(152) & ~(Self.flagWholeHistory | Self.flagMinimised) == 0,
      let text = String(
        validating: bytes.slice(Self.fixedBytes..<(Self.fixedBytes + note)), as: UTF8.self)
    else { throw RuleBroken("bundle.bounds") }
    storeID = bytes.uuid(16)
    facts = BundleFacts(
      base: Position(bytes.u64(32)), first: Position(bytes.u64(40)), last: Position(bytes.u64(48)),
      chainBefore: bytes.digest(56), chain: bytes.digest(88),
      isHistoryWhole: bytes.u32(152) & Self.flagWholeHistory != 0,
      isMinimised: bytes.u32(152) & Self.flagMinimised != 0, note: text)
    (facts.events, facts.withheld) = (bytes.u64(120), bytes.u64(128))
    (facts.altered, facts.earlier) = (bytes.u64(136), bytes.u64(144))
    (facts.digest, facts.bytes) = (digest, fileBytes)
    earlier = BundlePart(bytes: bytes.u64(160), digest: bytes.digest(168))
    window = BundlePart(bytes: bytes.u64(200), digest: bytes.digest(208))
    guard fileBytes <= Limits.bundleBytes, earlier.bytes <= fileBytes, window.bytes <= fileBytes,
      UInt64(length) + earlier.bytes + window.bytes == fileBytes
    else { throw RuleBroken("bundle.length") }
    let (base, first, last) = (facts.base, facts.first, facts.last)
    guard base < first, first <= last, last.rawValue < Limits.numbers,
      facts.events <= Limits.bundleEvents, facts.withheld <= Limits.bundleEvents,
      facts.earlier <= Limits.bundleEvents,
      facts.events + facts.withheld + facts.earlier <= Limits.bundleEvents,
      facts.events + facts.withheld == last.rawValue - base.rawValue,
      facts.altered <= facts.events + facts.earlier, facts.earlier <= base.rawValue,
      (facts.earlier == 0) == (earlier.bytes == 0),
      base != .origin || facts.chainBefore == .zero
    else { throw RuleBroken("bundle.bounds") }
  }

  init(storeID: UInt128, facts: BundleFacts) {
    self.storeID = storeID
    self.facts = facts
  }
}

/// The digest of a part, made piece by piece so that no part need be in memory.
struct PartDigest {
  private var pieces: [UInt8] = []
  private var piece: [UInt8] = []

  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    var rest = bytes
    while !rest.isEmpty {
      let count = min(rest.count, Limits.bundlePieceBytes - piece.count)
      piece.append(contentsOf: rest.prefix(count))
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
      if piece.count == Limits.bundlePieceBytes { endPiece() }
    }
  }

  private mutating func endPiece() {
    pieces += piece.withUnsafeBytes { Digest.sha256($0) }.bytes
    piece.removeAll(keepingCapacity: true)
  }

  mutating func finish() -> Digest {
    if !piece.isEmpty { endPiece() }
    return pieces.withUnsafeBytes { Digest.sha256($0) }
  }
}
