import Domain

extension ConfigurationPlan.Settings {
  /// What differs of how this node exchanges with another system.
  func syncChange(_ state: ControlState) -> PlannedChange? {
    let old = state.settings.sync
    var differences = Differences()
    let changed = SettingsEvent.SyncChanged(
      cloudURL: differences.take("cloud-url", old.cloudURL, sync.cloudURL) {
        $0.isEmpty ? "none" : shown($0)
      },
      cloudProtocol: differences.take(
        "cloud-protocol", old.cloudProtocol, sync.cloudProtocol
      ) { $0.name },
      machineID: differences.take("machine-id", old.machineID, sync.machineID) {
        $0.isEmpty ? "none" : shown($0)
      },
      syncSecrets: differences.take("sync-secrets", old.syncSecrets, sync.syncSecrets) {
        String($0)
      },
      intervalSeconds: differences.take(
        "sync-interval-seconds", old.intervalSeconds, sync.intervalSeconds
      ) { String($0) })
    guard changed != SettingsEvent.SyncChanged() else { return nil }
    return differences.row("settings", .settings(.changeSync(changed)), line)
  }

  /// The token of that system, if it differs.
  func tokenChange(
    _ state: ControlState, _ fingerprint: (SecretText) -> Fingerprint
  ) -> PlannedChange? {
    guard let cloudToken else { return nil }
    let token = fingerprint(cloudToken)
    let old = state.settings.sync.cloudToken
    guard token != old else { return nil }
    return PlannedChange(
      kind: .changed, command: .settings(.setCloudToken(token)), secret: cloudToken,
      text: "settings: cloud-token \(old == nil ? "none" : "****") → ****", line: line)
  }
}
