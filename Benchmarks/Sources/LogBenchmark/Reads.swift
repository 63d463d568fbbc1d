import Domain
import EventStore
import Glibc

enum Reads {
  /// Fills a new log with `count` events in batches of 1,000, as fast as it takes them, and waits until all
  /// finished segments are sealed.
  static func fill(
    directory: String, workload: Workload, count: UInt64, segmentBytes: Int, isDeclared: Bool
  ) throws {
    let store = try openStore(directory, segmentBytes: segmentBytes)
    if isDeclared {
      _ = try store.appendAndWait(
        AppendBatch(events: workload.declarations()), durability: .durable)
    }
    let began = monotonic()
    var meter = Meter("log", count)
    for first in stride(from: 0, to: count, by: 1_000) {
      let last = min(first + 1_000, count)
      _ = try store.appendAndWait(
        AppendBatch(events: workload.drafts(first..<last)), durability: .written)
      meter.reached(last)
    }
    let filled = seconds(since: began)
    if let failure = store.waitUntilSealed().lastFailure { throw failure }
    let sealed = seconds(since: began)
    try store.close()
    result([
      "seconds": filled, "sealedAfter": sealed, "peakMemory": Double(peakMemory()),
    ])
  }

  /// What the segments hold and weigh on disk.
  static func weigh(directory: String) throws {
    let reader = try LogReader.open(directory: directory)
    let files = try segmentFiles(directory)
    let sealed = files.filter { $0.name.hasSuffix(".sealed") }
    let last = reader.last
    result([
      "last": Double(last.rawValue), "bytes": Double(files.reduce(0) { $0 + $1.bytes }),
      "sealedFiles": Double(sealed.count),
      "sealedBytes": Double(sealed.reduce(0) { $0 + $1.bytes }),
      "sealedThrough": Double(try sealedThrough(reader, sealed.map(\.name)).rawValue),
    ])
  }

  /// The last position of the leading segments that are sealed; the origin if none is.
  static func sealedThrough(_ reader: LogReader, _ names: [String]) throws -> Position {
    var through = Position.origin
    for segment in reader.segments {
      guard let name = segment.path.split(separator: "/").last, names.contains(String(name)) else {
        break
      }
      through = segment.last
    }
    return through
  }

  private static func segmentFiles(_ directory: String) throws -> [(name: String, bytes: Int)] {
    let path = directory + "/seg"
    guard let stream = opendir(path) else { throw Failure("cannot list \(path)") }
    defer { closedir(stream) }
    var files: [(String, Int)] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      var status = stat()
      guard !name.hasPrefix("."), stat(path + "/" + name, &status) == 0 else { continue }
      files.append((name, Int(status.st_size)))
    }
    return files
  }

  /// Reads every event through `last` in order, with all checks that a scan makes; the median of three passes.
  static func scan(directory: String, through last: Position) throws {
    let opening = monotonic()
    let reader = try LogReader.open(directory: directory)
    let opened = seconds(since: opening)
    var times: [Double] = []
    var bytes = 0
    // The first pass warms the kernel's pages and is not counted.
    for pass in 0..<4 {
      let began = monotonic()
      var events: UInt64 = 0
      bytes = 0
      try reader.scan(from: Position(1), through: last) { entry in
        guard case .event(let stored) = entry else { throw Failure("the log has a gap") }
        events += 1
        bytes += stored.payload.count
        return .continue
      }
      guard events == last.rawValue else { throw Failure("\(events) of \(last) events were read") }
      if pass > 0 { times.append(seconds(since: began)) }
    }
    result([
      "seconds": times.sorted()[1], "events": Double(last.rawValue), "payloadBytes": Double(bytes),
      "openSeconds": opened, "peakMemory": Double(peakMemory()),
    ])
  }

  /// The full check: everything a scan checks, and the SHA-256 chain computed anew.
  static func verify(directory: String, through last: Position) throws {
    let reader = try LogReader.open(directory: directory)
    let began = monotonic()
    let report = try reader.verify(from: Position(1), through: last) { _ in }
    guard report.isIntact, report.events == last.rawValue else {
      throw Failure("verify found \(report.gaps.count) gaps in \(report.events) events")
    }
    result(["seconds": seconds(since: began), "events": Double(report.events)])
  }

  /// Random lookups by id, by lookup key and of ids that are not there.
  static func lookups(
    directory: String, workload: Workload, events: UInt64, probes: Int, seed: UInt64
  ) throws {
    let opening = monotonic()
    let reader = try LogReader.open(directory: directory)
    let opened = seconds(since: opening)
    let numbers = probeNumbers(events: events, probes: probes, seed: seed)
    let ids = numbers.map(workload.id)
    let hits = try timed(ids) { id in
      guard let position = try reader.position(of: id), let event = try reader.event(at: position)
      else { return false }
      return event.id == id && !event.payload.isEmpty
    }
    // Half of the probes: only events of a request carry a key, and two passes suffice.
    let keys = numbers.prefix(probes / 2).compactMap { workload.draft($0).lookupKeys.first }
    let keyed = try timed(keys) { key in
      guard let position = try reader.positions(forKey: key).first else { return false }
      return try reader.event(at: position)?.lookupKeys.contains(key) == true
    }
    let misses = try timed(numbers.map(workload.foreignID)) { id in
      try reader.position(of: id) == nil
    }
    result([
      "p50": hits.percentile(0.5), "p99": hits.percentile(0.99),
      "keyP50": keyed.percentile(0.5), "keyP99": keyed.percentile(0.99),
      "missP50": misses.percentile(0.5), "missP99": misses.percentile(0.99),
      "openSeconds": opened, "peakMemory": Double(peakMemory()),
    ])
  }

  static func probeNumbers(events: UInt64, probes: Int, seed: UInt64) -> [UInt64] {
    var dice = Dice(seed)
    return (0..<probes).map { _ in dice.below(events) }
  }

  /// Each value looked up twice; the first pass warms the kernel's pages and is not counted.
  private static func timed<Value>(
    _ values: [Value], _ isRight: (Value) throws -> Bool
  ) throws -> Timings {
    var times: [Int64] = []
    for pass in 0..<2 {
      for value in values {
        let start = monotonic()
        let right = try isRight(value)
        if pass == 1 { times.append(monotonic() - start) }
        guard right else { throw Failure("a lookup gave a wrong answer") }
      }
    }
    return Timings(times)
  }
}
