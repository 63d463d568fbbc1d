/// Answers collected for delivery: once per sink, in the order in which they were added.
struct CompletionBatch {
  private var sinks: [(sink: any AppendSink, completions: [AppendCompletion])] = []
  private var slotOf: [ObjectIdentifier: Int] = [:]
  private var latest = 0

  var isEmpty: Bool { sinks.isEmpty }

  mutating func add(
    _ sink: any AppendSink, _ token: UInt64, _ result: Result<AppendReceipt, StoreError>
  ) {
    let completion = AppendCompletion(token: token, result: result)
    // Nearly always the sink of the batch before.
    if latest < sinks.count, sinks[latest].sink === sink {
      sinks[latest].completions.append(completion)
      return
    }
    if let slot = slotOf[ObjectIdentifier(sink)] {
      latest = slot
      sinks[slot].completions.append(completion)
    } else {
      latest = sinks.count
      slotOf[ObjectIdentifier(sink)] = latest
      sinks.append((sink, [completion]))
    }
  }

  mutating func deliver() {
    guard !sinks.isEmpty else { return }
    let ready = sinks
    sinks.removeAll(keepingCapacity: true)
    slotOf.removeAll(keepingCapacity: true)
    latest = 0
    for (sink, completions) in ready { sink.completed(completions) }
  }
}
