public import Domain

/// What is promised to clients; `deploy/slos.yaml` has the same numbers.
public struct Objectives: Sendable, Hashable {
  /// Requests that are served, of a million that count.
  public var servedPerMillion: UInt64
  /// Requests whose first byte comes in time, of a million.
  public var inTimePerMillion: UInt64
  /// What "in time" is, in microseconds.
  public var firstByteMicroseconds: UInt64

  /// 99.5 % served, 95 % with a first byte within 3 s.
  public static let standard = Objectives(
    servedPerMillion: 995_000, inTimePerMillion: 950_000, firstByteMicroseconds: 3_000_000)

  /// Made of its parts.
  public init(servedPerMillion: UInt64, inTimePerMillion: UInt64, firstByteMicroseconds: UInt64) {
    self.servedPerMillion = servedPerMillion
    self.inTimePerMillion = inTimePerMillion
    self.firstByteMicroseconds = firstByteMicroseconds
  }

  /// Of a million, from a percentage with up to four decimals.
  ///
  /// - Parameter parameter: whose value it is, for the fault.
  public static func perMillion(
    _ text: String, _ parameter: String
  ) throws(InquiryFault) -> UInt64 {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    let decimals = parts.count == 2 ? String(parts[1]) : ""
    guard (1...2).contains(parts.count), parts.count == 1 || (1...4).contains(decimals.count),
      parts.allSatisfy({ part in part.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
      let whole = UInt64(parts[0]),
      let fraction = UInt64(decimals + String(repeating: "0", count: 4 - decimals.count)),
      whole < 100
    else {
      throw InquiryFault(
        .usage,
        "`\(Shown.text(String(text.prefix(32))))` is no percentage below 100: write for example 99.95.",
        parameter: parameter)
    }
    return whole * 10_000 + fraction
  }

  /// Of a million requests those that may fail; at least 1, so that something burns it.
  var failuresPerMillion: UInt64 { max(1, 1_000_000 - min(1_000_000, servedPerMillion)) }
  /// Of a million requests those that may be late.
  var latePerMillion: UInt64 { max(1, 1_000_000 - min(1_000_000, inTimePerMillion)) }
}

/// A rung of the ladder in docs/runbooks/incident.md.
public enum Severity: Int, Sendable, Hashable, Comparable, CaseIterable {
  case sev1 = 1
  case sev2 = 2
  case sev3 = 3

  /// The worse one is less.
  public static func < (a: Severity, b: Severity) -> Bool { a.rawValue < b.rawValue }

  /// `SEV-1`.
  public var name: String { "SEV-\(rawValue)" }

  /// Within how long it is to be over, in nanoseconds.
  var resolveWithin: Int64 {
    switch self {
    case .sev1: 4 * 3_600_000_000_000
    case .sev2: 24 * 3_600_000_000_000
    case .sev3: 7 * 86_400_000_000_000
    }
  }

  /// Within how many days its first actions are due.
  var actionDays: Int64 { self == .sev1 ? 30 : 90 }
}

/// A condition of the ladder that the log alone can tell.
public enum LadderRule: String, Sendable, Hashable, CaseIterable {
  case mostRequestsFailing = "MostRequestsFailing"
  case availabilityBurn6 = "SloBurnSev1"
  case latencyBurn6 = "SloBurnSev1 (latency)"
  case latencyFarOverSlo = "LatencyFarOverSlo"
  case notRunning = "PingFailing"
  case highErrorRate = "HighErrorRate"
  case availabilityBurn2 = "SloBurnSev2"
  case latencyBurn2 = "SloBurnSev2 (latency)"
  case latencyOverSlo = "LatencyOverSlo"
  case providerSuccessLow = "ProviderSuccessLow"
  case organisationOut = "one organisation out"
  case accountUnhealthy = "BackendUnhealthy"

  /// Its rung.
  public var severity: Severity {
    switch self {
    case .mostRequestsFailing, .availabilityBurn6, .latencyBurn6, .latencyFarOverSlo, .notRunning:
      .sev1
    case .highErrorRate, .availabilityBurn2, .latencyBurn2, .latencyOverSlo, .providerSuccessLow,
      .organisationOut:
      .sev2
    case .accountUnhealthy: .sev3
    }
  }

  /// Whether clients notice it as it is; a provider's failed calls may all be made good by another one.
  var isFelt: Bool {
    switch self {
    case .providerSuccessLow, .accountUnhealthy: false
    case .mostRequestsFailing, .availabilityBurn6, .latencyBurn6, .latencyFarOverSlo, .notRunning,
      .highErrorRate, .availabilityBurn2, .latencyBurn2, .latencyOverSlo, .organisationOut:
      true
    }
  }

  /// What it says.
  var text: String {
    switch self {
    case .mostRequestsFailing: "more than half of the requests failed for 5 minutes"
    case .availabilityBurn6:
      "the budget of failures burned more than 6 times too fast for 5 minutes"
    case .latencyBurn6:
      "the budget of late answers burned more than 6 times too fast for 5 minutes"
    case .latencyFarOverSlo: "first bytes took more than twice as long as promised for 5 minutes"
    case .notRunning: "nothing answered for 45 seconds"
    case .highErrorRate: "more than 5 % of the requests failed for 5 minutes"
    case .availabilityBurn2: "the budget of failures burned more than twice too fast over an hour"
    case .latencyBurn2: "the budget of late answers burned more than twice too fast over an hour"
    case .latencyOverSlo:
      "first bytes took 1.5 to 2 times as long as promised for 15 minutes"
    case .providerSuccessLow:
      "fewer than 95 % of the calls to a provider succeeded for 10 minutes"
    case .organisationOut: "more than half of one organisation's requests failed for 5 minutes"
    case .accountUnhealthy: "an account could not be used for 5 minutes"
    }
  }
}

/// A time in which a condition of the ladder held for as long as it must.
public struct Episode: Sendable, Hashable {
  /// Which.
  public var rule: LadderRule
  /// Of what: a provider, an organisation, an account; empty: of all.
  public var subject: String
  /// The first event that it is about.
  public var began: LogCoverage.Moment
  /// When it had held long enough for its alert.
  public var rang: UnixNanoseconds
  /// The last event that it is about.
  public var last: LogCoverage.Moment
  /// Whether it still held at the window's end.
  public var goesOn: Bool

  /// `HighErrorRate`, `ProviderSuccessLow of mock`.
  var name: String { rule.rawValue + (subject.isEmpty ? "" : " of \(Shown.text(subject))") }
}

/// Times in which conditions of the ladder held with less than a quarter of an hour between them.
public struct Incident: Sendable, Hashable {
  /// By when they began.
  public var episodes: [Episode]
  /// The worst of them, one rung up if it came back.
  public var severity: Severity
  /// Whether all of them were over for a while and one was back within 15 minutes.
  public var recurred: Bool
  /// The first event.
  public var began: LogCoverage.Moment
  /// The last event.
  public var last: LogCoverage.Moment
  /// Whether it still held at the window's end.
  public var goesOn: Bool

  private static let quarter: Int64 = 15 * 60_000_000_000

  /// - Parameter episodes: those of SEV-3 count only where there is nothing worse: one may hold for weeks.
  static func all(of episodes: [Episode]) -> [Incident] {
    let worse = episodes.filter { $0.rule.severity < .sev3 }
    let chosen = (worse.isEmpty ? episodes : worse).enumerated().sorted {
      ($0.element.began.time, $0.offset) < ($1.element.began.time, $1.offset)
    }.map(\.element)
    var incidents: [Incident] = []
    for episode in chosen {
      let end = incidents.last?.last.time.rawValue ?? .min
      guard let before = incidents.last, episode.began.time.rawValue - end < quarter else {
        incidents.append(
          Incident(
            episodes: [episode], severity: episode.rule.severity, recurred: false,
            began: episode.began, last: episode.last, goesOn: episode.goesOn))
        continue
      }
      var one = before
      one.episodes.append(episode)
      one.severity = min(one.severity, episode.rule.severity)
      if episode.began.time > before.last.time { one.recurred = true }
      if episode.last.time > one.last.time { one.last = episode.last }
      one.goesOn = one.goesOn || episode.goesOn
      incidents[incidents.count - 1] = one
    }
    // Where clients noticed anything, it began and ended with what they noticed.
    for at in incidents.indices {
      let felt = incidents[at].episodes.filter(\.rule.isFelt)
      guard let began = felt.first?.began,
        let last = felt.map(\.last).max(by: { $0.time < $1.time })
      else { continue }
      (incidents[at].began, incidents[at].last) = (began, last)
      incidents[at].goesOn = felt.contains(where: \.goesOn)
    }
    for at in incidents.indices where incidents[at].recurred {
      incidents[at].severity =
        Severity(rawValue: incidents[at].severity.rawValue - 1) ?? .sev1
    }
    return incidents
  }

  /// From the first event to the last one, in nanoseconds.
  var length: Int64 { max(0, last.time.rawValue - began.time.rawValue) }
}
