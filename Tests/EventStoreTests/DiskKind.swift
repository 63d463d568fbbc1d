import Glibc
import Support
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

/// A new directory under /tmp.
func temporaryDirectory() throws -> String {
  var template = Array("/tmp/signalbox-log-XXXXXX".utf8CString)
  guard mkdtemp(&template) != nil else {
    throw StoreError(.io, "mkdtemp failed", errno: errno)
  }
  return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

extension EventStore {
  /// A store with small segments and no other options.
  static func small(
    _ disk: any Disk, _ directory: String, segmentBytes: Int = 64 << 10, queueEvents: Int = 65_536
  ) throws -> EventStore {
    try EventStore(
      disk: disk, directory: directory,
      options: StoreOptions(
        segmentBytes: segmentBytes, dictionary: Array("request.finished.v1".utf8),
        queueEvents: queueEvents))
  }
}
