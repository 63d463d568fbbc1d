/// Writes compact JSON in the order of the calls; commas and escapes are its business.
///
/// Escapes quotes, backslashes and control characters; everything else, U+2028 and U+2029
/// included, stays as it is. Text is a `String`, so that invalid UTF-8 cannot come out.
public struct JSONWriter: Sendable {
  /// What was written so far.
  public private(set) var bytes: [UInt8] = []
  /// The next value or name needs a comma before it.
  private var needsComma = false

  /// An empty writer with room for `capacity` bytes.
  public init(capacity: Int = 256) { bytes.reserveCapacity(capacity) }

  /// Writes an object whose members `body` writes.
  public mutating func object<E: Error>(_ body: (inout JSONWriter) throws(E) -> Void) throws(E) {
    open(UInt8(ascii: "{"))
    try body(&self)
    close(UInt8(ascii: "}"))
  }

  /// Writes an array whose elements `body` writes.
  public mutating func array<E: Error>(_ body: (inout JSONWriter) throws(E) -> Void) throws(E) {
    open(UInt8(ascii: "["))
    try body(&self)
    close(UInt8(ascii: "]"))
  }

  /// Writes a member's name; its value must follow.
  public mutating func name(_ name: String) {
    comma()
    quoted(name)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  /// Writes a string.
  public mutating func value(_ text: String) {
    comma()
    quoted(text)
    needsComma = true
  }

  /// Writes a string, or null for nil.
  public mutating func value(_ text: String?) {
    if let text { value(text) } else { null() }
  }

  /// Writes an integer.
  public mutating func value(_ number: some BinaryInteger) { token(String(number)) }

  /// Writes an integer, or null for nil.
  public mutating func value(_ number: (some BinaryInteger)?) {
    if let number { value(number) } else { null() }
  }

  /// Writes `true` or `false`.
  public mutating func value(_ truth: Bool) { token(truth ? "true" : "false") }

  /// Writes `null`.
  public mutating func null() { token("null") }

  /// Writes a tree.
  public mutating func value(_ tree: JSONValue) {
    switch tree {
    case .object(let members):
      object { writer in
        for member in members { writer.member(member.name, member.value) }
      }
    case .array(let elements):
      array { writer in
        for element in elements { writer.value(element) }
      }
    case .string(let text): value(text)
    case .number(let text):
      assert(isJSONNumber(text), "not a number as JSON writes them")
      token(text)
    case .bool(let truth): value(truth)
    case .null: null()
    }
  }

  /// Writes a member with a string, or with null for nil.
  public mutating func member(_ name: String, _ text: String?) {
    self.name(name)
    value(text)
  }

  /// Writes a member with an integer, or with null for nil.
  public mutating func member(_ name: String, _ number: (some BinaryInteger)?) {
    self.name(name)
    value(number)
  }

  /// Writes a member with a truth value.
  public mutating func member(_ name: String, _ truth: Bool) {
    self.name(name)
    value(truth)
  }

  /// Writes a member with a tree.
  public mutating func member(_ name: String, _ tree: JSONValue) {
    self.name(name)
    value(tree)
  }

  private mutating func open(_ bracket: UInt8) {
    comma()
    bytes.append(bracket)
    needsComma = false
  }

  private mutating func close(_ bracket: UInt8) {
    bytes.append(bracket)
    needsComma = true
  }

  private mutating func comma() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
  }

  private mutating func token(_ text: String) {
    comma()
    bytes.append(contentsOf: text.utf8)
    needsComma = true
  }

  private mutating func quoted(_ text: String) {
    appendJSONString(text, to: &bytes)
  }
}

/// Whether `text` is a number by JSON's grammar; for the debug check of trees built by hand.
private func isJSONNumber(_ text: String) -> Bool {
  let bytes = Array(text.utf8)
  guard let first = bytes.first else { return false }
  return (first == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first))
    && bytes.withUnsafeBytes { JSONValidator.fault(in: $0) == nil }
}

/// Appends `text` as a JSON string token, quotes included.
///
/// No room is reserved: it would be exact, and a writer of many strings would move all that it has with each.
public func appendJSONString(_ text: String, to bytes: inout [UInt8]) {
  var text = text
  bytes.append(UInt8(ascii: "\""))
  text.withUTF8 { utf8 in
    var start = 0
    while true {
      let end = plainEnd(utf8, from: start)
      if end > start { bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start..<end])) }
      guard end < utf8.count else { break }
      appendEscaped(utf8[end], to: &bytes)
      start = end + 1
    }
  }
  bytes.append(UInt8(ascii: "\""))
}

private func appendEscaped(_ byte: UInt8, to bytes: inout [UInt8]) {
  bytes.append(UInt8(ascii: "\\"))
  switch byte {
  case 0x08: bytes.append(UInt8(ascii: "b"))
  case 0x09: bytes.append(UInt8(ascii: "t"))
  case 0x0A: bytes.append(UInt8(ascii: "n"))
  case 0x0C: bytes.append(UInt8(ascii: "f"))
  case 0x0D: bytes.append(UInt8(ascii: "r"))
  case 0..<0x20, 0x7F:
    bytes.append(contentsOf: "u00".utf8)
    bytes.append(hexDigit(byte >> 4))
    bytes.append(hexDigit(byte & 15))
  case _: bytes.append(byte)
  }
}

/// The first byte from `start` on that does not stand for itself in a JSON string, or the count; eight at a time.
///
/// The lowest marked byte of a test is exact, whatever borrows do above it, and only the lowest is used.
private func plainEnd(_ utf8: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
  let raw = UnsafeRawBufferPointer(utf8)
  let ones: UInt64 = 0x0101_0101_0101_0101
  var index = start
  while index &+ 8 <= raw.count {
    let word = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: index, as: UInt64.self))
    let quotes = word ^ (0x22 &* ones)
    let slashes = word ^ (0x5C &* ones)
    let deletes = word ^ (0x7F &* ones)
    let marks =
      (((quotes &- ones) & ~quotes) | ((slashes &- ones) & ~slashes)
        | ((deletes &- ones) & ~deletes) | ((word &- (0x20 &* ones)) & ~word)) & (0x80 &* ones)
    if marks != 0 { return index &+ marks.trailingZeroBitCount >> 3 }
    index &+= 8
  }
  while index < raw.count, standsForItself(raw[index]) { index &+= 1 }
  return index
}

/// Whether the byte stands for itself in a JSON string.
private func standsForItself(_ byte: UInt8) -> Bool {
  byte >= 0x20 && byte != 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
}

private func hexDigit(_ nibble: UInt8) -> UInt8 {
  nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
}
