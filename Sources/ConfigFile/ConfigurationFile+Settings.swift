import Domain

extension ConfigurationFile {
  static func settings(
    _ document: Fields, _ environment: [String: String]
  ) throws(ConfigFault) -> ConfigurationPlan.Settings? {
    guard let node = document.node("settings") else { return nil }
    let fields = try Fields(node, path: "settings", environment: environment, .settings)
    var strategy: Strategy?
    if let name = try fields.text("fallback-strategy", max: 64) {
      let line = fields.line(of: "fallback-strategy")
      let path = fields.child("fallback-strategy")
      strategy = Strategy.allCases.first { $0.name == name }
      let built = Strategy.allCases.map { "`\($0.name)`" }.joined(separator: ", ")
      if strategy == nil {
        throw ConfigFault(
          .invalidValue, line: line, path: path, "There is no strategy \(Fields.shown(name)).",
          remedy: "Write \(built).")
      }
    }
    return ConfigurationPlan.Settings(
      line: fields.line, fallbackStrategy: strategy,
      requireAPIKey: try fields.flag("require-api-key"),
      forceModelPrefix: try fields.flag("force-model-prefix"),
      maxBodyBytes: try fields.number("max-body-bytes"),
      stickyRoundRobinLimit: try fields.number("sticky-round-robin-limit").map(UInt32.init),
      maxAttempts: try fields.number("max-attempts").map(UInt32.init),
      requestTimeoutSeconds: try fields.number("request-timeout-seconds").map(UInt32.init),
      trustedProxies: try trustedProxies(fields), sync: try sync(fields),
      cloudToken: try fields.secret("cloud-token", for: .upstream))
  }

  private static func sync(_ fields: Fields) throws(ConfigFault) -> SettingsEvent.SyncChanged {
    var wanted = SettingsEvent.SyncChanged(
      cloudURL: try fields.text("cloud-url", max: 512),
      machineID: try fields.text("machine-id", max: 128),
      syncSecrets: try fields.flag("sync-secrets"),
      intervalSeconds: try fields.number("sync-interval-seconds").map(UInt32.init))
    if let name = try fields.text("cloud-protocol", max: 64) {
      wanted.cloudProtocol = SyncProtocol(name: name)
      if wanted.cloudProtocol == nil {
        throw ConfigFault(
          .invalidValue, line: fields.line(of: "cloud-protocol"),
          path: fields.child("cloud-protocol"),
          "There is no protocol \(Fields.shown(name)).",
          remedy: "Write \(SyncProtocol.allCases.map { "`\($0.name)`" }.joined(separator: " or "))."
        )
      }
    }
    return wanted
  }

  private static func trustedProxies(_ fields: Fields) throws(ConfigFault) -> [String]? {
    guard let networks = try names(fields, "trusted-proxies", "proxy", most: 64, length: 64) else {
      return nil
    }
    for network in networks where AddressBlock(network.text) == nil {
      throw ConfigFault(
        .invalidValue, line: network.line, path: network.path,
        "\(Fields.shown(network.text)) is not an address and not a block of addresses.",
        remedy: "Write for example `10.0.0.7` or `10.0.0.0/8`, without bits behind the prefix.")
    }
    return networks.map(\.text)
  }
}
