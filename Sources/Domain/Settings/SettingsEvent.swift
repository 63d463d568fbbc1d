/// How an account is picked among those that could serve.
public enum Strategy: UInt8, Sendable, Hashable, CaseIterable {
  case fillFirst = 1

  /// As written in configuration and answers.
  public var name: String {
    switch self {
    case .fillFirst: "fill-first"
    }
  }
}

/// Facts in `settings`.
public enum SettingsEvent: Sendable, Hashable {
  case changed(Changed)
  /// The administrator's password was set; its scrypt hash is the event's sealed part.
  case adminPasswordSet
  case trustedProxiesSet(TrustedProxiesSet)

  /// From whose addresses forwarded headers are believed; an empty list: from nobody's.
  public struct TrustedProxiesSet: Sendable, Hashable {
    /// Addresses or `address/bits`, at most 64.
    public var networks: [String]

    /// Made of its parts.
    public init(networks: [String]) { self.networks = networks }
  }

  /// Only the fields that changed; nil is "unchanged".
  public struct Changed: Sendable, Hashable {
    /// How an account is picked among those that could serve.
    public var fallbackStrategy: Strategy?
    /// Requests without a valid key are refused.
    public var requireAPIKey: Bool?
    /// Bare model names are refused; aliases are not.
    public var forceModelPrefix: Bool?
    /// 1 KiB…256 MiB.
    public var maxBodyBytes: UInt64?

    /// Made of its parts.
    public init(
      fallbackStrategy: Strategy? = nil, requireAPIKey: Bool? = nil,
      forceModelPrefix: Bool? = nil, maxBodyBytes: UInt64? = nil
    ) {
      self.fallbackStrategy = fallbackStrategy
      self.requireAPIKey = requireAPIKey
      self.forceModelPrefix = forceModelPrefix
      self.maxBodyBytes = maxBodyBytes
    }
  }
}
