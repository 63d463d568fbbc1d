internal import CFast
internal import Glibc

/// A thread of the store's own: never one of the few that Swift tasks share, since it blocks.
///
/// `@unchecked`: the handle is written once, before any other thread can see the object.
package final class StoreThread: @unchecked Sendable {
  private var handle = pthread_t()
  private let isJoined = Latch()

  private final class Work: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  /// Starts `body` on a new thread named `name` (at most 15 bytes).
  package init(name: String, _ body: @escaping @Sendable () -> Void) throws(StoreError) {
    let work = Unmanaged.passRetained(Work(body))
    let result = pthread_create(
      &handle, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
        return nil
      }, work.toOpaque())
    if result != 0 {
      work.release()
      throw StoreError(.io, "no thread could be started", errno: result)
    }
    cfast_thread_name(handle, name)
  }

  var isCurrent: Bool { pthread_equal(handle, pthread_self()) != 0 }

  /// Lets the thread end by itself; instead of `join`.
  func detach() {
    if isJoined.set() { pthread_detach(handle) }
  }

  /// Waits for the end of the thread; only the first call does.
  package func join() {
    if isJoined.set() { pthread_join(handle, nil) }
  }
}
