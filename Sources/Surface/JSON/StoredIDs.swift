/// The ids in an answer of Responses by which later requests may refer to what its account stores.
public enum StoredIDs {
  /// Of a whole answer, or of the data of a frame: the response's own id, and that of its last encrypted thought.
  ///
  /// At most two; empty for what is none of both.
  public static func ids(in bytes: UnsafeRawBufferPointer) -> [String] {
    guard var cursor = JSONCursor(bytes) else { return [] }
    do throws(JSONFlaw) {
      try cursor.beginDocument()
      guard try cursor.expectByte() == UInt8(ascii: "{") else { return [] }
      var ids: [Range<Int>] = []
      try cursor.responseIDs(depth: 1, &ids)
      return ids.compactMap { text(bytes, $0) }
    } catch {
      return []
    }
  }

  /// The text of a string's bytes, quotes included; nil: it is not 1 to 512 bytes of text.
  public static func text(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> String? {
    guard
      case .success(.string(let text)) = Result(catching: { () throws(JSONFault) in
        try JSONValue.parse(Array(bytes[range]))
      }), 1...512 ~= text.utf8.count
    else { return nil }
    return text
  }
}

extension JSONCursor {
  /// The members of a response, or of the frame that wraps it.
  fileprivate mutating func responseIDs(
    depth: Int, _ ids: inout [Range<Int>]
  ) throws(JSONFlaw) {
    var hasMember = try firstMember()
    while hasMember {
      let name = try skipName()
      if equals(name, "id"), try expectByte() == UInt8(ascii: "\"") {
        ids.append(try skipString().range)
      } else if depth == 1, equals(name, "response"), try expectByte() == UInt8(ascii: "{") {
        try responseIDs(depth: 2, &ids)
      } else if equals(name, "output") {
        if let last = try reasoningIDs(within: depth).last { ids.append(last) }
      } else {
        try skipValue(within: depth)
      }
      hasMember = try nextMember()
    }
  }

  /// The ids of the encrypted thoughts in the array at the cursor, in order; none for a value of another kind.
  mutating func reasoningIDs(within depth: Int) throws(JSONFlaw) -> [Range<Int>] {
    guard try expectByte() == UInt8(ascii: "[") else {
      try skipValue(within: depth)
      return []
    }
    advance()
    skipWhitespace()
    var ids: [Range<Int>] = []
    if try expectByte() == UInt8(ascii: "]") {
      advance()
      return ids
    }
    while true {
      if try expectByte() == UInt8(ascii: "{") {
        if let id = try reasoningID(within: depth + 2) { ids.append(id) }
      } else {
        try skipValue(within: depth + 1)
      }
      skipWhitespace()
      switch try expectByte() {
      case UInt8(ascii: ","):
        advance()
        skipWhitespace()
      case UInt8(ascii: "]"):
        advance()
        return ids
      default: throw JSONFlaw(.expectedCommaOrBracket, at: at)
      }
    }
  }

  private mutating func reasoningID(within depth: Int) throws(JSONFlaw) -> Range<Int>? {
    var id: Range<Int>?
    var isReasoning = false
    var isEncrypted = false
    var hasMember = try firstMember()
    while hasMember {
      let name = try skipName()
      let isString = try expectByte() == UInt8(ascii: "\"")
      if isString {
        let value = try skipString()
        if equals(name, "id") { id = value.range }
        if equals(name, "type") { isReasoning = equals(value, "reasoning") }
        if equals(name, "encrypted_content") { isEncrypted = !isCarried(value) }
      } else {
        try skipValue(within: depth)
      }
      hasMember = try nextMember()
    }
    return isReasoning && isEncrypted ? id : nil
  }

  /// What a translation put there for another maker's model: no account stores it, and any may be told.
  private func isCarried(_ content: JSONToken) -> Bool {
    let mark: StaticString = "signalbox."
    var bytes = unescaped(content)
    for index in 0..<mark.utf8CodeUnitCount where bytes.next() != mark.utf8Start[index] {
      return false
    }
    return true
  }
}
