public import Domain

/// What a run of the log's events adds to the views.
///
/// Taking events in one delta or in many, stored one after another, gives the same rows.
public struct ViewDelta: Sendable {
  /// Events of a page of the log: marks say on which page to look.
  public static let pageEvents: UInt64 = 256
  /// Pages of a row of marks: one bit each.
  static let chapterPages: UInt64 = 64

  /// The last event taken in; 0: none.
  public private(set) var position: UInt64 = 0
  /// Events taken in.
  public private(set) var count = 0
  private(set) var names = Interner()
  private(set) var hours: [Place<Series>: UsageTotals] = [:]
  private(set) var minutes: [Int64: UsageTotals] = [:]
  private(set) var calls: [Place<Calls>: CallTotals] = [:]
  /// Bit n: on page n of the chapter.
  private(set) var marks: [Mark: UInt64] = [:]
  /// Requests that went under way and whose end is not among the events.
  private(set) var begun: [RequestID: UInt64] = [:]
  /// Requests whose end is among the events, and not their beginning.
  private(set) var ended: [RequestID] = []
  /// A start of the gateway is among the events: whatever was under way before it is no more.
  private(set) var hasStart = false
  /// The finished request that was taken in last.
  public private(set) var outline = RequestOutline()
  /// By the number of `provider/model`: that of the model alone; -1: none.
  private var ownNames: [Int: Int] = [:]

  /// Requests that were found without an end; `mark` wants the beginning of each, which the log has.
  public private(set) var interruptions: [Interruption] = []

  /// A request that was found without an end.
  public struct Interruption: Sendable {
    /// The request.
    public var id: RequestID
    /// Where the log says that it was.
    public var position: UInt64
    /// Where the log says that it began.
    public var beginning: UInt64
  }

  /// A series in a span of time.
  struct Place<Series: Hashable & Sendable>: Hashable, Sendable {
    /// Hours, or minutes, since the Unix epoch.
    var time: Int64
    var series: Series
  }

  /// As `UsageSeries`, with the numbers of names; -1: none.
  struct Series: Hashable, Sendable {
    enum Kind: UInt8 { case operation = 1, account, key }
    var kind: Kind
    var operation: UInt8 = 0
    var subject: Int32 = -1
    var model: Int32 = -1
  }

  /// As `CallSeries`.
  struct Calls: Hashable, Sendable {
    var account: Int32
    var status: UInt16
    var errorClass: UInt8
  }

  struct Mark: Hashable, Sendable {
    var kind: RequestMark.Kind
    var value: Int64
    var chapter: UInt64
  }

  /// Nothing.
  public init() {}

  /// The page on which an event stands.
  public static func page(of position: UInt64) -> UInt64 { position / pageEvents }

  /// The events of a page.
  public static func positions(ofPage page: UInt64) -> ClosedRange<UInt64> {
    page * pageEvents...page * pageEvents + (pageEvents - 1)
  }

  /// Takes in the next event of the log as its record tells it, decoding no more than matters here.
  ///
  /// - Returns: whether it is a finished request, which `outline` tells then: nobody need read the same bytes again.
  /// - Throws: where what matters cannot be decoded; the delta is of no use then.
  @discardableResult
  public mutating func take(
    position: UInt64, time: UnixNanoseconds, kind: String, bytes: ArraySlice<UInt8>
  ) throws(DecodingFailure) -> Bool {
    let isFinished = try outline.read(kind: kind, bytes: bytes)
    if isFinished {
      bytes.withUnsafeBytes { bytes in
        takeOutline(bytes, at: position, time: time)
      }
    } else if kind.hasPrefix("request.") || kind == WireKind.gatewayStarted.rawValue {
      let recorded = try Recorded(position: position, time: time, kind: kind, bytes: bytes)
      switch recorded.event {
      case .request(let event): take(event, at: position, time: time)
      case .gateway(.started):
        hasStart = true
        begun = [:]
        ended = []
      case _: break
      }
    }
    self.position = position
    count += 1
    return isFinished
  }

  private mutating func take(_ event: RequestEvent, at position: UInt64, time: UnixNanoseconds) {
    let page = Self.page(of: position)
    var totals = UsageTotals()
    switch event {
    // Read as an outline.
    case .finished: break
    case .interrupted(let fact):
      end(fact.id)
      interruptions.append(
        Interruption(id: fact.id, position: position, beginning: fact.dispatchedAt))
      (totals.requests, totals.interrupted) = (1, 1)
      let received = fact.charge?.receivedAt ?? time
      totals.lastAt = received.rawValue
      count(totals, [Series(kind: .operation)], hour: received, minute: time)
      mark(page, .interrupted, 1)
      if let id = fact.organisation { mark(page, .organisation, names.number(of: id.rawValue)) }
      if let key = fact.key {
        let number = names.number(of: key.rawValue)
        mark(page, .key, number)
        add(totals, Series(kind: .key, subject: Int32(number)), hour: received)
      }
    case .deliveryFailed:
      totals.undelivered = 1
      mark(page, .undelivered, 1)
      count(totals, [Series(kind: .operation)], hour: time, minute: time)
    case .deniedSummary(let fact):
      totals.summarised = UsageTotals.bounded(fact.count)
      count(totals, [Series(kind: .operation)], hour: time, minute: time)
    case .dispatched(let fact):
      if begun[fact.id] == nil { begun[fact.id] = position }
      // Found before they end, and where they never do.
      markBeginning(page, fact)
    }
  }

  /// What a request is looked for by that has no end.
  private mutating func markBeginning(_ page: UInt64, _ fact: RequestEvent.Dispatched) {
    mark(page, .operation, Int(fact.operation.rawValue))
    mark(page, .asked, Int(RequestMark.number(ofAsked: fact.modelAsked.utf8)))
    if let id = fact.organisation { mark(page, .organisation, names.number(of: id.rawValue)) }
    if let id = fact.key { mark(page, .key, names.number(of: id.rawValue)) }
    if let id = fact.account { mark(page, .account, names.number(of: id.rawValue)) }
  }

  /// Has an interrupted request found by what its beginning said.
  public mutating func mark(_ interruption: Interruption, as fact: RequestEvent.Dispatched) {
    markBeginning(Self.page(of: interruption.position), fact)
  }

  /// Takes in the outline that was read last, of a record with these bytes.
  private mutating func takeOutline(
    _ bytes: UnsafeRawBufferPointer, at position: UInt64, time: UnixNanoseconds
  ) {
    let page = Self.page(of: position)
    let it = outline
    func text(_ place: Range<Int>) -> UnsafeRawBufferPointer {
      UnsafeRawBufferPointer(rebasing: bytes[place])
    }
    end(it.id)
    let model = it.modelResolved.map { names.number(of: text($0)) }
    if let place = it.key { mark(page, .key, names.number(of: text(place))) }
    if let place = it.organisation { mark(page, .organisation, names.number(of: text(place))) }
    if let model {
      mark(page, .model, model)
      if let own = ownName(of: model) { mark(page, .ownModel, own) }
    }
    mark(page, .asked, Int(RequestMark.number(ofAsked: text(it.modelAsked))))
    mark(page, .operation, Int(it.operation.rawValue))
    mark(page, .status, Int(it.status))
    mark(page, .ending, Int(it.ending.rawValue))
    if let errorClass = it.errorClass { mark(page, .errorClass, Int(errorClass.rawValue)) }
    if it.attempts.count > 1 { mark(page, .failover, 1) }
    for attempt in it.attempts { mark(page, .account, names.number(of: text(attempt.account))) }
    if UsageTotals.counts(it.operation) { count(it, bytes, model: Int32(model ?? -1), time: time) }
  }

  /// Counts the request of an outline in what it used.
  private mutating func count(
    _ it: RequestOutline, _ bytes: UnsafeRawBufferPointer, model: Int32, time: UnixNanoseconds
  ) {
    func number(_ place: Range<Int>) -> Int32 {
      Int32(names.number(of: UnsafeRawBufferPointer(rebasing: bytes[place])))
    }
    let totals = UsageTotals(it)
    count(
      totals, [Series(kind: .operation, operation: it.operation.rawValue, model: model)],
      hour: it.receivedAt, minute: time)
    if let key = it.key {
      add(totals, Series(kind: .key, subject: number(key), model: model), hour: it.receivedAt)
    }
    let minute = time.rawValue.floored(by: 60_000_000_000)
    for (at, attempt) in it.attempts.enumerated() {
      let isLast = at == it.attempts.count - 1
      let account = number(attempt.account)
      if isLast {
        add(totals, Series(kind: .account, subject: account, model: model), hour: it.receivedAt)
      }
      guard attempt.wasSent else { continue }
      let series = Calls(
        account: account, status: attempt.status ?? 0, errorClass: attempt.errorClass?.rawValue ?? 0
      )
      calls[Place(time: minute, series: series), default: CallTotals()].count(
        attempt.totalMicroseconds, isLast ? totals : nil)
    }
  }

  /// The number of what stands behind the first slash of a name; nil: it has none.
  private mutating func ownName(of model: Int) -> Int? {
    if let known = ownNames[model] { return known < 0 ? nil : known }
    let text = names.texts[model]
    let own = text.firstIndex(of: "/").map { slash in
      names.number(of: String(text[text.index(after: slash)...]))
    }
    ownNames[model] = own ?? -1
    return own
  }

  private mutating func end(_ id: RequestID) {
    if begun.isEmpty || begun.removeValue(forKey: id) == nil { ended.append(id) }
  }

  private mutating func count(
    _ totals: UsageTotals, _ series: [Series], hour: UnixNanoseconds, minute: UnixNanoseconds
  ) {
    for one in series { add(totals, one, hour: hour) }
    minutes[minute.rawValue.floored(by: 60_000_000_000), default: UsageTotals()].add(totals)
  }

  private mutating func add(_ totals: UsageTotals, _ series: Series, hour: UnixNanoseconds) {
    let hour = hour.rawValue.floored(by: 3_600_000_000_000)
    hours[Place(time: hour, series: series), default: UsageTotals()].add(totals)
  }

  private mutating func mark(_ page: UInt64, _ kind: RequestMark.Kind, _ value: Int) {
    let mark = Mark(kind: kind, value: Int64(value), chapter: page / Self.chapterPages)
    marks[mark, default: 0] |= 1 << (page % Self.chapterPages)
  }
}

extension UsageTotals {
  fileprivate init(_ it: RequestOutline) {
    requests = 1
    switch it.ending {
    case .completed: completed = it.status < 400 ? 1 : 0
    case .denied: denied = 1
    case .clientHungUp: hungUp = 1
    case .failed, .upstreamCut, .drained: break
    }
    if it.usage.input != nil || it.usage.output != nil { reported = 1 }
    inputTokens = Self.bounded(it.usage.input)
    outputTokens = Self.bounded(it.usage.output)
    cachedTokens = Self.bounded(it.usage.cached)
    reasoningTokens = Self.bounded(it.usage.reasoning)
    cacheCreationTokens = Self.bounded(it.usage.cacheCreation)
    if let cost = it.costMicroUSD {
      priced = 1
      costMicroUSD = Self.bounded(cost)
    }
    lastAt = it.receivedAt.rawValue
  }
}

extension CallTotals {
  fileprivate mutating func count(_ microseconds: UInt64, _ totals: UsageTotals?) {
    count += 1
    latency.record(microseconds: microseconds)
    guard let totals else { return }
    inputTokens += totals.inputTokens
    outputTokens += totals.outputTokens
    costMicroUSD += totals.costMicroUSD
  }
}

extension Int64 {
  /// How many whole spans fit, rounded down also before 1970.
  func floored(by span: Int64) -> Int64 {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: span)
    return remainder < 0 ? quotient - 1 : quotient
  }
}
