import Domain
import NIOCore
import Surface

/// Takes the bytes of an upstream's event stream and says what of them goes to the client when.
///
/// Whole frames are forwarded as they are; the frame with `[DONE]` is kept back as the end; a chunk that
/// only carries the usage which the client did not ask for is left out; nothing is released before a frame
/// brought the first choice, or an error. Pure: bytes in, bytes out.
struct StreamRelay {
  /// How much may be withheld in comments and frames that say nothing before the first choice.
  static let preambleBytes = 64 << 10

  /// What the bytes taken so far lead to.
  enum Step: Sendable, Hashable {
    case `continue`
    /// A frame is an error and nothing was taken of what was released.
    case errorFirst
    /// A frame is an error, and what came before it is released or gone.
    case errorLater
    /// The frame with `[DONE]` is here, and there was no choice in any before it.
    case withoutChoices
    /// The frame with `[DONE]` is here: the stream is complete.
    case done
    /// A frame exceeds its bound.
    case frameTooLong
  }

  /// What the end of the stream proves when no `[DONE]` came.
  enum Completeness: Sendable, Hashable {
    /// Upstream said why it stopped: nothing is missing but the mark.
    case whole
    /// There was no frame of an answer.
    case empty
    /// Something came, and whether it was all is not known.
    case unfinished
  }

  /// What can go out now; take it with `takeReleased`.
  private var released: [ByteBuffer] = []
  /// The frame with `[DONE]`, or what an unfinished frame left at the end of the stream.
  private(set) var end: ByteBuffer?
  /// The last figures seen, and earlier ones where the last say nothing.
  private(set) var usage: TokenUsage?
  /// The data of the first error.
  private(set) var errorFrame: ByteBuffer?

  /// Something was released for good.
  private(set) var isCommitted = false
  /// Something was taken: the client may have it.
  private var isTaken = false
  /// A frame with a choice came.
  private var sawChoice = false
  /// Bytes released and not taken, as long as they are withheld.
  private var withheld = 0
  private var sawFinishReason = false
  private let hidesUsageChunk: Bool
  private var framer = SSEFramer()
  /// Bytes taken in and neither released nor dropped: at most the framer's bound.
  private var carry = ByteBuffer()
  private var isDone = false

  init(hidesUsageChunk: Bool) { self.hidesUsageChunk = hidesUsageChunk }

  /// What became free to go since the last call, in order; as long as nothing is decided, nothing.
  mutating func takeReleased() -> [ByteBuffer] {
    guard isCommitted, !released.isEmpty else { return [] }
    isTaken = true
    defer { released.removeAll(keepingCapacity: true) }
    return released
  }

  private enum Fate { case forward, drop, error, done }
  private struct Cut {
    var end: Int
    var fate: Fate
  }

  /// Takes the next bytes of the stream.
  mutating func take(_ slice: ByteBuffer) -> Step {
    if isDone { return .done }
    let base = carry.readableBytes
    if base == 0 {
      carry = slice
    } else {
      carry.writeImmutableBuffer(slice)
    }
    var cuts: [Cut] = []
    var fault = false
    var usage = usage
    var sawFinishReason = sawFinishReason
    var sawChoice = sawChoice
    var errorFrame = errorFrame
    let mayDrop = hidesUsageChunk
    slice.withUnsafeReadableBytes { bytes in
      do throws(SSEFault) {
        try framer.append(bytes) { frame in
          let fate = Self.judge(frame, mayDrop: mayDrop, usage: &usage)
          if let data = frame.data {
            if !sawFinishReason { sawFinishReason = UsageScan.mayHoldFinishReason(data) }
            if !sawChoice, fate == .forward { sawChoice = UsageScan.mayHoldChoice(data) }
            if fate == .error, errorFrame == nil { errorFrame = ByteBuffer(bytes: data) }
          }
          cuts.append(Cut(end: base + frame.end, fate: fate))
        }
      } catch {
        fault = true
      }
    }
    self.usage = usage
    self.sawFinishReason = sawFinishReason
    self.sawChoice = sawChoice
    self.errorFrame = errorFrame
    return apply(cuts, fault: fault)
  }

  private mutating func apply(_ cuts: [Cut], fault: Bool) -> Step {
    var consumed = 0
    var runEnd = 0
    for cut in cuts {
      switch cut.fate {
      case .forward: runEnd = cut.end
      case .error:
        guard isTaken else { return .errorFirst }
        release(&consumed, upTo: runEnd)
        return .errorLater
      case .drop:
        release(&consumed, upTo: runEnd)
        carry.moveReaderIndex(forwardBy: cut.end - consumed)
        consumed = cut.end
        runEnd = cut.end
      case .done:
        release(&consumed, upTo: runEnd)
        end = carry.readSlice(length: cut.end - consumed)
        carry.clear()
        isDone = true
        guard sawChoice || isTaken else { return .withoutChoices }
        isCommitted = true
        return .done
      }
    }
    release(&consumed, upTo: runEnd)
    if sawChoice || withheld > Self.preambleBytes { isCommitted = true }
    if carry.readableBytes == 0 {
      carry = ByteBuffer()
    } else if consumed > 0 {
      // What goes out keeps its memory until a slow client has taken it: the rest gets its own, or each piece
      // would keep a copy of all that followed it.
      carry = ByteBuffer(bytes: carry.readableBytesView)
    }
    return fault ? .frameTooLong : .continue
  }

  /// Moves what lies before `limit` from the carry to what may go.
  private mutating func release(_ consumed: inout Int, upTo limit: Int) {
    guard limit > consumed, let piece = carry.readSlice(length: limit - consumed) else { return }
    if !isCommitted { withheld += piece.readableBytes }
    released.append(piece)
    consumed = limit
  }

  /// The stream ended without `[DONE]`: if it is whole, what was not released is the end.
  mutating func finish() -> Completeness {
    guard sawChoice || isTaken else { return .empty }
    guard sawFinishReason else { return .unfinished }
    isDone = true
    if carry.readableBytes > 0 { end = carry }
    carry = ByteBuffer()
    return .whole
  }

  private static func judge(
    _ frame: borrowing SSEFrame, mayDrop: Bool, usage: inout TokenUsage?
  ) -> Fate {
    guard let data = frame.data else { return .forward }
    if frame.isDone { return .done }
    let mayHoldUsage = UsageScan.mayHoldUsage(data)
    guard mayHoldUsage || UsageScan.mayHoldError(data) else { return .forward }
    let scan = UsageScan.scan(data)
    if let found = scan.usage { usage = found.filled(from: usage ?? .notReported) }
    if scan.hasError { return .error }
    if mayDrop, scan.choicesAreEmpty, scan.usage != nil { return .drop }
    return .forward
  }
}
