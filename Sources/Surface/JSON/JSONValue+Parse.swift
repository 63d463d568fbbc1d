extension JSONValue {
  /// Strict RFC 8259: depth at most 128, no name twice in one object, no half surrogate pairs.
  ///
  /// Names are the same if Swift's `String` says so, that is by canonical equivalence.
  public static func parse(
    _ bytes: [UInt8], marksHalves: Bool = false
  ) throws(JSONFault) -> JSONValue {
    let result: Result<JSONValue, JSONFault> = bytes.withUnsafeBytes { buffer in
      do throws(JSONFault) { return .success(try parse(buffer, marksHalves: marksHalves)) } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  /// The same of bytes that somebody else keeps.
  ///
  /// `marksHalves`: half surrogate pairs in texts are no fault; a scalar stands for each, see `half(of:)`.
  public static func parse(
    _ bytes: UnsafeRawBufferPointer, marksHalves: Bool = false
  ) throws(JSONFault) -> JSONValue {
    do throws(JSONFlaw) {
      guard var cursor = JSONCursor(bytes) else { throw JSONFlaw(.empty, at: 0) }
      cursor.marksHalves = marksHalves
      try cursor.beginDocument()
      let value = try cursor.tree(within: 0)
      try cursor.endDocument()
      return value
    } catch {
      throw JSONFault(error, in: bytes)
    }
  }
}

extension JSONValue {
  /// Of a private plane, as no text of a model's has them.
  private static let marks: ClosedRange<UInt32> = 0x10D800...0x10DFFF

  /// The half of a surrogate pair that `scalar` marks; nil: it is itself.
  public static func half(of scalar: Unicode.Scalar) -> UInt32? {
    marks.contains(scalar.value) ? scalar.value - 0x100000 : nil
  }
}

extension JSONCursor {
  /// The value at the cursor; recursion is bounded by the depth.
  fileprivate mutating func tree(within depth: Int) throws(JSONFlaw) -> JSONValue {
    let start = at
    switch try expectByte() {
    case UInt8(ascii: "{"):
      if depth >= Self.maximumDepth { throw JSONFlaw(.tooDeep, at: at) }
      return try object(within: depth)
    case UInt8(ascii: "["):
      if depth >= Self.maximumDepth { throw JSONFlaw(.tooDeep, at: at) }
      return try array(within: depth)
    case UInt8(ascii: "\""):
      return .string(try text(try skipString()))
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      try skipNumber()
      return .number(checkedText(start..<at))
    case let first:
      try skipLiteral()
      return first == UInt8(ascii: "n") ? .null : .bool(first == UInt8(ascii: "t"))
    }
  }

  private mutating func object(within depth: Int) throws(JSONFlaw) -> JSONValue {
    var members: [JSONValue.Member] = []
    var names: Set<String> = []
    var hasMember = try firstMember()
    while hasMember {
      let token = try skipName()
      let name = try text(token)
      guard names.insert(name).inserted else {
        throw JSONFlaw(.duplicateName, at: token.range.lowerBound)
      }
      members.append(.init(name, try tree(within: depth + 1)))
      hasMember = try nextMember()
    }
    return .object(members)
  }

  private mutating func array(within depth: Int) throws(JSONFlaw) -> JSONValue {
    var elements: [JSONValue] = []
    advance()
    skipWhitespace()
    if try expectByte() == UInt8(ascii: "]") {
      advance()
      return .array(elements)
    }
    while true {
      elements.append(try tree(within: depth + 1))
      skipWhitespace()
      switch try expectByte() {
      case UInt8(ascii: ","):
        advance()
        skipWhitespace()
      case UInt8(ascii: "]"):
        advance()
        return .array(elements)
      default:
        throw JSONFlaw(.expectedCommaOrBracket, at: at)
      }
    }
  }

  /// A half comes as three bytes that are no UTF-8 (ED, A0 to BF, any): its mark takes their place.
  private func marked(_ content: [UInt8]) -> [UInt8] {
    var marked: [UInt8] = []
    var index = 0
    while index < content.count {
      guard content[index] == 0xED, content[index + 1] >= 0xA0 else {
        marked.append(content[index])
        index += 1
        continue
      }
      marked += [0xF4, 0x8D, content[index + 1], content[index + 2]]
      index += 3
    }
    return marked
  }

  private func text(_ token: JSONToken) throws(JSONFlaw) -> String {
    if !token.hasEscapes {
      return checkedText(token.range.lowerBound + 1..<token.range.upperBound - 1)
    }
    var bytes = unescaped(token)
    var content: [UInt8] = []
    content.reserveCapacity(token.range.count)
    while let byte = bytes.next() {
      content.append(byte)
      content.append(contentsOf: bytes.plainRun())
    }
    if bytes.metHalfSurrogate {
      guard marksHalves else { throw JSONFlaw(.halfSurrogate, at: token.range.lowerBound) }
      content = marked(content)
    }
    return String(decoding: content, as: UTF8.self)
  }
}
