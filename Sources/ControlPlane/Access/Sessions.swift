import Crypto
import Domain
import JWTKit
import Synchronization

/// Administrators' sessions: signed tokens that carry themselves, so that they survive a restart.
///
/// HS256 under a key derived from the master key, and from `JWT_SECRET` where one is set. A token is
/// good for 24 h, until the password changes, or until its bearer logs out: the caller asks the state for
/// the last two, which the log keeps.
final class Sessions: Sendable {
  /// How long a session lasts, in seconds.
  static let lifetime: Int64 = 24 * 60 * 60
  /// Tokens logged out in this life, remembered until they expire whatever became of the record; beyond it
  /// the one that expires first is dropped.
  static let revocations = 4096

  /// An open session.
  struct Session: Sendable, Hashable {
    var id: UInt128
    var expiresAt: UnixNanoseconds
    /// Of the password that it was got with.
    var passwordPosition: UInt64

    /// Whether it was ended before its time.
    func isOver(by access: AccessState) -> Bool {
      if access.revoked[id] != nil { return true }
      guard let through = access.revokedThrough else { return false }
      // The id says in milliseconds when it was opened, the token's own time in seconds only.
      return Int64(truncatingIfNeeded: id >> 80) <= through.rawValue / 1_000_000
    }
  }

  /// What a token says.
  private struct Claims: JWTPayload {
    var sub: String
    var jti: String
    var iat: Int64
    var exp: Int64
    /// Position of the password that it was got with.
    var pwd: UInt64

    // Time is checked by the caller, against the injected clock.
    func verify(using algorithm: some JWTAlgorithm) async throws {}
  }

  private static let subject = "admin"
  private let keys = JWTKeyCollection()
  private let revoked = Mutex<[UInt128: Int64]>([:])

  /// - Parameter secret: `JWT_SECRET`; nil: the vault's key alone.
  init(secret: Secret?, vault: Vault) async {
    // Both: who shares the secret with this gateway (another one, another program) cannot sign for
    // it, and a secret that can be guessed is no way in.
    let key = secret.map { secret in
      SymmetricKey(
        data: HMAC<SHA256>.authenticationCode(for: secret.bytes, using: vault.sessionSigningKey))
    }
    let signing = key ?? vault.sessionSigningKey
    await keys.add(hmac: HMACKey(key: signing), digestAlgorithm: .sha256)
  }

  /// Opens a session for whoever knew the password at `passwordPosition`.
  func issue(
    id: UInt128, now: UnixNanoseconds, passwordPosition: UInt64
  ) async throws -> (token: Secret, session: Session) {
    let seconds = now.rawValue / 1_000_000_000
    let claims = Claims(
      sub: Self.subject, jti: uuidText(id), iat: seconds, exp: seconds + Self.lifetime,
      pwd: passwordPosition)
    let token = try await keys.sign(claims)
    let session = Session(
      id: id, expiresAt: UnixNanoseconds(claims.exp * 1_000_000_000),
      passwordPosition: passwordPosition)
    return (Secret(token), session)
  }

  /// The session of a token; nil if it is not ours, too old, or was closed in this life.
  func session(_ token: String, now: UnixNanoseconds) async -> Session? {
    // Longer than any token of ours: not worth an HMAC.
    guard token.utf8.count <= 1024, let claims = try? await keys.verify(token, as: Claims.self),
      claims.sub == Self.subject, let id = parseUUID(claims.jti)
    else { return nil }
    let seconds = now.rawValue / 1_000_000_000
    guard seconds < claims.exp, claims.exp - claims.iat == Self.lifetime else { return nil }
    guard revoked.withLock({ $0[id] == nil }) else { return nil }
    return Session(
      id: id, expiresAt: UnixNanoseconds(claims.exp * 1_000_000_000), passwordPosition: claims.pwd)
  }

  /// Closes a session for the rest of this process's life.
  func revoke(_ session: Session, now: UnixNanoseconds) {
    revoked.withLock { revoked in
      revoked = revoked.filter { $0.value > now.rawValue }
      if revoked.count >= Self.revocations,
        let first = revoked.min(by: { ($0.value, $0.key) < ($1.value, $1.key) })
      {
        revoked[first.key] = nil
      }
      revoked[session.id] = session.expiresAt.rawValue
    }
  }
}
