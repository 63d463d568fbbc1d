import NIOCore
import NIOHTTP1

/// What a connection does next for a response.
enum Step {
  case wait(TimeAmount)
  case head(HTTPResponseHead)
  /// Written and flushed by itself.
  case body(ByteBuffer)
  case end
  /// FIN, whatever was said before.
  case close
  /// RST, so that the peer's next read fails.
  case reset
  /// Nothing more happens until the client goes away.
  case silence
}
