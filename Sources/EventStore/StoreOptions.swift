/// How a store is opened for writing.
public struct StoreOptions: Sendable {
  /// A segment is closed and the next one begun once it holds this many bytes; at least 64 KiB.
  public var segmentBytes: Int
  /// LZ4 dictionary embedded in new segments; at most 8 KiB, may be empty.
  public var dictionary: [UInt8]
  /// Bound of the writer's queue, in events; what comes beyond is answered `.overloaded`.
  public var queueEvents: Int
  /// Space kept free, in RESERVE, for what may not be shed when the disk is full; 0: none.
  ///
  /// While it is not there, sheddable batches are refused.
  public var reserveBytes: Int
  /// How the log says that events are missing; nil: it does not.
  public var gapEvents: GapEvents?
  /// Told when sheddable batches begin to be refused, when the reserve is used up so that all are, when
  /// they no longer are, and when the log is poisoned: the old state and the new one, on whichever
  /// thread writes, syncs or submits; must not block.
  public var stateChanged: (@Sendable (_ old: StoreState, _ new: StoreState) -> Void)?
  /// Finished segments are indexed and packed again in the background.
  public var seals: Bool
  /// Told when that begins to fail, fails for another reason, or works again: on one of the store's threads;
  /// must not block.
  public var sealingChanged: (@Sendable (SealingState) -> Void)?
  /// A segment is also closed once it holds this many events.
  package var segmentEvents = Limits.segmentEvents
  /// So many zeros are written ahead of where the last segment ends, so that writes need not make the file longer;
  /// 0: none.
  package var aheadBytes = Limits.aheadBytes

  /// Takes the parts as they are.
  public init(
    segmentBytes: Int = 64 << 20, dictionary: [UInt8] = [], queueEvents: Int = 65_536,
    reserveBytes: Int = 8 << 20, seals: Bool = true, gapEvents: GapEvents? = nil,
    stateChanged: (@Sendable (_ old: StoreState, _ new: StoreState) -> Void)? = nil,
    sealingChanged: (@Sendable (SealingState) -> Void)? = nil
  ) {
    self.segmentBytes = segmentBytes
    self.dictionary = dictionary
    self.queueEvents = queueEvents
    self.reserveBytes = reserveBytes
    self.gapEvents = gapEvents
    self.stateChanged = stateChanged
    self.seals = seals
    self.sealingChanged = sealingChanged
  }
}
