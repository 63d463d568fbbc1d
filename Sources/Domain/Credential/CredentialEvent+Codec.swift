extension NodeID: Payload {
  func write(to writer: inout RecordWriter) { writer.text(rawValue) }
  init(from reader: inout RecordReader) throws(DecodingFailure) { self.init(try reader.text()) }
}

extension CredentialEvent.Issued {
  /// The first version that can hold it: what is not an API key of this log's own needs the second.
  public var wireKind: WireKind {
    let isPlain =
      kind == .apiKey && home == nil && homeEpoch == 0 && !canRefresh && expiresAt == nil
    return isPlain ? .credentialIssued : .credentialIssuedV2
  }

  private enum Flag {
    static let home: UInt64 = 1 << 0
    static let canRefresh: UInt64 = 1 << 1
    static let expiresAt: UInt64 = 1 << 2
    static let all: UInt64 = 0b111
  }

  func write(to writer: inout RecordWriter) {
    let isSecond = wireKind == .credentialIssuedV2
    if isSecond {
      writer.varint(
        Flag.home.when(home != nil) | Flag.canRefresh.when(canRefresh)
          | Flag.expiresAt.when(expiresAt != nil))
    }
    account.write(to: &writer)
    writer.varint(generation)
    writer.fingerprint(fingerprint)
    guard isSecond else { return }
    writer.byte(kind.rawValue)
    home?.write(to: &writer)
    writer.varint(homeEpoch)
    expiresAt?.write(to: &writer)
  }

  init(from reader: inout RecordReader, as wireKind: WireKind) throws(DecodingFailure) {
    let isSecond = wireKind == .credentialIssuedV2
    let flags = isSecond ? try reader.flags(known: Flag.all) : 0
    account = try AccountID(from: &reader)
    generation = try reader.varint()
    fingerprint = try reader.fingerprint()
    kind = isSecond ? try reader.one(of: Credential.Kind.self) : .apiKey
    home = try reader.optional(flags, Flag.home)
    homeEpoch = isSecond ? try reader.varint() : 0
    canRefresh = flags & Flag.canRefresh != 0
    expiresAt = try reader.optional(flags, Flag.expiresAt)
    // What the first version can hold is written as that: one value, one encoding.
    guard self.wireKind == wireKind else { throw reader.failure(.invalidValue) }
  }
}

extension CredentialEvent.ExpirySet: Payload {
  private static let hasTime: UInt64 = 1

  func write(to writer: inout RecordWriter) {
    writer.varint(Self.hasTime.when(expiresAt != nil))
    account.write(to: &writer)
    writer.varint(generation)
    expiresAt?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Self.hasTime)
    account = try AccountID(from: &reader)
    generation = try reader.varint()
    expiresAt = try reader.optional(flags, Self.hasTime)
  }
}

extension CredentialEvent.RefreshAttempted: Payload {
  func write(to writer: inout RecordWriter) {
    account.write(to: &writer)
    writer.varint(generation)
    writer.varint(attempt)
    writer.byte(cause.rawValue)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    account = try AccountID(from: &reader)
    generation = try reader.varint()
    attempt = try reader.varint()
    cause = try reader.one(of: RefreshCause.self)
  }
}

extension CredentialEvent.Refreshed: Payload {
  private static let hasTime: UInt64 = 1

  func write(to writer: inout RecordWriter) {
    writer.varint(Self.hasTime.when(expiresAt != nil))
    account.write(to: &writer)
    writer.varint(from)
    writer.varint(generation)
    writer.fingerprint(fingerprint)
    expiresAt?.write(to: &writer)
    writer.varint(attempt)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Self.hasTime)
    account = try AccountID(from: &reader)
    from = try reader.varint()
    generation = try reader.varint()
    fingerprint = try reader.fingerprint()
    expiresAt = try reader.optional(flags, Self.hasTime)
    attempt = try reader.varint()
  }
}

extension CredentialEvent.RefreshRejected: Payload {
  func write(to writer: inout RecordWriter) {
    account.write(to: &writer)
    writer.varint(generation)
    writer.varint(attempt)
    writer.text(code)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    account = try AccountID(from: &reader)
    generation = try reader.varint()
    attempt = try reader.varint()
    code = try reader.text()
  }
}

extension CredentialEvent.RefreshFailed: Payload {
  func write(to writer: inout RecordWriter) {
    account.write(to: &writer)
    writer.varint(generation)
    writer.varint(attempt)
    writer.text(code)
    writer.flag(outcomeUnknown)
    writer.time(retryAt)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    account = try AccountID(from: &reader)
    generation = try reader.varint()
    attempt = try reader.varint()
    code = try reader.text()
    outcomeUnknown = try reader.flag()
    retryAt = try reader.time()
  }
}

extension CredentialEvent.MarkedUncertain: Payload {
  private static let hasAttempt: UInt64 = 1

  func write(to writer: inout RecordWriter) {
    writer.varint(Self.hasAttempt.when(attempt != nil))
    account.write(to: &writer)
    writer.varint(generation)
    writer.byte(reason.rawValue)
    attempt?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Self.hasAttempt)
    account = try AccountID(from: &reader)
    generation = try reader.varint()
    reason = try reader.one(of: Credential.Uncertainty.Reason.self)
    attempt = try reader.optional(flags, Self.hasAttempt)
  }
}

extension CredentialEvent.Released: Payload {
  func write(to writer: inout RecordWriter) {
    account.write(to: &writer)
    writer.varint(generation)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    account = try AccountID(from: &reader)
    generation = try reader.varint()
  }
}

extension CredentialEvent.StaleWriteRefused: Payload {
  private static let hasFingerprint: UInt64 = 1

  func write(to writer: inout RecordWriter) {
    writer.varint(Self.hasFingerprint.when(fingerprint != nil))
    account.write(to: &writer)
    writer.varint(homeEpoch)
    writer.varint(generation)
    if let fingerprint { writer.fingerprint(fingerprint) }
    writer.text(source)
    writer.byte(rule.rawValue)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Self.hasFingerprint)
    account = try AccountID(from: &reader)
    homeEpoch = try reader.varint()
    generation = try reader.varint()
    fingerprint = flags & Self.hasFingerprint == 0 ? nil : try reader.fingerprint()
    source = try reader.text()
    rule = try reader.one(of: Rule.self)
  }
}

extension CredentialEvent.HomeMoved: Payload {
  func write(to writer: inout RecordWriter) {
    account.write(to: &writer)
    home.write(to: &writer)
    writer.varint(homeEpoch)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    account = try AccountID(from: &reader)
    home = try NodeID(from: &reader)
    homeEpoch = try reader.varint()
  }
}

extension CredentialEvent.AncestryLearned: Payload {
  func write(to writer: inout RecordWriter) {
    account.write(to: &writer)
    writer.varint(generation)
    ancestry.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    account = try AccountID(from: &reader)
    generation = try reader.varint()
    ancestry = try Ancestry(from: &reader)
  }
}
