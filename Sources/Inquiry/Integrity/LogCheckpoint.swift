import Domain
import EventStore

/// A checkpoint as it stands in the log.
struct LogCheckpoint: Sendable, Hashable {
  /// Where its event stands.
  var position: UInt64
  /// `epoch:position` of its event.
  var place: String
  var time: UnixNanoseconds
  var fact: GatewayEvent.CheckpointSigned

  /// nil if the event is another one.
  init?(_ entry: Entry) {
    guard case .gateway(.checkpointSigned(let fact)) = entry.event else { return nil }
    position = entry.stored.position.rawValue
    place = entry.place
    time = entry.time
    self.fact = fact
  }

  /// `epoch:position` of the last event that it covers.
  var covered: String { "\(fact.epoch):\(fact.position)" }

  /// The key that it names, if it signed this.
  func signer(store: UInt128) -> VerifyingKey? {
    VerifyingKey(bytes: fact.publicKey).flatMap { key in
      key.isValid(fact.signature, over: fact.statement(store: store)) ? key : nil
    }
  }

  /// Calls `body` with the log's checkpoints, the newest first, until it returns false.
  static func backwards(
    in log: LogReader, _ body: (LogCheckpoint) -> Bool
  ) throws(InquiryFault) {
    do {
      try log.backwards(ofStream: gatewayStream) { stored in
        LogCheckpoint(Entry(stored)).map(body) ?? true
      }
    } catch let error as StoreError {
      throw InquiryFault(error)
    } catch {
      throw InquiryFault(.log, "The log could not be read.")
    }
  }

  /// The oldest checkpoint that covers a position; nil if there is none yet.
  static func covering(
    _ position: Position, in log: LogReader
  ) throws(InquiryFault) -> LogCheckpoint? {
    var found: LogCheckpoint?
    do {
      // What covers an event stands behind it, mostly not far.
      try log.forwards(ofStream: gatewayStream, behind: position) { stored in
        guard let checkpoint = LogCheckpoint(Entry(stored)) else { return true }
        if checkpoint.fact.previous < position.rawValue,
          position.rawValue <= checkpoint.fact.position,
          checkpoint.fact.position < checkpoint.position
        {
          found = checkpoint
        }
        return found == nil
      }
    } catch let error as StoreError {
      throw InquiryFault(error)
    } catch {
      throw InquiryFault(.log, "The log could not be read.")
    }
    return found
  }

  /// What to do about a position that no checkpoint covers.
  static let remedy =
    "A running gateway signs at the latest ten minutes after an event, and when it stops; without one, "
    + "`signalbox checkpoint --data DIR` signs now."

  /// That no checkpoint covers a position, and whether one will.
  static func notCovered(
    _ position: Position, in log: LogReader
  ) throws(InquiryFault) -> InquiryFault {
    var isPassedOver = false
    try backwards(in: log) { checkpoint in
      isPassedOver = checkpoint.fact.position >= position.rawValue
      return false
    }
    return InquiryFault(
      .notCovered,
      isPassedOver
        ? "No checkpoint covers position \(position), and none will: later ones pass over it. That is so "
          + "where the log was damaged when they were signed. An anchor still vouches for it: `replay "
          + "verify --anchor`."
        : "No checkpoint covers position \(position) yet, so nothing signed vouches for it. \(remedy)"
    )
  }
}

/// What a checkpoint says, held against the log.
struct StatementCheck {
  enum Outcome: Sendable, Hashable {
    case same
    /// What differs, in words.
    case differs(String)
    /// The log does not reach as far.
    case beyond(String)
    /// Why it cannot be compared, in words.
    case unreadable(String)
  }

  private struct Span: Hashable {
    var previous: UInt64
    var position: UInt64
  }

  private let log: LogReader
  /// Computed from the log, nil where that cannot be read: an anchor is mostly one of the log's own.
  private var roots: [Span: Digest?] = [:]

  init(_ log: LogReader) { self.log = log }

  /// Compares epoch, chain value and Merkle root.
  mutating func compare(
    _ fact: GatewayEvent.CheckpointSigned
  ) throws(InquiryFault) -> Outcome {
    guard fact.position > fact.previous, let chain = Digest(bytes: fact.chain),
      let root = Digest(bytes: fact.root)
    else { return .differs("it covers nothing") }
    let position = Position(fact.position)
    let last = log.last
    guard position <= last else {
      return .beyond(
        "the log ends at position \(last): the \(Shown.count(fact.position - last.rawValue, "event")) "
          + "after it that this vouches for are gone")
    }
    do throws(StoreError) {
      guard let event = try log.event(at: position) else {
        return .unreadable("position \(position) cannot be read")
      }
      guard event.epoch.rawValue == fact.epoch else {
        return .differs("position \(position) is of epoch \(event.epoch) now, not \(fact.epoch)")
      }
      guard try log.chainValue(at: position) == chain else {
        return .differs(
          "the chain value at position \(position) is another one: events up to there were changed, "
            + "added or taken away")
      }
    } catch {
      throw InquiryFault(error)
    }
    switch try self.root(Span(previous: fact.previous, position: fact.position)) {
    // The chain value binds all that is behind the bundle's base, whatever stood before.
    case nil where fact.previous < log.bundle?.base.rawValue ?? 0: return .same
    case nil: return .unreadable("positions \(fact.previous + 1)…\(position) cannot all be read")
    case root: return .same
    default:
      return .differs(
        "the Merkle root over positions \(fact.previous + 1)…\(position) is another one")
    }
  }

  private mutating func root(_ span: Span) throws(InquiryFault) -> Digest? {
    if let known = roots[span] { return known }
    var builder = MerkleTree.Builder()
    var at = span.previous + 1
    do throws(StoreError) {
      while at <= span.position {
        let through = min(span.position, at + 65_535)
        for leaf in try log.leaves(from: Position(at), through: Position(through)) {
          builder.append(leaf)
        }
        at = through + 1
      }
    } catch {
      guard error.code == .damaged else { throw InquiryFault(error) }
      roots[span] = .some(nil)
      return nil
    }
    roots[span] = builder.root
    return builder.root
  }
}
