extension SettingsEvent.Changed: Payload {
  private enum Flag {
    static let fallbackStrategy: UInt64 = 1 << 0
    static let requireAPIKey: UInt64 = 1 << 1
    static let forceModelPrefix: UInt64 = 1 << 2
    static let maxBodyBytes: UInt64 = 1 << 3
    static let all: UInt64 = 0b1111
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(
      Flag.fallbackStrategy.when(fallbackStrategy != nil)
        | Flag.requireAPIKey.when(requireAPIKey != nil)
        | Flag.forceModelPrefix.when(forceModelPrefix != nil)
        | Flag.maxBodyBytes.when(maxBodyBytes != nil))
    if let fallbackStrategy { writer.byte(fallbackStrategy.rawValue) }
    requireAPIKey?.write(to: &writer)
    forceModelPrefix?.write(to: &writer)
    maxBodyBytes?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    fallbackStrategy =
      flags & Flag.fallbackStrategy == 0 ? nil : try reader.one(of: Strategy.self)
    requireAPIKey = try reader.optional(flags, Flag.requireAPIKey)
    forceModelPrefix = try reader.optional(flags, Flag.forceModelPrefix)
    maxBodyBytes = try reader.optional(flags, Flag.maxBodyBytes)
  }
}

extension SettingsEvent.TrustedProxiesSet: Payload {
  func write(to writer: inout RecordWriter) { networks.write(to: &writer) }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    networks = try [String](from: &reader)
  }
}

extension SettingsEvent.RoutingChanged: Payload {
  private enum Flag {
    static let stickyRoundRobinLimit: UInt64 = 1 << 0
    static let maxAttempts: UInt64 = 1 << 1
    static let requestTimeoutSeconds: UInt64 = 1 << 2
    static let all: UInt64 = 0b111
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(
      Flag.stickyRoundRobinLimit.when(stickyRoundRobinLimit != nil)
        | Flag.maxAttempts.when(maxAttempts != nil)
        | Flag.requestTimeoutSeconds.when(requestTimeoutSeconds != nil))
    stickyRoundRobinLimit?.write(to: &writer)
    maxAttempts?.write(to: &writer)
    requestTimeoutSeconds?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    stickyRoundRobinLimit = try reader.optional(flags, Flag.stickyRoundRobinLimit)
    maxAttempts = try reader.optional(flags, Flag.maxAttempts)
    requestTimeoutSeconds = try reader.optional(flags, Flag.requestTimeoutSeconds)
  }
}
