import Crypto
import Domain
import FoundationEssentials

/// Seals what two nodes send each other, under what both made of a token.
///
/// Every exchange has keys of its own, one for each direction, from numbers that both sides drew: what was recorded
/// earlier opens in no other, and nothing opens in the direction from which it came.
struct SyncCipher {
  /// Random bytes that each side draws.
  static let drawnBytes = 32

  /// Where a message goes.
  enum Direction: UInt8 {
    case toServer = 1
    case toClient = 2
  }

  private let key: SymmetricKey
  private let salt: [UInt8]
  private let names: [UInt8]
  private let header: [UInt8]

  /// - Parameters:
  ///   - key: what both sides made of the token.
  ///   - token: the token's id.
  ///   - nonce: drawn by the client.
  ///   - challenge: drawn by the server.
  init(
    key: SymmetricKey, token: String, client: NodeID, server: NodeID, nonce: [UInt8],
    challenge: [UInt8]
  ) {
    self.key = key
    salt = nonce + challenge
    names = Self.field(client.rawValue) + Self.field(server.rawValue)
    header = [SyncMessage.version] + Self.field(token) + names + challenge
  }

  func seal(_ plain: [UInt8], _ direction: Direction) throws(SyncFault) -> [UInt8] {
    guard
      let box = try? AES.GCM.seal(plain, using: key(direction), authenticating: header),
      let combined = box.combined
    else { throw SyncFault("sync_sealing") }
    return Array(combined)
  }

  /// nil: it was not made for here, now and under this token.
  func open(_ sealed: [UInt8], _ direction: Direction) -> [UInt8]? {
    guard let box = try? AES.GCM.SealedBox(combined: sealed),
      let plain = try? AES.GCM.open(box, using: key(direction), authenticating: header)
    else { return nil }
    return Array(plain)
  }

  private func key(_ direction: Direction) -> SymmetricKey {
    HKDF<SHA256>.deriveKey(
      inputKeyMaterial: key, salt: salt,
      info: Array("signalbox sync 1".utf8) + [direction.rawValue] + names, outputByteCount: 32)
  }

  private static func field(_ text: String) -> [UInt8] {
    // 255 is more than any of these has.
    [UInt8(truncatingIfNeeded: text.utf8.count)] + Array(text.utf8)
  }
}

extension SymmetricKey {
  /// Tells credentials apart between the two holders of a token, whatever their master keys are.
  func syncFingerprint(_ secret: Secret) -> Fingerprint {
    mark("signalbox sync credential", secret.bytes)
  }

  /// The same of two nodes that hold the same.
  func syncDigest(_ purpose: String, _ bytes: [UInt8]) -> [UInt8] {
    mark("signalbox sync \(purpose)", bytes).rawValue
  }

  private func mark(_ purpose: String, _ bytes: [UInt8]) -> Fingerprint {
    var code = HMAC<SHA256>(key: self)
    code.update(data: Array(purpose.utf8) + [0])
    code.update(data: bytes)
    return Fingerprint(Array(code.finalize()))
  }
}

extension SyncTokenText {
  /// From which the keys of each exchange are made.
  var sealingKey: SymmetricKey { SymmetricKey(data: key.bytes) }
}
