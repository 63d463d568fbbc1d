/// What taking in another node's document comes to.
public struct Reconciliation: Sendable, Hashable {
  /// The peer tells from another directory than before; nil: it does not.
  ///
  /// To be noted before all else.
  public var lifeBegan: SyncEvent.LifeBegan?
  /// One batch with `event` behind them: what makes the configuration so.
  public var commands: [Command]
  /// Credentials of which nobody can say which is the newer one, as far as that is not on record.
  public var conflicts: [SyncEvent.Conflict]
  /// Every decision; nil: nothing is new.
  public var event: SyncEvent.Reconciled?
}

/// A document that is not taken in at all.
public enum SyncRefusal: Error, Sendable, Hashable {
  /// The teller has our own name: one of the two directories is a copy.
  case sameNode
  /// The teller is a directory of the peer's that another one took the place of: one of the two is a copy.
  case copiedNode
  /// The peer has edits of this life of ours that we never made: our log was taken back without a trace.
  case unknownOwnEdit(stream: String)
  /// One edit has two values: two nodes have one name.
  case ambiguousEdit(stream: String, field: String)
  /// The peer told of more before: what is missing was not removed, it was forgotten.
  case shrunken(told: UInt64, before: UInt64)
  /// Something is told of that no build can have meant.
  case malformed(stream: String)
  /// The token is another node's.
  case tokenOfAnother
  /// Another accepted token is the node's already.
  case nameTaken
  /// More peers are remembered than anybody has.
  case tooManyPeers

  /// As a stable word.
  public var code: String {
    switch self {
    case .sameNode: "sync_same_node"
    case .copiedNode: "sync_copied_node"
    case .unknownOwnEdit: "sync_unknown_own_edit"
    case .ambiguousEdit: "sync_ambiguous_edit"
    case .shrunken: "sync_shrunken"
    case .malformed: "sync_malformed"
    case .tokenOfAnother: "sync_token_of_another"
    case .nameTaken: "sync_name_taken"
    case .tooManyPeers: "sync_too_many_peers"
    }
  }

  /// Where in the configuration; nil: nothing of it stands in the way.
  public var about: SyncEvent.Failed.About? {
    switch self {
    case .unknownOwnEdit(let stream), .malformed(let stream):
      .init(stream: Self.shown(stream))
    case .ambiguousEdit(let stream, let field):
      .init(stream: Self.shown(stream), field: Refusal.bounded(field))
    case .shrunken(let told, let before): .init(counts: .init(told: told, before: before))
    case .sameNode, .copiedNode, .tokenOfAnother, .nameTaken, .tooManyPeers: nil
    }
  }

  /// What is no name of a resource may be anything.
  private static func shown(_ stream: String) -> String {
    Subject(stream: stream) == nil ? Refusal.bounded(stream) : stream
  }
}

/// More than any credential comes to: numbers of another node that leave no room to count on are not taken.
private let mostGenerations: UInt64 = 1 << 53

extension ControlState {
  /// Decides field by field what holds of what another node tells, and what to command so that it is so.
  ///
  /// Total and deterministic; nodes that took in the same edits, in whatever order, hold the same.
  ///
  /// - Parameters:
  ///   - part: what is taken in now: a stretch of the document's resources, and behind them its credentials, whose
  ///     beginning was taken in before; nil: all of it.
  ///   - life: incarnation of the directory that the peer tells from.
  ///   - now: our wall clock.
  /// - Throws: `SyncRefusal`; nothing of the document may be taken in then.
  public func reconcile(
    _ document: SyncDocument, part: Range<Int>? = nil, peer: String, life: UInt64,
    exchange: UInt128, secretsKey: String, now: UnixNanoseconds
  ) throws(SyncRefusal) -> Reconciliation {
    let part = part ?? 0..<document.count
    let credentialsBegin = document.streams.count
    let lifeBegan = try checkAuthor(document, peer, life)
    var join = Join(author: sync.author, now: now, theirClock: document.clock)
    for (subject, register) in registers(secretsKey: secretsKey) {
      join.registers[subject] = register
    }
    let isWithAll = part.upperBound >= credentialsBegin
    // Whoever has taken in all resources says what waits of all: what is taken in already is not decided again.
    for stream in document.streams[isWithAll ? document.streams.indices : part] {
      guard let subject = Subject(stream: stream.stream), subject.isShared,
        subject.stream == stream.stream, !stream.fields.contains(where: subject.isOwn)
      else { throw .malformed(stream: stream.stream) }
      try join.take(subject, Register(stream))
    }
    if isWithAll { join.look(at: document) }
    let before = sync.peers[peer]
    // What is here is what was agreed on, unless something stood in the way.
    var settlement =
      join.decisions.isEmpty && sync.withheld.isEmpty
      ? Settlement()
      : settle(join.registers, secretsKey: secretsKey, reborn: join.reborn)
    // Credentials come behind the resources: by then every account that they are of is there.
    let told = max(part.lowerBound, credentialsBegin)..<max(part.upperBound, credentialsBegin)
    let holdings = told.map { document.credentials[$0 - credentialsBegin] }.filter(\.isCountable)
    let takeover = CredentialTakeover(
      holdings.filter(join.isSameLife), floors: holdings, state: self,
      outcome: settlement.commands.isEmpty ? self : afterMerging(settlement.commands), peer: peer)
    settlement.commands += takeover.commands
    var event = SyncEvent.Reconciled(
      peer: peer, exchange: exchange, decisions: join.decisions, floors: takeover.floors,
      streams: isWithAll ? UInt64(document.streams.count) : 0)
    event.tell(settlement.withheld, known: sync.withheld)
    if isWithAll {
      let uncountable = document.credentials.filter { !$0.isCountable }
      event.tell(
        join.waiting + uncountable.map(\.waiting), known: before?.waiting ?? [])
    }
    let isNews = event.isNews || !settlement.commands.isEmpty
    return Reconciliation(
      lifeBegan: lifeBegan, commands: isNews ? settlement.commands : [],
      conflicts: takeover.conflicts,
      event: isNews ? event : nil)
  }

  /// The state after commands that were tried before.
  private func afterMerging(_ commands: [Command]) -> ControlState {
    var outcome = self
    for command in commands { try? outcome.perform(command) }
    return outcome
  }

  private func checkAuthor(
    _ document: SyncDocument, _ peer: String, _ life: UInt64
  ) throws(SyncRefusal) -> SyncEvent.LifeBegan? {
    guard document.node != sync.node else { throw .sameNode }
    let lifeBegan = try sync.meeting(peer, life: life)
    // An older copy knows less, and may say so.
    let before = lifeBegan == nil ? sync.peers[peer]?.streams ?? 0 : 0
    let told = UInt64(document.streams.count)
    guard told >= before else { throw .shrunken(told: told, before: before) }
    for stream in document.streams {
      for version in [stream.version] + stream.fields.map(\.version) {
        // Also where somebody else's edit stands on it. The clock may have been ahead when it was made.
        let isUnknown = ([version.stamp] + version.seen + version.beaten).contains {
          $0.author == sync.author && sync.clock.isBehind($0)
            && !sync.isOwn($0, in: stream.stream)
        }
        if isUnknown { throw .unknownOwnEdit(stream: stream.stream) }
      }
    }
    return lifeBegan
  }
}

extension SyncEvent.Reconciled {
  /// Whether it changes anything.
  fileprivate var isNews: Bool {
    !decisions.isEmpty || !withheld.isEmpty || !settled.isEmpty || !waiting.isEmpty
      || !arrived.isEmpty || !floors.isEmpty
  }

  /// Of what is withheld only what is otherwise than before.
  fileprivate mutating func tell(_ all: [SyncEvent.Withheld], known: [String: SyncEvent.Withheld]) {
    withheld = all.filter { known[$0.stream] != $0 }
    settled = Set(known.keys).subtracting(all.map(\.stream)).sorted()
  }

  /// Likewise of what waits.
  fileprivate mutating func tell(_ all: [SyncEvent.Waiting], known: [SyncEvent.Waiting]) {
    let before = Set(known)
    let places = Set(all.map(\.place))
    waiting = all.filter { !before.contains($0) }
    arrived = known.map(\.place).filter { !places.contains($0) }
  }
}

extension FieldVersion {
  /// Whether the other presence had ended when this one began.
  fileprivate func isLaterLife(than other: Self) -> Bool {
    !stamp.isSameEdit(as: other.stamp) && isBuilt(on: other)
  }
}

extension SyncDocument.Holding {
  /// Whether its numbers leave room for the next ones; another one is left alone, so that it ends no exchange.
  fileprivate var isCountable: Bool {
    max(version.homeEpoch, version.generation) <= mostGenerations
  }

  /// As it is told where it is left alone.
  fileprivate var waiting: SyncEvent.Waiting {
    .init(
      stream: account.credentialStream, field: "", stamp: .genesis,
      reason:
        "its generation or home epoch is beyond what nodes count to: add the account under another id"
    )
  }
}

/// Puts what two nodes know into one.
private struct Join {
  let author: EditAuthor
  let now: UnixNanoseconds
  let theirClock: UnixNanoseconds
  var registers: [Subject: Register] = [:]
  var decisions: [SyncEvent.Decision] = []
  var waiting: [SyncEvent.Waiting] = []
  /// Accounts as they are told of, as far as they are there.
  private var accounts: [AccountID: FieldVersion] = [:]
  /// Accounts that were removed and came back where we had not heard of it.
  var reborn: Set<AccountID> = []

  init(author: EditAuthor, now: UnixNanoseconds, theirClock: UnixNanoseconds) {
    self.author = author
    self.now = now
    self.theirClock = theirClock
  }

  mutating func take(_ subject: Subject, _ theirs: Register) throws(SyncRefusal) {
    let stream = subject.stream
    let theirs = theirs.bounded
    if case .account(let id) = subject, theirs.isPresent { accounts[id] = theirs.version }
    let known = registers[subject] ?? (subject.isAlwaysThere ? .genesis : nil)
    guard !isAhead(theirs.version) || known?.version.stamp == theirs.version.stamp else {
      // Unless what is here was made on top of it.
      if known?.version.knows(theirs.version.stamp) != true {
        waiting.append(.init(stream: stream, field: "", stamp: theirs.version.stamp))
      }
      return
    }
    guard theirs.isPresent || !subject.isAlwaysThere else { throw .malformed(stream: stream) }
    let held = held(subject, known, theirs)
    // What came before an edit that waits is not told: with nothing of our own to keep, all of it waits.
    if !held.isEmpty, known.map({ isTheirs($0.version, theirs.version) }) ?? true {
      waiting += held
      return
    }
    let decided = decisions.count
    var joined =
      known ?? Register(isPresent: theirs.isPresent, version: theirs.version, fields: [:])
    if let known { try joinPresence(stream, known, theirs, &joined) }
    if !joined.isPresent {
      forgetFields(stream, known, theirs, &joined)
    }
    if known?.version != joined.version || known?.isPresent != joined.isPresent {
      decidePresence(stream, known, theirs, joined)
    }
    let alreadyWaiting = waiting.count
    if joined.isPresent {
      var theirs = theirs
      for one in held {
        theirs.fields[one.field] = nil
        // Unless what is here was made on top of it.
        if known?.fields[one.field]?.version.knows(one.stamp) != true { waiting.append(one) }
      }
      try joinFields(subject, known, theirs, &joined)
    }
    guard joined == known || !SyncDocument.Stream(subject, joined).isLarge else {
      decisions.removeSubrange(decided...)
      waiting.removeSubrange(alreadyWaiting...)
      leave(stream, known, theirs)
      return
    }
    if case .account(let id) = subject, let known, known.isPresent, joined.isPresent,
      joined.version.isLaterLife(than: known.version)
    {
      reborn.insert(id)
    }
    registers[subject] = joined
  }

  /// Edits that are not taken: of a clock that is ahead, or such that no node with our rules could have made them.
  ///
  /// What is taken must not hang on what was here before, so that all nodes with the same rules hold the same:
  /// an edit that was refused is nobody's, and the last one before it stays.
  private func held(
    _ subject: Subject, _ known: Register?, _ theirs: Register
  ) -> [SyncEvent.Waiting] {
    guard theirs.isPresent else { return [] }
    // What loses against ours in any case does no harm.
    let news = theirs.fields.filter { field, cell in
      known?.fields[field].map { isTheirs($0.version, cell.version) } ?? true
    }
    let impossible = subject.impossible(news.mapValues(\.value), in: theirs.values)
    return theirs.fields.sorted { $0.key < $1.key }.compactMap { field, cell in
      let isAhead =
        isAhead(cell.version) && known?.fields[field]?.version.stamp != cell.version.stamp
      guard let reason = isAhead ? "" : impossible[field] else { return nil }
      return .init(
        stream: subject.stream, field: field, stamp: cell.version.stamp, reason: reason)
    }
  }

  /// Whether a credential is that of the account as it is now, and not as it was before it was removed.
  ///
  /// One that was added at two nodes, neither knowing of the other, is one account with two credentials.
  func isSameLife(_ holding: SyncDocument.Holding) -> Bool {
    guard let joined = registers[.account(holding.account)], joined.isPresent,
      let theirs = accounts[holding.account]
    else { return false }
    return !joined.version.isLaterLife(than: theirs) && !theirs.isLaterLife(than: joined.version)
  }

  /// What would make the resource larger than others read stays with the peer.
  private mutating func leave(_ stream: String, _ ours: Register?, _ theirs: Register) {
    for field in [""] + theirs.fields.keys.sorted() {
      guard let cell = theirs[field], ours?[field]?.version.knows(cell.version.stamp) != true
      else { continue }
      waiting.append(
        .init(
          stream: stream, field: field, stamp: cell.version.stamp,
          reason: "with it the resource would have more fields or bytes than nodes read"))
    }
  }

  private func isAhead(_ version: FieldVersion) -> Bool { version.stamp.time.isAhead(of: now) }

  /// Whether an edit that is here was made by a clock that was wrong: ours and the peer's are agreed on that.
  private func isFromWrongClock(_ version: FieldVersion) -> Bool {
    isAhead(version) && version.stamp.time.isAhead(of: theirClock) && !now.isAhead(of: theirClock)
      && !theirClock.isAhead(of: now)
  }

  /// Whether theirs holds: of two edits that a right clock made the later one.
  ///
  /// When an edit was made by a wrong clock nobody knows: it holds against what its author had seen.
  private func isTheirs(_ ours: FieldVersion, _ theirs: FieldVersion) -> Bool {
    ours.stamp < theirs.stamp
      || (theirs.stamp != .genesis && isFromWrongClock(ours) && !ours.isBuilt(on: theirs))
  }

  private mutating func joinPresence(
    _ stream: String, _ ours: Register, _ theirs: Register, _ joined: inout Register
  ) throws(SyncRefusal) {
    if ours.version.stamp == theirs.version.stamp, ours.isPresent != theirs.isPresent {
      throw .ambiguousEdit(stream: stream, field: "")
    }
    let (winner, other) =
      isTheirs(ours.version, theirs.version) ? (theirs, ours) : (ours, theirs)
    joined.isPresent = winner.isPresent
    joined.version = winner.version.absorbing(other.version)
    if !joined.isPresent { joined.fields = [:] }
  }

  private mutating func decidePresence(
    _ stream: String, _ ours: Register?, _ theirs: Register, _ joined: Register
  ) {
    let isOurs = ours.map { !isTheirs($0.version, theirs.version) } ?? false
    decisions.append(
      .init(
        stream: stream, field: "", ours: ours.map { .flag($0.isPresent) } ?? .none,
        theirs: .flag(theirs.isPresent),
        base: Self.base(ours?.version, theirs.version), version: joined.version,
        winner: isOurs ? .ours : .theirs,
        rule: Self.rule(
          ours.map { .init(value: .flag($0.isPresent), version: $0.version) },
          .init(value: .flag(theirs.isPresent), version: theirs.version))))
  }

  /// The resource is gone: edits of its fields that whoever removed it had not seen go with it, and that is said.
  private mutating func forgetFields(
    _ stream: String, _ ours: Register?, _ theirs: Register, _ joined: inout Register
  ) {
    for (side, winner) in [(ours, SyncEvent.Winner.theirs), (theirs, .ours)] {
      guard let side, side.isPresent else { continue }
      for (field, cell) in side.fields.sorted(by: { $0.key < $1.key }) {
        let stamp = cell.version.stamp
        if joined.version.isBuilt(on: cell.version) || joined.version.isDecided(against: stamp) {
          continue
        }
        joined.version = joined.version.absorbing(cell.version)
        decisions.append(
          .init(
            stream: stream, field: field, ours: winner == .theirs ? cell.value : .none,
            theirs: winner == .ours ? cell.value : .none, base: nil, version: joined.version,
            winner: winner, rule: .removed))
      }
    }
  }

  private mutating func joinFields(
    _ subject: Subject, _ ours: Register?, _ theirs: Register, _ joined: inout Register
  ) throws(SyncRefusal) {
    for (field, cell) in theirs.fields.sorted(by: { $0.key < $1.key }) {
      guard let known = ours?.fields[field].map({ $0.following(cell, by: author) }) else {
        joined.fields[field] = cell
        decide(subject.stream, field, nil, cell, cell.version, .theirs, .new)
        continue
      }
      if known.version.stamp == cell.version.stamp, known.value != cell.value {
        throw .ambiguousEdit(stream: subject.stream, field: field)
      }
      let finality = (Self.isFinal(subject, field, known), Self.isFinal(subject, field, cell))
      let isTheirs =
        finality.0 == finality.1 ? isTheirs(known.version, cell.version) : finality.1
      let (winner, other) = isTheirs ? (cell, known) : (known, cell)
      let version = winner.version.absorbing(other.version)
      joined.fields[field] = .init(value: winner.value, version: version)
      guard version != ours?.fields[field]?.version else { continue }
      // Whoever revoked it on top of what the other one knew would have been right of any field.
      let isLater = (known.version.stamp < cell.version.stamp) == isTheirs
      var rule = Self.rule(known, cell)
      if finality.0 != finality.1, !isLater || rule != .successor { rule = .final }
      decide(
        subject.stream, field, known, cell, version, isTheirs ? .theirs : .ours, rule)
    }
  }

  /// A key that was revoked anywhere is revoked everywhere.
  private static func isFinal(_ subject: Subject, _ field: String, _ cell: Register.Cell) -> Bool {
    guard case .key = subject, field == "status" else { return false }
    return cell.value == .text(Key.Status.revoked.rawValue)
  }

  // MARK: Clocks that were wrong

  /// Edits that are looked at in one exchange: others are in the next ones.
  private static let mostRenewed = 256

  /// What is here from a clock that was far ahead: if that is over, it is made anew at the right time, so that it
  /// waits nowhere any longer; else it is said that it waits at the peer.
  mutating func look(at document: SyncDocument) {
    let places = registers.flatMap { subject, register in
      // Fields that came with the resource go with it.
      ([("", register.version)] + register.fields.map { ($0.key, $0.value.version) })
        .filter {
          $0.1.stamp.time.isAhead(of: theirClock) && ($0.0.isEmpty || $0.1 != register.version)
        }
        .map { (subject: subject, field: $0.0) }
    }
    .sorted {
      ($0.subject.rank, $0.subject.stream, $0.field) < (
        $1.subject.rank, $1.subject.stream, $1.field
      )
    }
    .prefix(Self.mostRenewed)
    guard !places.isEmpty else { return }
    let theirs = Dictionary(
      document.streams.map { ($0.stream, Register($0)) }, uniquingKeysWith: { $1 })
    let waits = Set(waiting.map(\.place))
    for (subject, field) in places {
      guard let register = registers[subject], let held = register[field] else { continue }
      let other = theirs[subject.stream]?[field]
      if isFromWrongClock(held.version),
        let version = held.version.renewed(by: author)
      {
        registers[subject]?.renew(field, version)
        decisions.append(
          .init(
            stream: subject.stream, field: field, ours: held.value, theirs: other?.value ?? .none,
            base: held.version.stamp, version: version, winner: .ours, rule: .renewed))
      } else if other?.version.stamp != held.version.stamp,
        !waits.contains(.init(stream: subject.stream, field: field))
      {
        waiting.append(.init(stream: subject.stream, field: field, stamp: held.version.stamp))
      }
    }
  }

  private mutating func decide(
    _ stream: String, _ field: String, _ ours: Register.Cell?, _ theirs: Register.Cell,
    _ version: FieldVersion, _ winner: SyncEvent.Winner, _ rule: SyncEvent.Rule
  ) {
    decisions.append(
      .init(
        stream: stream, field: field, ours: ours?.value ?? .none, theirs: theirs.value,
        base: Self.base(ours?.version, theirs.version), version: version, winner: winner,
        rule: rule))
  }

  private static func rule(_ ours: Register.Cell?, _ theirs: Register.Cell) -> SyncEvent.Rule {
    guard let ours else { return .new }
    if ours.version.stamp == theirs.version.stamp { return .same }
    let (later, earlier) =
      ours.version.stamp < theirs.version.stamp ? (theirs, ours) : (ours, theirs)
    if later.version.isBuilt(on: earlier.version) { return .successor }
    return ours.value == theirs.value ? .same : .concurrent
  }

  /// The last edit that both authors had seen.
  private static func base(_ ours: FieldVersion?, _ theirs: FieldVersion) -> HybridStamp? {
    guard let ours else { return nil }
    return ([ours.stamp, theirs.stamp] + ours.seen + theirs.seen)
      .filter { ours.isBuilt(on: $0) && theirs.isBuilt(on: $0) }.max()
  }
}
