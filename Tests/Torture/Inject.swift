internal import ArgumentParser
internal import Dispatch
internal import EventStore
internal import Glibc
internal import Support
internal import Synchronization

/// A fixed work that tells what it was answered: run under strace by `inject`.
struct WorkCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "work",
    abstract: "Appends a fixed number of events and prints what became of each.",
    discussion: "A line per event: its number and acked, refused or unknown.")

  @Argument(help: "The log's directory.") var directory: String
  @Argument(help: "The first event's number.") var first: UInt64
  @Option(help: "How many events.") var events: UInt64 = 24
  @Option(help: "The kernel writes no byte of any file behind this one.") var fileBytes: UInt64?
  @Option(help: "The kernel gives no more than so many file descriptors.") var descriptors: UInt64?

  /// Incompressible, so that a few events fill a segment.
  static func draft(_ number: UInt64) -> EventDraft { Support.draft(number, size: 6_000) }

  func run() throws {
    if let fileBytes {
      // A write across it is cut short, the next one fails with EFBIG; the signal would end us.
      signal(SIGXFSZ, SIG_IGN)
      try bound(RLIMIT_FSIZE, fileBytes)
    }
    if let descriptors { try bound(RLIMIT_NOFILE, descriptors) }
    let store: EventStore
    do {
      store = try EventStore.open(
        directory: directory, options: StoreOptions(segmentBytes: 64 << 10))
    } catch {
      note("cannot open: \(error)")
      throw ExitCode(4)
    }
    for number in first..<(first + events) {
      var outcome = "acked"
      do throws(StoreError) {
        _ = try store.appendAndWait(
          AppendBatch(events: [Self.draft(number)]),
          durability: number.isMultiple(of: 3) ? .written : .durable)
      } catch { outcome = error.code == .full ? "refused" : "unknown" }
      let line = Array("\(number) \(outcome)\n".utf8)
      _ = Glibc.write(1, line, line.count)
    }
    // A poisoned log says so again here; the answers say it already.
    _ = try? store.close()
  }
}

private func bound(_ what: __rlimit_resource, _ count: UInt64) throws {
  var limit = rlimit(rlim_cur: rlim_t(count), rlim_max: rlim_t(count))
  guard setrlimit(__rlimit_resource_t(what.rawValue), &limit) == 0 else { throw ExitCode(2) }
}

/// Lets the kernel fail the n-th call of a real process, for every n.
struct Inject: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes the n-th system call of a real process fail, for each n, with strace.",
    discussion: """
      Each run works in a new directory; then the log is opened and compared with what was answered.
      Killed runs are continued by one that is killed during recovery. The n-th call is counted for
      each thread. Without strace only writes are cut short, and a line with SKIPPED says so.
      """)

  @Option(help: "Stop after this many seconds, and say what was not run.") var seconds = 120
  @Option(help: "Only this fault, as its line names it.") var fault: String?
  @Option(help: "Only this call, from 1.") var call: Int?

  private struct Fault {
    var name: String
    /// What strace does: system calls and what becomes of them; none: only the size of files is bounded.
    var call = ""
    var injection = ""
    /// The call did not happen, and the kernel says that it did.
    var isLie = false
    /// The n-th run may write no byte behind the n-th of these steps in any file.
    var fileStep: UInt64?
    /// There is a log already, and what fails is nearly always its recovery.
    var isReopening = false
  }

  /// How far the bound of files is moved from run to run: odd, so that it falls into every kind of field.
  private static let fileStep: UInt64 = 1_531
  private static let renames = "rename,renameat,renameat2"
  private static let unlinks = "unlink,unlinkat"

  private static let faults: [Fault] = {
    var faults = [
      Fault(name: "a write that is cut short", fileStep: fileStep),
      Fault(
        name: "a write that is cut short, and EIO in cutting it off", call: "ftruncate",
        injection: "error=EIO:when=2+", fileStep: fileStep),
      Fault(
        name: "a written byte that is not", call: "pwrite64", injection: "retval=1", isLie: true),
      Fault(
        name: "EIO in read when reopening", call: "pread64", injection: "error=EIO",
        isReopening: true),
      Fault(
        name: "EINTR in read when reopening", call: "pread64", injection: "error=EINTR",
        isReopening: true),
    ]
    let calls: [(name: String, call: String, errors: [String])] = [
      ("pwrite", "pwrite64", ["EIO", "ENOSPC", "EDQUOT", "EINTR"]),
      ("fdatasync", "fdatasync", ["EIO", "ENOSPC", "EINTR"]),
      ("fsync of a directory", "fsync", ["EIO", "EINTR"]), ("rename", renames, ["EIO", "ENOSPC"]),
      ("open", "openat", ["EIO", "ENOSPC", "EMFILE", "EINTR"]), ("unlink", unlinks, ["EIO"]),
      ("fallocate", "fallocate", ["EIO", "ENOSPC", "EINTR"]),
      ("ftruncate", "ftruncate", ["EIO", "EINTR"]),
    ]
    for (name, call, errors) in calls {
      for error in errors {
        faults.append(Fault(name: "\(error) in \(name)", call: call, injection: "error=\(error)"))
      }
      faults.append(Fault(name: "kill in \(name)", call: call, injection: "signal=KILL"))
    }
    return faults
  }()

  private enum Outcome {
    case compared
    /// There was no n-th call.
    case tooFar
    /// The n-th call was not the log's.
    case nothing
    case violation(Violation)
  }

  private struct Progress {
    /// The next n for each fault; nil when it was the last one.
    var next: [Int?]
    var tally = Tally()
  }

  func run() throws {
    let chosen = Self.faults.filter { fault == nil || $0.name == fault }
    guard !chosen.isEmpty, call == nil || fault != nil else {
      throw ValidationError("no such fault; --call needs one")
    }
    if let call, call < 1 { throw ValidationError("calls count from 1") }
    try Self.sweep(chosen, only: call, seconds: seconds).report("failing system calls")
  }

  /// Every fault at every call, the furthest behind first, until `seconds` are over.
  static func sweep(seconds: Int) -> Tally { sweep(faults, only: nil, seconds: seconds) }

  private static func sweep(_ wanted: [Fault], only call: Int?, seconds: Int) -> Tally {
    let strace = findStrace()
    let faults = strace == nil ? wanted.filter(\.call.isEmpty) : wanted
    if strace == nil {
      print(
        "SKIPPED: strace is missing or may not trace here (Scripts/setup.sh test): "
          + "\(wanted.count - faults.count) kinds of failing system calls were not tried")
    }
    let until = monotonicSeconds() + Double(seconds)
    let progress = Mutex(Progress(next: Array(repeating: call ?? 1, count: faults.count)))
    let workers = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    DispatchQueue.concurrentPerform(iterations: workers) { _ in
      while monotonicSeconds() < until {
        let job = progress.withLock { progress -> (fault: Int, n: Int)? in
          let open = progress.next.indices.filter { progress.next[$0] != nil }
          guard progress.tally.violationCount < 10,
            let fault = open.min(by: { progress.next[$0] ?? 0 < progress.next[$1] ?? 0 }),
            let n = progress.next[fault]
          else { return nil }
          progress.next[fault] = call == nil ? n + 1 : nil
          return (fault, n)
        }
        guard let job else { return }
        let fault = faults[job.fault]
        let outcome: Outcome
        do { outcome = try run(strace, fault, job.n) } catch {
          outcome = .violation(
            error as? Violation ?? Violation(.wrong, "cannot be compared: \(error)"))
        }
        progress.withLock { progress in
          switch outcome {
          case .compared: progress.tally.count(fault.name)
          case .nothing: break
          case .tooFar: progress.next[job.fault] = nil
          case .violation(let violation):
            progress.tally.count(violation)
            note("\(fault.name), call \(job.n): \(violation)")
            note("  again: torture inject --fault '\(fault.name)' --call \(job.n)")
          }
        }
      }
    }
    let result = progress.withLock { $0 }
    for (fault, next) in zip(faults, result.next) {
      if let next { note("not run for want of time: \(fault.name) from call \(next) on") }
    }
    return result.tally
  }

  /// strace, if it is there and works.
  private static func findStrace() -> String? {
    let folders = (getenv("PATH").map { String(cString: $0) } ?? "").split(separator: ":")
    guard
      let path = folders.map({ String($0) + "/strace" }).first(where: { access($0, X_OK) == 0 }),
      let trial = try? ChildProcess(
        path, ["-f", "-qq", "-o", "/dev/null", "-e", "trace=none", "/bin/true"],
        errors: "/dev/null")
    else { return nil }
    _ = trial.readAll()
    return trial.wait() == 0 ? path : nil
  }

  private static func run(_ strace: String?, _ fault: Fault, _ n: Int) throws -> Outcome {
    let folder = try TemporaryDirectory()
    defer { folder.remove() }
    let log = folder.path + "/log"
    var answers: [UInt64: String] = [:]
    var first: UInt64 = 1
    if fault.isReopening {
      _ = try work(nil, folder.path, Fault(name: "none"), "", first: first, &answers)
      first += 1_000
    }
    let when = fault.injection.contains(":when=") ? "" : ":when=\(n)"
    var bounded = fault
    bounded.fileStep = fault.fileStep.map { $0 * UInt64(n) }
    // Behind the longest file nothing is cut short any more.
    if let bytes = bounded.fileStep, bytes > 80 << 10 { return .tooFar }
    let hit = try work(
      strace, folder.path, bounded, fault.injection + when, first: first, &answers)
    if hit == .none { return fault.fileStep == nil ? .tooFar : .nothing }
    if hit == .loader { return .nothing }
    if fault.injection == "signal=KILL" {
      // The next one is killed too, in what is nearly always its recovery.
      _ = try work(
        strace, folder.path, fault, "\(fault.injection):when=\(n % 5 + 1)", first: first + 1_000,
        &answers)
    }
    return try compare(log, answers, isLie: fault.isLie).map { .violation($0) } ?? .compared
  }

  private enum Hit {
    case none
    /// Before there was a program.
    case loader
    case log
  }

  /// Runs `torture work` with an injection: whether it happened, and to whom.
  private static func work(
    _ strace: String?, _ folder: String, _ fault: Fault, _ injection: String, first: UInt64,
    _ answers: inout [UInt64: String]
  ) throws -> Hit {
    let trace = folder + "/trace"
    var words = [ChildProcess.ownExecutable, "work", folder + "/log", String(first)]
    if let bytes = fault.fileStep { words += ["--file-bytes", String(bytes)] }
    if let strace, !fault.call.isEmpty {
      words =
        [
          strace, "-f", "-qq", "-o", trace, "-e", "trace=\(fault.call)", "-e",
          "inject=\(fault.call):\(injection)",
        ] + words
    }
    let child = try ChildProcess(words[0], Array(words.dropFirst()), errors: folder + "/errors")
    let output = child.readAll()
    for line in String(decoding: output, as: UTF8.self).split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.count == 2, let number = UInt64(words[0]) { answers[number] = String(words[1]) }
    }
    let status = child.wait()
    if fault.call.isEmpty {
      guard [0, 4].contains(status) else {
        throw Violation(.wrong, "the process ended with \(status)")
      }
      let isCut = status == 4 || answers.values.contains { $0 != "acked" }
      return isCut ? .log : .none
    }
    let text = try PosixDisk().open(trace, .read).readAll(limit: 16 << 20) ?? []
    if status == -SIGKILL { return access(folder + "/log", F_OK) == 0 ? .log : .loader }
    guard String(decoding: text, as: UTF8.self).contains("INJECTED") else { return .none }
    switch status {
    case 0, 4: return .log
    case 127 where output.isEmpty: return .loader
    default: throw Violation(.wrong, "the process ended with \(status)")
    }
  }

  private static func compare(
    _ log: String, _ answers: [UInt64: String], isLie: Bool
  ) throws -> Violation? {
    if access(log + "/seg", F_OK) != 0 {
      return answers.values.contains("acked") ? Violation(.lost, "there is no log") : nil
    }
    var numbers: Set<UInt64> = []
    func check(_ events: [StoredEvent]) throws(Violation) {
      numbers = []
      for event in events {
        let number = UInt64(truncatingIfNeeded: event.id.rawValue >> 64)
        guard isSame(event, WorkCommand.draft(number)) else {
          throw Violation(.wrong, "content at \(event.position)")
        }
        guard numbers.insert(number).inserted, answers[number] != "refused" else {
          throw Violation(.phantom, "event \(number) at \(event.position)")
        }
      }
    }
    let acked = answers.filter { $0.value == "acked" }.map(\.key).sorted()
    if isLie {
      // What the kernel pretended to write may be gone, but never without a word.
      let reader: LogReader
      do throws(StoreError) { reader = try LogReader.open(directory: log) } catch {
        return error.code == .notAStore && error.path != nil
          ? nil : Violation(.wrong, "does not open: \(error)")
      }
      let (events, gaps) = try everything(reader)
      try check(events)
      let missing = acked.filter { !numbers.contains($0) }
      return missing.isEmpty || !gaps.isEmpty
        ? nil : Violation(.silent, "events \(missing) are gone and no gap says so")
    }
    let store: EventStore
    do {
      store = try EventStore.open(directory: log, options: StoreOptions(segmentBytes: 64 << 10))
    } catch { return Violation(.lost, "does not open: \(error)") }
    defer { _ = try? store.close() }
    let (events, gaps) = try everything(store.reader)
    guard gaps.isEmpty else { return Violation(.lost, "gap \(gaps[0].rule)") }
    try check(events)
    let missing = acked.filter { !numbers.contains($0) }
    if !missing.isEmpty { return Violation(.lost, "acknowledged events \(missing)") }
    let verdict = try store.reader.verify(from: .origin, through: nil, progress: nil)
    return verdict.isIntact ? nil : Violation(.silent, "verify: \(verdict.gaps)")
  }
}
