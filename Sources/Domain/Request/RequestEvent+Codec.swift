extension RequestEvent.Dispatched {
  private enum Flag {
    static let clientRequestID: UInt64 = 1 << 0
    static let organisation: UInt64 = 1 << 1
    static let key: UInt64 = 1 << 2
    static let account: UInt64 = 1 << 3
    static let first: UInt64 = 0b1111
    // From here on since the second version.
    static let reserve: UInt64 = 1 << 4
    static let idempotency: UInt64 = 1 << 5
    static let second: UInt64 = 0b11_1111
  }

  /// The first version that can hold it.
  public var wireKind: WireKind {
    reserve == nil && idempotency == nil ? .requestDispatched : .requestDispatchedV2
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(
      Flag.clientRequestID.when(clientRequestID != nil)
        | Flag.organisation.when(organisation != nil) | Flag.key.when(key != nil)
        | Flag.account.when(account != nil) | Flag.reserve.when(reserve != nil)
        | Flag.idempotency.when(idempotency != nil))
    writer.id(id.rawValue)
    writer.time(receivedAt)
    clientRequestID?.write(to: &writer)
    organisation?.write(to: &writer)
    key?.write(to: &writer)
    writer.byte(operation.rawValue)
    writer.text(modelAsked)
    account?.write(to: &writer)
    reserve?.write(to: &writer)
    idempotency?.write(to: &writer)
  }

  init(from reader: inout RecordReader, as kind: WireKind) throws(DecodingFailure) {
    let flags = try reader.flags(known: kind == .requestDispatched ? Flag.first : Flag.second)
    id = RequestID(try reader.id())
    receivedAt = try reader.time()
    clientRequestID = try reader.optional(flags, Flag.clientRequestID)
    organisation = try reader.optional(flags, Flag.organisation)
    key = try reader.optional(flags, Flag.key)
    operation = try reader.one(of: Operation.self)
    modelAsked = try reader.text()
    account = try reader.optional(flags, Flag.account)
    reserve = try reader.optional(flags, Flag.reserve)
    idempotency = try reader.optional(flags, Flag.idempotency)
    guard wireKind == kind else { throw reader.failure(.notCanonical) }
  }
}

extension RequestEvent.Interrupted {
  private enum Flag {
    static let clientRequestID: UInt64 = 1 << 0
    static let organisation: UInt64 = 1 << 1
    static let key: UInt64 = 1 << 2
    static let first: UInt64 = 0b111
    // Since the second version.
    static let charge: UInt64 = 1 << 3
    static let second: UInt64 = 0b1111
  }

  /// The first version that can hold it.
  public var wireKind: WireKind {
    charge == nil ? .requestInterrupted : .requestInterruptedV2
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(
      Flag.clientRequestID.when(clientRequestID != nil)
        | Flag.organisation.when(organisation != nil) | Flag.key.when(key != nil)
        | Flag.charge.when(charge != nil))
    writer.id(id.rawValue)
    clientRequestID?.write(to: &writer)
    organisation?.write(to: &writer)
    key?.write(to: &writer)
    writer.varint(dispatchedAt)
    if let charge {
      charge.reserve.write(to: &writer)
      writer.time(charge.receivedAt)
    }
  }

  init(from reader: inout RecordReader, as kind: WireKind) throws(DecodingFailure) {
    let flags = try reader.flags(known: kind == .requestInterrupted ? Flag.first : Flag.second)
    id = RequestID(try reader.id())
    clientRequestID = try reader.optional(flags, Flag.clientRequestID)
    organisation = try reader.optional(flags, Flag.organisation)
    key = try reader.optional(flags, Flag.key)
    dispatchedAt = try reader.varint()
    charge =
      flags & Flag.charge == 0
      ? nil : Charge(reserve: try Reserve(from: &reader), receivedAt: try reader.time())
    guard wireKind == kind else { throw reader.failure(.notCanonical) }
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
