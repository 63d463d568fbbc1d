import DataPlane
import NIOCore
import Testing

/// One rule of RFC 9112 or RFC 9110 and bytes that keep or break it.
struct RequestCase: Sendable, CustomTestStringConvertible {
  let rule: String
  let text: String
  var fault: HTTP1Fault.Code?
  var starts: [String] = []
  var bodies: [String] = []

  var testDescription: String { rule }
  var bytes: [UInt8] { text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) } }

  static func accepted(
    _ rule: String, _ text: String, _ starts: [String], _ bodies: [String] = [""]
  ) -> RequestCase { RequestCase(rule: rule, text: text, starts: starts, bodies: bodies) }

  static func refused(_ rule: String, _ text: String, _ fault: HTTP1Fault.Code) -> RequestCase {
    RequestCase(rule: rule, text: text, fault: fault)
  }
}

private let get = "GET / HTTP/1.1\r\nHost: a\r\n"
private let post = "POST / HTTP/1.1\r\nHost: a\r\n"
private let chunked = post + "Transfer-Encoding: chunked\r\n\r\n"

private let accepted: [RequestCase] = [
  .accepted("origin-form", get + "\r\n", ["GET / HTTP/1.1 none"]),
  .accepted(
    "origin-form with query", "GET /v1/models?x=%2F&y HTTP/1.1\r\nHost: a:8080\r\n\r\n",
    ["GET /v1/models?x=%2F&y HTTP/1.1 none"]),
  .accepted(
    "absolute-form", "GET http://a/b?c HTTP/1.1\r\nHost: b\r\n\r\n",
    ["GET http://a/b?c HTTP/1.1 none"]),
  .accepted(
    "absolute-form without path", "GET HTTPS://[::1]:80 HTTP/1.1\r\nHost: b\r\n\r\n",
    ["GET HTTPS://[::1]:80 HTTP/1.1 none"]),
  .accepted(
    "asterisk-form for OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    ["OPTIONS * HTTP/1.1 none"]),
  .accepted("one empty line before a request", "\r\n" + get + "\r\n", ["GET / HTTP/1.1 none"]),
  .accepted("HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", ["GET / HTTP/1.0 none"]),
  .accepted("Content-Length 0", post + "Content-Length: 0\r\n\r\n", ["POST / HTTP/1.1 length(0)"]),
  .accepted(
    "Content-Length with leading zeros", post + "Content-Length: 0005\r\n\r\nhello",
    ["POST / HTTP/1.1 length(5)"], ["hello"]),
  .accepted(
    "field names in any case", post + "cOnTeNt-LeNgTh:5\r\n\r\nhello",
    ["POST / HTTP/1.1 length(5)"], ["hello"]),
  .accepted(
    "white space around a value", post + "Content-Length: \t 5 \t \r\n\r\nhello",
    ["POST / HTTP/1.1 length(5)"], ["hello"]),
  .accepted("empty value", get + "X-Empty:\r\n\r\n", ["GET / HTTP/1.1 none"]),
  .accepted("obs-text and tab in a value", get + "X: a\u{e9}\tb\r\n\r\n", ["GET / HTTP/1.1 none"]),
  .accepted(
    "chunks, extension and trailer",
    chunked + "5;a=\"b\"\r\nhello\r\n0A;b;c=d\r\n, world!!!\r\n00\r\nX-Sum: 1\r\n\r\n",
    ["POST / HTTP/1.1 chunked"], ["hello, world!!!"]),
  .accepted(
    "chunked in any case", post + "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
    ["POST / HTTP/1.1 chunked"]),
  .accepted(
    "Expect 100-continue", post + "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
    ["POST / HTTP/1.1 length(1) expects"], ["x"]),
  .accepted(
    "Expect without a body asks for nothing", get + "Expect: 100-continue\r\n\r\n",
    ["GET / HTTP/1.1 none"]),
  .accepted(
    "pipelined requests",
    post + "Content-Length: 2\r\n\r\nhi" + get + "\r\n" + chunked + "1\r\nx\r\n0\r\n\r\n",
    ["POST / HTTP/1.1 length(2)", "GET / HTTP/1.1 none", "POST / HTTP/1.1 chunked"],
    ["hi", "", "x"]),
]

private let refused: [RequestCase] = [
  .refused(
    "repeated Content-Length", post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    .repeatedField),
  .refused(
    "repeated equal Content-Length", post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    .repeatedField),
  .refused(
    "Content-Length list", post + "Content-Length: 5, 5\r\n\r\nhello", .invalidContentLength),
  .refused(
    "negative Content-Length", post + "Content-Length: -5\r\n\r\nhello", .invalidContentLength),
  .refused(
    "signed Content-Length", post + "Content-Length: +5\r\n\r\nhello", .invalidContentLength),
  .refused(
    "hexadecimal Content-Length", post + "Content-Length: 0x5\r\n\r\nhello", .invalidContentLength),
  .refused("empty Content-Length", post + "Content-Length: \r\n\r\n", .invalidContentLength),
  .refused(
    "Content-Length with a space within", post + "Content-Length: 5 5\r\n\r\nhello",
    .invalidContentLength),
  .refused(
    "Content-Length beyond Int", post + "Content-Length: 9223372036854775808\r\n\r\n",
    .contentLengthTooLarge),
  .refused(
    "Content-Length beyond UInt64", post + "Content-Length: 18446744073709551621\r\n\r\n",
    .contentLengthTooLarge),
  .refused(
    "Content-Length before Transfer-Encoding",
    post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    .lengthAndTransferCoding),
  .refused(
    "Transfer-Encoding before Content-Length",
    post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    .lengthAndTransferCoding),
  .refused(
    "repeated Transfer-Encoding",
    post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", .repeatedField),
  .refused(
    "chunked twice", post + "Transfer-Encoding: chunked, chunked\r\n\r\n",
    .unsupportedTransferCoding),
  .refused(
    "gzip, chunked", post + "Transfer-Encoding: gzip, chunked\r\n\r\n", .unsupportedTransferCoding),
  .refused("identity", post + "Transfer-Encoding: identity\r\n\r\n", .unsupportedTransferCoding),
  .refused(
    "chunked with parameter", post + "Transfer-Encoding: chunked;x=1\r\n\r\n",
    .unsupportedTransferCoding),
  .refused(
    "quoted chunked", post + "Transfer-Encoding: \"chunked\"\r\n\r\n", .unsupportedTransferCoding),
  .refused(
    "chunked with vertical tab", post + "Transfer-Encoding: \u{b}chunked\r\n\r\n",
    .invalidFieldValue),
  .refused(
    "Transfer-Encoding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    .transferCodingInOldVersion),
  .refused("bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", .bareLF),
  .refused("bare LF after a field", "GET / HTTP/1.1\r\nHost: a\n\r\n", .bareLF),
  .refused("bare LF as the empty line", get + "\n", .bareLF),
  .refused("bare LF first", "\n" + get + "\r\n", .bareLF),
  .refused("bare CR in a value", get + "X: a\rb\r\n\r\n", .bareCR),
  .refused("bare CR in a name", get + "X\rY: b\r\n\r\n", .bareCR),
  .refused("two CR before LF", get + "X: a\r\r\n\r\n", .bareCR),
  .refused("bare CR first", "\rGET / HTTP/1.1\r\n", .bareCR),
  .refused("obs-fold", get + "X: a\r\n b\r\n\r\n", .obsoleteFolding),
  .refused("obs-fold with tab", get + "X: a\r\n\tb\r\n\r\n", .obsoleteFolding),
  .refused(
    "white space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", .obsoleteFolding),
  .refused("line of white space only", get + " \r\n\r\n", .obsoleteFolding),
  .refused("white space before the colon", get + "X : a\r\n\r\n", .whitespaceBeforeColon),
  .refused("tab before the colon", "POST / HTTP/1.1\r\nHost\t: a\r\n\r\n", .whitespaceBeforeColon),
  .refused("NUL in a value", get + "X: a\u{0}b\r\n\r\n", .invalidFieldValue),
  .refused("DEL in a value", get + "X: abcdefgh\u{7f}ijklmnop\r\n\r\n", .invalidFieldValue),
  .refused(
    "escape in a long value", get + "X: abcdefghijklmnop\u{1b}qrstuvwxyz\r\n\r\n",
    .invalidFieldValue),
  .refused("empty field name", get + ": a\r\n\r\n", .invalidFieldName),
  .refused("field without colon", get + "X\r\n\r\n", .invalidFieldName),
  .refused("separator in a name", get + "X(Y): a\r\n\r\n", .invalidFieldName),
  .refused("obs-text in a name", get + "X\u{e9}: a\r\n\r\n", .invalidFieldName),
  .refused("NUL in a name", get + "X\u{0}: a\r\n\r\n", .invalidFieldName),
  .refused("missing Host", "GET / HTTP/1.1\r\n\r\n", .missingHost),
  .refused("missing Host with absolute-form", "GET http://a/ HTTP/1.1\r\n\r\n", .missingHost),
  .refused("two Hosts", get + "Host: b\r\n\r\n", .repeatedField),
  .refused("two equal Hosts", get + "Host: a\r\n\r\n", .repeatedField),
  .refused("empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", .invalidHost),
  .refused("Host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", .invalidHost),
  .refused("Host with path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .invalidHost),
  .refused("Host with user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", .invalidHost),
  .refused("Host with text for a port", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", .invalidHost),
  .refused("Host with open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", .invalidHost),
  .refused(
    "two Authorizations", get + "Authorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n",
    .repeatedField),
  .refused("two X-Api-Keys", get + "X-Api-Key: a\r\nx-api-key: b\r\n\r\n", .repeatedField),
  .refused(
    "Connection that is no token list", get + "Connection: clo se\r\n\r\n", .invalidConnection),
  .refused(
    "other expectation", post + "Expect: magic\r\nContent-Length: 1\r\n\r\nx",
    .unsupportedExpectation),
  .refused("unknown method", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", .unknownMethod),
  .refused("method in lower case", "get / HTTP/1.1\r\nHost: a\r\n\r\n", .unknownMethod),
  .refused("CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", .unknownMethod),
  .refused("TRACE", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", .unknownMethod),
  .refused("method with separator", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", .invalidRequestLine),
  .refused("leading space", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", .invalidRequestLine),
  .refused("a TLS handshake, before any line end", "\u{16}\u{3}\u{1}", .invalidRequestLine),
  .refused("two empty lines before a request", "\r\n\r\n" + get + "\r\n", .invalidRequestLine),
  .refused(
    "two spaces before the target", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", .invalidRequestLine),
  .refused(
    "two spaces after the target", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", .invalidRequestLine),
  .refused("tab for space", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", .invalidRequestLine),
  .refused("space after the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", .invalidRequestLine),
  .refused("HTTP/0.9", "GET /\r\n", .invalidRequestLine),
  .refused("version in lower case", "GET / http/1.1\r\nHost: a\r\n\r\n", .invalidRequestLine),
  .refused("version with two digits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", .invalidRequestLine),
  .refused("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .unsupportedVersion),
  .refused("HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", .unsupportedVersion),
  .refused("asterisk-form for GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget),
  .refused("authority-form", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget),
  .refused("relative target", "GET a/b HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget),
  .refused("other scheme", "GET ftp://a/b HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget),
  .refused(
    "absolute-form with user", "GET http://u@a/b HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget),
  .refused(
    "absolute-form without host", "GET http:///b HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget),
  .refused("fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget),
  .refused(
    "raw UTF-8 in the target", "GET /\u{c3}\u{a9} HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget),
  .refused(
    "control byte in the target", "GET /a\u{1}b HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget),
  .refused("cut percent-escape", "GET /a%2 HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget),
  .refused(
    "percent-escape without digits", "GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget),
  .refused("chunk size with sign", chunked + "+5\r\nhello\r\n0\r\n\r\n", .invalidChunkSize),
  .refused("negative chunk size", chunked + "-5\r\nhello\r\n0\r\n\r\n", .invalidChunkSize),
  .refused("chunk size with prefix", chunked + "0x5\r\nhello\r\n0\r\n\r\n", .invalidChunkSize),
  .refused("chunk size after space", chunked + " 5\r\nhello\r\n0\r\n\r\n", .invalidChunkSize),
  .refused("chunk size before space", chunked + "5 \r\nhello\r\n0\r\n\r\n", .invalidChunkSize),
  .refused("empty chunk size", chunked + "\r\nhello", .invalidChunkSize),
  .refused("chunk size of 16 digits", chunked + "8000000000000000\r\n", .chunkSizeTooLarge),
  .refused(
    "chunk size that wraps to 5", chunked + "10000000000000005\r\nhello\r\n0\r\n\r\n",
    .chunkSizeTooLarge),
  .refused("bare LF after a chunk size", chunked + "5\nhello\r\n0\r\n\r\n", .bareLF),
  .refused("bare LF after an extension", chunked + "5;a\nhello\r\n0\r\n\r\n", .bareLF),
  .refused("bare CR after a chunk size", chunked + "5\rhello\r\n0\r\n\r\n", .bareCR),
  .refused(
    "control byte in an extension", chunked + "5;a\u{1}\r\nhello\r\n", .invalidChunkExtension),
  .refused("extension without name", chunked + "5;\r\nhello\r\n0\r\n\r\n", .invalidChunkExtension),
  .refused(
    "extension without value", chunked + "5;a=\r\nhello\r\n0\r\n\r\n", .invalidChunkExtension),
  .refused(
    "extension with open quote", chunked + "5;a=\"b\r\nhello\r\n0\r\n\r\n", .invalidChunkExtension),
  .refused(
    "extension with text after the quote", chunked + "5;a=\"b\"c\r\nhello\r\n0\r\n\r\n",
    .invalidChunkExtension),
  .refused(
    "extension with white space", chunked + "5; a\r\nhello\r\n0\r\n\r\n", .invalidChunkExtension),
  .refused(
    "extension with obs-text in its name", chunked + "5;\u{e9}\r\nhello\r\n0\r\n\r\n",
    .invalidChunkExtension),
  .refused(
    "extension ending in an escape", chunked + "5;a=\"\\\r\nhello\r\n0\r\n\r\n",
    .invalidChunkExtension),
  .refused("bytes beyond the chunk", chunked + "5\r\nhello!\r\n0\r\n\r\n", .invalidChunkEnd),
  .refused("bare LF after a chunk", chunked + "5\r\nhello\n0\r\n\r\n", .invalidChunkEnd),
  .refused("bare LF in trailers", chunked + "0\r\nX: 1\n\r\n", .bareLF),
  .refused(
    "Content-Length in trailers", chunked + "0\r\nContent-Length: 5\r\n\r\n", .forbiddenTrailer),
  .refused(
    "Transfer-Encoding in trailers", chunked + "0\r\nX: 1\r\ntransfer-encoding: chunked\r\n\r\n",
    .forbiddenTrailer),
  .refused("Host in trailers", chunked + "0\r\nHost: b\r\n\r\n", .forbiddenTrailer),
  .refused("obs-fold in trailers", chunked + "0\r\nX: 1\r\n 2\r\n\r\n", .obsoleteFolding),
  .refused("trailer without colon", chunked + "0\r\nX\r\n\r\n", .invalidFieldName),
  .refused("input ends in the request line", "GET / HT", .truncated),
  .refused("input ends in the fields", get, .truncated),
  .refused("input ends in the body", post + "Content-Length: 5\r\n\r\nhell", .truncated),
  .refused("input ends before the last chunk", chunked + "5\r\nhello\r\n", .truncated),
  .refused("input ends in the trailers", chunked + "0\r\n", .truncated),
]

@Suite("Requests by the rules of RFC 9112")
struct RequestRuleTests {
  @Test("A request within the rules is understood", arguments: accepted)
  func acceptedRequest(_ one: RequestCase) {
    let transcript = Transcript.requests(one.bytes)
    #expect(transcript.fault == nil)
    #expect(transcript.messages.map(\.start) == one.starts)
    #expect(transcript.messages.map { String(decoding: $0.body, as: UTF8.self) } == one.bodies)
    #expect(transcript.messages.allSatisfy { $0.isWhole })
  }

  @Test("A request against a rule is refused by that rule", arguments: refused)
  func refusedRequest(_ one: RequestCase) {
    let transcript = Transcript.requests(one.bytes)
    #expect(transcript.fault == one.fault)
    #expect(transcript.wholeMessages.isEmpty)
  }

  @Test("One byte at a time changes neither events nor faults", arguments: accepted + refused)
  func byteByByte(_ one: RequestCase) {
    #expect(
      Transcript.requests(one.bytes, cuts: one.bytes.everyCut) == Transcript.requests(one.bytes))
  }

  @Test("A prefix of a valid message waits for more", arguments: accepted)
  func prefixes(_ one: RequestCase) {
    let whole = Transcript.requests(one.bytes)
    for length in 0..<one.bytes.count {
      let prefix = Transcript.requests(Array(one.bytes[..<length]), endsInput: false)
      #expect(prefix.fault == nil, "after \(length) bytes")
      #expect(prefix.wholeMessages.count <= whole.messages.count)
      #expect(Array(prefix.wholeMessages) == Array(whole.messages[..<prefix.wholeMessages.count]))
    }
    let beforeLast = Transcript.requests(Array(one.bytes.dropLast()), endsInput: false)
    #expect(beforeLast.wholeMessages.count == whole.messages.count - 1)
  }

  @Test(
    "The connection lives on exactly as RFC 9112 §9.3 says",
    arguments: [
      ("1.1", "", true), ("1.1", "close", false), ("1.1", "keep-alive", true),
      ("1.1", "Keep-Alive, CLOSE", false), ("1.1", "x, y ,,close", false), ("1.1", "closed", true),
      ("1.0", "", false), ("1.0", "keep-alive", true), ("1.0", "keep-alive, close", false),
    ])
  func keepAlive(_ version: String, _ connection: String, _ expected: Bool) {
    let field = connection.isEmpty ? "" : "Connection: \(connection)\r\n"
    let text = "GET / HTTP/\(version)\r\nHost: a\r\n\(field)\r\n"
    #expect(Transcript.requests(Array(text.utf8)).messages.map(\.keepsAlive) == [expected])
  }

  @Test("Every fault has a status for the client and a short reason")
  func faults() {
    for code in HTTP1Fault.Code.allCases {
      let own = HTTP1Fault(code)
      #expect([400, 413, 414, 417, 431, 501, 505].contains(own.status), "\(code)")
      #expect(HTTP1Fault(code, source: .upstream).status == 502)
      #expect((10...120).contains(own.reason.utf8.count), "\(code)")
    }
    #expect(HTTP1Fault(.headTooLarge).status == 431)
    #expect(HTTP1Fault(.targetTooLong).status == 414)
    #expect(HTTP1Fault(.bodyTooLarge).status == 413)
    #expect(HTTP1Fault(.unsupportedTransferCoding).status == 501)
    #expect(HTTP1Fault(.unsupportedVersion).status == 505)
  }

  @Test("A fault stays: the decoder does not resynchronise")
  func faultStays() throws {
    var decoder = RequestDecoder()
    var buffer = ByteBuffer(string: "GET / HTTP/1.1\n\n")
    let fault = #expect(throws: HTTP1Fault.self) { try decoder.next(&buffer) }
    buffer = ByteBuffer(string: get + "\r\n")
    let again = #expect(throws: HTTP1Fault.self) { try decoder.next(&buffer) }
    #expect(fault == again)
  }

  @Test("The bytes of the next request stay in the buffer until it is asked for")
  func pipelining() throws {
    var decoder = RequestDecoder()
    var buffer = ByteBuffer(string: get + "\r\n" + get + "\r\n")
    let half = buffer.readableBytes / 2
    guard case .head = try decoder.next(&buffer) else { return #expect(Bool(false)) }
    #expect(!decoder.isBetweenMessages)
    guard case .end = try decoder.next(&buffer) else { return #expect(Bool(false)) }
    #expect(decoder.isBetweenMessages)
    #expect(buffer.readableBytes == half)
  }
}
