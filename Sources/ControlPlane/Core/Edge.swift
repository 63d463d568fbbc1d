public import Domain
import EventStore

/// The clock and the dice: the only places where time and randomness enter the control plane.
///
/// Everything made here travels inside commands, so that decisions can be re-made.
public struct Edge: Sendable {
  /// Wall clock.
  public var now: @Sendable () -> UnixNanoseconds
  /// 64 random bits.
  public var random: @Sendable () -> UInt64

  /// An edge of one's own, for tests.
  public init(
    now: @escaping @Sendable () -> UnixNanoseconds, random: @escaping @Sendable () -> UInt64
  ) {
    self.now = now
    self.random = random
  }

  /// The machine's clock and its cryptographic generator.
  public static let system = Edge(
    now: { UnixNanoseconds(PosixDisk().now()) },
    random: {
      var generator = SystemRandomNumberGenerator()
      return generator.next()
    })

  /// A UUID of version 7 (RFC 9562): 48 bits of milliseconds, 74 random ones.
  public func mintID() -> UInt128 {
    let milliseconds = UInt128(UInt64(max(0, now().rawValue)) / 1_000_000) & 0xFFFF_FFFF_FFFF
    let a = UInt128(random() & 0x0FFF)
    let b = UInt128(random() & 0x3FFF_FFFF_FFFF_FFFF)
    return milliseconds << 80 | 0x7 << 76 | a << 64 | 0b10 << 62 | b
  }
}
