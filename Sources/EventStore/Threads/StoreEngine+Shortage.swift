internal import Synchronization

/// What the writer's thread does when the disk is full.
///
/// In this order: the reserve is given back; the event that opens the gap becomes durable; the other
/// batches of the group that failed are written; its sheddable ones are refused and counted. From
/// then on sheddable batches are refused at once, until the reserve can be taken again and the event
/// that closes the gap is durable.
extension StoreEngine {
  /// A time without space.
  struct Shortage {
    /// Position of the event that opened the gap, once it is in the log.
    var opened: UInt64?
    var shed: UInt64 = 0
    var isExhausted = false
    var isAnnounced = false
    var isExhaustionAnnounced = false
    var probeAt: Int64 = 0
    var cause: StoreError

    var shown: StoreState.Shortage {
      StoreState.Shortage(
        opened: opened.map { Position($0) }, shed: shed, isExhausted: isExhausted, cause: cause)
    }
  }

  /// When to look again whether there is space; `Int64.max` unless there is a shortage.
  var probeAt: Int64 {
    guard isShort.load(ordering: .relaxed) else { return .max }
    return shortage.withLock { $0?.probeAt ?? .max }
  }

  // MARK: A write that did not fit

  /// Deals with a group for which there was no room: nothing of it is in the log.
  func rescue(
    _ error: StoreError, _ lost: Group, _ group: inout Group,
    _ answers: inout CompletionBatch
  ) {
    let isReleased = reserve.release()
    var cause = error
    if lost.answered > 0 {
      cause.message += "; \(lost.answered) queued events had been answered"
      // Their positions were shown outside: whoever gets them next gets them in another epoch.
      raiseEpoch()
    }
    begin(cause)
    let hasRoom = openGap()
    // Without the sheddable ones, or with the reserve's space, the rest may fit.
    let isWorthTrying =
      hasRoom && (isReleased || lost.entries.contains { $0.submission.batch.isSheddable })
    for (submission, result) in lost.entries {
      if isPoisoned.isSet {
        answer(submission, .failure(poisonedError), &answers)
      } else if submission.batch.isSheddable {
        // A duplicate is of a batch that is counted itself.
        let isDuplicate = (try? result.get().wasDuplicate) ?? false
        shed(submission, count: !isDuplicate, &answers)
      } else if isWorthTrying {
        admit(submission, &group, &answers)
      } else {
        answer(submission, .failure(cause), &answers)
      }
    }
    if !isWorthTrying {
      shortage.withLock { $0?.isExhausted = true }
      announceExhaustion()
    }
    if writer.groupCount > 0 { write(&group, &answers) }
  }

  private func begin(_ cause: StoreError) {
    let probeAt = disk.monotonic() + Int64(Limits.probeMilliseconds) * 1_000_000
    shortage.withLock { shortage in
      if shortage == nil { shortage = Shortage(probeAt: probeAt, cause: cause) }
      shortage?.cause = cause
    }
    isShort.store(true, ordering: .relaxed)
  }

  // MARK: Batches that arrive meanwhile

  /// Whether `submission` may be tried; if not, it is answered.
  func isWelcomeWhileShort(
    _ submission: Submission, _ group: inout Group,
    _ answers: inout CompletionBatch
  ) -> Bool {
    guard let now = shortage.withLock({ $0 }) else { return true }
    if submission.batch.isSheddable {
      switch writer.standing(of: submission.batch) {
      case .duplicate(let receipt)?:
        place(submission, receipt, &group, &answers)
        return false
      case .refused(let error)?:
        answer(submission, .failure(error), &answers)
        return false
      case .placed?, .groupIsFull?, nil: break
      }
    } else if now.shed == 0 || !isUnsaid(now) {
      return true
    }
    // Nothing is refused, and nothing else written, before the gap that it makes is in the log. If that
    // does not fit it is tried with each batch that may not be shed, for others with each probe.
    var hasRoom = true
    if isUnsaid(now) {
      hasRoom = false
      if !now.isExhausted || !submission.batch.isSheddable {
        if writer.groupCount > 0 { write(&group, &answers) }
        hasRoom = openGap()
      }
    } else {
      announce()
    }
    if isPoisoned.isSet {
      answer(submission, .failure(poisonedError), &answers)
    } else if submission.batch.isSheddable {
      shed(submission, count: true, &answers)
    } else if hasRoom {
      return true
    } else {
      answer(submission, .failure(shortageError), &answers)
    }
    return false
  }

  /// Whether the log has nothing of the gap that it ought to have.
  private func isUnsaid(_ shortage: Shortage) -> Bool {
    shortage.opened == nil && options.gapEvents != nil
  }

  private func shed(_ submission: Submission, count: Bool, _ answers: inout CompletionBatch) {
    if count {
      shortage.withLock { now in
        let (sum, isBeyond) = (now?.shed ?? 0).addingReportingOverflow(submission.batch.loss)
        now?.shed = isBeyond ? .max : sum
      }
    }
    answer(submission, .failure(shortageError), &answers)
  }

  private var shortageError: StoreError {
    var error = shortage.withLock { $0?.cause } ?? StoreError(.full, "no space")
    error.message += "; refused until there is space again"
    return error
  }

  /// Makes the event durable that opens the gap, if it is not yet; false if there is no room for it.
  private func openGap() -> Bool {
    guard let now = shortage.withLock({ $0 }), !isPoisoned.isSet else { return false }
    defer { announce() }
    guard now.opened == nil, let events = options.gapEvents else { return true }
    let position = append { _ in [events.opened(disk.now())] }
    shortage.withLock { shortage in
      shortage?.opened = position
      shortage?.isExhausted = position == nil
    }
    return position != nil
  }

  /// Says once that sheddable batches are refused.
  private func announce() {
    let shown = shortage.withLock { shortage -> StoreState.Shortage? in
      guard shortage?.isAnnounced == false else { return nil }
      shortage?.isAnnounced = true
      return shortage?.shown
    }
    if let shown, !isPoisoned.isSet { options.stateChanged?(.working, .shedding(shown)) }
  }

  /// Says once that everything is refused.
  private func announceExhaustion() {
    let shown = shortage.withLock { shortage -> StoreState.Shortage? in
      guard shortage?.isAnnounced == true, shortage?.isExhaustionAnnounced == false else {
        return nil
      }
      shortage?.isExhaustionAnnounced = true
      return shortage?.shown
    }
    guard let shown, !isPoisoned.isSet else { return }
    var before = shown
    before.isExhausted = false
    options.stateChanged?(.shedding(before), .shedding(shown))
  }

  // MARK: Space again

  /// A group was written although there is a shortage.
  func foundRoom() {
    shortage.withLock { $0?.isExhausted = false }
    // With nothing to be kept free and nothing to be said, that is all one can know.
    if reserve.bytes == 0, options.gapEvents == nil { closeGap() }
  }

  /// Looks whether the reserve can be taken again; if so, the shortage is over.
  ///
  /// The group is empty.
  func probe() {
    let next = disk.monotonic() + Int64(Limits.probeMilliseconds) * 1_000_000
    shortage.withLock { $0?.probeAt = next }
    if isPoisoned.isSet { return }
    do throws(StoreError) {
      try reserve.take()
      let isOver = closeGap()
      figures.withLock { isOver ? ($0.resumptions += 1) : ($0.failedResumptions += 1) }
    } catch {
      figures.withLock { $0.failedResumptions += 1 }
      if let now = shortage.withLock({ $0 }), now.shed > 0, isUnsaid(now) { _ = openGap() }
    }
  }

  /// Makes the event durable that closes the gap, which ends the shortage; false if there is no room.
  ///
  /// The group is empty.
  @discardableResult
  func closeGap() -> Bool {
    guard let now = shortage.withLock({ $0 }), !isPoisoned.isSet else { return false }
    if let events = options.gapEvents, now.opened != nil || now.shed > 0 {
      let position = append { position in
        let time = disk.now()
        if let opened = now.opened { return [events.closed(Position(opened), now.shed, time)] }
        // Not even this one did fit before.
        return [events.opened(time), events.closed(Position(position), now.shed, time)]
      }
      guard position != nil else { return false }
    }
    shortage.withLock { $0 = nil }
    isShort.store(false, ordering: .relaxed)
    if now.isAnnounced { options.stateChanged?(.shedding(now.shown), .working) }
    return true
  }

  // MARK: Events of the log's own

  /// Writes and syncs what `make` gives for the position of its first event, and returns that.
  ///
  /// - Returns: nil if there is no room.
  private func append(_ make: (UInt64) -> [EventDraft]) -> UInt64? {
    do throws(StoreError) {
      let batch = AppendBatch(events: make(writer.nextPosition))
      guard case .placed(let receipt) = writer.add(batch) else {
        throw StoreError(.invalidDraft, "an event about a gap is not one that the log can take")
      }
      try writer.flush()
      guard let mark = writer.mark else { return nil }
      try syncExclusively(mark.file)
      noteDurable(receipt.last.rawValue)
      requestSync(mark, [])
      return receipt.first.rawValue
    } catch {
      writer.dropGroup()
      if error.code != .full { poison(error) }
      return nil
    }
  }
}
