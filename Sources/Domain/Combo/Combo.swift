/// Facts in `combo/<name>`.
public enum ComboEvent: Sendable, Hashable {
  case set(Set)
  case removed(String)

  /// The combo now is this list.
  public struct Set: Sendable, Hashable {
    /// Client-facing name: 1…128 visible ASCII, no `/`.
    public var name: String
    /// `prefix/model` or model names, the first one tried first: 1…32, each once.
    public var models: [String]
    /// Some of the models were unknown when it was written (`allowUnresolved`).
    public var isUnresolved: Bool

    /// Made of its parts.
    public init(name: String, models: [String], isUnresolved: Bool) {
      self.name = name
      self.models = models
      self.isUnresolved = isUnresolved
    }
  }

  /// Which combo the fact is about.
  public var name: String {
    switch self {
    case .set(let it): it.name
    case .removed(let name): name
    }
  }
}

/// An ordered fallback list of models, as it stands.
public struct Combo: Sendable, Hashable {
  /// 1…128 visible ASCII, no `/`.
  public var name: String
  /// `prefix/model` or model names, the first one tried first: 1…32, each once.
  public var models: [String]
  /// Some of the models were unknown when it was written.
  public var isUnresolved: Bool
  /// Of `combo/<name>`.
  public var revision: UInt64
  /// When it began.
  public var createdAt: UnixNanoseconds
  /// When it was last changed.
  public var updatedAt: UnixNanoseconds

  /// Made of its parts.
  public init(
    name: String, models: [String], isUnresolved: Bool, revision: UInt64,
    createdAt: UnixNanoseconds, updatedAt: UnixNanoseconds
  ) {
    self.name = name
    self.models = models
    self.isUnresolved = isUnresolved
    self.revision = revision
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }
}

/// What can be asked of a combo.
public enum ComboCommand: Sendable, Hashable {
  /// Makes the combo this list, whatever it was before.
  case set(name: String, models: [String], allowUnresolved: Bool)
  case remove(name: String)

  /// Which combo the command is about.
  public var name: String {
    switch self {
    case .set(let name, _, _), .remove(let name): name
    }
  }
}

extension Combo {
  static let modelsMax = 32

  /// The rules of one combo; nil is "there is none".
  ///
  /// - Parameter isUnresolved: whether some model is unknown, as the models of all providers say.
  static func decide(
    _ command: ComboCommand, _ state: Combo?, isUnresolved: Bool
  ) throws(Refusal) -> [ComboEvent] {
    switch (command, state) {
    case (.set(_, let models, _), .some(let combo))
    where combo.models == models && combo.isUnresolved == isUnresolved:
      return []
    case (.set(let name, let models, _), .none), (.set(let name, let models, _), .some):
      return [.set(.init(name: name, models: models, isUnresolved: isUnresolved))]
    case (.remove(let name), .some): return [.removed(name)]
    case (.remove(let name), .none): throw unknown(name)
    }
  }

  /// Takes in a fact; total.
  static func evolve(
    _ state: inout Combo?, _ event: ComboEvent, revision: UInt64, time: UnixNanoseconds
  ) {
    switch event {
    case .set(let it):
      state = Combo(
        name: it.name, models: it.models, isUnresolved: it.isUnresolved, revision: revision,
        createdAt: state?.createdAt ?? time, updatedAt: time)
    case .removed: state = nil
    }
  }

  static func unknown(_ name: String) -> Refusal {
    Refusal(
      code: .unknownCombo, field: "name", value: Refusal.bounded(name),
      message: "there is no such combo", remedy: "List the combos to see their names.")
  }
}

extension ComboEvent.Set: Payload {
  func write(to writer: inout RecordWriter) {
    writer.text(name)
    models.write(to: &writer)
    writer.flag(isUnresolved)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    name = try reader.text()
    models = try [String](from: &reader)
    isUnresolved = try reader.flag()
  }
}
