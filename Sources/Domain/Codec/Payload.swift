/// Fields that stand in a record, in a fixed order.
///
/// A layout is for ever: a changed payload is a new wire kind with its own pair of these.
protocol Payload {
  func write(to writer: inout RecordWriter)
  init(from reader: inout RecordReader) throws(DecodingFailure)
}

extension ProviderID: Payload {
  func write(to writer: inout RecordWriter) { writer.text(rawValue) }
  init(from reader: inout RecordReader) throws(DecodingFailure) { self.init(try reader.text()) }
}

extension AccountID: Payload {
  func write(to writer: inout RecordWriter) { writer.text(rawValue) }
  init(from reader: inout RecordReader) throws(DecodingFailure) { self.init(try reader.text()) }
}

extension KeyID: Payload {
  func write(to writer: inout RecordWriter) { writer.text(rawValue) }
  init(from reader: inout RecordReader) throws(DecodingFailure) { self.init(try reader.text()) }
}

extension OrganisationID: Payload {
  func write(to writer: inout RecordWriter) { writer.text(rawValue) }
  init(from reader: inout RecordReader) throws(DecodingFailure) { self.init(try reader.text()) }
}

extension String: Payload {
  func write(to writer: inout RecordWriter) { writer.text(self) }
  init(from reader: inout RecordReader) throws(DecodingFailure) { self = try reader.text() }
}

extension UInt64: Payload {
  func write(to writer: inout RecordWriter) { writer.varint(self) }
  init(from reader: inout RecordReader) throws(DecodingFailure) { self = try reader.varint() }
}

extension UInt32: Payload {
  func write(to writer: inout RecordWriter) { writer.varint(UInt64(self)) }
  init(from reader: inout RecordReader) throws(DecodingFailure) { self = try reader.uint32() }
}

extension UInt16: Payload {
  func write(to writer: inout RecordWriter) { writer.varint(UInt64(self)) }
  init(from reader: inout RecordReader) throws(DecodingFailure) { self = try reader.uint16() }
}

extension UInt128: Payload {
  func write(to writer: inout RecordWriter) { writer.id(self) }
  init(from reader: inout RecordReader) throws(DecodingFailure) { self = try reader.id() }
}

extension Bool: Payload {
  func write(to writer: inout RecordWriter) { writer.flag(self) }
  init(from reader: inout RecordReader) throws(DecodingFailure) { self = try reader.flag() }
}

extension UnixNanoseconds: Payload {
  func write(to writer: inout RecordWriter) { writer.time(self) }
  init(from reader: inout RecordReader) throws(DecodingFailure) { self = try reader.time() }
}

extension Array where Element: Payload {
  func write(to writer: inout RecordWriter) {
    writer.count(count)
    for element in self { element.write(to: &writer) }
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let count = try reader.count()
    self = []
    // A hostile count is bounded by the payload's length; still, memory grows only with what is really there.
    reserveCapacity(Swift.min(count, 64))
    for _ in 0..<count { append(try Element(from: &reader)) }
  }
}

extension RecordReader {
  /// The field if `bit` is among the flags that announced it.
  @inline(__always)
  mutating func optional<Field: Payload>(
    _ flags: UInt64, _ bit: UInt64, _: Field.Type = Field.self
  ) throws(DecodingFailure) -> Field? {
    flags & bit == 0 ? nil : try Field(from: &self)
  }

  /// The list if `bit` is among the flags that announced it.
  mutating func optionalList<Element: Payload>(
    _ flags: UInt64, _ bit: UInt64, _: Element.Type = Element.self
  ) throws(DecodingFailure) -> [Element]? {
    flags & bit == 0 ? nil : try [Element](from: &self)
  }
}
