internal import EventStore
internal import Glibc
internal import Synchronization

private func seconds(_ clock: clockid_t) -> Double {
  var time = timespec()
  clock_gettime(clock, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// CPU seconds of the thread with this name.
private func threadSeconds(_ name: String) -> Double {
  guard let tasks = opendir("/proc/self/task") else { return 0 }
  defer { closedir(tasks) }
  while let entry = readdir(tasks) {
    let id = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    guard let file = fopen("/proc/self/task/\(id)/stat", "r") else { continue }
    defer { fclose(file) }
    var text = [UInt8](repeating: 0, count: 1_024)
    let count = fread(&text, 1, text.count, file)
    let line = String(decoding: text.prefix(count), as: UTF8.self)
    guard line.contains("(\(name))"), let end = line.lastIndex(of: ")") else { continue }
    let fields = line[end...].split(separator: " ")
    guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13]) else {
      continue
    }
    return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
  }
  return 0
}

/// An event of about the size of a `request.finished`: raw ids, small numbers, few words.
private func draft(_ number: UInt64, _ salt: UInt64) -> EventDraft {
  var mixed = number &* 0x9E37_79B9_7F4A_7C15 ^ salt
  mixed ^= mixed >> 29
  let id = UInt128(number) << 64 | UInt128(mixed &* 0xBF58_476D_1CE4_E5B9)
  let key = withUnsafeBytes(of: id.bigEndian) { Array($0) }
  var payload = key
  payload.append(contentsOf: Array("mock/gpt-4o-mini account/a1 fill-first stop".utf8))
  for shift in stride(from: UInt64(0), to: 40, by: 2) {
    payload.append(UInt8(truncatingIfNeeded: mixed >> shift) & 0x1F)
  }
  return EventDraft(
    id: EventID(id), stream: "request", kind: "request.finished.v1",
    time: 1_700_000_000_000_000_000 + Int64(number) * 20_000, lookupKeys: [key], payload: payload)
}

/// `count` batches of `size` events, made before the clock starts: what is measured is the log, not its callers.
private func batches(_ count: Int, of size: Int, salt: UInt64) -> [AppendBatch] {
  (0..<count).map { batch in
    AppendBatch(events: (0..<size).map { draft(UInt64(batch * size + $0), salt) })
  }
}

/// Who waits for the answers of a row.
private enum Callers {
  /// Swift tasks, each suspended while its append is under way.
  case tasks(Int)
  /// Threads, each blocked while its append is under way.
  case threads(Int)
  /// Batches kept under way by a sink, which submits the next one with each answer.
  case sink(Int)

  var name: String {
    switch self {
    case .tasks(let count): "\(count) tasks"
    case .threads(let count): "\(count) threads"
    case .sink(let count): "\(count) in a sink"
    }
  }
}

/// Batches and how far they are handed out.
private final class Supply: Sendable {
  let batches: [AppendBatch]
  private let taken = Atomic<Int>(0)
  private let end: Double

  init(_ batches: [AppendBatch], seconds limit: Double) {
    self.batches = batches
    end = seconds(CLOCK_MONOTONIC) + limit
  }

  /// The next batch's number; nil when all are taken or the time is over.
  func take() -> Int? {
    guard seconds(CLOCK_MONOTONIC) < end else { return nil }
    let number = taken.add(1, ordering: .relaxed).oldValue
    return number < batches.count ? number : nil
  }
}

/// Keeps a fixed number of batches under way: each answer submits the next batch.
private final class ClosedLoop: AppendSink {
  private let store: EventStore
  private let durability: Durability
  private let supply: Supply
  private let underWay = Atomic<Int>(0)
  private let isDone = Signalled(limit: 0)

  init(store: EventStore, durability: Durability, supply: Supply) {
    self.store = store
    self.durability = durability
    self.supply = supply
  }

  func run(_ count: Int) {
    underWay.store(count, ordering: .relaxed)
    for _ in 0..<count { submit() }
    isDone.enter()
  }

  private func submit() {
    guard let number = supply.take() else {
      if underWay.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { isDone.leave() }
      return
    }
    store.submit(supply.batches[number], durability: durability, sink: self, token: UInt64(number))
  }

  func completed(_ completions: [AppendCompletion]) {
    for completion in completions {
      if case .failure(let error) = completion.result { print("failed: \(error)") }
      submit()
    }
  }
}

private func run(
  _ callers: Callers, _ store: EventStore, _ durability: Durability, _ supply: Supply
) async throws {
  switch callers {
  case .sink(let count):
    ClosedLoop(store: store, durability: durability, supply: supply).run(count)
  case .tasks(let count):
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<count {
        group.addTask {
          while let number = supply.take() {
            _ = try await store.append(supply.batches[number], durability: durability)
          }
        }
      }
      try await group.waitForAll()
    }
  case .threads(let count):
    let ended = Signalled(limit: 0)
    for _ in 0..<count {
      try startThread {
        do {
          while let number = supply.take() {
            _ = try store.appendAndWait(supply.batches[number], durability: durability)
          }
        } catch {
          print("failed: \(error)")
        }
        ended.leave()
      }
    }
    for _ in 0..<count { ended.enter() }
  }
}

private final class Work: Sendable {
  let body: @Sendable () -> Void
  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

private func startThread(_ body: @escaping @Sendable () -> Void) throws {
  var thread = pthread_t()
  let work = Unmanaged.passRetained(Work(body))
  let result = pthread_create(
    &thread, nil,
    { argument in
      guard let argument else { return nil }
      Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
      return nil
    }, work.toOpaque())
  guard result == 0 else {
    work.release()
    throw StoreError(.io, "no thread could be started", errno: result)
  }
  pthread_detach(thread)
}

/// The disk alone: median microseconds of `pwrite` + `fdatasync` of `bytes`, appending to a new file.
private func diskAlone(_ path: String, bytes: Int) throws -> Double {
  let file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
  guard file >= 0 else { throw StoreError(.io, "open", path: path, errno: errno) }
  defer {
    close(file)
    unlink(path)
  }
  let block = [UInt8](repeating: 1, count: bytes)
  var times: [Double] = []
  for number in 0..<300 {
    let began = seconds(CLOCK_MONOTONIC)
    guard pwrite(file, block, bytes, off_t(number * bytes)) == bytes, fdatasync(file) == 0 else {
      throw StoreError(.io, "pwrite or fdatasync", path: path, errno: errno)
    }
    times.append((seconds(CLOCK_MONOTONIC) - began) * 1e6)
  }
  return times.sorted()[times.count / 2]
}

private func shown(_ value: Double) -> String { String(Double(Int(value * 100)) / 100) }

/// One row: appends to a new log in `path`; the log stays for whoever reads it.
private func append(
  _ path: String, _ durability: Durability, _ callers: Callers, _ size: Int, events limit: Int
) async throws {
  let dictionary = (0..<40).flatMap {
    draft($0, 7).payload + Array("requestrequest.finished.v1".utf8)
  }
  let store = try EventStore.open(
    directory: path, options: StoreOptions(dictionary: Array(dictionary.prefix(8_192))))
  let made = batches(limit / size, of: size, salt: UInt64(size))
  let processBefore = seconds(CLOCK_PROCESS_CPUTIME_ID)
  let began = seconds(CLOCK_MONOTONIC)
  try await run(callers, store, durability, Supply(made, seconds: 3))
  let time = seconds(CLOCK_MONOTONIC) - began
  let process = seconds(CLOCK_PROCESS_CPUTIME_ID) - processBefore
  let events = Double(store.lastWritten.rawValue)
  let (writer, syncer) = (threadSeconds("log-writer"), threadSeconds("log-syncer"))
  try store.close()
  let report = try store.reader.verify(from: Position(1), through: nil, progress: nil)
  let blocks = Double(report.blocks)
  let disk = try diskAlone(path + "/raw", bytes: Int(Double(report.bytes) / blocks))
  print(
    "\(durability), \(callers.name) x \(size): \(Int(events / time)) events/s; "
      + "CPU us/event: writer \(shown(writer * 1e6 / events)), syncer \(shown(syncer * 1e6 / events)), "
      + "all \(shown(process * 1e6 / events)); \(shown(events / blocks)) events and "
      + "\(shown(time * 1e6 / blocks)) us a block, disk alone \(shown(disk)) us a block; "
      + "\(shown(Double(report.bytes) / events)) bytes/event")
}

private func read(_ path: String) throws {
  let reader = try LogReader.open(directory: path)
  for row in ["scan", "views", "verify", "scan", "views", "verify"] {
    let began = seconds(CLOCK_MONOTONIC)
    var events: UInt64 = 0
    var bytes = 0
    switch row {
    case "scan":
      try reader.scan(from: Position(1), through: nil) { entry in
        if case .event(let event) = entry {
          events += 1
          bytes += event.payload.count
        }
        return .continue
      }
    case "views":
      try reader.scanViews(from: Position(1), through: nil, gap: { _ in .stop }) { event in
        events += 1
        bytes += event.payload.count
        return .continue
      }
    default: events = try reader.verify(from: Position(1), through: nil, progress: nil).events
    }
    let time = seconds(CLOCK_MONOTONIC) - began
    print("\(row): \(Int(Double(events) / time)) events/s")
  }
}

/// Measures appends and scans in `directory`-…, which must not exist yet; `only` one row of appends if it is named.
func bench(directory: String, only: String?) {
  let isDone = Signalled(limit: 0)
  Task {
    do {
      try await rows(directory: directory, only: only)
    } catch {
      print("failed: \(error)")
      exit(1)
    }
    isDone.leave()
  }
  isDone.enter()
}

private func rows(directory: String, only: String?) async throws {
  let rows: [(name: String, Durability, Callers, size: Int, events: Int)] = [
    ("tasks", .durable, .tasks(64), 1, 200_000),
    ("threads", .durable, .threads(64), 1, 200_000),
    ("sink", .durable, .sink(64), 1, 200_000),
    ("bulk", .durable, .threads(4), 1_000, 600_000),
    ("written", .written, .sink(256), 1, 600_000),
    ("queued", .queued, .sink(256), 1, 600_000),
  ]
  for row in rows where only == nil || row.name == only {
    try await append("\(directory)-\(row.name)", row.1, row.2, row.size, events: row.events)
  }
  if only == nil || only == "bulk" { try read(directory + "-bulk") }
  if only != nil { return }
  try writtenPipelined(directory: directory + "-written-pipelined")
}

/// Counts answers and gives room to the submitter.
private final class Counter: AppendSink {
  let room = Signalled(limit: 4_096)

  func completed(_ completions: [AppendCompletion]) { room.leave(completions.count) }
}

private func writtenPipelined(directory: String) throws {
  let store = try EventStore.open(directory: directory, options: StoreOptions())
  for rate in [20_000, 50_000, 0] {
    let sink = Counter()
    let drafts = (0..<100_000).map { draft(UInt64($0), UInt64(rate + 1)) }
    let before = threadSeconds("log-writer")
    let began = seconds(CLOCK_MONOTONIC)
    for (number, event) in drafts.enumerated() {
      if rate > 0 {
        while seconds(CLOCK_MONOTONIC) < began + Double(number) / Double(rate) {}
      }
      sink.room.enter()
      store.submit(
        AppendBatch(events: [event]), durability: .written, sink: sink, token: UInt64(number))
    }
    for _ in 0..<4_096 { sink.room.enter() }
    let time = seconds(CLOCK_MONOTONIC) - began
    let writer = threadSeconds("log-writer") - before
    let name = rate == 0 ? "flat out" : "\(rate)/s"
    print(
      "written, 1 submitter, \(name): \(Int(100_000 / time)) events/s, "
        + "writer \(writer * 1e6 / 100_000) us/event")
  }
  try store.close()
}
