/// How a store is opened for writing.
public struct StoreOptions: Sendable {
  /// A segment is closed and the next one begun once it holds this many bytes; at least 64 KiB.
  public var segmentBytes: Int
  /// LZ4 dictionary embedded in new segments; at most 8 KiB, may be empty.
  public var dictionary: [UInt8]
  /// Bound of the writer's queue, in events; what comes beyond is answered `.overloaded`.
  public var queueEvents: Int

  /// Takes the parts as they are.
  public init(
    segmentBytes: Int = 64 << 20, dictionary: [UInt8] = [], queueEvents: Int = 65_536
  ) {
    self.segmentBytes = segmentBytes
    self.dictionary = dictionary
    self.queueEvents = queueEvents
  }
}
