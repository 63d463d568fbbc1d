import DataPlane
import NIOCore

/// What a decoder made of some bytes, in a form that can be compared.
struct Transcript: Equatable, CustomStringConvertible {
  struct Message: Equatable {
    /// Method or status first, then what the head says of framing and connection.
    var start: String
    var fields: [[String]] = []
    var body: [UInt8] = []
    var isWhole = false
    var keepsAlive = true
  }

  var messages: [Message] = []
  var fault: HTTP1Fault.Code?

  var description: String {
    let heads = messages.map {
      "\($0.start) \($0.fields) body \($0.body.count)\($0.isWhole ? "" : " unfinished")"
    }
    return "\(heads) fault \(fault?.rawValue ?? "none")"
  }

  var wholeMessages: [Message] { messages.filter(\.isWhole) }

  /// Feeds `bytes`, cut before each offset in `cuts`, to a request decoder, then ends the input if
  /// asked to.
  static func requests(
    _ bytes: [UInt8], cuts: [Int] = [], limits: HTTP1Limits = HTTP1Limits(), bodyLimit: Int = .max,
    endsInput: Bool = true
  ) -> Transcript {
    var transcript = Transcript()
    var decoder = RequestDecoder(limits: limits)
    decoder.bodyLimit = bodyLimit
    var buffer = ByteBuffer()
    do throws(HTTP1Fault) {
      for piece in pieces(bytes, cuts) {
        buffer.writeBytes(piece)
        try transcript.drainRequests(&decoder, &buffer)
      }
      if endsInput { try decoder.endOfInput(buffer) }
    } catch {
      transcript.fault = error.code
    }
    return transcript
  }

  private mutating func drainRequests(
    _ decoder: inout RequestDecoder, _ buffer: inout ByteBuffer
  ) throws(HTTP1Fault) {
    while true {
      switch try decoder.next(&buffer) {
      case .needMore: return
      case .head(let head):
        messages.append(
          Message(
            start: "\(head.method.token) \(head.target) \(head.version.token) \(head.framing)"
              + (head.expectsContinue ? " expects" : ""),
            fields: Self.list(head.fields), keepsAlive: head.keepsAlive))
      case .body(let slice): messages[messages.count - 1].body += slice.readableBytesView
      case .end: messages[messages.count - 1].isWhole = true
      }
    }
  }

  /// The same for the responses to requests with `methods`, one after another.
  static func responses(
    _ bytes: [UInt8], to methods: [HTTP1Method] = [.get], cuts: [Int] = [],
    limits: HTTP1Limits = HTTP1Limits(), endsInput: Bool = true
  ) -> Transcript {
    var transcript = Transcript()
    var decoder = ResponseDecoder(limits: limits)
    var waiting = methods[...]
    if let first = waiting.popFirst() { decoder.expectResponse(to: first) }
    var buffer = ByteBuffer()
    do throws(HTTP1Fault) {
      for piece in pieces(bytes, cuts) {
        buffer.writeBytes(piece)
        while let event = try transcript.nextOfResponse(&decoder, &buffer) {
          if event, let next = waiting.popFirst() { decoder.expectResponse(to: next) }
        }
      }
      if endsInput, case .end = try decoder.endOfInput(buffer) {
        transcript.messages[transcript.messages.count - 1].isWhole = true
      }
    } catch {
      transcript.fault = error.code
    }
    return transcript
  }

  /// Takes one event; true if it ended a response, nil if there was none.
  private mutating func nextOfResponse(
    _ decoder: inout ResponseDecoder, _ buffer: inout ByteBuffer
  ) throws(HTTP1Fault) -> Bool? {
    switch try decoder.next(&buffer) {
    case .needMore: return nil
    case .informational(let head):
      messages.append(Message(start: "\(head.status) informational", isWhole: true))
    case .head(let head):
      messages.append(
        Message(
          start: "\(head.status) \(head.version.token) \(head.framing)",
          fields: Self.list(head.fields), keepsAlive: head.keepsAlive))
    case .body(let slice): messages[messages.count - 1].body += slice.readableBytesView
    case .end:
      messages[messages.count - 1].isWhole = true
      return true
    }
    return false
  }

  private static func list(_ fields: HTTP1Fields) -> [[String]] {
    var list: [[String]] = []
    fields.forEach { field in
      list.append([
        String(decoding: field.name, as: UTF8.self), String(decoding: field.value, as: UTF8.self),
      ])
    }
    return list
  }

  private static func pieces(_ bytes: [UInt8], _ cuts: [Int]) -> [ArraySlice<UInt8>] {
    let edges = [0] + cuts.sorted() + [bytes.count]
    return zip(edges, edges.dropFirst()).map { bytes[$0..<$1] }
  }
}

extension [UInt8] {
  /// Every offset within, so that a decoder gets one byte at a time.
  var everyCut: [Int] { count < 2 ? [] : Array<Int>(1..<count) }
}
