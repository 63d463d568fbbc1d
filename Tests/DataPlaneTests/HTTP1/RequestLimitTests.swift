import DataPlane
import NIOCore
import Testing

@Suite("Bounds of requests")
struct RequestLimitTests {
  private let limits = HTTP1Limits(
    headBytes: 256, targetBytes: 40, fields: 5, chunkExtensionBytes: 16, trailerBytes: 32)

  /// Decodes the text at once and byte by byte, which must agree, and answers the fault.
  private func fault(_ text: String, bodyLimit: Int = .max) -> HTTP1Fault.Code? {
    let bytes = Array(text.utf8)
    let atOnce = Transcript.requests(bytes, limits: limits, bodyLimit: bodyLimit)
    let slowly = Transcript.requests(
      bytes, cuts: bytes.everyCut, limits: limits, bodyLimit: bodyLimit)
    #expect(atOnce == slowly)
    return atOnce.fault
  }

  @Test("A head of exactly the bound passes and one byte more does not")
  func headBytes() {
    let start = "GET / HTTP/1.1\r\nHost: a\r\nX: "
    let filler = String(repeating: "x", count: 256 - start.utf8.count - 4)
    #expect(fault(start + filler + "\r\n\r\n") == nil)
    #expect(fault(start + filler + "x\r\n\r\n") == .headTooLarge)
  }

  @Test("A head without end is refused as soon as it exceeds the bound")
  func endlessHead() {
    let bytes = Array(("GET / HTTP/1.1\r\nX: " + String(repeating: "x", count: 300)).utf8)
    let before = Transcript.requests(Array(bytes[..<255]), limits: limits, endsInput: false)
    #expect(before.fault == nil)
    let at = Transcript.requests(Array(bytes[..<256]), limits: limits, endsInput: false)
    #expect(at.fault == .headTooLarge)
  }

  @Test("A target of exactly the bound passes and one byte more does not")
  func targetBytes() {
    let target = "/" + String(repeating: "x", count: 39)
    #expect(fault("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n") == nil)
    #expect(fault("GET \(target)x HTTP/1.1\r\nHost: a\r\n\r\n") == .targetTooLong)
  }

  @Test("A request line without end is refused as too long")
  func endlessRequestLine() {
    #expect(fault("GET /" + String(repeating: "x", count: 200)) == .targetTooLong)
  }

  @Test("As many fields as the bound pass and one more does not")
  func fields() {
    let four = (1...4).map { "X\($0): 1\r\n" }.joined()
    #expect(fault("GET / HTTP/1.1\r\nHost: a\r\n\(four)\r\n") == nil)
    #expect(fault("GET / HTTP/1.1\r\nHost: a\r\n\(four)X5: 1\r\n\r\n") == .tooManyFields)
  }

  private let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

  @Test("Chunk extensions are bounded over the whole body")
  func extensions() {
    #expect(fault(chunked + "1;1234567\r\nx\r\n1;1234567\r\nx\r\n0\r\n\r\n") == nil)
    #expect(
      fault(chunked + "1;1234567\r\nx\r\n1;12345678\r\nx\r\n0\r\n\r\n") == .chunkExtensionsTooLarge)
  }

  @Test("The trailer section is bounded in bytes and in fields")
  func trailers() {
    #expect(fault(chunked + "0\r\nX: 345678901234\r\nY: 34567890123\r\n\r\n") == .trailersTooLarge)
    #expect(fault(chunked + "0\r\nX: 34567890123\r\nY: 34567890123\r\n\r\n") == nil)
    #expect(fault(chunked + "0\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\n\r\n") == nil)
    #expect(fault(chunked + "0\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\nf:\r\n\r\n") == .tooManyFields)
    #expect(fault(chunked + "0\r\n" + String(repeating: "x", count: 40)) == .trailersTooLarge)
  }

  @Test("A body of exactly the bound passes and one byte more does not")
  func bodyLimit() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    #expect(fault(head, bodyLimit: 5) == nil)
    #expect(fault(head, bodyLimit: 4) == .bodyTooLarge)
    let chunks = chunked + "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
    #expect(fault(chunks, bodyLimit: 5) == nil)
    #expect(fault(chunks, bodyLimit: 4) == .bodyTooLarge)
    #expect(fault(chunked + "FFFFFFFFFFFFFFF\r\n", bodyLimit: 5) == .bodyTooLarge)
  }

  @Test("The bound may be set once the head is known")
  func bodyLimitAfterHead() throws {
    var decoder = RequestDecoder()
    var buffer = ByteBuffer(
      string: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nhello")
    guard case .head(let head) = try decoder.next(&buffer) else { return #expect(Bool(false)) }
    #expect(head.framing == .length(50))
    decoder.bodyLimit = 10
    #expect(throws: HTTP1Fault(.bodyTooLarge)) { try decoder.next(&buffer) }
  }

  @Test("Bodies are slices of the bytes received, not copies")
  func zeroCopy() throws {
    var decoder = RequestDecoder()
    var buffer = ByteBuffer(
      string: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
    let place = buffer.withUnsafeReadableBytes { $0.baseAddress.map { UInt(bitPattern: $0) } }
    let total = buffer.readableBytes
    guard case .head = try decoder.next(&buffer), case .body(let slice) = try decoder.next(&buffer)
    else { return #expect(Bool(false)) }
    let slicePlace = slice.withUnsafeReadableBytes { $0.baseAddress.map { UInt(bitPattern: $0) } }
    #expect(slicePlace == place.map { $0 + UInt(total - 5) })
  }
}
