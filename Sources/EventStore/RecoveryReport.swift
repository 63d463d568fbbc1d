/// What opening for writing found and did.
public struct RecoveryReport: Sendable {
  /// The store's identity, minted when the directory was made.
  public var storeID: UInt128
  /// The epoch of this opening: greater than every one before.
  public var epoch: Epoch
  /// The last event in the log; `.origin` if there is none.
  public var last: Position
  /// The directory held no store before.
  public var createdStore: Bool
  /// The last writer closed the store; true for a new store.
  public var previousStopWasClean: Bool
  /// The machine was started anew since the last writer opened the store; false for a new store.
  public var bootChanged: Bool
  /// Bytes set aside by this opening behind the last whole block, nil if there were none.
  public var truncated: TruncatedTail?
  /// All that was set aside, by this opening or earlier ones, and not acknowledged since.
  public var pendingTails: [TruncatedTail] = []
  /// The machine stopped during a life that did not end cleanly, and that was not acknowledged since.
  public var possibleGap: PossibleGap?
  /// Losses that a person accepted, as ACCEPTED has them.
  public var acceptedLosses: [AcceptedLoss] = []
  /// Events read while opening.
  public var eventsScanned: UInt64
  /// Segments in the directory.
  public var segments: Int
  /// Why the space reserve could not be taken: the disk is full, and sheddable batches are refused
  /// until it can; nil if it was, or none is wanted.
  public var reserveFailure: StoreError?
  /// How long opening took.
  public var microseconds: Int64

  /// Bytes behind the last whole block which nobody was told are durable.
  public struct TruncatedTail: Sendable, Hashable {
    /// File name of the segment.
    public var segment: String
    /// Where the tail began.
    public var offset: UInt64
    /// Its length.
    public var bytes: UInt64
    /// The check that failed there, for example `block.body-crc`.
    public var rule: String
    /// The copy of the bytes; a report with the ending `.pending` (`.json` once it was acknowledged)
    /// lies beside it.
    public var quarantinePath: String
    /// The position the tail would have begun with.
    public var firstPosition: Position
    /// The id under which this belongs into the log: always the same, so that it is noted once.
    public var eventID: EventID

    /// Takes the parts as they are.
    public init(
      segment: String, offset: UInt64, bytes: UInt64, rule: String, quarantinePath: String,
      firstPosition: Position, eventID: EventID
    ) {
      self.eventID = eventID
      self.segment = segment
      self.offset = offset
      self.bytes = bytes
      self.rule = rule
      self.quarantinePath = quarantinePath
      self.firstPosition = firstPosition
    }
  }

  /// What the modes `written` and `queued` may have lost when the machine stopped.
  public struct PossibleGap: Sendable, Hashable {
    /// The epoch in which the log was open then.
    public var after: Epoch
    /// The id under which this belongs into the log: always the same, so that it is noted once.
    public var eventID: EventID

    /// Takes the parts as they are.
    public init(after: Epoch, eventID: EventID) {
      self.after = after
      self.eventID = eventID
    }
  }

  /// Takes the parts as they are.
  public init(
    storeID: UInt128, epoch: Epoch, last: Position, createdStore: Bool, previousStopWasClean: Bool,
    bootChanged: Bool, truncated: TruncatedTail?, eventsScanned: UInt64, segments: Int,
    reserveFailure: StoreError? = nil, microseconds: Int64
  ) {
    self.storeID = storeID
    self.epoch = epoch
    self.last = last
    self.createdStore = createdStore
    self.previousStopWasClean = previousStopWasClean
    self.bootChanged = bootChanged
    self.truncated = truncated
    self.eventsScanned = eventsScanned
    self.segments = segments
    self.reserveFailure = reserveFailure
    self.microseconds = microseconds
  }
}
