/// One step of a scan.
public enum LogEntry: Sendable, Hashable {
  /// An event, whole and checked.
  case event(StoredEvent)
  /// A range that cannot be read; never skipped silently.
  case gap(LogGap)
}

/// What a scan's body wants next.
public enum ScanStep: Sendable {
  case `continue`, stop
}

/// A damaged range of the log.
public struct LogGap: Sendable, Hashable {
  /// The file.
  public var path: String
  /// Where in the file the damage begins.
  public var offset: UInt64
  /// The first position that cannot be read.
  public var first: Position
  /// The last position that cannot be read; nil if nothing readable follows.
  public var last: Position?
  /// Time of the last readable event before, nil if there is none.
  public var minTime: Int64?
  /// Time of the first readable event after, or when the segment was begun that holds it; nil if there is
  /// none.
  public var maxTime: Int64?
  /// The check that failed, for example `block.header-crc`.
  public var rule: String
  /// One sentence for a person.
  public var message: String
  /// Nothing readable follows and no witness says that these bytes were ever acknowledged as durable:
  /// either an append that a crash cut short, or damage to the last group.
  public var isUnprovenTail: Bool
  /// A person accepted this loss; the log went on without it.
  public var isAccepted = false

  /// Takes the parts as they are.
  public init(
    path: String, offset: UInt64, first: Position, last: Position?, minTime: Int64?,
    maxTime: Int64?, rule: String, message: String, isUnprovenTail: Bool
  ) {
    self.path = path
    self.offset = offset
    self.first = first
    self.last = last
    self.minTime = minTime
    self.maxTime = maxTime
    self.rule = rule
    self.message = message
    self.isUnprovenTail = isUnprovenTail
  }
}
