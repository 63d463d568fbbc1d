/// Splits an SSE byte stream into frames over any chunk borders, so that a proxy can forward the
/// bytes unchanged and still know where frames end.
///
/// LF, CRLF and CR end lines. A frame ends with its blank line, line end included; comments and blank
/// lines count as bytes of the frame that they stand in. Frames are the same for every chunking.
public struct SSEFramer: Sendable {
  /// Bound of one frame, in bytes, unless told otherwise: 1 MiB.
  public static let standardFrameBytes = 1 << 20

  /// Bytes taken in that belong to a frame not ended yet.
  public var pendingBytes: Int { preconditionFailure("not written yet") }

  /// A framer at the start of a stream.
  public init(maximumFrameBytes: Int = SSEFramer.standardFrameBytes) {
    preconditionFailure("not written yet")
  }

  /// Takes the next bytes of the stream and calls `body` for each frame that ends in them, in order.
  ///
  /// Throws after a frame grew beyond its bound; from then on every call throws the same.
  public mutating func append(
    _ chunk: UnsafeRawBufferPointer, _ body: (borrowing SSEFrame) -> Void
  ) throws(SSEFault) {
    preconditionFailure("not written yet")
  }

  /// The stream has ended: calls `body` if the last byte was a CR that ends a frame.
  ///
  /// Returns the bytes of an unfinished frame: 0 if the stream ended cleanly.
  public mutating func finish(_ body: (borrowing SSEFrame) -> Void) -> Int {
    preconditionFailure("not written yet")
  }
}

/// One frame, as a view that is valid during the call it is handed to only.
public struct SSEFrame: ~Copyable {
  /// Bytes of the current chunk up to and including the frame's end: 0…chunk.count. (0: the chunk
  /// before ended with a CR that only this chunk's first byte proved to be the frame's end.)
  public let end: Int
  /// The frame's length in the stream, blank line included.
  public let byteCount: Int
  /// The joined `data` lines; nil for a frame without one (comments, keep-alives).
  public let data: UnsafeRawBufferPointer?
  /// The last `event` field; nil if there is none.
  public let event: UnsafeRawBufferPointer?

  /// The data begins with `[DONE]`: OpenAI's end of stream.
  public var isDone: Bool { preconditionFailure("not written yet") }
}

/// Why a byte stream cannot be split any further.
public enum SSEFault: Error, Sendable, Hashable {
  /// A frame exceeds the bound, in bytes.
  case frameTooLong(limit: Int)
}
