internal import ArgumentParser
internal import EventStore
internal import Foundation
internal import Glibc
internal import Support

/// Kills a real process again and again over the same directory.
struct Kills: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Kills a process that appends, again and again, and compares what is left.",
    discussion: """
      The killed process prints the ids of acknowledged events to a pipe. After each kill the log is
      opened, and every acknowledged id must be there once, with its content, and nothing else.
      """)

  @Option(help: "For how long.") var seconds = 60
  @Option(help: "The seed; drawn and printed if it is not given.") var seed: UInt64?

  /// Kills after which a new directory is begun, so that checking does not become the work.
  private static let killsPerDirectory = 30

  func run() throws {
    let seed = seed ?? UInt64.random(in: 0..<(1 << 32))
    note("seed \(seed)")
    try Self.campaign(seed: seed, seconds: seconds).report("seed \(seed)")
  }

  /// Kills until `seconds` are over, or until something is not as it must be.
  static func campaign(seed: UInt64, seconds: Int) throws -> Tally {
    var random = SeededRandom(seed: seed)
    let until = monotonicSeconds() + Double(seconds)
    var tally = Tally()
    do {
      while monotonicSeconds() < until {
        let folder = try TemporaryDirectory()
        defer { folder.remove() }
        var log = KilledLog(directory: folder.path + "/log")
        for round in 0..<killsPerDirectory where monotonicSeconds() < until {
          let mode = ["durable", "written"][random.int(0...1)]
          try log.kill(mode, run: UInt64(round) + 1, bytes: 33 * random.int(1...3_000))
          tally.count("killed process, \(mode)")
          if random.oneIn(4) {
            try log.addUnfinished(&random)
            tally.count("unfinished append of a killed process")
          }
        }
      }
    } catch let violation as Violation {
      note("seed \(seed): \(violation)")
      note("  again: torture kills --seed \(seed) --seconds \(seconds)")
      tally.count(violation)
    }
    return tally
  }
}

/// A directory that a process is killed over.
private struct KilledLog {
  let directory: String
  var acknowledged: Set<UInt128> = []
  private var lastEpoch: UInt64 = 0

  init(directory: String) { self.directory = directory }

  /// Runs `torture append`, kills it after `bytes` of answers and compares.
  mutating func kill(_ mode: String, run: UInt64, bytes: Int) throws {
    let child = try ChildProcess(
      ChildProcess.ownExecutable, ["append", directory, mode, String(run)])
    // The kill may have cut the last line.
    let lines = String(decoding: child.killAfter(bytes: bytes), as: UTF8.self)
      .split(separator: "\n").filter { $0.utf8.count == 32 }
    for line in lines { if let id = UInt128(line, radix: 16) { acknowledged.insert(id) } }
    try compare()
  }

  /// Bytes behind the end, as of an append that was cut short.
  mutating func addUnfinished(_ random: inout SeededRandom) throws {
    guard let name = try PosixDisk().list(directory + "/seg").max() else { return }
    let file = try PosixDisk().open(directory + "/seg/" + name, .readWrite)
    defer { file.close() }
    try file.writeAll(random.bytes(random.int(1...300)), at: try file.size())
    try compare()
  }

  private mutating func compare() throws {
    let store: EventStore
    do {
      store = try EventStore.open(
        directory: directory, options: StoreOptions(segmentBytes: 64 << 10))
    } catch { throw Violation(.lost, "does not open: \(error)") }
    guard store.epoch.rawValue > lastEpoch else { throw Violation(.wrong, "epoch used again") }
    lastEpoch = store.epoch.rawValue
    let (events, gaps) = try everything(store.reader)
    guard gaps.isEmpty else { throw Violation(.lost, "gap: \(gaps[0])") }
    var missing = acknowledged
    var seen: Set<UInt128> = []
    for event in events {
      let bytes = withUnsafeBytes(of: event.id.rawValue.bigEndian) { Array($0) }
      guard Array(event.payload) == bytes + bytes + bytes else {
        throw Violation(.wrong, "content at \(event.position)")
      }
      if !seen.insert(event.id.rawValue).inserted {
        throw Violation(.phantom, "the event at \(event.position) is there twice")
      }
      missing.remove(event.id.rawValue)
    }
    guard missing.isEmpty else { throw Violation(.lost, "\(missing.count) acknowledged events") }
    let verdict = try store.reader.verify(from: .origin, through: nil, progress: nil)
    guard verdict.isIntact else { throw Violation(.silent, "verify: \(verdict.gaps)") }
    // What was found without an answer is durable now.
    acknowledged = seen
    try store.close()
  }
}

/// A directory under /tmp, removed with what is in it.
struct TemporaryDirectory {
  let path: String

  init() throws {
    var template = Array("/tmp/signalbox-torture-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw StoreError(.io, "mkdtemp", errno: errno) }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  func remove() {
    try? FileManager.default.removeItem(atPath: path)
  }
}
