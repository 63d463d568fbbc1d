import Crypto
import Domain

/// An Ed25519 public key that checkpoints are checked with.
public struct VerifyingKey: Sendable, Hashable {
  /// 32 bytes.
  public let bytes: [UInt8]

  /// nil if these are not 32 bytes.
  public init?(bytes: [UInt8]) {
    guard bytes.count == 32 else { return nil }
    self.bytes = bytes
  }

  /// Reads 64 hexadecimal digits of either case, with white space around them.
  ///
  /// - Throws: `.usage` for anything else.
  public init(_ text: String) throws(InquiryFault) {
    let digits = text.utf8.filter { !" \t\r\n".utf8.contains($0) }
    guard let bytes = parseHex(String(decoding: digits, as: UTF8.self)), bytes.count == 32 else {
      throw InquiryFault(
        .usage,
        "A public key is 64 hexadecimal digits; `signalbox checkpoint --public-key` prints it.")
    }
    self.bytes = bytes
  }

  /// 64 hexadecimal digits.
  public var text: String { Shown.hex(bytes) }

  /// Whether the holder of the key signed this text.
  func isValid(_ signature: [UInt8], over text: String) -> Bool {
    guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes) else {
      return false
    }
    return key.isValidSignature(signature, for: Array(text.utf8))
  }

  /// What tells keys apart in a note's signature line: the first four bytes of
  /// SHA-256(name ‖ LF ‖ 0x01 ‖ key), as signed notes have it.
  func noteID(name: String) -> [UInt8] {
    var hash = SHA256()
    hash.update(data: Array(name.utf8) + [0x0A, 0x01] + bytes)
    return Array(hash.finalize().prefix(4))
  }
}

/// The bytes of hexadecimal digits of either case; nil for anything else.
func parseHex(_ text: String) -> [UInt8]? {
  let digits = Array(text.utf8)
  guard digits.count % 2 == 0 else { return nil }
  var bytes: [UInt8] = []
  for index in stride(from: 0, to: digits.count, by: 2) {
    guard let high = hexValue(digits[index]), let low = hexValue(digits[index + 1]) else {
      return nil
    }
    bytes.append(high << 4 | low)
  }
  return bytes
}

private func hexValue(_ digit: UInt8) -> UInt8? {
  switch digit {
  case 0x30...0x39: digit - 0x30
  case 0x41...0x46: digit - 0x37
  case 0x61...0x66: digit - 0x57
  case _: nil
  }
}
