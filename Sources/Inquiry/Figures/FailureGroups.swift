public import Domain

/// The requests that took longest, and failures that are alike.
public struct TopRequests: Sendable, Hashable {
  /// A request by its end.
  public struct Slow: Sendable, Hashable {
    /// Where its end stands.
    public var moment: LogCoverage.Moment
    var position: UInt64
    /// Which.
    public var id: RequestID
    /// As its client named it.
    public var model: String
    /// The account that answered last; nil: none was asked.
    public var account: String?
    /// What the client got.
    public var status: UInt16
    /// Microseconds until the first byte.
    public var firstByteMicroseconds: UInt64?
    /// Microseconds until the end.
    public var totalMicroseconds: UInt64
    /// Upstream calls.
    public var attempts: Int
  }

  /// Failures that are alike.
  public struct Group: Sendable, Hashable {
    /// Whose fault it was.
    public var errorClass: ErrorClass?
    /// The error catalogue's code.
    public var code: String
    /// The account asked last; nil: none was.
    public var account: String?
    /// As clients named it.
    public var model: String
    /// How many.
    public var count: UInt64
    /// The end of the first one.
    public var first: LogCoverage.Moment
    /// The end of the last one.
    public var last: LogCoverage.Moment
    /// The first one.
    public var example: RequestID
  }

  private struct Kind: Hashable {
    var errorClass: ErrorClass?
    var code: String
    var account: String?
    var model: String
  }

  /// How many of each.
  public let most: Int
  /// The slowest first; those of the same time in the order of the log.
  public private(set) var slow: [Slow] = []
  /// Failures of kinds beyond those that are kept.
  public private(set) var ungrouped: UInt64 = 0
  private var kinds: [Kind: Group] = [:]
  private static let kindsMax = 2_000

  init(_ most: Int) { self.most = most }

  mutating func add(
    _ it: RequestEvent.Finished, at moment: LogCoverage.Moment, position: UInt64,
    _ state: ControlState
  ) {
    let account = it.attempts.last.map { EventLine.name($0.account, state) }
    if !it.attempts.isEmpty { addSlow(it, moment, position, account) }
    guard it.verdict == .failed else { return }
    let kind = Kind(
      errorClass: it.errorClass, code: it.errorCode ?? it.ending.name, account: account,
      model: it.modelAsked)
    if kinds[kind] != nil {
      kinds[kind]?.count += 1
      kinds[kind]?.last = moment
    } else if kinds.count < Self.kindsMax {
      kinds[kind] = Group(
        errorClass: kind.errorClass, code: kind.code, account: account, model: kind.model, count: 1,
        first: moment, last: moment, example: it.id)
    } else {
      ungrouped += 1
    }
  }

  private mutating func addSlow(
    _ it: RequestEvent.Finished, _ moment: LogCoverage.Moment, _ position: UInt64,
    _ account: String?
  ) {
    if slow.count == most, let last = slow.last, it.totalMicroseconds <= last.totalMicroseconds {
      return
    }
    let at =
      slow.firstIndex { $0.totalMicroseconds < it.totalMicroseconds } ?? slow.endIndex
    slow.insert(
      Slow(
        moment: moment, position: position, id: it.id, model: it.modelAsked, account: account,
        status: it.status, firstByteMicroseconds: it.firstByteMicroseconds,
        totalMicroseconds: it.totalMicroseconds, attempts: it.attempts.count), at: at)
    if slow.count > most { slow.removeLast() }
  }

  /// The most frequent kinds first.
  public var failing: [Group] {
    let sorted = kinds.values.sorted {
      ($1.count, $0.code, $0.account ?? "", $0.model, $0.errorClass?.rawValue ?? 0)
        < ($0.count, $1.code, $1.account ?? "", $1.model, $1.errorClass?.rawValue ?? 0)
    }
    return Array(sorted.prefix(most))
  }

  /// How many kinds there are, and failures of them, beyond those told.
  var untold: (kinds: Int, failures: UInt64) {
    let told = failing.reduce(0) { $0 + $1.count }
    let all = kinds.values.reduce(0) { $0 + $1.count } + ungrouped
    return (max(0, kinds.count - most), all - told)
  }

  // MARK: Renderings

  var text: String {
    var out = ""
    if !slow.isEmpty {
      var table = TextTable(
        "slowest", "at", ">total", ">first byte", ">status", ">attempts", "model", "account")
      for it in slow {
        table.add(
          uuidText(it.id.rawValue), it.moment.place, Shown.duration(it.totalMicroseconds),
          it.firstByteMicroseconds.map(Shown.duration) ?? "–", String(it.status),
          String(it.attempts), Shown.text(it.model), it.account ?? "–")
      }
      out += "\n" + table.rendered()
    }
    guard !failing.isEmpty else { return out }
    var table = TextTable(
      "failing", ">requests", "class", "model", "account", "first", "last", "for example")
    for it in failing {
      table.add(
        Shown.text(it.code), String(it.count), it.errorClass?.name ?? "–", Shown.text(it.model),
        it.account ?? "–", it.first.place, it.last.place, uuidText(it.example.rawValue))
    }
    out += "\n" + table.rendered()
    if untold.failures > 0 {
      out += "  … \(Shown.count(untold.failures, "failure")) of other kinds\n"
    }
    return out
  }

  var json: JSONTree {
    .object([
      .init(
        "slow",
        .array(
          slow.map { it in
            .object([
              .init("request", .text(uuidText(it.id.rawValue))),
              .init("at", .text(it.moment.place)),
              .init("time", .text(rfc3339(it.moment.time))),
              .init("totalMicroseconds", .count(it.totalMicroseconds)),
              .init("firstByteMicroseconds", .count(it.firstByteMicroseconds)),
              .init("status", .count(Int(it.status))), .init("attempts", .count(it.attempts)),
              .init("model", .text(it.model)), .init("account", .text(it.account)),
            ])
          })),
      .init(
        "failing",
        .array(
          failing.map { it in
            .object([
              .init("code", .text(it.code)), .init("class", .text(it.errorClass?.name)),
              .init("requests", .count(it.count)), .init("model", .text(it.model)),
              .init("account", .text(it.account)), .init("firstAt", .text(it.first.place)),
              .init("lastAt", .text(it.last.place)),
              .init("example", .text(uuidText(it.example.rawValue))),
            ])
          })), .init("otherFailures", .count(untold.failures)),
    ])
  }
}
