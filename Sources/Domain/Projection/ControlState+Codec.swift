// Like the events' encodings, and not made of them: those are for ever, these may change with any build,
// and a snapshot of another encoding is made again from the log.

extension ControlState: Payload {
  func write(to writer: inout RecordWriter) {
    writer.varint(position)
    providers.write(to: &writer)
    accounts.write(to: &writer)
    removedAccounts.write(to: &writer)
    aliases.write(to: &writer)
    keys.write(to: &writer)
    settings.write(to: &writer)
    writer.count(revisions.count)
    for (stream, revision) in revisions.sorted(by: { $0.key < $1.key }) {
      writer.text(stream)
      writer.varint(revision)
    }
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    self = .initial
    position = try reader.varint()
    providers = try reader.table(\.id)
    accounts = try reader.table(\.id)
    removedAccounts = try reader.table(\.id)
    aliases = try reader.table(\.name)
    keys = try reader.table(\.id)
    settings = try Settings(from: &reader)
    revisions = try reader.table { (reader) throws(DecodingFailure) in
      (try reader.text(), try reader.varint())
    }
  }
}

extension Dictionary where Key: Comparable, Value: Payload {
  /// The values, which name their keys themselves, in the order of the keys.
  fileprivate func write(to writer: inout RecordWriter) {
    writer.count(count)
    for (_, value) in sorted(by: { $0.key < $1.key }) { value.write(to: &writer) }
  }
}

extension RecordReader {
  fileprivate mutating func table<Key: Hashable & Comparable, Value: Payload>(
    _ key: KeyPath<Value, Key>
  ) throws(DecodingFailure) -> [Key: Value] {
    try table { (reader) throws(DecodingFailure) in
      let value = try Value(from: &reader)
      return (value[keyPath: key], value)
    }
  }
}

extension Provider: Payload {
  func write(to writer: inout RecordWriter) {
    id.write(to: &writer)
    writer.text(name)
    writer.byte(dialect.rawValue)
    writer.text(baseURL)
    writer.text(prefix)
    models.write(to: &writer)
    excludedModels.write(to: &writer)
    writer.flag(isEnabled)
    writer.varint(revision)
    writer.time(createdAt)
    writer.time(updatedAt)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    id = try ProviderID(from: &reader)
    name = try reader.text()
    dialect = try reader.one(of: UpstreamProtocol.self)
    baseURL = try reader.text()
    prefix = try reader.text()
    models = try [ProviderModel](from: &reader)
    excludedModels = try [String](from: &reader)
    isEnabled = try reader.flag()
    revision = try reader.varint()
    createdAt = try reader.time()
    updatedAt = try reader.time()
  }
}

extension Account: Payload {
  private enum Flag {
    static let isEnabled: UInt64 = 1 << 0
    static let fingerprint: UInt64 = 1 << 1
    static let position: UInt64 = 1 << 2
    static let all: UInt64 = 0b111
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(
      Flag.isEnabled.when(isEnabled) | Flag.fingerprint.when(credentialFingerprint != nil)
        | Flag.position.when(credentialPosition != nil))
    id.write(to: &writer)
    provider.write(to: &writer)
    writer.text(name)
    priority.write(to: &writer)
    weight.write(to: &writer)
    writer.varint(credentialGeneration)
    if let credentialFingerprint { writer.fingerprint(credentialFingerprint) }
    credentialPosition?.write(to: &writer)
    writer.varint(revision)
    writer.time(createdAt)
    writer.time(updatedAt)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    isEnabled = flags & Flag.isEnabled != 0
    id = try AccountID(from: &reader)
    provider = try ProviderID(from: &reader)
    name = try reader.text()
    priority = try reader.uint32()
    weight = try reader.uint32()
    credentialGeneration = try reader.varint()
    credentialFingerprint = flags & Flag.fingerprint == 0 ? nil : try reader.fingerprint()
    credentialPosition = try reader.optional(flags, Flag.position)
    revision = try reader.varint()
    createdAt = try reader.time()
    updatedAt = try reader.time()
  }
}

extension AliasTarget: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(name)
    writer.text(target)
    writer.flag(isUnresolved)
    writer.varint(revision)
    writer.time(createdAt)
    writer.time(updatedAt)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    name = try reader.text()
    target = try reader.text()
    isUnresolved = try reader.flag()
    revision = try reader.varint()
    createdAt = try reader.time()
    updatedAt = try reader.time()
  }
}

extension Key: Payload {
  private enum Flag {
    static let diagnostics: UInt64 = 1 << 0
    static let expiresAt: UInt64 = 1 << 1
    static let all: UInt64 = 0b11
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(Flag.diagnostics.when(diagnostics) | Flag.expiresAt.when(expiresAt != nil))
    id.write(to: &writer)
    writer.text(name)
    organisation.write(to: &writer)
    writer.fingerprint(fingerprint)
    writer.text(masked)
    expiresAt?.write(to: &writer)
    switch status {
    case .active: writer.byte(1)
    case .paused: writer.byte(2)
    case .revoked: writer.byte(3)
    }
    writer.varint(revision)
    writer.time(createdAt)
    writer.time(updatedAt)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    diagnostics = flags & Flag.diagnostics != 0
    id = try KeyID(from: &reader)
    name = try reader.text()
    organisation = try OrganisationID(from: &reader)
    fingerprint = try reader.fingerprint()
    masked = try reader.text()
    expiresAt = try reader.optional(flags, Flag.expiresAt)
    switch try reader.byte() {
    case 1: status = .active
    case 2: status = .paused
    case 3: status = .revoked
    case _: throw reader.failure(.invalidValue)
    }
    revision = try reader.varint()
    createdAt = try reader.time()
    updatedAt = try reader.time()
  }
}

extension Settings: Payload {
  private enum Flag {
    static let requireAPIKey: UInt64 = 1 << 0
    static let forceModelPrefix: UInt64 = 1 << 1
    static let adminPassword: UInt64 = 1 << 2
    static let all: UInt64 = 0b111
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(
      Flag.requireAPIKey.when(requireAPIKey) | Flag.forceModelPrefix.when(forceModelPrefix)
        | Flag.adminPassword.when(adminPasswordPosition != nil))
    writer.byte(fallbackStrategy.rawValue)
    writer.varint(maxBodyBytes)
    adminPasswordPosition?.write(to: &writer)
    writer.varint(revision)
    writer.time(createdAt)
    writer.time(updatedAt)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    requireAPIKey = flags & Flag.requireAPIKey != 0
    forceModelPrefix = flags & Flag.forceModelPrefix != 0
    fallbackStrategy = try reader.one(of: Strategy.self)
    maxBodyBytes = try reader.varint()
    adminPasswordPosition = try reader.optional(flags, Flag.adminPassword)
    revision = try reader.varint()
    createdAt = try reader.time()
    updatedAt = try reader.time()
  }
}
