import Domain
import EventStore
import NIOCore
import NIOPosix
import Surface
import Synchronization

/// Asking the log about a request that has not been let in.
extension Exchange {
  /// Reads the newest events of each lookup key on a thread that may wait for the disk, and goes on with what `read` makes
  /// of them; so many lookups may wait, the others are refused.
  ///
  /// `then` is not called for a client that went away meanwhile: it has been dealt with.
  func lookUp<Found: Sendable>(
    _ keys: [[UInt8]], newest count: Int, read: @escaping @Sendable ([[Recorded]]) -> Found?,
    then: @escaping (Result<Found?, any Error>) -> Void
  ) {
    let plane = context.plane
    let waiting = plane.lookupsWaiting.wrappingAdd(1, ordering: .relaxed).oldValue
    guard waiting < options.maxLookupsWaiting else {
      plane.lookupsWaiting.wrappingSubtract(1, ordering: .relaxed)
      return deny(.overloaded, wait: 1_000_000_000)
    }
    phase = .announcing
    let log = plane.log
    let looking = plane.lookups.runIfActive(eventLoop: context.eventLoop) {
      read(
        try log.events(forKeys: keys, newest: count).map { events in
          try events.map {
            try Recorded(
              position: $0.position.rawValue, time: UnixNanoseconds($0.time), kind: $0.kind,
              bytes: $0.payload)
          }
        })
    }
    looking.assumeIsolated().whenComplete { [self] result in
      plane.lookupsWaiting.wrappingSubtract(1, ordering: .relaxed)
      if phase == .announcing { then(result) }
    }
  }
}
