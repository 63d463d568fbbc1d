public import Domain

/// The other side of a sync, in the protocol that it speaks.
///
/// Calls are made one at a time; each returns within its patience. What is taken in is in the log when `exchange` returns.
protocol SyncPartner: Sendable {
  /// The same configuration and credentials on both sides, as far as the rules let them be.
  ///
  /// - Parameter expected: the peer's name; another one who answers is not told anything. nil: whoever is there.
  func exchange(expected: String?) async throws(SyncFault) -> SyncOutcome
  /// Whether the other side would serve what it was told: after a first exchange, before others follow by themselves.
  func verify() async throws(SyncFault)
  /// Tells the other side that we come no more; returns when it confirmed that.
  ///
  /// - Returns: what it does with what it has of ours; never `owed`.
  func leave() async throws(SyncFault) -> SyncEvent.Farewell
  /// Whether the other side is there and knows our token; nothing is changed or told.
  ///
  /// - Returns: the peer's name.
  func check() async throws(SyncFault) -> String
}

/// What one exchange came to.
public struct SyncOutcome: Sendable, Hashable {
  /// Who the other side is.
  public var peer: String
  /// What both sides call the exchange; nil: both held the same, and nothing was exchanged.
  public var exchange: UInt128?
  /// Resources of ours that were new to the peer.
  public var updated: [String] = []
  /// Resources that were taken over here.
  public var fromPeer: [String] = []
  /// How many fields were decided here.
  public var decisions = 0
  /// Fields where an edit does not hold although nobody took it back, and credentials of one generation that differ.
  public var conflicts = 0
  /// What nodes agree on and cannot be so here.
  public var withheld = 0
  /// Edits of a clock that is ahead.
  public var waiting = 0

  /// Of an exchange in which nothing was new.
  public init(peer: String, exchange: UInt128? = nil) {
    self.peer = peer
    self.exchange = exchange
  }
}

/// Why an exchange came to nothing.
public struct SyncFault: Error, Sendable, Hashable {
  /// A stable word of ours; never the other side's text.
  public var code: String
  /// Who the other side says it is, where it said so.
  public var peer: String?
  /// Where in the configuration; nil: nothing of it stands in the way.
  public var about: SyncEvent.Failed.About?

  /// A fault of the exchange.
  public init(_ code: String, peer: String? = nil, about: SyncEvent.Failed.About? = nil) {
    self.code = code
    self.peer = peer
    self.about = about
  }
}

/// With whom this node syncs, as an operator set it.
public struct SyncTarget: Sendable {
  /// Where the other side is: `https://…`, or `http://…` to this machine.
  public var url: String
  /// What opens the other side.
  public var token: Secret
  /// How it is spoken to.
  public var kind: SyncProtocol
  /// By which the older protocol knows this machine.
  public var machineID: String
  /// Whether credentials are told and taken over the older protocol, which has no seal for them.
  public var withSecrets: Bool
  /// From one exchange to the next while nothing happens here, in seconds.
  public var intervalSeconds: Int64

  /// How credentials go there, as shown.
  var credentials: String {
    switch kind {
    case .signalbox: "sealed"
    case .nineRouter: withSecrets ? "bare" : "none"
    }
  }

  /// Made of its parts.
  public init(
    url: String, token: Secret, kind: SyncProtocol, machineID: String, withSecrets: Bool,
    intervalSeconds: Int64
  ) {
    self.url = url
    self.token = token
    self.kind = kind
    self.machineID = machineID
    self.withSecrets = withSecrets
    self.intervalSeconds = intervalSeconds
  }
}
