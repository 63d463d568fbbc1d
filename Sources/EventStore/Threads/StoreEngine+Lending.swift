internal import Synchronization

/// Writing on the thread that submits.
///
/// An answer's end waits for its event: over the writer's thread that is two changes of threads, each of them
/// dearer than the write. Where the writer sleeps with nothing to do, whoever comes is lent its place.
extension StoreEngine {
  /// Submits `submissions`, which belong to one thread, in order; writes them here if the writer can be lent.
  func submit(_ submissions: [Submission]) {
    let isLent =
      submissions.allSatisfy { $0.durability == .written } && !submissions.isEmpty
      && !isShort.load(ordering: .relaxed)
      && queue.withLock { $0.lend(writer, isSyncing: isFileSyncing.load(ordering: .relaxed)) }
    guard isLent else {
      for submission in submissions { submit(submission) }
      return
    }
    var group = Group()
    var answers = CompletionBatch()
    writer.durableUpTo = max(writer.durableUpTo, lastDurable)
    for submission in submissions { admit(submission, &group, &answers) }
    if !group.entries.isEmpty { write(&group, &answers) }
    giveBack()
    answers.deliver()
  }

  /// Lets the writer's thread have the writer again, and wakes it if it has work.
  private func giveBack() {
    let isWaking = queue.withLock { queue in
      queue.isLent = false
      // Of a shortage that began here it does not know yet when to look for space.
      let hasWork =
        queue.hasWork || writer.groupCount > 0 || isShort.load(ordering: .relaxed)
      queue.isIdle = !hasWork
      return hasWork
    }
    if isWaking { writerWake.post() }
  }
}

extension StoreEngine.Queue {
  /// There is something that the writer's thread is to look at.
  fileprivate var hasWork: Bool {
    !incoming.isEmpty || isClosing || isFlushWanted || isWitnessWanted
  }

  /// Takes the writer from its thread, if that sleeps and has nothing, and the next write is a quick one: during a
  /// sync one that does not make the file longer.
  fileprivate mutating func lend(_ writer: LogWriter, isSyncing: Bool) -> Bool {
    guard isIdle, !isGroupWaiting, !hasWork, !writer.isRollDue,
      !isSyncing || writer.bytesAhead >= Limits.lentBytes
    else { return false }
    isIdle = false
    isLent = true
    return true
  }
}
