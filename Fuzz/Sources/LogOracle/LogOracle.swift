import EventStore
import Glibc

/// Writes `input` as the only segment of a log and reads it in every way there is; traps where answers differ.
///
/// The first byte chooses the file and whether checksums are mended: without that nearly every change would stop
/// at the first of them.
public func checkSegment(_ input: UnsafeRawBufferPointer) {
  guard let choice = input.first else { return }
  var file = Array(input.dropFirst())
  if choice & 1 == 0 { mendChecksums(&file) }
  if choice & 4 == 0 { file += ending(file.count, storeID: Array(file.dropFirst(16).prefix(16))) }
  Directory.shared.read([(choice & 2 == 0 ? "esl" : "sealed", file)])
}

/// Puts `input` as the body of a block into an otherwise faultless segment.
///
/// First byte: bit 0, the body is said to be LZ4; bit 1, the last two bytes say how long it is unpacked; the rest how many
/// events it is said to hold.
public func checkBody(_ input: UnsafeRawBufferPointer) {
  guard let choice = input.first else { return }
  var body = Array(input.dropFirst())
  var unpacked = UInt32(body.count)
  if choice & 2 != 0, body.count >= 2 {
    let high = UInt32(body.removeLast())
    unpacked = (high << 8 | UInt32(body.removeLast())) << 4
  }
  var file = header
  file += block(
    body, isPacked: choice & 1 != 0, first: 1, count: UInt32(choice >> 2), unpacked: unpacked)
  file += ending(file.count, storeID: storeID)
  Directory.shared.read([("esl", file)])
}

/// Takes `input` for a finished segment with its index behind it, and reads it in every way there is.
///
/// First byte: bit 0, checksums are left as they are; bit 1, the index gets a file of its own; bit 2, it is left to say
/// where it begins; bit 3, no segment follows.
public func checkIndex(_ input: UnsafeRawBufferPointer) {
  guard let choice = input.first else { return }
  var file = Array(input.dropFirst())
  guard let base = indexBase(file) else { return Directory.shared.read([("sealed", file)]) }
  if choice & 4 == 0 { put(UInt64(base), &file, file.count - trailerBytes + 216) }
  if choice & 1 == 0 {
    var blocks = Array(file[..<base])
    mendChecksums(&blocks)
    file.replaceSubrange(..<base, with: blocks)
    mendIndex(&file, base)
  }
  var files = [("sealed", file)]
  if choice & 2 != 0 { files = [("esl", Array(file[..<base])), ("idx", Array(file[base...]))] }
  Directory.shared.read(
    files, following: choice & 8 == 0 ? following(file) : nil, isIndexed: true)
}

// MARK: Reading

/// One directory in memory for all inputs of a process.
private final class Directory: Sendable {
  static let shared = Directory()
  private let path: String

  private init() {
    let parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
    path = "\(parent)/signalbox-fuzz-\(getpid())"
    mkdir(path, 0o700)
    mkdir(path + "/seg", 0o700)
    atexit {
      Directory.shared.clear()
      rmdir(Directory.shared.path + "/seg")
      rmdir(Directory.shared.path)
    }
  }

  private func clear() {
    for suffix in ["esl", "sealed", "idx"] { unlink(segment(1, suffix)) }
    unlink(segment(followingFirst, "esl"))
  }

  private func segment(_ first: UInt64, _ suffix: String) -> String {
    let digits = String(first)
    return "\(path)/seg/\(String(repeating: "0", count: 20 - digits.count))\(digits).\(suffix)"
  }

  /// Puts `files` into the directory, as those of its first segment by their suffix, and reads it.
  func read(
    _ files: [(suffix: String, bytes: [UInt8])], following: [UInt8]? = nil, isIndexed: Bool = false
  ) {
    clear()
    for (suffix, bytes) in files { write(segment(1, suffix), bytes) }
    if let following { write(segment(followingFirst, "esl"), following) }
    guard let reader = try? LogReader.open(directory: path) else { return }
    compare(reader, isIndexed: isIndexed)
  }

  private func write(_ name: String, _ bytes: [UInt8]) {
    let file = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    precondition(file >= 0 && Glibc.write(file, bytes, bytes.count) == bytes.count)
    close(file)
  }
}

/// What one way of reading says must hold in all others.
///
/// With an index that is whole but lies, as only somebody writes it who makes the checksums fit, answers may differ; then
/// verify must not call the log intact.
private func compare(_ reader: LogReader, isIndexed: Bool) {
  var events: [StoredEvent] = []
  var gaps = 0
  do {
    try reader.scan(from: .origin, through: nil) { entry in
      switch entry {
      case .event(let event): events.append(event)
      case .gap: gaps += 1
      }
      return .continue
    }
    if isIndexed { _ = try look(reader, for: events, isIndexed: true) }
    let report = try reader.verify(from: .origin, through: nil, progress: nil)
    let isIntact = report.isIntact
    if isIntact || !isIndexed {
      precondition(report.events == UInt64(events.count), "verify and scan count differently")
    }
    if isIntact { precondition(gaps == 0, "verify finds whole what scan does not") }
    for (before, after) in zip(events, events.dropFirst()) {
      precondition(before.position < after.position, "positions do not grow")
    }
    let fault = try look(reader, for: events, isIndexed: isIndexed)
    precondition(fault == nil || isIndexed && !isIntact, fault ?? "")
  } catch is StoreError {
    // A refusal is an answer.
  } catch {
    preconditionFailure("an error that is none of the log's: \(error)")
  }
}

/// Asks for some of `events` in every other way; what is wrong with the answers.
private func look(
  _ reader: LogReader, for events: [StoredEvent], isIndexed: Bool
) throws -> String? {
  var fault: String?
  for event in events.prefix(8) {
    if try reader.event(at: event.position) != event { fault = "an event differs from itself" }
    if try reader.position(of: event.id) == nil { fault = "an event is not found by its id" }
    for key in event.lookupKeys
    where try !reader.positions(forKey: key).contains(event.position) {
      fault = "an event is not found by its key"
    }
    let stream = try reader.events(ofStream: event.stream, from: event.revision)
    let position = try reader.firstPosition(atOrAfter: event.time)
    // Without an index a block's own header is believed what times are in it, and records what revisions.
    if isIndexed, !stream.contains(event) { fault = "an event is not found by its stream" }
    if isIndexed, position > event.position { fault = "an event is not found by its time" }
  }
  return fault
}

// MARK: Making

private let storeID: [UInt8] = Array(1...16)

/// A whole block far behind: what stands before it is damage in the middle of a log, which a reader judges at once; at
/// the end it would wait for an append in progress, a few milliseconds each time.
private func ending(_ offset: Int, storeID: [UInt8]) -> [UInt8] {
  let record: [UInt8] =
    [0] + [UInt8](repeating: 9, count: 16) + [1, 0x73, 1, 1, 0x6B] + [UInt8](repeating: 0, count: 8)
    + [0]
  let body = [UInt8(record.count)] + record
  return [UInt8](repeating: 0, count: (8 - offset % 8) % 8)
    + block(
      body, isPacked: false, first: 1 << 40, count: 1, unpacked: UInt32(body.count),
      storeID: storeID)
}

private func crc32c(_ bytes: some Sequence<UInt8>, from crc: UInt32 = 0) -> UInt32 {
  var crc = ~crc
  for byte in bytes {
    crc ^= UInt32(byte)
    for _ in 0..<8 { crc = crc & 1 == 0 ? crc >> 1 : crc >> 1 ^ 0x82F6_3B78 }
  }
  return ~crc
}

private func put(_ value: some FixedWidthInteger, _ bytes: inout [UInt8], _ at: Int) {
  withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(at..<(at + $0.count), with: $0) }
}

private func number(_ bytes: [UInt8], _ at: Int) -> UInt32 {
  (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << (8 * UInt32($1)) }
}

private let header: [UInt8] = {
  var bytes = [UInt8](repeating: 0, count: 112)
  bytes.replaceSubrange(0..<8, with: [0x53, 0x42, 0x58, 0x53, 0x45, 0x47, 0x0D, 0x0A])
  put(UInt16(1), &bytes, 8)
  put(UInt32(112), &bytes, 12)
  bytes.replaceSubrange(16..<32, with: storeID)
  put(UInt64(1), &bytes, 40)
  bytes[56] = 1
  bytes[57] = 1
  put(UInt64(1), &bytes, 96)
  put(crc32c(bytes[..<108]), &bytes, 108)
  return bytes
}()

private func block(
  _ body: [UInt8], isPacked: Bool, first: UInt64, count: UInt32, unpacked: UInt32,
  storeID: [UInt8] = storeID
) -> [UInt8] {
  var bytes = [UInt8](repeating: 0, count: 104)
  bytes.replaceSubrange(0..<4, with: Array("SBLK".utf8))
  put(UInt16(104), &bytes, 4)
  bytes[7] = isPacked ? 1 : 0
  put(first, &bytes, 8)
  put(first, &bytes, 16)
  put(count, &bytes, 24)
  put(unpacked, &bytes, 28)
  put(UInt32(body.count), &bytes, 32)
  put(crc32c(body), &bytes, 36)
  put(crc32c(bytes[..<100], from: crc32c(storeID)), &bytes, 100)
  bytes += body
  bytes += [UInt8](repeating: 0, count: (8 - body.count % 8) % 8)
  return bytes
}

/// Makes the checksums of the header and of whatever looks like blocks behind it fit.
private func mendChecksums(_ bytes: inout [UInt8]) {
  guard bytes.count >= 112 else { return }
  let length = Int(number(bytes, 12))
  guard (112...8_304).contains(length), length <= bytes.count else { return }
  put(crc32c(bytes[..<(length - 4)]), &bytes, length - 4)
  let seed = crc32c(bytes[16..<32])
  var at = length
  // Not the magic of an index: its third byte is another.
  while at + 104 <= bytes.count, bytes[at] == 0x53, bytes[at + 2] != 0x58 {
    let stored = Int(number(bytes, at + 32))
    if stored <= bytes.count - at - 104 {
      put(crc32c(bytes[(at + 104)..<(at + 104 + stored)]), &bytes, at + 36)
    }
    put(crc32c(bytes[at..<(at + 100)], from: seed), &bytes, at + 100)
    at += 104 + (stored + 7) & ~7
  }
}

// MARK: Indexes

private let trailerBytes = 296
/// Where the segment behind the first one begins, whatever that says.
private let followingFirst: UInt64 = 26

/// Where the index at the end of `bytes` begins by the lengths in its trailer; nil if it has no place there.
private func indexBase(_ bytes: [UInt8]) -> Int? {
  guard bytes.count >= trailerBytes else { return nil }
  let trailer = bytes.count - trailerBytes
  let sections = (0..<7).reduce(0) { $0 + Int(number(bytes, trailer + 232 + 8 * $1)) }
  let base = trailer - sections - 8
  return base > 0 ? base : nil
}

/// Makes the checksums of the index at `base` fit.
private func mendIndex(_ bytes: inout [UInt8], _ base: Int) {
  let trailer = bytes.count - trailerBytes
  var starts = [base + 8]
  for section in 0..<7 {
    starts.append(starts[section] + Int(number(bytes, trailer + 232 + 8 * section)))
  }
  for at in stride(from: starts[4], to: starts[5] - 7, by: 4) {
    let (start, end) = (Int(number(bytes, at)), Int(number(bytes, at + 4)))
    guard start + 4 <= end, end <= starts[6] - starts[5] else { continue }
    let checksum = crc32c(bytes[(starts[5] + start)..<(starts[5] + end - 4)])
    put(checksum, &bytes, starts[5] + end - 4)
  }
  for section in 0..<7 {
    let checksum = crc32c(bytes[starts[section]..<starts[section + 1]])
    put(checksum, &bytes, trailer + 236 + 8 * section)
  }
  put(crc32c(bytes[trailer..<(bytes.count - 4)]), &bytes, bytes.count - 4)
}

/// A segment with nothing in it behind the one whose trailer ends `file`.
private func following(_ file: [UInt8]) -> [UInt8] {
  let trailer = file.count - trailerBytes
  var bytes = header
  bytes.replaceSubrange(16..<32, with: file[(trailer + 16)..<(trailer + 32)])
  put(UInt64(1) << 32, &bytes, 32)
  put(followingFirst, &bytes, 40)
  bytes.replaceSubrange(64..<96, with: file[(trailer + 152)..<(trailer + 184)])
  put(UInt64(1) << 32, &bytes, 96)
  put(crc32c(bytes[..<108]), &bytes, 108)
  return bytes
}
