/// Splits the bytes of one JSON array of objects into frames over any chunk borders, as `SSEFramer` does with an
/// event stream: Gemini streams so where `alt=sse` is not asked for.
///
/// A frame is an object with the white space, bracket or comma before it; its data is the object. The last frame's
/// data is the closing bracket. An object that stands alone, without an array, is a frame too: proxies answer so.
public struct JSONArrayFramer: Sendable {
  /// What can be wrong with the stream.
  public enum Fault: Error, Sendable, Hashable {
    /// It is no array of objects.
    case malformed
    /// A frame exceeds the bound, in bytes.
    case frameTooLong(limit: Int)
  }

  private enum Place {
    case start
    /// After the opening bracket.
    case first
    /// After an object.
    case between
    /// After a comma.
    case next
    case object
    case over
  }

  private let limit: Int
  private var place = Place.start
  private var isBare = false
  private var nesting = JSONNesting()
  /// Bytes of the unfinished frame from earlier chunks, and where in them its data begins.
  private var carry: [UInt8] = []
  /// Bytes taken in that belong to an element not ended yet.
  public var pendingBytes: Int { carry.count }
  private var dataStart = 0
  private var fault: Fault?

  /// A framer at the start of a stream; frames of more than `maximumFrameBytes` are refused.
  public init(maximumFrameBytes: Int = SSEFramer.standardFrameBytes) { limit = maximumFrameBytes }

  /// Whether `frame` is the closing bracket.
  public static func isEnd(_ frame: borrowing SSEFrame) -> Bool {
    frame.data?.count == 1 && frame.data?[0] == UInt8(ascii: "]")
  }

  /// Takes the next bytes of the stream and calls `body` for each frame that ends in them, in order.
  ///
  /// Throws where the stream is no such array; from then on every call throws the same.
  public mutating func append(
    _ chunk: UnsafeRawBufferPointer, _ body: (borrowing SSEFrame) -> Void
  ) throws(Fault) {
    if let fault { throw fault }
    var frameStart = 0
    for index in 0..<chunk.count {
      let byte = chunk[index]
      if place == .object {
        guard endsObject(byte) else { continue }
        place = isBare ? .over : .between
      } else {
        if byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { continue }
        switch (place, byte) {
        case (.start, UInt8(ascii: "[")):
          place = .first
          continue
        case (.start, UInt8(ascii: "{")), (.first, UInt8(ascii: "{")), (.next, UInt8(ascii: "{")):
          isBare = place == .start
          place = .object
          nesting = JSONNesting()
          _ = nesting.take(byte)
          dataStart = carry.count + index - frameStart
          continue
        case (.between, UInt8(ascii: ",")):
          place = .next
          continue
        case (.first, UInt8(ascii: "]")), (.between, UInt8(ascii: "]")):
          place = .over
          dataStart = carry.count + index - frameStart
        case _: throw fail(.malformed)
        }
      }
      try end(chunk, from: frameStart, to: index + 1, body)
      frameStart = index + 1
    }
    let rest = UnsafeRawBufferPointer(rebasing: chunk[frameStart...])
    // What stands behind the end is white space, and belongs to nothing.
    guard place != .over else { return }
    guard carry.count + rest.count <= limit else { throw fail(.frameTooLong(limit: limit)) }
    carry.append(contentsOf: rest)
  }

  /// Whether the object that is open ends with this byte.
  private mutating func endsObject(_ byte: UInt8) -> Bool {
    nesting.take(byte) == .closes && nesting.depth == 0
  }

  private mutating func end(
    _ chunk: UnsafeRawBufferPointer, from start: Int, to end: Int,
    _ body: (borrowing SSEFrame) -> Void
  ) throws(Fault) {
    guard carry.count + end - start <= limit else { throw fail(.frameTooLong(limit: limit)) }
    let part = UnsafeRawBufferPointer(rebasing: chunk[start..<end])
    if carry.isEmpty {
      let data = UnsafeRawBufferPointer(rebasing: part[dataStart...])
      body(SSEFrame(end: end, byteCount: part.count, data: data, event: nil))
      return
    }
    var raw: [UInt8] = []
    swap(&raw, &carry)
    raw.append(contentsOf: part)
    raw.withUnsafeBytes { raw in
      let data = UnsafeRawBufferPointer(rebasing: raw[dataStart...])
      body(SSEFrame(end: end, byteCount: raw.count, data: data, event: nil))
    }
  }

  private mutating func fail(_ fault: Fault) -> Fault {
    self.fault = fault
    carry = []
    return fault
  }
}
