extension Image.Value: Payload {
  private enum Tag {
    static let none: UInt8 = 0
    static let no: UInt8 = 1
    static let yes: UInt8 = 2
    static let number: UInt8 = 3
    static let text: UInt8 = 4
    static let time: UInt8 = 5
    static let list: UInt8 = 6
    static let record: UInt8 = 7
  }

  /// Deeper values are nobody's: images have lists of records.
  private static let depthMost = 8

  func write(to writer: inout RecordWriter) {
    switch self {
    case .none: writer.byte(Tag.none)
    case .flag(let flag): writer.byte(flag ? Tag.yes : Tag.no)
    case .number(let number):
      writer.byte(Tag.number)
      writer.varint(number)
    case .text(let text):
      writer.byte(Tag.text)
      writer.text(text)
    case .time(let time):
      writer.byte(Tag.time)
      writer.time(time)
    case .list(let values):
      writer.byte(Tag.list)
      values.write(to: &writer)
    case .record(let members):
      writer.byte(Tag.record)
      writer.count(members.count)
      for member in members {
        writer.text(member.name)
        member.value.write(to: &writer)
      }
    }
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    self = try Self.read(&reader, depth: 0)
  }

  private static func read(
    _ reader: inout RecordReader, depth: Int
  ) throws(DecodingFailure) -> Image.Value {
    guard depth <= depthMost else { throw reader.failure(.invalidValue) }
    switch try reader.byte() {
    case Tag.none: return .none
    case Tag.no: return .flag(false)
    case Tag.yes: return .flag(true)
    case Tag.number: return .number(try reader.varint())
    case Tag.text: return .text(try reader.text())
    case Tag.time: return .time(try reader.time())
    case Tag.list:
      var values: [Image.Value] = []
      for _ in 0..<(try reader.count()) { values.append(try read(&reader, depth: depth + 1)) }
      return .list(values)
    case Tag.record:
      var members: [Image.Member] = []
      for _ in 0..<(try reader.count()) {
        let name = try reader.text()
        members.append(.init(name, try read(&reader, depth: depth + 1)))
      }
      return .record(members)
    case _: throw reader.failure(.invalidValue)
    }
  }
}
