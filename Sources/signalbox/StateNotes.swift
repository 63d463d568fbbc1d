import Domain
import EventStore
import Logging

/// Tells the operator when the log begins and ceases to take requests' records, and to be sealed.
///
/// The log calls on a thread that must not wait for standard error; a task of this type writes.
struct StateNotes: Sendable {
  private enum Change: Sendable {
    case state(old: StoreState, new: StoreState)
    case sealing(SealingState)
  }

  private let directory: String
  private let recording: RecordingMode
  private let logger: Logger
  private let changes = AsyncStream.makeStream(
    of: Change.self, bufferingPolicy: .bufferingNewest(64))

  init(directory: String, recording: RecordingMode, logger: Logger) {
    self.directory = directory
    self.recording = recording
    self.logger = logger
  }

  /// Takes a change; never blocks.
  func note(_ old: StoreState, _ new: StoreState) {
    changes.continuation.yield(.state(old: old, new: new))
  }

  /// Takes a change; never blocks.
  func note(_ sealing: SealingState) { changes.continuation.yield(.sealing(sealing)) }

  /// Nothing more will be noted.
  func finish() { changes.continuation.finish() }

  /// Writes what is noted, until nothing more will be.
  func run() async {
    for await change in changes.stream {
      switch change {
      case .state(let old, let new): tell(old, new)
      case .sealing(let sealing): tell(sealing)
      }
    }
  }

  /// The store was opened without its reserve.
  func tell(reserveFailure error: StoreError) {
    logger.error(
      "the disk is almost full: \(withoutRecords)",
      metadata: ["log": "\(directory)", "cause": "\(error)", "remedy": "\(freeSpace)"])
  }

  private func tell(_ sealing: SealingState) {
    guard let error = sealing.lastFailure else {
      logger.notice(
        "finished segments of the log are sealed again", metadata: ["log": "\(directory)"])
      return
    }
    logger.warning(
      "finished segments of the log cannot be sealed at present: nothing is lost by it, they take more space and a start takes longer",
      metadata: [
        "log": "\(directory)", "waiting": "\(sealing.pending)", "cause": "\(error)",
        "remedy": "\(error.code == .full ? freeSpace : Self.afterSealingFailure)",
      ])
  }

  private static let afterSealingFailure =
    "it is tried again every minute; `replay verify --log DIR` says whether the segment is damaged"

  private func tell(_ old: StoreState, _ new: StoreState) {
    switch (old, new) {
    case (.shedding, .shedding(let shortage)):
      logger.critical(
        "the disk is full and the log's reserve is used up: nothing is recorded, changes of the configuration are refused too",
        metadata: [
          "log": "\(directory)", "missing": "\(shortage.shed)", "cause": "\(shortage.cause)",
          "remedy": "\(freeSpace)",
        ])
    case (_, .shedding(let shortage)):
      logger.error(
        "the disk is full: \(withoutRecords)",
        metadata: [
          "log": "\(directory)", "gap": "\(shortage.opened.map { "\($0)" } ?? "not recorded")",
          "cause": "\(shortage.cause)", "remedy": "\(freeSpace)",
        ])
    case (.shedding(let shortage), .working):
      logger.notice(
        "the disk has space again: requests are recorded again",
        metadata: [
          "log": "\(directory)", "missing": "\(shortage.shed)",
          "gap": "\(shortage.opened.map { "\($0)" } ?? "none")",
        ])
    case (_, .poisoned(let error)):
      logger.critical(
        "writing to the log failed: it takes nothing more until the gateway is started again; \(unrecorded)",
        metadata: ["log": "\(directory)", "cause": "\(error)", "remedy": "\(Self.afterFailure)"])
    case (.working, .working), (.poisoned, .working): break
    }
  }

  private var withoutRecords: String {
    "\(unrecorded); changes of the configuration are recorded from a reserve while it lasts"
  }

  private var unrecorded: String {
    switch recording {
    case .strict: "requests are refused with 503 recording_unavailable"
    case .standard, .relaxed: "requests are served, not recorded, and counted"
    case .off: "requests are served, and were not recorded before"
    }
  }

  private var freeSpace: String {
    "free space on the file system of the log, at least \(Self.wanted) MiB; recording goes on by itself"
  }

  /// The reserve and a segment's next group.
  private static let wanted = 16

  /// What to do about a log that failed.
  static let afterFailure =
    "look after the device (the kernel's log names it), then start the gateway again: the start reads"
    + " what the device really holds, sets an unfinished end aside and says so; if it refuses to"
    + " start, it says which file and why"
}
