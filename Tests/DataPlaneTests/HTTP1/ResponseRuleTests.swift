import DataPlane
import NIOCore
import Testing

/// Response bytes, the requests they answer, and what they mean.
struct ResponseCase: Sendable, CustomTestStringConvertible {
  let rule: String
  let text: String
  var methods: [HTTP1Method] = [.get]
  var fault: HTTP1Fault.Code?
  var starts: [String] = []
  var bodies: [String] = []
  var keepsAlive: [Bool] = []

  var testDescription: String { rule }
  var bytes: [UInt8] { text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) } }

  static func accepted(
    _ rule: String, _ text: String, to methods: [HTTP1Method] = [.get], _ starts: [String],
    _ bodies: [String] = [""], keepsAlive: [Bool] = [true]
  ) -> ResponseCase {
    ResponseCase(
      rule: rule, text: text, methods: methods, starts: starts, bodies: bodies,
      keepsAlive: keepsAlive)
  }

  static func refused(
    _ rule: String, _ text: String, to methods: [HTTP1Method] = [.get], _ fault: HTTP1Fault.Code
  ) -> ResponseCase { ResponseCase(rule: rule, text: text, methods: methods, fault: fault) }
}

private let ok = "HTTP/1.1 200 OK\r\n"
private let chunked = ok + "Transfer-Encoding: chunked\r\n\r\n"

private let accepted: [ResponseCase] = [
  .accepted(
    "Content-Length", ok + "Content-Length: 5\r\n\r\nhello", ["200 HTTP/1.1 length(5)"], ["hello"]),
  .accepted(
    "chunks", chunked + "5\r\nhello\r\n0\r\n\r\n", ["200 HTTP/1.1 chunked"], ["hello"]),
  .accepted(
    "neither: until the connection closes", ok + "\r\nhello", ["200 HTTP/1.1 untilClose"],
    ["hello"], keepsAlive: [false]),
  .accepted(
    "neither and nothing", ok + "\r\n", ["200 HTTP/1.1 untilClose"], keepsAlive: [false]),
  .accepted(
    "HTTP/1.0 with length closes", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    ["200 HTTP/1.0 length(2)"], ["hi"], keepsAlive: [false]),
  .accepted(
    "HTTP/1.0 with keep-alive lives",
    "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
    ["200 HTTP/1.0 length(2)"], ["hi"]),
  .accepted(
    "Connection: close", ok + "Connection: close\r\nContent-Length: 2\r\n\r\nhi",
    ["200 HTTP/1.1 length(2)"], ["hi"], keepsAlive: [false]),
  .accepted(
    "HEAD has no body whatever the fields say",
    ok + "Content-Length: 5\r\n\r\n" + ok + "Transfer-Encoding: chunked\r\n\r\n" + ok + "\r\n",
    to: [.head, .head, .head],
    ["200 HTTP/1.1 none", "200 HTTP/1.1 none", "200 HTTP/1.1 none"], ["", "", ""],
    keepsAlive: [true, true, true]),
  .accepted("204 has no body", "HTTP/1.1 204 No Content\r\n\r\n", ["204 HTTP/1.1 none"]),
  .accepted(
    "204 that announces a body is not trusted with another request",
    "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", ["204 HTTP/1.1 none"],
    keepsAlive: [false]),
  .accepted(
    "304 has no body", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    ["304 HTTP/1.1 none"]),
  .accepted(
    "1xx before the response",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok
      + "Content-Length: 2\r\n\r\nhi",
    ["100 informational", "103 informational", "200 HTTP/1.1 length(2)"], ["", "", "hi"],
    keepsAlive: [true, true, true]),
  .accepted(
    "one response after another",
    chunked + "1\r\nx\r\n0\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nhi", to: [.get, .post],
    ["200 HTTP/1.1 chunked", "200 HTTP/1.1 length(2)"], ["x", "hi"], keepsAlive: [true, true]),
  .accepted(
    "empty reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", ["200 HTTP/1.1 length(0)"]),
  .accepted(
    "no space before an empty reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
    ["200 HTTP/1.1 length(0)"]),
  .accepted(
    "obs-text in the reason", "HTTP/1.1 599 n\u{e9}\r\nContent-Length: 0\r\n\r\n",
    ["599 HTTP/1.1 length(0)"]),
  .accepted(
    "repeated fields that frame nothing",
    ok
      + "Content-Type: a\r\nContent-Type: b\r\nHost: a b\r\nExpect: x\r\nContent-Length: 0\r\n\r\n",
    ["200 HTTP/1.1 length(0)"]),
]

private let refused: [ResponseCase] = [
  .refused(
    "both lengths", chunked.dropLast(1) + "Content-Length: 5\r\n\r\n", .lengthAndTransferCoding),
  .refused(
    "both lengths, even to HEAD", chunked.dropLast(1) + "Content-Length: 5\r\n\r\n", to: [.head],
    .lengthAndTransferCoding),
  .refused(
    "repeated Content-Length", ok + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    .repeatedField),
  .refused("Content-Length list", ok + "Content-Length: 5,5\r\n\r\nhello", .invalidContentLength),
  .refused(
    "other transfer coding", ok + "Transfer-Encoding: gzip\r\n\r\n", .unsupportedTransferCoding),
  .refused(
    "Transfer-Encoding in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    .transferCodingInOldVersion),
  .refused(
    "switched protocols", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    .unexpectedUpgrade),
  .refused(
    "endless 1xx", String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 17),
    .tooManyInformational),
  .refused("bytes after the response", ok + "Content-Length: 2\r\n\r\nhi!", .unsolicitedResponse),
  .refused("bytes after a 204", "HTTP/1.1 204 No Content\r\n\r\nhello", .unsolicitedResponse),
  .refused("bytes without a request", ok, to: [], .unsolicitedResponse),
  .refused("bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", .bareLF),
  .refused("obs-fold", ok + "X: a\r\n b\r\n\r\n", .obsoleteFolding),
  .refused("NUL in the reason", "HTTP/1.1 200 O\u{0}K\r\n\r\n", .invalidStatusLine),
  .refused("no HTTP", "ICY 200 OK\r\n\r\n", .invalidStatusLine),
  .refused("empty line first", "\r\n" + ok + "\r\n", .invalidStatusLine),
  .refused("HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", .unsupportedVersion),
  .refused("status of two digits", "HTTP/1.1 20 OK\r\n\r\n", .invalidStatusLine),
  .refused("status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", .invalidStatusLine),
  .refused("status 099", "HTTP/1.1 099 OK\r\n\r\n", .invalidStatusLine),
  .refused("status 600", "HTTP/1.1 600 OK\r\n\r\n", .invalidStatusLine),
  .refused("negative status", "HTTP/1.1 -20 OK\r\n\r\n", .invalidStatusLine),
  .refused("two spaces", "HTTP/1.1  200 OK\r\n\r\n", .invalidStatusLine),
  .refused("tab before the reason", "HTTP/1.1 200\tOK\r\n\r\n", .invalidStatusLine),
  .refused(
    "endless status line", "HTTP/1.1 200 " + String(repeating: "x", count: 1100), .headTooLarge),
  .refused("close in the head", ok, .truncated),
  .refused("close in the body", ok + "Content-Length: 5\r\n\r\nhell", .truncated),
  .refused("close before the last chunk", chunked + "5\r\nhello\r\n", .truncated),
  .refused("close instead of a response", "", .truncated),
  .refused("close after 100", "HTTP/1.1 100 Continue\r\n\r\n", .truncated),
]

@Suite("Responses by the rules of RFC 9112")
struct ResponseRuleTests {
  @Test("A response within the rules is understood", arguments: accepted)
  func acceptedResponse(_ one: ResponseCase) {
    let transcript = Transcript.responses(one.bytes, to: one.methods)
    #expect(transcript.fault == nil)
    #expect(transcript.messages.map(\.start) == one.starts)
    #expect(transcript.messages.map { String(decoding: $0.body, as: UTF8.self) } == one.bodies)
    #expect(transcript.messages.map(\.keepsAlive) == one.keepsAlive)
    #expect(transcript.messages.allSatisfy { $0.isWhole })
  }

  @Test("A response against a rule is refused by that rule", arguments: refused)
  func refusedResponse(_ one: ResponseCase) {
    #expect(Transcript.responses(one.bytes, to: one.methods).fault == one.fault)
  }

  @Test("One byte at a time changes neither events nor faults", arguments: accepted + refused)
  func byteByByte(_ one: ResponseCase) {
    #expect(
      Transcript.responses(one.bytes, to: one.methods, cuts: one.bytes.everyCut)
        == Transcript.responses(one.bytes, to: one.methods))
  }

  @Test("A prefix of a valid response waits for more", arguments: accepted)
  func prefixes(_ one: ResponseCase) {
    for length in 0..<one.bytes.count {
      let prefix = Transcript.responses(
        Array(one.bytes[..<length]), to: one.methods, endsInput: false)
      #expect(prefix.fault == nil, "after \(length) bytes")
    }
  }

  @Test("A decoder may be used for one request after another, and only then is it idle")
  func reuse() throws {
    var decoder = ResponseDecoder()
    #expect(decoder.isIdle)
    for method in [HTTP1Method.post, .get] {
      decoder.expectResponse(to: method)
      #expect(!decoder.isIdle)
      var buffer = ByteBuffer(string: ok + "Content-Length: 0\r\n\r\n")
      guard case .head(let head) = try decoder.next(&buffer) else { return #expect(Bool(false)) }
      #expect(head.status == 200)
      guard case .end = try decoder.next(&buffer) else { return #expect(Bool(false)) }
      #expect(decoder.isIdle && buffer.readableBytes == 0)
    }
    #expect(throws: Never.self) { try decoder.endOfInput(ByteBuffer()) }
  }

  @Test("A body that runs until the close may be cut by an unread byte only if it was read")
  func untilClose() throws {
    var decoder = ResponseDecoder()
    decoder.expectResponse(to: .get)
    var buffer = ByteBuffer(string: ok + "\r\nhello")
    guard case .head = try decoder.next(&buffer) else { return #expect(Bool(false)) }
    var unread = decoder
    #expect(throws: HTTP1Fault(.truncated, source: .upstream)) { try unread.endOfInput(buffer) }
    guard case .body = try decoder.next(&buffer), case .needMore = try decoder.next(&buffer),
      case .end = try decoder.endOfInput(buffer)
    else { return #expect(Bool(false)) }
  }
}
