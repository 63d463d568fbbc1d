import Support

@testable import Domain

/// A node as a real one is: deciders, a log, a clock of its own; what is in memory can be lost at any time.
struct SyncNode {
  let name: NodeID
  /// How far its wall clock is from the true time, in nanoseconds.
  var skew: Int64
  private(set) var log: [Recorded] = []
  private(set) var state: ControlState

  init(_ name: String, skew: Int64) {
    self.name = NodeID(name)
    self.skew = skew
    state = .initial
    append([.gateway(.identified(.init(node: self.name, incarnation: 1)))], 1, .system)
  }

  func clock(_ now: Int64) -> UnixNanoseconds { UnixNanoseconds(now &+ skew) }

  /// What an operator commands here; a refusal leaves no trace.
  ///
  /// - Returns: the streams of what happened.
  mutating func command(_ command: Command, now: Int64) -> [String] {
    guard let proposed = try? decide(command, state) else { return [] }
    append(proposed.map(\.event), now, Provenance(actor: "admin", source: .api))
    return proposed.map(\.stream)
  }

  /// The provider gave a new token for the one in force.
  mutating func refresh(_ id: AccountID, _ fingerprint: Fingerprint, now: Int64) {
    guard let credential = state.accounts[id]?.credential else { return }
    let attempt = CredentialEvent.RefreshAttempted(
      account: id, generation: credential.generation, attempt: credential.attempts + 1,
      cause: .proactive)
    append([.credential(.refreshAttempted(attempt))], now, .system)
    _ = command(
      .credential(
        .settle(
          id,
          .init(
            attempt: attempt.attempt, generation: attempt.generation,
            outcome: .succeeded(fingerprint: fingerprint, expiresAt: nil), at: clock(now)))),
      now: now)
  }

  /// What is told to the others.
  func document(now: Int64) -> SyncDocument { state.document(secretsKey: "k", clock: clock(now)) }

  /// Takes in what another node told.
  ///
  /// - Parameter life: of the teller's directory.
  /// - Returns: whether anything was new.
  mutating func take(
    _ document: SyncDocument, part: Range<Int>? = nil, from life: UInt64 = 1, now: Int64,
    exchange: UInt128
  ) throws -> Bool {
    let reconciliation = try state.reconcile(
      document, part: part, peer: document.node.rawValue, life: life, exchange: exchange,
      secretsKey: "k", now: clock(now))
    let met = reconciliation.lifeBegan.map { [Command.sync(.note(.lifeBegan($0)))] } ?? []
    let conflicts = reconciliation.conflicts.map { Command.sync(.note(.conflict($0))) }
    let reconciled = reconciliation.event.map { [Command.sync(.note(.reconciled($0)))] } ?? []
    guard !met.isEmpty || !conflicts.isEmpty || !reconciled.isEmpty else { return false }
    let lists = try decide(met + reconciliation.commands + conflicts + reconciled, state)
    append(
      lists.flatMap { $0.map(\.event) }, now,
      Provenance(actor: "peer:\(document.node.rawValue)", source: .peer))
    return true
  }

  private mutating func append(_ events: [Event], _ now: Int64, _ provenance: Provenance) {
    for event in events {
      let record = Recorded(
        position: UInt64(log.count) + 1, time: clock(now), kind: event.kind,
        provenance: provenance, content: .event(event))
      log.append(record)
      state.apply(record)
    }
  }

  /// What the log alone tells, read as bytes.
  func replayed() throws -> ControlState {
    var state = ControlState.initial
    for record in log {
      guard let event = record.event else { continue }
      let bytes = encode(event, record.provenance)
      state.apply(
        try Recorded(
          position: record.position, time: record.time, kind: record.kind, bytes: bytes))
    }
    return state
  }

  /// Ends and starts again from its log.
  mutating func crash() throws { state = try replayed() }

  /// An older copy of the directory takes its place: what came after is gone.
  ///
  /// - Parameter count: events of the copy, at least 1.
  mutating func restore(_ count: Int, as incarnation: UInt64, now: Int64) throws {
    log.removeLast(log.count - count)
    state = try replayed()
    let streams = command(.node(.restore(incarnation: incarnation)), now: now)
    precondition(!streams.isEmpty)
  }

  /// Which directory it tells from.
  var incarnation: UInt64 { state.identity?.incarnation ?? 0 }

  /// What is known here of edits: as what holds, as what that is built on, or as what lost against it.
  func knowledge() -> (SyncWorld.Edit) -> Bool {
    let streams = [String: SyncDocument.Stream](
      uniqueKeysWithValues: document(now: 0).streams.map { ($0.stream, $0) })
    return { edit in
      guard let stream = streams[edit.stream] else { return false }
      let versions =
        [stream.version] + stream.fields.filter { $0.name == edit.field }.map(\.version)
      return versions.contains { $0.isBuilt(on: edit.stamp) || $0.isDecided(against: edit.stamp) }
    }
  }

  var conflicts: [SyncEvent.Conflict] {
    log.compactMap { if case .sync(.conflict(let it)) = $0.event { it } else { nil } }
  }

  var decisions: [SyncEvent.Decision] {
    log.flatMap { record -> [SyncEvent.Decision] in
      if case .sync(.reconciled(let it)) = record.event { it.decisions } else { [] }
    }
  }
}

/// Nodes, the messages between them, and what operators did.
struct SyncWorld {
  struct Edit {
    var node: Int
    var stream: String
    var field: String
    var value: Image.Value
    var stamp: HybridStamp
  }

  private(set) var nodes: [SyncNode]
  private(set) var edits: [Edit] = []
  /// What nodes decided in what a restored copy does not have.
  private(set) var forgottenDecisions: [SyncEvent.Decision] = []
  /// What restored copies took the place of.
  private(set) var formerLogs: [[Recorded]] = []
  private(set) var restores = 0
  private(set) var refusals: [String] = []
  private var random: SeededRandom
  /// Of clocks that are set far ahead or back, and right again.
  private var clocks: SeededRandom
  private var now: Int64 = 1_700_000_000_000_000_000
  private var underWay: [(to: Int, life: UInt64, document: SyncDocument)] = []
  /// How many events copies of each directory have that were put aside.
  private var copies: [[Int]]
  private var cut: Set<Int> = []
  private var exchanges: UInt128 = 0
  private var secrets = 0
  /// Of a node of another build: what it tells comes to nothing, so a world is the same without it.
  private var foreign: SeededRandom

  private let hasForeign: Bool

  init(seed: UInt64, nodes count: Int, hasForeign: Bool = true) {
    self.hasForeign = hasForeign
    random = SeededRandom(seed: seed)
    foreign = SeededRandom(seed: seed ^ 0xF0E1)
    clocks = SeededRandom(seed: seed &+ 1_000)
    nodes = []
    copies = Array(repeating: [], count: count)
    for index in 0..<count {
      let hours = Int64(random.int(-3...3))
      let skew = random.oneIn(2) ? 0 : hours * 3_600_000_000_000 + Int64(random.int(0...999))
      nodes.append(SyncNode("n\(index)", skew: skew))
    }
  }

  mutating func step() throws {
    now += Int64(random.int(0...30)) * 1_000_000_000 + Int64(random.int(0...1))
    if hasForeign, foreign.oneIn(40) { try takeForeign() }
    let node = random.int(0...nodes.count - 1)
    switch random.int(0...19) {
    case 0...11: edit(node)
    case 12...14:
      let to = random.int(0...nodes.count - 1)
      // Lost on the way now and then, and sent twice.
      guard to != node, !random.oneIn(5) else { return }
      let document = nodes[node].document(now: now)
      underWay.append((to, nodes[node].incarnation, document))
      if random.oneIn(6) { underWay.append((to, nodes[node].incarnation, document)) }
    case 15, 16, 17:
      guard !underWay.isEmpty else { return }
      let index = random.int(0...underWay.count - 1)
      let message = underWay[index]
      guard !cut.contains(message.to) else { return }
      underWay.remove(at: index)
      exchanges += 1
      try take(message.document, from: message.life, to: message.to)
    case 18:
      if random.oneIn(2) { cut.insert(node) } else { cut = [] }
      if underWay.count > 30 { underWay.removeFirst(20) }
    case _:
      if random.oneIn(4) { nodes[node].skew = Int64(random.int(-2...2)) * 3_600_000_000_000 }
      if clocks.oneIn(8) { nodes[node].skew = Int64(clocks.int(-400...400)) * 86_400_000_000_000 }
      if clocks.oneIn(4) { nodes[node].skew = 0 }
      if random.oneIn(3) { copies[node].append(nodes[node].log.count) }
      if random.oneIn(4), !copies[node].isEmpty {
        try restore(node)
      } else {
        try nodes[node].crash()
      }
    }
  }

  /// A directory is lost, and a copy of it that was put aside takes its place.
  private mutating func restore(_ node: Int) throws {
    let count = copies[node][random.int(0...copies[node].count - 1)]
    // What nobody else heard of is gone with it.
    let others = nodes.indices.filter { $0 != node }.map { nodes[$0].knowledge() }
    let before = nodes[node].knowledge()
    forgottenDecisions += nodes[node].decisions
    formerLogs.append(nodes[node].log)
    restores += 1
    let life = UInt64(restores) << 32 | UInt64(node)
    try nodes[node].restore(count, as: life, now: now)
    let after = nodes[node].knowledge()
    edits.removeAll { edit in
      before(edit) && !after(edit) && !others.contains { $0(edit) }
    }
    copies[node].removeAll { $0 > count }
    // A message is made for a number that the other side drew a minute ago at most.
    let name = nodes[node].name
    underWay.removeAll { $0.document.node == name }
  }

  private mutating func take(
    _ document: SyncDocument, from life: UInt64, to node: Int
  ) throws {
    do {
      _ = try nodes[node].take(document, from: life, now: now, exchange: exchanges)
    } catch let refusal as SyncRefusal {
      // An old message that comes late tells of fewer resources than a newer one did.
      guard case .shrunken = refusal else { throw refusal }
    }
  }

  /// No two secrets are the same.
  private mutating func newSecret() -> CredentialTerms {
    secrets += 1
    return CredentialTerms(
      fingerprint: fingerprint(secrets), kind: .oauth, canRefresh: true, expiresAt: nil)
  }

  /// The home node of a credential refreshes it; now and then another node becomes its home.
  private mutating func refresh(_ node: Int) {
    let ids = nodes[node].state.accounts.keys.sorted()
    guard !ids.isEmpty else { return }
    let id = ids[random.int(0...ids.count - 1)]
    guard let credential = nodes[node].state.accounts[id]?.credential,
      credential.fingerprint != nil
    else { return }
    guard credential.standing == .usable else {
      _ = nodes[node].command(.credential(.release(id)), now: now)
      return
    }
    if random.oneIn(3) {
      // Anywhere, also where it is not at home.
      _ = nodes[node].command(.account(.issueCredential(id, newSecret())), now: now)
      return
    }
    if random.oneIn(6) {
      _ = nodes[node].command(
        .credential(.moveHome(id, to: nodes[node].name, force: true)), now: now)
      return
    }
    guard credential.isHome(of: nodes[node].name) else { return }
    secrets += 1
    nodes[node].refresh(id, fingerprint(secrets), now: now)
  }

  /// A node of another build, whose rules let it make edits that no other one can hold, tells of one, on top of what
  /// somebody here knows of the resource.
  private mutating func takeForeign() throws {
    let wrong: [(kind: String, field: String, values: [Image.Value])] = [
      ("provider/", "baseUrl", [.text("ftp://x"), .number(7), .none]),
      ("provider/", "prefix", [.text("a/b"), .list([])]),
      ("provider/", "healthCheckSeconds", [.number(1), .text("often")]),
      ("account/", "priority", [.number(0), .number(1 << 40), .text("high")]),
      ("account/", "name", [.text(""), .flag(true)]),
      ("account/", "provider", [.none, .number(1)]),
      ("key/", "status", [.text("asleep")]), ("key/", "name", [.text(" ")]),
      ("alias/", "model", [.text(""), .none]), ("combo/", "models", [.list([]), .text("m1")]),
      ("policy/", "failoverThreshold", [.number(0)]),
      ("organisation/", "name", [.text("")]), ("settings", "maxBodyBytes", [.number(1)]),
    ]
    let (kind, field, values) = wrong[foreign.int(0...wrong.count - 1)]
    let node = foreign.int(0...nodes.count - 1)
    var document = nodes[node].document(now: now)
    guard
      let known = document.streams.first(where: {
        $0.stream.hasPrefix(kind) && $0.isPresent && $0.fields.contains { $0.name == field }
      }),
      let index = known.fields.firstIndex(where: { $0.name == field })
    else { return }
    var told = known
    document.node = NodeID("x")
    // A clock that is right would set edits right whose clocks were not.
    document.clock = UnixNanoseconds(.max)
    told.fields[index].value = values[foreign.int(0...values.count - 1)]
    let version = told.fields[index].version
    var clock = HybridClock.initial
    let stamp = clock.tick(nodes[node].clock(now), EditAuthor(document.node), on: [version])
    told.fields[index].version = version.succeeded(by: stamp)
    document.streams = [told]
    document.credentials = []
    for to in nodes.indices {
      // What else the resource has would be news elsewhere.
      let held = nodes[to].document(now: now).streams.first { $0.stream == told.stream }
      guard held == nil || held == known else { continue }
      _ = try nodes[to].take(document, from: 1, now: now, exchange: 0)
    }
  }

  private mutating func edit(_ node: Int) {
    if random.oneIn(5) { return refresh(node) }
    var command = randomCommand(&random)
    switch command {
    case .provider(.discover), .account(.setCredentialExpiry): return
    case .account(.add(let added, let terms)):
      command = .account(.add(added, credential: terms == nil ? nil : newSecret()))
    case .account(.issueCredential(let id, _)):
      command = .account(.issueCredential(id, newSecret()))
    case .key(.create(var created, let rights)):
      // Ids and secrets of keys are random: no two nodes make the same, nor two lives of one.
      created.id = KeyID(
        "\(created.id.rawValue)-\(nodes[node].name.rawValue)-\(nodes[node].incarnation >> 32)")
      created.fingerprint = fingerprint(
        created.id.rawValue.utf8.reduce(7) { $0 &* 31 &+ Int($1) } & 0xFFFF_FFFF)
      command = .key(.create(created, rights: rights))
    case .key(let it):
      let others = nodes[node].state.keys.keys.sorted()
      guard !others.isEmpty else { return }
      let id = others[random.int(0...others.count - 1)]
      switch it {
      case .change(var changed):
        changed.id = id
        command = .key(.change(changed))
      case .changeRights(_, let rights): command = .key(.changeRights(id, rights))
      case .pause: command = .key(.pause(id))
      case .resume: command = .key(.resume(id))
      case .revoke:
        command = .key(random.oneIn(3) ? .revoke(id) : .change(.init(id: id, name: "r")))
      case .create: break
      }
    case _: break
    }
    let touched = Set(nodes[node].command(command, now: now))
    guard !touched.isEmpty else { return }
    for stream in nodes[node].document(now: now).streams where touched.contains(stream.stream) {
      for (name, value, version) in [("", Image.Value.flag(stream.isPresent), stream.version)]
        + stream.fields.map({ ($0.name, $0.value, $0.version) })
      where version.stamp.author == nodes[node].state.sync.author {
        let edit = Edit(
          node: node, stream: stream.stream, field: name, value: value, stamp: version.stamp)
        if edits.last(where: { $0.stream == edit.stream && $0.field == name })?.stamp != edit.stamp
        {
          edits.append(edit)
        }
      }
    }
  }

  /// Operators settle what only they can: which of two credentials of one generation is the right one.
  mutating func issueWhereInDoubt() -> Bool {
    var accounts: Set<AccountID> = []
    for node in nodes {
      for peer in node.state.sync.peers.values { accounts.formUnion(peer.credentialConflicts.keys) }
    }
    var isDone = false
    for account in accounts.sorted() where nodes[0].state.accounts[account] != nil {
      isDone = true
      let streams = nodes[0].command(
        .account(.issueCredential(account, newSecret())), now: now)
      precondition(!streams.isEmpty)
    }
    return isDone
  }

  /// Clocks are right again and nothing is lost any more: each tells each until nothing is new.
  ///
  /// - Returns: how many rounds it took; nil: it did not end.
  mutating func settle() throws -> Int? {
    for index in nodes.indices { nodes[index].skew = 0 }
    for round in 1...12 {
      var isNews = false
      for from in nodes.indices {
        for to in nodes.indices where to != from {
          exchanges += 1
          now += 1_000_000
          let document = nodes[from].document(now: now)
          let life = nodes[from].incarnation
          isNews =
            try nodes[to].take(document, from: life, now: now, exchange: exchanges) || isNews
        }
      }
      if !isNews { return round }
    }
    return nil
  }
}
