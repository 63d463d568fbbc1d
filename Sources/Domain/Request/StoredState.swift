/// What a request refers to and only the account has that stored it: an earlier response, a conversation, encrypted
/// thoughts, a file.
public struct StoredState: Sendable, Hashable {
  /// A keyed hash of its id.
  public var id: UInt128

  /// State by its hash.
  public init(_ id: UInt128) { self.id = id }

  /// Under which the log finds the request that made it or last used it: `s:` and 16 big-endian bytes.
  public var lookupKey: [UInt8] { [0x73, 0x3A] + RequestID(id).lookupKey }
}

/// Who has a stored state.
public struct StateOwner: Sendable, Hashable {
  /// The account that answered.
  public var account: AccountID
  /// Whose request it was: nobody else may refer to it.
  public var organisation: OrganisationID?

  /// Made of its parts.
  public init(account: AccountID, organisation: OrganisationID?) {
    self.account = account
    self.organisation = organisation
  }

  /// Of what the log finds under a state's `lookupKey`, in order: the newest of each organisation, newest first.
  public static func all(in events: [Recorded]) -> [StateOwner] {
    var owners: [StateOwner] = []
    for recorded in events.reversed() {
      guard case .event(.request(.finished(let finished))) = recorded.content,
        let account = finished.attempts.last?.account,
        owners.allSatisfy({ $0.organisation != finished.organisation })
      else { continue }
      owners.append(StateOwner(account: account, organisation: finished.organisation))
    }
    return owners
  }
}

/// What is known of who has a state that a request refers to.
public enum StateFinding: Sendable, Hashable {
  /// An account, for the request's own organisation.
  case own(AccountID)
  /// One other organisation has something of this id.
  case others
  /// Nobody is known to have it; or several others are, so that the id says nothing.
  case unknown

  /// What `owners`, of whom each organisation has one at most, are to a request of `organisation`.
  public init(_ owners: [StateOwner], for organisation: OrganisationID?) {
    if let own = owners.first(where: { $0.organisation == organisation }) {
      self = .own(own.account)
    } else {
      self = owners.count == 1 ? .others : .unknown
    }
  }
}
