/// One family of `GET /metrics`: its name, and everything that is said of it.
///
/// The rows of the table are the only ones that can be exposed; the documentation is made from them.
public struct Metric: Sendable, Hashable {
  /// As on the wire.
  public let name: String
  /// What its values are.
  public let kind: Kind
  /// In this order wherever values are given.
  public let labels: [String]
  /// One sentence.
  public let help: String
  /// Where its values come from.
  public let origin: Origin

  /// What values mean.
  public enum Kind: Sendable, Hashable {
    /// Grows until the process ends.
    case counter
    case gauge
    /// Counts of how often something took how long.
    case histogram(Buckets)

    /// As `# TYPE` has it.
    var name: String {
      switch self {
      case .counter: "counter"
      case .gauge: "gauge"
      case .histogram: "histogram"
      }
    }
  }

  /// Where values come from.
  public enum Origin: Sendable, Hashable {
    /// Counted from the log's events since the process opened it: what they say is what the log says.
    case log
    /// Read when it is asked for.
    case live
  }

  /// Upper bounds of a histogram's buckets.
  public enum Buckets: Sendable, Hashable {
    /// For what providers and clients make last: 5 ms to 5 minutes.
    case long
    /// For what the gateway itself takes: 10 µs to 1 s.
    case short

    /// In microseconds, ascending; what is more counts in none but `+Inf`.
    public var microseconds: [UInt64] {
      switch self {
      case .long: Self.longBounds
      case .short: Self.shortBounds
      }
    }

    private static let longBounds: [UInt64] = [
      5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 1_500_000, 2_000_000,
      3_000_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000, 300_000_000,
    ]
    private static let shortBounds: [UInt64] = [
      10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000,
    ]
  }

  init(_ name: String, _ kind: Kind, _ labels: [String] = [], _ origin: Origin, _ help: String) {
    self.name = name
    self.kind = kind
    self.labels = labels
    self.help = help
    self.origin = origin
  }
}
