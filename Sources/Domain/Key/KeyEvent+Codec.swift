extension KeyEvent.Created: Payload {
  private enum Flag {
    static let diagnostics: UInt64 = 1 << 0
    static let expiresAt: UInt64 = 1 << 1
    static let all: UInt64 = 0b11
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(Flag.diagnostics.when(diagnostics) | Flag.expiresAt.when(expiresAt != nil))
    id.write(to: &writer)
    writer.text(name)
    organisation.write(to: &writer)
    writer.fingerprint(fingerprint)
    writer.text(masked)
    expiresAt?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    id = try KeyID(from: &reader)
    name = try reader.text()
    organisation = try OrganisationID(from: &reader)
    fingerprint = try reader.fingerprint()
    masked = try reader.text()
    diagnostics = flags & Flag.diagnostics != 0
    expiresAt = try reader.optional(flags, Flag.expiresAt)
  }
}

extension KeyEvent.Changed: Payload {
  private enum Flag {
    static let name: UInt64 = 1 << 0
    static let diagnostics: UInt64 = 1 << 1
    static let all: UInt64 = 0b11
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(Flag.name.when(name != nil) | Flag.diagnostics.when(diagnostics != nil))
    id.write(to: &writer)
    name?.write(to: &writer)
    diagnostics?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    id = try KeyID(from: &reader)
    name = try reader.optional(flags, Flag.name)
    diagnostics = try reader.optional(flags, Flag.diagnostics)
  }
}
