extension RequestEvent.Finished {
  fileprivate enum Flag {
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
    static let first: UInt64 = (1 << 14) - 1
    // From here on since the second version.
    static let cacheCreation: UInt64 = 1 << 14
    static let session: UInt64 = 1 << 15
    static let limits: UInt64 = 1 << 16
    static let reserve: UInt64 = 1 << 17
    static let idempotency: UInt64 = 1 << 18
    static let second: UInt64 = (1 << 19) - 1
    // From here on since the third version.
    static let trace: UInt64 = 1 << 19
    static let third: UInt64 = (1 << 20) - 1

    /// What a version's records may have.
    static func known(_ kind: WireKind) -> UInt64 {
      switch kind {
      case .requestFinished: first
      case .requestFinishedV2: second
      case _: third
      }
    }
  }

  /// The first version that can hold it: what older builds can read is written as they know it.
  public var wireKind: WireKind {
    if trace != nil { return .requestFinishedV3 }
    let fitsFirst =
      usage.cacheCreation == nil && session == nil && limits.isEmpty && reserve == nil
      && idempotency == nil && attempts.allSatisfy(\.fitsFirstVersion)
    return fitsFirst ? .requestFinished : .requestFinishedV2
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
      | Flag.cacheCreation.when(usage.cacheCreation != nil) | Flag.session.when(session != nil)
      | Flag.limits.when(!limits.isEmpty) | Flag.reserve.when(reserve != nil)
      | Flag.idempotency.when(idempotency != nil) | Flag.trace.when(trace != nil)
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
    if let creation = usage.cacheCreation { writer.varint(creation) }
    if let priceVersion { writer.varint(priceVersion) }
    if let costMicroUSD { writer.varint(costMicroUSD) }
    writer.varint(requestBytes)
    writer.varint(responseBytes)
    writer.varint(queueMicroseconds)
    if let firstByteMicroseconds { writer.varint(firstByteMicroseconds) }
    writer.varint(totalMicroseconds)
    writer.count(attempts.count)
    for attempt in attempts { attempt.write(to: &writer, after: receivedAt) }
    if let session { writer.varint(session) }
    if !limits.isEmpty { limits.write(to: &writer) }
    reserve?.write(to: &writer)
    idempotency?.write(to: &writer)
    trace?.write(to: &writer)
  }

  init(from reader: inout RecordReader, as kind: WireKind) throws(DecodingFailure) {
    let isFirst = kind == .requestFinished
    let flags = try reader.flags(known: Flag.known(kind))
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
      reasoning: try reader.optional(flags, Flag.reasoning),
      cacheCreation: try reader.optional(flags, Flag.cacheCreation))
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
    for _ in 0..<count {
      attempts.append(try Attempt(from: &reader, after: receivedAt, isFirstVersion: isFirst))
    }
    session = try reader.optional(flags, Flag.session)
    limits = try reader.filledList(flags, Flag.limits)
    reserve = try reader.optional(flags, Flag.reserve)
    idempotency = try reader.optional(flags, Flag.idempotency)
    trace = try reader.optional(flags, Flag.trace)
    guard wireKind == kind else { throw reader.failure(.notCanonical) }
  }
}

extension RequestEvent.Finished {
  /// What the request is charged, if what stands before its attempts tells; nil: it does not.
  static func charge(
    from reader: inout RecordReader, as kind: WireKind
  ) throws(DecodingFailure) -> RecordedCharge? {
    let flags = try reader.flags(known: Flag.known(kind))
    let request = RequestID(try reader.id())
    let receivedAt = try reader.time()
    if flags & Flag.clientRequestID != 0 { try reader.skipText() }
    let organisation: OrganisationID? = try reader.optional(flags, Flag.organisation)
    let key: KeyID? = try reader.optional(flags, Flag.key)
    var charge = RecordedCharge(
      request: request, organisation: organisation, key: key, receivedAt: receivedAt, spend: .zero)
    if organisation == nil, key == nil { return charge }
    try reader.skipText()
    _ = try reader.byte()
    try reader.skipText()
    if flags & Flag.modelResolved != 0 { try reader.skipText() }
    _ = try reader.varint()
    let ending = try reader.one(of: Ending.self)
    if flags & Flag.errorCode != 0 { try reader.skipText() }
    if flags & Flag.errorClass != 0 { _ = try reader.byte() }
    let usage = TokenUsage(
      input: try reader.optional(flags, Flag.input),
      output: try reader.optional(flags, Flag.output))
    if usage == .notReported, flags & Flag.reserve != 0 { return nil }
    for flag in [Flag.cached, Flag.reasoning, Flag.cacheCreation, Flag.priceVersion]
    where flags & flag != 0 { _ = try reader.varint() }
    charge.spend = Spend.charged(
      usage, costMicroUSD: try reader.optional(flags, Flag.cost), ending: ending, wasSent: true,
      reserve: nil)
    return charge
  }
}

extension RequestOutline {
  /// Reads the fields of `RequestEvent.Finished` in the order in which they are written.
  mutating func read(
    _ reader: inout RecordReader, as kind: WireKind, isChecked: Bool
  ) throws(DecodingFailure) {
    typealias Flag = RequestEvent.Finished.Flag
    let isFirst = kind == .requestFinished
    let flags = try reader.flags(known: Flag.known(kind))
    id = RequestID(try reader.id())
    receivedAt = try reader.time()
    isStream = flags & Flag.isStream != 0
    if flags & Flag.clientRequestID != 0 { _ = try reader.textPlace(isChecked: isChecked) }
    organisation = flags & Flag.organisation == 0 ? nil : try reader.textPlace(isChecked: isChecked)
    key = flags & Flag.key == 0 ? nil : try reader.textPlace(isChecked: isChecked)
    _ = try reader.textPlace(isChecked: isChecked)
    operation = try reader.one(of: Operation.self)
    modelAsked = try reader.textPlace(isChecked: isChecked)
    modelResolved =
      flags & Flag.modelResolved == 0 ? nil : try reader.textPlace(isChecked: isChecked)
    status = try reader.uint16()
    ending = try reader.one(of: Ending.self)
    errorCode = flags & Flag.errorCode == 0 ? nil : try reader.textPlace(isChecked: isChecked)
    errorClass = flags & Flag.errorClass == 0 ? nil : try reader.one(of: ErrorClass.self)
    usage = TokenUsage(
      input: try reader.optional(flags, Flag.input),
      output: try reader.optional(flags, Flag.output),
      cached: try reader.optional(flags, Flag.cached),
      reasoning: try reader.optional(flags, Flag.reasoning),
      cacheCreation: try reader.optional(flags, Flag.cacheCreation))
    if flags & Flag.priceVersion != 0 { _ = try reader.varint() }
    costMicroUSD = try reader.optional(flags, Flag.cost)
    for _ in 0..<2 { _ = try reader.varint() }
    queueMicroseconds = try reader.varint()
    firstByteMicroseconds = try reader.optional(flags, Flag.firstByte)
    totalMicroseconds = try reader.varint()
    let count = try reader.count()
    attempts.removeAll(keepingCapacity: true)
    for _ in 0..<count {
      attempts.append(
        try Attempt(
          from: &reader, after: receivedAt, isFirstVersion: isFirst, isChecked: isChecked))
    }
    session = try reader.optional(flags, Flag.session)
    limits = try reader.filledList(flags, Flag.limits)
    if flags & Flag.reserve != 0 { _ = try Reserve(from: &reader) }
    if flags & Flag.idempotency != 0 { _ = try IdempotencyMark(from: &reader) }
    trace = try reader.optional(flags, Flag.trace)
    guard isChecked else { return }
    let fitsFirst = flags & ~Flag.first == 0 && attempts.allSatisfy(\.fitsFirstVersion)
    let least: WireKind =
      trace != nil ? .requestFinishedV3 : fitsFirst ? .requestFinished : .requestFinishedV2
    guard least == kind else { throw reader.failure(.notCanonical) }
  }
}

extension Reserve: Payload {
  func write(to writer: inout RecordWriter) {
    writer.varint(microUSD)
    writer.varint(tokens)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    microUSD = try reader.varint()
    tokens = try reader.varint()
  }
}

extension LimitReading: Payload {
  func write(to writer: inout RecordWriter) {
    writer.byte(scope.rawValue)
    writer.byte(measure.rawValue)
    writer.varint(limit)
    writer.varint(used)
    writer.varint(reserved)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    scope = try reader.one(of: Scope.self)
    measure = try reader.one(of: Measure.self)
    limit = try reader.varint()
    used = try reader.varint()
    reserved = try reader.varint()
  }
}

extension IdempotencyMark: Payload {
  func write(to writer: inout RecordWriter) {
    writer.id(key)
    writer.id(body)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    key = try reader.id()
    body = try reader.id()
  }
}
