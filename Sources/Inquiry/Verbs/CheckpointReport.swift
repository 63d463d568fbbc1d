public import Domain
public import EventStore

/// A checkpoint of the log, to be kept elsewhere.
public struct CheckpointReport: InquiryReport, Hashable {
  /// Which log it speaks of.
  public var store: UInt128
  /// `epoch:position` of its event.
  public var place: String
  /// When it was signed, by the gateway's clock; not part of what is signed.
  public var time: UnixNanoseconds
  /// What it says.
  public var fact: GatewayEvent.CheckpointSigned

  /// Always 0: a checkpoint that does not fit is a fault.
  public var exitCode: ExitCode { .same }
  /// The note.
  public var text: String { CheckpointNote.text(fact, store: store) }

  /// For machines.
  public var json: JSONTree {
    .object([
      .init("replay", .text("checkpoint")), .init("store", .text(uuidText(store))),
      .init("position", .count(fact.position)), .init("epoch", .count(fact.epoch)),
      .init("chain", .text(Shown.hex(fact.chain))), .init("previous", .count(fact.previous)),
      .init("root", .text(Shown.hex(fact.root))),
      .init("publicKey", .text(Shown.hex(fact.publicKey))),
      .init("signature", .text(Shown.hex(fact.signature))), .init("at", .text(place)),
      .init("time", .text(rfc3339(time))), .init("note", .text(text)),
    ])
  }
}

extension Replay {
  /// The newest checkpoint, or the oldest that covers a moment.
  ///
  /// - Parameter now: What `-15m` counts from.
  /// - Throws: `.notCovered` if there is none yet, `.differs` if it does not fit the log.
  public static func checkpoint(
    _ log: LogReader, at moment: Selector? = nil, now: UnixNanoseconds
  ) throws(InquiryFault) -> CheckpointReport {
    var found: LogCheckpoint?
    if let moment {
      let position = try moment.resolve(in: log, now: now, edge: .to)
      guard position <= log.last else {
        throw InquiryFault(
          .notFound, "Position \(position) is not in this log. \(try LogCoverage(log).text)")
      }
      let wanted = max(position, Position(1))
      found = try LogCheckpoint.covering(wanted, in: log)
      if found == nil { throw try LogCheckpoint.notCovered(wanted, in: log) }
    } else {
      try LogCheckpoint.backwards(in: log) { checkpoint in
        found = checkpoint
        return false
      }
    }
    guard let found else {
      throw InquiryFault(
        .notCovered, "No checkpoint is in this log yet. \(LogCheckpoint.remedy)")
    }
    var check = StatementCheck(log)
    let outcome = try check.compare(found.fact)
    guard outcome == .same, found.signer(store: log.storeID) != nil else {
      throw InquiryFault(
        .differs,
        "Checkpoint \(found.place) does not fit the log, or its signature the key that it names: it is "
          + "no anchor. Ask `replay verify`.")
    }
    return CheckpointReport(
      store: log.storeID, place: found.place, time: found.time, fact: found.fact)
  }
}
