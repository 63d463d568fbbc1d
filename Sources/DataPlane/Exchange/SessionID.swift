import Domain
import NIOCore
import Surface

/// The session that a client names, as a hash: what it wrote is kept nowhere.
enum SessionID {
  /// Longer ones count for nothing.
  private static let bytesMax = 512

  /// Of the head's `x-session-id`, `session_id` or `x-session-affinity`, else the body's `prompt_cache_key`.
  ///
  /// nil: none is named. The same name under another API key is another session.
  static func hash(
    _ head: HTTP1RequestHead, _ scan: RequestScan, _ body: ByteBuffer, key: KeyID?
  ) -> UInt64? {
    var found: UInt64?
    head.fields.forEach { field in
      guard found == nil, names.contains(where: { field.name.equalsIgnoringCase($0) }) else {
        return
      }
      found = hash(field.value, key)
    }
    if let found { return found }
    guard let range = scan.session else { return nil }
    return body.withUnsafeReadableBytes {
      hash(UnsafeRawBufferPointer(rebasing: $0[range]), key)
    }
  }

  private static let names: [StaticString] = ["x-session-id", "session_id", "x-session-affinity"]

  /// FNV-1a, 64 bits.
  private static func hash(_ bytes: UnsafeRawBufferPointer, _ key: KeyID?) -> UInt64? {
    guard 1...bytesMax ~= bytes.count else { return nil }
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    func take(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    for byte in (key?.rawValue ?? "").utf8 { take(byte) }
    take(0)
    for byte in bytes { take(byte) }
    return hash
  }
}
