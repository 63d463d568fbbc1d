/// How an account is picked among those that could serve.
public enum Strategy: UInt8, Sendable, Hashable, CaseIterable {
  /// The best priority.
  case fillFirst = 1
  /// In turn, each for `stickyRoundRobinLimit` requests.
  case roundRobin = 2
  /// In turn, by the accounts' weights.
  case weighted = 3
  /// The quicker of two drawn.
  case leastLatency = 4
  /// The same for all requests of a session.
  case sessionSticky = 5

  /// As written in configuration and answers.
  public var name: String {
    switch self {
    case .fillFirst: "fill-first"
    case .roundRobin: "round-robin"
    case .weighted: "weighted"
    case .leastLatency: "least-latency"
    case .sessionSticky: "session-sticky"
    }
  }
}

/// Facts in `settings`.
public enum SettingsEvent: Sendable, Hashable {
  case changed(Changed)
  /// The administrator's password was set; its scrypt hash is the event's sealed part.
  case adminPasswordSet
  case trustedProxiesSet(TrustedProxiesSet)
  case routingChanged(RoutingChanged)
  case syncChanged(SyncChanged)
  /// What is shown to the peer that this node exchanges with; it is the event's sealed part.
  case cloudTokenSet(Fingerprint)
  case cloudTokenRemoved

  /// Only the fields that changed; nil is "unchanged".
  public struct RoutingChanged: Sendable, Hashable {
    /// How many requests in a row one account gets under round-robin: 1…10,000.
    public var stickyRoundRobinLimit: UInt32?
    /// Upstream calls of one request at most: 1…64.
    public var maxAttempts: UInt32?
    /// From a request's arrival to the first byte of its answer: 1…3,600.
    public var requestTimeoutSeconds: UInt32?

    /// Made of its parts.
    public init(
      stickyRoundRobinLimit: UInt32? = nil, maxAttempts: UInt32? = nil,
      requestTimeoutSeconds: UInt32? = nil
    ) {
      self.stickyRoundRobinLimit = stickyRoundRobinLimit
      self.maxAttempts = maxAttempts
      self.requestTimeoutSeconds = requestTimeoutSeconds
    }
  }

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
