/// A model at a provider, by the provider's own name of it.
public struct ModelID: Sendable, Hashable, Comparable {
  /// Whose model.
  public var provider: ProviderID
  /// The provider's own name: 1…191 bytes.
  public var name: String

  /// Made of its parts.
  public init(provider: ProviderID, name: String) {
    self.provider = provider
    self.name = name
  }

  /// By provider, then by name.
  public static func < (a: Self, b: Self) -> Bool {
    (a.provider, a.name) < (b.provider, b.name)
  }
}

/// Facts in `model/<provider>/<name>`: what operators want of one model.
public enum ModelEvent: Sendable, Hashable {
  case enabled(ModelID)
  case disabled(ModelID)

  /// Which model the fact is about.
  public var id: ModelID {
    switch self {
    case .enabled(let id), .disabled(let id): id
    }
  }
}

/// What can be asked of a model.
public enum ModelCommand: Sendable, Hashable {
  case enable(ModelID)
  /// No request goes there, by whichever name, until it is enabled again.
  case disable(ModelID)

  /// Which model the command is about.
  public var id: ModelID {
    switch self {
    case .enable(let id), .disable(let id): id
    }
  }
}

extension ModelID: Payload {
  func write(to writer: inout RecordWriter) {
    provider.write(to: &writer)
    writer.text(name)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    provider = try ProviderID(from: &reader)
    name = try reader.text()
  }
}

extension Provider {
  /// The rules of one of its models.
  func decide(_ command: ModelCommand) throws(Refusal) -> [ModelEvent] {
    let isDisabled = disabledModels.contains(command.id.name)
    guard isDisabled || has(model: command.id.name) else { throw Self.unknown(command.id) }
    switch command {
    case .enable(let id): return isDisabled ? [.enabled(id)] : []
    case .disable(let id): return isDisabled ? [] : [.disabled(id)]
    }
  }

  /// Takes in a fact about one of its models; total, and none of the provider's own revisions.
  mutating func evolve(_ event: ModelEvent) {
    switch event {
    case .enabled(let id): disabledModels.removeAll { $0 == id.name }
    case .disabled(let id):
      guard !disabledModels.contains(id.name) else { return }
      disabledModels.append(id.name)
      disabledModels.sort()
    }
  }

  static func unknown(_ id: ModelID) -> Refusal {
    Refusal(
      code: .unknownModel, field: "model",
      value: Refusal.bounded("\(id.provider.rawValue)/\(id.name)"),
      message: "the provider offers no such model",
      remedy: "List the models to see their names, or let the provider's list be read again.")
  }
}
