/// Puts calls that a provider sends side by side one behind the other.
///
/// What belongs to a later call waits until the earlier is closed, at most 8 MiB of it; beyond that it goes out as
/// it comes.
struct CallQueue {
  private static let bytesMax = 8 << 20

  /// The call that goes out now.
  private var current: Int?
  /// The calls that wait, and what is known of them, in order.
  private var waiting: Set<Int> = []
  private var held: [StreamEvent] = []
  private var heldBytes = 0
  private var isOverflown = false

  /// What may go out now that `event` has come.
  mutating func take(_ event: StreamEvent) -> [StreamEvent] {
    if isOverflown { return [event] }
    switch event {
    case .opened(let number, .toolCall):
      if current == nil { current = number } else { return hold(event, number) }
    case .piece(let number, let piece):
      guard waiting.contains(number) else { return [event] }
      return hold(event, number, bytes: piece.byteCount)
    case .closed(let number):
      if waiting.contains(number) { return hold(event, number) }
      guard number == current else { return [event] }
      return [event] + release()
    case .opened, .began, .usage, .stopped, .ended, .failed: break
    }
    return [event]
  }

  private mutating func hold(
    _ event: StreamEvent, _ number: Int, bytes: Int = 64
  ) -> [StreamEvent] {
    waiting.insert(number)
    held.append(event)
    heldBytes += bytes
    guard heldBytes > Self.bytesMax else { return [] }
    isOverflown = true
    defer { held = [] }
    return held
  }

  /// The current call is closed: the next one's turn, and all that came of it so far.
  private mutating func release() -> [StreamEvent] {
    let events = held
    current = nil
    waiting = []
    held = []
    heldBytes = 0
    return events.flatMap { take($0) }
  }
}

extension StreamPiece {
  fileprivate var byteCount: Int {
    switch self {
    case .text(let text), .signature(let text), .arguments(let text): text.utf8.count
    }
  }
}
