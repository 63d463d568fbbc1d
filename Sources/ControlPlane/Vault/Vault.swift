import Crypto
public import Domain
import FoundationEssentials
import Synchronization

/// Seals secrets before they enter the log and opens them again.
///
/// Each subject (`account/<id>`, `key/<id>`, `settings`) has a data key of its own, wrapped by the
/// master key in `DIR/keys`: destroying that one file erases all that was ever sealed for the
/// subject. A sealed part is AES-256-GCM with a random nonce, bound to its subject and its event.
public final class Vault: Sendable {
  private let wrapKey: SymmetricKey
  private let fingerprintKey: SymmetricKey
  private let sessionKey: SymmetricKey
  private let directory: String
  private let mayWrite: Bool
  private let dataKeys = Mutex<[String: SymmetricKey]>([:])

  /// Bound of the cache of unwrapped data keys; beyond it the cache starts anew.
  private static let maximumCachedKeys = 16_384
  private static let sealedVersion: UInt8 = 1
  private static let keyFileMagic: [UInt8] = Array("SBK1".utf8)
  private static let checkMagic: [UInt8] = Array("SBC1".utf8)

  /// Opens the vault of a data directory, and makes it on the first start.
  ///
  /// - Parameters:
  ///   - directory: The data directory, which exists.
  ///   - masterKey: The key that wraps the others.
  ///   - mayWrite: Whether `DIR/keys` may be made and data keys added; false beside a running
  ///     gateway.
  /// - Throws: `.wrongMasterKey` if the directory was created with another key.
  public init(
    directory: String, masterKey: MasterKey, mayWrite: Bool = true
  ) throws(VaultError) {
    self.directory = "\(directory)/keys"
    self.mayWrite = mayWrite
    wrapKey = Vault.derive(masterKey, "signalbox/v1/wrap")
    fingerprintKey = Vault.derive(masterKey, "signalbox/v1/fingerprint")
    sessionKey = Vault.derive(masterKey, "signalbox/v1/session")
    let checkKey = Vault.derive(masterKey, "signalbox/v1/check")
    try verifyMasterKey(checkKey)
  }

  /// HMAC-SHA256 of a secret under a key derived from the master key.
  ///
  /// Tells secrets apart, reveals none. Safe to call on any thread; takes about a microsecond.
  public func fingerprint(_ secret: UnsafeRawBufferPointer) -> Fingerprint {
    var code = HMAC<SHA256>(key: fingerprintKey)
    code.update(data: secret)
    return Fingerprint(Array(code.finalize()))
  }

  /// HMAC-SHA256 of a secret, as above.
  public func fingerprint(_ secret: Secret) -> Fingerprint {
    secret.bytes.withUnsafeBytes { fingerprint($0) }
  }

  /// Names the key under which fingerprints are made, and says nothing of it: two stores with one master key have the same.
  var fingerprintKeyName: String {
    let mark = HMAC<SHA256>.authenticationCode(
      for: Array("signalbox/v1/fingerprint name".utf8), using: fingerprintKey)
    return hexadecimalText(Array(mark).prefix(8))
  }

  /// The key from which that of sessions is made; lives as long as the master key.
  var sessionSigningKey: SymmetricKey { sessionKey }

  /// Encrypts a secret for one event of one subject.
  ///
  /// The subject's data key is on disk, synced, before this returns; so what the log keeps can
  /// always be opened again. Blocks on that sync the first time for each subject.
  public func seal(
    _ secret: Secret, subject: String, event: UInt128
  ) throws(VaultError) -> [UInt8] {
    let key = try dataKey(subject, create: true)
    do {
      let box = try AES.GCM.seal(
        secret.bytes, using: key, authenticating: Vault.binding(subject, event))
      guard let combined = box.combined else {
        throw VaultError(.damaged, "AES-GCM gave no combined form")
      }
      return [Vault.sealedVersion] + combined
    } catch let error as VaultError {
      throw error
    } catch {
      throw VaultError(.damaged, "cannot seal a secret of \(subject)")
    }
  }

  /// Decrypts what `seal` made for the same subject and event.
  ///
  /// - Throws: `.erased` if the subject's key was destroyed, `.damaged` if the bytes were not made
  ///   for this subject and event.
  public func open(
    _ sealed: some Collection<UInt8>, subject: String, event: UInt128
  ) throws(VaultError) -> Secret {
    let bytes = Array(sealed)
    guard bytes.first == Vault.sealedVersion else {
      throw VaultError(.damaged, "a sealed part of \(subject) is of a form unknown to this build")
    }
    let key = try dataKey(subject, create: false)
    do {
      let box = try AES.GCM.SealedBox(combined: bytes.dropFirst())
      let plain = try AES.GCM.open(
        box, using: key, authenticating: Vault.binding(subject, event))
      return Secret(bytes: [UInt8](plain))
    } catch {
      throw VaultError(.damaged, "a sealed part of \(subject) does not open under its key")
    }
  }

  // MARK: Data keys

  private func dataKey(_ subject: String, create: Bool) throws(VaultError) -> SymmetricKey {
    // The lock is held over the file so that two first uses cannot make two keys.
    let outcome = dataKeys.withLock { cache -> Result<SymmetricKey, VaultError> in
      if let key = cache[subject] { return .success(key) }
      do throws(VaultError) {
        let key = try loadDataKey(subject, create: create)
        if cache.count >= Vault.maximumCachedKeys { cache.removeAll() }
        cache[subject] = key
        return .success(key)
      } catch {
        return .failure(error)
      }
    }
    return try outcome.get()
  }

  private func loadDataKey(_ subject: String, create: Bool) throws(VaultError) -> SymmetricKey {
    let name = Vault.fileName(subject)
    if let key = try wrappedKey(name) { return SymmetricKey(data: key) }
    guard create else {
      throw VaultError(.erased, "the data key of \(subject) is gone", path: keyPath(name))
    }
    let key = SymmetricKey(size: .bits256)
    try wrap(key.withUnsafeBytes { Data($0) }, name: name, of: "the data key of \(subject)")
    return key
  }

  // MARK: Wrapped keys

  func keyPath(_ name: String) -> String { "\(directory)/\(name).key" }

  /// The key of 32 bytes kept under a name, opened; nil if there is none.
  func wrappedKey(_ name: String) throws(VaultError) -> Data? {
    let path = keyPath(name)
    guard let bytes = try KeyFile.read(path) else { return nil }
    return try unwrap(bytes, name: name, path: path)
  }

  /// Keeps a key under a name, wrapped by the master key; on disk, synced, when this returns.
  func wrap(_ key: Data, name: String, of what: String) throws(VaultError) {
    let path = keyPath(name)
    guard mayWrite else {
      throw VaultError(.readOnly, "the vault is open for reading only", path: path)
    }
    do {
      let box = try AES.GCM.seal(key, using: wrapKey, authenticating: Data(name.utf8))
      guard let combined = box.combined else {
        throw VaultError(.damaged, "AES-GCM gave no combined form")
      }
      try KeyFile.write(Vault.keyFileMagic + combined, to: path, directory: directory)
    } catch let error as VaultError {
      throw error
    } catch {
      throw VaultError(.damaged, "cannot wrap \(what)", path: path)
    }
  }

  private func unwrap(
    _ bytes: [UInt8], name: String, path: String
  ) throws(VaultError) -> Data {
    guard bytes.starts(with: Vault.keyFileMagic) else {
      throw VaultError(.damaged, "not a key file of this format", path: path)
    }
    do {
      let box = try AES.GCM.SealedBox(combined: bytes.dropFirst(Vault.keyFileMagic.count))
      return try AES.GCM.open(box, using: wrapKey, authenticating: Data(name.utf8))
    } catch {
      throw VaultError(.damaged, "a wrapped key does not open under the master key", path: path)
    }
  }

  // MARK: The check value

  /// Compares the master key with what the directory was created with, and notes it at first use.
  private func verifyMasterKey(_ checkKey: SymmetricKey) throws(VaultError) {
    let path = "\(directory)/master.check"
    let wrong = VaultError(
      .wrongMasterKey,
      "the master key is not the one this directory was created with; give that one in"
        + " SIGNALBOX_MASTER_KEY or by --master-key-file", path: path)
    if mayWrite {
      try KeyFile.makeDirectory(directory)
    } else {
      try KeyFile.checkDirectory(directory)
    }
    let code = HMAC<SHA256>.authenticationCode(for: Vault.checkMagic, using: checkKey)
    if let bytes = try KeyFile.read(path) {
      guard bytes.starts(with: Vault.checkMagic) else {
        throw VaultError(.damaged, "the master key's check value is not of this format", path: path)
      }
      let kept = bytes.dropFirst(Vault.checkMagic.count)
      guard
        HMAC<SHA256>.isValidAuthenticationCode(
          kept, authenticating: Vault.checkMagic, using: checkKey)
      else { throw wrong }
      return
    }
    // The check value is missing: a first start, or a copy without it. Any data key tells as well.
    let suffix = ".key"
    for file in try KeyFile.names(in: directory, suffix: suffix) where file != "master.key" {
      let keyPath = "\(directory)/\(file)"
      guard let bytes = try KeyFile.read(keyPath) else { continue }
      do throws(VaultError) {
        _ = try unwrap(bytes, name: String(file.dropLast(suffix.count)), path: keyPath)
      } catch {
        throw wrong
      }
      break
    }
    if mayWrite {
      try KeyFile.write(Vault.checkMagic + Array(code), to: path, directory: directory)
    }
  }

  private static func derive(_ master: MasterKey, _ purpose: String) -> SymmetricKey {
    HKDF<SHA256>.deriveKey(
      inputKeyMaterial: master.key, info: Data(purpose.utf8), outputByteCount: 32)
  }

  /// What a sealed part is bound to.
  ///
  /// The event's id has a fixed length and stands last, so no two
  /// pairs share one form.
  private static func binding(_ subject: String, _ event: UInt128) -> Data {
    var data = Data(subject.utf8)
    withUnsafeBytes(of: event.bigEndian) { data.append(contentsOf: $0) }
    return data
  }

  private static func fileName(_ subject: String) -> String {
    hexadecimalText(SHA256.hash(data: Data(subject.utf8)))
  }
}

/// Lower-case hexadecimal of some bytes.
func hexadecimalText(_ bytes: some Sequence<UInt8>) -> String {
  let digits = Array("0123456789abcdef".utf8)
  var text: [UInt8] = []
  for byte in bytes {
    text.append(digits[Int(byte >> 4)])
    text.append(digits[Int(byte & 15)])
  }
  return String(decoding: text, as: UTF8.self)
}
