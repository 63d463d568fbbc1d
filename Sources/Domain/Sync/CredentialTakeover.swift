/// What another node's credentials come to here.
///
/// The content is that of the higher generation, so that generations never go back; who refreshes it is said by the higher
/// home epoch. Both are kept apart: a home that was moved where the newest generation was not known takes nothing away.
/// Whether a secret is lost by that is said by what the two stand on, and that is joined here: so it is said once.
struct CredentialTakeover {
  private(set) var commands: [Command] = []
  private(set) var conflicts: [SyncEvent.Conflict] = []
  private(set) var floors: [SyncEvent.Floor] = []

  private let peer: String
  private let node: NodeID
  private let author: EditAuthor
  private let known: [AccountID: SyncEvent.Conflict]

  /// - Parameters:
  ///   - holdings: of accounts that are the same here and there.
  ///   - floors: all that the peer told of, also of accounts that it removed.
  ///   - state: before the exchange.
  ///   - outcome: with the peer's edits in it.
  init(
    _ holdings: [SyncDocument.Holding], floors: [SyncDocument.Holding], state: ControlState,
    outcome: ControlState, peer: String
  ) {
    self.peer = peer
    node = outcome.sync.node
    author = outcome.sync.author
    known = state.sync.peers[peer]?.credentialConflicts ?? [:]
    var taken: Set<AccountID> = []
    for theirs in holdings {
      guard let ours = outcome.accounts[theirs.account]?.credential, let terms = theirs.terms
      else { continue }
      if let own = ours.fingerprint {
        join(ours, own, theirs, terms)
      } else {
        // What was before is gone here: whatever is in force there begins above it.
        let isAbove = ours.generation < theirs.version.generation
        let isLater = ours.homeEpoch > theirs.version.homeEpoch
        take(
          theirs, terms, theirs.home,
          .init(
            homeEpoch: isLater ? ours.homeEpoch + 1 : theirs.version.homeEpoch,
            generation: isAbove ? theirs.version.generation : ours.generation + 1),
          theirs.ancestry.standing(on: ours.ancestry), from: ours)
        taken.insert(theirs.account)
      }
    }
    for theirs in floors where !taken.contains(theirs.account) {
      guard
        let ours = (outcome.accounts[theirs.account] ?? outcome.removedAccounts[theirs.account])?
          .credential, ours.fingerprint == nil
      else { continue }
      let floor = ours.version.union(theirs.version)
      guard floor != ours.version else { continue }
      self.floors.append(.init(account: theirs.account, version: floor))
    }
  }

  /// Both have one.
  private mutating func join(
    _ ours: Credential, _ own: Fingerprint, _ theirs: SyncDocument.Holding,
    _ terms: CredentialTerms
  ) {
    let version = ours.version.union(theirs.version)
    let isSame = own == terms.fingerprint
    let ownHome = ours.home ?? node
    let isMoved = theirs.version.homeEpoch > ours.homeEpoch
    // Two homes of one epoch, unless the next one was issued where that is on record.
    let hasTwoHomes =
      theirs.version.homeEpoch == ours.homeEpoch && theirs.home != ownHome
      && known[theirs.account].map { $0.generation >= version.generation } ?? true
    let takesTheirs =
      theirs.version.generation > ours.generation
      || !isSame && isMoved && theirs.version.generation == ours.generation
    var ancestry = ours.ancestry
    if isSame {
      ancestry = ancestry.joined(with: theirs.ancestry)
      if let origin = ours.ancestry.missesBeaten(of: theirs.ancestry) {
        // What gave way to this one elsewhere, before we were told of it.
        note(theirs, version, own, nil, .init(whose: .theirs, origin: origin))
      }
    } else if theirs.version == ours.version {
      note(theirs, version, own, terms.fingerprint, nil)
    } else {
      let (winner, loser) =
        takesTheirs ? (theirs.ancestry, ours.ancestry) : (ours.ancestry, theirs.ancestry)
      let generation = takesTheirs ? ours.generation : theirs.version.generation
      // Of what only an older build made nobody knows what it stands on: then the numbers say as much as they can.
      let isApart =
        !winner.stands(on: loser, of: generation)
        && (winner.misses(loser) != nil && loser.misses(winner) != nil
          || hasTwoHomes || ours.version.isApart(from: theirs.version))
      // Where the other one never was in force, it is said once that it gave way.
      if isApart, takesTheirs || !winner.beat(loser, of: generation) {
        note(
          theirs, version, own, terms.fingerprint,
          .init(whose: takesTheirs ? .ours : .theirs, origin: winner.misses(loser)))
      }
      ancestry =
        isApart
        ? winner.beating(loser) : takesTheirs ? winner.standing(on: loser) : ours.ancestry
    }
    if takesTheirs {
      take(
        theirs, terms, ours.homeEpoch > theirs.version.homeEpoch ? ownHome : theirs.home, version,
        ancestry, from: ours)
      return
    }
    if ancestry != ours.ancestry { learn(theirs.account, ours.generation, ancestry) }
    if isMoved {
      settleHome(theirs.account, theirs.home, theirs.version.homeEpoch)
    } else if theirs.version == ours.version, isSame {
      if terms.canRefresh, theirs.home < ownHome {
        // Both were made its home, and only one may refresh it: of two, all choose the same.
        settleHome(theirs.account, theirs.home, ours.homeEpoch + 1)
      }
      // Of one secret, whoever knows when it ends is right, and of two the later.
      if let end = terms.expiresAt, ours.expiresAt.map({ $0 < end }) ?? true {
        commands.append(.account(.setCredentialExpiry(theirs.account, end)))
      }
    }
  }

  private mutating func note(
    _ theirs: SyncDocument.Holding, _ version: Credential.Version, _ own: Fingerprint,
    _ other: Fingerprint?, _ lost: SyncEvent.Conflict.Lost?
  ) {
    let conflict = SyncEvent.Conflict(
      peer: peer, account: theirs.account, homeEpoch: version.homeEpoch,
      generation: version.generation, ours: own, theirs: other, lost: lost,
      rival: lost == nil ? theirs.ancestry : nil)
    if known[theirs.account] != conflict { conflicts.append(conflict) }
  }

  private mutating func take(
    _ theirs: SyncDocument.Holding, _ terms: CredentialTerms, _ home: NodeID,
    _ version: Credential.Version, _ ancestry: Ancestry, from ours: Credential
  ) {
    commands.append(
      .credential(
        .take(theirs.account, .init(version: version, terms: terms, home: home, source: peer))))
    learn(theirs.account, version.generation, ancestry)
    // What comes back of a life of ours that this log does not know may have been used up by it since.
    let isOfFormerLife = theirs.ancestry.made.contains { maker, generation in
      maker.node == node && maker != author && generation > ours.ancestry.made[maker] ?? 0
    }
    if home == node, isOfFormerLife || ours.isRestored {
      commands.append(.credential(.suspect(theirs.account)))
    }
  }

  private mutating func learn(_ account: AccountID, _ generation: UInt64, _ ancestry: Ancestry) {
    commands.append(.credential(.learn(account, generation: generation, ancestry)))
  }

  private mutating func settleHome(_ account: AccountID, _ home: NodeID, _ epoch: UInt64) {
    commands.append(.credential(.settleHome(account, home, homeEpoch: epoch)))
  }
}

extension Credential.Version {
  /// The higher one of each number.
  func union(_ other: Self) -> Self {
    .init(
      homeEpoch: max(homeEpoch, other.homeEpoch), generation: max(generation, other.generation))
  }

  /// Whether neither of two different credentials can have been made with the other one known.
  fileprivate func isApart(from other: Self) -> Bool {
    generation == other.generation
      || homeEpoch != other.homeEpoch
        && (homeEpoch > other.homeEpoch) != (generation > other.generation)
  }
}

extension Credential {
  /// Whether a restored directory doubts it.
  fileprivate var isRestored: Bool {
    if case .uncertain(let it) = standing { it.reason == .restored } else { false }
  }

  /// Generations that were elsewhere are not used again; a credential in force stays as it is.
  mutating func rise(to version: Version) {
    guard fingerprint == nil else { return }
    let version = self.version.union(version)
    homeEpoch = version.homeEpoch
    generation = version.generation
  }
}
