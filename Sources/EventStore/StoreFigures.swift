/// What a store has done since it was opened, for monitors.
public struct StoreFigures: Sendable, Hashable {
  /// Upper bounds of `syncs`, in microseconds.
  public static let syncBounds: [UInt64] = [
    10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000,
  ]

  /// Syncs by how long they took; the last one: longer than all bounds.
  public internal(set) var syncs = [UInt64](repeating: 0, count: syncBounds.count + 1)
  /// How long they took together.
  public internal(set) var syncMicroseconds: UInt64 = 0
  /// How often a full disk was found to have room again.
  public internal(set) var resumptions: UInt64 = 0
  /// How often a full disk was looked at and had none.
  public internal(set) var failedResumptions: UInt64 = 0

  mutating func noteSync(nanoseconds: Int64) {
    let microseconds = UInt64(max(0, nanoseconds)) / 1000
    let bounds = Self.syncBounds
    syncs[bounds.firstIndex { microseconds <= $0 } ?? bounds.count] += 1
    syncMicroseconds += microseconds
  }
}
