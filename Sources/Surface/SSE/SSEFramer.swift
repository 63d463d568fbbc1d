/// Splits an SSE byte stream into frames over any chunk borders, so that a proxy can forward the
/// bytes unchanged and still know where frames end.
///
/// LF, CRLF and CR end lines. A frame ends with its blank line, line end included; comments and blank
/// lines count as bytes of the frame that they stand in. Frames are the same for every chunking.
///
/// Where a blank line ends in CR, only the next byte tells whether an LF belongs to it. The framer
/// waits for that byte, except in streams whose line before ended in a lone CR too: there the frame
/// ends at once, and an LF after it counts to the next frame.
public struct SSEFramer: Sendable {
  /// Bound of one frame, in bytes, unless told otherwise: 16 MiB.
  ///
  /// Pictures come in one, and so does a request's text that a provider repeats.
  public static let standardFrameBytes = 16 << 20
  /// Buffers that grew beyond this are given back when their frame is done.
  private static let keptBytes = 64 << 10

  private enum LineEnd { case lf, cr, crlf }

  private let limit: Int
  /// Bytes of the unfinished frame from earlier chunks.
  private var carry: [UInt8] = []
  /// For the data of frames with several data lines.
  private var joined: [UInt8] = []
  /// No byte has come on the current line yet.
  private var lineIsBlank = true
  private var lastLineEnd = LineEnd.lf
  /// The byte before was a CR: an LF now belongs to it.
  private var isAfterCR = false
  /// The CR before ends a frame as soon as the next byte is known.
  private var frameEndsAfterCR = false
  /// How many bytes of a byte order mark the stream began with; nil once that is settled.
  private var markBytes: Int? = 0
  private var firstFrameHasMark = false
  private var fault: SSEFault?

  /// Bytes taken in that belong to a frame not ended yet.
  public var pendingBytes: Int { carry.count }

  /// A framer at the start of a stream; frames of more than `maximumFrameBytes` are refused.
  public init(maximumFrameBytes: Int = SSEFramer.standardFrameBytes) {
    self.limit = maximumFrameBytes
  }

  /// Takes the next bytes of the stream and calls `body` for each frame that ends in them, in order.
  ///
  /// Throws after a frame grew beyond its bound; from then on every call throws the same.
  public mutating func append(
    _ chunk: UnsafeRawBufferPointer, _ body: (borrowing SSEFrame) -> Void
  ) throws(SSEFault) {
    if let fault { throw fault }
    var frameStart = 0
    var index = settleMark(chunk)
    while index < chunk.count {
      if isAfterCR {
        let isLF = chunk[index] == UInt8(ascii: "\n")
        if isLF { index += 1 }
        lastLineEnd = isLF ? .crlf : .cr
        isAfterCR = false
        if frameEndsAfterCR {
          frameEndsAfterCR = false
          try end(chunk, from: frameStart, to: index, body)
          frameStart = index
        }
        continue
      }
      let lineEnd = nextLineEnd(chunk, from: index)
      if lineEnd > index { lineIsBlank = false }
      guard lineEnd < chunk.count else { break }
      index = lineEnd + 1
      let endsFrame = lineIsBlank
      lineIsBlank = true
      if chunk[lineEnd] == UInt8(ascii: "\n") {
        lastLineEnd = .lf
      } else {
        isAfterCR = true
        if endsFrame, lastLineEnd != .cr {
          frameEndsAfterCR = true
          continue
        }
      }
      if endsFrame {
        try end(chunk, from: frameStart, to: index, body)
        frameStart = index
      }
    }
    guard carry.count + chunk.count - frameStart <= limit else { throw tooLong() }
    carry.append(contentsOf: UnsafeRawBufferPointer(rebasing: chunk[frameStart...]))
  }

  /// The stream has ended: calls `body` if the last byte was a CR that ends a frame.
  ///
  /// Returns the bytes of an unfinished frame: 0 if the stream ended cleanly.
  public mutating func finish(_ body: (borrowing SSEFrame) -> Void) -> Int {
    if frameEndsAfterCR, fault == nil {
      frameEndsAfterCR = false
      var raw: [UInt8] = []
      swap(&raw, &carry)
      raw.withUnsafeBytes { deliver($0, end: 0, body) }
    }
    return carry.count
  }

  // MARK: Lines

  /// Steps over what the stream begins with as far as it is a byte order mark; gives the next index.
  private mutating func settleMark(_ chunk: UnsafeRawBufferPointer) -> Int {
    guard var matched = markBytes else { return 0 }
    var index = 0
    while matched < 3, index < chunk.count {
      let expected: UInt8 = matched == 0 ? 0xEF : matched == 1 ? 0xBB : 0xBF
      guard chunk[index] == expected else {
        if matched > 0 { lineIsBlank = false }
        markBytes = nil
        return index
      }
      matched += 1
      index += 1
    }
    firstFrameHasMark = matched == 3
    markBytes = matched == 3 ? nil : matched
    return index
  }

  /// The first CR or LF from `start` on, or `chunk.count`; eight bytes at a time.
  private func nextLineEnd(_ chunk: UnsafeRawBufferPointer, from start: Int) -> Int {
    let ones: UInt64 = 0x0101_0101_0101_0101
    var index = start
    while index &+ 8 <= chunk.count {
      let word = UInt64(littleEndian: chunk.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      let feeds = word ^ 0x0A0A_0A0A_0A0A_0A0A
      let returns = word ^ 0x0D0D_0D0D_0D0D_0D0D
      let marks =
        (((feeds &- ones) & ~feeds) | ((returns &- ones) & ~returns)) & 0x8080_8080_8080_8080
      if marks != 0 { return index &+ marks.trailingZeroBitCount >> 3 }
      index &+= 8
    }
    while index < chunk.count, chunk[index] != UInt8(ascii: "\n"),
      chunk[index] != UInt8(ascii: "\r")
    {
      index += 1
    }
    return index
  }

  // MARK: Frames

  /// A frame is whole with these bytes of the chunk.
  private mutating func end(
    _ chunk: UnsafeRawBufferPointer, from start: Int, to end: Int,
    _ body: (borrowing SSEFrame) -> Void
  ) throws(SSEFault) {
    guard carry.count + end - start <= limit else { throw tooLong() }
    let part = UnsafeRawBufferPointer(rebasing: chunk[start..<end])
    if carry.isEmpty {
      deliver(part, end: end, body)
      return
    }
    var raw: [UInt8] = []
    swap(&raw, &carry)
    raw.append(contentsOf: part)
    raw.withUnsafeBytes { deliver($0, end: end, body) }
    if raw.capacity <= Self.keptBytes {
      raw.removeAll(keepingCapacity: true)
      swap(&raw, &carry)
    }
  }

  private mutating func tooLong() -> SSEFault {
    let fault = SSEFault.frameTooLong(limit: limit)
    self.fault = fault
    carry = []
    return fault
  }

  /// Reads the fields of one whole frame and hands it on.
  private mutating func deliver(
    _ raw: UnsafeRawBufferPointer, end: Int, _ body: (borrowing SSEFrame) -> Void
  ) {
    var data: UnsafeRawBufferPointer?
    var dataLines = 0
    var event: UnsafeRawBufferPointer?
    var index = firstFrameHasMark ? 3 : 0
    firstFrameHasMark = false
    while index < raw.count {
      let lineEnd = nextLineEnd(raw, from: index)
      let line = UnsafeRawBufferPointer(rebasing: raw[index..<lineEnd])
      index = lineEnd + 1
      if let value = field(line, "data") {
        dataLines += 1
        if dataLines == 1 {
          data = value
          continue
        }
        if dataLines == 2 {
          joined.removeAll(keepingCapacity: true)
          if let data { joined.append(contentsOf: data) }
        }
        joined.append(UInt8(ascii: "\n"))
        joined.append(contentsOf: value)
      } else if let value = field(line, "event") {
        event = value
      }
    }
    guard dataLines > 1 else {
      body(SSEFrame(end: end, byteCount: raw.count, data: data, event: event))
      return
    }
    joined.withUnsafeBytes {
      body(SSEFrame(end: end, byteCount: raw.count, data: $0, event: event))
    }
    if joined.capacity > Self.keptBytes { joined = [] }
  }

  /// The value if the line is this field: behind the colon and one space; empty without a colon.
  private func field(
    _ line: UnsafeRawBufferPointer, _ name: StaticString
  ) -> UnsafeRawBufferPointer? {
    let length = name.utf8CodeUnitCount
    guard line.count >= length else { return nil }
    for index in 0..<length where line[index] != name.utf8Start[index] { return nil }
    if line.count == length { return UnsafeRawBufferPointer(rebasing: line[length...]) }
    guard line[length] == UInt8(ascii: ":") else { return nil }
    let hasSpace = line.count > length + 1 && line[length + 1] == UInt8(ascii: " ")
    return UnsafeRawBufferPointer(rebasing: line[(length + (hasSpace ? 2 : 1))...])
  }
}
