extension SyncTokenID: Payload {
  func write(to writer: inout RecordWriter) { writer.text(rawValue) }
  init(from reader: inout RecordReader) throws(DecodingFailure) { self.init(try reader.text()) }
}

extension SyncTokenEvent.Issued: Payload {
  func write(to writer: inout RecordWriter) {
    id.write(to: &writer)
    writer.text(name)
    writer.fingerprint(fingerprint)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    id = try SyncTokenID(from: &reader)
    name = try reader.text()
    fingerprint = try reader.fingerprint()
  }
}

extension SyncTokenEvent.Bound: Payload {
  func write(to writer: inout RecordWriter) {
    id.write(to: &writer)
    node.write(to: &writer)
    writer.flag(isProven)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    id = try SyncTokenID(from: &reader)
    node = try NodeID(from: &reader)
    isProven = try reader.flag()
  }
}

extension SyncTokenEvent.Refused: Payload {
  func write(to writer: inout RecordWriter) {
    id.write(to: &writer)
    node.write(to: &writer)
    writer.text(code)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    id = try SyncTokenID(from: &reader)
    node = try NodeID(from: &reader)
    code = try reader.text()
  }
}

extension SyncToken: Payload {
  private enum Flag {
    static let node: UInt64 = 1 << 0
    static let usedAt: UInt64 = 1 << 1
    static let refusal: UInt64 = 1 << 2
    static let revokedAt: UInt64 = 1 << 3
    static let all: UInt64 = 0b1111
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(
      Flag.node.when(node != nil) | Flag.usedAt.when(usedAt != nil)
        | Flag.refusal.when(refusal != nil) | Flag.revokedAt.when(revokedAt != nil))
    id.write(to: &writer)
    writer.text(name)
    writer.fingerprint(fingerprint)
    writer.varint(position)
    node?.write(to: &writer)
    usedAt?.write(to: &writer)
    if let refusal {
      refusal.node.write(to: &writer)
      writer.text(refusal.code)
      writer.time(refusal.at)
    }
    revokedAt?.write(to: &writer)
    writer.varint(revision)
    writer.time(createdAt)
    writer.time(updatedAt)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    id = try SyncTokenID(from: &reader)
    name = try reader.text()
    fingerprint = try reader.fingerprint()
    position = try reader.varint()
    node = try reader.optional(flags, Flag.node)
    usedAt = try reader.optional(flags, Flag.usedAt)
    if flags & Flag.refusal != 0 {
      refusal = .init(
        node: try NodeID(from: &reader), code: try reader.text(), at: try reader.time())
    }
    revokedAt = try reader.optional(flags, Flag.revokedAt)
    revision = try reader.varint()
    createdAt = try reader.time()
    updatedAt = try reader.time()
  }
}
