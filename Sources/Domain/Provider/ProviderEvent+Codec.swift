extension ProviderModel: Payload {
  private static let hasAlias: UInt64 = 1

  func write(to writer: inout RecordWriter) {
    writer.varint(Self.hasAlias.when(alias != nil))
    writer.text(name)
    alias?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Self.hasAlias)
    name = try reader.text()
    alias = try reader.optional(flags, Self.hasAlias)
  }
}

extension ProviderEvent.Added: Payload {
  func write(to writer: inout RecordWriter) {
    id.write(to: &writer)
    writer.text(name)
    writer.byte(dialect.rawValue)
    writer.text(baseURL)
    writer.text(prefix)
    models.write(to: &writer)
    excludedModels.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    id = try ProviderID(from: &reader)
    name = try reader.text()
    dialect = try reader.one(of: UpstreamProtocol.self)
    baseURL = try reader.text()
    prefix = try reader.text()
    models = try [ProviderModel](from: &reader)
    excludedModels = try [String](from: &reader)
  }
}

extension ProviderEvent.ModelsDiscovered: Payload {
  func write(to writer: inout RecordWriter) {
    id.write(to: &writer)
    account.write(to: &writer)
    models.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    id = try ProviderID(from: &reader)
    account = try AccountID(from: &reader)
    models = try [String](from: &reader)
  }
}

extension ProviderEvent.Changed: Payload {
  private enum Flag {
    static let name: UInt64 = 1 << 0
    static let dialect: UInt64 = 1 << 1
    static let baseURL: UInt64 = 1 << 2
    static let prefix: UInt64 = 1 << 3
    static let models: UInt64 = 1 << 4
    static let excludedModels: UInt64 = 1 << 5
    static let all: UInt64 = 0b11_1111
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(
      Flag.name.when(name != nil) | Flag.dialect.when(dialect != nil)
        | Flag.baseURL.when(baseURL != nil) | Flag.prefix.when(prefix != nil)
        | Flag.models.when(models != nil) | Flag.excludedModels.when(excludedModels != nil))
    id.write(to: &writer)
    name?.write(to: &writer)
    if let dialect { writer.byte(dialect.rawValue) }
    baseURL?.write(to: &writer)
    prefix?.write(to: &writer)
    models?.write(to: &writer)
    excludedModels?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    id = try ProviderID(from: &reader)
    name = try reader.optional(flags, Flag.name)
    dialect = flags & Flag.dialect == 0 ? nil : try reader.one(of: UpstreamProtocol.self)
    baseURL = try reader.optional(flags, Flag.baseURL)
    prefix = try reader.optional(flags, Flag.prefix)
    models = try reader.optionalList(flags, Flag.models)
    excludedModels = try reader.optionalList(flags, Flag.excludedModels)
  }
}

extension ProviderEvent.HealthCheckSet: Payload {
  private static let hasInterval: UInt64 = 1

  func write(to writer: inout RecordWriter) {
    writer.varint(Self.hasInterval.when(intervalSeconds != nil))
    id.write(to: &writer)
    intervalSeconds?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Self.hasInterval)
    id = try ProviderID(from: &reader)
    intervalSeconds = try reader.optional(flags, Self.hasInterval)
  }
}

extension ProviderEvent.OAuthSet: Payload {
  private static let hasClient: UInt64 = 1

  func write(to writer: inout RecordWriter) {
    writer.varint(Self.hasClient.when(client != nil))
    id.write(to: &writer)
    client?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Self.hasClient)
    id = try ProviderID(from: &reader)
    client = try reader.optional(flags, Self.hasClient)
  }
}

extension OAuthClient: Payload {
  private enum Flag {
    static let authorizeURL: UInt64 = 1 << 0
    static let deviceURL: UInt64 = 1 << 1
    static let revokeURL: UInt64 = 1 << 2
    static let secret: UInt64 = 1 << 3
    static let isSharedFamily: UInt64 = 1 << 4
    static let userInfoURL: UInt64 = 1 << 5
    static let all: UInt64 = 0b11_1111
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(
      Flag.authorizeURL.when(authorizeURL != nil) | Flag.deviceURL.when(deviceURL != nil)
        | Flag.revokeURL.when(revokeURL != nil) | Flag.secret.when(secret != nil)
        | Flag.isSharedFamily.when(isSharedFamily)
        | Flag.userInfoURL.when(userInfoURL != nil))
    writer.text(kind)
    writer.text(tokenURL)
    authorizeURL?.write(to: &writer)
    deviceURL?.write(to: &writer)
    revokeURL?.write(to: &writer)
    userInfoURL?.write(to: &writer)
    writer.text(clientID)
    if let secret { writer.fingerprint(secret) }
    scopes.write(to: &writer)
    writer.byte(encoding.rawValue)
    leadSeconds.write(to: &writer)
    spacingSeconds.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    kind = try reader.text()
    tokenURL = try reader.text()
    authorizeURL = try reader.optional(flags, Flag.authorizeURL)
    deviceURL = try reader.optional(flags, Flag.deviceURL)
    revokeURL = try reader.optional(flags, Flag.revokeURL)
    userInfoURL = try reader.optional(flags, Flag.userInfoURL)
    clientID = try reader.text()
    secret = flags & Flag.secret == 0 ? nil : try reader.fingerprint()
    scopes = try [String](from: &reader)
    encoding = try reader.one(of: Encoding.self)
    leadSeconds = try reader.uint32()
    isSharedFamily = flags & Flag.isSharedFamily != 0
    spacingSeconds = try reader.uint32()
  }
}
