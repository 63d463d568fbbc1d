internal import Domain
internal import EventStore
internal import Foundation
internal import Surface

/// A gateway of ours: commands are decided on the fold of its log, and what a peer tells is reconciled.
final class OurHost: Host {
  let name: String
  let log: HostLog
  var skew: Int64 = 0
  private var pushed: SyncDocument?
  private var answered: SyncDocument?
  private var calls: [String: Call] = [:]
  /// What forms showed when they were opened.
  private var forms: [String: ControlState] = [:]

  /// A refresh under way.
  private struct Call {
    var account: AccountID
    /// The generation that was read, and the provider's number of its refresh token.
    var presented: UInt64
    var token: UInt64
    /// nil: another one is under way, and this one waits for it.
    var attempt: UInt64?
    var issued: UInt64?
  }

  private static let operators = Provenance(actor: "admin", source: .api)
  private static let secretsKey = "k"
  private static let provider = ProviderID("p")

  init(_ name: String, _ log: HostLog) throws {
    (self.name, self.log) = (name, log)
    let server = "http://127.0.0.1:9000"
    try perform(
      [
        .provider(
          .add(
            .init(
              id: Self.provider, name: "p", dialect: .openai, baseURL: "\(server)/v1", prefix: "p",
              models: [.init(name: "gpt-4o")], excludedModels: []))),
        .provider(.setOAuth(Self.provider, .init(tokenURL: "\(server)/token", clientID: "app"))),
      ], Self.operators, 0)
  }

  func take(_ step: Step, _ play: Play) throws {
    guard log.isOpen || step.verb == "restart" else {
      play.refuse(name, step, "the gateway does not run")
      return
    }
    let now = play.now + skew
    do {
      try act(step, play, now)
    } catch let refusal as Refusal {
      play.refuse(name, step, "\(refusal.code.rawValue), \(refusal.message)")
    }
  }

  private func act(_ step: Step, _ play: Play, _ now: Int64) throws {
    switch step.verb {
    case "login": try login(AccountID(try step.text(0)), play, now)
    case "add", "edit", "remove", "set", "unset":
      try perform(try commands(step), Self.operators, now)
    case "open": forms[try step.text(0)] = log.state
    case "save": try save(step, now)
    case "cool", "release":
      let until = Play.moment(now + (try step.number(1)))
      try perform(
        [
          .health(
            .startCooldown(
              .init(
                account: AccountID(try step.text(0)), scope: .account, rule: "rate_limited",
                until: until, status: 429, errorCode: "status_429")))
        ], .system, now)
    case "fail_test":
      try perform(
        [
          .health(
            .recordTest(
              .init(
                account: AccountID(try step.text(0)), model: nil, isValid: false,
                latencyMicroseconds: 0, status: 401, errorClass: .account,
                errorCode: "status_401"), began: log.state.position))
        ], Self.operators, now)
    case "request":
      let account = try step.text(0)
      let held = log.state.accounts[AccountID(account)]?.credential
      guard let held, held.canRefresh else { return }
      if play.provider.accepts(account, token(held, of: account, play), now: play.now) { return }
      try refresh(account, play, now)
    case "refresh": try refresh(try step.text(0), play, now)
    case "take": try begin(try step.text(0), as: try step.text(1), play, now)
    case "redeem": redeem(try step.text(0), play)
    case "store": try settle(try step.text(0), now)
    case "snapshot": pushed = document(now)
    case "arrive": try arrive(play)
    case "answer": try answer(play, now)
    case "sync":
      pushed = document(now)
      try arrive(play)
      try answer(play, now)
    case "damage": try damage()
    case "restart":
      do throws(StoreError) {
        try log.reopen()
      } catch {
        play.refuse(name, step, "the log is damaged and does not open")
      }
    // Who read something may go on: there is nothing here that is written whole.
    case "hold", "share", "sync_fails", "enable": break
    case _: throw PlayFault(description: "a gateway of ours does not \(step.verb)")
    }
  }

  /// In the one batch that they are, or not at all.
  private func perform(
    _ commands: [Command], _ provenance: Provenance, _ now: Int64
  ) throws {
    let facts = try decide(commands, log.state).joined().map { ($0.event, provenance) }
    try log.append(facts, at: Play.moment(now))
  }

  // MARK: Operators

  private func commands(_ step: Step) throws -> [Command] {
    let table = try step.text(0)
    let id = AccountID(table)
    func field(_ name: String) -> JSONValue? { step.fields.first { $0.name == name }?.value }
    func number(_ name: String) -> UInt32 { UInt32(field(name)?.uint ?? 1) }
    switch step.verb {
    case "add":
      let terms = CredentialTerms.key(fingerprint(table, field("apiKey")?.string ?? ""))
      return [.account(.add(added(id, priority: number("priority")), credential: terms))]
    case "remove": return [.account(.remove(id))]
    case "edit":
      return try edits(id, step.fields)
    case _: break
    }
    let row = try step.text(1)
    switch (table, step.verb) {
    case ("aliases", "set"):
      return [
        .alias(
          .set(name: row, target: field("model")?.string ?? "", allowUnresolved: true))
      ]
    case ("aliases", "unset"): return [.alias(.remove(name: row))]
    case ("keys", "unset"): return [.key(.revoke(KeyID(row)))]
    case ("keys", "set"):
      let isOn = field("isActive")?.bool ?? true
      let isThere = log.state.keys[KeyID(row)] != nil
      return (isThere ? [] : [.key(.create(key(named: row)))])
        + (isOn ? [] : [.key(.pause(KeyID(row)))])
    case _: throw PlayFault(description: "there is no table \(table) here")
    }
  }

  private func edits(_ id: AccountID, _ fields: [JSONValue.Member]) throws -> [Command] {
    try fields.map { it in
      switch it.name {
      case "isActive": .account(it.value.bool ?? true ? .enable(id) : .disable(id))
      case "priority": .account(.change(.init(id: id, priority: UInt32(it.value.uint ?? 1))))
      case "apiKey":
        .account(
          .issueCredential(id, .key(fingerprint(id.rawValue, it.value.string ?? ""))))
      case _: throw PlayFault(description: "accounts have no \(it.name) here")
      }
    }
  }

  /// The form's own fields, for the revision that it showed.
  private func save(_ step: Step, _ now: Int64) throws {
    let (form, table, row) = (try step.text(0), try step.text(1), try step.text(2))
    guard let shown = forms.removeValue(forKey: form) else {
      throw PlayFault(description: "\(form) was not opened")
    }
    let wanted: [Command]
    switch table {
    case "accounts": wanted = try edits(AccountID(row), step.fields)
    case "aliases":
      let model = step.fields.first { $0.name == "model" }?.value.string
      wanted = [.alias(.set(name: row, target: model ?? "", allowUnresolved: true))]
    case _: throw PlayFault(description: "there is no table \(table) here")
    }
    for command in wanted {
      let revision = shown.revision(ofStream: command.stream)
      var by = Self.operators
      by.base = revision
      let facts = try decide(command, log.state, ifMatch: revision == 0 ? nil : revision)
        .map { ($0.event, by) }
      try log.append(facts, at: Play.moment(now))
    }
  }

  private func added(_ id: AccountID, priority: UInt32 = 1) -> AccountEvent.Added {
    AccountEvent.Added(
      id: id, provider: Self.provider, name: id.rawValue, priority: priority, weight: 1)
  }

  private func login(_ id: AccountID, _ play: Play, _ now: Int64) throws {
    let number = play.provider.issue(id.rawValue, now: play.now)
    let terms = CredentialTerms(
      fingerprint: fingerprint(id.rawValue, number), kind: .oauth, canRefresh: true,
      expiresAt: Play.moment(now + Provider.life))
    let isThere = log.state.accounts[id] != nil
    try perform(
      [
        .account(
          isThere ? .issueCredential(id, terms) : .add(added(id), credential: terms))
      ], Self.operators, now)
  }

  // MARK: Tokens

  /// The provider's number of what is in force.
  private func token(_ credential: Credential, of account: String, _ play: Play) -> UInt64? {
    (1...max(1, play.provider.current[account] ?? 1)).first {
      fingerprint(account, $0) == credential.fingerprint
    }
  }

  private func refresh(_ account: String, _ play: Play, _ now: Int64) throws {
    try begin(account, as: account, play, now)
    redeem(account, play)
    try settle(account, now)
  }

  private func begin(_ account: String, as call: String, _ play: Play, _ now: Int64) throws {
    let id = AccountID(account)
    guard let held = log.state.accounts[id]?.credential, let token = token(held, of: account, play)
    else { return }
    calls[call] = Call(account: id, presented: held.generation, token: token)
    do {
      try perform(
        [
          .credential(
            .attempt(id, generation: held.generation, cause: .reactive, at: Play.moment(now)))
        ], .system, now)
      calls[call]?.attempt = log.state.accounts[id]?.credential.attempt?.number
    } catch let refusal as Refusal {
      if refusal.code != .refreshInProgress { calls[call] = nil }
      throw refusal
    }
  }

  private func redeem(_ call: String, _ play: Play) {
    guard let it = calls[call], it.attempt != nil else { return }
    calls[call]?.issued = play.provider.redeem(
      it.account.rawValue, it.token, now: play.now)
  }

  private func settle(_ call: String, _ now: Int64) throws {
    // Who waited has what came, and nothing to store.
    guard let it = calls.removeValue(forKey: call), let attempt = it.attempt else { return }
    let outcome: RefreshOutcome =
      it.issued.map {
        .succeeded(
          fingerprint: fingerprint(it.account.rawValue, $0),
          expiresAt: Play.moment(now + Provider.life))
      } ?? .rejected(code: "refresh_token_reused")
    try perform(
      [
        .credential(
          .settle(
            it.account,
            .init(
              attempt: attempt, generation: it.presented, outcome: outcome, at: Play.moment(now))))
      ], .system, now)
  }

  // MARK: Sync

  private func document(_ now: Int64) -> SyncDocument {
    log.state.document(secretsKey: Self.secretsKey, clock: Play.moment(now))
  }

  private func arrive(_ play: Play) throws {
    guard let pushed else { return }
    let worker: OurHost = try play.host("W")
    let exchange = play.beginExchange()
    try worker.take(pushed, from: name, exchange, play)
    answered = worker.document(play.now + worker.skew)
  }

  private func answer(_ play: Play, _ now: Int64) throws {
    guard let answered else { return }
    try take(answered, from: "W", play.exchange, play)
  }

  /// As the gateway does; a credential that is older than ours is presented as the write that it would be.
  private func take(
    _ document: SyncDocument, from peer: String, _ exchange: UInt128, _ play: Play
  ) throws {
    let now = play.now + skew
    let by = Provenance(actor: "peer:\(peer)", source: .peer, correlation: exchange)
    let outcome: Reconciliation
    do throws(SyncRefusal) {
      outcome = try log.state.reconcile(
        document, peer: peer, life: 1, exchange: exchange, secretsKey: Self.secretsKey,
        now: Play.moment(now))
    } catch {
      try perform(
        [.sync(.note(.failed(.init(peer: peer, action: "sync", code: error.code))))], .system, now)
      return
    }
    // Which of its directories a peer tells from is no matter here: each has one.
    var commands = outcome.commands
    for theirs in document.credentials {
      guard let terms = theirs.terms,
        let ours = log.state.accounts[theirs.account]?.credential, ours.fingerprint != nil,
        theirs.version < ours.version
      else { continue }
      commands.append(
        .credential(
          .take(
            theirs.account,
            .init(version: theirs.version, terms: terms, home: theirs.home, source: peer))))
    }
    commands += outcome.conflicts.map { .sync(.note(.conflict($0))) }
    if let event = outcome.event { commands.append(.sync(.note(.reconciled(event)))) }
    try perform(commands, by, now)
  }

  // MARK: Damage

  /// One byte of what was acknowledged becomes another one.
  private func damage() throws {
    try log.close()
    let place = "\(log.directory)/seg"
    let names = try FileManager.default.contentsOfDirectory(atPath: place).sorted()
    guard let name = names.first else {
      throw PlayFault(description: "there is no segment in \(place)")
    }
    let file = URL(fileURLWithPath: "\(place)/\(name)")
    var bytes = try Data(contentsOf: file)
    guard let end = bytes.lastIndex(where: { $0 != 0 }) else {
      throw PlayFault(description: "\(file.path) has nothing in it")
    }
    bytes[end / 2] = ~bytes[end / 2]
    try bytes.write(to: file)
  }
}
