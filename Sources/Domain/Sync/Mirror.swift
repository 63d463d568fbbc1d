/// What a system of the older protocol holds of what this node holds, as far as both have words for it.
///
/// That system keeps whole records with one time for everything. Its times say nothing here, and what it does not tell
/// of was not removed.
public struct MirrorRecords: Sendable, Hashable {
  /// By stream: accounts, aliases and combos, field by field.
  public var streams: [String: [String: Image.Value]]

  /// Records taken in at once; more are refused.
  public static let most = 5_000

  /// Which token is told of an account, by its fingerprint.
  ///
  /// It is compared by whoever can open ours, never taken.
  public static let credential = "credential"

  /// Of these streams.
  public init(streams: [String: [String: Image.Value]]) { self.streams = streams }

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
    /// The rules do not allow it here.
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
  /// It told of more before: nothing of this is taken but that it was told.
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
      guard fields != base, !fields.isEmpty else { continue }
      // An account that nobody knows here has no provider and no credential here: it is the other system's own.
      if case .account(let id) = subject, accounts[id] == nil, removedAccounts[id] == nil {
        continue
      }
      mirror.told.append(
        .init(stream: stream, fields: fields.sorted { $0.key < $1.key }.map { .init($0, $1) }))
      if !isShrunken { mirror.take(subject, fields, base) }
    }
    for stream in before.keys.sorted() where records.streams[stream] == nil {
      mirror.told.append(.init(stream: stream, fields: nil))
    }
    guard !mirror.told.isEmpty || sync.peers[peer]?.failure != nil && !isShrunken else {
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
      var image = Image(subject)
      for (field, value) in theirs.sorted(by: { $0.key < $1.key }) {
        image = image.setting(field, value)
      }
      if !perform(subject, image, nil) {
        decision.winner = .ours
        decision.rule = .refused
      }
    }
    decisions.append(decision)
  }

  /// False: the rules do not allow it, and nothing was done.
  private mutating func perform(_ subject: Subject, _ image: Image, _ field: String?) -> Bool {
    let wanted: [Command]
    switch subject {
    case .account(let id):
      switch field {
      case "isActive":
        wanted =
          image["isActive"].flag.map { [.account($0 ? .enable(id) : .disable(id))] } ?? []
      case "name":
        wanted = image["name"].text.map { [.account(.change(.init(id: id, name: $0)))] } ?? []
      case "priority":
        wanted =
          image["priority"].number(as: UInt32.self).map {
            [.account(.change(.init(id: id, priority: $0)))]
          } ?? []
      case _: wanted = []
      }
    case .alias(let name): wanted = AliasTarget.commands(name, image, allowUnresolved: false)
    case .combo(let name): wanted = Combo.commands(name, image, allowUnresolved: false)
    case .provider, .key, .policy, .organisation, .model, .settings, .pricing, .credential, .health:
      wanted = []
    }
    guard !wanted.isEmpty, let after = try? outcome.after(wanted) else { return false }
    outcome = after
    commands += wanted
    return true
  }
}

// MARK: Encodings

extension SyncEvent.MirrorDecision: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(stream)
    writer.text(field)
    ours.write(to: &writer)
    theirs.write(to: &writer)
    base.write(to: &writer)
    writer.byte(winner.rawValue)
    writer.byte(rule.rawValue)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    stream = try reader.text()
    field = try reader.text()
    ours = try Image.Value(from: &reader)
    theirs = try Image.Value(from: &reader)
    base = try Image.Value(from: &reader)
    winner = try reader.one(of: SyncEvent.Winner.self)
    rule = try reader.one(of: SyncEvent.MirrorRule.self)
  }
}

extension SyncEvent.Mirrored.Told: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(stream)
    writer.flag(fields != nil)
    fields?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    stream = try reader.text()
    fields = try reader.flag() ? try [Image.Member](from: &reader) : nil
  }
}

extension SyncEvent.Mirrored: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(peer)
    writer.id(exchange)
    decisions.write(to: &writer)
    told.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    peer = try reader.text()
    exchange = try reader.id()
    decisions = try [SyncEvent.MirrorDecision](from: &reader)
    told = try [Told](from: &reader)
  }
}
