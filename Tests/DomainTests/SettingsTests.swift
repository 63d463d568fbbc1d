import Domain
import Testing

private func change(_ it: SettingsEvent.Changed) -> Command { .settings(.change(it)) }

private func changeSync(_ it: SettingsEvent.SyncChanged) -> Command {
  .settings(.changeSync(it))
}

@Test(
  "the rules of the settings hold",
  arguments: [
    Scenario(
      "a setting is changed by itself", when: change(.init(requireAPIKey: false)),
      then: .events([.settings(.changed(.init(requireAPIKey: false)))])),
    Scenario(
      "only what differs is changed", given: [.settings(.changed(.init(requireAPIKey: false)))],
      when: change(
        .init(fallbackStrategy: .fillFirst, requireAPIKey: false, forceModelPrefix: true)),
      then: .events([.settings(.changed(.init(forceModelPrefix: true)))])),
    Scenario(
      "setting what holds by default is no event",
      when: change(
        .init(
          fallbackStrategy: .fillFirst, requireAPIKey: true, forceModelPrefix: false,
          maxBodyBytes: 32 << 20)), then: .nothing),
    Scenario("asking for nothing is no event", when: change(.init()), then: .nothing),
    Scenario(
      "1 KiB is the least body limit", when: change(.init(maxBodyBytes: 1_023)),
      then: .refused(.invalidField, field: "max_body_bytes")),
    Scenario(
      "256 MiB is the greatest body limit", when: change(.init(maxBodyBytes: (256 << 20) + 1)),
      then: .refused(.invalidField, field: "max_body_bytes")),
    Scenario(
      "256 MiB is allowed", when: change(.init(maxBodyBytes: 256 << 20)),
      then: .events([.settings(.changed(.init(maxBodyBytes: 256 << 20)))])),
    Scenario(
      "the password is set", when: .settings(.setAdminPassword),
      then: .events([.settings(.adminPasswordSet)])),
    Scenario(
      "the password is set again, for only the sealed part can be compared",
      given: [.settings(.adminPasswordSet)], when: .settings(.setAdminPassword),
      then: .events([.settings(.adminPasswordSet)])),
    Scenario(
      "what is exchanged is set field by field, and a slash at the end is none",
      given: [.settings(.syncChanged(.init(cloudURL: "https://a.example")))],
      when: changeSync(
        .init(
          cloudURL: "https://a.example/", cloudProtocol: .nineRouter, machineID: "m-1",
          syncSecrets: true, intervalSeconds: 60)),
      then: .events([
        .settings(
          .syncChanged(
            .init(
              cloudProtocol: .nineRouter, machineID: "m-1", syncSecrets: true,
              intervalSeconds: 60)))
      ])),
    Scenario(
      "what is exchanged is taken away by empty texts",
      given: [.settings(.syncChanged(.init(cloudURL: "https://a.example", machineID: "m-1")))],
      when: changeSync(.init(cloudURL: "", machineID: "")),
      then: .events([.settings(.syncChanged(.init(cloudURL: "", machineID: "")))])),
    Scenario(
      "setting of sync what holds by default is no event",
      when: changeSync(
        .init(
          cloudURL: "", cloudProtocol: .signalbox, machineID: "", syncSecrets: false,
          intervalSeconds: 300)), then: .nothing),
    Scenario(
      "a peer is not spoken to in clear over a network",
      when: changeSync(.init(cloudURL: "http://10.0.0.7:8080")),
      then: .refused(.invalidField, field: "cloud_url")),
    Scenario(
      "a peer on this machine may be spoken to in clear",
      when: changeSync(.init(cloudURL: "http://127.0.0.1:8080")),
      then: .events([.settings(.syncChanged(.init(cloudURL: "http://127.0.0.1:8080")))])),
    Scenario(
      "a peer's address has no password in it",
      when: changeSync(.init(cloudURL: "https://me:secret@a.example")),
      then: .refused(.invalidField, field: "cloud_url")),
    Scenario(
      "a machine's name has no slash", when: changeSync(.init(machineID: "a/b")),
      then: .refused(.invalidField, field: "machine_id")),
    Scenario(
      "10 s is the least interval", when: changeSync(.init(intervalSeconds: 9)),
      then: .refused(.invalidField, field: "sync_interval_seconds")),
    Scenario(
      "a day is the greatest interval", when: changeSync(.init(intervalSeconds: 86_401)),
      then: .refused(.invalidField, field: "sync_interval_seconds")),
    Scenario(
      "the cloud's token is set", when: .settings(.setCloudToken(fingerprint(1))),
      then: .events([.settings(.cloudTokenSet(fingerprint(1)))])),
    Scenario(
      "the same token again is no event", given: [.settings(.cloudTokenSet(fingerprint(1)))],
      when: .settings(.setCloudToken(fingerprint(1))), then: .nothing),
    Scenario(
      "the cloud's token is removed", given: [.settings(.cloudTokenSet(fingerprint(1)))],
      when: .settings(.removeCloudToken), then: .events([.settings(.cloudTokenRemoved)])),
    Scenario(
      "no token is no event to remove", when: .settings(.removeCloudToken), then: .nothing),
    Scenario(
      "a stale revision is refused", given: [.settings(.adminPasswordSet)],
      when: change(.init(requireAPIKey: false)), ifMatch: 0,
      then: .refused(.revisionMismatch, field: "revision")),
  ])
func decidesSettings(_ scenario: Scenario) { scenario.check() }

@Test("settings begin as documented")
func beginsAsDocumented() {
  let settings = ControlState.initial.settings
  #expect(settings.fallbackStrategy == .fillFirst)
  #expect(settings.requireAPIKey)
  #expect(!settings.forceModelPrefix)
  #expect(settings.maxBodyBytes == 32 << 20)
  #expect(settings.adminPasswordPosition == nil)
  #expect(settings.revision == 0)
}

@Test("settings remember where the password's hash lies")
func remembersPassword() {
  let state = state([
    .settings(.changed(.init(requireAPIKey: false))), .settings(.adminPasswordSet),
    .settings(.changed(.init(maxBodyBytes: 2_048))),
  ])
  #expect(state.settings.adminPasswordPosition == 2)
  #expect(!state.settings.requireAPIKey)
  #expect(state.settings.maxBodyBytes == 2_048)
  #expect(state.settings.revision == 3)
  #expect(state.settings.createdAt == second(1))
  #expect(state.settings.updatedAt == second(3))
}
