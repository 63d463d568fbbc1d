extension Account {
  /// As operators want it, field by field; its credential has a stream and an image of its own.
  var image: Image {
    Image(.account(id))
      .setting("provider", .text(provider.rawValue))
      .setting("name", .text(name))
      .setting("priority", Image.Value(priority))
      .setting("weight", Image.Value(weight))
      .setting("isActive", .flag(isEnabled))
      .setting("degraded", Image.Value(degradation?.reason))
  }

  /// Which generation of the credential is in force, and how it is known.
  var credentialImage: Image? { credential.image(of: id) }

  /// What makes the account be as the image says; one that was not there begins without a credential.
  static func commands(_ id: AccountID, _ before: Image?, _ after: Image) -> [Command] {
    let (name, provider) = (after["name"].text, after["provider"].text)
    let priority = after["priority"].number(as: UInt32.self)
    let weight = after["weight"].number(as: UInt32.self)
    var commands: [Command] = []
    if before == nil {
      commands.append(
        .account(
          .add(
            .init(
              id: id, provider: ProviderID(provider ?? ""), name: name ?? "",
              priority: priority ?? 1, weight: weight ?? 1), credential: nil)))
    } else {
      commands.append(
        .account(.change(.init(id: id, name: name, priority: priority, weight: weight))))
    }
    let isActive = after["isActive"].flag ?? true
    if isActive != before?["isActive"].flag ?? true {
      commands.append(.account(isActive ? .enable(id) : .disable(id)))
    }
    let reason = after["degraded"].text
    if reason != before?["degraded"].text {
      commands.append(.account(reason.map { .degrade(id, reason: $0) } ?? .restore(id)))
    }
    return commands
  }
}
