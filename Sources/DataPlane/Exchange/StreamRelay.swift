import Domain
import NIOCore
import Surface

/// Takes the bytes of an upstream's stream and says what of them goes to the client when.
///
/// Whole frames are forwarded as they are; the frame that ends the stream is kept back as the end, and where only
/// the connection's end tells which one that was, the last one is; a chunk that only carries the usage which the
/// client did not ask for is left out; nothing is released before a frame brought something of an answer, or an
/// error. Pure: bytes in, bytes out.
struct StreamRelay {
  /// How much may be withheld in comments and frames that say nothing before the answer begins.
  static let preambleBytes = 64 << 10

  /// What the bytes taken so far lead to.
  enum Step: Sendable, Hashable {
    case `continue`
    /// A frame is an error and nothing was taken of what was released.
    case errorFirst
    /// A frame is an error, and what came before it is released or gone.
    case errorLater
    /// The frame that ends the stream is here, and no content in any before it.
    case withoutContent
    /// The frame that ends the stream is here: the stream is complete.
    case done
    /// A frame exceeds its bound.
    case frameTooLong
    /// The bytes are no stream of the form that was asked for.
    case malformed
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
  /// The frame that ends the stream, or what an unfinished frame left at the end of the connection.
  private(set) var end: ByteBuffer?
  /// The data of the first error.
  private(set) var errorFrame: ByteBuffer?

  /// Something was released for good.
  private(set) var isCommitted = false
  /// Something was taken: the client may have it.
  private var isTaken = false
  /// Bytes released and not taken, as long as they are withheld.
  private var withheld = 0
  private var sight = StreamSight()
  private let dialect: Dialect
  private let hidesUsageChunk: Bool
  private var framer = SSEFramer()
  /// In place of `framer`, where the stream is an array.
  private var array: JSONArrayFramer?
  /// Bytes taken in and neither released nor dropped: at most the framer's bound, and a frame that stays back.
  private var carry = ByteBuffer()
  /// Of the carry, a whole frame that stays back until another one follows.
  private var heldBytes = 0
  private var isDone = false

  /// `dialect`: the provider's; `isArray`: it streams the elements of one JSON array (Gemini without `alt=sse`).
  init(_ dialect: Dialect, hidesUsageChunk: Bool, isArray: Bool = false) {
    self.dialect = dialect
    self.hidesUsageChunk = hidesUsageChunk
    if isArray { array = JSONArrayFramer() }
  }

  /// The stream is the elements of one JSON array.
  var isArray: Bool { array != nil }
  /// The figures so far, as the gateway counts; nil: none were reported.
  var usage: TokenUsage? { sight.usage?.summed(as: dialect) }
  /// Responses: the number of the event that follows those released; nil: they have none.
  var sequence: UInt64? { sight.sequence }
  /// Responses: what has begun.
  var response: BegunResponse? { sight.response }
  /// Responses: the ids of what the account stores.
  var stored: [String] { sight.stored }

  /// Bytes held of what is not whole: the framer has them too.
  var pendingBytes: Int {
    carry.readableBytes + (array?.pendingBytes ?? framer.pendingBytes)
  }

  /// What became free to go since the last call, in order; as long as nothing is decided, nothing.
  mutating func takeReleased() -> [ByteBuffer] {
    guard isCommitted, !released.isEmpty else { return [] }
    isTaken = true
    defer { released.removeAll(keepingCapacity: true) }
    return released
  }

  private struct Cut {
    var end: Int
    var fate: FrameFate
  }

  /// Takes the next bytes of the stream.
  mutating func take(_ slice: ByteBuffer) -> Step {
    switch dialect {
    case .chat, .completions, .embeddings, .inference: take(slice, ChatMarks.self)
    case .messages, .countTokens: take(slice, MessagesMarks.self)
    case .responses: take(slice, ResponsesMarks.self)
    case .gemini where array != nil: takeElements(slice)
    case .gemini: take(slice, GeminiMarks.self)
    }
  }

  @inline(__always)
  private mutating func take<Marks: StreamMarks>(_ slice: ByteBuffer, _: Marks.Type) -> Step {
    if isDone { return .done }
    let base = keep(slice)
    var cuts: [Cut] = []
    var fault: Step?
    var sight = sight
    var errorFrame = errorFrame
    let mayDrop = hidesUsageChunk
    slice.withUnsafeReadableBytes { bytes in
      do throws(SSEFault) {
        // A closure and no function of its own: what that captures would be allocated.
        try framer.append(bytes) { frame in
          let fate = Marks.judge(frame, mayDrop: mayDrop, &sight)
          if fate == .error { Self.note(frame, &errorFrame) }
          cuts.append(Cut(end: base + frame.end, fate: fate))
        }
      } catch {
        fault = .frameTooLong
      }
    }
    self.sight = sight
    self.errorFrame = errorFrame
    return apply(cuts, fault: fault)
  }

  private mutating func takeElements(_ slice: ByteBuffer) -> Step {
    if isDone { return .done }
    let base = keep(slice)
    var cuts: [Cut] = []
    var fault: Step?
    var sight = sight
    var errorFrame = errorFrame
    slice.withUnsafeReadableBytes { bytes in
      do throws(JSONArrayFramer.Fault) {
        try array?.append(bytes) { frame in
          let fate = GeminiMarks.judge(frame, mayDrop: false, &sight)
          if fate == .error { Self.note(frame, &errorFrame) }
          cuts.append(Cut(end: base + frame.end, fate: fate))
        }
      } catch {
        switch error {
        case .malformed: fault = .malformed
        case .frameTooLong: fault = .frameTooLong
        }
      }
    }
    self.sight = sight
    self.errorFrame = errorFrame
    return apply(cuts, fault: fault)
  }

  /// Puts the bytes behind those in hand; gives how many these are.
  @inline(__always)
  private mutating func keep(_ slice: ByteBuffer) -> Int {
    let count = carry.readableBytes
    if count == 0 {
      carry = slice
    } else {
      carry.writeImmutableBuffer(slice)
    }
    return count
  }

  private static func note(_ frame: borrowing SSEFrame, _ errorFrame: inout ByteBuffer?) {
    if errorFrame == nil, let data = frame.data { errorFrame = ByteBuffer(bytes: data) }
  }

  private mutating func apply(_ cuts: [Cut], fault: Step?) -> Step {
    var consumed = 0
    /// Up to here all may go.
    var runEnd = 0
    /// Up to here frames are whole.
    var framesEnd = heldBytes
    for cut in cuts {
      switch cut.fate {
      case .forward: runEnd = cut.end
      case .hold: runEnd = framesEnd
      case .error:
        guard isTaken else { return .errorFirst }
        release(&consumed, upTo: framesEnd)
        return .errorLater
      case .drop:
        release(&consumed, upTo: framesEnd)
        carry.moveReaderIndex(forwardBy: cut.end - consumed)
        consumed = cut.end
        runEnd = cut.end
      case .done:
        release(&consumed, upTo: runEnd)
        end = carry.readSlice(length: cut.end - consumed)
        carry.clear()
        isDone = true
        guard sight.hasContent || isTaken else { return .withoutContent }
        isCommitted = true
        return .done
      }
      framesEnd = cut.end
    }
    release(&consumed, upTo: runEnd)
    heldBytes = framesEnd > consumed ? framesEnd - consumed : 0
    if sight.hasContent || withheld > Self.preambleBytes { isCommitted = true }
    if carry.readableBytes == 0 {
      carry = ByteBuffer()
    } else if consumed > 0 {
      // What goes out keeps its memory until a slow client has taken it: the rest gets its own, or each piece
      // would keep a copy of all that followed it.
      carry = ByteBuffer(bytes: carry.readableBytesView)
    }
    return fault ?? .continue
  }

  /// Moves what lies before `limit` from the carry to what may go.
  private mutating func release(_ consumed: inout Int, upTo limit: Int) {
    guard limit > consumed, let piece = carry.readSlice(length: limit - consumed) else { return }
    if !isCommitted { withheld += piece.readableBytes }
    released.append(piece)
    consumed = limit
  }

  /// The connection ended without the mark of the stream's end: if it is whole, what was not released is the end.
  mutating func finish() -> Completeness {
    guard sight.hasContent || isTaken else { return .empty }
    // An array without its bracket is no JSON, whatever its last element said.
    guard sight.hasFinish, array == nil else { return .unfinished }
    isDone = true
    if carry.readableBytes > 0 { end = carry }
    carry = ByteBuffer()
    return .whole
  }

  /// The stream breaks off: what stayed back as its possible end was not.
  mutating func releaseHeld() {
    guard isCommitted, heldBytes > 0, let piece = carry.readSlice(length: heldBytes) else { return }
    heldBytes = 0
    released.append(piece)
  }
}
