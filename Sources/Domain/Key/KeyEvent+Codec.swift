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

extension KeyEvent.Expiry: Payload {
  func write(to writer: inout RecordWriter) {
    switch self {
    case .never: writer.byte(1)
    case .at(let time):
      writer.byte(2)
      writer.time(time)
    }
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    switch try reader.byte() {
    case 1: self = .never
    case 2: self = .at(try reader.time())
    case _: throw reader.failure(.invalidValue)
    }
  }
}

extension KeyEvent.AccessChanged: Payload {
  private enum Flag {
    static let allowedModels: UInt64 = 1 << 0
    static let allowedAccounts: UInt64 = 1 << 1
    static let expiry: UInt64 = 1 << 2
    static let all: UInt64 = 0b111
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(
      Flag.allowedModels.when(allowedModels != nil)
        | Flag.allowedAccounts.when(allowedAccounts != nil) | Flag.expiry.when(expiry != nil))
    id.write(to: &writer)
    allowedModels?.write(to: &writer)
    allowedAccounts?.write(to: &writer)
    expiry?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    id = try KeyID(from: &reader)
    allowedModels = try reader.optionalList(flags, Flag.allowedModels)
    allowedAccounts = try reader.optionalList(flags, Flag.allowedAccounts)
    expiry = try reader.optional(flags, Flag.expiry)
  }
}

extension KeyEvent.LimitsSet: Payload {
  func write(to writer: inout RecordWriter) {
    id.write(to: &writer)
    limits.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    id = try KeyID(from: &reader)
    limits = try Limits(from: &reader)
  }
}

extension KeyEvent.BudgetsSet: Payload {
  func write(to writer: inout RecordWriter) {
    id.write(to: &writer)
    budgets.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    id = try KeyID(from: &reader)
    budgets = try [Budget](from: &reader)
  }
}
