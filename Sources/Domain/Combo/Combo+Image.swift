extension Combo {
  /// As it stands, field by field.
  var image: Image {
    Image(.combo(name))
      .setting("models", Image.Value(models))
      .showing("isUnresolved", .flag(isUnresolved))
  }

  /// What makes the combo mean what the image says; as for aliases.
  static func commands(_ name: String, _ after: Image, allowUnresolved: Bool) -> [Command] {
    [
      .combo(
        .set(
          name: name, models: (after["models"].list ?? []).compactMap(\.text),
          allowUnresolved: allowUnresolved || after["isUnresolved"].flag ?? false))
    ]
  }
}
