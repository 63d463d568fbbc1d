/// Puts calls that a provider sends side by side one behind the other.
///
/// What belongs to a later call waits until the earlier is closed, at most 8 MiB of it; beyond that it goes out as
/// it comes.
struct CallQueue {
  private static let bytesMax = 8 << 20
  /// What an event takes beside its text.
  private static let eventBytes = 64

  /// The call that goes out now.
  private var current: Int?
  /// The calls that wait, in the order of their opening, and all that came of each.
  private var waiting: [Int] = []
  private var held: [Int: [StreamEvent]] = [:]
  private var heldBytes = 0
  private var isOverflown = false

  /// What may go out now that `event` has come.
  mutating func take(_ event: StreamEvent) -> [StreamEvent] {
    if isOverflown { return [event] }
    switch event {
    case .opened(let number, .toolCall):
      if current != nil {
        waiting.append(number)
        return hold(event, number)
      }
      current = number
    case .piece(let number, let piece):
      if held[number] != nil { return hold(event, number, bytes: piece.byteCount) }
    case .closed(let number):
      if held[number] != nil { return hold(event, number) }
      if number == current { return [event] + release() }
    case .opened, .began, .usage, .stopped, .ended, .failed: break
    }
    return [event]
  }

  private mutating func hold(_ event: StreamEvent, _ number: Int, bytes: Int = 0) -> [StreamEvent] {
    held[number, default: []].append(event)
    heldBytes += bytes + Self.eventBytes
    guard heldBytes > Self.bytesMax else { return [] }
    isOverflown = true
    defer { held = [:] }
    return waiting.flatMap { held[$0] ?? [] }
  }

  /// The current call is closed: the next one's turn, with all that came of it, and so on while these are closed.
  private mutating func release() -> [StreamEvent] {
    var events: [StreamEvent] = []
    current = nil
    var released = 0
    for number in waiting {
      let own = held.removeValue(forKey: number) ?? []
      released += 1
      events += own
      if own.last != .closed(number) {
        current = number
        break
      }
    }
    waiting.removeFirst(released)
    heldBytes = held.isEmpty ? 0 : heldBytes
    return events
  }
}

extension StreamPiece {
  fileprivate var byteCount: Int {
    switch self {
    case .text(let text), .signature(let text), .arguments(let text): text.utf8.count
    }
  }
}
