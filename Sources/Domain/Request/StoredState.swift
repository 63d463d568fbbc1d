/// What a request refers to and only the account has that stored it: an earlier response, a conversation, encrypted
/// thoughts.
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

  /// Of what the log finds under a state's `lookupKey`, in order; nil: nothing tells.
  public init?(in events: [Recorded]) {
    for recorded in events.reversed() {
      guard case .event(.request(.finished(let finished))) = recorded.content,
        let account = finished.attempts.last?.account
      else { continue }
      self.init(account: account, organisation: finished.organisation)
      return
    }
    return nil
  }
}
