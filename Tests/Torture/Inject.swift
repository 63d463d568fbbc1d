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

  /// Incompressible, so that a few events fill a segment.
  static func draft(_ number: UInt64) -> EventDraft { Support.draft(number, size: 6_000) }

  func run() throws {
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

/// Lets the kernel fail the n-th call of a real process, for every n.
struct Inject: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes the n-th system call of a real process fail, for each n, with strace.",
    discussion: """
      Each run works in a new directory; then the log is opened and compared with what was answered.
      Killed runs are continued by one that is killed during recovery. Without strace nothing is run,
      and a line that begins with SKIPPED says so.
      """)

  @Option(help: "Stop after this many seconds, and say what was not run.") var seconds = 60

  private struct Fault {
    var name: String
    var call: String
    var injection: String
    /// The call did not happen, and the kernel says that it did.
    var isLie = false
  }

  private static let faults = [
    Fault(name: "EIO in fdatasync", call: "fdatasync", injection: "error=EIO"),
    Fault(name: "EIO in pwrite", call: "pwrite64", injection: "error=EIO"),
    Fault(name: "ENOSPC in pwrite", call: "pwrite64", injection: "error=ENOSPC"),
    Fault(name: "kill in pwrite", call: "pwrite64", injection: "signal=KILL"),
    Fault(name: "kill in fdatasync", call: "fdatasync", injection: "signal=KILL"),
    Fault(name: "kill in rename", call: "rename,renameat,renameat2", injection: "signal=KILL"),
    Fault(name: "EIO in rename", call: "rename,renameat,renameat2", injection: "error=EIO"),
    Fault(name: "EIO in fsync of a directory", call: "fsync", injection: "error=EIO"),
    Fault(name: "ENOSPC in open", call: "openat", injection: "error=ENOSPC"),
    Fault(name: "EMFILE in open", call: "openat", injection: "error=EMFILE"),
    Fault(
      name: "a written byte that is not", call: "pwrite64", injection: "retval=1", isLie: true),
  ]

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
    var running: [Int]
    var counts: [Int]
    var violations: [String] = []
  }

  func run() throws {
    guard let strace = Self.findStrace() else {
      print("SKIPPED: strace is missing or may not trace here: no system call was made to fail")
      return
    }
    let until = monotonicSeconds() + Double(seconds)
    let count = Self.faults.count
    let progress = Mutex(
      Progress(
        next: Array(repeating: 1, count: count), running: Array(repeating: 0, count: count),
        counts: Array(repeating: 0, count: count)))
    let workers = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    DispatchQueue.concurrentPerform(iterations: workers) { _ in
      while monotonicSeconds() < until {
        // The fault that is the furthest behind.
        let job = progress.withLock { progress -> (fault: Int, n: Int)? in
          let open = progress.next.indices.filter { progress.next[$0] != nil }
          guard progress.violations.count < 10,
            let fault = open.min(by: { progress.next[$0] ?? 0 < progress.next[$1] ?? 0 }),
            let n = progress.next[fault]
          else { return nil }
          progress.next[fault] = n + 1
          return (fault, n)
        }
        guard let job else { return }
        let fault = Self.faults[job.fault]
        let outcome: Outcome
        do { outcome = try Self.run(strace, fault, job.n) } catch {
          outcome = .violation(
            error as? Violation ?? Violation(.wrong, "cannot be compared: \(error)"))
        }
        progress.withLock { progress in
          switch outcome {
          case .compared: progress.counts[job.fault] += 1
          case .nothing: break
          case .tooFar: progress.next[job.fault] = nil
          case .violation(let violation):
            progress.violations.append("\(fault.name), call \(job.n): \(violation)")
            note(progress.violations[progress.violations.count - 1])
          }
        }
      }
    }
    let result = progress.withLock { $0 }
    for (fault, count) in zip(Self.faults, result.counts) { print("\(count)\t\(fault.name)") }
    for (fault, next) in zip(Self.faults, result.next) {
      if let next { print("not run: \(fault.name) from call \(next) on") }
    }
    print(
      "\(result.counts.reduce(0, +)) runs with an injected fault, "
        + "\(result.violations.count) violations")
    if !result.violations.isEmpty { throw ExitCode(1) }
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

  private static func run(_ strace: String, _ fault: Fault, _ n: Int) throws -> Outcome {
    let folder = try TemporaryDirectory()
    defer { folder.remove() }
    let log = folder.path + "/log"
    var answers: [UInt64: String] = [:]
    let isKill = fault.injection == "signal=KILL"
    let (isHit, isOurs) = try work(
      strace, folder.path, fault, "\(fault.injection):when=\(n)", first: 1, &answers)
    guard isHit else { return .tooFar }
    // A call of the dynamic loader's, before there was a program.
    guard isOurs else { return .nothing }
    if isKill {
      // The next one is killed too, in what is nearly always its recovery.
      _ = try work(
        strace, folder.path, fault, "\(fault.injection):when=\(n % 5 + 1)", first: 1_001, &answers)
    }
    return try compare(log, answers, isLie: fault.isLie).map { .violation($0) } ?? .compared
  }

  /// Runs `torture work` with an injection; whether it happened, and while the log was at work.
  private static func work(
    _ strace: String, _ folder: String, _ fault: Fault, _ injection: String, first: UInt64,
    _ answers: inout [UInt64: String]
  ) throws -> (isHit: Bool, isOurs: Bool) {
    let trace = folder + "/trace"
    let child = try ChildProcess(
      strace,
      [
        "-f", "-qq", "-o", trace, "-e", "trace=\(fault.call)", "-e",
        "inject=\(fault.call):\(injection)", ChildProcess.ownExecutable, "work", folder + "/log",
        String(first),
      ], errors: folder + "/errors")
    for line in String(decoding: child.readAll(), as: UTF8.self).split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.count == 2, let number = UInt64(words[0]) { answers[number] = String(words[1]) }
    }
    let status = child.wait()
    let text = try PosixDisk().open(trace, .read).readAll(limit: 16 << 20) ?? []
    let isHit = status == -SIGKILL || String(decoding: text, as: UTF8.self).contains("INJECTED")
    return (isHit, status == -SIGKILL || [0, 4].contains(status))
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
