import Crypto
public import EventStore
import FoundationEssentials
import Glibc

/// The key that wraps every data key; whoever has it and the data directory can read all secrets.
public struct MasterKey: Sendable {
  let key: SymmetricKey
  /// What the operator should know of where the key lies; nil if it is apart from the data.
  public let warning: String?

  init(key: SymmetricKey, warning: String? = nil) {
    self.key = key
    self.warning = warning
  }

  /// From `SIGNALBOX_MASTER_KEY`, else from a file, else from `DIR/keys/master.key`.
  ///
  /// The last is created (mode 0600) if it is missing and `mayCreate`, and comes with a warning:
  /// then a copy of the directory carries key and data together.
  ///
  /// - Parameters:
  ///   - text: The environment's value: 32 bytes as base64 or hexadecimal; nil if unset.
  ///   - file: Path of a file with the same text; nil if not given.
  ///   - directory: The data directory, which exists.
  ///   - mayCreate: Whether a missing key may be made.
  /// - Returns: The key, or nil if there is none and it may not be made.
  public static func load(
    text: String?, file: String?, directory: String, mayCreate: Bool
  ) throws(VaultError) -> MasterKey? {
    if let text { return MasterKey(key: try parse(text, from: "SIGNALBOX_MASTER_KEY", path: nil)) }
    if let file {
      guard let bytes = try KeyFile.read(file) else {
        throw VaultError(.invalidMasterKey, "the master key file does not exist", path: file)
      }
      let text = String(decoding: bytes, as: UTF8.self)
      return MasterKey(key: try parse(text, from: "the master key file", path: file))
    }
    let keys = "\(directory)/keys"
    let path = "\(keys)/master.key"
    let warning =
      "the master key lies beside the data in \(path): a copy of the directory opens every secret;"
      + " set SIGNALBOX_MASTER_KEY, or keep the file elsewhere and pass --master-key-file"
    if try KeyFile.checkDirectory(keys), let bytes = try KeyFile.read(path) {
      let text = String(decoding: bytes, as: UTF8.self)
      return MasterKey(
        key: try parse(text, from: "the master key file", path: path), warning: warning)
    }
    guard mayCreate else { return nil }
    try KeyFile.makeDirectory(keys)
    // A store whose secrets were sealed under a key from elsewhere must not get a new one here.
    if try KeyFile.read("\(keys)/master.check") != nil {
      throw VaultError(
        .wrongMasterKey,
        "this directory was created with a master key kept elsewhere; set SIGNALBOX_MASTER_KEY"
          + " or pass --master-key-file", path: keys)
    }
    let key = SymmetricKey(size: .bits256)
    let encoded = key.withUnsafeBytes { Data($0).base64EncodedString() }
    try KeyFile.write(Array((encoded + "\n").utf8), to: path, directory: keys)
    return MasterKey(key: key, warning: warning)
  }

  /// As above for a store that is open for writing: made only while the log has no event.
  ///
  /// A log with events was begun under a key. Where that one is not at hand (a copy without `keys/`,
  /// a variable forgotten) another would open no secret and know no client.
  public static func load(
    text: String?, file: String?, directory: String, for store: EventStore
  ) throws(VaultError) -> MasterKey {
    let isNew = store.lastWritten == .origin
    if let key = try load(text: text, file: file, directory: directory, mayCreate: isNew) {
      return key
    }
    throw missing("\(directory)/keys")
  }

  /// Refuses a wrong or missing master key before the log is opened for writing; writes nothing itself.
  ///
  /// Opening writes, and nothing shall be written under the wrong key.
  ///
  /// - Throws: `VaultError`; `StoreError` if the log cannot be looked at.
  public static func verify(text: String?, file: String?, directory: String) throws {
    if let key = try load(text: text, file: file, directory: directory, mayCreate: false) {
      _ = try Vault(directory: directory, masterKey: key, mayWrite: false)
      return
    }
    let keys = "\(directory)/keys"
    if try KeyFile.read("\(keys)/master.check") != nil { throw missing(keys) }
    // Where making the log was cut short there is nothing to be opened yet.
    let hasEvents =
      try LogReader.isLog(directory) && LogReader.open(directory: directory).last != .origin
    if hasEvents { throw missing(keys) }
  }

  private static func missing(_ keys: String) -> VaultError {
    VaultError(
      .wrongMasterKey,
      "this log was begun under a master key that is not here; set SIGNALBOX_MASTER_KEY, pass"
        + " --master-key-file, or bring the key directory back", path: keys)
  }

  /// A key that exists in this process only: for tests, and for plans against an empty directory.
  public static func ephemeral() -> MasterKey { MasterKey(key: SymmetricKey(size: .bits256)) }

  private static func parse(
    _ text: String, from place: String, path: String?
  ) throws(VaultError) -> SymmetricKey {
    let trimmed = text.utf8.filter { $0 != 0x0A && $0 != 0x0D && $0 != 0x20 && $0 != 0x09 }
    let bytes = hexadecimal(trimmed) ?? base64(trimmed)
    guard let bytes, bytes.count == 32 else {
      throw VaultError(
        .invalidMasterKey,
        "\(place) must hold 32 bytes as base64 or hexadecimal; make one with:"
          + " head -c 32 /dev/urandom | base64", path: path)
    }
    return SymmetricKey(data: bytes)
  }

  private static func hexadecimal(_ text: [UInt8]) -> [UInt8]? {
    guard text.count == 64 else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: 64, by: 2) {
      guard let high = nibble(text[index]), let low = nibble(text[index + 1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes
  }

  private static func nibble(_ character: UInt8) -> UInt8? {
    switch character {
    case 0x30...0x39: character - 0x30
    case 0x41...0x46: character - 0x37
    case 0x61...0x66: character - 0x57
    default: nil
    }
  }

  private static func base64(_ text: [UInt8]) -> [UInt8]? {
    // 32 bytes are 43 digits and one padding sign; some tools leave the sign out.
    let padded = text.count == 43 ? text + [0x3D] : text
    return Data(base64Encoded: Data(padded)).map { [UInt8]($0) }
  }
}
