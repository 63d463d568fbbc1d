import Crypto
import CryptoExtras
import Domain

/// A password as it is kept: scrypt with its parameters and salt, sealed before it enters the log.
struct PasswordHash: Sendable, Hashable {
  /// log2 of scrypt's cost; 15 takes 32 MiB and some 50–100 ms.
  let logCost: UInt8
  let salt: [UInt8]
  let derived: [UInt8]

  private static let version: UInt8 = 1
  private static let saltBytes = 16
  private static let derivedBytes = 32
  private static let blockSize = 8
  /// What a damaged or hostile record may at most make us spend: 128 MiB.
  private static let maximumLogCost: UInt8 = 17
  /// Hashes a password with a fresh salt; blocks for the time that makes guessing expensive.
  static func make(_ password: Secret, logCost: UInt8 = 15) throws(VaultError) -> PasswordHash {
    var generator = SystemRandomNumberGenerator()
    let salt = (0..<saltBytes).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    return PasswordHash(
      logCost: logCost, salt: salt,
      derived: try derive(password, salt: salt, logCost: logCost))
  }

  init(logCost: UInt8, salt: [UInt8], derived: [UInt8]) {
    self.logCost = logCost
    self.salt = salt
    self.derived = derived
  }

  /// Reads what `encoded` wrote.
  init(encoded: Secret) throws(VaultError) {
    let bytes = encoded.bytes
    guard bytes.count == 2 + Self.saltBytes + Self.derivedBytes, bytes[0] == Self.version,
      (1...Self.maximumLogCost).contains(bytes[1])
    else { throw VaultError(.damaged, "the kept password is of a form unknown to this build") }
    logCost = bytes[1]
    salt = Array(bytes[2..<2 + Self.saltBytes])
    derived = Array(bytes[(2 + Self.saltBytes)...])
  }

  /// Version, cost, salt and hash.
  var encoded: Secret { Secret(bytes: [Self.version, logCost] + salt + derived) }

  /// Whether this is the password's hash; blocks as long as `make`, and compares in constant time.
  func matches(_ password: Secret) throws(VaultError) -> Bool {
    guard password.bytes.count <= WeakPassword.bytesMax else { return false }
    let other = try Self.derive(password, salt: salt, logCost: logCost)
    var difference: UInt8 = 0
    for (a, b) in zip(derived, other) { difference |= a ^ b }
    return difference == 0 && derived.count == other.count
  }

  private static func derive(
    _ password: Secret, salt: [UInt8], logCost: UInt8
  ) throws(VaultError) -> [UInt8] {
    do {
      let key = try KDF.Scrypt.deriveKey(
        from: password.bytes, salt: salt, outputByteCount: derivedBytes, rounds: 1 << Int(logCost),
        blockSize: blockSize, parallelism: 1)
      return key.withUnsafeBytes { Array($0) }
    } catch {
      throw VaultError(.io, "scrypt failed; is there memory for \(1 << Int(logCost)) KiB?")
    }
  }
}
