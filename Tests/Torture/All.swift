internal import ArgumentParser

/// Everything, for as long as asked.
struct All: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Failing system calls, kills and simulated crashes, for as long as asked.",
    discussion: "The last line counts the points, and what must be zero.")

  @Option(help: "For how long.") var seconds = 120
  @Option(help: "The seed of the crashes and the kills; drawn and printed if it is not given.")
  var seed: UInt64?

  func run() throws {
    let seed = seed ?? UInt64.random(in: 0..<(1 << 48))
    let began = monotonicSeconds()
    note("seed \(seed)")
    // What ends by its own nature first, the rest for the crashes.
    var tally = Inject.sweep(seconds: max(1, seconds / 4))
    tally.add(try Kills.campaign(seed: seed, seconds: max(1, seconds / 8)))
    let left = seconds - Int(monotonicSeconds() - began)
    let (crashes, lives) = Crash.campaign(
      base: seed, points: nil, seconds: max(1, left), lives: nil)
    tally.add(crashes)
    try tally.report("\(lives) lives, \(Int(monotonicSeconds() - began)) s, seed \(seed)")
  }
}
