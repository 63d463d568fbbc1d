/// What another node's credentials come to here: the newer one is taken, never an older one.
struct CredentialTakeover {
  private(set) var commands: [Command] = []
  private(set) var conflicts: [SyncEvent.Conflict] = []
  private(set) var floors: [SyncEvent.Floor] = []

  /// - Parameters:
  ///   - holdings: of accounts that are the same here and there.
  ///   - floors: all that the peer told of, also of accounts that it removed.
  ///   - state: before the exchange.
  ///   - outcome: with the peer's edits in it.
  init(
    _ holdings: [SyncDocument.Holding], floors: [SyncDocument.Holding], state: ControlState,
    outcome: ControlState, peer: String
  ) {
    var taken: Set<AccountID> = []
    for theirs in holdings {
      guard let ours = outcome.accounts[theirs.account]?.credential else { continue }
      if let terms = theirs.terms {
        if theirs.version > ours.version {
          taken.insert(theirs.account)
          if let own = ours.fingerprint, own != terms.fingerprint,
            theirs.version.homeEpoch > ours.homeEpoch,
            theirs.version.generation <= ours.generation
          {
            // Who issued it elsewhere had not seen ours: that ours is given up for it is on record.
            conflicts.append(
              .init(
                peer: peer, account: theirs.account, homeEpoch: ours.homeEpoch,
                generation: ours.generation, ours: own, theirs: terms.fingerprint))
          }
          commands.append(
            .credential(
              .take(
                theirs.account,
                .init(version: theirs.version, terms: terms, home: theirs.home, source: peer))))
        } else if theirs.version == ours.version, let own = ours.fingerprint {
          if own != terms.fingerprint {
            let conflict = SyncEvent.Conflict(
              peer: peer, account: theirs.account, homeEpoch: ours.homeEpoch,
              generation: ours.generation, ours: own, theirs: terms.fingerprint)
            if state.sync.peers[peer]?.credentialConflicts[theirs.account] != conflict {
              conflicts.append(conflict)
            }
          } else if terms.canRefresh, theirs.home < ours.home ?? outcome.sync.node {
            // Both were made its home, and only one may refresh it: of two, all choose the same.
            settleHome(theirs.account, theirs.home, above: ours.homeEpoch)
          }
        }
      } else if ours.fingerprint != nil, theirs.version >= ours.version {
        // Ours was issued where nobody knew how far generations had come: it must outrun them to be taken.
        settleHome(
          theirs.account, ours.home ?? outcome.sync.node, above: theirs.version.homeEpoch)
      }
    }
    for theirs in floors where !taken.contains(theirs.account) {
      guard
        let ours = (outcome.accounts[theirs.account] ?? outcome.removedAccounts[theirs.account])?
          .credential, ours.fingerprint == nil, ours.version < theirs.version
      else { continue }
      self.floors.append(.init(account: theirs.account, version: theirs.version))
    }
  }

  private mutating func settleHome(_ account: AccountID, _ home: NodeID, above epoch: UInt64) {
    commands.append(.credential(.settleHome(account, home, homeEpoch: epoch + 1)))
  }
}

extension Credential {
  /// Generations that were elsewhere are not used again; a credential in force stays as it is.
  mutating func rise(to version: Version) {
    guard fingerprint == nil, self.version < version else { return }
    homeEpoch = version.homeEpoch
    generation = version.generation
  }
}
