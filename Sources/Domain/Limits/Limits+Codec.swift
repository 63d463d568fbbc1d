extension Limits: Payload {
  func write(to writer: inout RecordWriter) {
    requestsPerSecond.write(to: &writer)
    burst.write(to: &writer)
    requestsPerMinute.write(to: &writer)
    tokensPerMinute.write(to: &writer)
    concurrency.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    requestsPerSecond = try reader.uint32()
    burst = try reader.uint32()
    requestsPerMinute = try reader.uint32()
    tokensPerMinute = try reader.varint()
    concurrency = try reader.uint32()
  }
}

extension Budget: Payload {
  private enum Flag {
    static let microUSD: UInt64 = 1 << 0
    static let tokens: UInt64 = 1 << 1
    static let all: UInt64 = 0b11
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(Flag.microUSD.when(microUSD != nil) | Flag.tokens.when(tokens != nil))
    writer.byte(period.rawValue)
    writer.text(timezone)
    microUSD?.write(to: &writer)
    tokens?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    period = try reader.one(of: Period.self)
    timezone = try reader.text()
    microUSD = try reader.optional(flags, Flag.microUSD)
    tokens = try reader.optional(flags, Flag.tokens)
  }
}
