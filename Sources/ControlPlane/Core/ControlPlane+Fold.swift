public import Domain
public import EventStore

extension ControlPlane.View {
  /// Takes in what the log has beyond `folded`.
  ///
  /// Requests are passed over undecoded: they change no configuration, and there are many.
  mutating func fold(_ reader: LogReader) throws {
    let from = folded.next
    var view = self
    try reader.scan(from: from, through: nil) { entry in
      switch entry {
      case .gap(let gap):
        try gap.requireAccepted()
        return .continue
      case .event(let stored):
        if stored.stream != requestStream {
          view.apply(try recorded(stored), secret: nil, revision: stored.revision.rawValue)
        }
        view.folded = stored.position
        return .continue
      }
    }
    self = view
  }

  /// Applies one event; `secret` is what it sealed, where that is known in clear.
  mutating func apply(_ recorded: Recorded, secret: Secret?, revision: UInt64? = nil) {
    state.apply(recorded, revision: revision)
    guard let event = recorded.event else { return }
    switch event {
    case .credential(.issued(let fact)):
      // One that is not newer than what is in force changed nothing.
      if state.accounts[fact.account]?.credential.position == recorded.position {
        put(secret, of: fact.account)
      }
    case .credential(.refreshed(let fact)):
      if state.accounts[fact.account]?.credential.position == recorded.position {
        put(secret, of: fact.account)
      }
    case .credential(.revoked(let account)): put(nil, of: account)
    case .account(.removed(let account)):
      if !state.keepsCredential(of: account) { put(nil, of: account) }
    case .provider(.oauthSet(let fact)): clientSecrets[fact.id] = secret
    case .provider(.removed(let id)): clientSecrets[id] = nil
    case .settings(.adminPasswordSet):
      password = secret
    case .settings(.cloudTokenSet): cloudToken = secret
    case .settings(.cloudTokenRemoved): cloudToken = nil
    case .syncToken(.issued(let fact)): syncKeys[fact.id] = secret
    case .syncToken(.revoked(let id)): syncKeys[id] = nil
    case .sync(.candidateKept(let fact)):
      candidates[fact.account] = secret.flatMap { CredentialMaterial(decoding: $0) }
    case .sync(.candidateRefused(let fact)):
      if fact.isFinal { candidates[fact.account] = nil }
    case .sync(.forgotten):
      let left = Set(state.sync.peers.values.flatMap(\.candidates.keys))
      candidates = candidates.filter { left.contains($0.key) }
    case .credential, .settings, .provider, .account, .health, .model, .alias, .combo,
      .policy, .organisation, .key, .pricing, .access, .sync, .syncToken, .request, .gateway:
      break
    }
  }

  /// nil: not known in clear, or none.
  private mutating func put(_ sealed: Secret?, of account: AccountID) {
    // With another credential in force, what came before it is no candidate.
    candidates[account] = nil
    let material = sealed.flatMap { CredentialMaterial(decoding: $0) }
    secrets[account] = material?.access
    materials[account] = material.flatMap { $0.isBare ? nil : $0 }
  }

  /// Opens the credentials, tokens and the password in force that are not known in clear yet.
  ///
  /// - Returns: Accounts whose data key is gone, sorted.
  mutating func unseal(_ reader: LogReader, _ vault: Vault) throws -> [AccountID] {
    var lost: [AccountID] = []
    let all = state.accounts.merging(state.removedAccounts) { account, _ in account }
    for (id, account) in all.sorted(by: { $0.key < $1.key }) {
      guard secrets[id] == nil, let position = account.credential.position else { continue }
      do throws(VaultError) {
        let secret = try open(Position(position), reader, vault, "account/\(id.rawValue)")
        guard vault.fingerprint(secret) == account.credential.fingerprint else {
          throw VaultError(.damaged, "the credential of account \(id.rawValue) is not its own")
        }
        guard CredentialMaterial(decoding: secret) != nil else {
          throw VaultError(
            .damaged, "the credential of account \(id.rawValue) is of a form unknown to this build")
        }
        put(secret, of: id)
      } catch {
        guard error.code == .erased else { throw error }
        lost.append(id)
      }
    }
    try unsealCandidates(reader, vault)
    for (id, provider) in state.providers.sorted(by: { $0.key < $1.key }) {
      guard clientSecrets[id] == nil, let position = provider.oauthPosition else { continue }
      clientSecrets[id] = try open(
        Position(position), reader, vault, "provider/\(id.rawValue)")
    }
    for (id, token) in state.syncTokens.sorted(by: { $0.key < $1.key })
    where token.revokedAt == nil && syncKeys[id] == nil {
      syncKeys[id] = try open(Position(token.position), reader, vault, id.stream)
    }
    if cloudToken == nil, let position = state.settings.sync.cloudTokenPosition {
      cloudToken = try open(Position(position), reader, vault, "settings")
    }
    if password == nil, let position = state.settings.adminPasswordPosition {
      password = try open(Position(position), reader, vault, "settings")
    }
    return lost
  }

  /// What was erased cannot be tested, and stays where it is.
  private mutating func unsealCandidates(_ reader: LogReader, _ vault: Vault) throws {
    for peer in state.sync.peers.keys.sorted() {
      for (id, candidate) in state.candidates(of: peer) where candidates[id] == nil {
        guard let position = candidate.position else { continue }
        do throws(VaultError) {
          let secret = try open(Position(position), reader, vault, "account/\(id.rawValue)")
          candidates[id] = CredentialMaterial(decoding: secret)
        } catch {
          guard error.code == .erased else { throw error }
        }
      }
    }
  }

  private func open(
    _ position: Position, _ reader: LogReader, _ vault: Vault, _ subject: String
  ) throws(VaultError) -> Secret {
    let stored: StoredEvent?
    do throws(StoreError) {
      stored = try reader.event(at: position)
    } catch {
      throw VaultError(.io, "the secret of \(subject) cannot be read: \(error)")
    }
    guard let stored else {
      throw VaultError(.damaged, "the log has no event at position \(position) for \(subject)")
    }
    return try vault.open(stored.sealed, subject: subject, event: stored.id.rawValue)
  }
}

extension ControlState {
  /// The configuration that a log has, for programs that only look.
  ///
  /// - Throws: `ControlError.unreadable` for an event that cannot be read.
  public init(reading reader: LogReader) throws {
    self = try GatewayProjection.restored(from: reader).projection.state
  }
}

/// Decodes an event of the log.
func recorded(_ stored: StoredEvent) throws -> Recorded {
  do throws(DecodingFailure) {
    return try Recorded(
      position: stored.position.rawValue, time: UnixNanoseconds(stored.time), kind: stored.kind,
      bytes: stored.payload)
  } catch {
    throw ControlError.unreadable(
      position: stored.position, reason: "\(error.kind): \(error.reason.rawValue)")
  }
}
