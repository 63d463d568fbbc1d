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
  case gapOpened(GapOpened)
  case gapClosed(GapClosed)
  case lossAccepted(LossAccepted)
  case checkpointSigned(CheckpointSigned)
  case viewRebuilt(ViewRebuilt)
  case identified(Identified)
  case restored(Restored)

  /// The log belongs to a node from here on.
  public struct Identified: Sendable, Hashable {
    /// Random, kept through copies and backups.
    public var node: NodeID
    /// Random, another one after each of those.
    public var incarnation: UInt64

    /// Made of its parts.
    public init(node: NodeID, incarnation: UInt64) {
      self.node = node
      self.incarnation = incarnation
    }
  }

  /// The data directory is a copy or a backup of the one that wrote everything before.
  public struct Restored: Sendable, Hashable {
    /// As before.
    public var node: NodeID
    /// Random, from here on.
    public var incarnation: UInt64
    /// Until here.
    public var previous: UInt64

    /// Made of its parts.
    public init(node: NodeID, incarnation: UInt64, previous: UInt64) {
      self.node = node
      self.incarnation = incarnation
      self.previous = previous
    }
  }

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

  /// From here on request outcomes may be missing: the log could not take them.
  public struct GapOpened: Sendable, Hashable {
    /// Stable short code: `full`.
    public var reason: String

    /// Made of its parts.
    public init(reason: String) { self.reason = reason }
  }

  /// The log takes request outcomes again.
  public struct GapClosed: Sendable, Hashable {
    /// Position of the `gap_opened` that this one ends.
    public var opened: UInt64
    /// Requests whose outcome was not recorded, each as one, also in a summary; nil: unknown, since the process ended in between.
    public var count: UInt64?

    /// Made of its parts.
    public init(opened: UInt64, count: UInt64?) {
      self.opened = opened
      self.count = count
    }
  }

  /// A person accepted that acknowledged events cannot be read any more.
  public struct LossAccepted: Sendable, Hashable {
    /// The first position concerned.
    public var first: UInt64
    /// The last one; `first` − 1: no event is lost, but the log is not what was written.
    public var last: UInt64
    /// The damaged file's name.
    public var file: String
    /// The check that failed.
    public var rule: String
    /// Why it was accepted, in the person's words.
    public var reason: String

    /// Made of its parts.
    public init(first: UInt64, last: UInt64, file: String, rule: String, reason: String) {
      self.first = first
      self.last = last
      self.file = file
      self.rule = rule
      self.reason = reason
    }
  }

  /// The log vouches, under its key, for every event through a position.
  public struct CheckpointSigned: Sendable, Hashable {
    /// Everything through here is covered.
    public var position: UInt64
    /// Epoch of the event at `position`.
    public var epoch: UInt64
    /// Chain value at `position`; 32 bytes.
    public var chain: [UInt8]
    /// The position that the checkpoint before covers; 0: none.
    ///
    /// Where events in between cannot be read any more: the last one of these.
    public var previous: UInt64
    /// Merkle root (RFC 6962) over the leaves `previous` + 1 … `position`; 32 bytes.
    public var root: [UInt8]
    /// Ed25519 public key; 32 bytes.
    public var publicKey: [UInt8]
    /// Ed25519 signature; 64 bytes.
    ///
    /// Over `statement(store:)`.
    public var signature: [UInt8]

    /// Made of its parts.
    public init(
      position: UInt64, epoch: UInt64, chain: [UInt8], previous: UInt64, root: [UInt8],
      publicKey: [UInt8], signature: [UInt8]
    ) {
      self.position = position
      self.epoch = epoch
      self.chain = chain
      self.previous = previous
      self.root = root
      self.publicKey = publicKey
      self.signature = signature
    }
  }

  /// Tables that follow from the log were made anew from its beginning.
  public struct ViewRebuilt: Sendable, Hashable {
    /// Which: `usage`.
    public var view: String
    /// What was the matter with those before.
    public var reason: Reason
    /// Through where they were made.
    public var position: UInt64

    /// What was the matter.
    public enum Reason: UInt8, Sendable, Hashable, CaseIterable {
      /// There were none.
      case missing = 1
      /// They could not be read, or have another layout.
      case damaged = 2
      /// They were of another log, or had events that the log does not.
      case astray = 3
      /// A person wanted it.
      case asked = 4

      /// As shown.
      public var name: String {
        switch self {
        case .missing: "missing"
        case .damaged: "damaged"
        case .astray: "astray"
        case .asked: "asked"
        }
      }
    }

    /// Made of its parts.
    public init(view: String, reason: Reason, position: UInt64) {
      self.view = view
      self.reason = reason
      self.position = position
    }
  }
}
