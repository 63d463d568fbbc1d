extension RequestEvent.Finished: Payload {
  private enum Flag {
    static let clientRequestID: UInt64 = 1 << 0
    static let organisation: UInt64 = 1 << 1
    static let key: UInt64 = 1 << 2
    static let modelResolved: UInt64 = 1 << 3
    static let isStream: UInt64 = 1 << 4
    static let errorCode: UInt64 = 1 << 5
    static let errorClass: UInt64 = 1 << 6
    static let input: UInt64 = 1 << 7
    static let output: UInt64 = 1 << 8
    static let cached: UInt64 = 1 << 9
    static let reasoning: UInt64 = 1 << 10
    static let priceVersion: UInt64 = 1 << 11
    static let cost: UInt64 = 1 << 12
    static let firstByte: UInt64 = 1 << 13
    static let all: UInt64 = (1 << 14) - 1
  }

  private var flags: UInt64 {
    Flag.clientRequestID.when(clientRequestID != nil)
      | Flag.organisation.when(organisation != nil) | Flag.key.when(key != nil)
      | Flag.modelResolved.when(modelResolved != nil) | Flag.isStream.when(isStream)
      | Flag.errorCode.when(errorCode != nil) | Flag.errorClass.when(errorClass != nil)
      | Flag.input.when(usage.input != nil) | Flag.output.when(usage.output != nil)
      | Flag.cached.when(usage.cached != nil) | Flag.reasoning.when(usage.reasoning != nil)
      | Flag.priceVersion.when(priceVersion != nil) | Flag.cost.when(costMicroUSD != nil)
      | Flag.firstByte.when(firstByteMicroseconds != nil)
  }

  /// Runs on the event loop once a request: no arrays, no texts made on the way.
  func write(to writer: inout RecordWriter) {
    writer.varint(flags)
    writer.id(id.rawValue)
    writer.time(receivedAt)
    if let clientRequestID { writer.text(clientRequestID) }
    if let organisation { writer.text(organisation.rawValue) }
    if let key { writer.text(key.rawValue) }
    writer.text(remoteAddress)
    writer.byte(operation.rawValue)
    writer.text(modelAsked)
    if let modelResolved { writer.text(modelResolved) }
    writer.varint(UInt64(status))
    writer.byte(ending.rawValue)
    if let errorCode { writer.text(errorCode) }
    if let errorClass { writer.byte(errorClass.rawValue) }
    if let input = usage.input { writer.varint(input) }
    if let output = usage.output { writer.varint(output) }
    if let cached = usage.cached { writer.varint(cached) }
    if let reasoning = usage.reasoning { writer.varint(reasoning) }
    if let priceVersion { writer.varint(priceVersion) }
    if let costMicroUSD { writer.varint(costMicroUSD) }
    writer.varint(requestBytes)
    writer.varint(responseBytes)
    writer.varint(queueMicroseconds)
    if let firstByteMicroseconds { writer.varint(firstByteMicroseconds) }
    writer.varint(totalMicroseconds)
    writer.count(attempts.count)
    for attempt in attempts { attempt.write(to: &writer, after: receivedAt) }
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    id = RequestID(try reader.id())
    receivedAt = try reader.time()
    clientRequestID = try reader.optional(flags, Flag.clientRequestID)
    organisation = try reader.optional(flags, Flag.organisation)
    key = try reader.optional(flags, Flag.key)
    remoteAddress = try reader.text()
    operation = try reader.one(of: Operation.self)
    modelAsked = try reader.text()
    modelResolved = try reader.optional(flags, Flag.modelResolved)
    isStream = flags & Flag.isStream != 0
    status = try reader.uint16()
    ending = try reader.one(of: Ending.self)
    errorCode = try reader.optional(flags, Flag.errorCode)
    errorClass = flags & Flag.errorClass == 0 ? nil : try reader.one(of: ErrorClass.self)
    usage = TokenUsage(
      input: try reader.optional(flags, Flag.input),
      output: try reader.optional(flags, Flag.output),
      cached: try reader.optional(flags, Flag.cached),
      reasoning: try reader.optional(flags, Flag.reasoning))
    priceVersion = try reader.optional(flags, Flag.priceVersion)
    costMicroUSD = try reader.optional(flags, Flag.cost)
    requestBytes = try reader.varint()
    responseBytes = try reader.varint()
    queueMicroseconds = try reader.varint()
    firstByteMicroseconds = try reader.optional(flags, Flag.firstByte)
    totalMicroseconds = try reader.varint()
    let count = try reader.count()
    attempts = []
    attempts.reserveCapacity(min(count, 8))
    for _ in 0..<count { attempts.append(try Attempt(from: &reader, after: receivedAt)) }
  }
}
