extension AliasTarget {
  /// The rules of one alias; nil is "there is none".
  ///
  /// - Parameter isUnresolved: whether the target is unknown, as the models of all providers say.
  static func decide(
    _ command: AliasCommand, _ state: AliasTarget?, isUnresolved: Bool
  ) throws(Refusal) -> [AliasEvent] {
    switch (command, state) {
    case (.set(_, let target, _), .some(let alias))
    where alias.target == target && alias.isUnresolved == isUnresolved:
      return []
    case (.set(let name, let target, _), .none), (.set(let name, let target, _), .some):
      return [.set(.init(name: name, target: target, isUnresolved: isUnresolved))]
    case (.remove(let name), .some):
      return [.removed(name)]
    case (.remove(let name), .none):
      throw unknown(name)
    }
  }

  static func unknown(_ name: String) -> Refusal {
    Refusal(
      code: .unknownAlias, field: "name", value: Refusal.bounded(name),
      message: "there is no such alias", remedy: "List the aliases to see their names.")
  }

  /// Takes in a fact; total.
  static func evolve(
    _ state: inout AliasTarget?, _ event: AliasEvent, revision: UInt64, time: UnixNanoseconds
  ) {
    switch event {
    case .set(let it):
      state = AliasTarget(
        name: it.name, target: it.target, isUnresolved: it.isUnresolved, revision: revision,
        createdAt: state?.createdAt ?? time, updatedAt: time)
    case .removed: state = nil
    }
  }
}
