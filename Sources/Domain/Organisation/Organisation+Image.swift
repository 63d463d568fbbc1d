extension Organisation {
  /// As it stands, field by field.
  var image: Image {
    Image(.organisation(id))
      .setting("name", .text(name))
      .setting("limits", limits.imageValue)
      .setting("budgets", .list(budgets.map(\.imageValue)))
      .setting("isActive", .flag(!isPaused))
  }

  /// What makes the organisation be as the image says.
  static func commands(_ id: OrganisationID, _ before: Image?, _ after: Image) -> [Command] {
    let name = after["name"].text
    let limits = Limits(imageValue: after["limits"])
    let budgets = (after["budgets"].list ?? []).compactMap(Budget.init(imageValue:))
    var commands: [Command] = [
      before == nil
        ? .organisation(
          .create(.init(id: id, name: name ?? id.rawValue, limits: limits, budgets: budgets)))
        : .organisation(.change(.init(id: id, name: name, limits: limits, budgets: budgets)))
    ]
    let isActive = after["isActive"].flag ?? true
    if isActive != before?["isActive"].flag ?? true {
      commands.append(.organisation(isActive ? .resume(id) : .pause(id)))
    }
    return commands
  }
}
