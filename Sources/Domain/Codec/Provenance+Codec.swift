extension Provenance: Payload {
  private enum Flag {
    /// The actor is `system` and not written.
    static let isSystem: UInt64 = 1 << 0
    static let address: UInt64 = 1 << 1
    static let cause: UInt64 = 1 << 2
    static let correlation: UInt64 = 1 << 3
    static let base: UInt64 = 1 << 4
    static let all: UInt64 = 0b1_1111
  }

  private static let systemActor = "system"

  func write(to writer: inout RecordWriter) {
    let isSystem = actor == Self.systemActor
    writer.varint(
      Flag.isSystem.when(isSystem) | Flag.address.when(address != nil)
        | Flag.cause.when(cause != nil) | Flag.correlation.when(correlation != nil)
        | Flag.base.when(base != nil))
    writer.byte(source.rawValue)
    if !isSystem { writer.text(actor) }
    address?.write(to: &writer)
    cause?.write(to: &writer)
    correlation?.write(to: &writer)
    base?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    source = try reader.one(of: Source.self)
    if flags & Flag.isSystem == 0 {
      actor = try reader.text()
      guard actor != Self.systemActor else { throw reader.failure(.notCanonical) }
    } else {
      actor = Self.systemActor
    }
    address = try reader.optional(flags, Flag.address)
    cause = try reader.optional(flags, Flag.cause)
    correlation = try reader.optional(flags, Flag.correlation)
    base = try reader.optional(flags, Flag.base)
  }

  /// What `Provenance.system` writes, for the fast path.
  @inline(__always)
  static func writeSystem(to writer: inout RecordWriter) {
    writer.byte(UInt8(Flag.isSystem))
    writer.byte(Source.system.rawValue)
  }
}

extension Provenance {
  /// Who caused a record, without its event: what stands in front of the payload.
  public init(ofPayload bytes: ArraySlice<UInt8>) throws(DecodingFailure) {
    var reader = RecordReader(bytes, kind: "")
    try self.init(from: &reader)
  }
}
