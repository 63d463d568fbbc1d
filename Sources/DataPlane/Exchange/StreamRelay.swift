import Domain
import NIOCore
import Surface

/// Takes the bytes of an upstream's event stream and says what of them goes to the client when.
///
/// Whole frames are forwarded as they are; the frame with `[DONE]` is kept back as the end; a chunk that
/// only carries the usage which the client did not ask for is left out; nothing is released before
/// the first frame with data has proved not to be an error. Pure: bytes in, bytes out.
struct StreamRelay {
  /// How much may be withheld in comments before the first frame with data.
  static let preambleBytes = 64 << 10

  /// What the bytes taken so far lead to.
  enum Step: Sendable, Hashable {
    case `continue`
    /// The first frame with data is an error and nothing was released.
    case errorFirst
    /// The frame with `[DONE]` is here: the stream is complete.
    case done
    /// A frame exceeds its bound.
    case frameTooLong
  }

  /// What the end of the stream proves when no `[DONE]` came.
  enum Completeness: Sendable, Hashable {
    /// Upstream said why it stopped, or that it failed: nothing is missing but the mark.
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
  /// The last figures seen.
  private(set) var usage: TokenUsage?
  /// An error frame came after the first frame.
  private(set) var sawError = false
  /// Whether anything may have left already.
  private(set) var isCommitted = false

  /// A frame with data was forwarded.
  private var sawContent = false
  private var sawFinishReason = false
  private let hidesUsageChunk: Bool
  private var framer = SSEFramer()
  /// Bytes taken in and neither released nor dropped: at most the framer's bound, or the preamble.
  private var carry = ByteBuffer()
  /// Bytes at the start of the carry that are whole frames waiting for the first one with data.
  private var wholeBytes = 0
  private var isDone = false

  init(hidesUsageChunk: Bool) { self.hidesUsageChunk = hidesUsageChunk }

  /// What became free to go since the last call, in order.
  mutating func takeReleased() -> [ByteBuffer] {
    guard !released.isEmpty else { return [] }
    defer { released.removeAll(keepingCapacity: true) }
    return released
  }

  private enum Fate { case forward, drop, error, done }
  private struct Cut {
    var end: Int
    var fate: Fate
    var hasData: Bool
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
    let mayDrop = hidesUsageChunk
    slice.withUnsafeReadableBytes { bytes in
      do throws(SSEFault) {
        try framer.append(bytes) { frame in
          let fate = Self.judge(frame, mayDrop: mayDrop, usage: &usage)
          if !sawFinishReason, let data = frame.data {
            sawFinishReason = UsageScan.mayHoldFinishReason(data)
          }
          cuts.append(Cut(end: base + frame.end, fate: fate, hasData: frame.data != nil))
        }
      } catch {
        fault = true
      }
    }
    self.usage = usage
    self.sawFinishReason = sawFinishReason
    return apply(cuts, fault: fault)
  }

  private mutating func apply(_ cuts: [Cut], fault: Bool) -> Step {
    var consumed = 0
    var runEnd = wholeBytes
    wholeBytes = 0
    for cut in cuts {
      switch cut.fate {
      case .forward:
        runEnd = cut.end
        if cut.hasData {
          isCommitted = true
          sawContent = true
        }
      case .error:
        guard isCommitted else { return .errorFirst }
        sawError = true
        runEnd = cut.end
      case .drop:
        release(&consumed, upTo: runEnd)
        carry.moveReaderIndex(forwardBy: cut.end - consumed)
        consumed = cut.end
        runEnd = cut.end
        isCommitted = true
      case .done:
        isCommitted = true
        release(&consumed, upTo: runEnd)
        end = carry.readSlice(length: cut.end - consumed)
        carry.clear()
        isDone = true
        return .done
      }
    }
    if isCommitted || carry.readableBytes > Self.preambleBytes, runEnd > consumed {
      isCommitted = true
      release(&consumed, upTo: runEnd)
    } else if !isCommitted {
      wholeBytes = runEnd
    }
    if carry.readableBytes == 0 { carry = ByteBuffer() }
    return fault ? .frameTooLong : .continue
  }

  /// Moves what lies before `limit` from the carry to what may go.
  private mutating func release(_ consumed: inout Int, upTo limit: Int) {
    guard limit > consumed, let piece = carry.readSlice(length: limit - consumed) else { return }
    released.append(piece)
    consumed = limit
  }

  /// The stream ended without `[DONE]`: if it is whole, what was not released is the end.
  mutating func finish() -> Completeness {
    guard sawContent else { return .empty }
    guard sawFinishReason || sawError else { return .unfinished }
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
    if let found = scan.usage { usage = found }
    if scan.hasError { return .error }
    if mayDrop, scan.choicesAreEmpty, scan.usage != nil { return .drop }
    return .forward
  }
}
