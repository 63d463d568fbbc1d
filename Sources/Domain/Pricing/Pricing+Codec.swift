extension Price: Payload {
  private enum Flag {
    static let cached: UInt64 = 1 << 0
    static let reasoning: UInt64 = 1 << 1
    static let cacheCreation: UInt64 = 1 << 2
    static let all: UInt64 = 0b111
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(
      Flag.cached.when(cached != nil) | Flag.reasoning.when(reasoning != nil)
        | Flag.cacheCreation.when(cacheCreation != nil))
    writer.varint(input)
    writer.varint(output)
    cached?.write(to: &writer)
    reasoning?.write(to: &writer)
    cacheCreation?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    input = try reader.varint()
    output = try reader.varint()
    cached = try reader.optional(flags, Flag.cached)
    reasoning = try reader.optional(flags, Flag.reasoning)
    cacheCreation = try reader.optional(flags, Flag.cacheCreation)
  }
}

extension PriceID: Payload {
  func write(to writer: inout RecordWriter) {
    provider.write(to: &writer)
    writer.text(model)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    provider = try ProviderID(from: &reader)
    model = try reader.text()
  }
}

extension PricingEvent.Entry: Payload {
  func write(to writer: inout RecordWriter) {
    id.write(to: &writer)
    price.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    id = try PriceID(from: &reader)
    price = try Price(from: &reader)
  }
}

extension PricingEvent.Changed: Payload {
  func write(to writer: inout RecordWriter) {
    set.write(to: &writer)
    removed.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    set = try [PricingEvent.Entry](from: &reader)
    removed = try [PriceID](from: &reader)
  }
}
