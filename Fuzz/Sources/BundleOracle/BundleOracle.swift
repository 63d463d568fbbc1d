import Domain
import EventStore
import Glibc
import Inquiry

/// Opens `input` as a bundle that somebody sent, and asks it all that one asks of an incident; traps where answers
/// contradict each other.
///
/// First byte: bit 0, lengths, checksums and digests are left as they are; without mending nearly every change would
/// stop at the first of them. The other bits choose the verbs.
public func checkBundle(_ input: UnsafeRawBufferPointer) {
  guard let choice = input.first else { return }
  var file = Array(input.dropFirst())
  if choice & 1 == 0 { mend(&file) }
  let path = place
  let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
  precondition(descriptor >= 0 && Glibc.write(descriptor, file, file.count) == file.count)
  close(descriptor)
  guard let reader = try? LogReader.open(path: path) else { return }
  precondition(reader.bundle != nil, "a file is no log's directory")
  do {
    try compare(reader)
    try ask(reader, choice)
  } catch is StoreError {
    // A refusal is an answer.
  } catch is InquiryFault {
  } catch {
    preconditionFailure("an error that is none of the log's: \(error)")
  }
}

/// One file in memory for all inputs of a process.
private let place: String = {
  let parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
  atexit { unlink(place) }
  return "\(parent)/signalbox-fuzz-\(getpid()).bundle"
}()

/// What was opened was checked as a whole, so that all ways of reading it agree and nothing in it is damaged.
///
/// Of times and revisions a block's own header is believed, and the record.
private func compare(_ reader: LogReader) throws {
  var events: [StoredEvent] = []
  try reader.scan(from: .origin, through: nil) { entry in
    switch entry {
    case .event(let event): events.append(event)
    case .gap(let gap): preconditionFailure("a bundle that was opened has a gap: \(gap)")
    }
    return .continue
  }
  for (before, after) in zip(events, events.dropFirst()) {
    precondition(before.position < after.position, "positions do not grow")
  }
  let facts = reader.bundle
  precondition(
    UInt64(events.count) == (facts?.events ?? 0) + (facts?.earlier ?? 0), "events are miscounted")
  for event in events.prefix(8) {
    let found = try reader.event(at: event.position)
    precondition(found == event, "an event differs from itself")
    let place = try reader.position(of: event.id)
    precondition(place == event.position, "an event is not found by its id")
    for key in event.lookupKeys {
      let found = try reader.positions(forKey: key)
      precondition(found.contains(event.position), "an event is not found by its key")
    }
    _ = try reader.events(ofStream: event.stream, from: event.revision)
    _ = try reader.lastPosition(atOrBefore: event.time)
    _ = try reader.count(from: .origin, through: reader.last, outside: event.time...event.time)
  }
}

/// The verbs; whatever they say, they end, and say it as text and as JSON.
private func ask(_ log: LogReader, _ choice: UInt8) throws {
  let now = UnixNanoseconds(1_795_300_000_000_000_000)
  func show(_ answer: () throws -> any InquiryReport) throws {
    do {
      let report = try answer()
      _ = report.text
      _ = report.document.rendered
    } catch is InquiryFault {
      // Another verb may have an answer.
    }
  }
  if choice & 2 == 0 {
    var query = WindowQuery()
    (query.interval, query.top) = (60_000_000_000, 3)
    try show { try Replay.window(log, query, now: now) }
    try show { try Replay.verify(log, now: now) }
  }
  if choice & 4 == 0 {
    try show { try Replay.state(log, at: nil, now: now) }
    try show { try Replay.drift(log, now: now) }
    for (stream, _) in log.streams(withPrefix: "").prefix(4) {
      try show { try Replay.blame(log, stream, now: now) }
      try show { try Replay.history(log, of: stream, limit: 20) }
    }
  }
  if choice & 8 == 0 {
    try show { try Replay.report(log, ReportQuery(), now: now) }
    try show { try Replay.bisect(log, "errors > 1% over 5m of 1", now: now) }
  }
  if choice & 16 == 0 {
    for position in [log.first, log.last] {
      try show { try Replay.show(log, "\(position)") }
      try show { try Replay.explain(log, "\(position)") }
      try show { try Replay.prove(log, "\(position)") }
    }
  }
}

// MARK: Making checksums fit

/// A part's digest is over the digests of pieces of this length.
private let pieceBytes = 1 << 20

private func number(_ bytes: [UInt8], _ at: Int, _ count: Int = 4) -> UInt64 {
  (0..<count).reduce(0) { $0 | UInt64(bytes[at + $1]) << (8 * UInt64($1)) }
}

private func put(_ value: some FixedWidthInteger, _ bytes: inout [UInt8], _ at: Int) {
  withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(at..<(at + $0.count), with: $0) }
}

/// The lengths, digests and checksums of a bundle's header, of its parts and of the blocks in them.
private func mend(_ bytes: inout [UInt8]) {
  guard bytes.count >= 280 else { return }
  let note = min(Int(number(bytes, 156)), 4_096)
  let length = (248 + note + 32 + 7) & ~7
  guard length <= bytes.count else { return }
  put(UInt32(length), &bytes, 12)
  let earlier = min(Int(number(bytes, 160)), bytes.count - length)
  put(UInt64(earlier), &bytes, 160)
  put(UInt64(bytes.count - length - earlier), &bytes, 200)
  for (range, at) in [(length..<length + earlier, 168), (length + earlier..<bytes.count, 208)] {
    var part = Array(bytes[range])
    mendPart(&part, storeID: bytes[16..<32])
    bytes.replaceSubrange(range, with: part)
    var pieces: [UInt8] = []
    var from = 0
    while from < part.count {
      let to = min(part.count, from + pieceBytes)
      pieces += sha256(part[from..<to])
      from = to
    }
    bytes.replaceSubrange(at..<at + 32, with: sha256(pieces[...]))
  }
  bytes.replaceSubrange(length - 32..<length, with: sha256(bytes[..<(length - 32)]))
}

private func mendPart(_ bytes: inout [UInt8], storeID: ArraySlice<UInt8>) {
  guard bytes.count >= 112 else { return }
  let length = Int(number(bytes, 12))
  guard (112...8_304).contains(length), length <= bytes.count else { return }
  put(crc32c(bytes[..<(length - 4)]), &bytes, length - 4)
  let seed = crc32c(storeID)
  var at = length
  while at + 104 <= bytes.count {
    let stored = Int(number(bytes, at + 32))
    if stored <= bytes.count - at - 104 {
      put(crc32c(bytes[(at + 104)..<(at + 104 + stored)]), &bytes, at + 36)
    }
    put(crc32c(bytes[at..<(at + 100)], from: seed), &bytes, at + 100)
    at += 104 + (stored + 7) & ~7
  }
}
