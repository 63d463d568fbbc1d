extension Subject {
  /// Which of these values no node with our rules can hold, whatever else it has, and why.
  ///
  /// Fields that this build does not know are none of them: they are told on as they are.
  ///
  /// - Parameters:
  ///   - fields: those in question.
  ///   - all: all that is told of the resource.
  /// - Returns: one sentence a field.
  func impossible(
    _ fields: [String: Image.Value], in all: [String: Image.Value]
  ) -> [String: String] {
    // A resource that cannot be for its own name is withheld as a whole.
    guard !fields.isEmpty, let usual = try? made([:]) else { return [:] }
    func isKnown(_ field: String) -> Bool {
      self == .pricing ? field.utf8.contains(Bounds.slash) : usual[field] != nil
    }
    let fields = fields.filter { isKnown($0.key) }
    if let whole = try? made(all.filter { isKnown($0.key) }),
      fields.allSatisfy({ Self.holds(whole[$0.key], $0.value, usual[$0.key]) })
    {
      return [:]
    }
    var impossible: [String: String] = [:]
    for (field, value) in fields {
      do throws(Refusal) {
        if !Self.holds(try made([field: value])[field], value, usual[field]) {
          impossible[field] = "\(field) cannot be of this kind"
        }
      } catch {
        impossible[field] = error.message
      }
    }
    return impossible
  }

  /// Whether a field came out as told, or as near to it as a build can come that does not know all parts of it.
  private static func holds(
    _ outcome: Image.Value?, _ told: Image.Value, _ usual: Image.Value?
  ) -> Bool {
    let outcome = outcome ?? .none
    if outcome == told { return true }
    switch (outcome, told) {
    case (.list, .list), (.record, .record): return outcome != usual ?? .none
    case _: return false
    }
  }

  /// The shared fields of a resource that has these values and else usual ones, alone on a node.
  private func made(_ fields: [String: Image.Value]) throws(Refusal) -> [String: Image.Value] {
    // Nothing but its being a truth value could be wrong, and that hangs on no provider.
    if case .model = self {
      return ["isActive": .flag(fields["isActive", default: .flag(true)].flag ?? true)]
    }
    var state = ControlState.initial
    let values = usual.merging(fields) { $1 }
    let image = Image(shared: values, of: self, own: nil)
    for command in commands(image, &state) { try state.perform(.merged(command)) }
    var outcome = state.sharedFields(of: self) ?? [:]
    // Under which master key it was made is another question.
    outcome[keyFingerprintField] = nil
    return outcome
  }

  /// What no resource of the kind can be without.
  private var usual: [String: Image.Value] {
    switch self {
    case .provider: ["baseUrl": .text("http://x")]
    case .account: ["provider": .text("x"), "name": .text("x")]
    case .key:
      [
        "organisation": .text(OrganisationID.standard.rawValue),
        keyFingerprintField: .text(
          ":" + base64Text([UInt8](repeating: 0, count: Fingerprint.byteCount))),
      ]
    case .alias: ["model": .text("x/y")]
    case .combo: ["models": .list([.text("x/y")])]
    case .policy:
      ["accounts": .list([PolicyAccount(account: AccountID("x"), weight: 1).imageValue])]
    case .model, .organisation, .settings, .pricing, .credential, .health: [:]
    }
  }

  /// What makes it; `state` gets what it hangs on.
  private func commands(_ image: Image, _ state: inout ControlState) -> [Command] {
    switch self {
    case .settings: return Settings.commands(image)
    case .pricing: return Pricing.commands(nil, image)
    case .organisation(let id): return Organisation.commands(id, state.image(of: self), image)
    case .provider(let id): return Provider.commands(id, nil, image)
    case .account(let id):
      let provider = ProviderID(image["provider"].text ?? "")
      state.holdPlace(for: .model(ModelID(provider: provider, name: "x")))
      return Account.commands(id, nil, image)
    case .key(let id):
      state.hold(OrganisationID(image["organisation"].text ?? ""))
      guard case .possible(let commands) = KeyCreation(id, image, secretsKey: "") else { return [] }
      return commands
    case .alias(let name): return AliasTarget.commands(name, image, allowUnresolved: true)
    case .combo(let name): return Combo.commands(name, image, allowUnresolved: true)
    case .policy(let id):
      state.hold(id.organisation)
      return Policy.commands(id, image, allowUnresolved: true)
    case .model, .credential, .health: return []
    }
  }
}

extension ControlState {
  /// Puts in what a key or a policy hangs on.
  fileprivate mutating func hold(_ id: OrganisationID) {
    if organisations[id] == nil { organisations[id] = .implied(id, UnixNanoseconds(0)) }
  }
}
