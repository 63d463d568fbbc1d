extension Credential {
  /// The event that puts a secret of our own in force, as the next generation, whoever held the one before.
  ///
  /// - Parameters:
  ///   - node: this log's own; nil: it has none yet.
  ///   - home: which refreshes the others of its family; nil: there are none, and this one does.
  func issuing(
    _ terms: CredentialTerms, to account: AccountID, node: NodeID?, family home: NodeID? = nil
  ) -> CredentialEvent {
    // Where two nodes refresh the family, the one to which all of it goes.
    let homes = [home, home == nil || !isRefreshedSomewhere ? nil : self.home ?? node]
    let node = terms.canRefresh ? homes.compactMap(\.self).min() ?? node : node
    // Taking a credential over from another node changes its home, and so wins over what that node makes of
    // the older one meanwhile.
    let epoch = (self.home ?? node) == node ? homeEpoch : homeEpoch + 1
    return .issued(
      .init(
        account: account, generation: generation + 1, fingerprint: terms.fingerprint,
        kind: terms.kind, home: terms.canRefresh || epoch > 0 ? node : nil, homeEpoch: epoch,
        canRefresh: terms.canRefresh, expiresAt: terms.expiresAt))
  }

  /// Whether this log's own node is the one that refreshes it.
  public func isHome(of node: NodeID?) -> Bool { home == nil || home == node }

  /// The rules of one credential's life.
  ///
  /// - Parameters:
  ///   - node: this log's own.
  ///   - hasTokenEndpoint: whether the account's provider says where tokens are refreshed.
  func decide(
    _ command: CredentialCommand, node: NodeID?, hasTokenEndpoint: Bool
  ) throws(Refusal) -> [CredentialEvent] {
    switch command {
    case .attempt(let id, let presented, let cause, let at):
      // Somebody else was faster: there is a newer one to use.
      guard presented == generation else { return [] }
      if let refusal = obstacle(to: cause, at: at, node: node, hasTokenEndpoint: hasTokenEndpoint) {
        throw refusal
      }
      return [
        .refreshAttempted(
          .init(account: id, generation: generation, attempt: attempts + 1, cause: cause))
      ]
    case .settle(let id, let settlement): return [settled(settlement, of: id)]
    case .recover(let id):
      guard let attempt else { return [] }
      return [
        .markedUncertain(
          .init(
            account: id, generation: generation, reason: .unfinished, attempt: attempt.number))
      ]
    case .suspect(let id):
      guard canRefresh, fingerprint != nil else { return [] }
      if case .uncertain(let it) = standing, it.reason == .restored, attempt == nil { return [] }
      if case .reauthRequired = standing { return [] }
      return [
        .markedUncertain(
          .init(
            account: id, generation: generation, reason: .restored, attempt: attempt?.number))
      ]
    case .release(let id):
      guard attempt == nil else { throw Self.inProgress }
      guard fingerprint != nil, standing != .usable else { return [] }
      return [.released(.init(account: id, generation: generation))]
    case .moveHome(let id, let next, let isForced):
      try Bounds.node(next)
      guard attempt == nil else { throw Self.inProgress }
      guard home != next else { return [] }
      // The home alone knows that it does not present the refresh token any more.
      if let home, home != node, !isForced {
        throw Refusal(
          code: .notHome, field: "node", value: next.rawValue,
          message: "only node \(home.rawValue) gives this credential away",
          remedy:
            "Move it there, and then sync. If that node is gone for good, force it, and sign in anew if it refreshed since the last exchange."
        )
      }
      return [.homeMoved(.init(account: id, home: next, homeEpoch: homeEpoch + 1))]
    case .settleHome(let id, let node, let epoch):
      try Bounds.node(node)
      guard epoch > homeEpoch else { return [] }
      return [.homeMoved(.init(account: id, home: node, homeEpoch: epoch))]
    case .take(let id, let foreign):
      try Bounds.node(foreign.home)
      return taken(foreign, by: id)
    case .learn(let id, let generation, let ancestry):
      guard generation == self.generation, ancestry != self.ancestry else { return [] }
      return [.ancestryLearned(.init(account: id, generation: generation, ancestry: ancestry))]
    }
  }

  /// Why a refresh must not begin now; nil: it may.
  private func obstacle(
    to cause: RefreshCause, at: UnixNanoseconds, node: NodeID?, hasTokenEndpoint: Bool
  ) -> Refusal? {
    func refused(_ message: String, _ remedy: String) -> Refusal {
      Refusal(
        code: .notRefreshable, field: "credential", value: "", message: message, remedy: remedy)
    }
    guard fingerprint != nil, canRefresh else {
      return refused(
        "the account has no refresh token", "Issue a credential with one, or sign in again.")
    }
    guard hasTokenEndpoint else {
      return refused(
        "the provider does not say where tokens are refreshed", "Set the provider's oauth first.")
    }
    guard isHome(of: node) else {
      return refused(
        "only node \(home?.rawValue ?? "") refreshes this credential",
        "Refresh it there, or move its home to this node.")
    }
    if attempt != nil { return Self.inProgress }
    switch standing {
    case .usable: break
    case .uncertain(let it):
      if it.reason == .restored {
        return refused(
          "nobody knows whether the refresh token is still good: the data directory is a copy or a backup",
          "Release the credential only if the directory that it was made of made no refresh since, or the provider may revoke all that it gave; else sign in anew, or issue a new one."
        )
      }
      // As long as the access token works, presenting a token that may be used up can only do harm.
      if cause == .proactive || cause == .byOperator, expiresAt.map({ at < $0 }) ?? true {
        return refused(
          "it is not known how the last refresh ended, and the access token may still work",
          "Wait until it ends, or release the credential: then the provider may revoke what it has given."
        )
      }
    case .reauthRequired(let it):
      if cause != .byOperator {
        return refused(
          "the provider refused the refresh token (\(it.code))",
          "Sign in again, or issue a new credential.")
      }
    }
    if cause != .byOperator, let retryAt, at < retryAt {
      return refused(
        "the last refresh failed and is not repeated yet", "Wait, or refresh it by hand.")
    }
    return nil
  }

  private func settled(
    _ it: CredentialCommand.Settlement, of account: AccountID
  ) -> CredentialEvent {
    guard let attempt, attempt.number == it.attempt, generation == it.generation else {
      // The world went on: what was presented is not in force any more.
      let fingerprint: Fingerprint? =
        if case .succeeded(let fingerprint, _) = it.outcome { fingerprint } else { nil }
      return .staleWriteRefused(
        .init(
          account: account, homeEpoch: homeEpoch,
          generation: it.generation + (fingerprint == nil ? 0 : 1), fingerprint: fingerprint,
          source: "refresh", rule: .older))
    }
    switch it.outcome {
    case .succeeded(let fingerprint, let expiresAt):
      return .refreshed(
        .init(
          account: account, from: generation, generation: generation + 1, fingerprint: fingerprint,
          expiresAt: expiresAt, attempt: it.attempt))
    case .rejected(let code):
      return .refreshRejected(
        .init(account: account, generation: generation, attempt: it.attempt, code: code))
    case .failed(let code, let isUnknown, let retryAfter):
      let wait = Self.wait(afterFailures: failures + 1, retryAfterSeconds: retryAfter)
      return .refreshFailed(
        .init(
          account: account, generation: generation, attempt: it.attempt, code: code,
          outcomeUnknown: isUnknown, retryAt: UnixNanoseconds(it.at.rawValue &+ wait)))
    }
  }

  private func taken(_ foreign: CredentialCommand.Foreign, by account: AccountID)
    -> [CredentialEvent]
  {
    if foreign.version > version {
      return [
        .issued(
          .init(
            account: account, generation: foreign.version.generation,
            fingerprint: foreign.terms.fingerprint, kind: foreign.terms.kind, home: foreign.home,
            homeEpoch: foreign.version.homeEpoch, canRefresh: foreign.terms.canRefresh,
            expiresAt: foreign.terms.expiresAt))
      ]
    }
    if foreign.version == version, foreign.terms.fingerprint == fingerprint { return [] }
    return [
      .staleWriteRefused(
        .init(
          account: account, homeEpoch: foreign.version.homeEpoch,
          generation: foreign.version.generation, fingerprint: foreign.terms.fingerprint,
          source: foreign.source, rule: foreign.version == version ? .conflict : .older))
    ]
  }

  private static let inProgress = Refusal(
    code: .refreshInProgress, field: "credential", value: "",
    message: "the credential is being refreshed", remedy: "Try again in a moment.")

  // MARK: Facts

  /// Takes in a fact of the credential's stream; total.
  ///
  /// - Parameters:
  ///   - author: whose log it is; nil: the fact came from a peer.
  ///   - rivals: what others of the same number stand on, between which nobody chose until now.
  mutating func take(
    _ event: CredentialEvent, position: UInt64, time: UnixNanoseconds, author: EditAuthor?,
    rivals: [Ancestry]
  ) {
    switch event {
    case .issued(let it):
      guard Version(homeEpoch: it.homeEpoch, generation: it.generation) > version else { return }
      homeEpoch = it.homeEpoch
      home = it.home
      succeed(by: author, as: it.generation, over: rivals)
      // Another node may have got it a moment ago: from here the family's pause is counted.
      if author == nil, it.canRefresh { attemptedAt = time }
      kind = it.kind
      canRefresh = it.canRefresh
      putInForce(
        it.generation, it.fingerprint, expiresAt: it.expiresAt, position: position, time: time)
    case .refreshed(let it):
      guard it.from == generation, it.generation > generation, fingerprint != nil else { return }
      succeed(by: author, as: it.generation, over: rivals)
      putInForce(
        it.generation, it.fingerprint, expiresAt: it.expiresAt, position: position, time: time)
    case .revoked: forget()
    case .expirySet(let it):
      guard it.generation == generation, fingerprint != nil else { return }
      expiresAt = it.expiresAt
    case .refreshAttempted(let it):
      attempts = max(attempts, it.attempt)
      attemptedAt = time
      guard it.generation == generation, fingerprint != nil else { return }
      attempt = Attempt(
        position: position, number: it.attempt, generation: it.generation, cause: it.cause)
    case .refreshRejected(let it):
      guard let ended = end(it.attempt, it.generation, it.code, time) else { return }
      var cause = ended.position
      if case .uncertain(let it) = standing { cause = it.attempt ?? cause }
      standing = .reauthRequired(.init(attempt: cause, code: it.code, since: time))
    case .refreshFailed(let it):
      guard let ended = end(it.attempt, it.generation, it.code, time) else { return }
      retryAt = it.retryAt
      if it.outcomeUnknown { doubt(.answerLost, ended.position, time) }
    case .markedUncertain(let it):
      guard it.generation == generation, fingerprint != nil else { return }
      doubt(it.reason, attempt?.position, time)
      attempt = nil
    case .released(let it):
      guard it.generation == generation, fingerprint != nil else { return }
      standing = .usable
      failures = 0
      retryAt = nil
    case .homeMoved(let it):
      guard it.homeEpoch > homeEpoch else { return }
      homeEpoch = it.homeEpoch
      home = it.home
    case .ancestryLearned(let it):
      guard it.generation == generation else { return }
      ancestry = it.ancestry
    case .staleWriteRefused: break
    }
  }

  private mutating func succeed(
    by author: EditAuthor?, as generation: UInt64, over rivals: [Ancestry]
  ) {
    for rival in rivals { ancestry = ancestry.seeing(rival) }
    ancestry = ancestry.succeeded(by: author, as: generation)
  }

  /// A restored directory's doubt is the stronger one, and the first attempt without an end is the one to name.
  private mutating func doubt(
    _ reason: Uncertainty.Reason, _ attempt: UInt64?, _ time: UnixNanoseconds
  ) {
    if case .uncertain(let it) = standing {
      let stronger = it.reason == .restored ? it.reason : reason
      standing = .uncertain(
        .init(reason: stronger, since: it.since, attempt: it.attempt ?? attempt))
    } else {
      standing = .uncertain(.init(reason: reason, since: time, attempt: attempt))
    }
  }

  /// The open attempt, if it is this one; it is open no more.
  private mutating func end(
    _ number: UInt64, _ presented: UInt64, _ code: String, _ time: UnixNanoseconds
  ) -> Attempt? {
    guard presented == generation, let open = attempt, open.number == number else { return nil }
    attempt = nil
    failures = failures == .max ? .max : failures + 1
    lastFailure = Failure(code: code, at: time)
    return open
  }

  private mutating func putInForce(
    _ generation: UInt64, _ fingerprint: Fingerprint, expiresAt: UnixNanoseconds?,
    position: UInt64, time: UnixNanoseconds
  ) {
    self.generation = generation
    self.fingerprint = fingerprint
    self.position = position
    self.expiresAt = expiresAt
    since = time
    standing = .usable
    attempt = nil
    failures = 0
    lastFailure = nil
    retryAt = nil
  }

  /// Nothing is in force any more; which generations there were is never forgotten.
  mutating func forget() {
    var bare = Credential(generation: generation, homeEpoch: homeEpoch, home: home, kind: kind)
    bare.attempts = attempts
    bare.attemptedAt = attemptedAt
    bare.ancestry = ancestry
    self = bare
  }
}

extension Bounds {
  /// 1…64 visible ASCII.
  static func node(_ node: NodeID) throws(Refusal) {
    let bytes = node.rawValue.utf8
    guard 1...64 ~= bytes.count, bytes.allSatisfy({ 0x21...0x7E ~= $0 }) else {
      throw .invalid("node", node.rawValue, "node must be 1 to 64 visible ASCII characters")
    }
  }
}
