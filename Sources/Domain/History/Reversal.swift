/// What makes resources be as they were, or as somebody wants them.
public struct Reversal: Sendable, Hashable {
  /// One batch, in an order in which references exist and names are free.
  public var commands: [Command] = []
  /// What does not come back, or goes with what is taken away.
  public var caveats: [Caveat] = []

  /// Something that an operator should know before it is done.
  public struct Caveat: Sendable, Hashable {
    /// Which stream it is about.
    public var stream: String
    /// One sentence.
    public var message: String
    /// What to do about it; may be empty.
    public var remedy: String

    /// Made of its parts.
    public init(stream: String, message: String, remedy: String = "") {
      self.stream = stream
      self.message = message
      self.remedy = remedy
    }
  }

  /// Nothing to do.
  public init() {}
}

extension ControlState {
  /// What to command so that the configuration becomes another one, in whole.
  ///
  /// Credentials, the secrets and the revocation of keys, and the administrator's password stay as they are.
  /// What cannot be as it was any more is left out and named.
  public func reversal(toward wanted: ControlState) -> Reversal {
    let known = Set(subjects)
    let all = subjects + wanted.subjects.filter { !known.contains($0) }
    return reversal(
      toward: all.map { ($0, wanted.image(of: $0)) }, allowUnresolved: true, isWhole: true)
  }

  /// What to command so that these resources become as the images say; nil: not there.
  ///
  /// Nothing else changes. What the rules refuse is given all the same, so that whoever executes it says why.
  ///
  /// - Parameter allowUnresolved: aliases, combos and policies may point at what nobody offers.
  public func reversal(
    toward wanted: [(subject: Subject, image: Image?)], allowUnresolved: Bool = false
  ) -> Reversal {
    reversal(toward: wanted, allowUnresolved: allowUnresolved, isWhole: false)
  }

  /// What to command so that these resources become as nodes agreed on: what cannot be is left out.
  func merging(toward wanted: [(subject: Subject, image: Image?)]) -> Reversal {
    reversal(toward: wanted, allowUnresolved: true, isWhole: true, isMerge: true)
  }

  private func reversal(
    toward wanted: [(subject: Subject, image: Image?)], allowUnresolved: Bool, isWhole: Bool,
    isMerge: Bool = false
  ) -> Reversal {
    var plan = ReversalPlan(
      self, allowUnresolved: allowUnresolved, isWhole: isWhole, isMerge: isMerge)
    for (subject, image) in wanted { plan.add(subject, image) }
    return plan.reversal
  }

  /// The state that commands lead to; their events' positions and times are made up.
  ///
  /// - Throws: the first refusal.
  public func after(_ commands: [Command]) throws(Refusal) -> ControlState {
    var outcome = self
    for command in commands { try outcome.perform(command) }
    return outcome
  }

  /// Takes in what a command leads to; the events' positions and times are made up.
  ///
  /// - Throws: the refusal; nothing changed then.
  public mutating func perform(_ command: Command) throws(Refusal) {
    for one in try decide(command, self) {
      apply(one.event, position: position + 1, time: UnixNanoseconds(0))
    }
  }
}

/// Turns wanted images into units of commands, and units into an order.
private struct ReversalPlan {
  /// What is done whole or not at all: a resource taken away, or one brought about.
  private struct Unit {
    var rank: Int
    var commands: [Command]
    /// What to say if the rules let it not be; nil: then the whole is refused.
    var otherwise: Reversal.Caveat?
  }

  private let state: ControlState
  private let allowUnresolved: Bool
  /// One thing that cannot be does not keep the others from going back.
  private let isWhole: Bool
  /// The edits were allowed where they were made.
  private let isMerge: Bool
  private var units: [Unit] = []
  private var caveats: [Reversal.Caveat] = []

  init(_ state: ControlState, allowUnresolved: Bool, isWhole: Bool, isMerge: Bool) {
    self.isMerge = isMerge
    self.state = state
    self.allowUnresolved = allowUnresolved
    self.isWhole = isWhole
  }

  var reversal: Reversal {
    let (commands, impossible) = ordered()
    var reversal = Reversal()
    reversal.commands = commands
    reversal.caveats = caveats + impossible
    return reversal
  }

  mutating func add(_ subject: Subject, _ after: Image?) {
    let before = state.image(of: subject)
    guard Image.difference(before, after).contains(where: \.isSettable) else { return }
    switch subject {
    case .provider(let id):
      if let after {
        units.append(Unit(rank: 10, commands: Provider.commands(id, before, after)))
      } else {
        units.append(Unit(rank: 3, commands: [.provider(.remove(id))]))
      }
    case .account(let id): add(id, before, after)
    case .alias(let name):
      if let after {
        let commands = AliasTarget.commands(name, after, allowUnresolved: allowUnresolved)
        units.append(Unit(rank: 20, commands: commands))
      } else {
        units.append(Unit(rank: 0, commands: [.alias(.remove(name: name))]))
      }
    case .key(let id): add(id, before, after)
    case .combo(let name):
      if let after {
        let commands = Combo.commands(name, after, allowUnresolved: allowUnresolved)
        units.append(Unit(rank: 21, commands: commands))
      } else {
        units.append(Unit(rank: 0, commands: [.combo(.remove(name: name))]))
      }
    case .policy(let id):
      if let after {
        let commands = Policy.commands(id, after, allowUnresolved: allowUnresolved)
        units.append(Unit(rank: 22, commands: commands))
      } else {
        units.append(Unit(rank: 0, commands: [.policy(.remove(id))]))
      }
    case .organisation(let id): add(id, before, after)
    case .model(let id): add(id, before, after)
    case .settings:
      if let after { units.append(Unit(rank: 9, commands: Settings.commands(after))) }
    case .pricing:
      if let after { units.append(Unit(rank: 9, commands: Pricing.commands(before, after))) }
    case .credential, .health: break
    }
  }

  /// An organisation that did not exist then may be needed by keys that do not go away.
  private mutating func add(_ id: OrganisationID, _ before: Image?, _ after: Image?) {
    if let after {
      units.append(Unit(rank: 8, commands: Organisation.commands(id, before, after)))
    } else {
      units.append(
        Unit(
          rank: 30, commands: [.organisation(.remove(id))],
          otherwise: .init(
            stream: id.stream, message: "the organisation stays: keys of it are left",
            remedy: "Revoke its keys, then remove it.")))
    }
  }

  /// Models are taken out one by one; that goes with their provider, and needs their name to be known.
  private mutating func add(_ id: ModelID, _ before: Image?, _ after: Image?) {
    guard let isActive = after?["isActive"].flag else { return }
    guard isActive != before?["isActive"].flag ?? true else { return }
    units.append(
      Unit(
        rank: 13, commands: [.model(isActive ? .enable(id) : .disable(id))],
        otherwise: .init(
          stream: id.stream, message: "the provider does not offer the model any more",
          remedy: "Read the provider's list of models again, then disable it.")))
  }

  /// An account never moves to another provider: it goes there and comes back here.
  private mutating func add(_ id: AccountID, _ before: Image?, _ after: Image?) {
    let stays = before?["provider"] == after?["provider"]
    if before != nil, !stays {
      units.append(Unit(rank: 2, commands: [.account(.remove(id))]))
      if after == nil, state.accounts[id]?.credential.fingerprint != nil {
        caveats.append(
          .init(
            stream: id.stream, message: "its credential is revoked with it",
            remedy: "Bringing the account back later needs a new credential."))
      }
    }
    guard let after else { return }
    units.append(
      Unit(rank: 11, commands: Account.commands(id, stays ? before : nil, after)))
    if !stays {
      caveats.append(
        .init(
          stream: id.stream, message: "the account comes back without a credential",
          remedy: "Issue one: until then no request goes there."))
    }
  }

  /// Keys are never forgotten and revocations never taken back.
  private mutating func add(_ id: KeyID, _ before: Image?, _ after: Image?) {
    let revoked = Image.Value.text(Key.Status.revoked.rawValue)
    switch (before, after) {
    case (.some(let before), .some) where before["status"] == revoked && !isMerge:
      caveats.append(
        .init(
          stream: id.stream, message: "the key is revoked, and a revoked key stays as it is",
          remedy: "Create a new key."))
    case (.some(let before), .some(let after)):
      if let rights = Key.rights(id, before, after) {
        units.append(
          Unit(
            rank: 12, commands: [rights],
            otherwise: .init(
              stream: id.stream,
              message: "the key's rights stay as they are: they named an account that is gone",
              remedy: "Set its allowed accounts anew.")))
      }
      units.append(Unit(rank: 13, commands: Key.commands(id, before, after)))
    case (.some(let before), .none):
      guard before["status"] != revoked else { return }
      if before["status"].text == Key.Status.active.rawValue {
        units.append(Unit(rank: 1, commands: [.key(.pause(id))]))
      }
      caveats.append(
        .init(
          stream: id.stream,
          message: "the key did not exist then; it is paused, because revoking is for good",
          remedy: "Revoke it, or resume it."))
    case (.none, .some):
      caveats.append(
        .init(
          stream: id.stream, message: "the key cannot come back: its secret is not kept",
          remedy: "Create a new key."))
    case (.none, .none): break
    }
  }

  /// The units' commands in an order that the rules accept; what they refuse in any order comes last.
  ///
  /// Ranks are right for nearly all. Names that pass from one to another may want another order, which is
  /// found by trying; names that change places need a name in between.
  private func ordered() -> (commands: [Command], impossible: [Reversal.Caveat]) {
    var scratch = state
    var commands: [Command] = []
    var impossible: [Reversal.Caveat] = []
    var rest = units.enumerated().sorted {
      ($0.element.rank, $0.offset) < ($1.element.rank, $1.offset)
    }
    .map(\.element)
    while !rest.isEmpty {
      var refused: [Unit] = []
      for unit in rest {
        if Self.perform(isMerge ? unit.commands.map { .merged($0) } : unit.commands, &scratch) {
          commands += unit.commands
        } else {
          refused.append(unit)
        }
      }
      if refused.count == rest.count {
        if let step = Self.nameBetween(refused, scratch) {
          scratch = step.outcome
          commands.append(step.command)
        } else {
          for unit in refused {
            if let caveat = unit.otherwise ?? (isWhole ? Self.caveat(unit, scratch) : nil) {
              impossible.append(caveat)
            } else {
              // Whoever executes these hears why they are refused.
              commands += unit.commands
            }
          }
          return (commands, impossible)
        }
      }
      rest = refused
    }
    return (commands, impossible)
  }

  private static func caveat(_ unit: Unit, _ state: ControlState) -> Reversal.Caveat? {
    do throws(Refusal) {
      _ = try state.after(unit.commands)
      return nil
    } catch {
      return unit.commands.first.map {
        .init(
          stream: $0.stream, message: "it stays as it is: \(error.message)", remedy: error.remedy)
      }
    }
  }

  /// Whether the rules let all of it be; else nothing of it is.
  private static func perform(_ commands: [Command], _ state: inout ControlState) -> Bool {
    do throws(Refusal) {
      // A single one is decided before it changes anything, and spares the copy.
      if commands.count == 1 {
        try state.perform(commands[0])
      } else {
        state = try state.after(commands)
      }
      return true
    } catch {
      return false
    }
  }

  /// Frees a name that another unit waits for, by giving its holder one in between.
  private static func nameBetween(
    _ units: [Unit], _ state: ControlState
  ) -> (command: Command, outcome: ControlState)? {
    for command in units.lazy.flatMap(\.commands) {
      // The numbers end: names that are taken are finitely many, and so are names that were given.
      for number in 1...100 {
        let name = "between-\(number)"
        let step: Command
        switch command {
        case .provider(.change(let it)):
          guard let prefix = it.prefix, let holder = state.providers[it.id]?.prefix,
            prefix != holder, !holder.hasPrefix("between-")
          else { continue }
          step = .provider(.change(.init(id: it.id, prefix: name)))
        case .account(.change(let it)):
          guard let wanted = it.name, let holder = state.accounts[it.id]?.name,
            wanted != holder, !holder.hasPrefix("between-")
          else { continue }
          step = .account(.change(.init(id: it.id, name: name)))
        case .provider, .account, .credential, .health, .model, .alias, .combo, .policy,
          .organisation, .key, .settings, .pricing, .access, .node, .sync, .syncToken,
          .merged:
          continue
        }
        var outcome = state
        if perform([step], &outcome) { return (step, outcome) }
      }
    }
    return nil
  }
}
