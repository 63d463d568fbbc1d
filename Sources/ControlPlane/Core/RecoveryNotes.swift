public import Domain
public import EventStore

extension EventStore {
  /// What the modes `written` and `queued` may lose when the machine stops, in milliseconds.
  fileprivate static let lossBoundMilliseconds: UInt64 = 25

  /// Notes in the log, durably, what opening found: bytes set aside, a possible gap, losses that a person
  /// accepted.
  ///
  /// Each is noted once, under an id of its own, however often an opening ends before it came to this:
  /// until then the directory keeps it. Every program that opens the log for writing owes it this.
  ///
  /// - Returns: What was not in the log yet, in order.
  /// - Throws: `ControlError.log`; the next opening reports what was not noted.
  @discardableResult
  public func noteRecovery(edge: Edge = .system) async throws(ControlError) -> [Event] {
    var drafts: [EventDraft] = []
    var events: [Event] = []
    do throws(StoreError) {
      for note in report.notes where try reader.position(of: note.id) == nil {
        let event = Event.gateway(note.event)
        events.append(event)
        drafts.append(
          EventDraft(
            id: note.id, stream: event.stream, kind: event.kind, time: edge.now().rawValue,
            lookupKeys: event.lookupKeys, payload: encode(event, note.provenance)))
      }
      // Each by itself: one that a crash kept and one that it did not must not stand in each other's way.
      for draft in drafts {
        _ = try await append(AppendBatch(events: [draft]), durability: .durable)
      }
      try acknowledgeRecovery()
    } catch {
      throw ControlError.log(error)
    }
    return events
  }
}

extension RecoveryReport {
  fileprivate struct Note {
    var id: EventID
    var event: GatewayEvent
    var provenance = Provenance.system
  }

  /// What this opening owes the log.
  fileprivate var notes: [Note] {
    var notes: [Note] = []
    for loss in acceptedLosses {
      notes.append(
        Note(
          id: loss.eventID(in: storeID),
          event: .lossAccepted(
            GatewayEvent.LossAccepted(
              first: loss.first.rawValue, last: loss.last.rawValue, file: loss.file,
              rule: loss.rule, reason: loss.reason)),
          provenance: Provenance(actor: loss.actor, source: .cli)))
    }
    for tail in pendingTails {
      notes.append(
        Note(
          id: tail.eventID,
          event: .tailTruncated(
            GatewayEvent.TailTruncated(
              segment: tail.segment, offset: tail.offset, bytes: tail.bytes, rule: tail.rule))))
    }
    if let gap = possibleGap {
      notes.append(
        Note(
          id: gap.eventID,
          event: .gap(
            GatewayEvent.Gap(
              boundMilliseconds: EventStore.lossBoundMilliseconds,
              reason: "the machine stopped while the log was open"))))
    }
    return notes
  }
}
