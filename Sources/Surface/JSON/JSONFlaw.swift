/// A fault while scanning, small enough for registers; `JSONFault` is made of it once, at the end.
struct JSONFlaw: Error {
  var offset: Int
  var reason: JSONReason
  var field: RequestField?

  init(_ reason: JSONReason, at offset: Int, field: RequestField? = nil) {
    self.offset = offset
    self.reason = reason
    self.field = field
  }
}

/// All sentences that a `JSONFault` may say.
enum JSONReason: UInt8, CaseIterable {
  case empty
  case byteOrderMark
  case unexpectedEnd
  case expectedValue
  case expectedName
  case expectedColon
  case expectedCommaOrBrace
  case expectedCommaOrBracket
  case trailingBytes
  case tooDeep
  case controlCharacter
  case badUTF8
  case badEscape
  case badNumber
  case badLiteral
  case halfSurrogate
  case tooManyMembers
  case nameTooLong
  case notAnObject
  case duplicateName
  case modelMissing
  case modelNotAString
  case modelLength
  case modelNotText
  case streamNotABoolean
  case streamOptionsNotAnObject
  case includeUsageNotABoolean

  var text: String {
    switch self {
    case .empty: "there is no JSON document"
    case .byteOrderMark: "a byte order mark stands before the document"
    case .unexpectedEnd: "the document ends too early"
    case .expectedValue: "a value is expected here"
    case .expectedName: "a member's name in double quotes is expected here"
    case .expectedColon: "a colon is expected here"
    case .expectedCommaOrBrace: "a comma or a closing brace is expected here"
    case .expectedCommaOrBracket: "a comma or a closing bracket is expected here"
    case .trailingBytes: "something follows the end of the document"
    case .tooDeep: "objects and arrays are nested deeper than \(JSONCursor.maximumDepth)"
    case .controlCharacter: "a control character stands unescaped in a string"
    case .badUTF8: "the bytes here are not UTF-8"
    case .badEscape: "the escape here is not one of JSON's"
    case .badNumber: "the number here breaks JSON's grammar"
    case .badLiteral: "a word other than true, false and null stands here"
    case .halfSurrogate: "an escape here is half of a surrogate pair"
    case .tooManyMembers:
      "the top level has more than \(JSONCursor.maximumTopLevelMembers) members"
    case .nameTooLong:
      "a name at the top level is longer than \(JSONCursor.maximumTopLevelNameBytes) bytes"
    case .notAnObject: "the document is not an object"
    case .duplicateName: "the name here was already used in the same object"
    case .modelMissing: "model is missing"
    case .modelNotAString: "model is not a string"
    case .modelLength: "model does not have 1 to \(JSONCursor.maximumModelBytes) bytes"
    case .modelNotText: "model has an escape that is half of a surrogate pair"
    case .streamNotABoolean: "stream is not true, false or null"
    case .streamOptionsNotAnObject: "stream_options is not an object or null"
    case .includeUsageNotABoolean: "stream_options.include_usage is not true or false"
    }
  }

  var kind: JSONFault.Kind {
    switch self {
    case .empty, .byteOrderMark, .unexpectedEnd, .expectedValue, .expectedName, .expectedColon,
      .expectedCommaOrBrace, .expectedCommaOrBracket, .trailingBytes, .tooDeep, .controlCharacter,
      .badUTF8, .badEscape, .badNumber, .badLiteral, .halfSurrogate, .tooManyMembers, .nameTooLong:
      .syntax
    case .duplicateName: .duplicateField
    case .modelMissing: .missingField
    case .notAnObject, .modelNotAString, .modelLength, .modelNotText, .streamNotABoolean,
      .streamOptionsNotAnObject, .includeUsageNotABoolean:
      .invalidField
    }
  }
}

extension JSONFault {
  /// Works out the line and the column by looking at the bytes before the flaw once more.
  init(_ flaw: JSONFlaw, in bytes: UnsafeRawBufferPointer) {
    var line = 1
    var lineStart = 0
    var index = 0
    let end = min(flaw.offset, bytes.count)
    while index < end {
      let byte = bytes[index]
      index += 1
      if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
        if byte == UInt8(ascii: "\r"), index < end, bytes[index] == UInt8(ascii: "\n") {
          index += 1
        }
        line += 1
        lineStart = index
      }
    }
    self.init(
      kind: flaw.reason.kind, offset: flaw.offset, line: line, column: end - lineStart + 1,
      reason: flaw.reason.text, field: flaw.field?.rawValue)
  }
}
