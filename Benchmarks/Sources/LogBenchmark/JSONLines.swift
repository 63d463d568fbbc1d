import Domain
import EventStore
import Glibc

/// The log as JSON lines: every decoded field under its name, ids as UUID texts, times as numbers.
///
/// Without spaces and without members that are null, so that the yardstick has nothing to gain from padding.
struct JSONLines {
  private(set) var bytes: [UInt8] = []
  private var isFirst = true

  /// Writes the events through `last` to `path`.
  ///
  /// - Returns: events and bytes.
  static func export(directory: String, through last: Position, to path: String) throws -> (
    events: Int, bytes: Int
  ) {
    guard let file = fopen(path, "w") else { throw Failure("cannot write \(path)") }
    var lines = JSONLines()
    var events = 0
    var total = 0
    func flush() throws {
      total += lines.bytes.count
      guard fwrite(lines.bytes, 1, lines.bytes.count, file) == lines.bytes.count else {
        throw Failure("cannot write \(path)")
      }
      lines.bytes.removeAll(keepingCapacity: true)
    }
    let reader = try LogReader.open(directory: directory)
    do {
      try reader.scan(from: Position(1), through: last) { entry in
        guard case .event(let stored) = entry else { throw Failure("the log has a gap") }
        try lines.line(stored)
        events += 1
        if lines.bytes.count > 1 << 20 { try flush() }
        return .continue
      }
      try flush()
    } catch {
      fclose(file)
      throw error
    }
    guard fclose(file) == 0 else { throw Failure("cannot write \(path)") }
    return (events, total)
  }

  private mutating func line(_ stored: StoredEvent) throws {
    let recorded = try Recorded(
      position: stored.position.rawValue, time: UnixNanoseconds(stored.time), kind: stored.kind,
      bytes: stored.payload)
    guard let event = recorded.event else { throw Failure("\(stored.kind) is not known") }
    open("{")
    put("position", stored.position.rawValue)
    put("epoch", stored.epoch.rawValue)
    put("time", stored.time)
    put("id", stored.id.rawValue)
    put("stream", stored.stream)
    put("revision", stored.revision.rawValue)
    put("kind", stored.kind)
    put("actor", recorded.provenance.actor)
    put("source", recorded.provenance.source.name)
    put("address", recorded.provenance.address)
    put("cause", recorded.provenance.cause)
    put("correlation", recorded.provenance.correlation)
    put("base", recorded.provenance.base)
    try fields(event)
    close("}")
    bytes.append(UInt8(ascii: "\n"))
  }

  private mutating func fields(_ event: Event) throws {
    switch event {
    case .request(.finished(let it)): finished(it)
    case .request(.dispatched(let it)):
      put("request", it.id.rawValue)
      put("clientRequestId", it.clientRequestID)
      put("organisation", it.organisation?.rawValue)
      put("key", it.key?.rawValue)
      put("operation", it.operation.name)
      put("modelAsked", it.modelAsked)
      put("receivedAt", it.receivedAt.rawValue)
      put("account", it.account?.rawValue)
    case .request(.interrupted(let it)):
      put("request", it.id.rawValue)
      put("clientRequestId", it.clientRequestID)
      put("organisation", it.organisation?.rawValue)
      put("key", it.key?.rawValue)
      put("dispatchedAt", it.dispatchedAt)
    case .request(.deliveryFailed(let it)):
      put("request", it.id.rawValue)
      put("errorCode", it.errorCode)
    case .request(.deniedSummary(let it)):
      put("remoteAddress", it.remoteAddress)
      put("since", it.since.rawValue)
      put("count", it.count)
    case .alias(.set(let it)):
      put("name", it.name)
      put("target", it.target)
      put("isUnresolved", it.isUnresolved)
    case .key(.changed(let it)):
      put("key", it.id.rawValue)
      put("name", it.name)
      put("diagnostics", it.diagnostics)
    case .account(.changed(let it)):
      put("account", it.id.rawValue)
      put("name", it.name)
      put("priority", it.priority)
      put("weight", it.weight)
    default: throw Failure("\(event.kind) is not among the workload's kinds")
    }
  }

  private mutating func finished(_ it: RequestEvent.Finished) {
    put("request", it.id.rawValue)
    put("clientRequestId", it.clientRequestID)
    put("organisation", it.organisation?.rawValue)
    put("key", it.key?.rawValue)
    put("remoteAddress", it.remoteAddress)
    put("operation", it.operation.name)
    put("modelAsked", it.modelAsked)
    put("modelResolved", it.modelResolved)
    put("isStream", it.isStream)
    put("receivedAt", it.receivedAt.rawValue)
    name("attempts")
    open("[")
    for attempt in it.attempts {
      comma()
      open("{")
      put("account", attempt.account.rawValue)
      put("rule", attempt.rule.name)
      put("snapshot", attempt.snapshot)
      put("now", attempt.now.rawValue)
      put("seed", attempt.seed)
      put("status", attempt.status)
      put("errorClass", attempt.errorClass?.name)
      put("errorCode", attempt.errorCode)
      put("connectMicroseconds", attempt.connectMicroseconds)
      put("firstByteMicroseconds", attempt.firstByteMicroseconds)
      put("totalMicroseconds", attempt.totalMicroseconds)
      close("}")
    }
    close("]")
    put("status", it.status)
    put("ending", it.ending.name)
    put("errorCode", it.errorCode)
    put("errorClass", it.errorClass?.name)
    put("inputTokens", it.usage.input)
    put("outputTokens", it.usage.output)
    put("cachedTokens", it.usage.cached)
    put("reasoningTokens", it.usage.reasoning)
    put("priceVersion", it.priceVersion)
    put("costMicroUsd", it.costMicroUSD)
    put("requestBytes", it.requestBytes)
    put("responseBytes", it.responseBytes)
    put("queueMicroseconds", it.queueMicroseconds)
    put("firstByteMicroseconds", it.firstByteMicroseconds)
    put("totalMicroseconds", it.totalMicroseconds)
  }

  // MARK: Members

  private mutating func open(_ bracket: Unicode.Scalar) {
    bytes.append(UInt8(ascii: bracket))
    isFirst = true
  }

  private mutating func close(_ bracket: Unicode.Scalar) {
    bytes.append(UInt8(ascii: bracket))
    isFirst = false
  }

  private mutating func comma() {
    if !isFirst { bytes.append(UInt8(ascii: ",")) }
    isFirst = false
  }

  private mutating func name(_ name: String) {
    comma()
    quote(name)
    bytes.append(UInt8(ascii: ":"))
  }

  private mutating func put(_ name: String, _ value: (some BinaryInteger)?) {
    guard let value else { return }
    self.name(name)
    bytes.append(contentsOf: String(value).utf8)
  }

  private mutating func put(_ name: String, _ value: UInt128?) {
    guard let value else { return }
    put(name, uuidText(value))
  }

  private mutating func put(_ name: String, _ value: Bool?) {
    guard let value else { return }
    self.name(name)
    bytes.append(contentsOf: (value ? "true" : "false").utf8)
  }

  private mutating func put(_ name: String, _ value: String?) {
    guard let value else { return }
    self.name(name)
    quote(value)
  }

  private mutating func quote(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(byte)
      case 0..<0x20:
        let digits = String(byte, radix: 16)
        bytes.append(contentsOf: "\\u00\(byte < 16 ? "0" : "")\(digits)".utf8)
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
