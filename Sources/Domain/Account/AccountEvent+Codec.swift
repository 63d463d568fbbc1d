extension AccountEvent.Added: Payload {
  func write(to writer: inout RecordWriter) {
    id.write(to: &writer)
    provider.write(to: &writer)
    writer.text(name)
    priority.write(to: &writer)
    weight.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    id = try AccountID(from: &reader)
    provider = try ProviderID(from: &reader)
    name = try reader.text()
    priority = try reader.uint32()
    weight = try reader.uint32()
  }
}

extension AccountEvent.Changed: Payload {
  private enum Flag {
    static let name: UInt64 = 1 << 0
    static let priority: UInt64 = 1 << 1
    static let weight: UInt64 = 1 << 2
    static let all: UInt64 = 0b111
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(
      Flag.name.when(name != nil) | Flag.priority.when(priority != nil)
        | Flag.weight.when(weight != nil))
    id.write(to: &writer)
    name?.write(to: &writer)
    priority?.write(to: &writer)
    weight?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    id = try AccountID(from: &reader)
    name = try reader.optional(flags, Flag.name)
    priority = try reader.optional(flags, Flag.priority)
    weight = try reader.optional(flags, Flag.weight)
  }
}

extension AccountEvent.Degraded: Payload {
  func write(to writer: inout RecordWriter) {
    id.write(to: &writer)
    writer.text(reason)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    id = try AccountID(from: &reader)
    reason = try reader.text()
  }
}

extension AccountEvent.CredentialSet: Payload {
  func write(to writer: inout RecordWriter) {
    id.write(to: &writer)
    writer.varint(generation)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    id = try AccountID(from: &reader)
    generation = try reader.varint()
  }
}
