/// One frame, as a view that is valid during the call it is handed to only.
public struct SSEFrame: ~Copyable {
  /// Bytes of the current chunk up to and including the frame's end: 0…chunk.count.
  ///
  /// 0: the chunk before ended with a CR, and only this chunk's first byte (or the end of the
  /// stream) proved it to be the frame's end.
  public let end: Int
  /// The frame's length in the stream, blank line included.
  public let byteCount: Int
  /// The `data` lines, joined by LF; nil for a frame without one (comments, keep-alives).
  public let data: UnsafeRawBufferPointer?
  /// The last `event` field; nil if there is none.
  public let event: UnsafeRawBufferPointer?

  /// The data begins with `[DONE]`: OpenAI's end of stream.
  public var isDone: Bool {
    guard let data else { return false }
    let mark: StaticString = "[DONE]"
    guard data.count >= mark.utf8CodeUnitCount else { return false }
    for index in 0..<mark.utf8CodeUnitCount where data[index] != mark.utf8Start[index] {
      return false
    }
    return true
  }
}
