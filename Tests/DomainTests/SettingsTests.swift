import Domain
import Testing

private func change(_ it: SettingsEvent.Changed) -> Command { .settings(.change(it)) }

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
