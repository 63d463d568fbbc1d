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
  Directory.shared.read(file, suffix: choice & 2 == 0 ? "esl" : "sealed")
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
  Directory.shared.read(file, suffix: "esl")
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
      for suffix in ["esl", "sealed"] { unlink(Directory.shared.segment(suffix)) }
      rmdir(Directory.shared.path + "/seg")
      rmdir(Directory.shared.path)
    }
  }

  private func segment(_ suffix: String) -> String { "\(path)/seg/00000000000000000001.\(suffix)" }

  func read(_ bytes: [UInt8], suffix: String) {
    let name = segment(suffix)
    unlink(segment(suffix == "esl" ? "sealed" : "esl"))
    let file = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    precondition(file >= 0 && write(file, bytes, bytes.count) == bytes.count)
    close(file)
    guard let reader = try? LogReader.open(directory: path) else { return }
    compare(reader)
  }
}

/// What one way of reading says must hold in all others.
private func compare(_ reader: LogReader) {
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
    let report = try reader.verify(from: .origin, through: nil, progress: nil)
    precondition(report.events == UInt64(events.count), "verify and scan count differently")
    if report.isIntact { precondition(gaps == 0, "verify finds whole what scan does not") }
    for (before, after) in zip(events, events.dropFirst()) {
      precondition(before.position < after.position, "positions do not grow")
    }
    for event in events.prefix(8) {
      let again = try reader.event(at: event.position)
      precondition(again == event, "an event differs from itself")
      let found = try reader.position(of: event.id)
      precondition(found != nil, "an event is not found by its id")
      for key in event.lookupKeys {
        let places = try reader.positions(forKey: key)
        precondition(places.contains(event.position), "an event is not found by its key")
      }
    }
  } catch is StoreError {
    // A refusal is an answer.
  } catch {
    preconditionFailure("an error that is none of the log's: \(error)")
  }
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
  while at + 104 <= bytes.count, bytes[at] == 0x53 {
    let stored = Int(number(bytes, at + 32))
    if stored <= bytes.count - at - 104 {
      put(crc32c(bytes[(at + 104)..<(at + 104 + stored)]), &bytes, at + 36)
    }
    put(crc32c(bytes[at..<(at + 100)], from: seed), &bytes, at + 100)
    at += 104 + (stored + 7) & ~7
  }
}
