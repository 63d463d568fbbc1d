extension Settings {
  /// The rules of the settings.
  static func decide(
    _ command: SettingsCommand, _ state: Settings
  ) throws(Refusal) -> [SettingsEvent] {
    switch command {
    case .change(let wanted):
      if let bytes = wanted.maxBodyBytes {
        try Bounds.within(bytes, Bounds.bodyBytes, "max_body_bytes")
      }
      let changed = state.difference(wanted)
      return changed == SettingsEvent.Changed() ? [] : [.changed(changed)]
    case .changeRouting(let wanted):
      if let limit = wanted.stickyRoundRobinLimit {
        try Bounds.within(limit, 1...10_000, "sticky_round_robin_limit")
      }
      if let count = wanted.maxAttempts { try Bounds.within(count, 1...64, "max_attempts") }
      if let seconds = wanted.requestTimeoutSeconds {
        try Bounds.within(seconds, 1...3_600, "request_timeout_seconds")
      }
      let changed = state.difference(wanted)
      return changed == SettingsEvent.RoutingChanged() ? [] : [.routingChanged(changed)]
    case .changeSync(let wanted):
      let changed = try state.sync.difference(wanted)
      return changed == SettingsEvent.SyncChanged() ? [] : [.syncChanged(changed)]
    case .setCloudToken(let token):
      return token == state.sync.cloudToken ? [] : [.cloudTokenSet(token)]
    case .removeCloudToken: return state.sync.cloudToken == nil ? [] : [.cloudTokenRemoved]
    case .setTrustedProxies(let networks):
      try Bounds.within(networks.count, 0...64, "number of trusted proxies")
      for network in networks {
        guard AddressBlock(network) != nil else {
          throw .invalid(
            "trusted_proxies", network, "a trusted proxy is an address, or an address/bits")
        }
      }
      return networks == state.trustedProxies
        ? [] : [.trustedProxiesSet(.init(networks: networks))]
    case .setAdminPassword:
      // Two passwords cannot be compared here: only the sealed part knows them.
      return [.adminPasswordSet]
    }
  }

  /// Takes in a fact; total.
  mutating func evolve(
    _ event: SettingsEvent, position: UInt64, revision: UInt64, time: UnixNanoseconds
  ) {
    switch event {
    case .changed(let it):
      fallbackStrategy = it.fallbackStrategy ?? fallbackStrategy
      requireAPIKey = it.requireAPIKey ?? requireAPIKey
      forceModelPrefix = it.forceModelPrefix ?? forceModelPrefix
      maxBodyBytes = it.maxBodyBytes ?? maxBodyBytes
    case .adminPasswordSet: adminPasswordPosition = position
    case .trustedProxiesSet(let it): trustedProxies = it.networks
    case .syncChanged(let it): sync.take(it)
    case .cloudTokenSet(let token):
      sync.cloudToken = token
      sync.cloudTokenPosition = position
    case .cloudTokenRemoved:
      sync.cloudToken = nil
      sync.cloudTokenPosition = nil
    case .routingChanged(let it):
      stickyRoundRobinLimit = it.stickyRoundRobinLimit ?? stickyRoundRobinLimit
      maxAttempts = it.maxAttempts ?? maxAttempts
      requestTimeoutSeconds = it.requestTimeoutSeconds ?? requestTimeoutSeconds
    }
    if self.revision == 0 { createdAt = time }
    self.revision = revision
    updatedAt = time
  }

  private func difference(
    _ wanted: SettingsEvent.RoutingChanged
  ) -> SettingsEvent.RoutingChanged {
    SettingsEvent.RoutingChanged(
      stickyRoundRobinLimit: wanted.stickyRoundRobinLimit == stickyRoundRobinLimit
        ? nil : wanted.stickyRoundRobinLimit,
      maxAttempts: wanted.maxAttempts == maxAttempts ? nil : wanted.maxAttempts,
      requestTimeoutSeconds: wanted.requestTimeoutSeconds == requestTimeoutSeconds
        ? nil : wanted.requestTimeoutSeconds)
  }

  private func difference(_ wanted: SettingsEvent.Changed) -> SettingsEvent.Changed {
    SettingsEvent.Changed(
      fallbackStrategy: wanted.fallbackStrategy == fallbackStrategy
        ? nil : wanted.fallbackStrategy,
      requireAPIKey: wanted.requireAPIKey == requireAPIKey ? nil : wanted.requireAPIKey,
      forceModelPrefix: wanted.forceModelPrefix == forceModelPrefix
        ? nil : wanted.forceModelPrefix,
      maxBodyBytes: wanted.maxBodyBytes == maxBodyBytes ? nil : wanted.maxBodyBytes)
  }
}
