extension Key {
  /// As it stands, field by field; what it was created with is shown only.
  var image: Image {
    Image(.key(id))
      .setting("name", .text(name))
      .showing("organisation", .text(organisation.rawValue))
      .showing("maskedKey", .text(masked))
      .showing("fingerprint", .text(fingerprint.short))
      .setting("diagnostics", .flag(diagnostics))
      .showing("expiresAt", Image.Value(expiresAt))
      .setting("status", .text(status.rawValue))
  }

  /// What makes a key that is not revoked be as the image says.
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
}
