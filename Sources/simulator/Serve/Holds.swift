import Synchronization

/// Calls that wait until a test lets them go on.
final class Holds: Sendable {
  /// One waiting call.
  struct Ticket: Sendable, Equatable {
    var ordinal: UInt64
    /// Who waits where, such as `corp token before`.
    var label: String
  }

  private struct State {
    var next: UInt64 = 1
    var waiting: [Ticket] = []
  }

  private let state = Mutex(State())

  func take(_ label: String) -> Ticket {
    state.withLock { state in
      let ticket = Ticket(ordinal: state.next, label: label)
      state.next += 1
      state.waiting.append(ticket)
      return ticket
    }
  }

  func isWaiting(_ ticket: Ticket) -> Bool {
    state.withLock { $0.waiting.contains(ticket) }
  }

  /// Takes back a ticket whose client went away.
  func drop(_ ticket: Ticket) {
    state.withLock { state in state.waiting.removeAll { $0 == ticket } }
  }

  /// Lets the oldest `count` go whose label contains `part`; how many there were.
  func release(_ count: Int, part: String) -> Int {
    state.withLock { state in
      let chosen = state.waiting.filter { part.isEmpty || $0.label.contains(part) }.prefix(count)
      state.waiting.removeAll { chosen.contains($0) }
      return chosen.count
    }
  }

  var labels: [String] { state.withLock { $0.waiting.map(\.label) } }
}
