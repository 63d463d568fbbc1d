// As `ControlState+Codec`: of snapshots, which any build may change.

extension Credential: Payload {
  private enum Flag {
    static let home: UInt64 = 1 << 0
    static let fingerprint: UInt64 = 1 << 1
    static let position: UInt64 = 1 << 2
    static let canRefresh: UInt64 = 1 << 3
    static let expiresAt: UInt64 = 1 << 4
    static let since: UInt64 = 1 << 5
    static let attempt: UInt64 = 1 << 6
    static let attemptedAt: UInt64 = 1 << 7
    static let lastFailure: UInt64 = 1 << 8
    static let retryAt: UInt64 = 1 << 9
    static let ancestry: UInt64 = 1 << 10
    static let all: UInt64 = 0b111_1111_1111
  }

  func write(to writer: inout RecordWriter) {
    var flags = Flag.home.when(home != nil) | Flag.fingerprint.when(fingerprint != nil)
    flags |= Flag.position.when(position != nil) | Flag.canRefresh.when(canRefresh)
    flags |= Flag.expiresAt.when(expiresAt != nil) | Flag.since.when(since != nil)
    flags |= Flag.attempt.when(attempt != nil) | Flag.attemptedAt.when(attemptedAt != nil)
    flags |= Flag.lastFailure.when(lastFailure != nil) | Flag.retryAt.when(retryAt != nil)
    flags |= Flag.ancestry.when(!ancestry.isEmpty)
    writer.varint(flags)
    writer.varint(generation)
    writer.varint(homeEpoch)
    home?.write(to: &writer)
    if let fingerprint { writer.fingerprint(fingerprint) }
    position?.write(to: &writer)
    writer.byte(kind.rawValue)
    expiresAt?.write(to: &writer)
    since?.write(to: &writer)
    standing.write(to: &writer)
    if let attempt {
      writer.varint(attempt.position)
      writer.varint(attempt.number)
      writer.varint(attempt.generation)
      writer.byte(attempt.cause.rawValue)
    }
    writer.varint(attempts)
    attemptedAt?.write(to: &writer)
    failures.write(to: &writer)
    if let lastFailure {
      writer.text(lastFailure.code)
      writer.time(lastFailure.at)
    }
    retryAt?.write(to: &writer)
    if !ancestry.isEmpty { ancestry.write(to: &writer) }
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    self.init(generation: try reader.varint(), homeEpoch: try reader.varint())
    home = try reader.optional(flags, Flag.home)
    fingerprint = flags & Flag.fingerprint == 0 ? nil : try reader.fingerprint()
    position = try reader.optional(flags, Flag.position)
    kind = try reader.one(of: Kind.self)
    canRefresh = flags & Flag.canRefresh != 0
    expiresAt = try reader.optional(flags, Flag.expiresAt)
    since = try reader.optional(flags, Flag.since)
    standing = try Standing(from: &reader)
    if flags & Flag.attempt != 0 {
      attempt = Attempt(
        position: try reader.varint(), number: try reader.varint(),
        generation: try reader.varint(), cause: try reader.one(of: RefreshCause.self))
    }
    attempts = try reader.varint()
    attemptedAt = try reader.optional(flags, Flag.attemptedAt)
    failures = try reader.uint32()
    if flags & Flag.lastFailure != 0 {
      lastFailure = Failure(code: try reader.text(), at: try reader.time())
    }
    retryAt = try reader.optional(flags, Flag.retryAt)
    if flags & Flag.ancestry != 0 {
      ancestry = try Ancestry(from: &reader)
      guard !ancestry.isEmpty else { throw reader.failure(.notCanonical) }
    }
  }
}

extension Credential.Standing: Payload {
  func write(to writer: inout RecordWriter) {
    switch self {
    case .usable: writer.byte(1)
    case .uncertain(let it):
      writer.byte(2)
      writer.byte(it.reason.rawValue)
      writer.time(it.since)
      writer.flag(it.attempt != nil)
      it.attempt?.write(to: &writer)
    case .reauthRequired(let it):
      writer.byte(3)
      writer.varint(it.attempt)
      writer.text(it.code)
      writer.time(it.since)
    }
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    switch try reader.byte() {
    case 1: self = .usable
    case 2:
      self = .uncertain(
        .init(
          reason: try reader.one(of: Credential.Uncertainty.Reason.self), since: try reader.time(),
          attempt: try reader.flag() ? try reader.varint() : nil))
    case 3:
      self = .reauthRequired(
        .init(attempt: try reader.varint(), code: try reader.text(), since: try reader.time()))
    case _: throw reader.failure(.invalidValue)
    }
  }
}
