/// What holds for the whole gateway.
public struct Settings: Sendable, Hashable {
  /// How an account is picked among those that could serve.
  public var fallbackStrategy: Strategy
  /// Requests without a valid key are refused.
  public var requireAPIKey: Bool
  /// Bare model names are refused; aliases are not.
  public var forceModelPrefix: Bool
  /// 1 KiB…256 MiB.
  public var maxBodyBytes: UInt64
  /// From whose addresses forwarded headers are believed: addresses or `address/bits`.
  public var trustedProxies: [String]
  /// How many requests in a row one account gets under round-robin: 1…10,000.
  public var stickyRoundRobinLimit: UInt32
  /// Upstream calls of one request at most: 1…64.
  public var maxAttempts: UInt32
  /// From a request's arrival to the first byte of its answer: 1…3,600.
  public var requestTimeoutSeconds: UInt32
  /// Whom this node exchanges with, and how.
  public var sync: SyncSettings
  /// Position of the event whose sealed part holds the password's hash; nil: none was set.
  public var adminPasswordPosition: UInt64?
  /// Of `settings`.
  public var revision: UInt64
  /// When it began.
  public var createdAt: UnixNanoseconds
  /// When it was last changed.
  public var updatedAt: UnixNanoseconds

  /// What holds before anything was set.
  public static let initial = Settings(
    fallbackStrategy: .fillFirst, requireAPIKey: true, forceModelPrefix: false,
    maxBodyBytes: 32 << 20, trustedProxies: [], adminPasswordPosition: nil, revision: 0,
    createdAt: UnixNanoseconds(0), updatedAt: UnixNanoseconds(0))

  /// Made of its parts.
  public init(
    fallbackStrategy: Strategy, requireAPIKey: Bool, forceModelPrefix: Bool, maxBodyBytes: UInt64,
    trustedProxies: [String] = [], stickyRoundRobinLimit: UInt32 = 3, maxAttempts: UInt32 = 8,
    requestTimeoutSeconds: UInt32 = 600, sync: SyncSettings = .initial,
    adminPasswordPosition: UInt64?, revision: UInt64, createdAt: UnixNanoseconds,
    updatedAt: UnixNanoseconds
  ) {
    self.fallbackStrategy = fallbackStrategy
    self.requireAPIKey = requireAPIKey
    self.forceModelPrefix = forceModelPrefix
    self.maxBodyBytes = maxBodyBytes
    self.trustedProxies = trustedProxies
    self.stickyRoundRobinLimit = stickyRoundRobinLimit
    self.maxAttempts = maxAttempts
    self.requestTimeoutSeconds = requestTimeoutSeconds
    self.sync = sync
    self.adminPasswordPosition = adminPasswordPosition
    self.revision = revision
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }
}

/// What can be asked of the settings.
public enum SettingsCommand: Sendable, Hashable {
  case change(SettingsEvent.Changed)
  case changeRouting(SettingsEvent.RoutingChanged)
  case changeSync(SettingsEvent.SyncChanged)
  /// The token of the peer travels in the event's sealed part; the same one again changes nothing.
  case setCloudToken(Fingerprint)
  case removeCloudToken
  /// All of them, whatever held before.
  case setTrustedProxies([String])
  /// The hash travels in the event's sealed part; always an event.
  case setAdminPassword
}
