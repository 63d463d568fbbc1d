/// What a system of the older protocol holds of what this node holds, as far as both have words for it.
///
/// That system keeps whole records with one time for everything. Its times say nothing here, and what it does not tell
/// of was not removed.
public struct MirrorRecords: Sendable, Hashable {
  /// By stream: accounts, aliases and combos, field by field.
  public var streams: [String: [String: Image.Value]]

  /// Records taken in at once; more are refused.
  public static let most = 5_000
  /// What all that is told may take, in bytes; more is refused.
  public static let mostBytes = 1 << 20

  /// Which token is told of an account, by its fingerprint.
  ///
  /// It is compared by whoever can open ours, never taken.
  public static let credential = "credential"

  /// Of these streams.
  public init(streams: [String: [String: Image.Value]]) { self.streams = streams }

  /// About what all of it takes in the log, in bytes.
  public var weight: Int {
    streams.reduce(0) { sum, one in
      one.value.reduce(sum + one.key.utf8.count) { $0 + $1.key.utf8.count + $1.value.weight }
    }
  }

  /// The fields that both have words for; health and credentials are none of them.
  static func fields(_ subject: Subject) -> [String]? {
    switch subject {
    case .account: [credential, "isActive", "name", "priority"]
    case .alias: ["model"]
    case .combo: ["models"]
    case .provider, .key, .policy, .organisation, .model, .settings, .pricing, .credential, .health:
      nil
    }
  }
}

extension SyncEvent {
  /// What a system of the older protocol told was compared with what is here and with what it told before; the
  /// changes themselves stand before it in the same batch.
  public struct Mirrored: Sendable, Hashable {
    /// The other system's name.
    public var peer: String
    /// See `Exchanged.exchange`.
    public var exchange: UInt128
    /// Every field in which it differs from what it told before.
    public var decisions: [MirrorDecision]
    /// What it tells from now on otherwise than before.
    public var told: [Told]

    /// Made of its parts.
    public init(
      peer: String, exchange: UInt128, decisions: [MirrorDecision], told: [Told]
    ) {
      self.peer = peer
      self.exchange = exchange
      self.decisions = decisions
      self.told = told
    }

    /// The same as events of which each takes about `bytes` at most; at least one.
    public func parts(bytes: Int) -> [Mirrored] {
      var parts: [Mirrored] = []
      var (part, weight) = (Mirrored(peer: peer, exchange: exchange, decisions: [], told: []), 0)
      func add(_ more: Int, _ put: (inout Mirrored) -> Void) {
        if weight > 0, weight + more > bytes {
          parts.append(part)
          part.decisions = []
          part.told = []
          weight = 0
        }
        put(&part)
        weight += more
      }
      for decision in decisions { add(decision.weight) { $0.decisions.append(decision) } }
      for one in told { add(one.weight) { $0.told.append(one) } }
      return parts + [part]
    }

    /// One record as it was told.
    public struct Told: Sendable, Hashable {
      /// Whose it is.
      public var stream: String
      /// By name; nil: it is told of no more.
      public var fields: [Image.Member]?

      /// Made of its parts.
      public init(stream: String, fields: [Image.Member]?) {
        self.stream = stream
        self.fields = fields
      }

      fileprivate var weight: Int {
        (fields ?? []).reduce(stream.utf8.count) { $0 + $1.name.utf8.count + $1.value.weight }
      }
    }
  }

  /// Whose value of a field holds, and why.
  public struct MirrorDecision: Sendable, Hashable {
    /// Whose field it is.
    public var stream: String
    /// By the name that answers give it; empty: whether the resource is there.
    public var field: String
    /// As it was here.
    public var ours: Image.Value
    /// As it is told now.
    public var theirs: Image.Value
    /// As it was told before; `none`: it was not.
    public var base: Image.Value
    /// Whose it is that holds.
    public var winner: Winner
    /// Why.
    public var rule: MirrorRule

    /// Made of its parts.
    public init(
      stream: String, field: String, ours: Image.Value, theirs: Image.Value, base: Image.Value,
      winner: Winner, rule: MirrorRule
    ) {
      self.stream = stream
      self.field = field
      self.ours = ours
      self.theirs = theirs
      self.base = base
      self.winner = winner
      self.rule = rule
    }

    fileprivate var weight: Int {
      stream.utf8.count + field.utf8.count + ours.weight + theirs.weight + base.weight
    }

    /// Somebody's value does not hold although nobody took it back.
    public var isConflict: Bool {
      switch rule {
      case .concurrent, .removed, .refused: true
      case .new, .successor: false
      }
    }
  }

  /// Why a value holds.
  public enum MirrorRule: UInt8, Sendable, Hashable, CaseIterable {
    /// Nothing was known of it here.
    case new = 1
    /// Only one side changed it since it was last told.
    case successor = 2
    /// Both did, or nobody knows: ours holds.
    case concurrent = 3
    /// It was removed here.
    case removed = 4
    /// The rules do not allow it here; what never was here is left to the other side.
    case refused = 5

    /// As shown.
    public var name: String {
      switch self {
      case .new: "new"
      case .successor: "successor"
      case .concurrent: "concurrent"
      case .removed: "removed"
      case .refused: "refused"
      }
    }
  }
}

/// What taking in the records of a system of the older protocol comes to.
public struct MirrorOutcome: Sendable, Hashable {
  /// One batch with `event` behind them.
  public var commands: [Command]
  /// nil: nothing is new.
  public var event: SyncEvent.Mirrored?
  /// It forgot something that is here: that was not removed, and is to be told again.
  public var isShrunken: Bool
}

extension ControlState {
  /// What is told of this node: every account, alias and combo, by the fields that the older protocol has words for.
  public var mirrored: MirrorRecords {
    var streams: [String: [String: Image.Value]] = [:]
    for subject in subjects {
      guard let names = MirrorRecords.fields(subject), let image = image(of: subject) else {
        continue
      }
      streams[subject.stream] = Dictionary(
        uniqueKeysWithValues: names.filter { $0 != MirrorRecords.credential }
          .map { ($0, image[$0]) })
    }
    return MirrorRecords(streams: streams)
  }

  /// Decides field by field between what is here, what a system of the older protocol tells, and what it told before.
  ///
  /// Total and deterministic; taking in the same again is no news.
  public func mirror(
    _ records: MirrorRecords, peer: String, exchange: UInt128
  ) -> MirrorOutcome {
    let before = sync.peers[peer]?.told ?? [:]
    var mirror = Mirror(outcome: self)
    // What was removed here may be gone there; what is here was forgotten there.
    let isShrunken = before.keys.contains { stream in
      records.streams[stream] == nil && image(ofStream: stream) != nil
    }
    for (stream, told) in records.streams.sorted(by: { $0.key < $1.key }) {
      guard let subject = Subject(stream: stream), subject.stream == stream,
        let names = MirrorRecords.fields(subject)
      else { continue }
      let fields = told.filter { names.contains($0.key) }
      let base = before[stream]
      guard !fields.isEmpty else { continue }
      guard fields != base else {
        mirror.takeLeft(subject, fields)
        continue
      }
      // An account that nobody knows here has no provider and no credential here: it is the other system's own.
      if case .account(let id) = subject, accounts[id] == nil, removedAccounts[id] == nil {
        continue
      }
      mirror.told.append(
        .init(stream: stream, fields: fields.sorted { $0.key < $1.key }.map { .init($0, $1) }))
      mirror.take(subject, fields, base)
    }
    for stream in before.keys.sorted() where records.streams[stream] == nil {
      mirror.told.append(.init(stream: stream, fields: nil))
    }
    let isNews = !mirror.told.isEmpty || !mirror.decisions.isEmpty
    guard isNews || sync.peers[peer]?.failure != nil && !isShrunken else {
      return MirrorOutcome(commands: [], event: nil, isShrunken: isShrunken)
    }
    return MirrorOutcome(
      commands: mirror.commands,
      event: SyncEvent.Mirrored(
        peer: peer, exchange: exchange, decisions: mirror.decisions, told: mirror.told),
      isShrunken: isShrunken)
  }
}

/// Puts one record after the other beside what is here.
private struct Mirror {
  /// With what was taken so far.
  var outcome: ControlState
  var commands: [Command] = []
  var decisions: [SyncEvent.MirrorDecision] = []
  var told: [SyncEvent.Mirrored.Told] = []

  init(outcome: ControlState) { self.outcome = outcome }

  mutating func take(
    _ subject: Subject, _ theirs: [String: Image.Value], _ base: [String: Image.Value]?
  ) {
    guard let image = outcome.image(of: subject) else {
      takeMissing(subject, theirs, base)
      return
    }
    for (field, value) in theirs.sorted(by: { $0.key < $1.key })
    where field != MirrorRecords.credential {
      let (ours, known) = (image[field], base?[field] ?? .none)
      guard value != known, value != ours else { continue }
      let isTheirs = ours == known
      var decision = SyncEvent.MirrorDecision(
        stream: subject.stream, field: field, ours: ours, theirs: value, base: known,
        winner: isTheirs ? .theirs : .ours, rule: isTheirs ? .successor : .concurrent)
      if isTheirs, !perform(subject, image.replacing(field, with: value), field) {
        decision.winner = .ours
        decision.rule = .refused
      }
      decisions.append(decision)
    }
  }

  /// It is not here: it was removed here, or is new.
  private mutating func takeMissing(
    _ subject: Subject, _ theirs: [String: Image.Value], _ base: [String: Image.Value]?
  ) {
    let wasHere = outcome.sync.knows(subject.stream)
    var decision = SyncEvent.MirrorDecision(
      stream: subject.stream, field: "", ours: .flag(false), theirs: .flag(true),
      base: base == nil ? .none : .flag(true), winner: wasHere ? .ours : .theirs,
      rule: wasHere ? .removed : .new)
    if !wasHere {
      if !add(subject, theirs) {
        decision.winner = .ours
        decision.rule = .refused
      }
    }
    decisions.append(decision)
  }

  /// What could not be here when it was told may be possible now.
  mutating func takeLeft(_ subject: Subject, _ theirs: [String: Image.Value]) {
    guard outcome.image(of: subject) == nil, !outcome.sync.knows(subject.stream),
      add(subject, theirs)
    else { return }
    decisions.append(
      .init(
        stream: subject.stream, field: "", ours: .flag(false), theirs: .flag(true),
        base: .flag(true), winner: .theirs, rule: .new))
  }

  /// False: the rules do not allow it, and nothing was done.
  private mutating func add(_ subject: Subject, _ fields: [String: Image.Value]) -> Bool {
    var image = Image(subject)
    for (field, value) in fields.sorted(by: { $0.key < $1.key }) {
      image = image.setting(field, value)
    }
    return perform(subject, image, nil)
  }

  /// False: the rules do not allow it, and nothing was done.
  private mutating func perform(_ subject: Subject, _ image: Image, _ field: String?) -> Bool {
    guard let wanted = Self.command(subject, image, field) else { return false }
    do throws(Refusal) {
      try outcome.perform(wanted)
    } catch {
      return false
    }
    commands.append(wanted)
    return true
  }

  /// nil: the value is none that the field can have.
  private static func command(_ subject: Subject, _ image: Image, _ field: String?) -> Command? {
    switch subject {
    case .account(let id):
      switch field {
      case "isActive":
        return image["isActive"].flag.map { .account($0 ? .enable(id) : .disable(id)) }
      case "name": return image["name"].text.map { .account(.change(.init(id: id, name: $0))) }
      case "priority":
        return image["priority"].number(as: UInt32.self).map {
          .account(.change(.init(id: id, priority: $0)))
        }
      case _: return nil
      }
    case .alias(let name):
      guard image["model"].text != nil else { return nil }
      return AliasTarget.commands(name, image, allowUnresolved: false).first
    case .combo(let name):
      guard image["models"].list?.allSatisfy({ $0.text != nil }) == true else { return nil }
      return Combo.commands(name, image, allowUnresolved: false).first
    case .provider, .key, .policy, .organisation, .model, .settings, .pricing, .credential, .health:
      return nil
    }
  }
}

extension Image.Value {
  /// About what it takes in the log, in bytes.
  fileprivate var weight: Int {
    switch self {
    case .none, .flag: 1
    case .number, .time: 9
    case .text(let text): text.utf8.count + 3
    case .list(let values): values.reduce(3) { $0 + $1.weight }
    case .record(let members): members.reduce(3) { $0 + $1.name.utf8.count + $1.value.weight }
    }
  }
}
