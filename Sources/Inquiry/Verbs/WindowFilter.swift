import Domain

/// Narrows a window; nil fields match everything, and gaps are never filtered out.
public struct WindowFilter: Sendable, Hashable {
  /// A wire kind or its beginning up to a dot: `request`, `request.finished`, `alias.set.v1`.
  public var kind: String?
  /// An account's id, its name, or `provider/name`.
  public var account: String?
  /// A key's id or name.
  public var key: String?
  /// An organisation's id.
  public var organisation: String?
  /// A model as asked, as resolved, an alias's name or target.
  public var model: String?
  /// A provider's id.
  public var provider: String?
  /// What clients got.
  public var status: StatusRange?

  /// Statuses from the first through the last.
  public struct StatusRange: Sendable, Hashable {
    /// Both included.
    public private(set) var range: ClosedRange<UInt16>
    var text: String

    /// `404`, or `4xx`.
    public init(_ text: String) throws(InquiryFault) {
      if let number = UInt16(text), (100...599).contains(number) {
        self.range = number...number
      } else if text.utf8.count == 3, text.hasSuffix("xx"),
        let hundreds = text.first?.wholeNumberValue, (1...5).contains(hundreds)
      {
        let first = UInt16(hundreds) * 100
        self.range = first...(first + 99)
      } else {
        throw InquiryFault(
          .usage, "`\(Shown.text(String(text.prefix(16))))` is no status: write `404` or `4xx`.")
      }
      self.text = text
    }
  }

  /// Matches everything that is not narrowed.
  public init(
    kind: String? = nil, account: String? = nil, key: String? = nil,
    organisation: String? = nil, model: String? = nil, provider: String? = nil,
    status: StatusRange? = nil
  ) {
    self.kind = kind
    self.account = account
    self.key = key
    self.organisation = organisation
    self.model = model
    self.provider = provider
    self.status = status
  }

  /// The given filters, in a fixed order.
  var given: [(name: String, value: String)] {
    [
      ("kind", kind), ("account", account), ("key", key), ("org", organisation),
      ("model", model), ("provider", provider), ("status", status?.text),
    ].compactMap { name, value in value.map { (name, $0) } }
  }

  /// Whether an event's kind does not say all: what stands in it, and the names of the time, have to be looked at.
  var isOfContent: Bool {
    account != nil || key != nil || organisation != nil || model != nil || provider != nil
      || status != nil
  }

  /// Whether the kind is meant; all of the answer unless `isOfContent`.
  func matches(kind stored: String) -> Bool {
    kind.map { stored == $0 || stored.hasPrefix($0 + ".") } ?? true
  }

  /// - Parameter state: the configuration just after the event, so that what it adds has a name.
  func matches(_ entry: Entry, kind stored: String, _ state: ControlState) -> Bool {
    guard matches(kind: stored) else { return false }
    guard isOfContent else { return true }
    guard let event = entry.event else { return false }
    let subject = Subject(event, state)
    if let account, !subject.accounts.contains(where: { isAccount($0, account, state) }) {
      return false
    }
    if let key {
      let isMeant = subject.keys.contains { $0.rawValue == key || state.keys[$0]?.name == key }
      if !isMeant { return false }
    }
    if let organisation, !subject.organisations.contains(OrganisationID(organisation)) {
      return false
    }
    if let model, !subject.models.contains(model) { return false }
    if let provider, !subject.providers.contains(ProviderID(provider)) { return false }
    if let status {
      guard let actual = subject.status, status.range.contains(actual) else { return false }
    }
    return true
  }

  private func isAccount(_ id: AccountID, _ text: String, _ state: ControlState) -> Bool {
    if id.rawValue == text { return true }
    guard let account = state.accounts[id] ?? state.removedAccounts[id] else { return false }
    return account.name == text || "\(account.provider.rawValue)/\(account.name)" == text
  }

  /// Whom and what an event is about.
  private struct Subject {
    var accounts: [AccountID] = []
    var keys: [KeyID] = []
    var organisations: Set<OrganisationID> = []
    var providers: Set<ProviderID> = []
    var models: Set<String> = []
    var status: UInt16?

    init(_ event: Event, _ state: ControlState) {
      switch event {
      case .provider(let event): providers = [event.id]
      case .account(let event): add(event.id, state)
      case .credential(let event): add(event.account, state)
      case .health(let event): add(event.account, state)
      case .model(let event):
        providers = [event.id.provider]
        models = [event.id.name]
      case .combo(.set(let it)): models = Set(it.models).union([it.name])
      case .combo(.removed(let name)): models = [name]
      case .policy(let event):
        models = [event.id.model]
        organisations = [event.id.organisation]
        if case .set(let it) = event { for share in it.accounts { add(share.account, state) } }
      case .alias(.set(let it)): models = [it.name, it.target]
      case .alias(.removed(let name)): models = [name]
      case .organisation(let event): organisations = [event.id]
      case .key(let event):
        keys = [event.id]
        if let key = state.keys[event.id] { organisations = [key.organisation] }
      case .request(.finished(let it)):
        for attempt in it.attempts { add(attempt.account, state) }
        keys = it.key.map { [$0] } ?? []
        if let organisation = it.organisation { organisations = [organisation] }
        models = [it.modelAsked]
        if let resolved = it.modelResolved {
          models.insert(resolved)
          // `provider/model`, where the model may hold slashes of its own.
          if let slash = resolved.firstIndex(of: "/") {
            providers.insert(ProviderID(String(resolved[..<slash])))
            models.insert(String(resolved[resolved.index(after: slash)...]))
          }
        }
        status = it.status
      case .request(.dispatched(let it)):
        if let account = it.account { add(account, state) }
        keys = it.key.map { [$0] } ?? []
        if let organisation = it.organisation { organisations = [organisation] }
        models = [it.modelAsked]
      case .request(.interrupted(let it)):
        keys = it.key.map { [$0] } ?? []
        if let organisation = it.organisation { organisations = [organisation] }
      case .request(.deliveryFailed), .request(.deniedSummary), .settings, .pricing,
        .access, .syncToken, .gateway:
        break
      case .sync(.conflict(let it)): add(it.account, state)
      case .sync(.candidateKept(let it)): add(it.account, state)
      case .sync(.candidateRefused(let it)): add(it.account, state)
      case .sync: break
      }
    }

    private mutating func add(_ id: AccountID, _ state: ControlState) {
      accounts.append(id)
      if let account = state.accounts[id] ?? state.removedAccounts[id] {
        providers.insert(account.provider)
      }
    }
  }
}
