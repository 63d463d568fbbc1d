extension AliasTarget {
  /// As it stands, field by field.
  var image: Image {
    Image(.alias(name))
      .setting("model", .text(target))
      .showing("isUnresolved", .flag(isUnresolved))
  }

  /// What makes the alias mean what the image says.
  ///
  /// - Parameter allowUnresolved: also if nobody offers that any more; where it was so then, it always may.
  static func commands(_ name: String, _ after: Image, allowUnresolved: Bool) -> [Command] {
    [
      .alias(
        .set(
          name: name, target: after["model"].text ?? "",
          allowUnresolved: allowUnresolved || after["isUnresolved"].flag ?? false))
    ]
  }
}
