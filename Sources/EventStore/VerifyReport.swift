/// What a full check of a range found.
public struct VerifyReport: Sendable, Hashable {
  /// The range asked for, cut to what the log holds; `first` > `last` if that is nothing.
  public var first: Position
  /// The last position of the range.
  public var last: Position
  /// Events read and found whole.
  public var events: UInt64
  /// Blocks read and found whole.
  public var blocks: UInt64
  /// Stored bytes of those blocks, headers included.
  public var bytes: UInt64
  /// Chain value at the last whole event read, computed anew from the events.
  public var chain: Digest
  /// Damaged ranges.
  public var gaps: [LogGap]
  /// Streams whose revisions are not dense; at most 100 sentences, the last one counts the rest.
  public var revisionFaults: [String]
  /// No gap and no fault.
  public var isIntact: Bool { gaps.isEmpty && revisionFaults.isEmpty }

  /// Takes the parts as they are.
  public init(
    first: Position, last: Position, events: UInt64, blocks: UInt64, bytes: UInt64, chain: Digest,
    gaps: [LogGap], revisionFaults: [String]
  ) {
    self.first = first
    self.last = last
    self.events = events
    self.blocks = blocks
    self.bytes = bytes
    self.chain = chain
    self.gaps = gaps
    self.revisionFaults = revisionFaults
  }
}
