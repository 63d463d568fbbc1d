/// The canonical encoding of one event: the same bytes in every block, dictionary and codec, and
/// so the bytes that leaf and chain are made of.
///
/// docs/file-format.md gives the layout.
enum Record {
  static let flagKeys: UInt8 = 1
  static let flagSealed: UInt8 = 2

  /// Length of `draft`'s record at `revision`, without the length that stands before it in a body.
  static func size(_ draft: EventDraft, revision: UInt64) -> Int {
    let stream = draft.stream.utf8.count
    let kind = draft.kind.utf8.count
    var size = 1 + 16 + 8 + 1 + stream + 1 + kind + varintSize(revision)
    if stream >= 0x80 { size += 1 }
    if !draft.lookupKeys.isEmpty {
      size += 1
      for key in draft.lookupKeys { size += 1 + key.count }
    }
    size += varintSize(UInt64(draft.payload.count)) + draft.payload.count
    if !draft.sealed.isEmpty {
      size += varintSize(UInt64(draft.sealed.count)) + draft.sealed.count
    }
    return size
  }

  /// Appends `draft`'s record to `out`, which has room for it: without its length and its revision, and
  /// with the digest of the sealed part before that part, if there is one.
  ///
  /// - Returns: where the record begins, where its revision belongs, and where its public part ends.
  static func append(
    _ draft: EventDraft, to out: RawBuffer
  ) -> (start: Int, revisionAt: Int, publicEnd: Int) {
    let start = out.count
    out.append(
      (draft.lookupKeys.isEmpty ? 0 : flagKeys) | (draft.sealed.isEmpty ? 0 : flagSealed))
    withUnsafeBytes(of: draft.id.rawValue.bigEndian) { out.append($0) }
    append(draft.stream, to: out)
    let revisionAt = out.count
    append(draft.kind, to: out)
    withUnsafeBytes(of: draft.time.littleEndian) { out.append($0) }
    if !draft.lookupKeys.isEmpty {
      out.append(UInt8(truncatingIfNeeded: draft.lookupKeys.count))
      for key in draft.lookupKeys {
        out.append(UInt8(truncatingIfNeeded: key.count))
        key.withUnsafeBytes { out.append($0) }
      }
    }
    out.append(varint: UInt64(draft.payload.count))
    draft.payload.withUnsafeBytes { out.append($0) }
    let publicEnd = out.count
    if !draft.sealed.isEmpty {
      draft.sealed.withUnsafeBytes { sealed in
        out.storage.put(Digest.sha256(sealed), publicEnd)
        out.count += 32
        out.append(varint: UInt64(sealed.count))
        out.append(sealed)
      }
    }
    return (start, revisionAt, publicEnd)
  }

  private static func append(_ text: String, to out: RawBuffer) {
    var text = text
    text.withUTF8 { utf8 in
      out.append(varint: UInt64(utf8.count))
      out.append(UnsafeRawBufferPointer(utf8))
    }
  }
}

/// Where the parts of a record lie in the bytes it was parsed from.
struct RecordView {
  var id: UInt128 = 0
  var stream: Range<Int> = 0..<0
  var revision: UInt64 = 0
  var kind: Range<Int> = 0..<0
  var time: Int64 = 0
  /// The keys, each behind a byte with its length.
  var keys: Range<Int> = 0..<0
  var payload: Range<Int> = 0..<0
  var sealed: Range<Int> = 0..<0
  /// The public part as hashed, or, if `givenLeaf` is not empty, as somebody altered it.
  var publicPart: Range<Int> = 0..<0
  /// In a bundle: the digest that stands for the sealed part.
  var sealedDigest: Range<Int> = 0..<0
  /// In a bundle: the leaf, of an event that is left out or altered.
  var givenLeaf: Range<Int> = 0..<0
  /// Length of the sealed part, also of one that is not here.
  var sealedBytes = 0
  /// In a bundle: nothing is here but the leaf.
  var isWithheld = false

  /// Parses the length and record at `at`, which moves behind them; false if they break the format.
  ///
  /// Every length is checked against what is there; nothing is read outside `bytes`.
  mutating func parse(_ bytes: UnsafeRawBufferPointer, at: inout Int) -> Bool {
    guard let size = Self.varint(bytes, &at, bytes.count), size <= UInt64(bytes.count - at) else {
      return false
    }
    let end = at + Int(size)
    guard let hasSealed = parsePublic(bytes, &at, end) else { return false }
    sealed = at..<at
    if hasSealed {
      guard let sealedRange = Self.range(bytes, &at, end, Limits.partBytes), !sealedRange.isEmpty
      else { return false }
      sealed = sealedRange
    }
    sealedBytes = sealed.count
    return at == end
  }

  /// Parses a public part at `at`, which moves behind it and never beyond `end`.
  ///
  /// - Returns: Whether there is a sealed part; nil if the format is broken.
  private mutating func parsePublic(
    _ bytes: UnsafeRawBufferPointer, _ at: inout Int, _ end: Int
  ) -> Bool? {
    let start = at
    guard end - at >= 17 else { return nil }
    let flags = bytes[at]
    guard flags & ~(Record.flagKeys | Record.flagSealed) == 0 else { return nil }
    id = bytes.uuid(at + 1)
    at += 17
    guard let streamRange = Self.range(bytes, &at, end, Limits.streamBytes),
      !streamRange.isEmpty, let revision = Self.varint(bytes, &at, end), revision > 0,
      revision < Limits.numbers,
      let kindRange = Self.range(bytes, &at, end, Limits.kindBytes), !kindRange.isEmpty,
      end - at >= 8
    else { return nil }
    stream = streamRange
    kind = kindRange
    self.revision = revision
    time = bytes.i64(at)
    at += 8
    keys = at..<at
    if flags & Record.flagKeys != 0 {
      guard at < end, bytes[at] > 0, bytes[at] <= Limits.lookupKeys else { return nil }
      let count = bytes[at]
      at += 1
      let keysStart = at
      for _ in 0..<count {
        guard at < end, bytes[at] > 0, end - at - 1 >= Int(bytes[at]) else { return nil }
        at += 1 + Int(bytes[at])
      }
      keys = keysStart..<at
    }
    guard let payloadRange = Self.range(bytes, &at, end, Limits.partBytes) else { return nil }
    payload = payloadRange
    publicPart = start..<at
    return flags & Record.flagSealed != 0
  }

  /// Parses one item of a bundle's block at `at`, which moves behind it; false if it breaks the format.
  mutating func parseReduced(_ bytes: UnsafeRawBufferPointer, at: inout Int) -> Bool {
    guard let size = Self.varint(bytes, &at, bytes.count), size <= UInt64(bytes.count - at),
      size > 0
    else { return false }
    let end = at + Int(size)
    let form = ReducedRecord.Form(rawValue: bytes[at])
    at += 1
    (sealedDigest, givenLeaf, sealed, sealedBytes) = (0..<0, 0..<0, 0..<0, 0)
    isWithheld = form == .leaf
    if form != .whole {
      guard end - at >= 32 else { return false }
      let digest = at..<at + 32
      at += 32
      if form == .sealed { sealedDigest = digest } else { givenLeaf = digest }
    }
    switch form {
    case nil: return false
    case .leaf: return at == end
    case .whole:
      guard let hasSealed = parsePublic(bytes, &at, end), !hasSealed else { return false }
    case .sealed, .altered:
      guard let length = Self.varint(bytes, &at, end), length <= UInt64(Limits.partBytes),
        let hasSealed = parsePublic(bytes, &at, end), hasSealed == (length > 0),
        hasSealed || form == .altered
      else { return false }
      sealedBytes = Int(length)
    }
    return at == end
  }

  /// The leaf of the record parsed from `bytes`.
  func leaf(_ bytes: UnsafeRawBufferPointer) -> Digest {
    if !givenLeaf.isEmpty { return bytes.digest(givenLeaf.lowerBound) }
    return Digest.sha256(bytes.slice(publicPart), suffix: digestOfSealed(bytes))
  }

  /// SHA-256 of the sealed part, of nothing if there is none.
  ///
  /// Not known of what was altered.
  func digestOfSealed(_ bytes: UnsafeRawBufferPointer) -> Digest {
    if !sealedDigest.isEmpty { return bytes.digest(sealedDigest.lowerBound) }
    return sealed.isEmpty ? Digest.ofNothing : Digest.sha256(bytes.slice(sealed))
  }

  /// Calls `body` with the range of each lookup key.
  func forEachKey(_ bytes: UnsafeRawBufferPointer, _ body: (Range<Int>) -> Void) {
    var at = keys.lowerBound
    while at < keys.upperBound {
      let end = at + 1 + Int(bytes[at])
      body((at + 1)..<end)
      at = end
    }
  }

  /// Whether `key` is one of the lookup keys.
  func carries(_ key: [UInt8], _ bytes: UnsafeRawBufferPointer) -> Bool {
    var isCarried = false
    forEachKey(bytes) { if bytes.slice($0).elementsEqual(key) { isCarried = true } }
    return isCarried
  }

  private static func varint(
    _ bytes: UnsafeRawBufferPointer, _ at: inout Int, _ end: Int
  ) -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while at < end, shift < 64 {
      let byte = bytes[at]
      at += 1
      if shift == 63 && byte > 1 { return nil }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 {
        // The shortest form only, so that a record has one encoding.
        return byte == 0 && shift > 0 ? nil : value
      }
      shift += 7
    }
    return nil
  }

  private static func range(
    _ bytes: UnsafeRawBufferPointer, _ at: inout Int, _ end: Int, _ limit: Int
  ) -> Range<Int>? {
    guard let length = varint(bytes, &at, end), length <= UInt64(limit),
      length <= UInt64(end - at)
    else { return nil }
    let range = at..<(at + Int(length))
    at = range.upperBound
    return range
  }
}
