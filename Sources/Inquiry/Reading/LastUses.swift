/// At which record the snapshot of each decision is needed for the last time.
///
/// Neighbouring requests were mostly decided on the same one, which is looked up once.
struct LastUses {
  private var uses: [UInt64: UInt64] = [:]
  private var known: (snapshot: UInt64, use: UInt64)?

  /// Of a pass in order: the snapshot is used there, and maybe again.
  mutating func note(_ snapshot: UInt64, at position: UInt64) {
    if known?.snapshot != snapshot {
      settle()
      known = (snapshot, position)
    }
    known?.use = position
  }

  /// To be called after the last `note`.
  mutating func settle() {
    if let known { uses[known.snapshot] = known.use }
    known = nil
  }

  /// All that are used, once `settle` was called.
  var snapshots: Set<UInt64> { Set(uses.keys) }

  /// Whether nothing after `position` needs the snapshot.
  mutating func isLast(_ snapshot: UInt64, at position: UInt64) -> Bool {
    if let known, known.snapshot == snapshot { return known.use == position }
    guard let use = uses[snapshot] else { return false }
    known = (snapshot, use)
    return use == position
  }
}
