import Domain
import NIOCore
import Surface
import Translation

/// Takes the bytes of a provider's event stream and gives those that a client of another protocol reads.
///
/// It promises what `StreamRelay` promises: nothing is released before the first part of an answer came, so that
/// another account can still be asked; the end is kept back; usage is known as it comes. No more of the stream is
/// held than an unfinished frame. Comments are not carried. Pure: bytes in, bytes out.
struct TranslatedStream {
  /// What the bytes taken so far lead to.
  enum Step: Sendable, Hashable {
    case `continue`
    /// The answer is whole.
    case done
    /// The stream is over, or says so, and there was no part of an answer in it.
    case empty
    /// The stream is over, or says so, before the answer was whole.
    case unfinished
    /// It is no answer, or none any more.
    case fault(AnswerFault)
    /// A frame exceeds its bound.
    case frameTooLong
  }

  /// The last frames of a whole answer.
  var end: ByteBuffer { ByteBuffer(bytes: translation.end) }
  /// The last figures seen.
  var usage: TokenUsage? { translation.usage }
  /// The data of the frame at fault.
  private(set) var faultFrame: ByteBuffer?
  /// Something was taken: the client may have it.
  private(set) var isTaken = false

  /// Bytes held of a frame that is not whole.
  var pendingBytes: Int { framer.pendingBytes }

  private var translation: StreamTranslation
  private var framer = SSEFramer()
  private var released: [UInt8] = []
  private var isOver = false

  init(_ translation: StreamTranslation) { self.translation = translation }

  /// What became free to go since the last call; as long as nothing is decided, nothing.
  mutating func takeReleased() -> [ByteBuffer] {
    guard translation.hasContent, !released.isEmpty else { return [] }
    isTaken = true
    defer { released.removeAll(keepingCapacity: released.capacity <= Self.keptBytes) }
    return [ByteBuffer(bytes: released)]
  }

  /// Larger buffers are given back when what is in them is gone.
  private static let keptBytes = 64 << 10

  /// Takes the next bytes of the stream.
  mutating func take(_ slice: ByteBuffer) -> Step {
    if isOver { return .continue }
    var framer = SSEFramer()
    swap(&framer, &self.framer)
    defer { swap(&framer, &self.framer) }
    var step = Step.continue
    slice.withUnsafeReadableBytes { bytes in
      do throws(SSEFault) {
        try framer.append(bytes) { frame in
          if step == .continue { step = take(frame) }
        }
      } catch {
        if step == .continue { step = .frameTooLong }
      }
    }
    if step != .continue { isOver = true }
    return step
  }

  /// The stream ended; never `continue`.
  mutating func finish() -> Step {
    guard !isOver else { return .unfinished }
    isOver = true
    var framer = SSEFramer()
    swap(&framer, &self.framer)
    var step = Step.continue
    _ = framer.finish { step = take($0) }
    return step == .continue ? close() : step
  }

  /// The frames with which a begun stream tells of a failure; `name`: one of the catalogue's codes.
  mutating func failure(_ name: String) -> ByteBuffer {
    isOver = true
    return ByteBuffer(bytes: translation.failure(name))
  }

  /// The provider's own name for the class of its error, where it reported one.
  var failureName: String? { translation.failureType }

  private mutating func take(_ frame: borrowing SSEFrame) -> Step {
    // Some providers keep a stream alive with frames of nothing.
    guard let data = frame.data, data.contains(where: { $0 > 0x20 }) else { return .continue }
    if frame.isDone { return close() }
    let event = frame.event.map { String(decoding: $0, as: UTF8.self) }
    switch translation.take(event: event, data: Array(data), into: &released) {
    case .continue: return .continue
    case .ended: return .done
    case .fault(let fault):
      faultFrame = ByteBuffer(bytes: data)
      return .fault(fault)
    }
  }

  /// The provider says that nothing more comes.
  private mutating func close() -> Step {
    switch translation.finish(into: &released) {
    case .ended: .done
    case .fault(let fault): .fault(fault)
    case .continue: translation.hasContent ? .unfinished : .empty
    }
  }
}
