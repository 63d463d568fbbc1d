extension Attempt {
  private enum Flag {
    static let status: UInt64 = 1 << 0
    static let errorClass: UInt64 = 1 << 1
    static let errorCode: UInt64 = 1 << 2
    static let connect: UInt64 = 1 << 3
    static let firstByte: UInt64 = 1 << 4
    static let all: UInt64 = 0b1_1111
  }

  /// - Parameter base: the request's arrival; an attempt's clock is written as the distance from it.
  func write(to writer: inout RecordWriter, after base: UnixNanoseconds) {
    writer.varint(
      Flag.status.when(status != nil) | Flag.errorClass.when(errorClass != nil)
        | Flag.errorCode.when(errorCode != nil) | Flag.connect.when(connectMicroseconds != nil)
        | Flag.firstByte.when(firstByteMicroseconds != nil))
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
  }

  init(from reader: inout RecordReader, after base: UnixNanoseconds) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    snapshot = try reader.varint()
    now = UnixNanoseconds(base.rawValue &+ (try reader.zigzag()))
    seed = try reader.varint()
    local = .none
    account = try AccountID(from: &reader)
    rule = try reader.one(of: ChoiceRule.self)
    status = try reader.optional(flags, Flag.status)
    errorClass = flags & Flag.errorClass == 0 ? nil : try reader.one(of: ErrorClass.self)
    errorCode = try reader.optional(flags, Flag.errorCode)
    connectMicroseconds = try reader.optional(flags, Flag.connect)
    firstByteMicroseconds = try reader.optional(flags, Flag.firstByte)
    totalMicroseconds = try reader.varint()
  }
}
