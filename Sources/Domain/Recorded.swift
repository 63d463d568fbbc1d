/// An event as it stands in the log, decoded.
public struct Recorded: Sendable, Hashable {
  /// Place in the log, from 1.
  public var position: UInt64
  /// The author's clock.
  public var time: UnixNanoseconds
  /// The wire kind as recorded, also if this build does not know it.
  public var kind: String
  /// Who caused it, through which door and because of what.
  public var provenance: Provenance
  /// What the record says.
  public var content: Content

  /// What a record says, as far as this build can read it.
  public enum Content: Sendable, Hashable {
    case event(Event)
    /// A kind of a later build: kept whole, so that it can be copied, and changing no state.
    case unknown(bytes: [UInt8])
  }

  /// Made of its parts.
  public init(
    position: UInt64, time: UnixNanoseconds, kind: String, provenance: Provenance, content: Content
  ) {
    self.position = position
    self.time = time
    self.kind = kind
    self.provenance = provenance
    self.content = content
  }

  /// The event, if this build knows its kind.
  public var event: Event? {
    switch content {
    case .event(let event): event
    case .unknown: nil
    }
  }
}
