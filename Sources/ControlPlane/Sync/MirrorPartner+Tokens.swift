import Domain
import Synchronization

/// A token that a system of the older protocol uses for an account, and that is not the one in force here.
struct PresentedToken: Sendable {
  /// Of what is sent upstream.
  var fingerprint: Fingerprint
  /// The generation that it was; nil: none of the last ones.
  var older: (version: Credential.Version, fingerprint: Fingerprint)?
  /// The credential in force here.
  var known: Credential
  /// What would be in force.
  var material: CredentialMaterial
  var kind: Credential.Kind
  var expiresAt: UnixNanoseconds?
  /// Why it cannot be in force, whatever a test says.
  var flaw: String?

  init(
    _ token: MirrorBook.Token, _ held: ControlPlane.Held,
    older: (version: Credential.Version, fingerprint: Fingerprint)?, fingerprint: Fingerprint,
    at now: UnixNanoseconds
  ) {
    self.older = older
    self.fingerprint = older?.fingerprint ?? fingerprint
    known = held.credential
    kind = token.isKey ? .apiKey : known.kind == .apiKey ? .token : known.kind
    expiresAt = token.expiresAt
    // Of no use, and not to be lost there, where nobody here can refresh.
    let refresh = held.client == nil ? nil : token.refresh
    material = CredentialMaterial(access: token.access, refresh: refresh)
    if let end = token.expiresAt, end <= now { flaw = "expired" }
    if refresh.map({ held.material.gaveUp($0) }) ?? false { flaw = Self.givenUp }
    let texts = [token.access] + (refresh.map { [$0] } ?? [])
    if !texts.allSatisfy(Self.canBeSent) { flaw = "malformed" }
  }

  /// Our own refresh token came after the one that stands beside it there.
  static let givenUp = "given_up"

  private static func canBeSent(_ token: Secret) -> Bool {
    token.bytes.count <= 16_384 && token.bytes.allSatisfy { (0x21...0x7E).contains($0) }
  }

  /// What notes that it is an older one; nil: it is none, as far as anybody knows.
  func refusal(of account: AccountID, _ state: ControlState) -> Command? {
    guard let now = state.accounts[account]?.credential else { return nil }
    let candidate = state.sync.peers[MirrorPartner.peer]?.candidates[account]
    let before = candidate.flatMap { $0.fingerprint == fingerprint ? $0.version : nil }
    guard let version = older?.version ?? before, version < now.version else { return nil }
    return .credential(
      .take(
        account,
        .init(
          version: version,
          terms: CredentialTerms(
            fingerprint: fingerprint, kind: kind, canRefresh: false, expiresAt: nil),
          home: now.home ?? state.node ?? NodeID(MirrorPartner.peer), source: MirrorPartner.peer)))
  }

  /// What notes it as a token that nobody here knows.
  func candidacy(of account: AccountID, _ peer: String, _ node: NodeID?) -> Change {
    let flaw = flaw ?? (known.isHome(of: node) ? nil : "other_home")
    if let flaw {
      return Change(
        .sync(
          .note(
            .candidateRefused(
              .init(
                peer: peer, account: account, version: known.version, fingerprint: fingerprint,
                code: flaw, isFinal: true)))))
    }
    return Change(
      .sync(
        .note(
          .candidateKept(
            .init(
              peer: peer, account: account, version: known.version, fingerprint: fingerprint,
              kind: kind, expiresAt: expiresAt)))), secret: material.encoded)
  }
}

extension ControlState {
  /// What notes the tokens that nobody here knows and that were not told before.
  func candidates(_ presented: [AccountID: PresentedToken], _ peer: String) -> [Change] {
    presented.sorted { $0.key < $1.key }.compactMap { account, it in
      guard it.older == nil, accounts[account]?.credential.version == it.known.version,
        sync.peers[peer]?.candidates[account]?.fingerprint != it.fingerprint
      else { return nil }
      return it.candidacy(of: account, peer, node)
    }
  }
}

extension ControlPlane {
  /// Accounts whose token there is left as it is: nobody here knows it, and none came here since.
  func left(_ book: MirrorBook) -> Set<AccountID> {
    let state = state
    let candidates = state.sync.peers[MirrorPartner.peer]?.candidates ?? [:]
    return Set(
      candidates.filter { account, it in
        guard let token = book.tokens[account], it.code != PresentedToken.givenUp else {
          return false
        }
        return state.accounts[account]?.credential.version == it.version
          && vault.fingerprint(token.access) == it.fingerprint
      }.keys)
  }

  /// The token of a candidate; nil: it is not known in clear.
  fileprivate func candidate(_ account: AccountID) -> CredentialMaterial? {
    current.withLock { $0.candidates[account] }
  }
}

extension MirrorPartner {
  /// Tokens tested in one exchange, all at once: each test takes 10 s at most.
  private static let tests = 8

  private struct Tested: Sendable {
    var account: AccountID
    var candidate: TokenCandidate
    var material: CredentialMaterial
    /// nil: it was in order.
    var refusal: (code: String, isFinal: Bool)?
  }

  /// Finds out which of the tokens that nobody here knows work, and puts those in force.
  ///
  /// Nothing is lost by a crash: what was kept and not found out is tested in the next exchange.
  func test(
    _ book: MirrorBook, _ exchange: UInt128, _ outcome: inout SyncOutcome
  ) async throws(SyncFault) {
    let due = control.state.candidates(of: Self.peer).compactMap { account, candidate in
      // What stands there no more is not asked about.
      book.tokens[account].flatMap { token in
        control.vault.fingerprint(token.access) == candidate.fingerprint
          ? control.candidate(account).map { (account, candidate, $0) } : nil
      }
    }.prefix(Self.tests)
    let tested = await withTaskGroup(of: Tested?.self) { group in
      for (account, candidate, material) in due {
        group.addTask { await ask(account, candidate, material) }
      }
      var all: [Tested] = []
      for await one in group { if let one { all.append(one) } }
      return all.sorted { $0.account < $1.account }
    }
    for one in tested { try await settle(one, exchange, &outcome) }
  }

  /// nil: it could not be asked, for a reason of this gateway's own.
  private func ask(
    _ account: AccountID, _ candidate: TokenCandidate, _ material: CredentialMaterial
  ) async -> Tested? {
    let state = control.state
    guard let provider = (state.accounts[account]?.provider).flatMap({ state.providers[$0] }) else {
      return nil
    }
    var tested = Tested(account: account, candidate: candidate, material: material)
    guard let model = provider.firstModel else {
      tested.refusal = (AccountTest.noModel, false)
      return tested
    }
    let report = await probe.test(
      account, model: model, with: material.access, isToken: candidate.kind != .apiKey)
    switch report.errorCode {
    case nil: break
    case "unknown_account", "overloaded", "shutting_down": return nil
    case let code?:
      // Of all that can go wrong only the account's own refusal says something of the token.
      tested.refusal = (
        code, report.errorClass == .account && code != ProbeReport.rateLimited
      )
    }
    return tested
  }

  private func settle(
    _ tested: Tested, _ exchange: UInt128, _ outcome: inout SyncOutcome
  ) async throws(SyncFault) {
    let (id, peer) = (tested.account, Self.peer)
    let provenance = Provenance(actor: "peer:\(peer)", source: .system, correlation: exchange)
    do {
      let done = try await control.execute(provenance: provenance) { state in
        // Somebody may have issued another one while it was tested.
        guard let account = state.accounts[id], account.credential.attempt == nil,
          account.credential.version == tested.candidate.version,
          let candidate = state.sync.peers[peer]?.candidates[id], !candidate.isRefused,
          candidate.fingerprint == tested.candidate.fingerprint
        else { return [] }
        if let (code, isFinal) = tested.refusal {
          if candidate.code == code, !isFinal { return [] }
          return [
            Change(
              .sync(
                .note(
                  .candidateRefused(
                    .init(
                      peer: peer, account: id, version: candidate.version,
                      fingerprint: candidate.fingerprint, code: code, isFinal: isFinal)))))
          ]
        }
        return adopting(tested, account, state)
      }
      for event in done.events {
        switch event {
        case .sync(.candidateRefused(let it)): outcome.conflicts += it.isFinal ? 1 : 0
        case .credential(.issued): outcome.fromPeer.append(event.stream)
        case _: break
        }
      }
    } catch {
      throw Self.fault(error)
    }
  }

  private func adopting(_ tested: Tested, _ account: Account, _ state: ControlState) -> [Change] {
    let kind = tested.candidate.kind
    let held = control.held(account.id)?.material
    // A key stands alone; what a token's record did not have stays as it was.
    let material =
      kind == .apiKey ? tested.material : held?.renewed(by: tested.material) ?? tested.material
    let terms = CredentialTerms(
      fingerprint: control.vault.fingerprint(material.encoded), kind: kind,
      canRefresh: material.refresh != nil, expiresAt: tested.candidate.expiresAt)
    var changes = [Change(.account(.issueCredential(account.id, terms)), secret: material.encoded)]
    // What a call with the old one led to says nothing of the new one.
    if state.health[account.id]?.cooldown?.needsProof == true {
      changes += AdminService.endingCooldown(of: account.id, state)
    }
    return changes
  }
}
