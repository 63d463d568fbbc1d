/// What an answer depends on, read from the body of `POST /v1/chat/completions`.
struct ChatRequest: Sendable, Equatable {
  /// The JSON string as the client wrote it, quotes included.
  var modelToken: [UInt8] = []
  var isStream = false
  var includesUsage = false
  var hasStreamOptions = false
  /// `max_completion_tokens`, else `max_tokens`.
  var maximumTokens: Int?
  /// Words in the `content` and `text` members below `messages`.
  var promptWords = 0

  /// The model's name; nil if its token holds an escape, which no model of a scenario needs.
  var model: String? {
    guard !modelToken.contains(UInt8(ascii: "\\")) else { return nil }
    return String(validating: modelToken.dropFirst().dropLast(), as: UTF8.self)
  }

  /// Why a body is no chat request.
  struct Fault: Error, Sendable, Equatable {
    var offset: Int
    var reason: String
  }

  /// One pass over a whole body, at most 64 levels deep.
  static func read(_ bytes: UnsafeRawBufferPointer) throws(Fault) -> ChatRequest {
    var scanner = Scanner(bytes: bytes)
    return try scanner.document()
  }
}

/// A recursive-descent reader of JSON that keeps what `ChatRequest` wants and checks the shape of the rest.
private struct Scanner {
  let bytes: UnsafeRawBufferPointer
  var offset = 0
  var request = ChatRequest()
  var sawMessages = false

  /// Where a value stands.
  enum Place {
    case elsewhere, messages, words, streamOptions
  }

  init(bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
  }

  mutating func document() throws(ChatRequest.Fault) -> ChatRequest {
    skipBlanks()
    guard peek() == UInt8(ascii: "{") else { throw fault("an object is expected") }
    try object(isTop: true, place: .elsewhere, depth: 1)
    skipBlanks()
    guard offset == bytes.count else { throw fault("bytes follow the document") }
    guard !request.modelToken.isEmpty else { throw fault("model is missing") }
    guard sawMessages else { throw fault("messages is missing") }
    return request
  }

  private mutating func object(
    isTop: Bool, place: Place, depth: Int
  ) throws(ChatRequest.Fault) {
    offset += 1
    skipBlanks()
    if peek() == UInt8(ascii: "}") {
      offset += 1
      return
    }
    while true {
      skipBlanks()
      let name = try string()
      skipBlanks()
      try expect(":")
      skipBlanks()
      if isTop {
        try topLevel(name, depth)
      } else if place == .streamOptions, bytes[name].elementsEqual("include_usage".utf8) {
        request.includesUsage = peek() == UInt8(ascii: "t")
        try value(.elsewhere, depth)
      } else if place == .messages,
        bytes[name].elementsEqual("content".utf8) || bytes[name].elementsEqual("text".utf8)
      {
        try value(.words, depth)
      } else {
        try value(place == .words ? .messages : place, depth)
      }
      skipBlanks()
      if peek() == UInt8(ascii: ",") {
        offset += 1
        continue
      }
      try expect("}")
      return
    }
  }

  private mutating func topLevel(
    _ name: Range<Int>, _ depth: Int
  ) throws(ChatRequest.Fault) {
    let start = offset
    let name = bytes[name]
    if name.elementsEqual("model".utf8) {
      guard peek() == UInt8(ascii: "\"") else { throw fault("model must be a string") }
      _ = try string()
      request.modelToken = Array(bytes[start..<offset])
    } else if name.elementsEqual("stream".utf8) {
      request.isStream = peek() == UInt8(ascii: "t")
      try value(.elsewhere, depth)
    } else if name.elementsEqual("stream_options".utf8) {
      request.hasStreamOptions = true
      try value(.streamOptions, depth)
    } else if name.elementsEqual("messages".utf8) {
      guard peek() == UInt8(ascii: "[") else { throw fault("messages must be a list") }
      sawMessages = true
      try value(.messages, depth)
    } else if name.elementsEqual("max_tokens".utf8)
      || name.elementsEqual("max_completion_tokens".utf8)
    {
      try value(.elsewhere, depth)
      let text = String(decoding: bytes[start..<offset], as: UTF8.self)
      if let limit = Int(text), limit > 0 { request.maximumTokens = limit }
    } else {
      try value(.elsewhere, depth)
    }
  }

  private mutating func value(_ place: Place, _ depth: Int) throws(ChatRequest.Fault) {
    guard depth < 64 else { throw fault("nested too deeply") }
    switch peek() {
    case UInt8(ascii: "{"):
      try object(isTop: false, place: place == .words ? .messages : place, depth: depth + 1)
    case UInt8(ascii: "["):
      offset += 1
      skipBlanks()
      if peek() == UInt8(ascii: "]") {
        offset += 1
        return
      }
      while true {
        skipBlanks()
        try value(place, depth + 1)
        skipBlanks()
        if peek() == UInt8(ascii: ",") {
          offset += 1
          continue
        }
        try expect("]")
        return
      }
    case UInt8(ascii: "\""):
      let text = try string()
      if place == .words { countWords(text) }
    case UInt8(ascii: "t"): try literal("true")
    case UInt8(ascii: "f"): try literal("false")
    case UInt8(ascii: "n"): try literal("null")
    default: try number()
    }
  }

  private mutating func countWords(_ text: Range<Int>) {
    var isInWord = false
    for byte in bytes[text] {
      let isBlank = byte == UInt8(ascii: " ")
      if !isBlank, !isInWord { request.promptWords += 1 }
      isInWord = !isBlank
    }
  }

  /// The range between the quotes.
  private mutating func string() throws(ChatRequest.Fault) -> Range<Int> {
    try expect("\"")
    let start = offset
    while let byte = peek() {
      switch byte {
      case UInt8(ascii: "\""):
        offset += 1
        return start..<(offset - 1)
      case UInt8(ascii: "\\"): offset += 2
      case 0..<0x20: throw fault("a control byte in a string")
      default: offset += 1
      }
    }
    throw fault("an unfinished string")
  }

  private mutating func number() throws(ChatRequest.Fault) {
    let start = offset
    while let byte = peek() {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"),
        UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
        offset += 1
      default:
        guard offset > start else { throw fault("a value is expected") }
        return
      }
    }
    throw fault("the document ends early")
  }

  private mutating func literal(_ text: StaticString) throws(ChatRequest.Fault) {
    let end = offset + text.utf8CodeUnitCount
    guard end <= bytes.count,
      bytes[offset..<end].elementsEqual(
        UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    else { throw fault("a value is expected") }
    offset = end
  }

  private mutating func expect(_ character: Unicode.Scalar) throws(ChatRequest.Fault) {
    guard peek() == UInt8(ascii: character) else { throw fault("“\(character)” is expected") }
    offset += 1
  }

  private mutating func skipBlanks() {
    while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      offset += 1
    }
  }

  private func peek() -> UInt8? {
    offset < bytes.count ? bytes[offset] : nil
  }

  private func fault(_ reason: String) -> ChatRequest.Fault {
    ChatRequest.Fault(offset: min(offset, bytes.count), reason: reason)
  }
}
