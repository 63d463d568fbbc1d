extension Organisation {
  /// The rules of one organisation; nil is "there is none", also behind a tombstone.
  static func decide(
    _ command: OrganisationCommand, _ state: Organisation?
  ) throws(Refusal) -> [OrganisationEvent] {
    switch (command, state) {
    case (.create(let wanted), .none):
      try Bounds.identifier(wanted.id.rawValue, "id")
      try Bounds.label(wanted.name, "name", most: 128)
      try wanted.limits.check()
      try Budget.check(wanted.budgets)
      var events = [OrganisationEvent.created(.init(id: wanted.id, name: wanted.name))]
      if wanted.limits != .none {
        events.append(.limitsSet(.init(id: wanted.id, limits: wanted.limits)))
      }
      if !wanted.budgets.isEmpty {
        events.append(.budgetsSet(.init(id: wanted.id, budgets: wanted.budgets)))
      }
      return events
    case (.create(let wanted), .some):
      throw Refusal(
        code: .alreadyExists, field: "id", value: Refusal.bounded(wanted.id.rawValue),
        message: "there is an organisation \(wanted.id.rawValue)", remedy: "Change it instead.")

    case (.change(let wanted), .some(let organisation)):
      return try organisation.changes(wanted)
    case (.pause(let id), .some(let organisation)):
      return organisation.isPaused ? [] : [.paused(id)]
    case (.resume(let id), .some(let organisation)):
      return organisation.isPaused ? [.resumed(id)] : []
    case (.remove(let id), .some):
      return [.removed(id)]

    case (.change, .none), (.pause, .none), (.resume, .none), (.remove, .none):
      throw unknown(command.id)
    }
  }

  /// Takes in a fact; total.
  static func evolve(
    _ state: inout Organisation?, _ event: OrganisationEvent, revision: UInt64,
    time: UnixNanoseconds
  ) {
    switch event {
    case .created(let it):
      state = .implied(it.id, time)
      state?.name = it.name
    case .renamed(let it): state?.name = it.name
    case .limitsSet(let it): state?.limits = it.limits
    case .budgetsSet(let it): state?.budgets = it.budgets
    case .paused: state?.isPaused = true
    case .resumed: state?.isPaused = false
    case .removed: state = nil
    }
    state?.revision = revision
    state?.updatedAt = time
  }

  static func unknown(_ id: OrganisationID) -> Refusal {
    Refusal(
      code: .unknownOrganisation, field: "organisation", value: Refusal.bounded(id.rawValue),
      message: "there is no such organisation",
      remedy: "Create it first, or list the organisations to see their ids.")
  }

  private func changes(
    _ wanted: OrganisationCommand.Change
  ) throws(Refusal) -> [OrganisationEvent] {
    var events: [OrganisationEvent] = []
    if let name = wanted.name {
      try Bounds.label(name, "name", most: 128)
      if name != self.name { events.append(.renamed(.init(id: id, name: name))) }
    }
    if let limits = wanted.limits {
      try limits.check()
      if limits != self.limits { events.append(.limitsSet(.init(id: id, limits: limits))) }
    }
    if let budgets = wanted.budgets {
      try Budget.check(budgets)
      if budgets != self.budgets { events.append(.budgetsSet(.init(id: id, budgets: budgets))) }
    }
    return events
  }
}
