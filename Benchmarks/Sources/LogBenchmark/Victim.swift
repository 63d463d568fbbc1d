import Domain
import EventStore

/// Opens a log, tells how long that took, and appends until it is killed.
enum Victim {
  /// What ends a segment, beside its bytes.
  private static let segmentEvents: UInt64 = 262_144

  /// Never returns but by an error.
  ///
  /// - Parameters:
  ///   - started: the monotonic clock just before this process was started, in nanoseconds.
  ///   - fills: whether to fill the open segment to four fifths first: recovery reads what it holds.
  static func run(
    directory: String, workload: Workload, started: Int64, fills: Bool, segmentBytes: Int
  ) throws {
    let entered = monotonic()
    let store = try openStore(directory, segmentBytes: segmentBytes)
    let opened = monotonic()
    let found = store.lastWritten
    // The log of this workload: position n holds the event with number n − 1.
    var number = found.rawValue
    func append(_ count: UInt64, _ durability: Durability) throws -> AppendReceipt {
      let batch = AppendBatch(events: workload.drafts(number..<(number + count)))
      number += count
      return try store.appendAndWait(batch, durability: durability)
    }
    var receipt = try append(1, .durable)
    let answered = monotonic()
    let tail = store.reader.segments.last.map { $0.last.rawValue + 1 - $0.first.rawValue } ?? 0
    result([
      "opened": Double(opened - started) / 1e6, "open": Double(opened - entered) / 1e6,
      "answered": Double(answered - started) / 1e6, "found": Double(found.rawValue),
      "tail": Double(tail), "peakMemory": Double(peakMemory()),
    ])
    while fills, let open = store.reader.segments.last,
      open.bytes < UInt64(segmentBytes) / 5 * 4,
      open.last.rawValue + 1 - open.first.rawValue < segmentEvents / 5 * 4
    {
      _ = try append(1_000, .written)
    }
    receipt = try append(1, .durable)
    say("filled")
    // Every line is a promise: what it names was answered as durable.
    var dice = Dice(UInt64(bitPattern: started))
    while true {
      say(String(receipt.last.rawValue))
      receipt = try append(1 + dice.below(40), .durable)
    }
  }
}
