import Domain
import Testing

private let k1 = KeyID("k1")
private let created: Event = .created(key("k1"))
private let paused: Event = .key(.paused(k1))
private let revoked: Event = .key(.revoked(k1))

private func change(_ it: KeyEvent.Changed) -> Command { .key(.change(it)) }

@Test(
  "the rules of keys hold",
  arguments: [
    Scenario("a key is created", when: .key(.create(key("k1"))), then: .events([created])),
    Scenario(
      "creating twice never overwrites", given: [created], when: .key(.create(key("k1", 2))),
      then: .refused(.alreadyExists, field: "id")),
    Scenario(
      "a revoked key's id is never used again", given: [created, revoked],
      when: .key(.create(key("k1", 2))), then: .refused(.alreadyExists, field: "id")),
    Scenario(
      "two keys never share a secret", given: [created], when: .key(.create(key("k2", 1))),
      then: .refused(.keyExists, field: "key")),
    Scenario(
      "a revoked secret stays dead", given: [created, revoked], when: .key(.create(key("k2", 1))),
      then: .refused(.keyExists, field: "key")),
    Scenario(
      "a name is changed", given: [created], when: change(.init(id: k1, name: "new")),
      then: .events([.key(.changed(.init(id: k1, name: "new")))])),
    Scenario(
      "only what differs is changed", given: [created],
      when: change(.init(id: k1, name: "k1", diagnostics: true)),
      then: .events([.key(.changed(.init(id: k1, diagnostics: true)))])),
    Scenario(
      "a change that changes nothing is no event", given: [created],
      when: change(.init(id: k1, name: "k1", diagnostics: false)), then: .nothing),
    Scenario(
      "a paused key can be changed", given: [created, paused],
      when: change(.init(id: k1, name: "new")),
      then: .events([.key(.changed(.init(id: k1, name: "new")))])),
    Scenario(
      "a revoked key cannot be changed", given: [created, revoked],
      when: change(.init(id: k1, name: "new")), then: .refused(.notActive, field: "id")),
    Scenario(
      "a missing key cannot be changed", when: change(.init(id: k1, name: "new")),
      then: .refused(.unknownKey, field: "id")),
    Scenario(
      "a key is paused", given: [created], when: .key(.pause(k1)), then: .events([paused])),
    Scenario(
      "a paused key is paused already", given: [created, paused], when: .key(.pause(k1)),
      then: .nothing),
    Scenario(
      "a revoked key cannot be paused", given: [created, revoked], when: .key(.pause(k1)),
      then: .refused(.notActive, field: "id")),
    Scenario(
      "a missing key cannot be paused", when: .key(.pause(k1)),
      then: .refused(.unknownKey, field: "id")),
    Scenario(
      "a paused key is resumed", given: [created, paused], when: .key(.resume(k1)),
      then: .events([.key(.resumed(k1))])),
    Scenario(
      "an active key is active already", given: [created], when: .key(.resume(k1)), then: .nothing),
    Scenario(
      "a revoked key cannot be resumed", given: [created, revoked], when: .key(.resume(k1)),
      then: .refused(.notActive, field: "id")),
    Scenario(
      "a missing key cannot be resumed", when: .key(.resume(k1)),
      then: .refused(.unknownKey, field: "id")),
    Scenario(
      "an active key is revoked", given: [created], when: .key(.revoke(k1)),
      then: .events([revoked])),
    Scenario(
      "a paused key is revoked", given: [created, paused], when: .key(.revoke(k1)),
      then: .events([revoked])),
    Scenario(
      "a revoked key is revoked already", given: [created, revoked], when: .key(.revoke(k1)),
      then: .nothing),
    Scenario(
      "a missing key cannot be revoked", when: .key(.revoke(k1)),
      then: .refused(.unknownKey, field: "id")),
    Scenario(
      "an id has no spaces", when: .key(.create(key("k 1"))),
      then: .refused(.invalidField, field: "id")),
    Scenario(
      "a name is not empty", given: [created], when: change(.init(id: k1, name: "")),
      then: .refused(.invalidField, field: "name")),
  ])
func decidesKeys(_ scenario: Scenario) { scenario.check() }

@Test("no refusal repeats a key's fingerprint or masked form")
func keepsKeysQuiet() {
  let refusal = #expect(throws: Refusal.self) {
    try decide(.key(.create(key("k2", 1))), state([created]))
  }
  #expect(refusal?.value == "")
  #expect(refusal?.message == "the same secret is the key k1")
}

@Test("a key is expired from its time on")
func expires() {
  let state = state([.created(key("k1", expiresAt: second(10)))])
  #expect(state.keys[k1]?.isExpired(at: UnixNanoseconds(9_999_999_999)) == false)
  #expect(state.keys[k1]?.isExpired(at: second(10)) == true)
  #expect(endless.isExpired(at: UnixNanoseconds(.max)) == false)
}

private var endless: Key {
  Key(
    id: k1, name: "k1", organisation: .standard, fingerprint: fingerprint(1), masked: "…",
    diagnostics: false, expiresAt: nil, status: .active, revision: 1, createdAt: second(0),
    updatedAt: second(0))
}
