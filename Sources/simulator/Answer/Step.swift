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
  /// Nothing happens until a test releases the ticket.
  case hold(Holds.Ticket)
  /// What follows is settled only when this step's turn comes.
  case later(@Sendable () -> [Step])
}
