// Slices of `make bench-log`: each run measures one side of one row and prints one JSON object. log/log.py alternates
// them, adds the other programs and draws the table.
import Domain
import EventStore
import Glibc

/// `--name value` pairs after the verb.
struct Arguments {
  let verb: String
  private var values: [String: String] = [:]

  init(_ words: [String]) throws {
    verb = words.first ?? ""
    var rest = words.dropFirst()
    while let name = rest.popFirst() {
      guard name.hasPrefix("--"), let value = rest.popFirst() else {
        throw Failure("--name value is expected, not \(name)")
      }
      values[String(name.dropFirst(2))] = value
    }
  }

  func text(_ name: String) throws -> String {
    guard let value = values[name] else { throw Failure("--\(name) is missing") }
    return value
  }

  func number(_ name: String, default other: UInt64) throws -> UInt64 {
    values[name] == nil ? other : try number(name)
  }

  func number(_ name: String) throws -> UInt64 {
    guard let value = UInt64(try text(name)) else { throw Failure("--\(name) is not a number") }
    return value
  }

  func decimal(_ name: String) throws -> Double {
    guard let value = Double(try text(name)) else { throw Failure("--\(name) is not a number") }
    return value
  }
}

func run(_ arguments: Arguments) async throws {
  let workload = Workload(
    seed: try arguments.number("seed"),
    first: try arguments.number("first", default: 1_795_208_019_000),
    step: try arguments.number("step", default: 2_000),
    endsAll: try arguments.number("declared", default: 0) == 1)
  switch arguments.verb {
  case "append", "sqlite-append":
    let batches = workload.batches(
      0..<(try arguments.number("count")), of: Int(try arguments.number("batch")))
    let limit = try arguments.decimal("seconds")
    let figures: AppendFigures
    if arguments.verb == "append" {
      figures = try await Appends.run(
        directory: try arguments.text("dir"), style: try arguments.text("style"),
        callers: Int(try arguments.number("callers")), batches: batches, limit: limit)
    } else {
      guard let table = SQLiteInserts.Table(rawValue: try arguments.text("table")) else {
        throw Failure("--table is lean or whole")
      }
      figures = try SQLiteSlices.append(
        file: try arguments.text("file"), table: table, batches: batches, limit: limit)
    }
    result([
      "events": Double(figures.events), "seconds": figures.seconds,
      "rate": Double(figures.events) / figures.seconds,
      "p50": figures.answers.percentile(0.5), "p99": figures.answers.percentile(0.99),
      "processorMicroseconds": figures.processorSeconds * 1e6 / Double(max(1, figures.events)),
    ])
  case "fill":
    try Reads.fill(
      directory: try arguments.text("dir"), workload: workload,
      count: try arguments.number("count"), segmentBytes: Int(try arguments.number("segment")),
      isDeclared: try arguments.number("declared", default: 0) > 0)
  case "decisions":
    let store = try openStore(
      try arguments.text("dir"), segmentBytes: Int(try arguments.number("segment")))
    let count = try arguments.number("count")
    var meter = Meter("decisions", count)
    let made = try Decisions.write(
      to: store, seed: try arguments.number("seed"), count: count,
      unrest: try arguments.number("unrest", default: 0)
    ) { meter.reached($0) }
    if let failure = store.waitUntilSealed().lastFailure { throw failure }
    try store.close()
    result([
      "decisions": Double(made.decisions), "events": Double(made.events),
      "edits": Double(made.edits), "refused": Double(made.refused),
    ])
  case "sqlite-fill":
    try SQLiteSlices.fill(
      file: try arguments.text("file"), workload: workload, count: try arguments.number("count"))
    result([:])
  case "weigh": try Reads.weigh(directory: try arguments.text("dir"))
  case "export":
    let (events, bytes) = try JSONLines.export(
      directory: try arguments.text("dir"), through: Position(try arguments.number("through")),
      to: try arguments.text("to"))
    result(["events": Double(events), "bytes": Double(bytes)])
  case "scan":
    try Reads.scan(
      directory: try arguments.text("dir"), through: Position(try arguments.number("through")))
  case "verify":
    try Reads.verify(
      directory: try arguments.text("dir"), through: Position(try arguments.number("through")))
  case "lookup":
    try Reads.lookups(
      directory: try arguments.text("dir"), workload: workload,
      events: try arguments.number("count"), probes: Int(try arguments.number("probes")),
      seed: try arguments.number("probe-seed"))
  case "sqlite-lookup":
    let numbers = Reads.probeNumbers(
      events: try arguments.number("count"), probes: Int(try arguments.number("probes")),
      seed: try arguments.number("probe-seed"))
    let file = try arguments.text("file")
    let ids = numbers.map(workload.id)
    let hits = try SQLiteSlices.lookups(file: file, pragmas: [], ids: ids, expectHit: true)
    let mapped = try SQLiteSlices.lookups(
      file: file, pragmas: ["mmap_size=17179869184", "cache_size=-262144"], ids: ids,
      expectHit: true)
    let misses = try SQLiteSlices.lookups(
      file: file, pragmas: [], ids: numbers.map(workload.foreignID), expectHit: false)
    result([
      "p50": hits.percentile(0.5), "p99": hits.percentile(0.99),
      "mappedP50": mapped.percentile(0.5), "mappedP99": mapped.percentile(0.99),
      "missP50": misses.percentile(0.5), "missP99": misses.percentile(0.99),
    ])
  case "victim":
    try Victim.run(
      directory: try arguments.text("dir"), workload: workload,
      started: Int64(try arguments.number("started")), fills: try arguments.number("fill") > 0,
      segmentBytes: Int(try arguments.number("segment")))
  case "payload":
    // The payload of median length among a thousand, in hex: what the other programs are given.
    let payloads = workload.drafts(0..<1_000).map(\.payload).sorted { $0.count < $1.count }
    say(
      payloads[payloads.count / 2].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
  default:
    throw Failure(
      "verbs: append, sqlite-append, fill, decisions, sqlite-fill, weigh, export, scan, verify, lookup, "
        + "sqlite-lookup, victim, payload; Benchmarks/log/log.py calls them")
  }
}

do {
  try await run(try Arguments(Array(CommandLine.arguments.dropFirst())))
} catch {
  progress("LogBenchmark: \(error)")
  exit(1)
}
