internal import CFast
internal import Glibc

/// A counting wake-up (POSIX semaphore): a post before the wait is not lost.
///
/// `@unchecked`: the semaphore is made for use from many threads, and its address never changes.
package final class Signal: @unchecked Sendable {
  private let semaphore: UnsafeMutablePointer<sem_t>

  package init() {
    semaphore = .allocate(capacity: 1)
    sem_init(semaphore, 0, 0)
  }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  package func post() { sem_post(semaphore) }

  func wait() {
    while sem_wait(semaphore) != 0 && errno == EINTR {}
  }

  /// False if the time passed first.
  package func wait(nanoseconds: Int64) -> Bool {
    while cfast_semaphore_wait(semaphore, max(0, nanoseconds)) != 0 {
      if errno != EINTR { return false }
    }
    return true
  }
}
