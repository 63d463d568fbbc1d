import NIOCore

/// Gathers the bytes of an answer: small ones in one buffer, large ones by reference.
struct AnswerWriter {
  /// Pieces up to this size are copied together: cheaper than another entry for the kernel.
  static let copiedBytes = 8 << 10

  var framing = AnswerHead.Framing.none
  /// Bytes of the body so far, without framing.
  private(set) var bodyBytes: UInt64 = 0
  private var pieces: [ByteBuffer] = []
  private var gathered = ByteBuffer()

  /// The head; a short body that follows at once fits behind it.
  mutating func head(_ head: AnswerHead, framing: AnswerHead.Framing, context: LoopContext) {
    self.framing = framing
    var body = 512
    if case .length(let length) = framing, length <= Self.copiedBytes { body = length }
    gathered.reserveCapacity(512 + body)
    head.append(framing: framing, to: &gathered, context: context)
  }

  mutating func body(_ piece: ByteBuffer) {
    let count = piece.readableBytes
    guard count > 0 else { return }
    bodyBytes += UInt64(count)
    let isChunked = framing == .chunked
    if isChunked { HTTP1Encoder.chunkHead(count, to: &gathered) }
    if count <= Self.copiedBytes {
      gathered.writeImmutableBuffer(piece)
    } else {
      seal()
      pieces.append(piece)
    }
    if isChunked { HTTP1Encoder.chunkEnd(to: &gathered) }
  }

  /// An answer made elsewhere, head included.
  mutating func whole(_ answer: ByteBuffer, bodyBytes: Int) {
    seal()
    pieces.append(answer)
    self.bodyBytes += UInt64(bodyBytes)
  }

  mutating func end() {
    if framing == .chunked { HTTP1Encoder.lastChunk(to: &gathered) }
  }

  /// What was gathered since the last call.
  mutating func take() -> [ByteBuffer] {
    seal()
    defer { pieces.removeAll(keepingCapacity: true) }
    return pieces
  }

  private mutating func seal() {
    guard gathered.readableBytes > 0 else { return }
    pieces.append(gathered)
    gathered = ByteBuffer()
  }
}
