import Domain

extension EventFields {
  static func credential(_ event: CredentialEvent) -> Members {
    var members: Members = [.init("account", .text(event.account.rawValue))]
    switch event {
    case .issued(let it):
      members += [
        .init("generation", .count(it.generation)),
        .init("fingerprint", .text(Shown.hex(it.fingerprint.rawValue))),
      ]
      guard it.wireKind == .credentialIssuedV2 else { break }
      members += [
        .init("kind", .text(it.kind.name)), .init("home", .text(it.home?.rawValue)),
        .init("homeEpoch", .count(it.homeEpoch)), .init("canRefresh", .bool(it.canRefresh)),
        .init("expiresAt", .text(it.expiresAt.map { rfc3339($0) })),
      ]
    case .revoked: break
    case .expirySet(let it):
      members += [
        .init("generation", .count(it.generation)),
        .init("expiresAt", .text(it.expiresAt.map { rfc3339($0) })),
      ]
    case .refreshAttempted(let it):
      members += [
        .init("generation", .count(it.generation)), .init("attempt", .count(it.attempt)),
        .init("cause", .text(it.cause.name)),
      ]
    case .refreshed(let it):
      members += [
        .init("from", .count(it.from)), .init("generation", .count(it.generation)),
        .init("fingerprint", .text(Shown.hex(it.fingerprint.rawValue))),
        .init("expiresAt", .text(it.expiresAt.map { rfc3339($0) })),
        .init("attempt", .count(it.attempt)),
      ]
    case .refreshRejected(let it):
      members += [
        .init("generation", .count(it.generation)), .init("attempt", .count(it.attempt)),
        .init("code", .text(it.code)),
      ]
    case .refreshFailed(let it):
      members += [
        .init("generation", .count(it.generation)), .init("attempt", .count(it.attempt)),
        .init("code", .text(it.code)), .init("outcomeUnknown", .bool(it.outcomeUnknown)),
        .init("retryAt", .text(rfc3339(it.retryAt))),
      ]
    case .markedUncertain(let it):
      members += [
        .init("generation", .count(it.generation)), .init("reason", .text(it.reason.name)),
        .init("attempt", .count(it.attempt)),
      ]
    case .released(let it): members.append(.init("generation", .count(it.generation)))
    case .staleWriteRefused(let it):
      members += [
        .init("homeEpoch", .count(it.homeEpoch)), .init("generation", .count(it.generation)),
        .init("fingerprint", .text(it.fingerprint.map { Shown.hex($0.rawValue) })),
        .init("source", .text(it.source)), .init("rule", .text(it.rule.name)),
      ]
    case .homeMoved(let it):
      members += [
        .init("home", .text(it.home.rawValue)), .init("homeEpoch", .count(it.homeEpoch)),
      ]
    case .ancestryLearned(let it):
      members += [
        .init("generation", .count(it.generation)), .init("made", origins(it.ancestry.made)),
        .init("beaten", origins(it.ancestry.beaten)), .init("unnamed", .count(it.ancestry.unnamed)),
      ]
    }
    return members
  }

  private static func origins(_ generations: [EditAuthor: UInt64]) -> JSONTree {
    .array(
      generations.sorted { $0.key < $1.key }.map {
        .object([.init("author", .text($0.key.rawValue)), .init("generation", .count($0.value))])
      })
  }

  static func oauth(_ it: OAuthClient) -> Members {
    [
      .init("kind", .text(it.kind)), .init("tokenUrl", .text(it.tokenURL)),
      .init("authorizeUrl", .text(it.authorizeURL)), .init("deviceUrl", .text(it.deviceURL)),
      .init("revokeUrl", .text(it.revokeURL)),
      .init("userInfoUrl", .text(it.userInfoURL)), .init("clientId", .text(it.clientID)),
      .init("clientSecretFingerprint", .text(it.secret.map { Shown.hex($0.rawValue) })),
      .init("scopes", .array(it.scopes.map { .text($0) })),
      .init("encoding", .text(it.encoding.name)),
      .init("leadSeconds", .count(UInt64(it.leadSeconds))),
      .init("isSharedFamily", .bool(it.isSharedFamily)),
      .init("spacingSeconds", .count(UInt64(it.spacingSeconds))),
    ]
  }
}
