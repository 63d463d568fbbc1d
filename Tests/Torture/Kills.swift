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
    var random = SeededRandom(seed: seed)
    let until = monotonicSeconds() + Double(seconds)
    note("seed \(seed)")
    var kills: [String: Int] = [:]
    var events = 0
    do {
      while monotonicSeconds() < until {
        let folder = try TemporaryDirectory()
        defer { folder.remove() }
        var run = KilledLog(directory: folder.path + "/log")
        for round in 0..<Self.killsPerDirectory where monotonicSeconds() < until {
          let mode = ["durable", "written"][random.int(0...1)]
          try run.kill(mode, run: UInt64(round) + 1, bytes: 33 * random.int(1...3_000))
          kills[mode, default: 0] += 1
          if random.oneIn(4) { try run.cutOffAtRandom(&random) }
        }
        events += run.acknowledged.count
      }
    } catch let violation as Violation {
      note("seed \(seed): \(violation)")
      print("\(kills.values.reduce(0, +)) kills, \(violation.kind.rawValue)")
      throw ExitCode(1)
    }
    print(
      "\(kills["durable", default: 0]) kills of durable and \(kills["written", default: 0]) of written "
        + "appends, \(events) acknowledged events, seed \(seed): "
        + Violation.Kind.allCases.map { "0 \($0.rawValue)" }.joined(separator: ", "))
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
  mutating func cutOffAtRandom(_ random: inout SeededRandom) throws {
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
