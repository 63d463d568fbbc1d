extension Key {
  /// As it stands, field by field; what it was created with is shown only.
  var image: Image {
    Image(.key(id))
      .setting("name", .text(name))
      .showing("organisation", .text(organisation.rawValue))
      .showing("maskedKey", .text(masked))
      .showing("fingerprint", .text(fingerprint.short))
      .setting("diagnostics", .flag(diagnostics))
      .setting("expiresAt", Image.Value(expiresAt))
      .setting("allowedModels", Image.Value(allowedModels))
      .setting("allowedAccounts", Image.Value(allowedAccounts.map(\.rawValue)))
      .setting("limits", limits.imageValue)
      .setting("budgets", .list(budgets.map(\.imageValue)))
      .setting("status", .text(status.rawValue))
  }

  /// What makes a key that is not revoked be as the image says, its rights apart.
  static func commands(_ id: KeyID, _ before: Image, _ after: Image) -> [Command] {
    let change = Command.key(
      .change(.init(id: id, name: after["name"].text, diagnostics: after["diagnostics"].flag)))
    guard before["status"] != after["status"] else { return [change] }
    switch after["status"].text.flatMap(Key.Status.init(rawValue:)) {
    case .active: return [change, .key(.resume(id))]
    case .paused: return [change, .key(.pause(id))]
    case .revoked: return [change, .key(.revoke(id))]
    case .none: return [change]
    }
  }

  /// What gives the key the rights that differ; nil: none do.
  static func rights(_ id: KeyID, _ before: Image, _ after: Image) -> Command? {
    func changed(_ field: String) -> Image.Value? {
      before[field] == after[field] ? nil : after[field]
    }
    let rights = KeyRights(
      allowedModels: changed("allowedModels")?.list?.compactMap(\.text),
      allowedAccounts: changed("allowedAccounts")?.list?.compactMap {
        $0.text.map { AccountID($0) }
      },
      expiry: changed("expiresAt").map { $0.time.map { .at($0) } ?? .never },
      limits: changed("limits").map { Limits(imageValue: $0) },
      budgets: changed("budgets")?.list?.compactMap(Budget.init(imageValue:)))
    return rights == KeyRights() ? nil : .key(.changeRights(id, rights))
  }
}
