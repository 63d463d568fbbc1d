/// When the answer to a request may end, relative to its record in the log.
public enum RecordingMode: UInt8, Sendable, Hashable, CaseIterable {
  case strict = 1
  case standard = 2
  case relaxed = 3
  case off = 4

  /// As written on the command line.
  public var name: String {
    switch self {
    case .strict: "strict"
    case .standard: "standard"
    case .relaxed: "relaxed"
    case .off: "off"
    }
  }
}

/// Facts in `gateway`.
public enum GatewayEvent: Sendable, Hashable {
  case started(Started)
  case stopped(Stopped)
  case tailTruncated(TailTruncated)
  case gap(Gap)

  /// A process opened the log and serves from it.
  public struct Started: Sendable, Hashable {
    /// The build's version.
    public var version: String
    /// The log's epoch since this start.
    public var epoch: UInt64
    /// When answers may end, relative to their record.
    public var recording: RecordingMode
    /// Where it listens, `host:port`.
    public var listen: String
    /// Whether the process before this one ended on request.
    public var previousStopWasClean: Bool
    /// Requests that were dispatched before and never finished.
    public var interruptedRequests: UInt64

    /// Made of its parts.
    public init(
      version: String, epoch: UInt64, recording: RecordingMode, listen: String,
      previousStopWasClean: Bool, interruptedRequests: UInt64
    ) {
      self.version = version
      self.epoch = epoch
      self.recording = recording
      self.listen = listen
      self.previousStopWasClean = previousStopWasClean
      self.interruptedRequests = interruptedRequests
    }
  }

  /// The process ended on request; everything before this is in the log.
  public struct Stopped: Sendable, Hashable {
    /// For example `SIGTERM`.
    public var reason: String
    /// Requests cut because they did not end within the drain time.
    public var cutRequests: UInt64

    /// Made of its parts.
    public init(reason: String, cutRequests: UInt64) {
      self.reason = reason
      self.cutRequests = cutRequests
    }
  }

  /// Bytes behind the last valid block, never acknowledged as durable, were set aside.
  public struct TailTruncated: Sendable, Hashable {
    /// The segment file's name.
    public var segment: String
    /// Where the bytes began in the segment.
    public var offset: UInt64
    /// How many were set aside.
    public var bytes: UInt64
    /// The rule that decided.
    public var rule: String

    /// Made of its parts.
    public init(segment: String, offset: UInt64, bytes: UInt64, rule: String) {
      self.segment = segment
      self.offset = offset
      self.bytes = bytes
      self.rule = rule
    }
  }

  /// Records may be missing here: the machine stopped within the bound of `written` and `queued`.
  public struct Gap: Sendable, Hashable {
    /// How much time before the stop may be missing, in milliseconds.
    public var boundMilliseconds: UInt64
    /// Why, for people.
    public var reason: String

    /// Made of its parts.
    public init(boundMilliseconds: UInt64, reason: String) {
      self.boundMilliseconds = boundMilliseconds
      self.reason = reason
    }
  }
}
