/// What becomes of what nodes agree on, here.
struct Settlement {
  var commands: [Command] = []
  var withheld: [SyncEvent.Withheld] = []
}

extension ControlState {
  /// What to command so that the configuration is what nodes agree on, as far as the rules let it be.
  ///
  /// Two edits that are each right may not stand together. Then one yields, and which one follows from the edits
  /// alone, so that all nodes do the same: nothing goes before a provider's names; of the rest, who came first
  /// keeps the name.
  ///
  /// - Parameter reborn: accounts that were removed and added again elsewhere: what they had here goes first.
  func settle(
    _ registers: [Subject: Register], secretsKey: String, reborn: Set<AccountID> = []
  ) -> Settlement {
    var plan = Plan(registers, own: self, secretsKey: secretsKey)
    plan.build()
    var start = self
    var first: [Command] = []
    let gone = removedAccounts.keys.filter {
      keepsCredential(of: $0) && registers[.account($0)]?.isPresent != true
    }
    for id in reborn.union(gone).sorted() where accounts[id] != nil || keepsCredential(of: id) {
      let command = Command.account(.remove(id))
      do throws(Refusal) {
        try start.perform(command)
        first.append(command)
      } catch {
        continue
      }
    }
    var settlement = plan.settlement(from: start)
    settlement.commands = first + settlement.commands
    return settlement
  }
}

/// The configuration as it would have come to be, made from nothing in an order that all nodes know.
private struct Plan {
  private let registers: [Subject: Register]
  private let own: ControlState
  private let secretsKey: String
  private var built = ControlState.initial
  private var reasons: [Subject: String] = [:]

  init(_ registers: [Subject: Register], own: ControlState, secretsKey: String) {
    self.registers = registers
    self.own = own
    self.secretsKey = secretsKey
  }

  mutating func build() {
    var ranks: [Int: [(claim: HybridStamp, subject: Subject)]] = [:]
    for (subject, register) in registers where register.isPresent {
      let field: String? =
        switch subject {
        case .provider: "prefix"
        case .account: "name"
        case .model, .key, .alias, .combo, .policy, .organisation, .settings, .pricing,
          .credential, .health:
          nil
        }
      let claim = field.flatMap { register.fields[$0]?.version.stamp } ?? register.version.stamp
      ranks[subject.rank, default: []].append((claim, subject))
    }
    for rank in 0...7 {
      let inOrder = (ranks[rank] ?? []).sorted {
        $0.claim != $1.claim ? $0.claim < $1.claim : $0.subject.stream < $1.subject.stream
      }
      for one in inOrder { add(one.subject) }
      if rank == 1 { addImplied() }
    }
  }

  /// An organisation that was removed while a key of it was made elsewhere stays, and lets nobody in.
  private mutating func addImplied() {
    for (subject, register) in registers.sorted(by: { $0.key.stream < $1.key.stream }) {
      guard case .key = subject, register.isPresent,
        register.fields["status"]?.value != .text(Key.Status.revoked.rawValue),
        let name = register.fields["organisation"]?.value.text
      else { continue }
      let id = OrganisationID(name)
      guard built.organisations[id] == nil else { continue }
      let wasRemoved = registers[.organisation(id)] != nil
      var commands: [Command] = [.organisation(.create(.init(id: id, name: name)))]
      if wasRemoved { commands.append(.organisation(.pause(id))) }
      _ = attempt(commands, .organisation(id))
      if wasRemoved {
        reasons[.organisation(id)] = "a key of it was made where it was not known to be removed"
      }
    }
  }

  private mutating func add(_ subject: Subject) {
    guard let register = registers[subject] else { return }
    let image = Image(
      shared: register.values, of: subject, own: own.image(of: subject))
    switch subject {
    case .settings: _ = attempt(Settings.commands(image), subject)
    case .pricing: _ = attempt(Pricing.commands(built.image(of: subject), image), subject)
    case .organisation(let id):
      _ = attempt(Organisation.commands(id, built.image(of: subject), image), subject)
    case .provider(let id):
      let names = fallbacks(image["prefix"].text, id.rawValue)
      add(subject, image, field: "prefix", names) { Provider.commands(id, nil, $0) }
    case .model(let id):
      guard image["isActive"] == .flag(false) else { return }
      _ = attempt([.model(.disable(id))], subject)
    case .account(let id):
      let names = fallbacks(image["name"].text, id.rawValue)
      add(subject, image, field: "name", names) { Account.commands(id, nil, $0) }
    case .key(let id): addKey(id, image)
    case .alias(let name):
      _ = attempt(AliasTarget.commands(name, image, allowUnresolved: true), subject)
    case .combo(let name):
      _ = attempt(Combo.commands(name, image, allowUnresolved: true), subject)
    case .policy(let id):
      _ = attempt(Policy.commands(id, image, allowUnresolved: true), subject)
    case .credential, .health: break
    }
  }

  /// As it is told, else under a name of the same sort that is free.
  private mutating func add(
    _ subject: Subject, _ image: Image, field: String, _ names: [String],
    _ commands: (Image) -> [Command]
  ) {
    if attempt(commands(image), subject) { return }
    for name in names {
      let reason = reasons[subject]
      if attempt(commands(image.replacing(field, with: .text(name))), subject) {
        reasons[subject] = reason
        return
      }
      reasons[subject] = reason
    }
  }

  private func fallbacks(_ name: String?, _ id: String) -> [String] {
    guard let name else { return [] }
    return (2...9).map { "\(name)-\($0)" } + [id]
  }

  private mutating func addKey(_ id: KeyID, _ image: Image) {
    switch KeyCreation(id, image, secretsKey: secretsKey) {
    case .possible(let commands): _ = attempt(commands, .key(id))
    case .otherMasterKey:
      reasons[.key(id)] =
        "the key was made under another master key, which tells keys apart otherwise"
    }
  }

  /// Whether the rules let it be; else nothing of it is, and why is kept.
  private mutating func attempt(_ commands: [Command], _ subject: Subject) -> Bool {
    do throws(Refusal) {
      // A single one is decided before it changes anything, and spares the copy.
      if commands.count == 1 {
        try built.perform(.merged(commands[0]))
      } else {
        built = try built.after(commands.map { .merged($0) })
      }
      return true
    } catch {
      reasons[subject] = reasons[subject] ?? error.message
      return false
    }
  }

  // MARK: From here to there

  func settlement(from state: ControlState) -> Settlement {
    var settlement = Settlement()
    var wanted: [(subject: Subject, image: Image?)] = []
    var keys: [Command] = []
    var subjects = Set(registers.keys)
    for id in built.organisations.keys { subjects.insert(.organisation(id)) }
    for subject in subjects.sorted(by: { ($0.rank, $0.stream) < ($1.rank, $1.stream) }) {
      let image = built.image(of: subject)
      if case .key(let id) = subject {
        // Keys are never forgotten: where one cannot be, nothing is done about it.
        guard let image else { continue }
        if state.keys[id] == nil, let register = registers[subject],
          case .possible(let commands) = KeyCreation(
            id, Image(shared: register.values, of: subject, own: nil), secretsKey: secretsKey)
        {
          keys += commands
          continue
        }
        wanted.append((subject, image))
        continue
      }
      if case .organisation = subject, registers[subject] == nil, state.image(of: subject) != nil {
        continue
      }
      wanted.append((subject, image))
    }
    let reversal = state.merging(toward: wanted)
    settlement.commands = reversal.commands.map { isForGood($0) ? $0 : .merged($0) }
    var outcome = state
    var done: [Command] = []
    for command in settlement.commands + keys.map({ .merged($0) }) {
      do throws(Refusal) {
        try outcome.perform(command)
        done.append(command)
      } catch {
        continue
      }
    }
    settlement.commands = done
    settlement.withheld = withheld(outcome)
    return settlement
  }

  /// Whether an account goes with its credential: somebody removed it, or it moves to another provider.
  private func isForGood(_ command: Command) -> Bool {
    guard case .account(.remove(let id)) = command else { return false }
    return built.accounts[id] != nil || registers[.account(id)]?.isPresent != true
  }

  /// What nodes agree on and is not so.
  private func withheld(_ outcome: ControlState) -> [SyncEvent.Withheld] {
    var all: [SyncEvent.Withheld] = []
    for (subject, register) in registers {
      let values = outcome.sharedFields(of: subject, secretsKey: secretsKey)
      let isThere = subject.isAlwaysThere ? true : values != nil
      var one = SyncEvent.Withheld(
        stream: subject.stream, isPresent: isThere == register.isPresent ? nil : register.isPresent,
        fields: [], reason: "")
      if register.isPresent {
        one.fields = register.fields.sorted { $0.key < $1.key }
          // Of what is not there at all, also what is not set: it is told on like the rest.
          .filter { values == nil || (values?[$0.key] ?? .none) != $0.value.value }
          .map { .init($0.key, $0.value.value) }
      }
      guard one.isPresent != nil || !one.fields.isEmpty else { continue }
      one.reason = reasons[subject] ?? "something that only this node has stands in the way"
      all.append(one)
    }
    return all.sorted { $0.stream < $1.stream }
  }
}

/// How a client key comes to be here that was made elsewhere.
enum KeyCreation {
  case possible([Command])
  case otherMasterKey

  init(_ id: KeyID, _ image: Image, secretsKey: String) {
    guard let text = image[keyFingerprintField].text,
      text.hasPrefix("\(secretsKey):"),
      let bytes = parseBase64(text.dropFirst(secretsKey.count + 1)),
      bytes.count == Fingerprint.byteCount
    else {
      self = .otherMasterKey
      return
    }
    let rights = KeyRights(
      allowedModels: image["allowedModels"].list?.compactMap(\.text),
      allowedAccounts: image["allowedAccounts"].list?.compactMap {
        $0.text.map { AccountID($0) }
      },
      expiry: image["expiresAt"].time.map { .at($0) },
      limits: Limits(imageValue: image["limits"]),
      budgets: image["budgets"].list?.compactMap(Budget.init(imageValue:)))
    let created = KeyEvent.Created(
      id: id, name: image["name"].text ?? id.rawValue,
      organisation: OrganisationID(image["organisation"].text ?? ""),
      fingerprint: Fingerprint(bytes), masked: image["maskedKey"].text ?? "…",
      diagnostics: image["diagnostics"].flag ?? false, expiresAt: nil)
    var commands: [Command] = [.key(.create(created, rights: rights))]
    switch image["status"].text.flatMap(Key.Status.init(rawValue:)) {
    case .paused: commands.append(.key(.pause(id)))
    case .revoked: commands.append(.key(.revoke(id)))
    case .active, nil: break
    }
    self = .possible(commands)
  }
}
