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

extension GatewayEvent.GapOpened: Payload {
  func write(to writer: inout RecordWriter) { writer.text(reason) }

  init(from reader: inout RecordReader) throws(DecodingFailure) { reason = try reader.text() }
}

extension GatewayEvent.GapClosed: Payload {
  private static let hasCount: UInt64 = 1

  func write(to writer: inout RecordWriter) {
    writer.varint(Self.hasCount.when(count != nil))
    writer.varint(opened)
    if let count { writer.varint(count) }
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Self.hasCount)
    opened = try reader.varint()
    count = flags & Self.hasCount != 0 ? try reader.varint() : nil
  }
}

extension GatewayEvent.LossAccepted: Payload {
  func write(to writer: inout RecordWriter) {
    writer.varint(first)
    writer.varint(last)
    writer.text(file)
    writer.text(rule)
    writer.text(reason)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    first = try reader.varint()
    last = try reader.varint()
    file = try reader.text()
    rule = try reader.text()
    reason = try reader.text()
  }
}

extension GatewayEvent.CheckpointSigned: Payload {
  func write(to writer: inout RecordWriter) {
    writer.varint(position)
    writer.varint(epoch)
    writer.data(chain)
    writer.varint(previous)
    writer.data(root)
    writer.data(publicKey)
    writer.data(signature)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    position = try reader.varint()
    epoch = try reader.varint()
    chain = try reader.data()
    previous = try reader.varint()
    root = try reader.data()
    publicKey = try reader.data()
    signature = try reader.data()
  }
}

extension GatewayEvent.ViewRebuilt: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(view)
    writer.byte(reason.rawValue)
    writer.varint(position)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    view = try reader.text()
    reason = try reader.one(of: Reason.self)
    position = try reader.varint()
  }
}

extension GatewayEvent.Identified: Payload {
  func write(to writer: inout RecordWriter) {
    node.write(to: &writer)
    writer.varint(incarnation)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    node = try NodeID(from: &reader)
    incarnation = try reader.varint()
  }
}

extension GatewayEvent.Restored: Payload {
  func write(to writer: inout RecordWriter) {
    node.write(to: &writer)
    writer.varint(incarnation)
    writer.varint(previous)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    node = try NodeID(from: &reader)
    incarnation = try reader.varint()
    previous = try reader.varint()
  }
}
