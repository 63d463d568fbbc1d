import Foundation
import Glibc
import Support
import Synchronization
import Testing

@testable import EventStore

/// The disks on which the log's contract must hold.
enum DiskKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case posix, simulated

  var testDescription: String { rawValue }

  /// A disk, and a directory on it that does not exist yet.
  func make() throws -> (disk: any Disk, directory: String) {
    switch self {
    case .posix: (PosixDisk(), try temporaryDirectory() + "/log")
    case .simulated: (SimulatedDisk(seed: 11), "/log")
    }
  }
}

extension Record {
  /// Appends length and record of `draft` at `revision` to `out`; returns the leaf.
  static func append(
    _ draft: EventDraft, revision: UInt64, to out: RawBuffer
  ) throws -> Digest {
    let batch = try PreparedBatch(AppendBatch(events: [draft]))
    return batch.append(batch.events[0], revision: revision, to: out)
  }
}

/// What a scan gives in order, event by event and gap by gap, stopped after `limit` of them.
func entries(
  _ reader: LogReader, from: UInt64, through: UInt64?, limit: Int, lent: Bool
) throws -> [LogEntry] {
  var entries: [LogEntry] = []
  func take(_ entry: LogEntry) -> ScanStep {
    entries.append(entry)
    return entries.count < limit ? .continue : .stop
  }
  let end = through.map { Position($0) }
  if lent {
    try reader.scanViews(
      from: Position(from), through: end, gap: { take(.gap($0)) },
      event: { event in
        let copy = event.copied()
        #expect(event.stream.elementsEqual(copy.stream.utf8))
        #expect(event.payload.elementsEqual(copy.payload))
        return take(.event(copy))
      })
  } else {
    try reader.scan(from: Position(from), through: end, take)
  }
  return entries
}

private let temporaries = Mutex<[String]>([])

/// A new directory under /tmp; it goes with the process.
func temporaryDirectory() throws -> String {
  var template = Array("/tmp/signalbox-log-XXXXXX".utf8CString)
  guard mkdtemp(&template) != nil else {
    throw StoreError(.io, "mkdtemp failed", errno: errno)
  }
  let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  let isFirst = temporaries.withLock { paths in
    defer { paths.append(path) }
    return paths.isEmpty
  }
  if isFirst {
    atexit {
      for path in temporaries.withLock({ $0 }) {
        try? FileManager.default.removeItem(atPath: path)
      }
    }
  }
  return path
}

extension EventStore {
  /// A store with small segments and no other options.
  static func small(
    _ disk: any Disk, _ directory: String, segmentBytes: Int = 64 << 10, queueEvents: Int = 65_536,
    reserveBytes: Int = 0, aheadBytes: Int = 4_096, gapEvents: GapEvents? = nil,
    stateChanged: (@Sendable (StoreState, StoreState) -> Void)? = nil
  ) throws -> EventStore {
    var options = StoreOptions(
      segmentBytes: segmentBytes, dictionary: Array("request.finished.v1".utf8),
      queueEvents: queueEvents, reserveBytes: reserveBytes, gapEvents: gapEvents,
      stateChanged: stateChanged)
    options.aheadBytes = aheadBytes
    return try EventStore(disk: disk, directory: directory, options: options)
  }
}
