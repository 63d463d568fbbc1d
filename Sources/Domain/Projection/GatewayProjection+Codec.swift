extension GatewayProjection {
  /// What snapshots of it are called.
  public static let name = "gateway"

  /// Grows with every change of the encoding below or of what a fold makes of an event.
  private static let layout = 11

  /// Which projector made an encoding: its layout and the kinds that it knew, for a build that knows another
  /// kind folds the same log to another value.
  public static let version: String = {
    // FNV-1a.
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for kind in WireKind.all.sorted() {
      for byte in kind.utf8 + [0] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    }
    let digits = String(hash, radix: 16)
    return "\(layout)-" + String(repeating: "0", count: 16 - digits.utf8.count) + digits
  }()

  /// The one encoding of this value; the same on every machine and in every process.
  public func encoded() -> [UInt8] {
    var writer = RecordWriter()
    writer.varint(position)
    state.write(to: &writer)
    inFlight.write(to: &writer)
    ledger.write(to: &writer)
    life.write(to: &writer)
    writer.count(changes.count)
    for (stream, change) in changes.sorted(by: { $0.key < $1.key }) {
      writer.text(stream)
      change.write(to: &writer)
    }
    writer.varint(unknownEvents)
    writer.varint(unknownBeforeState)
    return writer.bytes
  }

  /// Reads an encoding: any bytes give a value that encodes to just these, or a failure, never a trap.
  public init(decoding bytes: [UInt8]) throws(DecodingFailure) {
    var reader = RecordReader(bytes[...], kind: GatewayProjection.name)
    self.init(
      position: try reader.varint(), state: try ControlState(from: &reader),
      inFlight: try InFlight(from: &reader), ledger: try Ledger(from: &reader),
      life: try LifeFacts(from: &reader),
      changes: try reader.table { (reader) throws(DecodingFailure) in
        (try reader.text(), try LastChange(from: &reader))
      }, unknownEvents: try reader.varint(), unknownBeforeState: try reader.varint())
    try reader.end()
  }
}

extension RecordReader {
  /// A table in the order of its keys, each of them once.
  mutating func table<Key: Hashable & Comparable, Value>(
    _ row: (inout RecordReader) throws(DecodingFailure) -> (Key, Value)
  ) throws(DecodingFailure) -> [Key: Value] {
    var table: [Key: Value] = [:]
    var last: Key?
    for _ in 0..<(try count()) {
      let (key, value) = try row(&self)
      if let last, key <= last { throw failure(.notCanonical) }
      table[key] = value
      last = key
    }
    return table
  }
}

extension LastChange: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(kind)
    writer.varint(epoch)
    writer.varint(position)
    writer.time(time)
    writer.text(actor)
    writer.byte(source.rawValue)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    kind = try reader.text()
    epoch = try reader.varint()
    position = try reader.varint()
    time = try reader.time()
    actor = try reader.text()
    source = try reader.one(of: Source.self)
  }
}

extension LifeFacts: Payload {
  private enum Flag {
    static let started: UInt64 = 1 << 0
    static let stopped: UInt64 = 1 << 1
    static let openGap: UInt64 = 1 << 2
    static let checkpoint: UInt64 = 1 << 3
    static let all: UInt64 = 0b1111
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(
      Flag.started.when(started != nil) | Flag.stopped.when(stopped != nil)
        | Flag.openGap.when(openGap != nil) | Flag.checkpoint.when(checkpoint != nil))
    started?.write(to: &writer)
    stopped?.write(to: &writer)
    openGap?.write(to: &writer)
    checkpoint?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    self.init(
      started: try reader.optional(flags, Flag.started),
      stopped: try reader.optional(flags, Flag.stopped),
      openGap: try reader.optional(flags, Flag.openGap),
      checkpoint: try reader.optional(flags, Flag.checkpoint))
  }
}

extension InFlight: Payload {
  func write(to writer: inout RecordWriter) {
    writer.count(open.count)
    for open in inOrder {
      writer.varint(open.position)
      writer.flag(open.dispatched.wireKind == .requestDispatchedV2)
      open.dispatched.write(to: &writer)
    }
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    self.init()
    let byPosition = try reader.table { (reader) throws(DecodingFailure) in
      let position = try reader.varint()
      let kind = try reader.flag() ? WireKind.requestDispatchedV2 : .requestDispatched
      return (position, try RequestEvent.Dispatched(from: &reader, as: kind))
    }
    for (position, fact) in byPosition { begin(Open(dispatched: fact, position: position)) }
    guard open.count == byPosition.count else { throw reader.failure(.notCanonical) }
  }
}
