extension RequestEvent.Dispatched: Payload {
  private enum Flag {
    static let clientRequestID: UInt64 = 1 << 0
    static let organisation: UInt64 = 1 << 1
    static let key: UInt64 = 1 << 2
    static let account: UInt64 = 1 << 3
    static let all: UInt64 = 0b1111
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(
      Flag.clientRequestID.when(clientRequestID != nil)
        | Flag.organisation.when(organisation != nil) | Flag.key.when(key != nil)
        | Flag.account.when(account != nil))
    writer.id(id.rawValue)
    writer.time(receivedAt)
    clientRequestID?.write(to: &writer)
    organisation?.write(to: &writer)
    key?.write(to: &writer)
    writer.byte(operation.rawValue)
    writer.text(modelAsked)
    account?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    id = RequestID(try reader.id())
    receivedAt = try reader.time()
    clientRequestID = try reader.optional(flags, Flag.clientRequestID)
    organisation = try reader.optional(flags, Flag.organisation)
    key = try reader.optional(flags, Flag.key)
    operation = try reader.one(of: Operation.self)
    modelAsked = try reader.text()
    account = try reader.optional(flags, Flag.account)
  }
}

extension RequestEvent.Interrupted: Payload {
  private enum Flag {
    static let clientRequestID: UInt64 = 1 << 0
    static let organisation: UInt64 = 1 << 1
    static let key: UInt64 = 1 << 2
    static let all: UInt64 = 0b111
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(
      Flag.clientRequestID.when(clientRequestID != nil)
        | Flag.organisation.when(organisation != nil) | Flag.key.when(key != nil))
    writer.id(id.rawValue)
    clientRequestID?.write(to: &writer)
    organisation?.write(to: &writer)
    key?.write(to: &writer)
    writer.varint(dispatchedAt)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    id = RequestID(try reader.id())
    clientRequestID = try reader.optional(flags, Flag.clientRequestID)
    organisation = try reader.optional(flags, Flag.organisation)
    key = try reader.optional(flags, Flag.key)
    dispatchedAt = try reader.varint()
  }
}

extension RequestEvent.DeliveryFailed: Payload {
  func write(to writer: inout RecordWriter) {
    writer.id(id.rawValue)
    writer.text(errorCode)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    id = RequestID(try reader.id())
    errorCode = try reader.text()
  }
}

extension RequestEvent.DeniedSummary: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(remoteAddress)
    writer.time(since)
    writer.varint(count)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    remoteAddress = try reader.text()
    since = try reader.time()
    count = try reader.varint()
  }
}
