extension Attempt {
  fileprivate enum Flag {
    static let status: UInt64 = 1 << 0
    static let errorClass: UInt64 = 1 << 1
    static let errorCode: UInt64 = 1 << 2
    static let connect: UInt64 = 1 << 3
    static let firstByte: UInt64 = 1 << 4
    static let first: UInt64 = 0b1_1111
    // From here on since the second version of what holds them.
    static let upstreamModel: UInt64 = 1 << 5
    static let cursor: UInt64 = 1 << 6
    static let heldProbes: UInt64 = 1 << 7
    static let latencies: UInt64 = 1 << 8
    static let second: UInt64 = 0b1_1111_1111
  }

  /// Whether it can be written as the first version had it.
  var fitsFirstVersion: Bool { upstreamModel == nil && local == .none }

  /// - Parameter base: the request's arrival; an attempt's clock is written as the distance from it.
  func write(to writer: inout RecordWriter, after base: UnixNanoseconds) {
    writer.varint(
      Flag.status.when(status != nil) | Flag.errorClass.when(errorClass != nil)
        | Flag.errorCode.when(errorCode != nil) | Flag.connect.when(connectMicroseconds != nil)
        | Flag.firstByte.when(firstByteMicroseconds != nil)
        | Flag.upstreamModel.when(upstreamModel != nil) | Flag.cursor.when(local.cursor != nil)
        | Flag.heldProbes.when(!local.heldProbes.isEmpty)
        | Flag.latencies.when(!local.latencies.isEmpty))
    writer.varint(snapshot)
    // Wrapping on both sides, so that any two clocks can be written and read back.
    writer.zigzag(now.rawValue &- base.rawValue)
    writer.varint(seed)
    writer.text(account.rawValue)
    writer.byte(rule.rawValue)
    if let status { writer.varint(UInt64(status)) }
    if let errorClass { writer.byte(errorClass.rawValue) }
    if let errorCode { writer.text(errorCode) }
    if let connectMicroseconds { writer.varint(connectMicroseconds) }
    if let firstByteMicroseconds { writer.varint(firstByteMicroseconds) }
    writer.varint(totalMicroseconds)
    if let upstreamModel { writer.text(upstreamModel) }
    if let cursor = local.cursor { writer.varint(cursor) }
    if !local.heldProbes.isEmpty { local.heldProbes.write(to: &writer) }
    if !local.latencies.isEmpty { local.latencies.write(to: &writer) }
  }

  /// - Parameter isFirstVersion: fields of the second are none that it knows.
  init(
    from reader: inout RecordReader, after base: UnixNanoseconds, isFirstVersion: Bool
  ) throws(DecodingFailure) {
    let flags = try reader.flags(known: isFirstVersion ? Flag.first : Flag.second)
    snapshot = try reader.varint()
    now = UnixNanoseconds(base.rawValue &+ (try reader.zigzag()))
    seed = try reader.varint()
    account = try AccountID(from: &reader)
    rule = try reader.one(of: ChoiceRule.self)
    status = try reader.optional(flags, Flag.status)
    errorClass = flags & Flag.errorClass == 0 ? nil : try reader.one(of: ErrorClass.self)
    errorCode = try reader.optional(flags, Flag.errorCode)
    connectMicroseconds = try reader.optional(flags, Flag.connect)
    firstByteMicroseconds = try reader.optional(flags, Flag.firstByte)
    totalMicroseconds = try reader.varint()
    upstreamModel = try reader.optional(flags, Flag.upstreamModel)
    local = LocalInputs(
      cursor: try reader.optional(flags, Flag.cursor),
      heldProbes: try reader.filledList(flags, Flag.heldProbes),
      latencies: try reader.filledList(flags, Flag.latencies))
  }
}

extension RequestOutline.Attempt {
  /// Whether it could be written as the first version had it.
  var fitsFirstVersion: Bool { upstreamModel == nil && local == .none }

  /// Reads the fields of `Attempt` in the order in which they are written.
  init(
    from reader: inout RecordReader, after base: UnixNanoseconds, isFirstVersion: Bool,
    isChecked: Bool
  ) throws(DecodingFailure) {
    typealias Flag = Attempt.Flag
    let flags = try reader.flags(known: isFirstVersion ? Flag.first : Flag.second)
    snapshot = try reader.varint()
    now = UnixNanoseconds(base.rawValue &+ (try reader.zigzag()))
    seed = try reader.varint()
    account = try reader.textPlace(isChecked: isChecked)
    rule = try reader.one(of: ChoiceRule.self)
    status = try reader.optional(flags, Flag.status)
    errorClass = flags & Flag.errorClass == 0 ? nil : try reader.one(of: ErrorClass.self)
    if flags & Flag.errorCode != 0 { _ = try reader.textPlace(isChecked: isChecked) }
    wasConnected = flags & Flag.connect != 0
    if wasConnected { _ = try reader.varint() }
    firstByteMicroseconds = try reader.optional(flags, Flag.firstByte)
    totalMicroseconds = try reader.varint()
    upstreamModel =
      flags & Flag.upstreamModel == 0 ? nil : try reader.textPlace(isChecked: isChecked)
    local = LocalInputs(
      cursor: try reader.optional(flags, Flag.cursor),
      heldProbes: try reader.filledList(flags, Flag.heldProbes),
      latencies: try reader.filledList(flags, Flag.latencies))
  }
}

extension LocalInputs.Figure: Payload {
  func write(to writer: inout RecordWriter) {
    account.write(to: &writer)
    writer.varint(microseconds)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    account = try AccountID(from: &reader)
    microseconds = try reader.varint()
  }
}

extension RecordReader {
  /// A list that is announced by `bit`, and only if there is something in it.
  mutating func filledList<Element: Payload>(
    _ flags: UInt64, _ bit: UInt64
  ) throws(DecodingFailure) -> [Element] {
    guard let list: [Element] = try optionalList(flags, bit) else { return [] }
    guard !list.isEmpty else { throw failure(.notCanonical) }
    return list
  }
}
