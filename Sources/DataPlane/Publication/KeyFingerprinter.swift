public import Domain

/// Turns a client's key into the fingerprint under which the snapshot knows it.
///
/// Called on event loops, once per key, loop and snapshot; must not block.
public protocol KeyFingerprinter: Sendable {
  func fingerprint(_ key: [UInt8]) -> Fingerprint
}
