extension Event {
  /// The wire literal with its version, for example `provider.added.v1`.
  public var kind: String { wireKind.rawValue }
}

/// The payload of a record: provenance, then the event's fields.
///
/// Varints, raw ids and length-prefixed texts; no field names. One value has exactly one encoding.
public func encode(_ event: Event, _ provenance: Provenance) -> [UInt8] {
  preconditionFailure("not written yet")
}

extension RequestEvent.Finished {
  /// Appends the whole payload (the gateway's own provenance, then these fields) to `buffer`.
  ///
  /// The same bytes as `encode(.request(.finished(self)), .system)`, without intermediate arrays.
  public func encode(into buffer: inout [UInt8]) {
    preconditionFailure("not written yet")
  }
}

extension Recorded {
  /// Decodes a record's payload. Total: any bytes give a record or a failure, never a trap.
  ///
  /// A kind that this build does not know is kept as `.unknown`.
  public init(
    position: UInt64, time: UnixNanoseconds, kind: String, bytes: ArraySlice<UInt8>
  ) throws(DecodingFailure) {
    preconditionFailure("not written yet")
  }

  /// Decodes a record's payload; see the initialiser for slices.
  public init(
    position: UInt64, time: UnixNanoseconds, kind: String, bytes: [UInt8]
  ) throws(DecodingFailure) {
    try self.init(position: position, time: time, kind: kind, bytes: bytes[...])
  }
}

/// Typical content for the log's LZ4 dictionary: at most 8 KiB, the most frequent kinds last.
public func compressionDictionary() -> [UInt8] {
  preconditionFailure("not written yet")
}
