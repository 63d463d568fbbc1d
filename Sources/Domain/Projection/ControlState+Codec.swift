// Like the events' encodings, and not made of them: those are for ever, these may change with any build,
// and a snapshot of another encoding is made again from the log.

extension ControlState: Payload {
  func write(to writer: inout RecordWriter) {
    writer.varint(position)
    providers.write(to: &writer)
    accounts.write(to: &writer)
    removedAccounts.write(to: &writer)
    writer.count(health.count)
    for (account, health) in health.sorted(by: { $0.key < $1.key }) {
      account.write(to: &writer)
      health.write(to: &writer)
    }
    aliases.write(to: &writer)
    combos.write(to: &writer)
    policies.write(to: &writer)
    organisations.write(to: &writer)
    keys.write(to: &writer)
    settings.write(to: &writer)
    pricing.write(to: &writer)
    access.write(to: &writer)
    writer.flag(identity != nil)
    if let identity {
      identity.node.write(to: &writer)
      writer.varint(identity.incarnation)
    }
    sync.write(to: &writer)
    syncTokens.write(to: &writer)
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
    health = try reader.table { (reader) throws(DecodingFailure) in
      (try AccountID(from: &reader), try AccountHealth(from: &reader))
    }
    aliases = try reader.table(\.name)
    combos = try reader.table(\.name)
    policies = try reader.table(\.id)
    organisations = try reader.table(\.id)
    keys = try reader.table(\.id)
    settings = try Settings(from: &reader)
    pricing = try Pricing(from: &reader)
    access = try AccessState(from: &reader)
    identity =
      try reader.flag()
      ? NodeIdentity(node: try NodeID(from: &reader), incarnation: try reader.varint()) : nil
    sync = try SyncState(from: &reader)
    syncTokens = try reader.table(\.id)
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
    discoveredModels.write(to: &writer)
    writer.flag(discoveredAt != nil)
    discoveredAt?.write(to: &writer)
    disabledModels.write(to: &writer)
    writer.flag(healthCheckSeconds != nil)
    healthCheckSeconds?.write(to: &writer)
    writer.flag(oauth != nil)
    oauth?.write(to: &writer)
    writer.flag(oauthPosition != nil)
    oauthPosition?.write(to: &writer)
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
    discoveredModels = try [String](from: &reader)
    discoveredAt = try reader.flag() ? try reader.time() : nil
    disabledModels = try [String](from: &reader)
    healthCheckSeconds = try reader.flag() ? try reader.uint32() : nil
    oauth = try reader.flag() ? try OAuthClient(from: &reader) : nil
    oauthPosition = try reader.flag() ? try reader.varint() : nil
    isEnabled = try reader.flag()
    revision = try reader.varint()
    createdAt = try reader.time()
    updatedAt = try reader.time()
  }
}

extension Account: Payload {
  private enum Flag {
    static let isEnabled: UInt64 = 1 << 0
    static let degradation: UInt64 = 1 << 1
    static let all: UInt64 = 0b11
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(
      Flag.isEnabled.when(isEnabled) | Flag.degradation.when(degradation != nil))
    id.write(to: &writer)
    provider.write(to: &writer)
    writer.text(name)
    priority.write(to: &writer)
    weight.write(to: &writer)
    credential.write(to: &writer)
    if let degradation {
      writer.text(degradation.reason)
      writer.time(degradation.since)
    }
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
    credential = try Credential(from: &reader)
    degradation =
      flags & Flag.degradation == 0
      ? nil : Degradation(reason: try reader.text(), since: try reader.time())
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
    allowedModels.write(to: &writer)
    allowedAccounts.write(to: &writer)
    limits.write(to: &writer)
    budgets.write(to: &writer)
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
    allowedModels = try [String](from: &reader)
    allowedAccounts = try [AccountID](from: &reader)
    limits = try Limits(from: &reader)
    budgets = try [Budget](from: &reader)
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
    trustedProxies.write(to: &writer)
    stickyRoundRobinLimit.write(to: &writer)
    maxAttempts.write(to: &writer)
    requestTimeoutSeconds.write(to: &writer)
    sync.write(to: &writer)
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
    trustedProxies = try [String](from: &reader)
    stickyRoundRobinLimit = try reader.uint32()
    maxAttempts = try reader.uint32()
    requestTimeoutSeconds = try reader.uint32()
    sync = try SyncSettings(from: &reader)
    adminPasswordPosition = try reader.optional(flags, Flag.adminPassword)
    revision = try reader.varint()
    createdAt = try reader.time()
    updatedAt = try reader.time()
  }
}

extension AccountHealth: Payload {
  private enum Flag {
    static let cooldown: UInt64 = 1 << 0
    static let lastError: UInt64 = 1 << 1
    static let testedAt: UInt64 = 1 << 2
    static let testMicroseconds: UInt64 = 1 << 3
    static let probedAt: UInt64 = 1 << 4
    static let all: UInt64 = 0b1_1111
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(
      Flag.cooldown.when(cooldown != nil) | Flag.lastError.when(lastError != nil)
        | Flag.testedAt.when(testedAt != nil)
        | Flag.testMicroseconds.when(testMicroseconds != nil)
        | Flag.probedAt.when(probedAt != nil))
    cooldown?.write(to: &writer)
    writer.count(modelCooldowns.count)
    for (model, cooldown) in modelCooldowns.sorted(by: { $0.key < $1.key }) {
      writer.text(model)
      cooldown.write(to: &writer)
    }
    writer.byte(testStatus.rawValue)
    lastError?.write(to: &writer)
    testedAt?.write(to: &writer)
    testMicroseconds?.write(to: &writer)
    writer.varint(consecutiveErrors)
    probedAt?.write(to: &writer)
    writer.count(quirks.count)
    for quirk in quirks { writer.byte(quirk.rawValue) }
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    cooldown = try reader.optional(flags, Flag.cooldown)
    modelCooldowns = try reader.table { (reader) throws(DecodingFailure) in
      (try reader.text(), try Cooldown(from: &reader))
    }
    testStatus = try reader.one(of: TestStatus.self)
    lastError = try reader.optional(flags, Flag.lastError)
    testedAt = try reader.optional(flags, Flag.testedAt)
    testMicroseconds = try reader.optional(flags, Flag.testMicroseconds)
    consecutiveErrors = try reader.varint()
    probedAt = try reader.optional(flags, Flag.probedAt)
    quirks = []
    for _ in 0..<(try reader.count()) {
      let quirk = try reader.one(of: Quirk.self)
      if let last = quirks.last, quirk <= last { throw reader.failure(.notCanonical) }
      quirks.append(quirk)
    }
  }
}

extension AccountHealth.Cooldown: Payload {
  func write(to writer: inout RecordWriter) {
    writer.time(until)
    writer.text(rule)
    writer.time(startedAt)
    writer.varint(position)
    level.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    until = try reader.time()
    rule = try reader.text()
    startedAt = try reader.time()
    position = try reader.varint()
    level = try reader.uint32()
  }
}

extension AccountHealth.LastError: Payload {
  private enum Flag {
    static let status: UInt64 = 1 << 0
    static let errorClass: UInt64 = 1 << 1
    static let code: UInt64 = 1 << 2
    static let all: UInt64 = 0b111
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(
      Flag.status.when(status != nil) | Flag.errorClass.when(errorClass != nil)
        | Flag.code.when(code != nil))
    status?.write(to: &writer)
    if let errorClass { writer.byte(errorClass.rawValue) }
    code?.write(to: &writer)
    writer.time(at)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    status = try reader.optional(flags, Flag.status)
    errorClass = flags & Flag.errorClass == 0 ? nil : try reader.one(of: ErrorClass.self)
    code = try reader.optional(flags, Flag.code)
    at = try reader.time()
  }
}

extension Combo: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(name)
    models.write(to: &writer)
    writer.flag(isUnresolved)
    writer.varint(revision)
    writer.time(createdAt)
    writer.time(updatedAt)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    name = try reader.text()
    models = try [String](from: &reader)
    isUnresolved = try reader.flag()
    revision = try reader.varint()
    createdAt = try reader.time()
    updatedAt = try reader.time()
  }
}

extension Policy: Payload {
  func write(to writer: inout RecordWriter) {
    id.write(to: &writer)
    accounts.write(to: &writer)
    failoverThreshold.write(to: &writer)
    writer.flag(isUnresolved)
    writer.varint(revision)
    writer.time(createdAt)
    writer.time(updatedAt)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    id = try PolicyID(from: &reader)
    accounts = try [PolicyAccount](from: &reader)
    failoverThreshold = try reader.uint32()
    isUnresolved = try reader.flag()
    revision = try reader.varint()
    createdAt = try reader.time()
    updatedAt = try reader.time()
  }
}

extension Organisation: Payload {
  func write(to writer: inout RecordWriter) {
    id.write(to: &writer)
    writer.text(name)
    limits.write(to: &writer)
    budgets.write(to: &writer)
    writer.flag(isPaused)
    writer.varint(revision)
    writer.time(createdAt)
    writer.time(updatedAt)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    id = try OrganisationID(from: &reader)
    name = try reader.text()
    limits = try Limits(from: &reader)
    budgets = try [Budget](from: &reader)
    isPaused = try reader.flag()
    revision = try reader.varint()
    createdAt = try reader.time()
    updatedAt = try reader.time()
  }
}

extension Pricing: Payload {
  func write(to writer: inout RecordWriter) {
    writer.count(prices.count)
    for (id, price) in prices.sorted(by: { $0.key < $1.key }) {
      id.write(to: &writer)
      price.write(to: &writer)
    }
    writer.varint(revision)
    writer.time(createdAt)
    writer.time(updatedAt)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    prices = try reader.table { (reader) throws(DecodingFailure) in
      (try PriceID(from: &reader), try Price(from: &reader))
    }
    revision = try reader.varint()
    createdAt = try reader.time()
    updatedAt = try reader.time()
  }
}

extension AccessState: Payload {
  func write(to writer: inout RecordWriter) {
    writer.count(revoked.count)
    for (session, expiresAt) in revoked.sorted(by: { $0.key < $1.key }) {
      writer.id(session)
      writer.time(expiresAt)
    }
    writer.flag(revokedThrough != nil)
    revokedThrough?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    revoked = try reader.table { (reader) throws(DecodingFailure) in
      (try reader.id(), try reader.time())
    }
    revokedThrough = try reader.flag() ? try reader.time() : nil
  }
}
