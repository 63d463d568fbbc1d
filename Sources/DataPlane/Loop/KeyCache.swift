import Domain

/// Remembers which key of the current snapshot a client's raw key is, so that the fingerprint is worked
/// out once per key, loop and snapshot.
///
/// Direct-mapped and so bounded; unknown keys are not remembered, so a flood of them evicts nothing.
struct KeyCache {
  private struct Entry {
    var raw: [UInt8]
    var key: Key
  }

  private static let slotCount = 1024
  /// Longer keys are looked up each time.
  private static let rawBytesMax = 512

  private var slots: [Entry?] = Array(repeating: nil, count: slotCount)

  /// Forgets everything: another snapshot is in force.
  mutating func clear() {
    for index in slots.indices where slots[index] != nil { slots[index] = nil }
  }

  /// The key that `raw` is in the snapshot; nil if there is none.
  mutating func key(
    _ raw: UnsafeRawBufferPointer, in snapshot: RoutingSnapshot,
    fingerprinter: any KeyFingerprinter
  ) -> Key? {
    var hasher = Hasher()
    hasher.combine(bytes: raw)
    let slot = Int(UInt(bitPattern: hasher.finalize()) % UInt(Self.slotCount))
    if let entry = slots[slot], entry.raw.count == raw.count,
      entry.raw.withUnsafeBytes({ $0.elementsEqual(raw) })
    {
      return entry.key
    }
    let bytes = [UInt8](raw)
    guard let key = snapshot.key(fingerprinter.fingerprint(bytes)) else { return nil }
    if raw.count <= Self.rawBytesMax { slots[slot] = Entry(raw: bytes, key: key) }
    return key
  }
}
