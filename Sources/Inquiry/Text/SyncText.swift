import Domain

extension EventLine {
  static func sync(_ event: SyncEvent, _ state: ControlState) -> String {
    let peer = Shown.text(event.peer)
    switch event {
    case .enabled(let it):
      return "sync with \(peer) on: " + (it.url.isEmpty ? "it comes here" : Shown.text(it.url))
    case .disabled(let it):
      return "sync with \(peer) off" + farewell(it.farewell)
    case .pushed(let it):
      return "told \(peer) of \(Shown.count(it.streams, "resource")) and "
        + Shown.count(it.credentials, "credential")
    case .received(let it):
      return "\(peer) told of \(Shown.count(it.streams, "resource")) and "
        + Shown.count(it.credentials, "credential")
        + (it.token.map { ", under token \(Shown.text($0.rawValue))" } ?? "")
    case .reconciled(let it): return "reconciled with \(peer): \(reconciled(it, state))"
    case .mirrored(let it): return "compared with what \(peer) holds: \(mirrored(it))"
    case .candidateKept(let it):
      return "\(peer) uses a token for \(name(it.account, state)) that nobody here knows: "
        + "\(it.fingerprint.short) is kept until it is tested"
    case .candidateRefused(let it):
      let what = "token \(it.fingerprint.short) of \(peer) for \(name(it.account, state))"
      return it.isFinal
        ? "\(what) not taken: \(Shown.text(it.code))"
        : "\(what) not tested yet: \(Shown.text(it.code))"
    case .conflict(let it):
      var text =
        "credential of \(name(it.account, state)) conflicts with that of \(peer): generation "
        + "\(it.generation) of home epoch \(it.homeEpoch) is \(it.ours.short) here"
      if let theirs = it.theirs { text += " and \(theirs.short) there" }
      guard let lost = it.lost else { return text }
      text += "; \(lost.whose.name) gave way: made where the other one was not known"
      guard let origin = lost.origin else { return text }
      return text
        + ", as generation \(origin.generation) at \(Shown.text(origin.author.rawValue))"
    case .failed(let it):
      return "sync with \(peer) failed: \(Shown.text(it.action)), \(Shown.text(it.code))"
        + (it.about.map { ": \(about($0))" } ?? "")
    case .lifeBegan(let it):
      return "\(peer) tells from a directory that was not known: incarnation "
        + Shown.incarnation(it.incarnation)
    case .forgotten: return "nothing is remembered of \(peer) any more"
    }
  }

  private static func farewell(_ it: SyncEvent.Farewell) -> String {
    switch it {
    case .removed: ""
    case .told: "; it knows, and keeps what it has"
    case .owed: "; whether it keeps a copy is not known"
    }
  }

  private static func about(_ it: SyncEvent.Failed.About) -> String {
    var parts = it.stream.isEmpty ? [] : [Shown.text(it.stream)]
    if !it.field.isEmpty { parts.append("field \(Shown.text(it.field))") }
    if let counts = it.counts {
      parts.append("\(Shown.count(counts.told, "resource")) told of, \(counts.before) before")
    }
    return parts.joined(separator: ", ")
  }

  private static func mirrored(_ it: SyncEvent.Mirrored) -> String {
    let taken = it.decisions.count { $0.winner == .theirs }
    let conflicts = it.decisions.filter(\.isConflict)
    var parts = ["\(Shown.count(taken, "field")) taken over"]
    parts += conflicts.prefix(8).map { decision in
      let field = decision.field.isEmpty ? "presence" : decision.field
      return "\(Shown.text(decision.stream)) \(Shown.text(field)): \(decision.ours.shown) of ours "
        + "over \(decision.theirs.shown) (\(decision.rule.name))"
    }
    if conflicts.count > 8 { parts.append("\(conflicts.count - 8) more") }
    return parts.joined(separator: "; ")
  }

  /// The conflicts one by one, the rest as a number.
  private static func reconciled(
    _ it: SyncEvent.Reconciled, _ state: ControlState
  ) -> String {
    let taken = it.decisions.filter { $0.winner == .theirs && $0.ours != $0.theirs }
    var parts = ["\(Shown.count(taken.count, "field")) taken over"]
    let lives = Set(taken.map(\.version.stamp.author)).filter {
      $0.node == state.sync.node && $0 != state.sync.author
    }
    if !lives.isEmpty {
      let own = taken.count { lives.contains($0.version.stamp.author) }
      parts[0] += ", \(own) of them edited here in a life before the directory was restored"
    }
    let conflicts = it.decisions.filter(\.isConflict)
    parts += conflicts.prefix(8).map { decision in
      let field = decision.field.isEmpty ? "presence" : decision.field
      let (won, lost) =
        decision.winner == .ours
        ? (decision.ours, decision.theirs) : (decision.theirs, decision.ours)
      return "\(Shown.text(decision.stream)) \(Shown.text(field)): \(won.shown) of "
        + "\(decision.winner.name) over \(lost.shown) (\(decision.rule.name))"
    }
    if conflicts.count > 8 { parts.append("\(conflicts.count - 8) more conflicts") }
    parts += it.withheld.prefix(8).map {
      "\(Shown.text($0.stream)) withheld: \(Shown.text($0.reason))"
    }
    if it.withheld.count > 8 { parts.append("\(it.withheld.count - 8) more withheld") }
    if !it.settled.isEmpty { parts.append("\(it.settled.count) no longer withheld") }
    let refused = it.waiting.filter { !$0.reason.isEmpty }
    parts += refused.prefix(8).map {
      "\(Shown.text($0.stream)) \(Shown.text($0.field)) not taken: \(Shown.text($0.reason))"
    }
    if refused.count > 8 { parts.append("\(refused.count - 8) more not taken") }
    let ahead = it.waiting.count - refused.count
    if ahead > 0 { parts.append("\(Shown.count(ahead, "edit")) of a clock ahead waiting") }
    return parts.joined(separator: "; ")
  }
}

extension EventFields {
  static func sync(_ event: SyncEvent) -> Members {
    let peer = JSONTree.Member("peer", .text(event.peer))
    switch event {
    case .enabled(let it): return [peer, .init("url", .text(it.url))]
    case .disabled(let it):
      return [
        peer, .init("copyRemoved", .bool(it.farewell == .removed)),
        .init("told", .bool(it.farewell != .owed)),
      ]
    case .pushed(let it), .received(let it):
      return [
        peer, .init("exchange", .text(uuidText(it.exchange))), .init("streams", .count(it.streams)),
        .init("credentials", .count(it.credentials)), .init("clock", .text(rfc3339(it.clock))),
      ] + (it.token.map { [.init("token", .text($0.rawValue))] } ?? [])
    case .reconciled(let it):
      return [
        peer, .init("exchange", .text(uuidText(it.exchange))),
        .init("decisions", .array(it.decisions.map(decision))),
        .init("withheld", .array(it.withheld.map(withheld))),
        .init("settled", .array(it.settled.map { .text($0) })),
        .init("waiting", .array(it.waiting.map(waiting))),
        .init("arrived", .array(it.arrived.map(place))),
        .init("floors", .array(it.floors.map(floor))), .init("streams", .count(it.streams)),
      ]
    case .mirrored(let it):
      return [
        peer, .init("exchange", .text(uuidText(it.exchange))),
        .init("decisions", .array(it.decisions.map(decision))),
        .init("told", .array(it.told.map(told))),
      ]
    case .candidateKept(let it):
      return [
        peer, .init("account", .text(it.account.rawValue)),
        .init("homeEpoch", .count(it.version.homeEpoch)),
        .init("generation", .count(it.version.generation)),
        .init("fingerprint", .text(it.fingerprint.short)), .init("kind", .text(it.kind.name)),
        .init("expiresAt", .text(it.expiresAt.map { rfc3339($0) })),
      ]
    case .candidateRefused(let it):
      return [
        peer, .init("account", .text(it.account.rawValue)),
        .init("homeEpoch", .count(it.version.homeEpoch)),
        .init("generation", .count(it.version.generation)),
        .init("fingerprint", .text(it.fingerprint.short)), .init("code", .text(it.code)),
        .init("isFinal", .bool(it.isFinal)),
      ]
    case .conflict(let it):
      return [
        peer, .init("account", .text(it.account.rawValue)),
        .init("homeEpoch", .count(it.homeEpoch)), .init("generation", .count(it.generation)),
        .init("ours", .text(it.ours.short)), .init("theirs", .text(it.theirs?.short)),
        .init("lost", .text(it.lost?.whose.name)),
        .init("lostGeneration", .count(it.lost?.origin?.generation)),
        .init("lostAuthor", .text(it.lost?.origin?.author.rawValue)),
      ]
    case .failed(let it):
      return [peer, .init("action", .text(it.action)), .init("code", .text(it.code))]
        + (it.about.map(about) ?? [])
    case .lifeBegan(let it):
      return [peer, .init("incarnation", .text(Shown.incarnation(it.incarnation)))]
    case .forgotten: return [peer]
    }
  }

  private static func about(_ it: SyncEvent.Failed.About) -> Members {
    [.init("stream", .text(it.stream)), .init("field", .text(it.field))]
      + (it.counts.map { [.init("told", .count($0.told)), .init("before", .count($0.before))] }
        ?? [])
  }

  private static func decision(_ it: SyncEvent.Decision) -> JSONTree {
    .object([
      .init("stream", .text(it.stream)), .init("field", .text(it.field)),
      .init("ours", it.ours.json), .init("theirs", it.theirs.json),
      .init("base", it.base.map(stamp) ?? .null), .init("stamp", stamp(it.version.stamp)),
      .init("winner", .text(it.winner.name)), .init("rule", .text(it.rule.name)),
    ])
  }

  private static func decision(_ it: SyncEvent.MirrorDecision) -> JSONTree {
    .object([
      .init("stream", .text(it.stream)), .init("field", .text(it.field)),
      .init("ours", it.ours.json), .init("theirs", it.theirs.json), .init("base", it.base.json),
      .init("winner", .text(it.winner.name)), .init("rule", .text(it.rule.name)),
    ])
  }

  private static func told(_ it: SyncEvent.Mirrored.Told) -> JSONTree {
    .object([
      .init("stream", .text(it.stream)),
      .init("fields", it.fields.map { .object($0.map { .init($0.name, $0.value.json) }) } ?? .null),
    ])
  }

  private static func withheld(_ it: SyncEvent.Withheld) -> JSONTree {
    .object([
      .init("stream", .text(it.stream)),
      .init("isPresent", it.isPresent.map { .bool($0) } ?? .null),
      .init("fields", .object(it.fields.map { .init($0.name, $0.value.json) })),
      .init("reason", .text(it.reason)),
    ])
  }

  private static func waiting(_ it: SyncEvent.Waiting) -> JSONTree {
    .object([
      .init("stream", .text(it.stream)), .init("field", .text(it.field)),
      .init("stamp", stamp(it.stamp)), .init("reason", .text(it.reason)),
    ])
  }

  private static func place(_ it: SyncEvent.Place) -> JSONTree {
    .object([.init("stream", .text(it.stream)), .init("field", .text(it.field))])
  }

  private static func floor(_ it: SyncEvent.Floor) -> JSONTree {
    .object([
      .init("account", .text(it.account.rawValue)),
      .init("homeEpoch", .count(it.version.homeEpoch)),
      .init("generation", .count(it.version.generation)),
    ])
  }

  private static func stamp(_ it: HybridStamp) -> JSONTree {
    .object(
      [
        .init("time", .text(rfc3339(it.clock))), .init("counter", .number(Int64(it.counter))),
        .init("node", .text(it.author.node.rawValue)),
      ] + (it.turn > 0 ? [.init("turn", .number(Int64(it.turn)))] : [])
        + (it.author.life.map { [.init("life", .text($0))] } ?? []))
  }
}
