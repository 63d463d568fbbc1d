extension AliasEvent.Set: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(name)
    writer.text(target)
    writer.flag(isUnresolved)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    name = try reader.text()
    target = try reader.text()
    isUnresolved = try reader.flag()
  }
}
