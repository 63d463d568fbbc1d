extension GatewayEvent.Started: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(version)
    writer.varint(epoch)
    writer.byte(recording.rawValue)
    writer.text(listen)
    writer.flag(previousStopWasClean)
    writer.varint(interruptedRequests)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    version = try reader.text()
    epoch = try reader.varint()
    recording = try reader.one(of: RecordingMode.self)
    listen = try reader.text()
    previousStopWasClean = try reader.flag()
    interruptedRequests = try reader.varint()
  }
}

extension GatewayEvent.Stopped: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(reason)
    writer.varint(cutRequests)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    reason = try reader.text()
    cutRequests = try reader.varint()
  }
}

extension GatewayEvent.TailTruncated: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(segment)
    writer.varint(offset)
    writer.varint(bytes)
    writer.text(rule)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    segment = try reader.text()
    offset = try reader.varint()
    bytes = try reader.varint()
    rule = try reader.text()
  }
}

extension GatewayEvent.Gap: Payload {
  func write(to writer: inout RecordWriter) {
    writer.varint(boundMilliseconds)
    writer.text(reason)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    boundMilliseconds = try reader.varint()
    reason = try reader.text()
  }
}
