import Domain
import Surface

/// What a system of the older protocol holds for a machine, as it told it.
struct MirrorBook: Sendable {
  /// What both have words for.
  private(set) var records = MirrorRecords(streams: [:])
  /// What it sends upstream for an account.
  private(set) var tokens: [AccountID: Token] = [:]
  /// Accounts by id, with every field: what we do not set stays as it is.
  private var accounts: [String: JSONValue] = [:]
  private var aliases: [JSONValue.Member] = []
  private var combos: [JSONValue] = []

  /// A token with what stands beside it.
  struct Token: Sendable {
    var access: Secret
    /// With which the other side would refresh it.
    var refresh: Secret?
    var isKey: Bool
    /// nil: not told, or no time.
    var expiresAt: UnixNanoseconds?

    /// nil: there is none.
    init?(_ record: JSONValue) {
      func secret(_ name: String) -> Secret? {
        record[name]?.string.flatMap { $0.isEmpty ? nil : Secret($0) }
      }
      let token = secret("accessToken")
      guard let access = token ?? secret("apiKey") else { return nil }
      self.access = access
      refresh = token == nil ? nil : secret("refreshToken")
      isKey = token == nil
      expiresAt = token == nil ? nil : record["expiresAt"]?.string.flatMap { parseRFC3339($0) }
    }
  }

  /// Longer names are none here: what has one is left to the other side, and nothing of it is in the log.
  private static let mostNameBytes = 512
  /// Larger values are none here.
  private static let mostValueBytes = 4_096

  /// Reads `{data: {providers, modelAliases, combos}}`.
  ///
  /// A value that could never be here stands in the records by its form alone, as `{form, bytes}`: that is on record,
  /// and whatever it holds is not.
  init(_ answer: JSONValue) throws(SyncFault) {
    guard let data = answer["data"], data.members != nil else {
      throw SyncFault("sync_malformed", peer: MirrorPartner.peer)
    }
    for provider in data["providers"]?.members?.map(\.value) ?? data["providers"]?.array ?? [] {
      guard let id = provider["id"]?.string, (1...64).contains(id.utf8.count) else { continue }
      accounts[id] = provider
      var fields: [String: Image.Value] = [:]
      // Records of the older systems have null where nothing is set.
      if let name = provider["name"], name != .null { fields["name"] = Self.text(name) }
      if let isActive = provider["isActive"], isActive != .null {
        fields["isActive"] = isActive.bool.map { .flag($0) } ?? Self.form(isActive)
      }
      if let priority = provider["priority"], priority != .null {
        fields["priority"] = priority.uint.map { .number($0) } ?? Self.form(priority)
      }
      records.streams[AccountID(id).stream] = fields
      tokens[AccountID(id)] = Token(provider)
    }
    aliases = data["modelAliases"]?.members ?? []
    for alias in aliases where alias.name.utf8.count <= Self.mostNameBytes {
      records.streams[aliasStream(alias.name)] = ["model": Self.target(alias.value)]
    }
    combos = data["combos"]?.array ?? []
    for combo in combos {
      guard let name = combo["name"]?.string, name.utf8.count <= Self.mostNameBytes else {
        continue
      }
      records.streams[comboStream(name)] = ["models": Self.models(combo)]
    }
  }

  /// `provider/model`, or an object of both.
  private static func target(_ value: JSONValue) -> Image.Value {
    guard let provider = value["provider"]?.string, let model = value["model"]?.string else {
      return text(value)
    }
    return text(.string("\(provider)/\(model)"))
  }

  private static func models(_ combo: JSONValue) -> Image.Value {
    guard let models = combo["models"]?.array, models.allSatisfy({ $0.string != nil }) else {
      return form(combo)
    }
    let names = models.compactMap(\.string)
    let bytes = names.reduce(0) { $0 + $1.utf8.count }
    return bytes <= mostValueBytes ? Image.Value(names) : form(combo)
  }

  private static func text(_ value: JSONValue) -> Image.Value {
    guard let text = value.string, text.utf8.count <= mostValueBytes else { return form(value) }
    return .text(text)
  }

  private static func form(_ value: JSONValue) -> Image.Value {
    let form =
      switch value {
      case .object: "object"
      case .array: "list"
      case .string: "text"
      case .number: "number"
      case .bool: "flag"
      case .null: "null"
      }
    return .record([
      .init("form", .text(form)), .init("bytes", .number(UInt64(value.bytes.count))),
    ])
  }

  // MARK: What goes

  /// What is told, and which resources of it are new to the other side.
  struct Push: Sendable {
    var body: JSONValue
    var changed: [String]
  }

  /// What the other side is to hold; nil: it holds that.
  ///
  /// What nobody knows here is told back as it is; client keys are not told of.
  func push(
    _ state: ControlState, secrets: [AccountID: MirrorPartner.Told], now: UnixNanoseconds
  ) -> Push? {
    let wanted = state.mirrored.streams
    var changed: [String] = []
    var providers: [JSONValue] = []
    for account in state.accounts.values.sorted(by: { $0.id < $1.id }) {
      let fields = wanted[account.id.stream] ?? [:]
      let held = accounts[account.id.rawValue]
      let told = records.streams[account.id.stream] ?? [:]
      let secret = secrets[account.id]
      let known = tokens[account.id]
      let isNews =
        held == nil || fields != told
        || secret.map { $0.token != known?.access || $0.isRefreshedHere && known?.refresh != nil }
          ?? false
      guard isNews else {
        providers.append(held ?? .null)
        continue
      }
      changed.append(account.id.stream)
      providers.append(
        record(account, held, secret, stamp: Self.stamp(after: held?["updatedAt"]?.string, now)))
    }
    for (id, held) in accounts.sorted(by: { $0.key < $1.key }) {
      let id = AccountID(id)
      guard state.accounts[id] == nil else { continue }
      if state.removedAccounts[id] == nil {
        providers.append(held)
      } else {
        changed.append(id.stream)
      }
    }
    let aliases = state.aliases.values.sorted { $0.name < $1.name }
    let combos = state.combos.values.sorted { $0.name < $1.name }
    // What could never be here is left to whoever has it.
    let foreignAliases = self.aliases.filter {
      state.aliases[$0.name] == nil && !state.sync.knows(aliasStream($0.name))
    }
    let foreignCombos = self.combos.filter { combo in
      guard let name = combo["name"]?.string else { return true }
      return state.combos[name] == nil && !state.sync.knows(comboStream(name))
    }
    let others = Set(wanted.keys).union(records.streams.keys).filter { stream in
      !stream.hasPrefix("account/") && (wanted[stream] != nil || state.sync.knows(stream))
    }
    changed += others.filter { wanted[$0] != records.streams[$0] }.sorted()
    guard !changed.isEmpty else { return nil }
    return Push(
      body: [
        "providers": .array(providers),
        "modelAliases": .object(
          aliases.map { .init($0.name, JSONValue($0.target)) } + foreignAliases),
        "combos": .array(
          combos.map { combo in
            let held = self.combos.first { $0["name"]?.string == combo.name }
            return Self.setting(
              held,
              [
                .init("id", held?["id"] ?? JSONValue(combo.name)),
                .init("name", JSONValue(combo.name)),
                .init("models", .array(combo.models.map { JSONValue($0) })),
              ])
          } + foreignCombos),
      ], changed: changed)
  }

  private func record(
    _ account: Account, _ held: JSONValue?, _ secret: MirrorPartner.Told?, stamp: UnixNanoseconds
  ) -> JSONValue {
    let isKey = account.credential.kind == .apiKey
    var members: [JSONValue.Member] = [
      .init("id", JSONValue(account.id.rawValue)),
      .init("provider", JSONValue(account.provider.rawValue)),
      .init("authType", JSONValue(isKey ? "apikey" : "oauth")),
      .init("name", JSONValue(account.name)),
      .init("priority", JSONValue(UInt64(account.priority))),
      .init("isActive", JSONValue(account.isEnabled)),
      .init("createdAt", JSONValue(account.createdAt)),
      .init("updatedAt", JSONValue(stamp)),
    ]
    if let secret {
      let text = JSONValue(String(decoding: secret.token.bytes, as: UTF8.self))
      // What an account was before it became another kind must not be used there any more.
      members.append(.init("apiKey", secret.kind == .apiKey ? text : .null))
      members.append(.init("accessToken", secret.kind == .apiKey ? .null : text))
      // Two that refresh one credential use up each other's tokens.
      if secret.isRefreshedHere { members.append(.init("refreshToken", .null)) }
    }
    return Self.setting(held, members)
  }

  /// Later than what is there: the other side knows nothing but times.
  private static func stamp(after held: String?, _ now: UnixNanoseconds) -> UnixNanoseconds {
    guard let held = held.flatMap({ parseRFC3339($0) }), held >= now else { return now }
    return UnixNanoseconds(held.rawValue &+ 1_000_000)
  }

  /// A record with some members otherwise, and all others as they are.
  private static func setting(_ held: JSONValue?, _ members: [JSONValue.Member]) -> JSONValue {
    let names = Set(members.map(\.name))
    return .object((held?.members ?? []).filter { !names.contains($0.name) } + members)
  }
}
