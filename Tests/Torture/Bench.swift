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

/// Keeps a fixed number of batches under way: each answer submits the next batch.
private final class ClosedLoop: AppendSink {
  private let store: EventStore
  private let durability: Durability
  private let size: UInt64
  private let salt: UInt64
  private let next = Atomic<UInt64>(0)
  private let answered = Atomic<UInt64>(0)
  private let until: Double
  private let callers: UInt64
  private let ended = Atomic<UInt64>(0)
  private let isDone = Signalled(limit: 0)

  init(
    store: EventStore, durability: Durability, size: UInt64, callers: UInt64, seconds: Double,
    salt: UInt64
  ) {
    self.store = store
    self.durability = durability
    self.size = size
    self.callers = callers
    self.salt = salt
    until = torture.seconds(CLOCK_MONOTONIC) + seconds
  }

  func run() -> UInt64 {
    for _ in 0..<callers { submit() }
    isDone.enter()
    return answered.load(ordering: .acquiring)
  }

  private func submit() {
    let batch = next.add(1, ordering: .relaxed).newValue
    let events = (0..<size).map { draft(batch * size + $0, salt) }
    store.submit(AppendBatch(events: events), durability: durability, sink: self, token: batch)
  }

  func completed(_ completions: [AppendCompletion]) {
    let isOver = torture.seconds(CLOCK_MONOTONIC) >= until
    for completion in completions {
      if case .failure(let error) = completion.result { print("failed: \(error)") }
      answered.add(size, ordering: .relaxed)
      if !isOver {
        submit()
      } else if ended.add(1, ordering: .relaxed).newValue == callers {
        isDone.leave()
      }
    }
  }
}

/// Measures appends in `directory`, which must not hold a store yet.
func bench(directory: String) {
  do {
    let row = { (name: String, durability: Durability, callers: UInt64, size: UInt64) throws in
      let path = "\(directory)-\(name)"
      let dictionary = (0..<40).flatMap {
        draft($0, 7).payload + Array("requestrequest.finished.v1".utf8)
      }
      let store = try EventStore.open(
        directory: path, options: StoreOptions(dictionary: Array(dictionary.prefix(8_192))))
      let loop = ClosedLoop(
        store: store, durability: durability, size: size, callers: callers, seconds: 3,
        salt: UInt64(size))
      let began = seconds(CLOCK_MONOTONIC)
      let events = Double(loop.run())
      let time = seconds(CLOCK_MONOTONIC) - began
      let writer = threadSeconds("log-writer")
      let syncer = threadSeconds("log-syncer")
      let bytes = store.reader.segments.reduce(0) { $0 + Double($1.bytes) }
      print(
        "\(name): \(Int(events / time)) events/s, writer \(writer * 1e6 / events) us/event, "
          + "syncer (with submitting) \(syncer * 1e6 / events) us/event, \(bytes / events) bytes/event"
      )
      try store.close()
    }
    try row("durable-64x1", .durable, 64, 1)
    try row("durable-4x1000", .durable, 4, 1_000)
    try row("written-256x1", .written, 256, 1)
    try row("queued-256x1", .queued, 256, 1)
    try writtenPipelined(directory: directory + "-written-pipelined")
  } catch {
    print("failed: \(error)")
    exit(1)
  }
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
