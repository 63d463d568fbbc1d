extension Event {
  /// The stream that the event belongs to, for example `account/a1` or `request`.
  public var stream: String {
    switch self {
    case .provider(let event): event.id.stream
    case .account(let event): event.id.stream
    case .credential(let event): event.account.credentialStream
    case .health(let event): event.account.healthStream
    case .model(let event): event.id.stream
    case .alias(let event): aliasStream(event.name)
    case .combo(let event): comboStream(event.name)
    case .policy(let event): event.id.stream
    case .organisation(let event): event.id.stream
    case .key(let event): event.id.stream
    case .settings: settingsStream
    case .pricing: pricingStream
    case .access: accessStream
    case .sync(let event): syncStream(event.peer)
    case .syncToken(let event): event.id.stream
    case .request: requestStream
    case .gateway: gatewayStream
    }
  }

  /// Further names by which the log finds the event.
  ///
  /// For events of one request: the gateway's id as 16 big-endian bytes, then `c:` and the client's own
  /// id if there is one, then that of its `Idempotency-Key`. For all others: none.
  public var lookupKeys: [[UInt8]] {
    switch self {
    case .request(.dispatched(let it)): requestKeys(it.id, it.clientRequestID, it.idempotency)
    case .request(.finished(let it)): requestKeys(it.id, it.clientRequestID, it.idempotency)
    case .request(.interrupted(let it)): requestKeys(it.id, it.clientRequestID)
    case .request(.deliveryFailed(let it)): requestKeys(it.id, nil)
    case .request(.deniedSummary), .provider, .account, .credential, .health, .model, .alias,
      .combo, .policy, .organisation, .key, .settings, .pricing, .access, .sync,
      .syncToken, .gateway:
      []
    }
  }
}

extension RequestID {
  /// The id as a lookup key: 16 big-endian bytes.
  public var lookupKey: [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 16) { buffer, count in
      for index in 0..<16 {
        buffer.initializeElement(
          at: index, to: UInt8(truncatingIfNeeded: rawValue >> UInt128(120 - 8 * index)))
      }
      count = 16
    }
  }
}

/// A client's own request id as a lookup key: `c:` and its bytes.
public func lookupKey(clientRequestID: String) -> [UInt8] {
  var key: [UInt8] = [0x63, 0x3A]
  key.append(contentsOf: clientRequestID.utf8)
  return key
}

/// The stream of all requests.
public let requestStream = "request"
/// The stream of the process's own life.
public let gatewayStream = "gateway"
/// The stream of the settings.
public let settingsStream = "settings"

/// The stream of the prices.
public let pricingStream = "pricing"
/// The stream of signing in and out.
public let accessStream = "access"

/// The stream of an alias.
public func aliasStream(_ name: String) -> String { "alias/" + name }

/// The stream of a combo.
public func comboStream(_ name: String) -> String { "combo/" + name }

extension PolicyID {
  /// The policy's stream.
  public var stream: String { "policy/" + organisation.rawValue + "/" + model }
}

extension OrganisationID {
  /// The organisation's stream.
  public var stream: String { "organisation/" + rawValue }
}

extension ModelID {
  /// The stream of what operators want of the model.
  public var stream: String { "model/" + provider.rawValue + "/" + name }
}

extension ProviderID {
  /// The provider's stream.
  public var stream: String { "provider/" + rawValue }
}

extension AccountID {
  /// The stream of what operators want of the account.
  public var stream: String { "account/" + rawValue }
  /// The stream of the account's generations of secrets.
  public var credentialStream: String { "credential/" + rawValue }
  /// The stream of what is known of the account's state.
  public var healthStream: String { "health/" + rawValue }
}

extension KeyID {
  /// The key's stream.
  public var stream: String { "key/" + rawValue }
}

private func requestKeys(
  _ id: RequestID, _ client: String?, _ mark: IdempotencyMark? = nil
) -> [[UInt8]] {
  var keys = [id.lookupKey]
  if let client { keys.append(lookupKey(clientRequestID: client)) }
  if let mark { keys.append(mark.lookupKey) }
  return keys
}

extension ProviderEvent {
  /// Whom the fact is about.
  public var id: ProviderID {
    switch self {
    case .added(let it): it.id
    case .changed(let it): it.id
    case .modelsDiscovered(let it): it.id
    case .healthCheckSet(let it): it.id
    case .oauthSet(let it): it.id
    case .enabled(let id), .disabled(let id), .removed(let id): id
    }
  }
}

extension AccountEvent {
  /// Whom the fact is about.
  public var id: AccountID {
    switch self {
    case .added(let it): it.id
    case .changed(let it): it.id
    case .degraded(let it): it.id
    case .credentialSet(let it): it.id
    case .enabled(let id), .disabled(let id), .restored(let id), .removed(let id): id
    }
  }
}

extension CredentialEvent {
  /// Whose secret the fact is about.
  public var account: AccountID {
    switch self {
    case .issued(let it): it.account
    case .expirySet(let it): it.account
    case .refreshAttempted(let it): it.account
    case .refreshed(let it): it.account
    case .refreshRejected(let it): it.account
    case .refreshFailed(let it): it.account
    case .markedUncertain(let it): it.account
    case .released(let it): it.account
    case .staleWriteRefused(let it): it.account
    case .homeMoved(let it): it.account
    case .ancestryLearned(let it): it.account
    case .revoked(let id): id
    }
  }
}

extension AliasEvent {
  /// Which alias the fact is about.
  public var name: String {
    switch self {
    case .set(let it): it.name
    case .removed(let name): name
    }
  }
}

extension KeyEvent {
  /// Which key the fact is about.
  public var id: KeyID {
    switch self {
    case .created(let it): it.id
    case .changed(let it): it.id
    case .accessChanged(let it): it.id
    case .limitsSet(let it): it.id
    case .budgetsSet(let it): it.id
    case .paused(let id), .resumed(let id), .revoked(let id): id
    }
  }
}
