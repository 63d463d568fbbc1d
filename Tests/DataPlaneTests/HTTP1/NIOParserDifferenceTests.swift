import DataPlane
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Support
import Testing

/// What NIO's parser makes of the same bytes.
private struct Reference {
  struct Message: Equatable {
    var start: String
    var fields: [[String]]
    var body: [UInt8] = []
    var isWhole = false
  }

  var messages: [Message] = []
  var isRefused = false
  var wholeMessages: [Message] { messages.filter(\.isWhole) }

  static func requests(_ bytes: [UInt8]) -> Reference {
    var reference = Reference()
    let channel = EmbeddedChannel()
    do {
      try channel.pipeline.syncOperations.addHandler(
        ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
      try channel.writeInbound(ByteBuffer(bytes: bytes))
    } catch {
      reference.isRefused = true
    }
    while let part = try? channel.readInbound(as: HTTPServerRequestPart.self) {
      switch part {
      case .head(let head):
        reference.messages.append(
          Message(start: "\(head.method) \(head.uri) \(head.version)", fields: list(head.headers)))
      case .body(let slice): reference.append(slice)
      case .end: reference.finish()
      }
    }
    _ = try? channel.finish(acceptAlreadyClosed: true)
    return reference
  }

  static func response(_ bytes: [UInt8]) -> Reference {
    var reference = Reference()
    let channel = EmbeddedChannel()
    do {
      try channel.pipeline.syncOperations.addHandlers(
        HTTPRequestEncoder(),
        ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .dropBytes)))
      let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/", headers: ["host": "a"])
      try channel.writeOutbound(HTTPClientRequestPart.head(head))
      try channel.writeOutbound(HTTPClientRequestPart.end(nil))
      try channel.writeInbound(ByteBuffer(bytes: bytes))
    } catch {
      reference.isRefused = true
    }
    while let part = try? channel.readInbound(as: HTTPClientResponsePart.self) {
      switch part {
      case .head(let head):
        reference.messages.append(
          Message(start: "\(head.status.code) \(head.version)", fields: list(head.headers)))
      case .body(let slice): reference.append(slice)
      case .end: reference.finish()
      }
    }
    _ = try? channel.finish(acceptAlreadyClosed: true)
    return reference
  }

  private mutating func append(_ slice: ByteBuffer) {
    guard !messages.isEmpty else { return }
    messages[messages.count - 1].body += slice.readableBytesView
  }

  private mutating func finish() {
    guard !messages.isEmpty else { return }
    messages[messages.count - 1].isWhole = true
  }

  /// NIO leaves the white space after a value, which RFC 9110 §5.5 excludes from it.
  private static func list(_ headers: HTTPHeaders) -> [[String]] {
    headers.map { name, value in
      let spaces = value.utf8.reversed().prefix { $0 == 0x20 || $0 == 0x09 }.count
      return [name, String(decoding: value.utf8.dropLast(spaces), as: UTF8.self)]
    }
  }
}

extension Transcript.Message {
  /// The same in the words of `Reference`: without what NIO's head does not say.
  fileprivate var asReference: Reference.Message {
    let words = start.split(separator: " ")
    let startWords = Int(words[0]) == nil ? words[0..<3] : words[0..<2]
    return Reference.Message(
      start: startWords.joined(separator: " "), fields: fields, body: body, isWhole: isWhole)
  }
}

/// A kind of message that we take and NIO's parser refuses, with its reason.
///
/// The other direction needs no table: being stricter is the purpose.
private struct DeliberateDifference: Sendable {
  let reason: String
  let applies: @Sendable (_ bytes: [UInt8]) -> Bool

  static let all = [
    DeliberateDifference(
      reason: """
        RFC 9110 §5.5 lets any value be followed by spaces and tabs, which belong to no value; NIO \
        refuses a tab after Content-Length and Transfer-Encoding, though not a space.
        """,
      applies: { bytes in
        String(decoding: bytes, as: UTF8.self).split(separator: "\r\n").contains { line in
          let lower = line.lowercased()
          return (lower.hasPrefix("content-length:") || lower.hasPrefix("transfer-encoding:"))
            && lower.reversed().prefix { $0 == " " || $0 == "\t" }.contains("\t")
        }
      })
  ]
}

@Suite("Differences from NIO's parser")
struct NIOParserDifferenceTests {
  @Test("Valid requests are read alike", arguments: 1...300 as ClosedRange<UInt64>)
  func validRequests(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let bytes = GeneratedMessage.requests(&random)
    let ours = Transcript.requests(bytes)
    let reference = Reference.requests(bytes)
    #expect(ours.fault == nil, "seed \(seed)")
    #expect(!reference.isRefused, "seed \(seed)")
    #expect(ours.messages.map(\.asReference) == reference.messages, "seed \(seed)")
  }

  @Test("Valid responses are read alike", arguments: 1...300 as ClosedRange<UInt64>)
  func validResponses(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let bytes = GeneratedMessage.response(&random)
    let ours = Transcript.responses(bytes)
    let reference = Reference.response(bytes)
    #expect(ours.fault == nil, "seed \(seed)")
    #expect(!reference.isRefused, "seed \(seed)")
    #expect(ours.messages.map(\.asReference) == reference.messages, "seed \(seed)")
  }

  @Test(
    "A request that NIO refuses or reads differently is never taken",
    arguments: 1...60 as ClosedRange<UInt64>)
  func mutatedRequests(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    for round in 0..<100 {
      let bytes = GeneratedMessage.mutated(GeneratedMessage.request(&random), &random)
      var ours = Transcript.requests(bytes)
      // After a message that ends the connection NIO reads nothing more; neither does our listener.
      if let last = ours.messages.firstIndex(where: { !$0.keepsAlive }) {
        ours.messages.removeSubrange((last + 1)...)
      }
      let taken = ours.wholeMessages.map(\.asReference)
      let reference = Reference.requests(bytes).wholeMessages
      if Array(reference.prefix(taken.count)) == taken { continue }
      if DeliberateDifference.all.contains(where: { $0.applies(bytes) }) { continue }
      Issue.record(
        """
        seed \(seed) round \(round): \(String(reflecting: String(decoding: bytes, as: UTF8.self)))
        ours \(ours)
        NIO \(reference)
        """)
    }
  }

  @Test(
    "A response that NIO refuses or reads differently is never taken",
    arguments: 1...60 as ClosedRange<UInt64>)
  func mutatedResponses(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    for round in 0..<100 {
      let bytes = GeneratedMessage.mutated(GeneratedMessage.response(&random), &random)
      let ours = Transcript.responses(bytes, endsInput: false)
      let taken = ours.wholeMessages.filter { !$0.start.hasSuffix("informational") }
        .map(\.asReference)
      let reference = Reference.response(bytes).wholeMessages
        .filter { !$0.start.hasPrefix("1") }
      if Array(reference.prefix(taken.count)) == taken { continue }
      if DeliberateDifference.all.contains(where: { $0.applies(bytes) }) { continue }
      Issue.record(
        """
        seed \(seed) round \(round): \(String(reflecting: String(decoding: bytes, as: UTF8.self)))
        ours \(ours)
        NIO \(reference)
        """)
    }
  }

  @Test("Each deliberate difference is still one")
  func deliberateDifferences() {
    let request = Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2 \t\r\n\r\nhi".utf8)
    #expect(DeliberateDifference.all.allSatisfy { $0.applies(request) })
    #expect(Transcript.requests(request).wholeMessages.count == 1)
    #expect(Reference.requests(request).isRefused)
  }
}
