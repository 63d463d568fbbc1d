/// The directory quarantine/: bytes that recovery took out of the log, each with a report.
///
/// A report ends in `.pending` until whoever keeps the log's history has noted it, and in `.json` from
/// then on, so that a crash in between loses neither.
struct Quarantine {
  let disk: any Disk
  let directory: String
  let storeID: UInt128

  private var folder: String { directory + "/quarantine" }

  private func prepare() throws(StoreError) {
    guard try disk.status(folder) == nil else { return }
    try disk.makeDirectory(folder)
    try disk.syncDirectory(directory)
  }

  /// Copies the tail, with a report; done again after a crash it makes the same files.
  func keep(_ tail: LogLoader.Tail) throws(StoreError) -> RecoveryReport.TruncatedTail {
    let path = directory + "/seg/" + tail.segment
    try prepare()
    let source = try disk.open(path, .read)
    defer { source.close() }
    let temporary = folder + "/tail.tmp"
    if try disk.status(temporary) != nil { try disk.remove(temporary) }
    let copy = try disk.open(temporary, .createNew)
    defer { copy.close() }
    let buffer = RawBuffer(capacity: 256 << 10)
    var done: UInt64 = 0
    var checksum: UInt32 = 0
    while done < tail.bytes {
      let wanted = Int(min(UInt64(buffer.capacity), tail.bytes - done))
      buffer.count = try source.read(
        into: UnsafeMutableRawBufferPointer(rebasing: buffer.storage[..<wanted]),
        at: tail.offset + done)
      if buffer.count == 0 {
        throw StoreError(.io, "the segment became shorter while it was copied", path: path)
      }
      try copy.writeAll(buffer.bytes, at: done)
      checksum = crc32c(buffer.bytes, from: checksum)
      done += UInt64(buffer.count)
    }
    try copy.sync()
    let name = "\(tail.segment).\(tail.offset).\(String(checksum, radix: 16))"
    try disk.rename(temporary, folder + "/" + name + ".bytes")
    let kept = RecoveryReport.TruncatedTail(
      segment: tail.segment, offset: tail.offset, bytes: tail.bytes, rule: tail.rule,
      quarantinePath: folder + "/" + name + ".bytes", firstPosition: Position(tail.first),
      eventID: eventID(name))
    try disk.replaceFile(folder, name + ".pending", Array(report(kept).utf8))
    return kept
  }

  /// Takes a file of `seg/` that has no place in this log.
  func move(_ name: String) throws(StoreError) {
    try prepare()
    var target = folder + "/" + name + ".misplaced"
    while try disk.status(target) != nil { target += "+" }
    try disk.rename(directory + "/seg/" + name, target)
    try disk.syncDirectory(folder)
    try disk.syncDirectory(directory + "/seg")
  }

  /// What was set aside and not acknowledged since, in the order of names.
  func pending() throws(StoreError) -> [RecoveryReport.TruncatedTail] {
    guard try disk.status(folder) != nil else { return [] }
    var tails: [RecoveryReport.TruncatedTail] = []
    for file in try disk.list(folder).sorted() where file.hasSuffix(".pending") {
      let name = String(file.dropLast(".pending".utf8.count))
      let parts = name.split(separator: ".")
      guard parts.count == 4, let offset = UInt64(parts[2]) else { continue }
      let report = try disk.open(folder + "/" + file, .read)
      defer { report.close() }
      let text = String(decoding: try report.readAll(limit: 4_096) ?? [], as: UTF8.self)
      let copy = folder + "/" + name + ".bytes"
      tails.append(
        RecoveryReport.TruncatedTail(
          segment: parts[0] + "." + parts[1], offset: offset,
          bytes: try disk.status(copy)?.size ?? number("bytes", text) ?? 0,
          rule: string("rule", text) ?? "unknown", quarantinePath: copy,
          firstPosition: Position(number("firstPosition", text) ?? 0), eventID: eventID(name)))
    }
    return tails
  }

  /// Notes that `tails` are known elsewhere; idempotent.
  func acknowledge(_ tails: [RecoveryReport.TruncatedTail]) throws(StoreError) {
    var isChanged = false
    for tail in tails {
      let name = String(tail.quarantinePath.dropLast(".bytes".utf8.count))
      guard try disk.status(name + ".pending") != nil else { continue }
      try disk.rename(name + ".pending", name + ".json")
      isChanged = true
    }
    if isChanged { try disk.syncDirectory(folder) }
  }

  private func eventID(_ name: String) -> EventID {
    EventID(derivedFrom: ["truncated tail", name], storeID: storeID)
  }

  // MARK: Reports

  private func report(_ tail: RecoveryReport.TruncatedTail) -> String {
    """
    {"segment":"\(tail.segment)","offset":\(tail.offset),"bytes":\(tail.bytes),\
    "rule":"\(tail.rule)","firstPosition":\(tail.firstPosition)}

    """
  }

  /// The text behind `"key":` in a report of ours.
  private func value(_ key: String, _ text: String) -> Substring? {
    guard let found = text.firstRange(of: "\"\(key)\":") else { return nil }
    return text[found.upperBound...].prefix { $0 != "," && $0 != "}" }
  }

  private func number(_ key: String, _ text: String) -> UInt64? {
    value(key, text).flatMap { UInt64($0) }.flatMap { $0 < Limits.numbers ? $0 : nil }
  }

  private func string(_ key: String, _ text: String) -> String? {
    guard let value = value(key, text), value.count > 2, value.first == "\"", value.last == "\""
    else { return nil }
    return AcceptedLoss.field(String(value.dropFirst().dropLast()), 64)
  }
}
