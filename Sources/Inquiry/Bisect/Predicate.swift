public import Domain

/// Something that is true or not at every position of a log.
///
/// ```
/// STREAM exists                              alias/fast exists
/// STREAM.FIELD = VALUE                       alias/fast.model = mock/gpt-4o
/// STREAM.FIELD != VALUE                      account/mock-a1.isActive != true
/// account/ID is cooling                      account/mock-a1 is cooling
/// errors[(FILTER)] > RATE% over TIME [of N]  errors(model=mock/gpt-4o) > 5% over 5m of 20
/// pNN[(FILTER)] > TIME over TIME [of N]      p95(account=mock/a1) > 3s over 10m
/// ```
///
/// A filter is `account=`, `key=`, `model=`, `provider=` as for `window`, several with commas. `of N`: at least so
/// many requests that count within the time; 20 if it is left out.
public enum Predicate: Sendable, Hashable {
  case exists(Subject)
  /// A field has, or has not, a value as it is shown.
  case field(Subject, String, equals: String, isNegated: Bool)
  /// The account, or a model of it, cools.
  case cooling(AccountID)
  /// Too much of what ended within a time.
  case rate(Rate)

  /// A figure over requests that ended within a time.
  public struct Rate: Sendable, Hashable {
    /// What is looked at.
    public enum Figure: Sendable, Hashable {
      /// Requests that failed, per million of those that count, above which it is true; who is at fault decides, as in
      /// `RequestVerdict`.
      case errors(perMillion: UInt64)
      /// A percentile of total times of requests that an account was asked for, in microseconds, above which it is true.
      case latency(percentile: Int, microseconds: UInt64)
    }

    /// What is looked at.
    public var figure: Figure
    /// Of which requests.
    public var filter: WindowFilter
    /// Within how many nanoseconds before an end.
    public var span: Int64
    /// Fewer requests than these say nothing.
    public var minimum: Int

    /// Whether a request failed, or took longer than the bound; nil: it does not count.
    func isOver(_ fact: RequestEvent.Finished) -> Bool? {
      switch figure {
      case .errors: fact.verdict == .callers ? nil : fact.verdict == .failed
      case .latency(_, let bound):
        fact.attempts.isEmpty ? nil : fact.totalMicroseconds > bound
      }
    }

    /// Whether so many of so many are too many, by what must be there at least.
    func isTrue(_ over: Int, of count: Int) -> Bool {
      guard count >= minimum else { return false }
      return switch figure {
      case .errors(let bound): UInt64(over) * 1_000_000 / UInt64(count) > bound
      // How many lie above the bound decides, without sorting.
      case .latency(let percentile, _): over * 100 > count * (100 - percentile)
      }
    }
  }

  /// Whether all requests of the range are read for it; else one stream is.
  public var readsRequests: Bool {
    switch self {
    case .rate: true
    case .exists, .field, .cooling: false
    }
  }

  /// Reads a predicate.
  ///
  /// - Throws: `.usage` with what was not understood and the forms that there are.
  public init(_ text: String) throws(InquiryFault) {
    var words = text.split(whereSeparator: \.isWhitespace).map(String.init)
    if words.count >= 2, words[0].contains("("), !words[0].contains(")"),
      let end = words.firstIndex(where: { $0.contains(")") })
    {
      // `errors(model=a, provider=b)` is one word.
      words.replaceSubrange(0...end, with: [words[0...end].joined()])
    }
    if let rate = try Rate(words) {
      self = .rate(rate)
    } else if words.count == 2, words[1] == "exists", let subject = Subject(stream: words[0]) {
      self = .exists(subject)
    } else if words.count == 3, words[1...] == ["is", "cooling"],
      case .account(let id)? = Subject(stream: words[0])
    {
      self = .cooling(id)
    } else if words.count >= 3, ["=", "!="].contains(words[1]),
      let dot = words[0].lastIndex(of: "."),
      let subject = Subject(stream: String(words[0][..<dot]))
    {
      self = .field(
        subject, String(words[0][words[0].index(after: dot)...]),
        equals: words[2...].joined(separator: " "), isNegated: words[1] == "!=")
    } else {
      throw Self.fault("`\(Shown.text(String(text.prefix(128))))` is no predicate")
    }
  }

  fileprivate static func fault(_ what: String) -> InquiryFault {
    InquiryFault(
      .usage,
      "\(what). Write `STREAM exists`, `STREAM.FIELD = VALUE`, `STREAM.FIELD != VALUE`, `account/ID is cooling`, "
        + "`errors(model=NAME) > 5% over 5m` or `p95(account=NAME) > 3s over 10m`; a filter and `of N` "
        + "(requests at least, 20 by default) may be left out.")
  }

  /// Whose stream's events can change it; nil: requests do.
  var subject: Subject? {
    switch self {
    case .exists(let subject), .field(let subject, _, _, _): subject
    case .cooling(let id): .health(id)
    case .rate: nil
    }
  }
}

extension Predicate.Rate {
  /// nil: the words are another form's.
  fileprivate init?(_ words: [String]) throws(InquiryFault) {
    guard let head = words.first else { return nil }
    let name = head.prefix { $0 != "(" }
    let isErrors = name == "errors"
    let percentile = name.hasPrefix("p") ? Int(name.dropFirst()) : nil
    guard isErrors || percentile != nil else { return nil }
    guard [5, 7].contains(words.count), words[1] == ">", words[3] == "over",
      words.count == 5 || words[5] == "of"
    else { throw Predicate.fault("`\(Shown.text(words.joined(separator: " ")))` has another form") }
    if isErrors {
      guard words[2].hasSuffix("%"), let share = Double(words[2].dropLast()),
        (0...100).contains(share)
      else {
        throw Predicate.fault("`\(Shown.text(words[2]))` is no share from `0%` to `100%`")
      }
      figure = .errors(perMillion: UInt64((share * 10_000).rounded()))
    } else {
      guard let percentile, (1...99).contains(percentile) else {
        throw Predicate.fault("`\(Shown.text(String(name)))` is no percentile from `p1` to `p99`")
      }
      guard let bound = parseDuration(words[2]), bound >= 0 else {
        throw Predicate.fault("`\(Shown.text(words[2]))` is no time such as `3s`")
      }
      figure = .latency(percentile: percentile, microseconds: UInt64(bound) / 1_000)
    }
    guard let span = parseDuration(words[4]), span > 0 else {
      throw Predicate.fault("`\(Shown.text(words[4]))` is no time such as `5m`")
    }
    self.span = span
    guard let minimum = words.count == 7 ? Int(words[6]) : 20, (1...1_000_000).contains(minimum)
    else { throw Predicate.fault("`\(Shown.text(words[6]))` is no number of requests") }
    self.minimum = minimum
    filter = WindowFilter()
    guard name.count < head.count else { return }
    for part in head.dropFirst(name.count + 1).dropLast(head.hasSuffix(")") ? 1 : 0)
      .split(separator: ",")
    {
      let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
      switch pair.count == 2 ? pair[0] : "" {
      case "account": filter.account = pair[1]
      case "key": filter.key = pair[1]
      case "model": filter.model = pair[1]
      case "provider": filter.provider = pair[1]
      case _:
        throw Predicate.fault(
          "`\(Shown.text(String(part)))` is no filter: `account=`, `key=`, `model=` or `provider=`")
      }
    }
  }
}

/// Follows a predicate over a configuration.
struct PredicateState {
  private let predicate: Predicate
  /// When it stops being true by the clock alone.
  private(set) var ends: UnixNanoseconds?

  init(_ predicate: Predicate) { self.predicate = predicate }

  /// Whether it is true of a configuration at a time.
  mutating func isTrue(_ state: ControlState, at now: UnixNanoseconds) -> Bool {
    ends = nil
    switch predicate {
    case .exists(let subject): return state.image(of: subject) != nil
    case .field(let subject, let name, let value, let isNegated):
      guard let image = state.image(of: subject) else { return false }
      let shown = image[name] == .none ? "" : image[name].shown
      return (shown == value) != isNegated
    case .cooling(let id):
      guard let health = state.health[id] else { return false }
      let all = [health.cooldown?.until] + health.modelCooldowns.values.map { $0.until }
      guard let end = all.compactMap(\.self).max(), end > now else { return false }
      ends = end
      return true
    case .rate: return false
    }
  }
}

/// Follows a figure over requests in the order of their ends; each costs the same, however many the time holds.
struct RateWindow {
  private let rate: Predicate.Rate
  /// Whether each failed, or took longer than the bound.
  private var ended: [(time: Int64, isOver: Bool)] = []
  private var first = 0
  private var over = 0

  init(_ rate: Predicate.Rate) { self.rate = rate }

  /// Requests within the time, and those of them that failed or took longer than the bound.
  var reading: (count: Int, over: Int) { (ended.count - first, over) }

  /// Takes in the end of a request that counts.
  mutating func add(isOver: Bool, at time: UnixNanoseconds) {
    ended.append((time.rawValue, isOver))
    if isOver { over += 1 }
  }

  /// Whether it is true at a time; what lies further back than the span is forgotten.
  mutating func isTrue(at time: UnixNanoseconds) -> Bool {
    let (start, isBeforeAll) = time.rawValue.subtractingReportingOverflow(rate.span)
    while !isBeforeAll, first < ended.count, ended[first].time <= start {
      if ended[first].isOver { over -= 1 }
      first += 1
    }
    if first > 4_096, first * 2 > ended.count {
      ended.removeFirst(first)
      first = 0
    }
    return rate.isTrue(over, of: ended.count - first)
  }
}
