import Glibc
public import NIOCore

/// One header field while it is looked at; the pointers are valid within the closure only.
public struct HTTP1Field {
  /// The name as sent, in the sender's case.
  public let name: UnsafeRawBufferPointer
  /// The value without the white space around it.
  public let value: UnsafeRawBufferPointer
  /// The name, if it is one that the codec knows.
  public let known: HTTP1Name?
}

/// The header fields of one message: places in a slice of the bytes they came in.
///
/// Every line was checked while parsing (RFC 9112 §5), so the raw bytes may be forwarded. Holding
/// the fields holds the read buffer they are a slice of.
public struct HTTP1Fields: Sendable {
  /// Start line, field lines and the closing empty line.
  let head: ByteBuffer
  private let places: HTTP1FieldPlaces

  init(head: ByteBuffer, places: HTTP1FieldPlaces) {
    self.head = head
    self.places = places
  }

  /// Number of field lines.
  public var count: Int { Int(places.count) }

  /// Whether the message has this field.
  public func contains(_ name: HTTP1Name) -> Bool { places.range(of: name) != nil }

  /// Whether this field occurs more than once; lookups answer the first occurrence.
  public func isRepeated(_ name: HTTP1Name) -> Bool { places.repeated.contains(name) }

  /// The first value of this field as a slice of the head, without copying.
  public func value(_ name: HTTP1Name) -> ByteBuffer? {
    guard let range = places.range(of: name) else { return nil }
    return head.getSlice(at: head.readerIndex + range.lowerBound, length: range.count)
  }

  /// Calls `body` with the bytes of this field's first value.
  @inlinable
  public func withValue<Result>(
    _ name: HTTP1Name, _ body: (UnsafeRawBufferPointer) -> Result
  ) -> Result? {
    guard let (buffer, range) = place(name) else { return nil }
    return buffer.withUnsafeReadableBytes { body(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }

  @usableFromInline
  func place(_ name: HTTP1Name) -> (ByteBuffer, Range<Int>)? {
    places.range(of: name).map { (head, $0) }
  }

  /// The first value of this field as text; bytes that are no UTF-8 are replaced.
  public func string(_ name: HTTP1Name) -> String? {
    withValue(name) { String(decoding: $0, as: UTF8.self) }
  }

  /// Whether the first value is `lower` in any case; `lower` is lower-case ASCII.
  public func value(_ name: HTTP1Name, equals lower: StaticString) -> Bool {
    withValue(name) { Self.equalsFolded($0, lower) } ?? false
  }

  /// The value of the first field called `name` in any case, whether or not the codec knows it.
  public func first(named name: String) -> String? {
    var name = name.lowercased()
    return name.withUTF8 { wanted in
      head.withUnsafeReadableBytes { bytes -> String? in
        var lines = FieldLines(bytes, from: places.start)
        while let line = lines.next() {
          let candidate = bytes.slice(line.name)
          guard candidate.count == wanted.count else { continue }
          if zip(candidate, wanted).allSatisfy({ Self.lowercased($0) == $1 }) {
            return String(decoding: bytes.slice(line.value), as: UTF8.self)
          }
        }
        return nil
      }
    }
  }

  /// Calls `body` with every field in the order received.
  public func forEach(_ body: (HTTP1Field) -> Void) {
    head.withUnsafeReadableBytes { bytes in
      var lines = FieldLines(bytes, from: places.start)
      while let line = lines.next() {
        let name = bytes.slice(line.name)
        body(
          HTTP1Field(
            name: name, value: bytes.slice(line.value), known: HTTP1Name(token: name)))
      }
    }
  }

  /// Appends the field lines, as received and each with CRLF, but those in `dropped` and those that
  /// the Connection field nominates (RFC 9110 §7.6.1).
  public func appendForwardable(
    to buffer: inout ByteBuffer, dropping dropped: HTTP1NameSet = .hopByHop
  ) {
    head.withUnsafeReadableBytes { bytes in
      var lines = FieldLines(bytes, from: places.start)
      // Neighbouring lines that stay are copied in one go.
      var kept = places.start..<places.start
      while let line = lines.next() {
        let name = bytes.slice(line.name)
        let isDropped =
          HTTP1Name(token: name).map(dropped.contains) ?? false
          || (places.nominatesFields && isNominated(name, bytes))
        if isDropped {
          if !kept.isEmpty { buffer.writeBytes(bytes.slice(kept)) }
          kept = line.end..<line.end
        } else {
          kept = kept.lowerBound..<line.end
        }
      }
      if !kept.isEmpty { buffer.writeBytes(bytes.slice(kept)) }
    }
  }

  /// Whether a Connection field names `name`.
  private func isNominated(_ name: UnsafeRawBufferPointer, _ bytes: UnsafeRawBufferPointer) -> Bool
  {
    var lines = FieldLines(bytes, from: places.start)
    while let line = lines.next() {
      guard HTTP1Name(token: bytes.slice(line.name)) == .connection else { continue }
      var options = TokenList(bytes, line.value)
      while let option = options.next() {
        let candidate = bytes.slice(option)
        if candidate.count == name.count,
          zip(candidate, name).allSatisfy({ Self.lowercased($0) == Self.lowercased($1) })
        {
          return true
        }
      }
    }
    return false
  }

  private static func lowercased(_ byte: UInt8) -> UInt8 {
    byte &- 0x41 < 26 ? byte | 0x20 : byte
  }

  private static func equalsFolded(_ bytes: UnsafeRawBufferPointer, _ lower: StaticString) -> Bool {
    guard bytes.count == lower.utf8CodeUnitCount else { return false }
    for index in 0..<bytes.count where lowercased(bytes[index]) != lower.utf8Start[index] {
      return false
    }
    return true
  }
}

/// Where the known fields' values lie, as 16-bit offsets from the start of the head.
struct HTTP1FieldPlaces: Sendable {
  /// Offset and length of each known field's first value; 0 if absent (no value starts there).
  private var table: InlineArray<30, UInt32> = .init(repeating: 0)
  /// Known fields seen more than once.
  private(set) var repeated: HTTP1NameSet = []
  /// Offset of the first field line.
  var start = 0
  /// Field lines seen.
  var count: UInt16 = 0
  /// Whether the Connection field names something else than close, keep-alive and upgrade.
  var nominatesFields = false

  func range(of name: HTTP1Name) -> Range<Int>? {
    let entry = table[Int(name.rawValue)]
    guard entry != 0 else { return nil }
    let offset = Int(entry >> 16)
    return offset..<offset + Int(entry & 0xFFFF)
  }

  /// Notes a value; false if the field was there before.
  @inline(__always)
  mutating func note(_ name: HTTP1Name, _ value: Range<Int>) -> Bool {
    guard table[Int(name.rawValue)] == 0 else {
      repeated.insert(name)
      return false
    }
    table[Int(name.rawValue)] = UInt32(value.lowerBound) << 16 | UInt32(value.count)
    return true
  }
}

/// Walks over field lines that were checked before.
struct FieldLines {
  struct Line {
    let name: Range<Int>
    let value: Range<Int>
    /// Just after the line's CRLF.
    let end: Int
  }

  private let bytes: UnsafeRawBufferPointer
  private var offset: Int

  init(_ bytes: UnsafeRawBufferPointer, from offset: Int) {
    self.bytes = bytes
    self.offset = offset
  }

  /// The next line; nil at the empty line that ends the head.
  mutating func next() -> Line? {
    guard offset < bytes.count, bytes[offset] != Octets.cr,
      let feed = bytes.firstIndex(of: Octets.lf, in: offset..<bytes.count),
      let colon = bytes.firstIndex(of: Octets.colon, in: offset..<feed)
    else { return nil }
    let start = offset
    offset = feed + 1
    return Line(
      name: start..<colon, value: bytes.trimmed(colon + 1..<feed - 1), end: feed + 1)
  }
}

/// Walks over the members of a comma-separated list, without empty ones.
struct TokenList {
  private let bytes: UnsafeRawBufferPointer
  private var rest: Range<Int>

  init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
    self.bytes = bytes
    self.rest = range
  }

  mutating func next() -> Range<Int>? {
    while !rest.isEmpty {
      let comma = bytes.firstIndex(of: UInt8(ascii: ","), in: rest)
      let member = bytes.trimmed(rest.lowerBound..<(comma ?? rest.upperBound))
      rest = (comma.map { $0 + 1 } ?? rest.upperBound)..<rest.upperBound
      if !member.isEmpty { return member }
    }
    return nil
  }
}

extension UnsafeRawBufferPointer {
  /// Offset of the first `byte` in `range`, by the C library's vectorised search.
  @inline(__always)
  func firstIndex(of byte: UInt8, in range: Range<Int>) -> Int? {
    guard let base = baseAddress, !range.isEmpty,
      let hit = memchr(base + range.lowerBound, Int32(byte), range.count)
    else { return nil }
    return UnsafeRawPointer(hit) - base
  }
}
