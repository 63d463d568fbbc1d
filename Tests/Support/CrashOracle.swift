package import EventStore

/// What a crash or a fault made of a log that it must not have made.
package struct Violation: Error, Sendable, CustomStringConvertible {
  package enum Kind: String, Sendable, CaseIterable {
    /// An acknowledged event is not there, or the log does not open.
    case lost
    /// An event is there that was never submitted, was refused, was lost before, or is there twice.
    case phantom
    /// An event, its place, its batch or an answer about it is another one.
    case wrong
    /// Bytes went, or damage is there, and nobody says so.
    case silent
  }

  package var kind: Kind
  package var text: String

  package init(_ kind: Kind, _ text: String) {
    self.kind = kind
    self.text = text
  }

  package var description: String { "\(kind.rawValue): \(text)" }
}

/// What the author of a log's events was told, to be compared with what a log gives.
package struct CrashOracle {
  /// How sure the author is of a batch.
  package enum Knowledge: Int {
    /// The log said that it did not take it, or it was found missing: it must never appear.
    case refused
    /// No answer, or "outcome unknown".
    case unknown
    /// Handed to the kernel.
    case written
    case durable
  }

  package struct Batch {
    package var drafts: [EventDraft]
    package var knowledge = Knowledge.unknown
    /// Position of its first event when it was last seen.
    package var first: UInt64?
  }

  private struct Place: Hashable {
    var epoch: UInt64
    var position: UInt64
  }

  package private(set) var batches: [Batch] = []
  private var batchOf: [UInt128: (batch: Int, index: Int)] = [:]
  private var placeOf: [UInt128: Place] = [:]
  private var shown: [Place: UInt128] = [:]

  package init() {}

  package var durable: Int { batches.count { $0.knowledge == .durable } }

  /// Notes a batch before it is handed over.
  package mutating func submit(_ drafts: [EventDraft]) -> Int {
    for (index, draft) in drafts.enumerated() {
      batchOf[draft.id.rawValue] = (batches.count, index)
    }
    batches.append(Batch(drafts: drafts))
    return batches.count - 1
  }

  package mutating func note(_ batch: Int, _ knowledge: Knowledge) {
    batches[batch].knowledge = knowledge
  }

  /// Notes the place that a batch was answered with.
  package mutating func show(_ batch: Int, _ receipt: AppendReceipt) throws(Violation) {
    batches[batch].first = receipt.first.rawValue
    for (index, draft) in batches[batch].drafts.enumerated() {
      try show(draft.id.rawValue, receipt.epoch.rawValue, receipt.first.rawValue + UInt64(index))
    }
  }

  private mutating func show(
    _ id: UInt128, _ epoch: UInt64, _ position: UInt64
  ) throws(Violation) {
    let place = Place(epoch: epoch, position: position)
    if shown.updateValue(id, forKey: place) ?? id != id {
      throw Violation(.wrong, "place \(epoch):\(position) was given to two events")
    }
    if placeOf.updateValue(place, forKey: id) ?? place != place {
      throw Violation(.wrong, "an event moved to \(epoch):\(position)")
    }
  }

  /// Compares all of a log's events with what must and may be there; afterwards it knows which are.
  ///
  /// `keepsWritten`: the machine did not stop. `isLive`: nothing crashed, all of it must be there.
  package mutating func compare(
    _ events: [StoredEvent], keepsWritten: Bool, isLive: Bool = false
  ) throws(Violation) {
    var revisions: [String: UInt64] = [:]
    var found = [Int](repeating: 0, count: batches.count)
    var before: (batch: Int, index: Int) = (-1, 0)
    for (index, event) in events.enumerated() {
      guard event.position.rawValue == UInt64(index) + 1 else {
        throw Violation(.wrong, "position \(event.position) stands where \(index + 1) should")
      }
      guard let own = batchOf[event.id.rawValue] else {
        throw Violation(.phantom, "the event at \(event.position) was never submitted")
      }
      if batches[own.batch].knowledge == .refused {
        throw Violation(.phantom, "the event at \(event.position) was refused or lost before")
      }
      if found[own.batch] != own.index {
        throw Violation(
          found[own.batch] > own.index ? .phantom : .wrong,
          "event \(own.index) of a batch stands at \(event.position) behind \(found[own.batch])")
      }
      if own.index == 0 ? own.batch <= before.batch : before != (own.batch, own.index - 1) {
        throw Violation(.wrong, "the event at \(event.position) is out of order")
      }
      found[own.batch] += 1
      before = own
      guard isSame(event, batches[own.batch].drafts[own.index]) else {
        throw Violation(.wrong, "the event at \(event.position) differs from what was submitted")
      }
      let revision = revisions[event.stream, default: 0] + 1
      guard event.revision.rawValue == revision else {
        throw Violation(
          .wrong, "revision \(event.revision) at \(event.position), expected \(revision)")
      }
      revisions[event.stream] = revision
      try show(event.id.rawValue, event.epoch.rawValue, event.position.rawValue)
    }
    for (batch, count) in found.enumerated() {
      let knowledge = batches[batch].knowledge
      guard count == 0 || count == batches[batch].drafts.count else {
        throw Violation(.wrong, "\(count) of \(batches[batch].drafts.count) events of a batch")
      }
      let isOwed =
        knowledge == .durable || (knowledge == .written && (keepsWritten || isLive))
      if count == 0, isOwed {
        throw Violation(.lost, "batch \(batch), \(knowledge), of \(batches.count)")
      }
      if isLive { continue }
      batches[batch].knowledge = count == 0 ? .refused : .durable
    }
    var position: UInt64 = 1
    for (batch, count) in found.enumerated() where count > 0 {
      batches[batch].first = position
      position += UInt64(count)
    }
  }

  /// The revision that `stream` has according to what is known to be there.
  package func revisions() -> [String: UInt64] {
    var revisions: [String: UInt64] = [:]
    for batch in batches where batch.knowledge.rawValue >= Knowledge.written.rawValue {
      for draft in batch.drafts { revisions[draft.stream, default: 0] += 1 }
    }
    return revisions
  }
}
