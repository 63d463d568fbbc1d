internal import ArgumentParser
internal import Dispatch
internal import EventStore
internal import Glibc
internal import Support
internal import Synchronization

/// Lives the lives of many seeds on simulated disks and compares each with what its author was told.
struct Crash: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Crashes logs on a simulated disk and compares what is left.",
    discussion: """
      Power cuts and kills at a random call, EIO and ENOSPC, short writes, un-synced bytes lost,
      reordered, torn, zeroed, garbled or taken from an older life, also during recovery. A point is
      counted when the fault happened and everything the log then gave was compared.
      """)

  @Option(help: "Stop after this many points.") var points: Int?
  @Option(help: "Stop after this many seconds.") var seconds: Int?
  @Option(help: "The first seed; drawn and printed if it is not given.") var seed: UInt64?
  @Option(help: "Live this many lives, no more: with 1, the one of a failure.") var lives: Int?
  @Flag(help: "Print one JSON object instead of a table.") var json = false

  private struct Progress {
    var points: [String: Int] = [:]
    var total = 0
    var lives = 0
    var violations: [(seed: UInt64, violation: Violation)] = []
  }

  func run() throws {
    let base = seed ?? UInt64.random(in: 0..<(1 << 48))
    let wanted = points ?? (seconds == nil && lives == nil ? 100_000 : .max)
    let began = monotonicSeconds()
    let progress = Mutex(Progress())
    let nextLife = Atomic<Int>(0)
    let workers = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    note("seed \(base), \(workers) threads")
    DispatchQueue.concurrentPerform(iterations: workers) { worker in
      var shown = began
      while true {
        let number = nextLife.add(1, ordering: .relaxed).oldValue
        if let lives, number >= lives { return }
        let seed = base &+ UInt64(number)
        let (points, violation) = CrashCampaign.run(seed: seed)
        let now = monotonicSeconds()
        let (isOver, total) = progress.withLock { progress -> (Bool, Int) in
          for (name, count) in points {
            progress.points[name, default: 0] += count
            progress.total += count
          }
          progress.lives += 1
          if let violation { progress.violations.append((seed, violation)) }
          return (progress.violations.count >= 10 || progress.total >= wanted, progress.total)
        }
        if let violation {
          note("seed \(seed): \(violation)")
          note("  again: torture crash --seed \(seed) --lives 1")
        }
        if worker == 0, now - shown >= 10 {
          shown = now
          note("\(Int(now - began)) s: \(total) points")
        }
        if isOver { return }
        if let seconds, now - began >= Double(seconds) { return }
      }
    }
    let result = progress.withLock { $0 }
    report(result, base: base, seconds: monotonicSeconds() - began)
    if !result.violations.isEmpty { throw ExitCode(1) }
  }

  private func report(_ result: Progress, base: UInt64, seconds: Double) {
    let counts = Violation.Kind.allCases.map { kind in
      (kind.rawValue, result.violations.count { $0.violation.kind == kind })
    }
    if json {
      let points = result.points.sorted { $0.key < $1.key }
        .map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",")
      let verdict = counts.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",")
      print(
        "{\"seed\":\(base),\"lives\":\(result.lives),\"seconds\":\(Int(seconds)),"
          + "\"points\":{\(points)},\"total\":\(result.total),\(verdict)}")
      return
    }
    for (name, count) in result.points.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
      print("\(count)\t\(name)")
    }
    print(
      "\(result.total) points in \(result.lives) lives, \(Int(seconds)) s, seed \(base): "
        + counts.map { "\($0.1) \($0.0)" }.joined(separator: ", "))
  }
}

/// Seconds of a clock that never goes back.
func monotonicSeconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Says something to the person who watches.
func note(_ text: String) {
  var line = Array((text + "\n").utf8)
  _ = line.withUnsafeMutableBytes { Glibc.write(2, $0.baseAddress, $0.count) }
}
