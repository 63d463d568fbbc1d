import Domain
import HTTPTypes
import Surface

// What becomes of tokens that somebody signed in for, or brought.
extension AdminService {
  /// Takes tokens or a key that another program got.
  func importAccount(_ call: AdminCall) async throws -> AdminAnswer {
    let brought = try brought(by: call)
    if let known = try known(brought) { return known }
    switch brought.what {
    case .tokens(let tokens, let kind):
      return try await store(
        tokens, .null, brought.held, brought.account, kind, call, expiresAt: brought.expiresAt)
    case .refresh(let refresh):
      let provider = brought.held.service.provider
      let redeemed = try await signIns.redeem(refresh, at: provider, now: edge.now()) {
        try await self.redeem(refresh, brought)
      }
      let answer = try await store(
        redeemed.tokens, redeemed.document, brought.held, brought.account, .token, call)
      signIns.forget(refresh, at: provider)
      return answer
    }
  }

  /// The account that has what is brought, or what its provider gave for it: nothing is to be done then.
  private func known(_ brought: Brought) throws -> AdminAnswer? {
    let (refresh, isAlone): (Secret, Bool)
    switch brought.what {
    case .refresh(let token): (refresh, isAlone) = (token, true)
    case .tokens(let tokens, _):
      guard let token = tokens.material.refresh else { return nil }
      (refresh, isAlone) = (token, false)
    }
    let (state, materials) = control.credentialsHeld()
    let holder = state.accounts.values.sorted { $0.id < $1.id }.first { account in
      guard account.provider == brought.held.service.provider,
        let material = materials[account.id]
      else { return false }
      return material.gaveUp(refresh) || isAlone && material.refresh == refresh
    }
    guard let holder else { return nil }
    if let wanted = brought.account, wanted != holder.id {
      throw APIFault(
        .signedInAsAnother, "The refresh token is another account's (\(holder.id.rawValue)).",
        field: "account")
    }
    return signedIn(
      holder, materials[holder.id]?.signedIn ?? SignedInIdentity(), isNew: false, state)
  }

  /// What another program got, as the call says it.
  private struct Brought: Sendable {
    enum What: Sendable {
      case tokens(TokenReading.Tokens, Credential.Kind)
      /// A refresh token alone: what it brings is the first that is known of the account.
      case refresh(Secret)
    }

    var what: What
    var held: SignIns.Held
    /// To whose account it is to go; nil: to the one that it belongs to.
    var account: AccountID?
    var extra: [String: Secret]
    var expiresAt: UnixNanoseconds?
  }

  // Apart from the waiting: in one function with it the optimiser of Swift 6.3 ends with signal 11.
  @inline(never)
  private func brought(by call: AdminCall) throws -> Brought {
    let service = try service(call)
    var fields = try call.fields()
    let key = try fields.changedCredential("apiKey")
    let access = try fields.changedCredential("accessToken", most: 16_384)
    let refresh = try fields.changedCredential("refreshToken", most: 16_384)
    let identity = try fields.changedCredential("idToken", most: 16_384)
    let clientID = try fields.changedCredential("clientId")
    let clientSecret = try fields.changedCredential("clientSecret", most: 16_384)
    let machineID = try fields.changedCredential("machineId")
    let reference = try fields.optionalString("account")
    let expiresAt = try Self.expiry(&fields, now: edge.now())
    try fields.finish()
    let account = try reference.map { try wanted($0, at: service.provider) }
    var extra: [String: Secret] = [:]
    if let machineID, service.row.kept.contains("machineId") { extra["machineId"] = machineID }
    var held = SignIns.Held(service: service)
    switch (clientID, clientSecret) {
    case (let id?, let secret?): held.registered = .init(id: id, secret: secret)
    case (nil, nil): break
    case _:
      throw APIFault(
        .missingField, "clientId and clientSecret belong together", field: "clientSecret")
    }
    func brought(_ what: Brought.What) -> Brought {
      Brought(what: what, held: held, account: account, extra: extra, expiresAt: expiresAt)
    }
    if let key {
      guard access == nil, refresh == nil else {
        throw APIFault(
          .invalidField, "apiKey stands beside a token", field: "apiKey",
          remedy: "Send one or the other.")
      }
      let material = CredentialMaterial(access: key, extra: extra)
      return brought(.tokens(.init(material: material, lifeSeconds: nil), .apiKey))
    }
    // The token that brings others is one, by whichever name it comes.
    if service.row.lease != nil, let token = refresh ?? access {
      let material = CredentialMaterial(access: token, identity: identity, extra: extra)
      return brought(.tokens(.init(material: material, lifeSeconds: nil), .token))
    }
    if let access {
      let material = CredentialMaterial(
        access: access, refresh: refresh, identity: identity, extra: extra)
      let life = TokenReading(row: service.row).life(.null, access, now: edge.now())
      return brought(.tokens(.init(material: material, lifeSeconds: life), .token))
    }
    guard let refresh else {
      throw APIFault(
        .missingField, "There is nothing to take.", field: "accessToken",
        remedy: "Send accessToken, refreshToken or apiKey.")
    }
    return brought(.refresh(refresh))
  }

  /// What the provider gives for a refresh token that was brought.
  @inline(never)
  private func redeem(
    _ refresh: Secret, _ brought: Brought
  ) async throws -> SignIns.Redeemed {
    let service = brought.held.service
    var form = try Self.form(service)
    form.registered = brought.held.registered
    let endpoint = try endpoint()
    let answer = await endpoint.send(
      form.request(
        form.client.tokenURL,
        [("grant_type", Secret("refresh_token")), ("refresh_token", refresh)]))
    let document = try SignInFault.document(answer)
    guard var tokens = TokenReading(row: service.row).tokens(document, now: edge.now()) else {
      throw SignInFault.refusal(answer, document)
    }
    tokens.material.extra.merge(brought.extra) { $1 }
    tokens.material = CredentialMaterial(access: tokens.material.access, refresh: refresh)
      .renewed(by: tokens.material)
    return SignIns.Redeemed(tokens: tokens, document: document)
  }

  /// Puts tokens in force for the account that they belong to, durable before anybody is told.
  func store(
    _ tokens: TokenReading.Tokens, _ document: JSONValue, _ held: SignIns.Held,
    _ wanted: AccountID?, _ kind: Credential.Kind, _ call: AdminCall,
    expiresAt given: UnixNanoseconds? = nil
  ) async throws -> AdminAnswer {
    var tokens = tokens
    let service = held.service
    let identity =
      kind == .apiKey ? SignedInIdentity() : try await identify(&tokens, document, held)
    if let registered = held.registered {
      tokens.material.extra[Extra.clientID] = registered.id
      tokens.material.extra[Extra.clientSecret] = registered.secret
    }
    if kind != .apiKey, service.row.lease != nil { try await lease(&tokens, service) }
    tokens.material.identify(as: identity)
    let given = service.row.lease == nil || kind == .apiKey ? given : nil
    let told = tokens.lifeSeconds.map { UnixNanoseconds(edge.now().rawValue + $0 * 1_000_000_000) }
    let fresh = SignIns.accountID(of: identity, at: service.provider, else: edge.mintID())
    let taken = tokens
    @Sendable func owner(_ state: ControlState) throws -> SignedInAccount {
      let owner = try state.account(
        of: identity, at: service.provider, known: control.identities(at: service.provider),
        wanted: wanted, fresh: fresh, fallback: service.row.title)
      guard case .new = owner else { return owner }
      // Nobody knows whose it is, but it is here already: brought twice, it is still one.
      let same = control.vault.fingerprint(taken.material.encoded)
      return state.accounts.values.filter {
        $0.provider == service.provider && $0.credential.fingerprint == same
      }.map(\.id).min().map { .known($0) } ?? owner
    }
    let outcome = try await control.execute(provenance: call.provenance) { state in
      return Self.opening(service, state, kind)
        + put(taken.material, kind, given, told, in: try owner(state), at: service.provider, state)
    }
    // Whoever it was, it is known now.
    let id: AccountID =
      switch try owner(outcome.state) {
      case .known(let id), .new(let id, _): id
      }
    guard let account = outcome.state.accounts[id] else { throw APIFault(.unknownAccount) }
    let isNew = outcome.events.contains {
      if case .account(.added(let it)) = $0 { it.id == id } else { false }
    }
    return signedIn(account, identity, isNew: isNew, outcome.state)
  }

  /// A provider that is not configured yet is made of the table's row, and one without a client gets the row's.
  private static func opening(
    _ service: OAuthService, _ state: ControlState, _ kind: Credential.Kind
  ) -> [Change] {
    var changes: [Change] = []
    let id = service.provider
    if state.providers[id] == nil, let place = service.row.service {
      changes.append(
        Change(
          .provider(
            .add(
              ProviderEvent.Added(
                id: id, name: service.row.title, dialect: place.dialect, baseURL: place.baseURL,
                prefix: id.rawValue, models: [], excludedModels: [])))))
    }
    if kind != .apiKey, state.providers[id]?.oauth == nil, let client = service.client {
      changes.append(Change(.provider(.setOAuth(id, client))))
    }
    return changes
  }

  /// - Parameters:
  ///   - given: when it ends, by whoever brings it.
  ///   - told: the same by the provider, in seconds from now: of one token it is a little other each time.
  private func put(
    _ material: CredentialMaterial, _ kind: Credential.Kind, _ given: UnixNanoseconds?,
    _ told: UnixNanoseconds?, in owner: SignedInAccount, at provider: ProviderID,
    _ state: ControlState
  ) -> [Change] {
    func terms(_ material: CredentialMaterial, before: Credential? = nil) -> CredentialTerms {
      let fingerprint = control.vault.fingerprint(material.encoded)
      var end = given ?? told
      if given == nil, before?.fingerprint == fingerprint, let told, let known = before?.expiresAt {
        let (apart, isOver) = told.rawValue.subtractingReportingOverflow(known.rawValue)
        if !isOver, apart.magnitude < 60_000_000_000 { end = known }
      }
      return CredentialTerms(
        fingerprint: fingerprint, kind: kind, canRefresh: material.refresh != nil, expiresAt: end)
    }
    switch owner {
    case .new(let id, let name):
      let added = AccountEvent.Added(id: id, provider: provider, name: name, priority: 1, weight: 1)
      return [
        Change(.account(.add(added, credential: terms(material))), secret: material.encoded)
      ]
    case .known(let id):
      let whole = Self.whole(material, kind, before: control.held(id)?.material)
      let terms = terms(whole, before: state.accounts[id]?.credential)
      var changes = [Change(.account(.issueCredential(id, terms)), secret: whole.encoded)]
      // What a call with the old one led to says nothing of the new one.
      if state.health[id]?.cooldown?.needsProof == true {
        changes += Self.endingCooldown(of: id, state)
      }
      return changes
    }
  }

  /// The next credential with what stays of the one before.
  static func whole(
    _ material: CredentialMaterial, _ kind: Credential.Kind, before: CredentialMaterial?
  ) -> CredentialMaterial {
    guard let before, kind != .apiKey else { return material }
    // What a provider does not give again at a second sign-in stays as it was; what is brought replaces the tokens,
    // and says nothing of whose they are.
    if kind == .oauth { return before.merging(material) }
    var whole = material
    whole.extra = before.extra.merging(material.extra) { $1 }
    return whole
  }

  /// Whose tokens they are, and the key that stands in for them where the provider has such a thing.
  private func identify(
    _ tokens: inout TokenReading.Tokens, _ document: JSONValue, _ held: SignIns.Held
  ) async throws -> SignedInIdentity {
    let service = held.service
    let reading = TokenReading(row: service.row)
    switch service.row.identity.place {
    case .nowhere: return SignedInIdentity()
    case .accessToken:
      return TokenReading.claims(tokens.material.access).map { reading.identity(in: $0) }
        ?? SignedInIdentity()
    case .answer: return reading.identity(in: document)
    case .idToken:
      if let token = tokens.material.identity, let client = service.client {
        guard
          let claims = TokenReading.claims(
            of: token, audience: client.clientID, nonce: held.nonce, now: edge.now())
        else { throw SignInFault.failed("bad_id_token") }
        return reading.identity(in: claims)
      }
      // Plain OAuth without OpenID: whoever has such a place says it there.
      guard service.client?.userInfoURL != nil else { return SignedInIdentity() }
    case .userInfo: break
    }
    guard let client = service.client,
      let request = TokenForm(row: service.row, client: client, secret: service.secret)
        .userInfo(tokens.material.access)
    else { return SignedInIdentity() }
    let answer = await (try endpoint()).send(request)
    let told = try SignInFault.document(answer)
    guard case .answered(200..<300, _, _) = answer else { throw SignInFault.refusal(answer, told) }
    if let path = service.row.key {
      guard let key = told.text(path).flatMap(TokenReading.sendable) else {
        throw SignInFault.failed("no_key")
      }
      // The key does not end, so that there is nothing to refresh.
      tokens.material = CredentialMaterial(access: key, extra: tokens.material.extra)
    }
    return reading.identity(in: told)
  }

  /// Gets the token that its models take for the one that somebody signed in for, which is kept to get the next ones.
  private func lease(
    _ tokens: inout TokenReading.Tokens, _ service: OAuthService
  ) async throws {
    let token = tokens.material.access
    guard let client = service.client,
      let request = TokenForm(row: service.row, client: client, secret: service.secret)
        .lease(token)
    else { return }
    let answer = await (try endpoint()).send(request)
    let document = try SignInFault.document(answer)
    guard case .answered(200..<300, _, _) = answer,
      let lease = TokenReading(row: service.row).lease(document, now: edge.now())
    else { throw SignInFault.refusal(answer, document) }
    tokens.material = CredentialMaterial(
      access: token, refresh: token, identity: tokens.material.identity,
      extra: tokens.material.extra
    ).merging(lease.material)
    tokens.lifeSeconds = lease.lifeSeconds
  }

  private func signedIn(
    _ account: Account, _ identity: SignedInIdentity, isNew: Bool, _ state: ControlState
  ) -> AdminAnswer {
    let isRouted =
      state.providers[account.provider]?.speaks(account.credential.kind) ?? true
    return .json(
      [
        "success": true,
        "connection": [
          "id": JSONValue(account.id.rawValue), "provider": JSONValue(account.provider.rawValue),
          "name": JSONValue(account.name), "email": JSONValue(identity.email),
          "displayName": JSONValue(account.name), "subject": JSONValue(identity.subject),
          "workspace": JSONValue(identity.workspace), "isNew": JSONValue(isNew),
          "credentialGeneration": JSONValue(account.credential.generation),
          "canRefresh": JSONValue(account.credential.canRefresh),
          "expiresAt": JSONValue(account.credential.expiresAt),
          "routing": JSONValue(isRouted ? "routed" : "protocol_not_supported"),
        ],
      ], revision: account.revision)
  }
}

/// Names of what is sealed beside the tokens; the provider's own fields have no dot in theirs.
enum Extra {
  static let subject = "signed-in.subject"
  static let workspace = "signed-in.workspace"
  static let email = "signed-in.email"
  static let clientID = "registered.client-id"
  static let clientSecret = "registered.client-secret"
  /// Digests of the refresh tokens that newer ones were given for, one behind the other.
  static let givenUp = "refresh.given-up"
}

extension CredentialMaterial {
  /// Who it belongs to, as far as a sign-in said: sealed with the tokens, for it is about a person.
  var signedIn: SignedInIdentity {
    func text(_ name: String) -> String? {
      extra[name].map { String(decoding: $0.bytes, as: UTF8.self) }
    }
    return SignedInIdentity(
      subject: text(Extra.subject), workspace: text(Extra.workspace), email: text(Extra.email))
  }

  mutating func identify(as identity: SignedInIdentity) {
    guard let subject = identity.subject else { return }
    extra[Extra.subject] = Secret(subject)
    extra[Extra.workspace] = identity.workspace.map { Secret($0) }
    extra[Extra.email] = identity.email.map { Secret($0) }
  }
}
