import DataPlane
import Domain
import NIOCore
import Support
import Testing

@Suite("What the encoder writes")
struct EncoderTests {
  @Test("A response head and its chunks parse back")
  func response() {
    var out = ByteBuffer()
    HTTP1Encoder.statusLine(429, to: &out)
    HTTP1Encoder.field("retry-after", 12, to: &out)
    HTTP1Encoder.chunkedCoding(to: &out)
    HTTP1Encoder.endOfHead(to: &out)
    let parts = [1, 9, 10, 15, 16, 17, 255, 256, 4096].map { [UInt8](repeating: 0x61, count: $0) }
    for part in parts { HTTP1Encoder.chunk(ByteBuffer(bytes: part), to: &out) }
    HTTP1Encoder.chunk(ByteBuffer(), to: &out)
    HTTP1Encoder.lastChunk(to: &out)
    let transcript = Transcript.responses(Array(out.readableBytesView))
    #expect(transcript.fault == nil)
    #expect(transcript.messages.map(\.start) == ["429 HTTP/1.1 chunked"])
    #expect(
      transcript.messages.map(\.fields) == [
        [["retry-after", "12"], ["transfer-encoding", "chunked"]]
      ])
    #expect(transcript.messages.map(\.body) == [parts.flatMap(\.self)])
  }

  @Test("A request head parses back")
  func request() throws {
    var out = ByteBuffer()
    try HTTP1Encoder.requestLine(.post, target: "/v1/x?y=1".utf8, to: &out)
    HTTP1Encoder.field("host", "upstream", to: &out)
    try HTTP1Encoder.field("authorization", checked: "Bearer k", to: &out)
    try HTTP1Encoder.field(checkedName: "x-a".utf8, checked: [0xE9], to: &out)
    HTTP1Encoder.contentLength(0, to: &out)
    HTTP1Encoder.endOfHead(to: &out)
    let transcript = Transcript.requests(Array(out.readableBytesView))
    #expect(transcript.fault == nil)
    #expect(transcript.messages.map(\.start) == ["POST /v1/x?y=1 HTTP/1.1 length(0)"])
    #expect(transcript.messages.first?.fields.count == 4)
  }

  @Test("Every status from 100 to 599 parses back")
  func statuses() {
    for status in 100...599 where status != 101 {
      var out = ByteBuffer()
      HTTP1Encoder.statusLine(status, to: &out)
      HTTP1Encoder.contentLength(0, to: &out)
      HTTP1Encoder.endOfHead(to: &out)
      let transcript = Transcript.responses(Array(out.readableBytesView), endsInput: false)
      #expect(transcript.fault == nil)
      #expect(transcript.messages.map { $0.start.prefix(3) } == ["\(status)"])
    }
  }

  @Test("Numbers are written in decimal", arguments: [0, 9, 10, 1_234_567, Int.max, Int.min, -1])
  func numbers(_ number: Int) {
    var out = ByteBuffer()
    HTTP1Encoder.field("x", number, to: &out)
    #expect(String(buffer: out) == "x: \(number)\r\n")
  }

  @Test("Chunk sizes are written in hexadecimal", arguments: [1, 15, 16, 0xABCDEF, Int.max])
  func chunkSizes(_ size: Int) {
    var out = ByteBuffer()
    HTTP1Encoder.chunkHead(size, to: &out)
    #expect(String(buffer: out) == String(size, radix: 16) + "\r\n")
  }

  @Test("No control character passes into a value, and nothing is written")
  func injection() {
    for byte in (UInt8(0)...0x1F).filter({ $0 != 0x09 }) + [0x7F] {
      let value = Array("a".utf8) + [byte] + Array("b".utf8)
      var out = ByteBuffer()
      #expect(throws: HTTP1Fault(.invalidFieldValue)) {
        try HTTP1Encoder.field("x", checked: value, to: &out)
      }
      #expect(throws: HTTP1Fault(.invalidFieldValue)) {
        try HTTP1Encoder.field("x", checked: ByteBuffer(bytes: value), to: &out)
      }
      #expect(throws: HTTP1Fault(.invalidFieldName)) {
        try HTTP1Encoder.field(checkedName: value, checked: "a".utf8, to: &out)
      }
      #expect(throws: HTTP1Fault(.invalidTarget)) {
        try HTTP1Encoder.requestLine(.get, target: [0x2F] + value, to: &out)
      }
      #expect(out.readableBytes == 0)
    }
  }

  @Test(
    "Names and targets from outside are checked", arguments: ["", "a b", "a:", "a\u{e9}", " a"])
  func names(_ name: String) {
    var out = ByteBuffer()
    #expect(throws: HTTP1Fault(.invalidFieldName)) {
      try HTTP1Encoder.field(checkedName: name.utf8, checked: "".utf8, to: &out)
    }
    #expect(throws: HTTP1Fault(.invalidTarget)) {
      try HTTP1Encoder.requestLine(.get, target: name.utf8, to: &out)
    }
    #expect(out.readableBytes == 0)
  }

  @Test(
    "an id is written as its text",
    arguments: [0, 1, UInt128.max, 0x0193_4b2c_9f00_7abc_8def] as [UInt128])
  func uuid(_ id: UInt128) {
    var out = ByteBuffer()
    HTTP1Encoder.field("x-id", uuid: id, to: &out)
    #expect(String(buffer: out) == "x-id: \(uuidText(id))\r\n")
  }
}
