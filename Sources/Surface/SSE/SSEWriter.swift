/// Writes SSE frames.
public enum SSEWriter {
  /// OpenAI's end of stream.
  public static let done: [UInt8] = Array("data: [DONE]\n\n".utf8)

  /// Appends one frame with `data`; each line of it becomes a `data:` line.
  public static func append(data: some Collection<UInt8>, to bytes: inout [UInt8]) {
    append(lines: data, prefix: "data: ", to: &bytes)
    bytes.append(UInt8(ascii: "\n"))
  }

  /// Appends one comment frame, which clients ignore: a legal keep-alive.
  public static func append(comment: String, to bytes: inout [UInt8]) {
    append(lines: comment.utf8, prefix: ": ", to: &bytes)
    bytes.append(UInt8(ascii: "\n"))
  }

  private static func append(
    lines: some Collection<UInt8>, prefix: StaticString, to bytes: inout [UInt8]
  ) {
    prefix.withUTF8Buffer { bytes.append(contentsOf: $0) }
    var lastWasCR = false
    for byte in lines {
      switch byte {
      case UInt8(ascii: "\n") where lastWasCR:
        lastWasCR = false
      case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
        bytes.append(UInt8(ascii: "\n"))
        prefix.withUTF8Buffer { bytes.append(contentsOf: $0) }
        lastWasCR = byte == UInt8(ascii: "\r")
      default:
        bytes.append(byte)
        lastWasCR = false
      }
    }
    bytes.append(UInt8(ascii: "\n"))
  }
}
