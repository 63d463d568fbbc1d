import Domain
import EventStore
import Surface

/// Something that is not the same on both sides, or where somebody's edit does not hold.
struct SyncDrift {
  /// Whose it is, for example `alias/fast`.
  var stream: String
  /// Empty: the whole resource.
  var field: String
  var ours: JSONValue
  var theirs: JSONValue
  /// As in `sync.reconciled`; also `withheld`, `clock-ahead`, `apart`, `awaited`, or why no exchange comes to its end.
  var rule: String
  var why: String
  /// When it was first decided so; nil: longer ago than was looked.
  var since: UnixNanoseconds?
  /// Somebody's edit does not hold.
  var isConflict = false

  /// Events of a peer's stream that are looked at for when credentials conflicted.
  private static let looked: UInt64 = 256

  var json: JSONValue {
    [
      "stream": JSONValue(stream), "field": JSONValue(field), "ours": ours, "theirs": theirs,
      "rule": JSONValue(rule), "why": JSONValue(why), "since": JSONValue(since),
    ]
  }

  /// What nodes agree on and cannot be so here, whichever peer told it, by stream and field.
  static func withheld(_ state: ControlState) -> [SyncDrift] {
    state.sync.withheld.values.sorted { $0.stream < $1.stream }
      .flatMap { rows($0, state, state.sync.withheldSince[$0.stream]) }
  }

  /// How much that is.
  static func withheldCount(_ state: ControlState) -> Int {
    state.sync.withheld.values.reduce(0) { $0 + ($1.isPresent == nil ? shown($1).count : 1) }
  }

  /// Credentials that cannot be used here any more until the node that refreshes them tells of the next one.
  static func awaited(_ state: ControlState, now: UnixNanoseconds) -> [SyncDrift] {
    state.accounts.values.sorted { $0.id < $1.id }.compactMap { account in
      let credential = account.credential
      guard let home = credential.home, credential.fingerprint != nil, credential.canRefresh,
        !credential.isHome(of: state.node)
      else { return nil }
      let health = state.health[account.id] ?? .unknown
      let refused = health.lastError?.status == 401 ? health.cooldown?.startedAt : nil
      let over = credential.expiresAt.flatMap { $0 <= now ? $0 : nil }
      guard let since = refused ?? over else { return nil }
      let what = refused == nil ? "its time is over" : "its provider refuses it here"
      return SyncDrift(
        stream: account.id.credentialStream, field: "generation",
        ours: JSONValue(credential.generation), theirs: .null, rule: "awaited",
        why: "\(what): waits for \(home.rawValue), which refreshes it, to tell of the next one; "
          + "where that node is gone for good, move its home here by force or issue the next one here",
        since: since)
    }
  }

  /// What is not the same as at a peer, by peer.
  ///
  /// Reads the events that conflicts which still hold were decided in; blocks on the disk.
  static func all(_ state: ControlState, _ log: LogReader) throws -> [String: [SyncDrift]] {
    var all: [String: [SyncDrift]] = [:]
    for (name, peer) in state.sync.peers { all[name] = try of(name, peer, state, log) }
    return all
  }

  /// How much is not the same, as `all` would tell; reads nothing.
  static func count(_ peer: SyncPeer, _ state: ControlState) -> Int {
    peer.conflicts.count + peer.waiting.count + peer.credentialConflicts.count
      + left(to: peer, state).count + candidates(of: peer, state).count
      + (failure(of: "", peer) == nil ? 0 : 1)
  }

  private static func of(
    _ name: String, _ peer: SyncPeer, _ state: ControlState, _ log: LogReader
  ) throws -> [SyncDrift] {
    var lost: [SyncDrift] = []
    // Many conflicts may be one exchange's.
    for (position, places) in Dictionary(grouping: peer.conflicts, by: \.value.position)
      .sorted(by: { $0.key < $1.key })
    {
      guard let stored = try log.event(at: Position(position)),
        case .sync(.reconciled(let it)) = try recorded(stored).event
      else { continue }
      let wanted = Set(places.map(\.key))
      for decision in it.decisions
      where decision.isConflict
        && wanted.contains(.init(stream: decision.stream, field: decision.field))
      {
        lost.append(SyncDrift(decision, UnixNanoseconds(stored.time), state.sync))
      }
    }
    let conflictSince =
      peer.credentialConflicts.isEmpty ? [:] : try conflictSince(syncStream(name), log)
    let waiting = peer.waiting.map { row($0, name, peer, state) }
    let credentials = peer.credentialConflicts.values.sorted { $0.account < $1.account }.map {
      SyncDrift(
        stream: "credential/\($0.account.rawValue)", field: "fingerprint",
        ours: JSONValue($0.ours.short), theirs: JSONValue($0.theirs?.short),
        rule: "apart", why: why($0, state),
        since: conflictSince[$0.account], isConflict: true)
    }
    let failure = Self.failure(of: name, peer).map { [$0] } ?? []
    return failure + lost.sorted { ($0.stream, $0.field) < ($1.stream, $1.field) } + waiting
      + credentials + left(to: peer, state) + candidates(of: peer, state)
  }

  /// An edit that the one side has and the other does not look at.
  private static func row(
    _ it: SyncEvent.Waiting, _ name: String, _ peer: SyncPeer, _ state: ControlState
  ) -> SyncDrift {
    let time = rfc3339(it.stamp.clock)
    let why =
      if !it.reason.isEmpty {
        "not taken: \(it.reason)"
      } else if state.sync.holds(it) {
        "edited here when the clock said \(time): \(name) looks at it when it is that late there, or when this clock is right again"
      } else {
        "edited by a clock that says \(time): looked at when it is that late here"
      }
    return SyncDrift(
      stream: it.stream, field: it.field, ours: value(it.stream, it.field, state), theirs: .null,
      rule: it.reason.isEmpty ? "clock-ahead" : "withheld", why: why, since: peer.reconciledAt)
  }

  /// Tokens that a system of the older protocol uses and that are not in force here.
  private static func candidates(of peer: SyncPeer, _ state: ControlState) -> [SyncDrift] {
    peer.candidates.sorted { $0.key < $1.key }.compactMap { account, it in
      guard let ours = state.accounts[account]?.credential, it.version == ours.version else {
        return nil
      }
      let why =
        if it.isRefused {
          "nobody here knows it, and it is not taken (\(it.code ?? "")): issue the next one here"
        } else {
          "nobody here knows it, and it is tested in the next exchange\(it.code.map { " again (\($0))" } ?? "")"
        }
      return SyncDrift(
        stream: account.credentialStream, field: "fingerprint",
        ours: JSONValue(ours.fingerprint?.short), theirs: JSONValue(it.fingerprint.short),
        rule: "candidate", why: why, since: nil, isConflict: it.isRefused)
    }
  }

  /// What a system of the older protocol holds and what could never be here.
  private static func left(to peer: SyncPeer, _ state: ControlState) -> [SyncDrift] {
    peer.told.sorted { $0.key < $1.key }
      .filter { !state.sync.knows($0.key) && state.image(ofStream: $0.key) == nil }
      .flatMap { stream, fields in
        fields.sorted { $0.key < $1.key }.map { field, theirs in
          SyncDrift(
            stream: stream, field: field, ours: .null, theirs: JSONValue(theirs), rule: "refused",
            why: "it cannot be here as things stand, and is left to the other side")
        }
      }
  }

  private static func why(_ it: SyncEvent.Conflict, _ state: ControlState) -> String {
    let apart = "two were made where neither author knew of the other one"
    guard let lost = it.lost else {
      return "\(apart), and \(holding(it, state)): issue the next one"
    }
    let origin = lost.origin.map {
      " (generation \($0.generation), made at \($0.author.node.rawValue))"
    }
    return
      "\(apart): \(lost.whose.name)\(origin ?? "") has the lower generation and is in force no more; if that was the right one, issue it again"
  }

  private static func holding(_ it: SyncEvent.Conflict, _ state: ControlState) -> String {
    guard let credential = state.accounts[it.account]?.credential else { return "none holds" }
    let whose =
      credential.fingerprint == it.ours
      ? "ours" : credential.fingerprint == it.theirs ? "theirs" : "another"
    return "\(whose) holds as generation \(credential.generation)"
  }

  /// When credentials were last found to conflict, as far back as is looked.
  private static func conflictSince(
    _ stream: String, _ log: LogReader
  ) throws -> [AccountID: UnixNanoseconds] {
    let last = log.revision(of: stream).rawValue
    var since: [AccountID: UnixNanoseconds] = [:]
    for stored in try log.events(
      ofStream: stream, from: Revision(last > looked ? last - looked + 1 : 1))
    {
      guard case .sync(.conflict(let it)) = try recorded(stored).event else { continue }
      since[it.account] = UnixNanoseconds(stored.time)
    }
    return since
  }

  private static func rows(
    _ it: SyncEvent.Withheld, _ state: ControlState, _ since: UnixNanoseconds?
  ) -> [SyncDrift] {
    func row(_ field: String, _ theirs: JSONValue) -> SyncDrift {
      SyncDrift(
        stream: it.stream, field: field, ours: value(it.stream, field, state), theirs: theirs,
        rule: "withheld", why: it.reason, since: since)
    }
    // Of what is not here at all one row says enough.
    return it.isPresent.map { [row("", .bool($0))] }
      ?? shown(it).map { row($0.name, JSONValue($0.value)) }
  }

  private static func shown(_ it: SyncEvent.Withheld) -> [Image.Member] {
    it.fields.filter { $0.name != "keyFingerprint" && $0.value != .none }
  }

  private static func value(
    _ stream: String, _ field: String, _ state: ControlState
  ) -> JSONValue {
    let image = state.image(ofStream: stream)
    return field.isEmpty ? .bool(image != nil) : image.map { JSONValue($0[field]) } ?? .null
  }
}

extension SyncDrift {
  fileprivate init(_ decision: SyncEvent.Decision, _ time: UnixNanoseconds, _ sync: SyncState) {
    let author = decision.version.stamp.author
    let isFormerLife = author.node == sync.node && author != sync.author
    self.init(
      stream: decision.stream, field: decision.field, ours: JSONValue(decision.ours),
      theirs: JSONValue(decision.theirs), rule: decision.rule.name,
      why: "\(decision.winner == .ours ? "ours" : "theirs") holds: " + decision.rule.why
        + (isFormerLife ? "; it was made here before the directory was restored" : ""),
      since: time, isConflict: true)
  }
}

extension SyncEvent.Rule {
  fileprivate var why: String {
    switch self {
    case .new: "nothing was known of it here"
    case .successor: "its author had seen the other edit"
    case .same: "both are the same"
    case .concurrent:
      "neither author had seen the other edit, and it is the later one, or the other one's clock was wrong"
    case .removed: "the resource was removed by somebody who had not seen the edit"
    case .final: "a revoked key stays revoked"
    case .renewed: "it was made while a clock was far ahead, and is made anew at the right time"
    }
  }
}
