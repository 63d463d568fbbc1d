/// The vault could not give, keep or open a key.
///
/// `description` names the file and the remedy; never a key, never a plaintext.
public struct VaultError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What went wrong, as a stable name.
  public enum Code: String, Sendable, CaseIterable {
    /// The master key given is not 32 bytes of base64 or hexadecimal.
    case invalidMasterKey
    /// The master key is not the one that this directory was created with.
    case wrongMasterKey
    /// A key file or directory is open to others than its owner.
    case permissions
    /// A system call failed.
    case io
    /// A key file or a sealed part is not what was written.
    case damaged
    /// The subject's key is gone, and with it everything sealed under it.
    case erased
    /// The vault was opened for reading and would have to write.
    case readOnly
  }

  /// What went wrong.
  public var code: Code
  /// One sentence for a person, with the remedy.
  public var message: String
  /// The file concerned, if any.
  public var path: String?
  /// The system's error number, if a system call failed.
  public var errno: Int32?

  /// An error; the message must hold no key and no plaintext.
  public init(_ code: Code, _ message: String, path: String? = nil, errno: Int32? = nil) {
    self.code = code
    self.message = message
    self.path = path
    self.errno = errno
  }

  /// Code, message, file and error number.
  public var description: String {
    var text = "\(code.rawValue): \(message)"
    if let path { text += " [\(path)]" }
    if let errno { text += " (errno \(errno))" }
    return text
  }
}
