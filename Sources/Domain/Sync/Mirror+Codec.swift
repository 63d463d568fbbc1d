extension SyncEvent.MirrorDecision: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(stream)
    writer.text(field)
    ours.write(to: &writer)
    theirs.write(to: &writer)
    base.write(to: &writer)
    writer.byte(winner.rawValue)
    writer.byte(rule.rawValue)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    stream = try reader.text()
    field = try reader.text()
    ours = try Image.Value(from: &reader)
    theirs = try Image.Value(from: &reader)
    base = try Image.Value(from: &reader)
    winner = try reader.one(of: SyncEvent.Winner.self)
    rule = try reader.one(of: SyncEvent.MirrorRule.self)
  }
}

extension SyncEvent.Mirrored.Told: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(stream)
    writer.flag(fields != nil)
    fields?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    stream = try reader.text()
    fields = try reader.flag() ? try [Image.Member](from: &reader) : nil
  }
}

extension SyncEvent.Mirrored: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(peer)
    writer.id(exchange)
    decisions.write(to: &writer)
    told.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    peer = try reader.text()
    exchange = try reader.id()
    decisions = try [SyncEvent.MirrorDecision](from: &reader)
    told = try [Told](from: &reader)
  }
}
