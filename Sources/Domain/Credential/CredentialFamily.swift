/// Credentials of one client whose provider may revoke the others' when one is refreshed: a family has one home.
///
/// Each node keeps the pause between two refreshes by its own log, so that two nodes would keep it apart.
extension ControlState {
  /// The only node that may refresh what an account holds, for the sake of others of its family; nil: there are none.
  ///
  /// Where credentials came to two homes apart all nodes choose the one whose name comes first.
  func familyHome(of account: AccountID, at provider: ProviderID) -> NodeID? {
    siblings(of: account, at: provider).compactMap { $0.credential.home ?? node }.min()
  }

  /// The others of the family that can be refreshed.
  private func siblings(of account: AccountID, at provider: ProviderID) -> [Account] {
    guard let oauth = providers[provider]?.oauth, oauth.isSharedFamily else { return [] }
    let family = oauth.sharedFamily
    return accounts.values.filter { other in
      other.id != account && other.credential.isRefreshedSomewhere
        && providers[other.provider]?.oauth.map { $0.isSharedFamily && $0.sharedFamily == family }
          == true
    }
  }

  /// Why a refresh must not begin here although this node is the credential's home; nil: nothing stands in the way.
  func familyObstacle(to account: Account) -> Refusal? {
    guard let node, account.credential.isHome(of: node),
      let home = familyHome(of: account.id, at: account.provider), home < node
    else { return nil }
    return Refusal(
      code: .notRefreshable, field: "credential", value: "",
      message:
        "node \(home.rawValue) refreshes the accounts of this client, one after the other, and this one goes there",
      remedy:
        "Sync. If that node is gone for good, move their home here by force, and sign in anew where it refreshed since."
    )
  }

  /// Whether this node may refresh an account's credential at all, now or later.
  public func mayRefresh(_ account: Account) -> Bool {
    account.credential.isRefreshedSomewhere && account.credential.isHome(of: node)
      && providers[account.provider]?.oauth != nil && familyObstacle(to: account) == nil
  }

  /// With a credential those of its family go that have the same home: two homes would not keep their pauses.
  func moving(
    _ account: Account, to home: NodeID
  ) throws(Refusal) -> [CredentialEvent] {
    let former = account.credential.home ?? node
    let others = siblings(of: account.id, at: account.provider)
      .filter { ($0.credential.home ?? node) == former && former != home }.sorted { $0.id < $1.id }
    var events: [CredentialEvent] = []
    for other in others {
      events += try other.credential.decide(
        .moveHome(other.id, to: home, force: true), node: node, hasTokenEndpoint: true)
    }
    return events
  }

  /// The only nodes that refresh families, by family: of two homes that arose apart, the one whose name comes first.
  func familyHomes() -> [String: NodeID] { families().compactMapValues(home) }

  private func home(of members: [Account]) -> NodeID? {
    members.compactMap { $0.credential.home ?? node }.min()
  }

  /// Accounts that can be refreshed and follow one another, by family.
  private func families() -> [String: [Account]] {
    var families: [String: [Account]] = [:]
    for account in accounts.values where account.credential.isRefreshedSomewhere {
      guard let oauth = providers[account.provider]?.oauth, oauth.isSharedFamily else { continue }
      families[oauth.sharedFamily, default: []].append(account)
    }
    return families
  }

  /// What this node gives away, since nodes made two homes for a family: nothing that is being refreshed.
  public func familyMoves() -> [CredentialCommand] {
    guard let node else { return [] }
    return families().values.compactMap { members -> (AccountID, NodeID)? in
      guard let home = home(of: members), home < node,
        !members.contains(where: { $0.credential.attempt != nil }),
        let own = members.filter({ $0.credential.isHome(of: node) }).map(\.id).min()
      else { return nil }
      return (own, home)
    }.sorted { $0.0 < $1.0 }.map { .moveHome($0.0, to: $0.1) }
  }
}

extension Credential {
  /// Whether some node presents its refresh token.
  var isRefreshedSomewhere: Bool {
    if case .reauthRequired = standing { return false }
    return canRefresh && fingerprint != nil
  }
}
