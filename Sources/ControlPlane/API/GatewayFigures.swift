/// What the gateway that runs counts beside the log.
public protocol GatewayFigures: Sendable {
  /// One consistent-enough reading; asks no disk and waits for nobody.
  var live: LiveFigures { get }
}

/// Figures of what goes on, and of what leaves no trace in the log.
public struct LiveFigures: Sendable, Hashable {
  /// Requests under way.
  public var requestsInFlight: UInt64 = 0
  /// How long the oldest of them has been so, in microseconds; 0 without one.
  public var oldestRequestMicroseconds: UInt64 = 0
  /// Connections of clients at present.
  public var connectionsOpen: UInt64 = 0
  /// Those let in since the start.
  public var connectionsAccepted: UInt64 = 0
  /// Those that were too many.
  public var connectionsRefused: UInt64 = 0
  /// Heads that could not be parsed.
  public var malformedHeads: UInt64 = 0
  /// Connections to upstreams that were asked for.
  public var upstreamConnects: UInt64 = 0
  /// Bytes of bodies that are held.
  public var heldBodyBytes: UInt64 = 0
  /// Further attempts that requests have saved up.
  public var retriesSaved: UInt64 = 0
  /// Further attempts that were not made because too many were.
  public var retriesRefused: UInt64 = 0
  /// Events that the log did not take.
  public var recordingFailures: UInt64 = 0
  /// Spans by what became of them; all 0 where none are sent.
  public var spans = SpanCounts()

  /// Nothing goes on.
  public init() {}
}
