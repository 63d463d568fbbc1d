extension Settings {
  /// As they stand, field by field; the administrator's password is none of them.
  var image: Image {
    Image(.settings)
      .setting("fallbackStrategy", .text(fallbackStrategy.name))
      .setting("requireApiKey", .flag(requireAPIKey))
      .setting("forceModelPrefix", .flag(forceModelPrefix))
      .setting("maxBodyBytes", .number(maxBodyBytes))
      .setting("trustedProxies", Image.Value(trustedProxies))
      .setting("stickyRoundRobinLimit", .number(UInt64(stickyRoundRobinLimit)))
      .setting("maxAttempts", .number(UInt64(maxAttempts)))
      .setting("requestTimeoutSeconds", .number(UInt64(requestTimeoutSeconds)))
  }

  /// What makes the settings be as the image says.
  static func commands(_ after: Image) -> [Command] {
    let strategy = Strategy.allCases.first { $0.name == after["fallbackStrategy"].text }
    return [
      .settings(
        .change(
          .init(
            fallbackStrategy: strategy, requireAPIKey: after["requireApiKey"].flag,
            forceModelPrefix: after["forceModelPrefix"].flag,
            maxBodyBytes: after["maxBodyBytes"].number))),
      .settings(
        .changeRouting(
          .init(
            stickyRoundRobinLimit: after["stickyRoundRobinLimit"].number(as: UInt32.self),
            maxAttempts: after["maxAttempts"].number(as: UInt32.self),
            requestTimeoutSeconds: after["requestTimeoutSeconds"].number(as: UInt32.self)))),
      .settings(.setTrustedProxies((after["trustedProxies"].list ?? []).compactMap(\.text))),
    ]
  }
}
