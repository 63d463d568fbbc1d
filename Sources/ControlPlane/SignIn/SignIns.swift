import Crypto
import Domain
import Surface
import Synchronization

/// The sign-ins that wait in this process, with the secrets that never leave it.
final class SignIns: Sendable {
  private let desk = Mutex(SignInDesk<Held>())
  private let redemptions = Mutex(Redemptions())

  /// What stays here while somebody is at the provider's.
  struct Held: Sendable {
    /// As the provider was configured when it began; the end goes to the same place.
    var service: OAuthService
    /// As it was sent, to be sent again.
    var redirectURI: String?
    /// Of PKCE; nil: none was promised.
    var verifier: Secret?
    /// Of the id token; nil: none was asked for.
    var nonce: String?
    /// By which the provider knows the device.
    var deviceCode: Secret?
    /// Who we are to the provider for this one sign-in.
    var registered: TokenForm.Registered?
  }

  func with<Result: Sendable>(
    _ body: (inout SignInDesk<Held>) throws(SignInRefusal) -> Result
  ) throws(SignInRefusal) -> Result {
    let result = desk.withLock { desk in
      Swift.Result { () throws(SignInRefusal) in try body(&desk) }
    }
    return try result.get()
  }

  /// What a provider gave for a refresh token that was brought.
  struct Redeemed: Sendable {
    var tokens: TokenReading.Tokens
    var document: JSONValue
  }

  private struct Redemptions {
    struct One {
      var number: UInt64
      var begun: UnixNanoseconds
      var task: Task<Redeemed, any Error>
    }

    var ever: UInt64 = 0
    var all: [SHA256.Digest: One] = [:]
  }

  /// A token that was got and could not be put in force is kept for as long: 10 minutes.
  private static let keptFor: Int64 = 600_000_000_000

  /// Presents a refresh token that was brought, once, however often it is brought meanwhile: presented again it would look
  /// like theft.
  ///
  /// What it gave stays until `forget`, so that whoever failed behind it can try again.
  func redeem(
    _ refresh: Secret, at provider: ProviderID, now: UnixNanoseconds,
    _ body: @escaping @Sendable () async throws -> Redeemed
  ) async throws -> Redeemed {
    let key = Self.key(refresh, provider)
    let one = redemptions.withLock { redemptions in
      redemptions.all = redemptions.all.filter {
        now.rawValue - $0.value.begun.rawValue < Self.keptFor
      }
      if let one = redemptions.all[key] { return one }
      redemptions.ever += 1
      // Not the caller's own: it goes on when that one hangs up.
      let one = Redemptions.One(
        number: redemptions.ever, begun: now, task: Task { try await body() })
      redemptions.all[key] = one
      return one
    }
    do {
      return try await one.task.value
    } catch {
      redemptions.withLock { redemptions in
        if redemptions.all[key]?.number == one.number { redemptions.all[key] = nil }
      }
      throw error
    }
  }

  /// The tokens are in force: the log has them.
  func forget(_ refresh: Secret, at provider: ProviderID) {
    redemptions.withLock { $0.all[Self.key(refresh, provider)] = nil }
  }

  private static func key(_ refresh: Secret, _ provider: ProviderID) -> SHA256.Digest {
    SHA256.hash(data: Array((provider.rawValue + "\u{0}").utf8) + refresh.bytes)
  }

  /// 256 random bits, as text that nobody guesses.
  static func handle(_ edge: Edge) -> String {
    Base64URL.text(
      (0..<4).flatMap { _ in withUnsafeBytes(of: edge.random()) { Array($0) } })
  }

  /// S256 of RFC 7636.
  static func challenge(of verifier: Secret) -> String {
    Base64URL.text(SHA256.hash(data: verifier.bytes))
  }

  /// An id that follows from who it is, so that whoever signs in again, here or at another node, is the same account.
  static func accountID(
    of identity: SignedInIdentity, at provider: ProviderID, else minted: @autoclosure () -> UInt128
  ) -> AccountID {
    guard let subject = identity.subject else { return AccountID(uuidText(minted())) }
    var hash = SHA256()
    for part in ["signalbox account", provider.rawValue, subject, identity.workspace ?? ""] {
      // The lengths keep one part's end from being another's beginning.
      withUnsafeBytes(of: UInt64(part.utf8.count).littleEndian) { hash.update(bufferPointer: $0) }
      hash.update(data: Array(part.utf8))
    }
    var id = hash.finalize().prefix(16).reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
    // Version 8 of RFC 9562: a UUID of one's own making.
    id = id & ~(0xF << 76) | 0x8 << 76
    id = id & ~(0b11 << 62) | 0b10 << 62
    return AccountID(uuidText(id))
  }
}

/// A provider's way to sign in, with all that a call needs.
struct OAuthService: Sendable {
  var provider: ProviderID
  var row: OAuthProvider
  /// nil: nothing can be fetched, only brought.
  var client: OAuthClient?
  var secret: Secret?
}
