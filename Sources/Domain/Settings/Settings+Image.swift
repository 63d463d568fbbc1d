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
      .setting("cloudUrl", Image.Value(sync.cloudURL.isEmpty ? nil : sync.cloudURL))
      .setting("cloudProtocol", .text(sync.cloudProtocol.name))
      .setting("machineId", Image.Value(sync.machineID.isEmpty ? nil : sync.machineID))
      .setting("syncSecrets", .flag(sync.syncSecrets))
      .setting("syncIntervalSeconds", .number(UInt64(sync.intervalSeconds)))
      .showing(Settings.cloudTokenField, Image.Value(sync.cloudToken?.short))
  }

  /// By its fingerprint in images: a token that was replaced cannot be set back.
  public static let cloudTokenField = "cloudToken"

  /// What makes the settings be as the image says.
  static func commands(_ after: Image) -> [Command] {
    let cloudProtocol = after["cloudProtocol"].text.flatMap { SyncProtocol(name: $0) }
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
      .settings(
        .changeSync(
          .init(
            cloudURL: cloudProtocol.map { _ in after["cloudUrl"].text ?? "" },
            cloudProtocol: cloudProtocol,
            machineID: cloudProtocol.map { _ in after["machineId"].text ?? "" },
            syncSecrets: after["syncSecrets"].flag,
            intervalSeconds: after["syncIntervalSeconds"].number(as: UInt32.self)))),
      .settings(.setTrustedProxies((after["trustedProxies"].list ?? []).compactMap(\.text))),
    ]
  }
}
