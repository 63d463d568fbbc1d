import Domain
import NIOCore
import Surface

/// Takes the bytes of an upstream's answer that is no event stream and says what goes to the client when.
///
/// What came in the current read is kept until either more was read or the answer is whole: so the end is
/// always still here when the answer is whole. Pure: bytes in, bytes out.
struct BodyRelay {
  /// Larger answers are forwarded without reading what they say.
  static let usageBodyBytes = 1 << 20

  /// Bytes of the current read, in order; bounded by what the loop reads in one go.
  private(set) var held: [ByteBuffer] = []
  /// The whole body so far, as far as it is kept to be read; nil: not kept.
  private var kept: ByteBuffer?
  /// How many bytes must stay back although more may come: 1 where the end of the connection is the
  /// answer's end, because then no framing is left to withhold.
  private let reserve: Int

  init(readsAnswer: Bool, reserve: Int) {
    kept = readsAnswer ? ByteBuffer() : nil
    self.reserve = reserve
  }

  /// Takes the next bytes.
  mutating func take(_ slice: ByteBuffer) {
    held.append(slice)
    guard kept != nil else { return }
    let bytes = (kept?.readableBytes ?? 0) + slice.readableBytes
    if bytes > Self.usageBodyBytes {
      kept = nil
    } else if bytes == slice.readableBytes {
      kept = slice
    } else {
      kept?.writeImmutableBuffer(slice)
    }
  }

  /// Nothing more in this read and the answer is not whole: what may go out.
  mutating func takeReleased() -> [ByteBuffer] {
    var pieces = held
    held.removeAll(keepingCapacity: true)
    if reserve > 0, let last = pieces.popLast() {
      var front = last
      let back = last.getSlice(at: last.writerIndex - reserve, length: reserve)
      if let back, last.readableBytes >= reserve {
        front.moveWriterIndex(to: last.writerIndex - reserve)
        if front.readableBytes > 0 { pieces.append(front) }
        held.append(back)
      } else {
        held.append(last)
      }
    }
    return pieces
  }

  /// What the whole answer says; read once, at its end.
  ///
  /// Nothing if it was too large. An answer that is an error in spite of its status has no choices.
  func verdict() -> (usage: TokenUsage?, isError: Bool) {
    guard let kept else { return (nil, false) }
    return kept.withUnsafeReadableBytes { bytes in
      guard UsageScan.mayHoldUsage(bytes) || UsageScan.mayHoldError(bytes) else {
        return (nil, false)
      }
      let scan = UsageScan.scan(bytes)
      return (scan.usage, scan.hasError && !scan.hasChoices)
    }
  }
}
