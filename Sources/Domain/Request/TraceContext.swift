/// The trace that a client's request is part of, by W3C Trace Context.
public struct TraceContext: Sendable, Hashable {
  /// The trace; never 0.
  public let trace: UInt128
  /// The client's span, which asked; never 0.
  public let parent: UInt64
  /// The bits of `Flag`, no others.
  public let flags: UInt8

  /// Bits of `flags`.
  public enum Flag {
    /// The caller keeps what it sees of the trace.
    public static let sampled: UInt8 = 1 << 0
    /// The trace's last seven bytes are random.
    public static let random: UInt8 = 1 << 1
    static let all = sampled | random
  }

  /// Made of its parts; nil if one of them is not what it may be.
  public init?(trace: UInt128, parent: UInt64, flags: UInt8) {
    guard trace != 0, parent != 0, flags & ~Flag.all == 0 else { return nil }
    self.trace = trace
    self.parent = parent
    self.flags = flags
  }

  /// Reads a `traceparent` without white space around it: `00-<trace>-<parent>-<flags>` in lower-case hexadecimal digits.
  ///
  /// Of a later version, which may go on behind another hyphen, what this one knows; nil: it is none, and a trace
  /// begins anew.
  public init?(traceparent bytes: UnsafeRawBufferPointer) {
    guard bytes.count >= Self.bytes, bytes[2] == Self.hyphen, bytes[35] == Self.hyphen,
      bytes[52] == Self.hyphen, let version = Self.number(bytes, 0..<2), version != 0xFF,
      bytes.count == Self.bytes || (version > 0 && bytes[Self.bytes] == Self.hyphen),
      let high = Self.number(bytes, 3..<19), let low = Self.number(bytes, 19..<35),
      let parent = Self.number(bytes, 36..<52), let flags = Self.number(bytes, 53..<55)
    else { return nil }
    // What another version's other bits say is not known.
    let known = version == 0 ? Flag.all : Flag.sampled
    self.init(
      trace: UInt128(high) << 64 | UInt128(low), parent: parent,
      flags: UInt8(truncatingIfNeeded: flags) & known)
  }

  /// Whether the client asks for what is seen of the trace to be kept.
  public var isSampled: Bool { flags & Flag.sampled != 0 }

  /// Of version 00.
  private static let bytes = 55
  private static let hyphen = UInt8(ascii: "-")

  /// nil if one is no lower-case digit.
  private static func number(_ bytes: UnsafeRawBufferPointer, _ places: Range<Int>) -> UInt64? {
    var number: UInt64 = 0
    for place in places {
      let digit: UInt8
      switch bytes[place] {
      case let byte where byte &- 0x30 < 10: digit = byte &- 0x30
      case let byte where byte &- 0x61 < 6: digit = byte &- 0x61 + 10
      case _: return nil
      }
      number = number << 4 | UInt64(digit)
    }
    return number
  }
}

extension RequestID {
  /// The id of one of the request's spans: 0 is the gateway's answering, n its n-th attempt; never 0.
  ///
  /// Follows from the request's own, so that telling twice is telling the same, and the call can carry what is told of it
  /// later.
  public func span(_ number: UInt64) -> UInt64 {
    var mixed = UInt64(truncatingIfNeeded: rawValue) &+ number &* 0x9E37_79B9_7F4A_7C15
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return max(1, mixed ^ mixed >> 31)
  }
}

extension TraceContext: Payload {
  func write(to writer: inout RecordWriter) {
    writer.id(trace)
    writer.varint(parent)
    writer.byte(flags)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    guard
      let context = TraceContext(
        trace: try reader.id(), parent: try reader.varint(), flags: try reader.byte())
    else { throw reader.failure(.invalidValue) }
    self = context
  }
}

/// A trace's or a span's id as it is written: so many lower-case hexadecimal digits.
public func hexText(_ value: some FixedWidthInteger & UnsignedInteger) -> String {
  let text = String(value, radix: 16)
  return String(repeating: "0", count: value.bitWidth / 4 - text.utf8.count) + text
}
