import CFast
import Domain
public import EventStore
import Foundation
import Inquiry
public import Logging
import Synchronization
import Telemetry
import Views

/// Keeps the views of requests in step with the log, on a thread that lets all others go first.
///
/// A reader of evidence has what was acknowledged before it asked taken in on its own thread, and waits a quarter of
/// a second for that at most. What breaks in the views is made anew from the log; nothing is lost with them.
public final class ViewKeeper: Sendable {
  /// How a reader finds the views.
  struct Reading: Sendable {
    /// The tables.
    var views: ViewStore
    /// Through where they are.
    var position: Position
    /// Events acknowledged before the question that they do not have yet.
    var behind: UInt64
  }

  /// Where the views are, for monitors.
  struct Status: Sendable, Hashable {
    /// The last event taken in; 0: none.
    var position: UInt64 = 0
    /// Why nothing is taken in; nil: all is well.
    var failure: String?
    /// How often they had to be made anew since the start.
    var rebuilds = 0
  }

  /// The thread looks for events this often.
  private static let look: Int64 = 1_000_000_000
  /// After a failure, this often.
  private static let retry: Int64 = 5_000_000_000
  /// Events that whoever only looks whether all is well takes in.
  private static let moment: UInt64 = 1024
  /// How long a reader waits.
  static let patience: Int64 = 250_000_000

  private let store: EventStore
  private let reader: LogReader
  private let fold: ViewFold
  private let metrics: MetricsKeeper?
  private let directory: String
  private let logger: Logger
  /// The tables while they are open.
  private let views = Mutex<ViewStore?>(nil)
  /// Held by whoever takes in: whether the last thing that happened was a fault of the tables.
  private let turn = Mutex(false)
  private let status = Mutex(Status())
  /// Why the tables are being made anew, until the log has it.
  private let anew = Mutex<GatewayEvent.ViewRebuilt.Reason?>(nil)
  private let isStopping = Atomic(false)
  private let wake = Signal()
  private let thread = Mutex<StoreThread?>(nil)

  /// Nothing happens before `start`.
  ///
  /// - Parameters:
  ///   - directory: Of the log; the views lie in `views/` there.
  ///   - metrics: gets what is read of the log here; nil: nobody counts.
  public init(
    store: EventStore, directory: String, metrics: MetricsKeeper? = nil, logger: Logger
  ) {
    self.store = store
    reader = store.reader
    fold = ViewFold(reader: store.reader)
    self.metrics = metrics
    self.directory = directory + "/views"
    self.logger = logger
  }

  private var path: String { directory + "/usage.sqlite" }

  /// Begins to follow the log.
  ///
  /// - Throws: `StoreError` if there is no thread to be had.
  public func start() throws {
    let started = try StoreThread(name: "views") { [self] in
      cfast_thread_lower_priority()
      follow()
    }
    thread.withLock { $0 = started }
  }

  /// Ends queries under way, closes the tables and returns when the thread has ended.
  public func stop() {
    isStopping.store(true, ordering: .sequentiallyConsistent)
    wake.post()
    thread.withLock { $0 }?.join()
    // A reader may be at it on its own thread; none begins any more.
    turn.withLock { _ in
      views.withLock { views in
        do { try views?.close() } catch {
          logger.notice(
            "the views were not closed; they are as good without", metadata: ["cause": "\(error)"])
        }
        views = nil
      }
    }
  }

  /// Where the views are.
  var current: Status { status.withLock { $0 } }

  /// The views with all that was acknowledged before the call, or as far as they get in a quarter of a second.
  ///
  /// Blocks: call it beside the cooperative pool.
  ///
  /// - Throws: `ControlError.views` while they cannot be used.
  func upToDate() throws -> Reading {
    // Under `relaxed` what was answered may still be on its way into the log.
    let target = reader.last
    let deadline = reader.monotonic() + Self.patience
    while true {
      let isTaken: Void? = turn.withLockIfAvailable { hasFailed in
        _ = try? take(&hasFailed, through: target)
      }
      // The thread is at it.
      if isTaken == nil { _ = Signal().wait(nanoseconds: 2_000_000) }
      let (position, failure) = status.withLock { (Position($0.position), $0.failure) }
      let isLate = reader.monotonic() >= deadline
      let isStopped = isStopping.load(ordering: .sequentiallyConsistent)
      guard position >= target || isLate || failure != nil || isStopped else { continue }
      guard let open = views.withLock({ $0 }) else {
        throw ControlError.views(failure ?? "they are being made")
      }
      return Reading(
        views: open, position: position,
        behind: position >= target ? 0 : target.rawValue - position.rawValue)
    }
  }

  /// Asks the tables for something; waits for nobody.
  ///
  /// Takes in what is missing if that is a moment's events and nobody else is at it.
  ///
  /// - Returns: whether they have what was acknowledged before the call.
  /// - Throws: `ControlError.views` while they cannot be used.
  func touch() throws -> Bool {
    let target = reader.last
    let isNear = target.rawValue - min(current.position, target.rawValue) <= Self.moment
    if isNear || views.withLock({ $0 == nil }) {
      turn.withLockIfAvailable { hasFailed in _ = try? take(&hasFailed, through: target) }
    }
    let (position, failure) = status.withLock { (Position($0.position), $0.failure) }
    guard failure == nil, let open = views.withLock({ $0 }) else {
      throw ControlError.views(failure ?? "they are being made")
    }
    // Not only where they say they are: the file is asked.
    try open.touch()
    return position >= target
  }

  // MARK: Taking in

  private func follow() {
    while !isStopping.load(ordering: .sequentiallyConsistent) {
      let began = reader.monotonic()
      let hasMore = turn.withLock { hasFailed in
        (try? take(&hasFailed, through: Position(.max))) ?? false
      }
      let took = reader.monotonic() - began
      if !hasMore, current.failure == nil { tell() }
      let hasFailed = status.withLock { $0.failure != nil }
      // A long way to go takes half of what one core has to spare.
      _ = wake.wait(nanoseconds: hasFailed ? Self.retry : hasMore ? took : Self.look)
    }
  }

  /// Takes in one batch; true if there is more.
  ///
  /// - Parameter hasFailed: whether the tables were found broken and nothing was taken in since.
  /// - Throws: what is also noted in `status`.
  private func take(_ hasFailed: inout Bool, through end: Position) throws -> Bool {
    // What is closed for good is not opened by who comes late.
    guard !isStopping.load(ordering: .sequentiallyConsistent) else {
      throw ControlError.views("the gateway stops")
    }
    do {
      if let damage = views.withLock({ $0?.damage }) { throw damage }
      if views.withLock({ $0 != nil }), !FileManager.default.fileExists(atPath: path) {
        throw ViewFault.missing
      }
      let open = try views.withLock { $0 } ?? opened()
      views.withLock { $0 = open }
      var hasMore = false
      if Position(open.checkpoint.position) < min(end, reader.last) {
        // Space that appends are about to need is not for what can wait.
        try reader.requireHeadroom()
        hasMore = try fold.step(into: open, for: metrics)
      }
      status.withLock { status in
        status.position = open.checkpoint.position
        status.failure = nil
      }
      if open.checkpoint.position > 0 { hasFailed = false }
      return hasMore
    } catch let fault as ViewFault where !hasFailed {
      hasFailed = true
      try again(because: fault)
      return true
    } catch {
      let isNew = status.withLock { status in
        defer { status.failure = "\(error)" }
        return status.failure != "\(error)"
      }
      if isNew, !isStopping.load(ordering: .sequentiallyConsistent) {
        logger.error(
          "the views of requests stay behind; requests and the log are not concerned",
          metadata: ["cause": "\(error)"])
      }
      throw error
    }
  }

  private func opened() throws -> ViewStore {
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    let views = try ViewStore(path: path, storeID: reader.storeID)
    let checkpoint = views.checkpoint
    // A log's first life has none to miss.
    if checkpoint.position == 0, reader.last > .origin, !store.report.createdStore {
      note(.missing)
    }
    let position = Position(checkpoint.position)
    guard position <= reader.last else {
      throw ViewFault.astray("they reach position \(position), the log \(reader.last)")
    }
    guard try fold.chain(at: position) == checkpoint.chain else {
      throw ViewFault.astray("the log's chain is another one at position \(position)")
    }
    return views
  }

  private func note(_ reason: GatewayEvent.ViewRebuilt.Reason) {
    anew.withLock { $0 = $0 ?? reason }
  }

  /// Deletes the tables, which are made anew from the log's beginning.
  private func again(because fault: ViewFault) throws {
    logger.notice("the views of requests are made anew", metadata: ["cause": "\(fault)"])
    // Who reads them yet reads them to the end: the files go with the last one.
    views.withLock { views in
      try? views?.close()
      views = nil
    }
    try ViewStore.remove(path: path)
    note(fault.reason)
    status.withLock { status in
      status.position = 0
      status.rebuilds += 1
    }
  }

  /// Notes in the log, once, that the tables were made anew; what the log does not take now it gets later.
  func tell() {
    guard let reason = anew.withLock({ $0 }) else { return }
    let reached = current.position
    do {
      try store.note(
        .gateway(.viewRebuilt(.init(view: "usage", reason: reason, position: reached))))
    } catch {
      return
    }
    anew.withLock { $0 = nil }
    logger.notice(
      "the views of requests were made anew",
      metadata: ["reason": "\(reason.name)", "through": "\(reached)"])
  }
}

extension ViewFault {
  fileprivate var reason: GatewayEvent.ViewRebuilt.Reason {
    switch self {
    case .missing, .closed: .missing
    case .damaged, .layout: .damaged
    case .astray: .astray
    }
  }
}
