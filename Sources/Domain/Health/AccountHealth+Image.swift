extension AccountHealth {
  /// What is known, field by field; nothing of it is an operator's to set back.
  func image(of id: AccountID) -> Image {
    Image(.health(id))
      .showing("testStatus", .text(testStatus.name))
      .showing("rateLimitedUntil", Image.Value(cooldown?.until))
      .showing("cooldownRule", Image.Value(cooldown?.rule))
      .showing(
        "modelCooldowns",
        .record(
          modelCooldowns.sorted { $0.key < $1.key }.map { .init($0.key, .time($0.value.until)) })
      )
      .showing("quirks", Image.Value(quirks.map(\.name)))
      .showing("errorCode", Image.Value(lastError?.status))
      .showing("lastError", Image.Value(lastError?.code))
  }
}
