import NIOCore

/// Finds the end of a body (RFC 9112 §6 and §7.1) and hands out its bytes as slices.
struct BodyDecoder: Sendable {
  enum Step {
    case needMore
    case body(ByteBuffer)
    case end
    case fault(HTTP1Fault.Code)
  }

  private enum State {
    case length(Int)
    case chunkSize
    case chunkData(Int)
    case chunkEnd
    case trailers
    case untilClose
    case ended
  }

  /// What one look at the framing between chunks found.
  private enum Framing {
    case needMore
    case fault(HTTP1Fault.Code)
    /// A chunk of `size` bytes follows after `consumed` bytes, of which `extensions` were extensions.
    case chunk(size: Int, consumed: Int, extensions: Int)
    case trailer(consumed: Int)
    case lastTrailer(consumed: Int)
  }

  /// Digits of a chunk size that surely fit an Int.
  private static let chunkSizeDigits = 15

  private var state: State
  private var received = 0
  private var extensionBytes = 0
  private var trailerBytes = 0
  private var trailerFields = 0

  init(_ framing: HTTP1BodyFraming) {
    switch framing {
    case .none: state = .ended
    case .length(let length): state = .length(length)
    case .chunked: state = .chunkSize
    case .untilClose: state = .untilClose
    }
  }

  /// Whether the end of input is the end of this body.
  var endsWithInput: Bool {
    if case .untilClose = state { return true }
    return false
  }

  mutating func next(
    _ buffer: inout ByteBuffer, _ limits: HTTP1Limits, bodyLimit: Int
  ) -> Step {
    while true {
      switch state {
      case .ended:
        return .end
      case .length(let remaining):
        guard received <= bodyLimit, remaining <= bodyLimit - received else {
          return .fault(.bodyTooLarge)
        }
        guard remaining > 0 else {
          state = .ended
          return .end
        }
        guard let slice = buffer.readSlice(upTo: remaining) else { return .needMore }
        received += slice.readableBytes
        state = .length(remaining - slice.readableBytes)
        return .body(slice)
      case .untilClose:
        guard let slice = buffer.readSlice(upTo: .max) else { return .needMore }
        guard slice.readableBytes <= bodyLimit - received else { return .fault(.bodyTooLarge) }
        received += slice.readableBytes
        return .body(slice)
      case .chunkData(let remaining):
        guard let slice = buffer.readSlice(upTo: remaining) else { return .needMore }
        let rest = remaining - slice.readableBytes
        state = rest == 0 ? .chunkEnd : .chunkData(rest)
        return .body(slice)
      case .chunkEnd:
        switch buffer.withUnsafeReadableBytes({ Self.lineEnd($0, at: 0) }) {
        case .needMore: return .needMore
        case .fault: return .fault(.invalidChunkEnd)
        case .found:
          buffer.moveReaderIndex(forwardBy: 2)
          state = .chunkSize
        }
      case .chunkSize, .trailers:
        if let step = framing(&buffer, limits, bodyLimit) { return step }
      }
    }
  }

  /// Reads a chunk's first line or a trailer line; nil if there is more to do.
  private mutating func framing(
    _ buffer: inout ByteBuffer, _ limits: HTTP1Limits, _ bodyLimit: Int
  ) -> Step? {
    let isTrailer = if case .trailers = state { true } else { false }
    let found = buffer.withUnsafeReadableBytes { bytes in
      isTrailer ? trailerLine(bytes, limits) : chunkLine(bytes, limits)
    }
    switch found {
    case .needMore: return .needMore
    case .fault(let code): return .fault(code)
    case .chunk(let size, let consumed, let extensions):
      guard received <= bodyLimit, size <= bodyLimit - received else {
        return .fault(.bodyTooLarge)
      }
      buffer.moveReaderIndex(forwardBy: consumed)
      extensionBytes += extensions
      received += size
      state = size == 0 ? .trailers : .chunkData(size)
      return nil
    case .trailer(let consumed):
      buffer.moveReaderIndex(forwardBy: consumed)
      trailerBytes += consumed
      trailerFields += 1
      return nil
    case .lastTrailer(let consumed):
      buffer.moveReaderIndex(forwardBy: consumed)
      state = .ended
      return .end
    }
  }

  /// `chunk-size [ chunk-ext ] CRLF`, judged byte by byte so that faults come as early as they can.
  private func chunkLine(_ bytes: UnsafeRawBufferPointer, _ limits: HTTP1Limits) -> Framing {
    var size = 0
    var index = 0
    while index < bytes.count, let digit = Octets.hexValue(bytes[index]) {
      guard index < Self.chunkSizeDigits else { return .fault(.chunkSizeTooLarge) }
      size = size << 4 | digit
      index += 1
    }
    guard index < bytes.count else { return .needMore }
    guard index > 0 else { return .fault(.invalidChunkSize) }
    let extensionStart = index
    if bytes[index] == UInt8(ascii: ";") {
      let allowed = limits.chunkExtensionBytes - extensionBytes
      var syntax = ChunkExtension()
      guard allowed > 0 else { return .fault(.chunkExtensionsTooLarge) }
      index += 1
      while index < bytes.count, bytes[index] != Octets.cr {
        guard index - extensionStart < allowed else { return .fault(.chunkExtensionsTooLarge) }
        guard syntax.take(bytes[index]) else {
          return .fault(bytes[index] == Octets.lf ? .bareLF : .invalidChunkExtension)
        }
        index += 1
      }
      guard index < bytes.count else { return .needMore }
      guard syntax.isWhole else { return .fault(.invalidChunkExtension) }
    } else if bytes[index] == Octets.lf {
      return .fault(.bareLF)
    } else if bytes[index] != Octets.cr {
      return .fault(.invalidChunkSize)
    }
    switch Self.lineEnd(bytes, at: index) {
    case .needMore: return .needMore
    case .fault: return .fault(.bareCR)
    case .found:
      return .chunk(size: size, consumed: index + 2, extensions: index - extensionStart)
    }
  }

  /// One line of the trailer section: checked like a field line, then dropped.
  private func trailerLine(_ bytes: UnsafeRawBufferPointer, _ limits: HTTP1Limits) -> Framing {
    // The closing empty line is not counted.
    let allowed = limits.trailerBytes - trailerBytes + 2
    let end = min(bytes.count, allowed)
    guard let feed = bytes.firstIndex(of: Octets.lf, in: 0..<end) else {
      return bytes.count >= allowed ? .fault(.trailersTooLarge) : .needMore
    }
    guard feed > 0, bytes[feed - 1] == Octets.cr else { return .fault(.bareLF) }
    if feed == 1 { return .lastTrailer(consumed: 2) }
    guard feed + 1 <= limits.trailerBytes - trailerBytes else { return .fault(.trailersTooLarge) }
    guard trailerFields < limits.fields else { return .fault(.tooManyFields) }
    switch FieldLine.check(bytes, 0..<feed - 1) {
    case .failure(let code): return .fault(code)
    case .success(let field):
      // A trailer that frames or addresses the message (RFC 9110 §6.5.1) is an attempt to confuse.
      switch HTTP1Name(token: bytes.slice(field.name)) {
      case .contentLength, .transferEncoding, .host: return .fault(.forbiddenTrailer)
      default: return .trailer(consumed: feed + 1)
      }
    }
  }

  private enum LineEnd { case needMore, fault, found }

  private static func lineEnd(_ bytes: UnsafeRawBufferPointer, at index: Int) -> LineEnd {
    guard index < bytes.count else { return .needMore }
    guard bytes[index] == Octets.cr else { return .fault }
    guard index + 1 < bytes.count else { return .needMore }
    return bytes[index + 1] == Octets.lf ? .found : .fault
  }
}

extension ByteBuffer {
  /// The next bytes, at most `count`, as a slice; nil if there are none.
  @inline(__always)
  fileprivate mutating func readSlice(upTo count: Int) -> ByteBuffer? {
    let length = Swift.min(count, readableBytes)
    return length == 0 ? nil : readSlice(length: length)
  }
}
