import Domain
import EventStore
import Surface
import Synchronization

/// A system of the older protocol, which keeps whole records and lets the newer of two times win.
///
/// It is read first, compared with what it told before, and then told what holds. Client keys never go there, and
/// refresh tokens neither: a credential has one node that refreshes it. A token there that nobody here knows is tested,
/// and in force from then on if it works.
struct MirrorPartner: SyncPartner {
  let control: ControlPlane
  let endpoint: any TokenEndpoint
  let probe: any AccountProbe
  let target: SyncTarget

  /// What the other side is called in the log: it has no name of its own.
  static let peer = "9router"
  private static let answerBytes = 16 << 20
  /// One event of the log takes no more than 1 MB.
  private static let eventBytes = 512 << 10
  /// Generations of a credential that are looked at to know an older one by.
  private static let generations = 64

  /// What is told of a credential.
  struct Told: Sendable {
    var token: Secret
    var kind: Credential.Kind
    /// This node has its refresh token, and can use it: nobody else may.
    var isRefreshedHere: Bool
  }

  func exchange(expected: String?) async throws(SyncFault) -> SyncOutcome {
    guard expected ?? Self.peer == Self.peer else {
      throw SyncFault("sync_other_peer", peer: expected)
    }
    let exchange = control.edge.mintID()
    var outcome = SyncOutcome(peer: Self.peer)
    var book = try await read()
    try await take(book, exchange, &outcome)
    if target.withSecrets { try await test(book, exchange, &outcome) }
    let now = control.edge.now()
    let secrets = target.withSecrets ? control.accessTokens(but: control.left(book)) : [:]
    if let push = book.push(control.state, secrets: secrets, now: now) {
      book = try await post(push.body)
      outcome.updated = push.changed
      try await control.notePushed(
        .init(
          peer: Self.peer, exchange: exchange, streams: UInt64(push.changed.count),
          credentials: UInt64(secrets.count), clock: now))
      try await take(book, exchange, &outcome)
      outcome.exchange = exchange
    }
    if outcome.decisions > 0 { outcome.exchange = exchange }
    return outcome
  }

  /// Whether the other side keeps what it was told.
  func verify() async throws(SyncFault) {
    let told = try await read().records.streams
    guard control.state.accounts.keys.allSatisfy({ told[$0.stream] != nil }) else {
      throw SyncFault("sync_not_kept", peer: Self.peer)
    }
  }

  func leave() async throws(SyncFault) -> SyncEvent.Farewell {
    _ = try await send(.delete, [])
    return .removed
  }

  func check() async throws(SyncFault) -> String {
    _ = try await read()
    return Self.peer
  }

  // MARK: What comes

  private func take(
    _ book: MirrorBook, _ exchange: UInt128, _ outcome: inout SyncOutcome
  ) async throws(SyncFault) {
    guard book.records.streams.count <= MirrorRecords.most,
      book.records.weight <= MirrorRecords.mostBytes
    else {
      throw SyncFault("sync_too_large", peer: Self.peer)
    }
    do {
      let presented = target.withSecrets ? try await presented(book) : [:]
      var told = book.records
      for (account, it) in presented {
        told.streams[account.stream]?[MirrorRecords.credential] = .text(it.fingerprint.short)
      }
      let (records, peer) = (told, Self.peer)
      let provenance = Provenance(
        actor: "peer:\(peer)", source: .system, correlation: exchange)
      let done = try await control.execute(provenance: provenance) { state in
        let mirror = state.mirror(records, peer: peer, exchange: exchange)
        let candidates = state.candidates(presented, peer)
        guard let event = mirror.event else { return candidates }
        var notes = event.parts(bytes: Self.eventBytes).map { SyncEvent.mirrored($0) }
        if mirror.isShrunken {
          let before = state.sync.peers[peer]?.told.count ?? 0
          let counts = SyncEvent.Failed.Counts(
            told: UInt64(records.streams.count), before: UInt64(before))
          notes.append(
            .failed(
              .init(
                peer: peer, action: "sync", code: "sync_shrunken", about: .init(counts: counts))))
        }
        let news = state.presentedAnew(event)
        let refused = presented.sorted { $0.key < $1.key }.compactMap { account, it in
          news.contains(account) ? it.refusal(of: account, state).map { Change($0) } : nil
        }
        return mirror.commands.map { Change($0) } + refused
          + notes.map { Change(.sync(.note($0))) } + candidates
      }
      for event in done.events {
        switch event {
        case .sync(.mirrored(let it)):
          outcome.decisions += it.decisions.count
          outcome.conflicts += it.decisions.count(where: \.isConflict)
        case .credential(.staleWriteRefused(let it)):
          outcome.conflicts += it.rule == .conflict ? 1 : 0
        case .sync(.candidateRefused): outcome.conflicts += 1
        case .sync, .credential: break
        case _: outcome.fromPeer.append(event.stream)
        }
      }
    } catch {
      throw Self.fault(error)
    }
  }

  static func fault(_ error: any Error) -> SyncFault {
    var fault = SyncFault(whileTaking: error)
    fault.peer = fault.peer ?? peer
    return fault
  }

  /// Tokens there that are not the ones in force here: an older one of ours, or one that nobody here knows.
  private func presented(_ book: MirrorBook) async throws -> [AccountID: PresentedToken] {
    let state = control.state
    var presented: [AccountID: PresentedToken] = [:]
    for (account, token) in book.tokens {
      guard let known = state.accounts[account]?.credential, known.fingerprint != nil,
        let held = control.held(account), held.material.access != token.access
      else { continue }
      let (reader, vault) = (control.store.reader, control.vault)
      let older = try await control.streams.run {
        try Self.older(token.access, of: account, reader, vault)
      }
      presented[account] = .init(
        token, held, older: older, fingerprint: vault.fingerprint(token.access),
        at: control.edge.now())
    }
    return presented
  }

  /// Which of our generations the token was; nil: none of the last ones.
  private static func older(
    _ token: Secret, of account: AccountID, _ reader: LogReader, _ vault: Vault
  ) throws -> (version: Credential.Version, fingerprint: Fingerprint)? {
    var epoch: UInt64 = 0
    var found: [(stored: StoredEvent, version: Credential.Version, fingerprint: Fingerprint)] = []
    for stored in try reader.events(ofStream: account.credentialStream, from: Revision(1)) {
      switch try recorded(stored).event {
      case .credential(.issued(let it)):
        epoch = it.homeEpoch
        found.append(
          (stored, .init(homeEpoch: epoch, generation: it.generation), it.fingerprint))
      case .credential(.refreshed(let it)):
        found.append(
          (stored, .init(homeEpoch: epoch, generation: it.generation), it.fingerprint))
      case .credential(.homeMoved(let it)): epoch = it.homeEpoch
      case _: break
      }
    }
    for one in found.suffix(generations).reversed() {
      // What was erased cannot be known again.
      guard
        let secret = try? vault.open(
          one.stored.sealed, subject: "account/\(account.rawValue)", event: one.stored.id.rawValue)
      else { continue }
      if CredentialMaterial(decoding: secret)?.access == token {
        return (one.version, one.fingerprint)
      }
    }
    return nil
  }

  // MARK: One question

  private func read() async throws(SyncFault) -> MirrorBook {
    // Nothing there yet is nothing told.
    try MirrorBook(try await send(.get, []) ?? ["data": .object([])])
  }

  private func post(_ body: JSONValue) async throws(SyncFault) -> MirrorBook {
    guard let answer = try await send(.post, body.bytes) else {
      throw SyncFault("sync_malformed", peer: Self.peer)
    }
    return try MirrorBook(answer)
  }

  /// nil: there is nothing of this machine.
  private func send(
    _ method: TokenRequest.Method, _ body: [UInt8]
  ) async throws(SyncFault) -> JSONValue? {
    guard !target.machineID.isEmpty else { throw SyncFault("sync_machine_id_missing") }
    let machine = target.machineID.utf8.map { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "_"):
        String(UnicodeScalar(byte))
      case _: "%" + hexadecimalText([byte])
      }
    }.joined()
    let token = String(decoding: target.token.bytes, as: UTF8.self)
    let answer = await endpoint.send(
      TokenRequest(
        method: method, url: "\(target.url)/sync/\(machine)",
        headers: [("authorization", "Bearer \(token)"), ("content-type", "application/json")],
        body: body, patience: NodePartner.patience, answerBytes: Self.answerBytes))
    let (status, bytes) = try answer.whole()
    guard let document = try? JSONValue.parse(bytes), document.members != nil else {
      throw SyncFault(status < 500 ? "sync_malformed" : "sync_peer_failed", peer: Self.peer)
    }
    switch status {
    case 200: return document
    case 401, 403: throw SyncFault("sync_unauthorized", peer: Self.peer)
    case 404 where method != .post: return nil
    case _: throw SyncFault(status < 500 ? "sync_refused" : "sync_peer_failed", peer: Self.peer)
    }
  }
}

extension ControlState {
  /// Accounts whose token is told otherwise than before.
  fileprivate func presentedAnew(_ event: SyncEvent.Mirrored) -> Set<AccountID> {
    var accounts: Set<AccountID> = []
    for told in event.told {
      let field = told.fields?.first { $0.name == MirrorRecords.credential }
      guard let field, case .account(let id)? = Subject(stream: told.stream),
        sync.peers[event.peer]?.told[told.stream]?[MirrorRecords.credential] != field.value
      else { continue }
      accounts.insert(id)
    }
    return accounts
  }
}

extension ControlPlane {
  /// What is sent upstream for each account; never a refresh token.
  fileprivate func accessTokens(but left: Set<AccountID>) -> [AccountID: MirrorPartner.Told] {
    current.withLock { view in
      var tokens: [AccountID: MirrorPartner.Told] = [:]
      for (id, secret) in view.secrets where !left.contains(id) {
        guard let account = view.state.accounts[id] else { continue }
        let credential = account.credential
        tokens[id] = .init(
          token: secret, kind: credential.kind,
          isRefreshedHere: credential.canRefresh && credential.isHome(of: view.state.node)
            && view.state.providers[account.provider]?.oauth != nil)
      }
      return tokens
    }
  }
}
