/// What edits of the configuration are known by among several nodes: a fold of the log.
///
/// No event carries a stamp: an edit's stamp follows from the clocks in the log, so that every node derives
/// the same for its own history, also for what was written before it was ever synced.
public struct SyncState: Sendable, Hashable {
  /// This log's own name among others; empty: it has none yet.
  public internal(set) var node: NodeID
  /// Whose edits the next ones are: the node, in the life that it lives now.
  public internal(set) var author: EditAuthor
  /// Its hybrid clock.
  public internal(set) var clock: HybridClock
  /// By stream: everything that was ever edited, removed resources included.
  var streams: [String: StreamVersions]
  /// By stream: what nodes agree on and cannot be so here.
  public internal(set) var withheld: [String: SyncEvent.Withheld]
  /// Since when, of each of them.
  public internal(set) var withheldSince: [String: UnixNanoseconds]
  /// By name.
  public internal(set) var peers: [String: SyncPeer]

  /// What a peer is called as long as its name is not known.
  public static let unnamedPeer = "cloud"
  /// Peers that are remembered; an operator removes those that come no more.
  public static let peersMost = 128

  /// Whether one more can be remembered, or it is already.
  public func hasRoom(for peer: String) -> Bool {
    peers[peer] != nil || peers.count < Self.peersMost
  }

  /// Before the first event.
  public static let initial = SyncState(
    node: NodeID(""), author: .unnamed, clock: .initial, streams: [:], withheld: [:],
    withheldSince: [:], peers: [:])

  /// Takes in a local edit; what came from a peer is told by its `reconciled`.
  ///
  /// - Parameters:
  ///   - before: the shared fields; nil: it was not there.
  ///   - after: the same after the edit.
  mutating func take(
    _ subject: Subject, _ before: [String: Image.Value]?, _ after: [String: Image.Value]?,
    time: UnixNanoseconds
  ) {
    let stream = subject.stream
    guard before != after else { return }
    let known = streams[stream]
    defer { forgetConflicts(of: [stream]) }
    guard let before, let after, known?.isPresent ?? true else {
      // It came or went, or was kept here although it should be gone: nothing that was known of its parts matters beside that.
      let stamp = clock.tick(time, author, on: known.map { [$0.version] + $0.fields.values } ?? [])
      let version =
        known.map { $0.version.succeeded(by: stamp, and: $0.fields.values) } ?? FieldVersion(stamp)
      streams[stream] = StreamVersions(isPresent: after != nil, version: version, fields: [:])
      release(stream)
      return
    }
    var versions =
      known
      ?? StreamVersions(isPresent: true, version: FieldVersion(.genesis), fields: [:])
    let edited = Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }
    let stamp = clock.tick(time, author, on: edited.map { versions[$0] })
    for field in edited {
      versions.fields[field] = versions[field].succeeded(by: stamp)
      withheld[stream]?.fields.removeAll { $0.name == field }
    }
    if let left = withheld[stream], left.isPresent == nil, left.fields.isEmpty { release(stream) }
    streams[stream] = versions
  }

  /// Whether a resource was ever here, also if it was removed since.
  public func knows(_ stream: String) -> Bool { streams[stream] != nil }

  /// Whether an edit of our own is in this log, also if others were made on top of it since.
  func isOwn(_ stamp: HybridStamp, in stream: String) -> Bool {
    guard let versions = streams[stream] else { return false }
    return versions.version.knows(stamp) || versions.fields.values.contains { $0.knows(stamp) }
  }

  /// Whether what waits is an edit that holds here: it waits at the peer.
  public func holds(_ waiting: SyncEvent.Waiting) -> Bool {
    guard let versions = streams[waiting.stream] else { return false }
    let version = waiting.field.isEmpty ? versions.version : versions[waiting.field]
    return version.stamp == waiting.stamp
  }

  /// Whether a decision is still what counts: nobody edited the field since.
  private func holds(_ place: SyncEvent.Place, _ stamp: HybridStamp) -> Bool {
    guard let versions = streams[place.stream] else { return false }
    let version =
      place.field.isEmpty || !versions.isPresent ? versions.version : versions[place.field]
    return version.stamp == stamp
  }

  /// Conflicts that somebody's edit settled since are none any more, whichever peer they were with.
  private mutating func forgetConflicts(of streams: Set<String>) {
    for (name, peer) in peers where !peer.conflicts.isEmpty {
      for (place, conflict) in peer.conflicts
      where streams.contains(place.stream) && !holds(place, conflict.stamp) {
        peers[name]?.conflicts[place] = nil
      }
    }
  }

  private mutating func release(_ stream: String) {
    withheld[stream] = nil
    withheldSince[stream] = nil
  }

  /// A newer credential is in force: which of the two before was right is no question any more.
  mutating func forgetConflicts(of account: AccountID, before version: Credential.Version) {
    for (name, peer) in peers {
      guard let known = peer.credentialConflicts[account],
        Credential.Version(homeEpoch: known.homeEpoch, generation: known.generation) < version
      else { continue }
      peers[name]?.credentialConflicts[account] = nil
    }
  }

  /// This log gets a name, or begins another life.
  ///
  /// - Parameter incarnation: of a directory that was copied or restored; nil: its first life.
  mutating func identify(_ name: NodeID, incarnation: UInt64? = nil) {
    author = EditAuthor(name, incarnation: incarnation)
    if node.rawValue.isEmpty {
      for (stream, versions) in streams { streams[stream] = versions.naming(author) }
    }
    node = name
  }

  /// What is to be noted of a peer that tells from a directory; nil: nothing is new.
  ///
  /// - Parameter life: the directory's incarnation.
  /// - Throws: `SyncRefusal.copiedNode` where another one took its place.
  public func meeting(
    _ peer: String, life: UInt64
  ) throws(SyncRefusal) -> SyncEvent.LifeBegan? {
    let known = peers[peer]
    if known?.life == life { return nil }
    guard known?.formerLives.contains(life) != true else { throw .copiedNode }
    return SyncEvent.LifeBegan(peer: peer, incarnation: life)
  }

  /// Takes in what was exchanged; total.
  mutating func evolve(_ event: SyncEvent, position: UInt64, time: UnixNanoseconds) {
    if case .forgotten(let it) = event {
      peers[it.peer] = nil
      return
    }
    var peer = peers[event.peer] ?? SyncPeer()
    switch event {
    case .enabled(let it):
      peer.isEnabled = true
      peer.url = it.url
      peer.failure = nil
      // What came to nothing before the peer's name was known was with it.
      if !it.url.isEmpty { peers[Self.unnamedPeer] = nil }
    case .disabled(let it):
      peer.isEnabled = false
      peer.owesRemoval = it.farewell == .owed
    case .pushed: peer.pushedAt = time
    case .received: peer.receivedAt = time
    case .reconciled(let it):
      peer.reconciledAt = time
      peer.reconciled = position
      peer.failure = nil
      peer.streams = max(peer.streams, it.streams)
      peer.take(it)
      take(it, position, time, &peer)
    case .mirrored(let it):
      peer.reconciledAt = time
      peer.reconciled = position
      peer.failure = nil
      for told in it.told {
        peer.told[told.stream] = told.fields.map { fields in
          Dictionary(fields.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
        }
      }
    case .candidateKept(let it): peer.take(it, position: position)
    case .candidateRefused(let it): peer.take(it)
    case .conflict(let it): peer.credentialConflicts[it.account] = it
    case .failed(let it):
      peer.failure = .init(action: it.action, code: it.code, about: it.about, at: time)
    case .lifeBegan(let it): peer.begin(it.incarnation)
    case .forgotten: break
    }
    peers[event.peer] = peer
    if case .reconciled(let it) = event { forgetConflicts(of: Set(it.decisions.map(\.stream))) }
  }

  private mutating func take(
    _ event: SyncEvent.Reconciled, _ position: UInt64, _ time: UnixNanoseconds,
    _ peer: inout SyncPeer
  ) {
    for decision in event.decisions {
      clock.observe(decision.version.stamp)
      var versions =
        streams[decision.stream]
        ?? StreamVersions(isPresent: true, version: FieldVersion(.genesis), fields: [:])
      if decision.field.isEmpty {
        let holding = decision.winner == .ours ? decision.ours : decision.theirs
        versions.isPresent = holding.flag ?? false
        // The fields that follow say where they have another one.
        versions.version = decision.version
        versions.fields = versions.isPresent ? versions.fields : [:]
      } else if versions.isPresent {
        versions.fields[decision.field] =
          decision.version == versions.version ? nil : decision.version
      }
      streams[decision.stream] = versions
      if decision.isConflict {
        let place = SyncEvent.Place(stream: decision.stream, field: decision.field)
        peer.conflicts[place] = .init(stamp: decision.version.stamp, position: position)
      }
    }
    let told = Set(event.withheld.map(\.stream))
    for stream in event.isWhole ? withheld.keys.filter({ !told.contains($0) }) : event.settled {
      release(stream)
    }
    for one in event.withheld {
      withheld[one.stream] = one
      withheldSince[one.stream] = withheldSince[one.stream] ?? time
    }
  }
}

/// The versions of a resource's fields.
struct StreamVersions: Sendable, Hashable {
  /// False: it was removed, and that is remembered for ever.
  var isPresent: Bool
  /// Of its being there or not.
  var version: FieldVersion
  /// Where a field was edited since the resource came.
  var fields: [String: FieldVersion]

  subscript(_ field: String) -> FieldVersion { fields[field] ?? version }

  func naming(_ author: EditAuthor) -> StreamVersions {
    StreamVersions(
      isPresent: isPresent, version: version.naming(author),
      fields: fields.mapValues { $0.naming(author) })
  }
}

/// What is known of another system that the configuration is synced with.
public struct SyncPeer: Sendable, Hashable {
  /// Whether exchanges go on by themselves.
  public internal(set) var isEnabled = false
  /// Where it is, as an operator gave it; empty: it comes to us.
  public internal(set) var url = ""
  /// Sync was switched off and the peer did not confirm that it keeps no copy.
  public internal(set) var owesRemoval = false
  /// When something new went there.
  public internal(set) var pushedAt: UnixNanoseconds?
  /// When something new came from there.
  public internal(set) var receivedAt: UnixNanoseconds?
  /// When something was decided.
  public internal(set) var reconciledAt: UnixNanoseconds?
  /// Position of the last `sync.reconciled`; 0: none.
  public internal(set) var reconciled: UInt64 = 0
  /// How many resources it ever told of at once in the life that it lives: it never tells of fewer.
  public internal(set) var streams: UInt64 = 0
  /// Incarnation of the directory that it tells from; nil: it told nothing yet.
  public internal(set) var life: UInt64?
  /// Those that it told from before, the last one last: at most 64.
  public internal(set) var formerLives: [UInt64] = []
  /// Its edits that are not taken yet, in the order in which resources are told, and ours that it does not take.
  public internal(set) var waiting: [SyncEvent.Waiting] = []
  /// Where somebody's edit does not hold although nobody took it back, as long as that is so.
  public internal(set) var conflicts: [SyncEvent.Place: Conflict] = [:]
  /// Credentials that were made where neither node knew of the other.
  public internal(set) var credentialConflicts: [AccountID: SyncEvent.Conflict] = [:]
  /// What a system of the older protocol told last, by stream and field.
  public internal(set) var told: [String: [String: Image.Value]] = [:]
  /// Tokens that it told and that nobody here knows, by account: the last one of each.
  public internal(set) var candidates: [AccountID: TokenCandidate] = [:]
  /// The last exchange came to nothing.
  public internal(set) var failure: Failure?

  private static let formerLivesMost = 64

  init() {}

  /// It tells from another directory, which may be an older copy and know less.
  mutating func begin(_ incarnation: UInt64) {
    guard life != incarnation else { return }
    if let life {
      formerLives.append(life)
      formerLives.removeFirst(max(0, formerLives.count - Self.formerLivesMost))
    }
    life = incarnation
    streams = 0
  }

  fileprivate mutating func take(_ event: SyncEvent.Reconciled) {
    if event.isWhole { waiting = [] }
    guard !event.waiting.isEmpty || !event.arrived.isEmpty else { return }
    let gone = Set(event.arrived).union(event.waiting.map(\.place))
    waiting.removeAll { gone.contains($0.place) }
    waiting = (waiting + event.waiting).map { (Subject(stream: $0.stream)?.rank ?? 0, $0) }
      .sorted { ($0.0, $0.1.stream, $0.1.field) < ($1.0, $1.1.stream, $1.1.field) }
      .map(\.1)
  }

  /// A decision that an edit lost by.
  public struct Conflict: Sendable, Hashable {
    /// Of the edit that holds.
    var stamp: HybridStamp
    /// Of the `sync.reconciled` that tells of it.
    public var position: UInt64
  }

  /// Why an exchange came to nothing.
  public struct Failure: Sendable, Hashable {
    /// What was tried.
    public var action: String
    /// As a stable word.
    public var code: String
    /// Where in the configuration; nil: nothing of it stood in the way.
    public var about: SyncEvent.Failed.About?
    /// When.
    public var at: UnixNanoseconds
  }
}
