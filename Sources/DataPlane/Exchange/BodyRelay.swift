import Domain
import NIOCore
import Surface

/// Takes the bytes of an upstream's answer that is no event stream and says what goes to the client when.
///
/// Up to `withheldBytes` nothing goes out before the answer is whole: an error that pretends to be an answer
/// is short, and so another account can still be asked. Beyond, what came in the current read is kept until
/// either more was read or the answer is whole: so the end is always still here when the answer is whole.
/// Pure: bytes in, bytes out.
struct BodyRelay {
  /// Of larger answers only the usage is read, as they pass.
  static let usageBodyBytes = 1 << 20
  /// Larger answers begin to go out before they are whole.
  static let withheldBytes = 64 << 10

  /// What the bytes taken so far lead to.
  enum Step: Sendable, Hashable {
    case `continue`
    /// It begins like a page of markup, and nothing was released.
    case markup
  }

  /// Bytes not released, in order; bounded by `withheldBytes` and what the loop reads in one go.
  private(set) var held: [ByteBuffer] = []
  /// The whole body so far, as far as it is kept to be read; nil: not kept.
  private(set) var kept: ByteBuffer?
  /// In place of `kept`, where the body is larger.
  private var passing: PassingUsage?
  /// Of a larger answer of Responses: its own id.
  private(set) var ownID: String?
  /// How many bytes must stay back although more may come: 1 where the end of the connection is the
  /// answer's end, because then no framing is left to withhold.
  private let reserve: Int
  private let dialect: Dialect

  /// `dialect`: the provider's.
  init(_ dialect: Dialect, readsAnswer: Bool, reserve: Int) {
    self.dialect = dialect
    kept = readsAnswer ? ByteBuffer() : nil
    self.reserve = reserve
  }

  /// Takes the next bytes.
  mutating func take(_ slice: ByteBuffer) -> Step {
    held.append(slice)
    guard let count = kept?.readableBytes else {
      if passing != nil { slice.withUnsafeReadableBytes { passing?.take($0) } }
      return .continue
    }
    let bytes = count + slice.readableBytes
    if bytes > Self.usageBodyBytes {
      passing = PassingUsage(dialect)
      kept?.withUnsafeReadableBytes { bytes in
        passing?.take(bytes)
        if dialect == .responses { ownID = StoredIDs.ownID(inBeginning: bytes) }
      }
      slice.withUnsafeReadableBytes { passing?.take($0) }
      kept = nil
    } else if count == 0 {
      kept = slice
    } else {
      kept?.writeImmutableBuffer(slice)
    }
    return count < Self.blankBytes && slice.readableBytesView.first(where: Self.isInk) == Self.angle
      && kept?.readableBytesView.first(where: Self.isInk) == Self.angle ? .markup : .continue
  }

  /// Markup that begins later than this is not looked for.
  private static let blankBytes = 64
  private static let angle = UInt8(ascii: "<")
  private static func isInk(_ byte: UInt8) -> Bool { byte > 0x20 }

  /// Nothing more in this read and the answer is not whole: what may go out.
  mutating func takeReleased() -> [ByteBuffer] {
    if let kept, kept.readableBytes <= Self.withheldBytes { return [] }
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
  /// Nothing if it may not be read; if it was too large, what it used. What has all that answers have is one, whatever else it says.
  func verdict() -> (usage: TokenUsage?, fault: HiddenFault?) {
    guard let kept else { return (passing?.usage?.summed(as: dialect), nil) }
    let scan = kept.withUnsafeReadableBytes { UsageScan.scan($0, as: dialect) }
    let usage = scan.usage?.summed(as: dialect)
    if scan.isAnswer { return (usage, nil) }
    return (usage, scan.hasError ? .errorInAnswer : .emptyAnswer)
  }
}
