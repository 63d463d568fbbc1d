internal import CFast

/// The thread that seals, at the lowest priority: it has all the time of the next segment.
final class SealerThread: Sendable {
  private let status: SealerStatus
  private let wake = Signal()
  private let index: LogIndex
  private let thread: StoreThread

  init(
    disk: any Disk, directory: String, index: LogIndex,
    changed: (@Sendable (SealingState) -> Void)?,
    mayTakeSpace: @escaping @Sendable () -> Bool
  ) throws(StoreError) {
    self.index = index
    status = SealerStatus(changed: changed)
    let (status, wake) = (status, wake)
    index.setClosedSignal(wake)
    status.note(pending: index.unsealed.count)
    thread = try StoreThread(name: "log-sealer") {
      cfast_thread_lower_priority()
      let sealer = Sealer(
        disk: disk, directory: directory, index: index, status: status, mayTakeSpace: mayTakeSpace)
      while !status.isStopping {
        while !status.isStopping, sealer.step() {}
        if status.isStopping { return }
        // Nothing but what failed is left, or nothing at all.
        if !sealer.hasFailures {
          wake.wait()
        } else if !wake.wait(
          nanoseconds: Int64(Limits.sealRetryMilliseconds) * 1_000_000)
        {
          sealer.retry()
        }
      }
    }
  }

  var sealing: SealingState { status.sealing }

  /// Blocks until every finished segment is sealed, an attempt failed, or the sealer ends.
  func wait() -> SealingState {
    while true {
      let signal = Signal()
      status.notify(signal)
      let isDone = index.unsealed.isEmpty
      let state = status.sealing
      if isDone || state.lastFailure != nil || status.isStopping { return state }
      signal.wait()
    }
  }

  /// Gives up what is in the making and ends; it is taken up at the next opening.
  func stop() {
    status.stop()
    index.setClosedSignal(nil)
    wake.post()
    thread.join()
  }
}
