/// An event in the memory of its block, lent for one call: nothing of it is copied or allocated.
///
/// The buffers it gives are valid during that call only.
public struct EventView: ~Copyable {
  var bytes: UnsafeRawBufferPointer
  var record = RecordView()
  /// The epoch in which it was written.
  public internal(set) var epoch: Epoch
  /// Where it stands.
  public internal(set) var position: Position

  init(_ bytes: UnsafeRawBufferPointer, epoch: Epoch) {
    self.bytes = bytes
    self.epoch = epoch
    position = .origin
  }

  /// Its identity.
  public var id: EventID { EventID(record.id) }
  /// The stream it belongs to: 1…255 bytes of UTF-8.
  public var stream: UnsafeRawBufferPointer { bytes.slice(record.stream) }
  /// Its place in the stream.
  public var revision: Revision { Revision(record.revision) }
  /// Wire name with version: 1…127 bytes of ASCII.
  public var kind: UnsafeRawBufferPointer { bytes.slice(record.kind) }
  /// Nanoseconds since the Unix epoch, as the author gave it.
  public var time: Int64 { record.time }
  /// The public part.
  public var payload: UnsafeRawBufferPointer { bytes.slice(record.payload) }
  /// The sealed part; empty if there is none.
  public var sealed: UnsafeRawBufferPointer { bytes.slice(record.sealed) }

  /// Calls `body` with each further name by which it is found, in order.
  public func forEachLookupKey(_ body: (UnsafeRawBufferPointer) -> Void) {
    record.forEachKey(bytes) { body(bytes.slice($0)) }
  }

  /// The event in memory of its own.
  public func copied() -> StoredEvent {
    var keys: [[UInt8]] = []
    forEachLookupKey { keys.append(Array($0)) }
    return StoredEvent(
      epoch: epoch, position: position, id: id, stream: String(decoding: stream, as: UTF8.self),
      revision: revision, kind: String(decoding: kind, as: UTF8.self), time: time,
      lookupKeys: keys, payload: Array(payload)[...], sealed: Array(sealed)[...],
      sealedBytes: record.sealedBytes)
  }
}
