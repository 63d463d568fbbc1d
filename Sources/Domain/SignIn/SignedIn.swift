/// Who a provider says that tokens belong to.
public struct SignedInIdentity: Sendable, Hashable {
  /// Stable, and never handed to another person; nil: the provider does not say.
  public var subject: String?
  /// The workspace, organisation or team that the tokens are for; nil: there are none.
  public var workspace: String?
  /// For people's eyes: never decides whose account it is.
  public var email: String?

  /// Made of its parts.
  public init(subject: String? = nil, workspace: String? = nil, email: String? = nil) {
    self.subject = subject
    self.workspace = workspace
    self.email = email
  }

  /// Whether both are the same person in the same workspace; never where nobody knows who it is.
  public func isSame(as other: SignedInIdentity) -> Bool {
    subject != nil && subject == other.subject && workspace == other.workspace
  }
}

/// Whose next credential a sign-in brings.
public enum SignedInAccount: Sendable, Hashable {
  /// It was here before, and keeps its id, its name and all that points to it.
  case known(AccountID)
  /// A new one.
  case new(AccountID, name: String)
}

extension ControlState {
  /// Which account a sign-in belongs to: the one that is asked for, the one of the same subject and workspace, or a
  /// new one.
  ///
  /// - Parameters:
  ///   - known: of the provider's accounts, as far as it is known who they are.
  ///   - wanted: whose next credential it is to be; nil: whosever it turns out to be.
  ///   - fresh: the id of a new account: one that follows from subject and workspace where they are known.
  ///   - fallback: what a new account is called if nobody said who it is.
  public func account(
    of identity: SignedInIdentity, at provider: ProviderID, known: [AccountID: SignedInIdentity],
    wanted: AccountID?, fresh: AccountID, fallback: String
  ) throws(Refusal) -> SignedInAccount {
    if let wanted {
      guard accounts[wanted]?.provider == provider else { throw Account.unknown(wanted) }
      if let before = known[wanted], before.subject != nil, identity.subject != nil,
        !before.isSame(as: identity)
      {
        throw Refusal(
          code: .signedInAsAnother, field: "account", value: wanted.rawValue,
          message: "the sign-in is of another person or workspace than the account",
          remedy: "Sign in as the one it belongs to, or leave account out for one of its own.")
      }
      return .known(wanted)
    }
    let same = accounts.values.filter { account in
      account.provider == provider && known[account.id].map(identity.isSame) ?? false
    }
    if let first = same.map(\.id).min() { return .known(first) }
    // Of the same subject and workspace, but its credential, which says so, is gone.
    if let account = accounts[fresh], account.provider == provider, known[fresh]?.subject == nil {
      return .known(fresh)
    }
    return .new(fresh, name: name(for: identity, at: provider, fallback: fallback))
  }

  /// The address, else the subject, else the fallback; told apart from the provider's other names.
  private func name(
    for identity: SignedInIdentity, at provider: ProviderID, fallback: String
  ) -> String {
    let base = [identity.email, identity.subject].lazy.compactMap(Self.label).first ?? fallback
    let taken = Set(accounts.values.lazy.filter { $0.provider == provider }.map(\.name))
    if !taken.contains(base) { return base }
    if let workspace = identity.workspace.flatMap(Self.label) {
      let named = String(base.prefix(40)) + " (" + String(workspace.prefix(20)) + ")"
      if !taken.contains(named) { return named }
    }
    var number = 2
    while taken.contains(String(base.prefix(56)) + " \(number)") { number += 1 }
    return String(base.prefix(56)) + " \(number)"
  }

  /// A text as far as a name may have it; nil: nothing is left.
  private static func label(_ text: String?) -> String? {
    guard let text else { return nil }
    let name = String(
      text.unicodeScalars.prefix(64).filter { 0x21...0x7E ~= $0.value }
        .map(Character.init))
    return name.isEmpty ? nil : name
  }
}

extension Provider {
  /// Whether what an account of it has from signing in or from an import is of a protocol that is spoken here.
  public func speaks(_ kind: Credential.Kind) -> Bool {
    kind == .apiKey || OAuthProvider[oauth?.kind ?? id.rawValue].service?.isSpoken ?? true
  }
}
