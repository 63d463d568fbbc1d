import Crypto
import FoundationEssentials

/// The key that vouches for the log; its public half is meant to be given away.
struct CheckpointKey: Sendable {
  /// What was signed with it last.
  struct Signed: Sendable, Hashable {
    /// Everything through here.
    var position: UInt64
    /// Chain value there; 32 bytes.
    var chain: [UInt8]
  }

  fileprivate let key: Curve25519.Signing.PrivateKey
  /// Kept with the key, where whoever can write the log can neither change it nor take it away without
  /// the key; nil before the first signature.
  var signed: Signed?

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
    let damaged = VaultError(
      .damaged,
      "the checkpoint key does not open under the master key: put a copy of the file back, or remove it;"
        + " then a new key is made, and whoever verifies must be told",
      path: keyPath(Self.checkpointName))
    do {
      guard let bytes = try wrappedKey(Self.checkpointName) else { return nil }
      let key = try Curve25519.Signing.PrivateKey(rawRepresentation: bytes.prefix(32))
      guard bytes.count > 32 else { return CheckpointKey(key: key, signed: nil) }
      guard bytes.count == 72 else { throw damaged }
      let position = bytes.dropFirst(32).prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      return CheckpointKey(
        key: key, signed: .init(position: position, chain: [UInt8](bytes.suffix(32))))
    } catch let error as VaultError where error.code != .damaged {
      throw error
    } catch {
      throw damaged
    }
  }

  /// Makes the key that signs checkpoints; on disk, synced, when this returns.
  func makeCheckpointKey() throws(VaultError) -> CheckpointKey {
    let key = Curve25519.Signing.PrivateKey()
    try wrap(key.rawRepresentation, name: Self.checkpointName, of: "the checkpoint key")
    return CheckpointKey(key: key, signed: nil)
  }

  /// Keeps with the key what is signed with it next; on disk, synced, when this returns.
  func remember(_ signed: CheckpointKey.Signed, with key: CheckpointKey) throws(VaultError) {
    var bytes = key.key.rawRepresentation
    withUnsafeBytes(of: signed.position.bigEndian) { bytes.append(contentsOf: $0) }
    bytes.append(contentsOf: signed.chain)
    try wrap(bytes, name: Self.checkpointName, of: "the checkpoint key")
  }

  /// The public half of the key that signs checkpoints, 32 bytes; nil if none was made yet.
  public func checkpointPublicKey() throws(VaultError) -> [UInt8]? {
    try checkpointKey()?.publicKey
  }
}
