internal import Domain
internal import Surface

/// An older gateway, or its worker in the cloud: a blob that is read and written whole.
///
/// What becomes of the blob is written down as the events that would say so; the rules of our commands are not
/// asked, since it has none.
final class OldHost: Host {
  let name: String
  let log: HostLog
  var skew: Int64 = 0
  private let isWorker: Bool
  private var blob = Blob()
  /// What was agreed on with each peer last.
  private var agreed: [String: Blob] = [:]
  private var pushed = Blob()
  private var answered = Blob()
  /// By call: the account, the refresh token that was read, and what came of it.
  private var calls: [String: (account: String, presented: UInt64?, issued: UInt64?)] = [:]
  /// What somebody read, by form or request, with how far each stream had come; an isolate of the worker is one.
  private var forms: [String: (blob: Blob, revisions: [String: UInt64])] = [:]
  private var attempts: [String: UInt64] = [:]
  /// By account, its keys in the order in which they came: their generations.
  private var keys: [String: [String]] = [:]

  private static let operators = Provenance(actor: "admin", source: .api)
  private static let isolate = "isolate-2"

  init(_ name: String, _ log: HostLog, isWorker: Bool) {
    (self.name, self.log, self.isWorker) = (name, log, isWorker)
  }

  func take(_ step: Step, _ play: Play) throws {
    let now = play.now + skew
    switch step.verb {
    case "login": try login(try step.text(0), play)
    case "add": try add(step, now)
    case "edit": try edit(step, now)
    case "remove":
      let account = try step.text(0)
      try write(now, Self.operators) {
        $0.accounts[account] = nil
        $0.removed.insert("account/\(account)")
      }
    case "set", "unset": try set(step, now)
    case "cool", "release": try cool(step, now)
    case "fail_test": try failTest(try step.text(0), now)
    case "request":
      let account = try step.text(0)
      guard let record = blob.accounts[account], record.refresh != nil else { return }
      if play.provider.accepts(account, record.access, now: play.now) { return }
      try refresh(account, play)
      if play.provider.accepts(account, blob.accounts[account]?.access, now: play.now) { return }
      try write(now, .system) { $0.accounts[account]?.cooledUntil = now + 120 }
    case "refresh": try refresh(try step.text(0), play)
    case "take": try read(try step.text(0), as: try step.text(1), now)
    case "redeem": redeem(try step.text(0), play)
    case "store": try store(try step.text(0), play)
    case "snapshot": snapshot(play)
    case "arrive": try arrive(play)
    case "answer": try answer(play)
    case "sync":
      snapshot(play)
      try arrive(play)
      try answer(play)
    case "open": forms[try step.text(0)] = (blob, revisions(of: blob))
    case "hold": forms[Self.isolate] = (blob, revisions(of: blob))
    case "save", "share": try save(step, now)
    case "damage", "restart":
      // Without a word: what it had is in no event of its own.
      blob = Blob()
    case "sync_fails", "enable": break
    case _: throw PlayFault(description: "an older gateway does not \(step.verb)")
    }
  }

  // MARK: Operators

  private func login(_ account: String, _ play: Play) throws {
    let number = play.provider.issue(account, now: play.now)
    let now = play.now + skew
    try write(now, Self.operators) {
      var record = $0.accounts[account] ?? Record()
      (record.access, record.refresh) = (number, number)
      record.status = .active
      record.updatedAt = now
      $0.accounts[account] = record
    }
  }

  private func add(_ step: Step, _ now: Int64) throws {
    let account = try step.text(0)
    try write(now, Self.operators) {
      var record = Record(updatedAt: now)
      try record.set(step.fields)
      $0.accounts[account] = record
      $0.removed.remove("account/\(account)")
    }
  }

  private func edit(_ step: Step, _ now: Int64) throws {
    let account = try step.text(0)
    try write(now, Self.operators) {
      try $0.accounts[account]?.set(step.fields)
      $0.accounts[account]?.updatedAt = now
    }
  }

  /// What was read is written whole: with the form's own change, or because all requests hold one object.
  private func save(_ step: Step, _ now: Int64) throws {
    let form = try step.text(0)
    guard let read = forms.removeValue(forKey: form) else {
      throw PlayFault(description: "\(form) was not opened")
    }
    var whole = read.blob
    if step.verb == "save" {
      let (table, row) = (try step.text(1), try step.text(2))
      switch table {
      case "accounts": try whole.accounts[row]?.set(step.fields)
      case "aliases":
        whole.aliases[row] = step.fields.first { $0.name == "model" }?.value.string ?? ""
      case _: throw PlayFault(description: "there is no table \(table) here")
      }
    }
    let by = Provenance(actor: "form:\(form)", source: .api)
    try write(now, by, basedOn: read.revisions) { $0 = whole }
  }

  private func set(_ step: Step, _ now: Int64) throws {
    let (table, row) = (try step.text(0), try step.text(1))
    try write(now, Self.operators) {
      switch (table, step.verb) {
      case ("aliases", "set"):
        $0.aliases[row] = step.fields.first { $0.name == "model" }?.value.string ?? ""
      case ("keys", "set"):
        $0.keys[row] = step.fields.first { $0.name == "isActive" }?.value.bool ?? true
      case ("aliases", "unset"):
        $0.aliases[row] = nil
        $0.removed.insert("alias/\(row)")
      case ("keys", "unset"):
        $0.keys[row] = nil
        $0.removed.insert("key/\(row)")
      case _: throw PlayFault(description: "there is no table \(table) here")
      }
    }
  }

  private func failTest(_ account: String, _ now: Int64) throws {
    blob.accounts[account]?.status = .error
    blob.accounts[account]?.updatedAt = now
    let tested = HealthEvent.Tested(
      account: AccountID(account), model: nil, isValid: false, latencyMicroseconds: 0, status: 401,
      errorClass: .account, errorCode: "status_401")
    try log.append([(.health(.tested(tested)), Self.operators)], at: Play.moment(now))
  }

  /// A 429; an isolate that notes it saves the blob that it had read.
  private func cool(_ step: Step, _ now: Int64) throws {
    let account = try step.text(0)
    let until = now + (try step.number(1))
    let by = Provenance(actor: Self.isolate, source: .system)
    if step.verb == "release", let read = forms.removeValue(forKey: Self.isolate) {
      try write(now, by, basedOn: read.revisions) { $0 = read.blob }
    }
    try write(now, step.verb == "release" ? by : .system) {
      $0.accounts[account]?.cooledUntil = until
      $0.accounts[account]?.status = .unavailable
      $0.accounts[account]?.updatedAt = now
    }
  }

  // MARK: Tokens

  private func refresh(_ account: String, _ play: Play) throws {
    try read(account, as: account, play.now + skew)
    redeem(account, play)
    try store(account, play)
  }

  private func read(_ account: String, as call: String, _ now: Int64) throws {
    let presented = blob.accounts[account]?.refresh
    calls[call] = (account, presented, nil)
    attempts[account, default: 0] += 1
    let attempted = CredentialEvent.RefreshAttempted(
      account: AccountID(account), generation: presented ?? 0, attempt: attempts[account] ?? 1,
      cause: .reactive)
    try log.append([(.credential(.refreshAttempted(attempted)), .system)], at: Play.moment(now))
  }

  private func redeem(_ call: String, _ play: Play) {
    guard let it = calls[call] else { return }
    calls[call]?.issued = play.provider.redeem(it.account, it.presented, now: play.now)
  }

  /// What came is written, whatever was written meanwhile.
  private func store(_ call: String, _ play: Play) throws {
    guard let it = calls.removeValue(forKey: call), blob.accounts[it.account] != nil else { return }
    let now = play.now + skew
    let refused = CredentialEvent.RefreshRejected(
      account: AccountID(it.account), generation: it.presented ?? 0,
      attempt: attempts[it.account] ?? 1, code: "refresh_token_reused")
    if it.issued == nil {
      try log.append([(.credential(.refreshRejected(refused)), .system)], at: Play.moment(now))
    }
    try write(now, .system) {
      $0.accounts[it.account]?.updatedAt = now
      if let issued = it.issued {
        $0.accounts[it.account]?.access = issued
        $0.accounts[it.account]?.refresh = issued
        $0.accounts[it.account]?.status = .active
      } else if play.quirks.refusedIsNull {
        $0.accounts[it.account]?.refresh = nil
      }
    }
  }

  // MARK: Sync

  private func snapshot(_ play: Play) {
    pushed = blob
    guard play.quirks.omitsUpdatedAt else { return }
    for account in pushed.accounts.keys { pushed.accounts[account]?.updatedAt = nil }
  }

  private func arrive(_ play: Play) throws {
    let worker: OldHost = try play.host("W")
    let exchange = play.beginExchange()
    answered = try worker.merge(pushed, from: name, exchange, play)
  }

  private func merge(
    _ pushed: Blob, from peer: String, _ exchange: UInt128, _ play: Play
  ) throws -> Blob {
    let now = play.now + skew
    let merged = blob.merging(pushed, now: now)
    try take(merged, of: pushed, from: peer, exchange, now)
    return merged
  }

  private func answer(_ play: Play) throws {
    let now = play.now + skew
    let taken = blob.taking(answered, now: now)
    // Operators' fields of an answer are not looked at.
    try take(taken, of: blob, from: "W", play.exchange, now)
  }

  /// Puts the outcome of a merge in force and writes down what it did and what was decided.
  private func take(
    _ merged: Blob, of theirs: Blob, from peer: String, _ exchange: UInt128, _ now: Int64
  ) throws {
    let decisions = blob.decisions(theirs, merged: merged, base: agreed[peer]) { isOurs in
      FieldVersion(
        HybridStamp(
          time: Play.moment(now), counter: 0, author: EditAuthor(isOurs ? name : peer)))
    }
    let by = Provenance(actor: "peer:\(peer)", source: .peer, correlation: exchange)
    let reconciled = SyncEvent.Reconciled(
      peer: peer, exchange: exchange, decisions: decisions, withheld: [], waiting: [], floors: [],
      streams: UInt64(theirs.accounts.count + theirs.aliases.count + theirs.keys.count))
    try write(now, by, and: [.sync(.reconciled(reconciled))]) { $0 = merged }
    agreed[peer] = merged
  }

  // MARK: The log

  private func revisions(of blob: Blob) -> [String: UInt64] {
    var known: [String: UInt64] = [:]
    for stream in streams(blob) { known[stream] = log.state.revision(ofStream: stream) }
    return known
  }

  private func streams(_ blob: Blob) -> [String] {
    let accounts = blob.accounts.keys.flatMap {
      ["account/\($0)", "credential/\($0)", "health/\($0)"]
    }
    return accounts + blob.aliases.keys.map { "alias/\($0)" } + blob.keys.keys.map { "key/\($0)" }
  }

  /// Changes the blob, and writes the events that say so as one batch.
  ///
  /// - Parameter basedOn: how far streams had come when the author read the blob; nil: it says nothing of that.
  private func write(
    _ now: Int64, _ by: Provenance, basedOn revisions: [String: UInt64]? = nil,
    and more: [Event] = [], _ change: (inout Blob) throws -> Void
  ) throws {
    let before = blob
    try change(&blob)
    for (account, record) in blob.accounts {
      if let key = record.apiKey, !(keys[account]?.contains(key) ?? false) {
        keys[account, default: []].append(key)
      }
    }
    let course = Course(at: now, isMerge: by.source == .peer, attempts: attempts, keys: keys)
    let events = before.events(to: blob, course)
    try log.append(
      (events + more).map { event in
        var provenance = by
        provenance.base = revisions.map { $0[event.stream] ?? 0 }
        return (event, provenance)
      }, at: Play.moment(now))
  }
}
