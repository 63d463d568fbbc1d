extension Event {
  /// The stream that the event belongs to, for example `account/a1` or `request`.
  public var stream: String {
    switch self {
    case .provider(let event): event.id.stream
    case .account(let event): event.id.stream
    case .credential(let event): event.account.credentialStream
    case .alias(let event): aliasStream(event.name)
    case .key(let event): event.id.stream
    case .settings: settingsStream
    case .request: requestStream
    case .gateway: gatewayStream
    }
  }

  /// Further names by which the log finds the event.
  ///
  /// For events of one request: the gateway's id as 16 big-endian bytes, then `c:` and the client's own
  /// id if there is one. For all others: none.
  public var lookupKeys: [[UInt8]] {
    switch self {
    case .request(.dispatched(let it)): requestKeys(it.id, it.clientRequestID)
    case .request(.finished(let it)): requestKeys(it.id, it.clientRequestID)
    case .request(.interrupted(let it)): requestKeys(it.id, it.clientRequestID)
    case .request(.deliveryFailed(let it)): requestKeys(it.id, nil)
    case .request(.deniedSummary), .provider, .account, .credential, .alias, .key, .settings,
      .gateway:
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

/// The stream of an alias.
public func aliasStream(_ name: String) -> String { "alias/" + name }

extension ProviderID {
  /// The provider's stream.
  public var stream: String { "provider/" + rawValue }
}

extension AccountID {
  /// The stream of what operators want of the account.
  public var stream: String { "account/" + rawValue }
  /// The stream of the account's generations of secrets.
  public var credentialStream: String { "credential/" + rawValue }
}

extension KeyID {
  /// The key's stream.
  public var stream: String { "key/" + rawValue }
}

private func requestKeys(_ id: RequestID, _ client: String?) -> [[UInt8]] {
  if let client { [id.lookupKey, lookupKey(clientRequestID: client)] } else { [id.lookupKey] }
}

extension ProviderEvent {
  /// Whom the fact is about.
  public var id: ProviderID {
    switch self {
    case .added(let it): it.id
    case .changed(let it): it.id
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
    case .enabled(let id), .disabled(let id), .removed(let id): id
    }
  }
}

extension CredentialEvent {
  /// Whose secret the fact is about.
  public var account: AccountID {
    switch self {
    case .issued(let it): it.account
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
    case .paused(let id), .resumed(let id), .revoked(let id): id
    }
  }
}
