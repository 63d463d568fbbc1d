import Crypto

/// The key that vouches for the log; its public half is meant to be given away.
struct CheckpointKey: Sendable {
  fileprivate let key: Curve25519.Signing.PrivateKey

  /// 32 bytes.
  var publicKey: [UInt8] { [UInt8](key.publicKey.rawRepresentation) }

  /// Ed25519; 64 bytes.
  func signature(over statement: String) throws(VaultError) -> [UInt8] {
    do {
      return [UInt8](try key.signature(for: Array(statement.utf8)))
    } catch {
      throw VaultError(.damaged, "cannot sign a checkpoint")
    }
  }
}

extension Vault {
  /// No data key's file has this name: theirs are 64 hexadecimal digits.
  private static let checkpointName = "checkpoint"

  /// The key that signs checkpoints; nil if none was made yet.
  ///
  /// - Throws: `.damaged` if the file does not open under the master key.
  func checkpointKey() throws(VaultError) -> CheckpointKey? {
    guard let bytes = try wrappedKey(Self.checkpointName) else { return nil }
    do {
      return CheckpointKey(key: try Curve25519.Signing.PrivateKey(rawRepresentation: bytes))
    } catch {
      throw VaultError(
        .damaged, "the checkpoint key is not one of Ed25519", path: keyPath(Self.checkpointName))
    }
  }

  /// Makes the key that signs checkpoints; on disk, synced, when this returns.
  func makeCheckpointKey() throws(VaultError) -> CheckpointKey {
    let key = Curve25519.Signing.PrivateKey()
    try wrap(key.rawRepresentation, name: Self.checkpointName, of: "the checkpoint key")
    return CheckpointKey(key: key)
  }

  /// The public half of the key that signs checkpoints, 32 bytes; nil if none was made yet.
  public func checkpointPublicKey() throws(VaultError) -> [UInt8]? {
    try checkpointKey()?.publicKey
  }
}
