/// Mints UUIDv7 values: time-ordered, strictly growing within one generator, one generator a loop.
///
/// 48 bits of milliseconds, then 74 bits that start at random in each millisecond and grow by random
/// steps within it. A clock that goes back does not take the ids with it.
struct IDGenerator: Sendable {
  private static let tailBits = 74
  private static let tailMask = (UInt128(1) << tailBits) - 1

  private var dice: LoopDice
  private var milliseconds: UInt64 = 0
  private var tail: UInt128 = 0

  init(dice: LoopDice) { self.dice = dice }

  /// The next id; `wallNanoseconds` is the time it shows, unless a later one was shown already.
  mutating func next(wallNanoseconds: Int64) -> UInt128 {
    let now = UInt64(max(0, wallNanoseconds)) / 1_000_000
    if now > milliseconds {
      milliseconds = now
      // The top bit stays free, so that steps have room before they would spill into the time.
      tail = (UInt128(dice.next()) << 64 | UInt128(dice.next())) & (Self.tailMask >> 1)
    } else {
      tail += UInt128(dice.next() >> 32) + 1
      if tail > Self.tailMask {
        milliseconds += 1
        tail &= Self.tailMask >> 1
      }
    }
    let high = UInt128(milliseconds & 0xFFFF_FFFF_FFFF) << 80
    let version = UInt128(7) << 76
    let upper = (tail >> 62) << 64
    let variant = UInt128(2) << 62
    let lower = tail & ((UInt128(1) << 62) - 1)
    return high | version | upper | variant | lower
  }
}

/// A small fast generator of random bits, one a loop; not for secrets.
struct LoopDice: Sendable {
  private var a: UInt64
  private var b: UInt64

  /// Seeded by two words; the machine's own randomness in the gateway, fixed numbers in tests.
  init(seed: (UInt64, UInt64)) {
    a = seed.0
    b = seed.1 | 1
  }

  /// xoroshiro128+.
  mutating func next() -> UInt64 {
    let result = a &+ b
    let mixed = a ^ b
    a = (a << 24 | a >> 40) ^ mixed ^ (mixed << 16)
    b = mixed << 37 | mixed >> 27
    return result
  }
}
