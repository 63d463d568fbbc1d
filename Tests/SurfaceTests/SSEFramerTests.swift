import Support
import Surface
import Testing

/// What a frame looked like, with its end counted from the start of the stream.
struct Frame: Sendable, Hashable {
  var end: Int
  var byteCount: Int
  var data: String?
  var event: String?
  var isDone: Bool
}

/// Feeds the chunks one after the other; `faultAt` counts the bytes fed before the faulty chunk.
private func frames(
  _ chunks: [[UInt8]], limit: Int = SSEFramer.standardFrameBytes
) -> (frames: [Frame], fault: SSEFault?, unfinished: Int) {
  var framer = SSEFramer(maximumFrameBytes: limit)
  var found: [Frame] = []
  var fed = 0
  func note(_ frame: borrowing SSEFrame, _ chunk: Int) {
    found.append(
      Frame(
        end: fed + frame.end, byteCount: frame.byteCount, data: frame.data.map { text($0) },
        event: frame.event.map { text($0) }, isDone: frame.isDone))
    #expect((0...chunk).contains(frame.end))
  }
  for chunk in chunks {
    do throws(SSEFault) {
      try withBytesOfStream(chunk) { (buffer) throws(SSEFault) in
        try framer.append(buffer) { note($0, chunk.count) }
      }
    } catch {
      return (found, error, framer.pendingBytes)
    }
    fed += chunk.count
  }
  let unfinished = framer.finish { note($0, 0) }
  return (found, nil, unfinished)
}

private func withBytesOfStream(
  _ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(SSEFault) -> Void
) throws(SSEFault) {
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
  defer { buffer.deallocate() }
  buffer.copyBytes(from: bytes)
  try body(UnsafeRawBufferPointer(buffer))
}

private func frames(_ stream: String) -> (frames: [Frame], fault: SSEFault?, unfinished: Int) {
  frames([Array(stream.utf8)])
}

/// A stream and the data of its frames.
struct Stream: Sendable, CustomTestStringConvertible {
  let name: String
  let stream: String
  let data: [String?]
  var ends: [Int]?
  var unfinished = 0
  var testDescription: String { name }
}

private let streams: [Stream] = [
  .init(name: "nothing", stream: "", data: [], ends: []),
  .init(name: "LF", stream: "data: a\n\ndata: b\n\n", data: ["a", "b"], ends: [9, 18]),
  .init(name: "CRLF", stream: "data: a\r\n\r\ndata: b\r\n\r\n", data: ["a", "b"], ends: [11, 22]),
  .init(name: "CR", stream: "data: a\r\rdata: b\r\r", data: ["a", "b"], ends: [9, 18]),
  .init(
    name: "CR at once, LF counts on", stream: "data: a\r\r\ndata: b\n\n", data: ["a", "b"],
    ends: [9, 19]),
  .init(name: "LF then CR", stream: "data: a\n\rdata: b\n\r", data: ["a", "b"], ends: [9, 18]),
  .init(
    name: "LF then CRLF", stream: "data: a\n\r\ndata: b\n\n", data: ["a", "b"], ends: [10, 19]),
  .init(name: "CR then LF is one line end", stream: "data: a\r\ndata: b\n\n", data: ["a\nb"]),
  .init(name: "no space behind the colon", stream: "data:a\n\n", data: ["a"]),
  .init(name: "one space only is cut", stream: "data:  a \n\n", data: [" a "]),
  .init(name: "colon in the data", stream: "data: {\"a\":1}\n\n", data: ["{\"a\":1}"]),
  .init(name: "several lines", stream: "data: a\ndata:\ndata: b\n\n", data: ["a\n\nb"]),
  .init(name: "data without colon", stream: "data\n\n", data: [""]),
  .init(name: "two of them", stream: "data\ndata\n\n", data: ["\n"]),
  .init(
    name: "comment frame", stream: ": keep-alive\n\ndata: a\n\n", data: [nil, "a"], ends: [14, 23]),
  .init(name: "comment inside", stream: ":x\ndata: a\n:y\n\n", data: ["a"]),
  .init(
    name: "other fields", stream: "id: 7\nretry: 10\ndatum: x\ndata: a\nDATA: b\n\n", data: ["a"]),
  .init(name: "lonely blank lines", stream: "\n\ndata: a\n\n", data: [nil, nil, "a"]),
  .init(name: "byte order mark", stream: "\u{FEFF}data: a\n\n", data: ["a"], ends: [12]),
  .init(name: "byte order mark and blank line", stream: "\u{FEFF}\ndata: a\n\n", data: [nil, "a"]),
  .init(
    name: "second byte order mark is a name", stream: "\u{FEFF}\u{FEFF}data: a\n\n", data: [nil]),
  .init(
    name: "later byte order mark is a name", stream: "data: a\n\n\u{FEFF}data: b\n\n",
    data: ["a", nil]),
  .init(name: "unfinished frame", stream: "data: a\n\ndata: b\n", data: ["a"], unfinished: 8),
  .init(name: "unfinished line", stream: "data: a", data: [], unfinished: 7),
  .init(
    name: "line and paragraph separators end nothing", stream: "data: a\u{2028}\u{85}b\u{B}\n\n",
    data: ["a\u{2028}\u{85}b\u{B}"]),
]

@Suite("Splitting a stream")
struct SSEFramerTests {
  @Test("a stream splits into its frames, whole and byte by byte", arguments: streams)
  func splits(_ example: Stream) {
    let bytes = Array(example.stream.utf8)
    for chunks in [[bytes], bytes.map { [$0] }] {
      let result = frames(chunks)
      #expect(result.frames.map(\.data) == example.data)
      #expect(result.fault == nil)
      #expect(result.unfinished == example.unfinished)
      if let ends = example.ends { #expect(result.frames.map(\.end) == ends) }
    }
  }

  @Test("the last event field and the end of stream are told")
  func events() {
    let found = frames(
      "event: a\nevent: error\ndata: x\n\ndata: [DONE]\n\ndata:[DONE] \n\ndata: [DONE\n\n")
    #expect(found.frames.map(\.event) == ["error", nil, nil, nil])
    #expect(found.frames.map(\.isDone) == [false, true, true, false])
  }

  @Test("a frame ends with its last byte: LF at once, lone CR in a CR stream at once")
  func promptness() throws {
    for stream in ["data: a\n\n", "data: a\r\n\r\n", "data: a\r\r"] {
      var framer = SSEFramer()
      var count = 0
      for byte in stream.utf8 {
        #expect(count == 0)
        try [byte].withUnsafeBytes { try framer.append($0) { _ in count += 1 } }
      }
      #expect(count == 1)
      #expect(framer.pendingBytes == 0)
    }
  }

  @Test("a stream that ends in CR gives its last frame at the end")
  func finalCR() {
    let found = frames("data: a\n\r")
    #expect(found.frames == [Frame(end: 9, byteCount: 9, data: "a", event: nil, isDone: false)])
    #expect(found.unfinished == 0)
  }

  @Test("a frame may be as long as the bound and not a byte longer, in any chunks")
  func bound() {
    let stream = Array("data: 0123456789\n\n".utf8)
    for size in [1, 5, stream.count] {
      #expect(frames(chunked(stream + stream, size), limit: stream.count).frames.count == 2)
      let tooLong = frames(chunked(stream + [0x64] + stream, size), limit: stream.count)
      #expect(tooLong.frames.count == 1)
      #expect(tooLong.fault == .frameTooLong(limit: stream.count))
    }
  }

  @Test("after a fault every call throws the same and nothing is kept")
  func poisoned() {
    var framer = SSEFramer(maximumFrameBytes: 4)
    for _ in 0..<2 {
      #expect(throws: SSEFault.frameTooLong(limit: 4)) {
        try Array("data: long".utf8).withUnsafeBytes { try framer.append($0) { _ in } }
      }
    }
    #expect(framer.pendingBytes == 0)
    #expect(framer.finish { _ in Issue.record("a frame after a fault") } == 0)
  }

  @Test("a frame of sixteen megabytes passes, and none that is longer")
  func longFrame() {
    let data = String(repeating: "x", count: (16 << 20) - 8)
    let found = frames(chunked(Array("data: \(data)\n\n".utf8), 16_384))
    #expect(found.frames.map(\.byteCount) == [16 << 20])
    #expect(frames(chunked(Array("data: \(data)x\n\n".utf8), 16_384)).fault != nil)
    #expect(found.frames.first?.data == data)
  }

  @Test(
    "frames are the same for every chunking and for the plain reading", arguments: UInt64(0)..<120)
  func chunkings(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var stream: [UInt8] = random.oneIn(4) ? [0xEF, 0xBB, 0xBF] : []
    let parts = [
      "data: hello", "data:{\"usage\":{}}", "data: [DONE]", ": ping", "event: x", "id: 1", "\n",
      "\n\n", "\r", "\r\n", "\r\n\r\n", "\r\r", "\u{FEFF}", "ü", " ", ":", "data",
    ]
    for _ in 0..<random.int(1...60) {
      stream += Array(parts[random.int(0...parts.count - 1)].utf8)
    }
    let whole = frames([stream])
    #expect(whole.frames.map(\.data) == plainReading(stream), "seed \(seed)")
    #expect(
      whole.frames.reduce(0) { $0 + $1.byteCount } == whole.frames.last?.end ?? 0, "seed \(seed)")
    for _ in 0..<10 {
      var chunks: [[UInt8]] = []
      var rest = stream[...]
      while !rest.isEmpty {
        let count = random.oneIn(5) ? 0 : random.int(1...min(rest.count, 12))
        chunks.append(Array(rest.prefix(count)))
        rest = rest.dropFirst(count)
      }
      let cut = frames(chunks)
      #expect(cut.frames == whole.frames, "seed \(seed)")
      #expect(cut.unfinished == whole.unfinished, "seed \(seed)")
    }
  }

  @Test("what the writer writes, the framer reads")
  func roundTrip() {
    var bytes: [UInt8] = []
    SSEWriter.append(data: "{\"a\":1}".utf8, to: &bytes)
    SSEWriter.append(comment: "keep-alive", to: &bytes)
    SSEWriter.append(data: "one\r\ntwo\rthree\nfour\n".utf8, to: &bytes)
    SSEWriter.append(comment: "no\ndata: injected", to: &bytes)
    bytes += SSEWriter.done
    #expect(text(bytes).hasPrefix("data: {\"a\":1}\n\n: keep-alive\n\n"))
    let found = frames([bytes])
    #expect(
      found.frames.map(\.data) == ["{\"a\":1}", nil, "one\ntwo\nthree\nfour\n", nil, "[DONE]"])
    #expect(found.frames.last?.isDone == true)
  }
}

private func chunked(_ bytes: [UInt8], _ size: Int) -> [[UInt8]] {
  stride(from: 0, to: bytes.count, by: size).map {
    Array(bytes[$0..<min($0 + size, bytes.count)])
  }
}

/// The data of each frame, read from the whole stream at once as the standard words it.
private func plainReading(_ stream: [UInt8]) -> [String?] {
  var bytes = stream[...]
  if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
  var lines: [[UInt8]] = []
  var line: [UInt8] = []
  while let byte = bytes.popFirst() {
    if byte == 0x0A || byte == 0x0D {
      if byte == 0x0D, bytes.first == 0x0A { bytes = bytes.dropFirst() }
      lines.append(line)
      line = []
    } else {
      line.append(byte)
    }
  }
  var found: [String?] = []
  var data: [String] = []
  for line in lines {
    if line.isEmpty {
      found.append(data.isEmpty ? nil : data.joined(separator: "\n"))
      data = []
    } else if line == Array("data".utf8) {
      data.append("")
    } else if line.starts(with: Array("data:".utf8)) {
      let value = line.dropFirst(5)
      data.append(text(value.first == 0x20 ? value.dropFirst() : value))
    }
  }
  return found
}
