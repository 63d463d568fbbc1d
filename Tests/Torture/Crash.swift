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

  func run() throws {
    let base = seed ?? UInt64.random(in: 0..<(1 << 48))
    let wanted = points ?? (seconds == nil && lives == nil ? 100_000 : nil)
    let began = monotonicSeconds()
    note("seed \(base)")
    let (tally, lived) = Self.campaign(base: base, points: wanted, seconds: seconds, lives: lives)
    let took = Int(monotonicSeconds() - began)
    if json {
      print(tally.json([("seed", Int(base)), ("lives", lived), ("seconds", took)]))
      if tally.violationCount > 0 { throw ExitCode(1) }
    } else {
      try tally.report("\(lived) lives, \(took) s, seed \(base)")
    }
  }

  /// Lives from the seed `base` on, on all cores, until one of the bounds is reached.
  static func campaign(
    base: UInt64, points: Int?, seconds: Int?, lives: Int?
  ) -> (tally: Tally, lives: Int) {
    let began = monotonicSeconds()
    let progress = Mutex((tally: Tally(), lives: 0))
    let nextLife = Atomic<Int>(0)
    let workers = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    DispatchQueue.concurrentPerform(iterations: workers) { worker in
      var shown = began
      while true {
        let number = nextLife.add(1, ordering: .relaxed).oldValue
        if let lives, number >= lives { return }
        let seed = base &+ UInt64(number)
        let (found, violation) = CrashCampaign.run(seed: seed)
        let (violations, total) = progress.withLock { progress -> (Int, Int) in
          for (name, count) in found { progress.tally.count(name, times: count) }
          progress.lives += 1
          if let violation { progress.tally.count(violation) }
          return (progress.tally.violationCount, progress.tally.total)
        }
        if let violation {
          note("seed \(seed): \(violation)")
          note("  again: torture crash --seed \(seed) --lives 1")
        }
        let now = monotonicSeconds()
        if worker == 0, now - shown >= 10 {
          shown = now
          note("\(Int(now - began)) s: \(total) points")
        }
        if violations >= 10 || total >= points ?? .max { return }
        if let seconds, now - began >= Double(seconds) { return }
      }
    }
    return progress.withLock { $0 }
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
