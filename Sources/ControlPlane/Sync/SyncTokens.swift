import Crypto
import Domain
import FoundationEssentials
import Synchronization

/// A sync token in clear, `sbs_<id>_<secret>`: on its way to whom it is shown, or from who shows it.
struct SyncTokenText: Sendable {
  /// The public part.
  var id: SyncTokenID
  /// 32 bytes of chance.
  private var secret: [UInt8]

  private static let head = "sbs_"
  private static let secretBytes = 32

  /// A fresh one.
  init(_ edge: Edge) {
    id = SyncTokenID(KeyText.characters(12, edge))
    var bytes: [UInt8] = []
    while bytes.count < Self.secretBytes {
      withUnsafeBytes(of: edge.random().bigEndian) { bytes.append(contentsOf: $0) }
    }
    secret = bytes
  }

  /// nil: it is no sync token, whole and as it was shown.
  init?(_ token: Secret) {
    guard let text = String(validating: token.bytes, as: UTF8.self), text.hasPrefix(Self.head)
    else { return nil }
    // The secret may have a `_` of its own.
    let parts = text.dropFirst(Self.head.count)
      .split(separator: "_", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, 1...32 ~= parts[0].utf8.count,
      let bytes = Base64URL.bytes(parts[1]), bytes.count == Self.secretBytes,
      // The last character has bits to spare: only one spelling is the token.
      Base64URL.text(bytes) == parts[1]
    else { return nil }
    id = SyncTokenID(String(parts[0]))
    secret = bytes
  }

  /// As it is shown, once.
  var text: Secret { Secret(Self.head + id.rawValue + "_" + Base64URL.text(secret)) }

  /// What both ends derive from it; the token does not follow from it.
  var key: Secret {
    let key = HKDF<SHA256>.deriveKey(
      inputKeyMaterial: SymmetricKey(data: secret), info: Data("signalbox sync token 1".utf8),
      outputByteCount: 32)
    return Secret(bytes: key.withUnsafeBytes { [UInt8]($0) })
  }
}

extension ControlPlane {
  /// What an accepted sync token stands for, 32 bytes; nil: there is no such token, or it was revoked.
  ///
  /// Whoever asks must answer alike for both, and for a wrong proof.
  func syncKey(of token: SyncTokenID) -> Secret? { current.withLock { $0.syncKeys[token] } }

  /// Notes that somebody proved to hold the token.
  func noteUse(of token: SyncTokenID) {
    let now = edge.now()
    syncTokenUses.withLock { $0[token] = now }
  }

  /// When it was last used: since the start, or else as far as it brought something.
  func lastUse(of token: SyncToken) -> UnixNanoseconds? {
    [syncTokenUses.withLock { $0[token.id] }, token.usedAt].compactMap(\.self).max()
  }

  /// What this node shows to the peer of its settings; nil: none is set.
  var cloudToken: Secret? { current.withLock { $0.cloudToken } }
}
