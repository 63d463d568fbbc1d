/// SplitMix64: the same sequence for the same seed, everywhere.
struct Dice: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Even enough for small bounds.
  mutating func below(_ bound: UInt64) -> UInt64 { next().multipliedFullWidth(by: bound).high }

  mutating func one<Value>(of values: [Value]) -> Value { values[Int(below(UInt64(values.count)))] }

  /// Mostly near `base`, sometimes up to 2^`doublings` times as much.
  mutating func skewed(_ base: UInt64, doublings: UInt64) -> UInt64 {
    let scale = base << min(below(doublings + 1), below(doublings + 1))
    return scale + below(scale)
  }

  mutating func uuid(milliseconds: UInt64) -> UInt128 {
    let high = (milliseconds & 0xFFFF_FFFF_FFFF) << 16 | 0x7000 | next() & 0x0FFF
    return UInt128(high) << 64 | UInt128(next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
  }
}
