/// A segment file as a reader sees it.
public struct SegmentInfo: Sendable, Hashable {
  /// Path of the file.
  public var path: String
  /// Its number, from 0.
  public var ordinal: UInt64
  /// The position of its first event.
  public var first: Position
  /// The position of its last event; `first` − 1 if it has none.
  public var last: Position
  /// Its length.
  public var bytes: UInt64
  /// When it was begun, nanoseconds since the Unix epoch.
  public var created: Int64
  /// Length of the LZ4 dictionary in its header.
  public var dictionaryBytes: Int
  /// It was packed again when it was finished, and carries its index.
  public var isSealed: Bool
  /// Bytes of its records before compression; nil if it has no index yet.
  public var rawBytes: UInt64?

  /// Takes the parts as they are.
  public init(
    path: String, ordinal: UInt64, first: Position, last: Position, bytes: UInt64, created: Int64,
    dictionaryBytes: Int, isSealed: Bool = false, rawBytes: UInt64? = nil
  ) {
    self.path = path
    self.ordinal = ordinal
    self.first = first
    self.last = last
    self.bytes = bytes
    self.created = created
    self.dictionaryBytes = dictionaryBytes
    self.isSealed = isSealed
    self.rawBytes = rawBytes
  }
}
